"""CIFAR-10, fetched or from a file: ten classes of photographs, 32 px."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from gan_lib.data import named
from gan_lib.data.classes import Labelled, check_labels
from gan_lib.data.folders import existing
from gan_lib.safe_pickle import Unpickler

__all__ = ["CIFAR10", "cifar10"]

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
           "ship", "truck")  # fmt: skip
_SHAPE = (32, 32, 3)  # of a CIFAR-10 picture
_BATCHES = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}
_SOURCE = named.Source(
    "cifar10", "tfds", "cifar10", tuple(_BATCHES),
    "None is stated; research use. 60,000 photographs of 32 px.",
    "Krizhevsky: Learning Multiple Layers of Features from Tiny Images. 2009.",
)  # fmt: skip


def cifar10(path: str | os.PathLike | None = None, *, split: str = "train") -> Labelled:
    """CIFAR-10: 50,000 photographs to train with and 10,000 to test, 32 px.

    Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".

    Args:
        path: None fetches it with tensorflow-datasets, once; without a network that
            gives up after four minutes. Offline, one of

            - the folder ``cifar-10-batches-py`` of the published archive, or the one
              that holds it. Its pickles are read as data; nothing in them is run.
            - an ``.npz`` file with the arrays x_train, y_train, x_test, y_test: uint8
              (n, 32, 32, 3) and whole numbers (n,) or (n, 1).

            Pictures in one folder for each class are read by `folder_classes`.
        split: "train" or "test".
    Returns: `Labelled` with the classes `CIFAR10`.
    Raises: ValueError for another split or a file of another kind; UnsafePickleError
        for a pickle that is more than data; FileNotFoundError; ConnectionError if it
        must be fetched and cannot.
    """
    if split not in _BATCHES:
        raise ValueError(f'split must be "train" or "test", but got {split!r}.')
    if path is None:
        images, labels = _fetched(split)
    else:
        root = existing(path)
        images, labels = (_from_pickles if root.is_dir() else _from_npz)(root, split)
    if images.dtype != np.uint8 or images.shape[1:] != _SHAPE:
        raise ValueError(
            f"{path}: expected uint8 pictures (n, 32, 32, 3), got {images.dtype} "
            f"{images.shape}. Use folder_classes for pictures of another size."
        )
    return Labelled(images, check_labels(labels, len(images), len(CIFAR10)), CIFAR10)


def _fetched(split: str) -> tuple[np.ndarray, np.ndarray]:
    tfds = named.need("tensorflow_datasets", "tensorflow-datasets", _SOURCE.name)
    print(named.notice(_SOURCE))
    try:
        data = tfds.as_numpy(tfds.load(_SOURCE.address, split=split, batch_size=-1))
    except Exception as error:  # download errors of many classes, also full disks
        raise named.offline(_SOURCE, error) from error
    return data["image"], data["label"]


def _from_npz(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[f"x_{split}"], arrays[f"y_{split}"].reshape(-1)
    except Exception as error:  # of a zip, of NumPy's format, or of a missing name
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def _from_pickles(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    inside = root / "cifar-10-batches-py"
    folder = inside if inside.is_dir() else root
    missing = [name for name in _BATCHES[split] if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder}: expected the files of cifar-10-batches-py, but there is no "
            f"{', '.join(missing)}. Unpack the published archive again; pictures in "
            "one folder for each class are read by folder_classes."
        )
    parts = [_batch(folder / name) for name in _BATCHES[split]]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels


def _batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 32, 32, 3) and labels (n,) of one published file."""
    with path.open("rb") as file:
        unpickler = _BatchUnpickler(file, encoding="bytes")  # Python 2 wrote it
        content = unpickler.load_or(lambda reason: _unreadable(path, reason))
    try:
        labels = np.array(content[b"labels"], np.int64)
        rows = content[b"data"].value  # (n, 3072), all red, then green, then blue
        planes = rows.reshape(len(labels), _SHAPE[2], *_SHAPE[:2])  # (n, 3, 32, 32)
    except Exception as error:  # another dictionary, or none
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


class _Bytes:
    """Stands in for NumPy's array and its type, and holds arrays of bytes only."""

    value: np.ndarray

    def __init__(self, *arguments: Any):
        self.kind = arguments[0] if arguments else None

    def __setstate__(self, state: Any) -> None:
        if len(state) != 5:  # of a type: it says the order of bytes in a number
            return
        _, shape, dtype, is_fortran, raw = state
        if dtype.kind != b"u1":
            raise ValueError(f"it holds an array of {dtype.kind!r:.80}, not of bytes")
        values = np.frombuffer(raw, np.uint8)
        self.value = values.reshape(shape, order="F" if is_fortran else "C")


class _BatchUnpickler(Unpickler):
    ALLOWED = {
        ("numpy", "ndarray"): _Bytes,
        ("numpy", "dtype"): _Bytes,
        ("numpy.core.multiarray", "_reconstruct"): _Bytes,
    }
    EXPECTED = "a file of cifar-10-batches-py"
    ADVICE = "Use the published archive, unchanged; do not load this with pickle."


def _unreadable(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path}: expected a file of cifar-10-batches-py, or an .npz file with "
        "x_train, y_train, x_test and y_test, but it cannot be read as such "
        f"({reason:.200}). Fetch it again, or look at where it came from."
    )
