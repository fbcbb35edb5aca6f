"""Pictures with a class each, for generators that are told which class to draw."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep.scan import Skipped, table
from gan_lib.data.faces import MAX_SIZE, MIN_SIZE, STYLES, faces
from gan_lib.data.folders import load_folder
from gan_lib.data.pipeline import check_int

__all__ = ["Labelled", "check_labels", "folder_classes", "style_classes"]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures, each with its class.

    Attributes:
        images: uint8 (n, s, s, 3), RGB; an ``np.memmap`` when too large for memory.
        labels: int32 (n,), each an index of `class_names`.
        class_names: K names, in the order of the labels.
        skipped: what was left out, each with `.path` and `.reason`.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def summary(self) -> str:
        """How many pictures each class has and what was left out; printed as well."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        sizes = zip(counts, self.class_names, strict=True)
        lines = [f"{len(self)} pictures of {self.images.shape[1]} px"]
        lines += [f"  {count:6d}  {name}" for count, name in sizes]
        text = "\n".join([*lines, *table(self.skipped)])
        print(text)
        return text


def style_classes(
    image_size: int = 32,
    n: int = 10_000,
    *,
    seed: int = 0,
    split: str = "train",
    cache_dir: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Labelled:
    """Drawn faces whose class is their drawing style, in random order.

    There are ten styles. Each has n // 10 faces; of the n % 10 that are left, the
    first styles have one more each. Colours follow one law in all of them
    (`gan_lib.data.face_law`), so it is the way of drawing that tells the class.

    Args:
        image_size: side in pixels, 8 to 1024.
        n: faces of all classes together, at least 10.
        seed: any integer; another seed gives other faces in another order.
        split: "train", "validation" or "test", which share no face.
        cache_dir, workers, progress: see `gan_lib.data.faces.faces`.
    Returns: `Labelled`; `class_names` are the keys of `gan_lib.data.faces.STYLES`.
    Raises: TypeError, ValueError for an argument outside these ranges.
    """
    image_size = check_int("image_size", image_size, MIN_SIZE, MAX_SIZE + 1)
    n = check_int("n", n, len(STYLES), 10**9)
    options = {"cache_dir": cache_dir, "workers": workers, "progress": progress}
    order = np.array(random.Random(f"classes/{split}/{seed}").sample(range(n), n))
    images = np.empty((n, image_size, image_size, 3), np.uint8)
    labels = np.empty(n, np.int32)
    for label, style in enumerate(STYLES):
        places = order[label :: len(STYLES)]
        drawn = faces(
            image_size, len(places), seed=seed, style=style, split=split, **options
        )
        images[places], labels[places] = drawn.images, label
    return Labelled(images, labels, tuple(STYLES))


def folder_classes(
    path: str | os.PathLike, image_size: int = 64, **options: Any
) -> Labelled:
    """Pictures of a folder or zip file that has one subfolder for each class.

    The subfolders' names, sorted, become the classes. Where the pictures all lie in
    one folder, as in "train/cat", "train/dog", that one is passed through. A picture
    beside the class folders has no class and is left out; a class folder without any
    usable picture is no class. `skipped` names both kinds with the reason.

    Args:
        path: a folder or a ``.zip``.
        image_size: side of the squares in pixels, 1 to 4096.
        options: for `gan_lib.data.folders.load_folder`, which reads the pictures:
            cache_dir, min_side_px, max_pixels, workers, progress.
    Returns: `Labelled`, class after class.
    Raises: ValueError for fewer than two classes; else as `load_folder`.
    """
    folder = load_folder(path, image_size, **options)
    parts = [name.split("/") for name in folder.paths]
    depth = 0
    while all(len(p) > depth + 2 and p[depth] == parts[0][depth] for p in parts):
        depth += 1
    classed = np.array([len(p) > depth + 1 for p in parts])
    found = [p[depth] for p, known in zip(parts, classed, strict=True) if known]
    class_names, labels = np.unique(found, return_inverse=True)
    if len(class_names) < 2:
        raise ValueError(
            f"{path}: expected one subfolder with pictures for each of two classes or "
            f"more, got {', '.join(class_names) or 'none'}. Sort the pictures into "
            "folders such as cats/1.png, dogs/1.png. Without classes, use load_folder."
        )
    loose = [
        Skipped(name, "no class: it lies beside the class folders")
        for name, known in zip(folder.paths, classed, strict=True)
        if not known
    ]
    return Labelled(
        folder.images[classed] if loose else folder.images,  # no copy without need
        labels.astype(np.int32),
        tuple(map(str, class_names)),
        (*folder.skipped, *loose),
    )


def check_labels(labels: Any, count: int, classes: int | None = None) -> np.ndarray:
    """`labels` as int32 (count,), if they are whole numbers from 0 to below `classes`.

    Raises: ValueError if not; None for `classes` allows any number from 0 on.
    """
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels: expected {count} whole numbers, one for each picture, got "
            f"{labels.dtype} of shape {labels.shape}. Take pictures and labels from "
            "the same call; of one-hot rows take `labels.argmax(axis=1)`."
        )
    low, high = (int(labels.min()), int(labels.max())) if count else (0, 0)
    limit = 2**31 if classes is None else classes
    if low < 0 or high >= limit:
        raise ValueError(
            f"labels: expected numbers from 0 to {limit - 1}, got {low} to {high}. "
            "Number the K classes from 0 to K - 1, as `class_names` lists them."
        )
    return labels.astype(np.int32)
