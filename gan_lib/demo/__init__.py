"""Draw your own: sketches coloured by a generator that a notebook trained.

In a notebook: `canvas`. In a browser, or a folder at once: `python -m gan_lib.demo`.
"""

from gan_lib.demo.colouring import (
    colour_drawing,
    colour_sheet,
    load_generator,
    split_hints,
)
from gan_lib.demo.notebook import canvas

__all__ = [
    "canvas",
    "colour_drawing",
    "colour_sheet",
    "load_generator",
    "split_hints",
]
