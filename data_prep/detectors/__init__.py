"""Finders of drawn faces behind one function.

    detect = detectors.load("default")
    boxes, scores = detect(image)

All give head boxes: squares 1.84 times as wide as the face from cheek to cheek, around
the middle between brows and chin. They may reach past the border of the picture.

| name | what | needs |
|---|---|---|
| default | a small network of our own, trained on drawn scenes | nothing |
| lbp | nagadomi's LBP cascade, MIT | a download of 250 kB |
| yunet | OpenCV's network for photographs, MIT | OpenCV, a download of 230 kB |
| animeface | nagadomi's network of 2009, Apache-2.0 | `animeface`, Pillow below 12 |
| one+other | what any of them finds, overlaps counted once | |
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from data_prep.atomic import sha256
from data_prep.boxes import Found, iou, suppressed
from data_prep.detectors import models, network, others

NAMES = ("default", "lbp", "yunet", "animeface")
_CANARY_HEAD = np.array([48.0, 48.0, 184.0, 184.0])


@dataclass(frozen=True)
class Detector:
    """One or several finders of faces; made by `load`.

    Attributes:
        name: as given to `load`.
        parts: functions of a picture.
        min_score: boxes with a lower score are left out; None: each part's own limit.
    """

    name: str
    parts: tuple[Callable[[np.ndarray], Found], ...]
    min_score: float | None = None

    def __call__(self, image: np.ndarray) -> Found:
        """Head boxes in a picture.

        Args:
            image: uint8 (H, W, 3), sRGB.
        Returns: boxes float32 (n, 4), x y w h in pixels, and scores float32 (n,) in
            0..1, by falling score.
        Raises: ValueError for another kind of array.
        """
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                "Expected a picture as uint8 (height, width, 3), got "
                f"{image.dtype} {image.shape}. With Pillow: "
                "np.asarray(image.convert('RGB'))."
            )
        found = [part(image) for part in self.parts if image.size]
        boxes = np.concatenate([np.empty((0, 4)), *(boxes for boxes, _ in found)])
        scores = np.concatenate([np.empty(0), *(scores for _, scores in found)])
        if self.min_score is not None:
            enough = scores >= self.min_score
            boxes, scores = boxes[enough], scores[enough]
        return suppressed(boxes, scores)


def load(
    name: str = "default",
    *,
    min_score: float | None = None,
    models: str | Path | None = None,
) -> Detector:
    """A detector that has shown that it works.

    Args:
        name: one of `NAMES`, or several joined by "+".
        min_score: least score, 0 to 1; None: the detector's own.
        models: folder with the model files of `lbp` and `yunet`; fetched if they are
            not there. Default: DATA_PREP_MODELS, else the user's cache folder.
    Raises: ValueError for an unknown name, or where a package is missing; OSError when
        a model file cannot be fetched; RuntimeError when the drawn face that comes with
        this package is not found.
    """
    parts = []
    for one in names_in(name):
        part = _part(one, min_score, models)
        prove(part, one)
        parts.append(part)
    return Detector(name, tuple(parts), min_score)


def names_in(name: str) -> list[str]:
    """The single detectors in a name like "lbp+yunet"; ValueError for unknown ones."""
    names = name.split("+")
    if unknown := [one for one in names if one not in NAMES]:
        raise ValueError(
            f"Expected a detector out of {', '.join(NAMES)}, or several joined by '+' "
            f"as in 'lbp+yunet'. Received: {', '.join(map(repr, unknown))}"
        )
    return names


def _part(name: str, min_score: float | None, folder) -> Callable[[np.ndarray], Found]:
    # A part may give more than is asked for, never less: it has to find the canary.
    least = 1.0 if min_score is None else min_score
    if name == "default":
        return network.Network(min_score=min(least, network.MIN_SCORE))
    if name == "lbp":
        return others.Lbp(models.located(models.LBP, folder))
    if name == "yunet":
        path = models.located(models.YUNET, folder)
        return others.YuNet(path, min_score=min(least, others.YUNET_MIN_SCORE))
    from data_prep.detectors.animeface import AnimeFace

    return AnimeFace()


def canary() -> np.ndarray:
    """The drawn face that each detector must find: uint8 (H, W, 3)."""
    from PIL import Image

    with files(__name__).joinpath("canary.png").open("rb") as file:
        return np.asarray(Image.open(file).convert("RGB"))


def prove(part: Callable[[np.ndarray], Found], name: str) -> None:
    """Raise RuntimeError unless `part` finds the face on the canary.

    A detector that is broken (a package that does not fit its libraries, a file cut
    short) finds nothing and says nothing; a thousand pictures later that looks like
    pictures without faces.
    """
    boxes, _ = part(canary())
    if not len(boxes) or iou(_CANARY_HEAD, boxes).max() < 0.4:
        raise RuntimeError(
            f"The detector {name!r} does not find the drawn face it is tested with, "
            "so it would find none in your pictures either. Its package or model file "
            "does not fit the versions here. Use the detector 'default', which needs "
            "nothing else, or install the package again."
        )


def fingerprint(name: str) -> str:
    """12 hexadecimal digits that change when a detector would find other faces."""
    sums = {
        "default": sha256(network.WEIGHTS),
        "lbp": models.LBP.sha256,
        "yunet": models.YUNET.sha256,
        "animeface": "2.0.3",
    }
    text = "+".join(sums[one] for one in names_in(name))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def available() -> list[str]:
    """A line for each detector: whether it works here, and if not, why."""
    lines = []
    for name in NAMES:
        try:
            load(name)
            lines.append(f"{name}: works")
        except (ValueError, OSError, RuntimeError) as error:
            lines.append(f"{name}: {error}")
    return lines
