"""The one face of a picture, cut out: for a selfie, where no data set is wanted."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from data_prep import detectors
from data_prep.cut import cut
from data_prep.decode import decode_upright


def portrait(
    path: str | os.PathLike, size: int, *, detector: str = "default"
) -> np.ndarray:
    """The largest face found in a picture, as a square; else the picture's middle.

    Args:
        path: of a picture file; turned upright as its camera notes it.
        size: side of the result in pixels.
        detector: see `data_prep.detectors.load`; "default" knows drawn faces best,
            "yunet" photographs.
    Returns: uint8 (size, size, 3).
    Warns: when no face is found. The square in the middle is then taken.
    Raises: what `data_prep.decode.decode_upright` raises for a file that is no picture.
    """
    image = decode_upright(Path(path).read_bytes())
    boxes, _ = detectors.load(detector)(image)
    if len(boxes):
        return cut(image, max(boxes, key=lambda box: box[2] * box[3]), size)
    warnings.warn(
        f"No face was found in {Path(path).name}, so its middle is taken. Cut the face "
        'out yourself, or try detector="yunet" for a photograph.',
        stacklevel=2,
    )
    height, width = image.shape[:2]
    side = min(height, width)
    return cut(image, ((width - side) / 2, (height - side) / 2, side, side), size, 0)
