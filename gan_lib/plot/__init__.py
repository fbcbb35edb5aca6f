"""Every figure of the lessons. Each function returns a figure; nothing is global.

Pictures are accepted as uint8 in [0, 255] or floats in [-1, 1].
"""

from gan_lib.plot.boxes import boxes
from gan_lib.plot.curves import (
    Moment,
    bars,
    curves,
    densities,
    duel,
    logit_curves,
    logit_histogram,
    loss_curves,
)
from gan_lib.plot.images import (
    arithmetic,
    image_grid,
    label_maps,
    neighbours,
    rows,
    show,
)
from gan_lib.plot.over_time import film, progress
from gan_lib.plot.patches import patch_maps
from gan_lib.plot.pixels import animate, animation, colour_labels, save_grid, tile
from gan_lib.plot.style import COLOURS, Picture, table
from gan_lib.plot.votes import preferences

__all__ = [
    "COLOURS",
    "Moment",
    "Picture",
    "animate",
    "animation",
    "arithmetic",
    "bars",
    "boxes",
    "colour_labels",
    "curves",
    "densities",
    "duel",
    "film",
    "image_grid",
    "label_maps",
    "logit_curves",
    "logit_histogram",
    "loss_curves",
    "neighbours",
    "patch_maps",
    "preferences",
    "progress",
    "rows",
    "save_grid",
    "show",
    "table",
    "tile",
]
