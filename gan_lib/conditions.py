"""What a generator of classes is told: a row of weights for each picture."""

from __future__ import annotations

from typing import Any

import numpy as np


def class_rows(labels: Any, num_classes: int) -> np.ndarray:
    """What a generator of classes takes, from labels in any of their forms.

    Args:
        labels: a class id; ids, integers (n,); or rows of weights, (n, num_classes)
            of any numbers or floats (num_classes,), for example of a mixture.
        num_classes: C.
    Returns: float32 (n, C), n = 1 for a single id or row; one-hot for ids.
    Raises: ValueError for an id outside 0 to C - 1, another shape or NaN.
    """
    labels = np.asarray(labels)
    integers = np.issubdtype(labels.dtype, np.integer)
    if integers and labels.ndim < 2:
        ids = np.atleast_1d(labels)
        wrong = ids[(ids < 0) | (ids >= num_classes)]
        if wrong.size:
            raise ValueError(
                f"There is no class {wrong[0]}: there are {num_classes}, "
                f"numbered 0 to {num_classes - 1}."
            )
        return (ids[:, None] == np.arange(num_classes)).astype("float32")
    numbers = integers or np.issubdtype(labels.dtype, np.floating)
    rows = np.atleast_2d(labels)
    if not numbers or rows.ndim != 2 or rows.shape[1] != num_classes:
        raise ValueError(
            f"labels: expected a class id, ids (n,) of integers, or rows of weights "
            f"(n, {num_classes}); got shape {labels.shape} of {labels.dtype}."
        )
    if not np.isfinite(rows).all():
        raise ValueError("labels: the rows of weights hold NaN or infinity.")
    return rows.astype("float32")
