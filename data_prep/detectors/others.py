"""Detectors that others trained: `lbp` and `yunet`, with OpenCV where it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data_prep.boxes import Found, suppressed
from data_prep.detectors import cascade

YUNET_MIN_SCORE = 0.6
# A head box for a YuNet face box: its side, in means of the face's width and height,
# and how far its middle lies below the face's, in that unit: medians of 18 drawn faces.
YUNET_SIDE = 1.44
YUNET_DOWN = 0.03


class Lbp:
    """nagadomi's `lbpcascade_animeface`; its windows are head boxes already.

    Weak on dark skin: recall 0.0 to 0.2 where pale skin has 0.9. Gammas (which
    equalised levels undo), tilts, CLAHE and single colour channels were tried; none
    lifts it above 0.4.

    Args:
        path: of the XML file.
        scale_factor, min_neighbors, min_side: as OpenCV's `detectMultiScale` has them.
        use_opencv: None: if it has `CascadeClassifier`; False: evaluate in NumPy.
    """

    def __init__(
        self,
        path: Path,
        *,
        scale_factor: float = 1.05,
        min_neighbors: int = 3,
        min_side: int = 48,
        use_opencv: bool | None = None,
    ):
        if scale_factor <= 1.005:
            raise ValueError(
                f"Expected a scale_factor above 1.005, got {scale_factor}: each window "
                "is that much larger than the one before. Usual: 1.05 to 1.2."
            )
        self.settings = (scale_factor, min_neighbors, min_side)
        classifier = _opencv("CascadeClassifier") if use_opencv is not False else None
        self.opencv: Any = classifier(str(path)) if classifier else None
        if use_opencv and self.opencv is None:
            raise ValueError(
                "Expected an OpenCV with CascadeClassifier: version 4, or version 5 as "
                "opencv-contrib-python-headless. Leave use_opencv out to do without."
            )
        self.cascade = None if self.opencv else cascade.Cascade(path)

    def __call__(self, image: np.ndarray) -> Found:
        grey = cascade.equalized(cascade.grey_of(image))
        scale_factor, min_neighbors, side = self.settings
        if self.cascade:
            found = self.cascade.detect(grey, scale_factor, min_neighbors, side)
        else:
            found = self.opencv.detectMultiScale2(
                grey, scaleFactor=scale_factor, minNeighbors=min_neighbors,
                minSize=(side, side),
            )  # fmt: skip
        counts = np.reshape(found[1], -1)
        # Windows that agree, as a certainty: 4 of them are half sure.
        return suppressed(np.reshape(found[0], (-1, 4)), counts / (counts + 4))


class YuNet:
    """OpenCV's face detector for photographs, which also finds some drawn faces.

    Args:
        path: of the ONNX file.
        min_score: faces less certain than this are not returned.
    Raises: ValueError without an OpenCV that has `FaceDetectorYN`.
    """

    def __init__(self, path: Path, *, min_score: float = YUNET_MIN_SCORE):
        detector = _opencv("FaceDetectorYN")
        if detector is None:
            raise ValueError(
                "The detector 'yunet' needs OpenCV 4.5.4 or newer (FaceDetectorYN): "
                "pip install opencv-contrib-python-headless (not on Colab, which has "
                "one). The detector 'default' needs none."
            )
        self.net = detector.create(str(path), "", (320, 320), min_score, 0.3, 500)

    def __call__(self, image: np.ndarray) -> Found:
        height, width = image.shape[:2]
        self.net.setInputSize((width, height))
        _, rows = self.net.detect(np.ascontiguousarray(image[..., ::-1]))
        if rows is None:
            return suppressed(np.empty((0, 4)), np.empty(0))
        x, y, w, h = rows[:, :4].T
        unit = (w + h) / 2
        side = YUNET_SIDE * unit
        left = x + w / 2 - side / 2
        top = y + h / 2 + YUNET_DOWN * unit - side / 2
        return suppressed(np.stack([left, top, side, side], 1), rows[:, 14].clip(0, 1))


def _opencv(name: str):
    """A class of OpenCV; None where it is not installed or has no such class."""
    try:
        import cv2
    except ImportError:
        return None
    return getattr(cv2, name, None)
