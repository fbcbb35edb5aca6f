"""What the report is made of: numbers, thumbnails, the page."""
