"""One face out of a picture: a square of any size, never enlarged twice, never torn.

Where the square reaches past the border, the picture goes on mirrored, as in front of a
mirror at its edge, however far past it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

MARGIN = 0.05
# Where the eyes are in a head box, measured on 70 drawn pairs (standard deviations
# 0.014 and 0.034): their distance, and how far above the middle, in sides of the box.
EYE_DISTANCE, EYE_HEIGHT = 0.365, 0.095
# Seen from the side, eyes come closer to each other: the box has the last word.
_SCALE_BY_EYES = (0.8, 1.25)

Landmarks = Sequence[tuple[str, float, float]]


@dataclass(frozen=True)
class Square:
    """A square in a picture: centre and side in pixels, turned clockwise by `angle`."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def padding(self, width: int, height: int) -> float:
        """Which part of its area lies outside a picture, 0 to 1 (as if not turned)."""
        inside = 1.0
        for middle, length in ((self.x, width), (self.y, height)):
            low, high = middle - self.side / 2, middle + self.side / 2
            inside *= max(0.0, min(high, length) - max(low, 0.0)) / self.side
        return max(0.0, 1.0 - inside)


def place(
    box: Sequence[float], margin: float = MARGIN, landmarks: Landmarks | None = None
) -> Square:
    """The square to be cut out for a face.

    Args:
        box: x, y, w, h of the head in pixels of the upright picture.
        margin: added on each side, as a fraction of the box's longer side; may be
            negative. 0.05 shows the hair and fills the frame with the face.
        landmarks: (name, x, y) in pixels. With "left_eye" and "right_eye" the square is
            turned until they are level, and has its size and place from them.
    """
    x, y, w, h = (float(value) for value in box)
    if not (all(map(math.isfinite, (x, y, w, h))) and w > 0 and h > 0):
        raise ValueError(
            "Expected a box x, y, w, h in pixels with w and h above 0. "
            f"Received: {tuple(box)}"
        )
    side = max(w, h)
    upright = Square(x + w / 2, y + h / 2, side * (1 + 2 * margin))
    eyes = _eyes(landmarks or ())
    if eyes is None:
        return upright
    (x0, y0), (x1, y1) = eyes
    distance, angle = math.hypot(x1 - x0, y1 - y0), math.atan2(y1 - y0, x1 - x0)
    # Eyes that are nearly one or that stand upright were not found where they are.
    if distance < 0.1 * side or abs(angle) > math.radians(60):
        return upright
    low, high = _SCALE_BY_EYES
    side *= min(max(distance / EYE_DISTANCE / side, low), high)
    below = EYE_HEIGHT * side
    return Square(
        (x0 + x1) / 2 - below * math.sin(angle),
        (y0 + y1) / 2 + below * math.cos(angle),
        side * (1 + 2 * margin),
        angle,
    )


def _eyes(landmarks: Landmarks) -> list[tuple[float, float]] | None:
    """The two eyes from left to right: whose left is meant, detectors do not agree."""
    points = {name: (float(x), float(y)) for name, x, y in landmarks}
    if not {"left_eye", "right_eye"} <= points.keys():
        return None
    eyes = sorted([points["left_eye"], points["right_eye"]])
    return eyes if np.isfinite(eyes).all() else None


def cut(
    image: np.ndarray,
    box: Sequence[float],
    size: int,
    margin: float = MARGIN,
    landmarks: Landmarks | None = None,
) -> np.ndarray:
    """A face as a square; arguments as in `place` and `sample`."""
    return sample(image, place(box, margin, landmarks), size)


def sample(image: np.ndarray, square: Square, size: int) -> np.ndarray:
    """The part of a picture below a square, antialiased.

    Lanczos where the square is not turned (and no change at all where it already has
    the size); bicubic at as many samples as the picture has pixels, then Lanczos, where
    it is.

    Args:
        image: uint8 (H, W, 3).
        square: may reach past the border, where the picture is mirrored.
        size: side of the result in pixels.
    Returns: uint8 (size, size, 3).
    Raises: ValueError for another kind of image or a size below 1.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or size < 1:
        raise ValueError(
            "Expected a uint8 picture (H, W, 3) and a size of at least 1 px. "
            f"Received: {image.dtype} {image.shape}, size {size}"
        )
    part = (
        _upright(image, square) if square.angle == 0 else _turned(image, square, size)
    )
    if part.size != (size, size):
        part = part.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(part)


def _upright(image: np.ndarray, square: Square) -> Image.Image:
    side = max(1, round(square.side))
    left, top = round(square.x - side / 2), round(square.y - side / 2)
    return Image.fromarray(mirrored(image, left, top, left + side, top + side))


def _turned(image: np.ndarray, square: Square, size: int) -> Image.Image:
    finer = size * max(1, math.ceil(square.side / size))
    # What the corners of the turned square need, and two pixels for the interpolation.
    reach = square.side / math.sqrt(2) + 2
    left, top = math.floor(square.x - reach), math.floor(square.y - reach)
    right, bottom = math.ceil(square.x + reach), math.ceil(square.y + reach)
    region = Image.fromarray(mirrored(image, left, top, right, bottom))
    step = square.side / finer
    cos, sin = step * math.cos(square.angle), step * math.sin(square.angle)
    half = finer / 2
    # Output (u, v) to input: middle + step * turn by angle of (u - half, v - half).
    matrix = (
        cos, -sin, square.x - left - half * (cos - sin),
        sin, cos, square.y - top - half * (sin + cos),
    )  # fmt: skip
    return region.transform(
        (finer, finer), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )


def mirrored(
    image: np.ndarray, left: int, top: int, right: int, bottom: int
) -> np.ndarray:
    """image[top:bottom, left:right] of a picture that goes on mirrored for ever.

    The border pixel is repeated once: ... c b a | a b c | c b a ...
    """
    rows = _mirror(top, bottom, image.shape[0])
    columns = _mirror(left, right, image.shape[1])
    return image[rows][:, columns]


def _mirror(start: int, stop: int, length: int) -> np.ndarray | slice:
    if start >= 0 and stop <= length:
        return slice(start, stop)
    position = np.arange(start, stop) % (2 * length)
    return np.minimum(position, 2 * length - 1 - position)
