"""What makes two pictures no pair; each reason says what to do about it.

Every function raises `data_prep.decode.Unusable`; pictures are uint8 (H, W, 3).
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from data_prep.decode import Unusable

# Sides may differ by rounding: an aspect ratio off by more shows something else.
_SAME_ASPECT = 1.02
_SQUARE = 1.05  # the paper's sets are resized to squares; more than this distorts
_BLANK = 8  # levels between the darkest and the lightest pixel of an empty picture
_TINT, _COLOURED = 0.1, 0.01  # a pixel counts as coloured, a picture does


def halves(pixels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Left and right half of a picture that holds two squares side by side."""
    height, width, _ = pixels.shape
    if height < size / 2:
        raise Unusable(f"too small: {width} x {height} px for halves of {size} px")
    if width % 2:
        raise Unusable(
            f"an odd width: {width} x {height} px cannot be cut into equal halves"
        )
    half = width // 2
    if max(half, height) > _SQUARE * min(half, height):
        raise Unusable(
            f"not two squares side by side: {width} x {height} px, expected "
            f"{2 * height} x {height}"
        )
    return pixels[:, :half], pixels[:, half:]


def check_aspects(source: np.ndarray, target: np.ndarray, size: int) -> None:
    """Whether the centre squares of two pictures can show the same."""
    (height, width), (high, wide) = source.shape[:2], target.shape[:2]
    both = f"{width} x {height} and {wide} x {high} px"
    if min(width, height, wide, high) < size / 2:
        raise Unusable(f"too small: {both} for squares of {size} px")
    ratio = (width * high) / (height * wide)
    if max(ratio, 1 / ratio) > _SAME_ASPECT:
        raise Unusable(f"different shapes: {both}, which cannot show the same cutout")


def check_sides(
    source: np.ndarray, target: np.ndarray, grey_targets: bool, remedy: str
) -> None:
    """Whether a network can learn the target from the source; `remedy` turns them."""
    for name, side in (("source", source), ("target", target)):
        if np.ptp(side.reshape(-1, 3).astype(np.int16), axis=0).max() < _BLANK:
            raise Unusable(f"an empty {name}: it is one colour only")
    if grey_targets or has_colour(target):
        return
    if has_colour(source):
        raise Unusable(
            "the wrong direction: the source has colours, the target is grey or line "
            f"art. For grey to colour, {remedy}; if you want colour to grey, pass "
            "grey_targets=True"
        )
    raise Unusable(
        "a grey target: there is no colour to learn. If grey is wanted, pass "
        "grey_targets=True"
    )


def has_colour(pixels: np.ndarray) -> bool:
    """Whether a picture has colours, taking its lightest parts, the paper, as white.

    Not `data_prep.measure.colour`, which is for photographs: it fits the tint to the
    brightness, so that sepia counts as grey, and a drawing of two flat colours, or of
    one on white, would count as grey as well.
    """
    small = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BOX)
    # Without the rim: JPEG carries colour across the middle from one half to the other.
    values = np.asarray(small, np.float64)[1:-1, 1:-1].reshape(-1, 3)
    # A floor, so that a picture without anything light keeps its colour.
    balanced = values / np.maximum(np.quantile(values, 0.98, axis=0), 128)
    return float(np.mean(np.ptp(balanced, axis=1) > _TINT)) >= _COLOURED
