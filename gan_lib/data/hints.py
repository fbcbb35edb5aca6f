"""Colour hints: a few dots of the wanted colour, as extra channels of the source.

User-guided colourisation: Zhang et al. 2017, "Real-Time User-Guided Image Colorization
with Learned Deep Priors", section 3.2, arXiv:1705.02999. During training the dots are
taken from the target; later a person sets them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["CHANNELS", "MOST", "PATCH", "add_hints", "paint_hints", "random_hints"]

CHANNELS = 4  # red, green, blue, mask
MOST = 8  # points a picture in training
PATCH = 5  # side of a dot in pixels
_GREY = 128  # 0 in [-1, 1], as near as uint8 comes: no hint

Point = tuple[int, int, tuple[int, int, int]]


def paint_hints(
    size: int | tuple[int, int], points: Sequence[Point] = (), *, patch: int = PATCH
) -> np.ndarray:
    """Hints set by hand, as the channels that `add_hints` puts behind the source.

    Each point fills a square of `patch` x `patch` pixels with its colour and 255 in
    the mask; elsewhere the colour is grey and the mask 0. Later points cover earlier.

    Args:
        size: side of the picture in pixels, or (height, width).
        points: (x, y, (red, green, blue)): column, row, colour from 0 to 255.
        patch: side of a dot in pixels, odd.
    Returns: uint8 (H, W, 4).
    Raises: ValueError for a point outside the picture or a colour outside 0..255.
    """
    height, width = (size, size) if isinstance(size, (int, np.integer)) else size
    _check_patch(patch)
    hints = np.full((height, width, CHANNELS), _GREY, np.uint8)
    hints[..., 3] = 0
    for x, y, colour in points:
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"Expected hints inside the picture, x from 0 to {width - 1} and y "
                f"from 0 to {height - 1}, but got ({x}, {y}). Points count in pixels "
                "of the network's picture: scale them from the canvas's size."
            )
        values = np.asarray(colour)
        if values.shape != (3,) or values.min() < 0 or values.max() > 255:
            raise ValueError(
                "Expected a colour (red, green, blue) from 0 to 255, but got "
                f"{colour!r}."
            )
        hints[_square(int(x), int(y), patch)] = (*values.astype(int), 255)
    return hints


def random_hints(
    target: np.ndarray,
    rng: np.random.Generator,
    *,
    most: int = MOST,
    patch: int = PATCH,
) -> np.ndarray:
    """Hints as a person might set them, with the colours of the answer.

    The number of points is uniform on 0 ... `most`, so that the network learns to do
    without; their places are uniform on the picture; their colour is the target's mean
    over the square that they fill.

    Ours differs from Zhang et al.: RGB, not ab of Lab; a uniform number and place, not
    a geometric number around the middle; one size of dot; never the whole answer.

    Args:
        target: uint8 (H, W, 3).
        rng: draws number and places, and is moved on by it.
        most, patch: most points, and side of a dot in pixels, odd.
    Returns: uint8 (H, W, 4), see `paint_hints`.
    Raises: ValueError if the target is not in colour.
    """
    if target.ndim != 3 or target.shape[-1] != 3:
        raise ValueError(
            "Expected a target in colour, (H, W, 3), to take hints from, but got "
            f"{target.shape}. Grey targets have no colours to hint at."
        )
    _check_patch(patch)
    height, width, _ = target.shape
    count = int(rng.integers(0, most + 1))
    places = np.stack([rng.integers(0, width, count), rng.integers(0, height, count)])
    points: list[Point] = []
    for x, y in places.T.tolist():
        colour = target[_square(x, y, patch)].mean((0, 1))
        red, green, blue = np.rint(colour).astype(int).tolist()
        points.append((x, y, (red, green, blue)))
    return paint_hints((height, width), points, patch=patch)


def add_hints(source: np.ndarray, hints: np.ndarray) -> np.ndarray:
    """Sources with hints behind their channels: (..., H, W, Cs) -> (..., H, W, Cs + 4).

    Args:
        source: uint8 (..., H, W, Cs).
        hints: uint8 (..., H, W, 4), or (H, W, 4) for all sources.
    Raises: ValueError if the sizes differ, TypeError for other than uint8.
    """
    if source.dtype != np.uint8 or hints.dtype != np.uint8:
        raise TypeError(
            "Expected source and hints as uint8 (0 to 255), but got "
            f"{source.dtype} and {hints.dtype}. Convert floats by `to_uint8`."
        )
    if source.shape[-3:-1] != hints.shape[-3:-1] or hints.shape[-1] != CHANNELS:
        raise ValueError(
            f"Expected hints (H, W, {CHANNELS}) of the source's size, but got "
            f"{hints.shape} for a source {source.shape}. `paint_hints(size)` makes "
            "them, without points for no hint at all."
        )
    hints = np.broadcast_to(hints, (*source.shape[:-1], CHANNELS))
    return np.concatenate([source, hints], -1)


def _square(x: int, y: int, patch: int) -> tuple[slice, slice]:
    """Rows and columns of a dot, as far as they lie in the picture."""
    reach = patch // 2
    rows = slice(max(0, y - reach), y + reach + 1)
    return rows, slice(max(0, x - reach), x + reach + 1)


def _check_patch(patch: int) -> None:
    if patch < 1 or patch % 2 == 0:
        raise ValueError(
            f"Expected `patch` as an odd number of pixels, 1, 3, 5, ..., so that a dot "
            f"has a middle, but got {patch}."
        )
