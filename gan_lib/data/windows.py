"""Random windows out of pictures that are enlarged first, to move them a little.

The enlarging and the cut are one step, and the place is a pure function of (seed,
position), so that nothing has to be remembered.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

__all__ = ["cut", "window"]

_STREAM = 2  # of random numbers; `gan_lib.data.pipeline.Batches` has 0 and 1


def window(seed: int, position: int, jitter: int) -> tuple[int, int]:
    """Left and top of sample `position`'s window, each 0 ... jitter, all alike likely.

    Drawn from the seed [seed, position, 2].
    """
    if not jitter:
        return 0, 0
    rng = np.random.default_rng([seed, position, _STREAM])
    left, top = rng.integers(0, jitter + 1, 2).tolist()
    return left, top


def cut(
    picture: np.ndarray, left: int, top: int, jitter: int, nearest: bool = False
) -> np.ndarray:
    """A window of `picture` enlarged by `jitter` pixels, of the picture's own size.

    Only the window is computed: Pillow resizes from a box given in fractions of the
    original's pixels. Nearest neighbours are looked up, since where two are equally
    near the rounding of such fractions would decide.

    Args:
        picture: uint8 (H, W, C).
        left, top: of the window in the enlarged picture, 0 ... jitter.
        jitter: pixels by which both sides grow.
        nearest: take nearest neighbours and not bilinear means, as label maps need.
    Returns: uint8 (H, W, C), the picture itself if there is no jitter.
    """
    if not jitter:
        return picture
    height, width, channels = picture.shape
    if nearest:
        rows = _nearest(np.arange(top, top + height), height, jitter)
        columns = _nearest(np.arange(left, left + width), width, jitter)
        return picture[rows].take(columns, axis=1)  # much faster than one index
    across, down = width / (width + jitter), height / (height + jitter)
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    method = Image.Resampling.BILINEAR
    if channels == 3:
        image = Image.fromarray(np.ascontiguousarray(picture))
        return np.asarray(image.resize((width, height), method, box))
    # Channel by channel: Pillow knows no other numbers of channels, and takes four
    # for colours with transparency.
    planes = [
        Image.fromarray(np.ascontiguousarray(picture[..., channel]))
        for channel in range(channels)
    ]
    parts = [np.asarray(plane.resize((width, height), method, box)) for plane in planes]
    return np.stack(parts, -1)


def _nearest(places: np.ndarray, side: int, jitter: int) -> np.ndarray:
    """floor((k + 1/2) S / (S + jitter)), in whole numbers."""
    return (2 * places + 1) * side // (2 * (side + jitter))
