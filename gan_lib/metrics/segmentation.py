"""Does a network that finds hair, skin and eyes find them in a generated picture?"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gan_lib.data import cache
from gan_lib.data.face_styles import STYLES
from gan_lib.data.faces import drawing_version, faces
from gan_lib.data.pipeline import to_float
from gan_lib.metrics.colour import levels
from gan_lib.metrics.segmenter_training import VOID, Recipe, build, train

UNPAINTED = "unpainted"
SHIPPED = Path(__file__).with_name("segmenters")
MIN_SIZE, MAX_SIZE = 16, 128
_FACE_SEED = 20_170_000  # faces no other part of this project draws

# What is too small or too rare to be found at 64 px in real pictures counts neither
# way (None), or goes to the class whose paint it wears.
_MERGED: dict[str, dict[str, str | None]] = {
    "lorelei": {
        "nose": None,
        "glasses": None,
        "earrings": None,
        "freckles": None,
        "beard": "hair",
    },
    "adventurer": {"glasses": None, "earrings": None, "details": None},
}


@dataclass(frozen=True)
class Segmenter:
    """A trained network that names the region of each pixel of a drawn face.

    network: keras.Model, images (B, size, size, 3) float32 in [-1, 1] -> logits
        (B, size, size, K), one for each of `outputs`.
    style: whose label numbers are used.
    size: side of the pictures in px.
    """

    network: keras.Model
    style: str
    size: int

    @property
    def label_names(self) -> tuple[str, ...]:
        """The style's label names, then "unpainted" for what it finds no paint in."""
        return (*STYLES[self.style].labels, UNPAINTED)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The label that each logit stands for."""
        return (*_kept(self.style), len(STYLES[self.style].labels))

    def predict_labels(self, images: Any, *, batch_size: int = 64) -> np.ndarray:
        """The most probable label of each pixel.

        Args:
            images: (n, size, size, 3) or (n, size, size, 1), uint8 or float in [-1, 1].
            batch_size: images a step.
        Returns: int32 (n, size, size), indices of `label_names`.
        Raises: ValueError on another size, shape or range.
        """
        images = levels(images)
        if images.shape[1:3] != (self.size, self.size):
            raise ValueError(
                f"images: this segmenter was trained on {self.size} x {self.size} px, "
                f"got {images.shape[1]} x {images.shape[2]}. Call "
                f"segmenter(style={self.style!r}, size={images.shape[1]})."
            )
        labels = np.array(self.outputs, np.int32)
        found = []
        for start in range(0, len(images), batch_size):
            batch = to_float(images[start : start + batch_size])
            logits = self.network(batch, training=False)  # (B, size, size, K)
            found.append(labels[np.argmax(logits, axis=-1)])
        return np.concatenate(found)


@dataclass(frozen=True)
class SegmentationScore:
    """How well the regions of a set of pictures are found.

    pixel_accuracy, class_accuracy, iou: in [0, 1], over the whole set; see
        `segmentation_score`.
    class_ious: intersection over union of each class present in the labels.
    left_out: scored classes without a pixel in the labels; in no mean.
    n: pictures.
    """

    pixel_accuracy: float
    class_accuracy: float
    iou: float
    class_ious: dict[str, float]
    left_out: tuple[str, ...]
    n: int

    def __str__(self) -> str:
        ious = (f"{name} {iou:.2f}" for name, iou in self.class_ious.items())
        absent = f"; not in the labels: {', '.join(self.left_out)}"
        return (
            f"pixel accuracy {self.pixel_accuracy:.3f}, class accuracy "
            f"{self.class_accuracy:.3f}, IoU {self.iou:.3f} over {self.n} pictures "
            f"({', '.join(ious)}{absent if self.left_out else ''})"
        )


def segmentation_score(
    segmenter: Segmenter, images: Any, labels: Any
) -> SegmentationScore:
    """Score pictures by whether a segmenter finds the regions that they should show.

    With n_ij the pixels of class i found to be class j, and t_i = sum_j n_ij:
        pixel accuracy = sum_i n_ii / sum_i t_i
        class accuracy = (1 / K) sum_i n_ii / t_i
        IoU = (1 / K) sum_i n_ii / (t_i + sum_j n_ji - n_ii)
    Long, Shelhamer and Darrell 2015, arXiv:1411.4038, section 5, over the K classes in
    the labels and all pictures together; used on generated pictures by Isola et al.
    2017, arXiv:1611.07004, section 3.4 (the FCN-score).
    Ours differs: the segmenter is small, knows drawn faces only and may answer
    "unpainted", which is always wrong; a few tiny classes count neither way. So compare
    a score with that of real pictures, never with the paper's.

    Args:
        segmenter: from `segmenter`.
        images: (n, size, size, C), uint8 or float in [-1, 1].
        labels: whole numbers (n, size, size), as `faces(include="labels")` gives them:
            the regions each picture was asked for.
    Returns: SegmentationScore.
    Raises: ValueError if the two do not fit, or on another shape, type or range.
    """
    labels = _check_labels(labels, segmenter.style)
    images = levels(images)
    if images.shape[:3] != labels.shape:
        raise ValueError(
            f"labels: expected one for each pixel of the {len(images)} images, shape "
            f"{images.shape[:3]}, got {labels.shape}. Draw both with one call of faces."
        )
    wanted = _scored(segmenter.style)[labels]
    found = segmenter.predict_labels(images)
    n_ij = confusion_matrix(found, wanted, len(segmenter.label_names))
    right, wanted_sum, found_sum = np.diag(n_ij), n_ij.sum(axis=1), n_ij.sum(axis=0)
    present = np.flatnonzero(wanted_sum)
    union = wanted_sum + found_sum - right
    ious = (right / np.maximum(union, 1))[present]
    absent = [i for i in segmenter.outputs[:-1] if not wanted_sum[i]]
    names = segmenter.label_names
    return SegmentationScore(
        pixel_accuracy=float(right.sum() / max(n_ij.sum(), 1)),
        class_accuracy=float((right[present] / wanted_sum[present]).mean()),
        iou=float(ious.mean()),
        class_ious={names[i]: float(v) for i, v in zip(present, ious, strict=True)},
        left_out=tuple(names[i] for i in absent),
        n=len(images),
    )


def confusion_matrix(predicted: Any, labels: Any, classes: int) -> np.ndarray:
    """Count the pixels of class i that were found to be class j.

    Args:
        predicted: whole numbers in 0..classes - 1, any shape.
        labels: the truth, same shape, -1 where a pixel does not count.
        classes: how many there are.
    Returns: int64 (classes, classes), n_ij: row i the truth, column j what was found.
    Raises: ValueError if shapes differ or a number is out of range.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape:
        raise ValueError(
            "predicted and labels: expected one shape, got "
            f"{predicted.shape} and {labels.shape}."
        )
    for name, given, low in (("predicted", predicted, 0), ("labels", labels, VOID)):
        if given.dtype.kind not in "iu":
            raise ValueError(
                f"{name}: expected whole numbers, got dtype {given.dtype}. "
                "For logits take np.argmax(logits, axis=-1) first."
            )
        if given.size and not low <= given.min() <= given.max() < classes:
            raise ValueError(
                f"{name}: expected {low} to {classes - 1} for {classes} classes, got "
                f"{given.min()} to {given.max()}."
            )
    counted = labels != VOID
    pairs = labels[counted].astype(np.int64) * classes + predicted[counted]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def segmenter(
    style: str = "lorelei",
    size: int = 64,
    *,
    seed: int = 0,
    cache_dir: str | os.PathLike | None = None,
    progress: bool = True,
) -> Segmenter:
    """A segmenter of drawn faces: brought along, or trained once and kept on disk.

    It learns from faces of a seed of its own, so that none of them is in another
    network's training or test set, and from spoiled ones (`segmenter_training`). For
    "lorelei" at 32 and 64 px the weights come with the package, rounded to float16
    (`tools/ship_segmenters.py` makes them); the others train in one or two minutes.

    Args:
        style: "lorelei" or "adventurer", the styles with label maps.
        size: side of the pictures in px, a multiple of 8 from 16 to 128.
        seed: of faces, weights and training, 0 to 999999.
        cache_dir: folder for its weights and its faces; None: see `cache.cache_dir`.
        progress: show how far drawing and training are.
    Returns: Segmenter.
    Raises: ValueError for an argument outside these ranges.
    """
    _check_request(style, size, seed)
    recipe, numbers = Recipe(), _output_numbers(style)
    network = build(size, int(numbers.max()) + 2, recipe.widths)
    path = cache.cache_dir(cache_dir) / file_name(style, size, network, seed)

    def trained() -> np.ndarray:
        drawn = faces(
            size,
            recipe.num_faces,
            seed=_FACE_SEED + seed,
            style=style,
            include=("line", "labels"),
            cache_dir=cache_dir,
            progress=progress,
        )
        fitted = train(drawn, numbers, recipe, seed=seed, progress=progress)
        return np.concatenate([w.ravel() for w in fitted.get_weights()])

    shipped = SHIPPED / path.name
    flat = cache.load(shipped) if shipped.exists() else None
    if flat is None:
        flat = cache.cached(path, trained)
    shapes = [weight.shape for weight in network.get_weights()]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
    pieces = np.split(flat, ends[:-1])
    network.set_weights(
        [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]
    )
    network.trainable = False
    return Segmenter(network, style, size)


