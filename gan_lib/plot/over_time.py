"""A training seen through the same pictures, drawn again and again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_lib.plot.images import rows
from gan_lib.plot.pixels import Animation, animate, animation
from gan_lib.plot.style import Picture

Frames = Sequence[tuple[float, np.ndarray]]


def progress(frames: Frames, count: int = 5, pictures: int = 10) -> Picture:
    """The first pictures at a few moments of a training, a row each.

    The moments stand closer at the beginning, where most happens: their numbers grow by
    a constant factor, from the first frame to the last.

    Args:
        frames: (kimg, pictures (n, H, W, C)) in order, as `FixedLatentGrid.frames` has
            them.
        count: rows, at most; fewer if there are fewer frames.
        pictures: columns, at most.
    Raises: ValueError without frames, or if a number is below 1.
    """
    _check(frames, count=count, pictures=pictures)
    numbers = np.geomspace(1, len(frames), count).round().astype(int) - 1
    chosen = [frames[number] for number in np.unique(numbers)]
    return rows({f"{kimg:.3g} kimg": images[:pictures] for kimg, images in chosen})


def film(
    frames: Frames,
    path: str | Path,
    alt: str,
    *,
    count: int = 12,
    pictures: int = 12,
    columns: int = 6,
    quality: int = 60,
) -> Animation:
    """The first pictures over a training, as an animation written to `path`.

    Args:
        frames: see `progress`.
        path: see `animate`.
        alt: what it shows, in words.
        count: frames of the film, at most, evenly from the first to the last.
        pictures, columns: pictures in one frame, at most, and how many side by side.
        quality: of WebP, 0 to 100; 60 keeps notebooks small.
    Returns: what a notebook shows as the cell's last line.
    Raises: see `progress` and `animate`.
    """
    _check(frames, count=count, pictures=pictures)
    numbers = np.linspace(0, len(frames) - 1, count).round().astype(int)
    chosen = [frames[number] for number in np.unique(numbers)]
    file = animate(
        [images[:pictures] for _, images in chosen],
        path,
        captions=[f"{kimg:.3g} kimg" for kimg, _ in chosen],
        columns=columns,
        quality=quality,
    )
    return animation(file, alt)


def _check(frames: Frames, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"Expected `{name}` >= 1. Received: {number}")
    if not len(frames):
        raise ValueError(
            "Expected at least one (kimg, pictures), got none. Train first: "
            "`FixedLatentGrid` keeps the pictures, and `frames()` returns them."
        )
