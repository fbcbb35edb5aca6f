"""What the fetch stage is made of: addresses, manners, HTTP, and what came."""