def file_name(style: str, size: int, network: keras.Model, seed: int = 0) -> str:
    """Changes with every setting of the training and with the drawn faces."""
    settings = repr((Recipe(), network.count_params(), drawing_version()))
    digest = hashlib.sha256(settings.encode()).hexdigest()[:10]
    return f"segmenter-{style}-{size}px-seed{seed}-{digest}.npy"


def _scored(style: str) -> np.ndarray:
    """int32: the label each label of the style is scored as, VOID for not at all."""
    names = STYLES[style].labels
    wanted = [_MERGED[style].get(name, name) for name in names]
    return np.array([VOID if w is None else names.index(w) for w in wanted], np.int32)


def _kept(style: str) -> tuple[int, ...]:
    """The labels of a style that count."""
    return tuple(int(i) for i in np.unique(_scored(style)) if i != VOID)


def _output_numbers(style: str) -> np.ndarray:
    """The network's output for each label of the style, VOID for none."""
    kept = _kept(style)
    return np.array([kept.index(i) if i in kept else VOID for i in _scored(style)])


def _check_labels(labels: Any, style: str) -> np.ndarray:
    labels, known = np.asarray(labels), len(STYLES[style].labels)
    whole = labels.dtype.kind in "iu" and labels.ndim == 3 and labels.size
    if not whole or labels.min() < 0 or labels.max() >= known:
        raise ValueError(
            f"labels: expected whole numbers 0 to {known - 1}, (n, size, size), "
            f"the label maps of style {style!r}, got dtype {labels.dtype} and shape "
            f"{labels.shape}. faces(..., include='labels').labels has them."
        )
    return labels


def _check_request(style: str, size: int, seed: int) -> None:
    if style not in _MERGED:
        raise ValueError(
            f"style: expected {' or '.join(_MERGED)}, which have label maps, got "
            f"{style!r}."
        )
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if not whole or not MIN_SIZE <= size <= MAX_SIZE or size % 8:
        raise ValueError(
            f"size: expected a multiple of 8 from {MIN_SIZE} to {MAX_SIZE} px, got "
            f"{size!r}. Resize larger pictures, for example to 64."
        )
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 1_000_000:
        raise ValueError(f"seed: expected a whole number 0 to 999999, got {seed!r}.")
