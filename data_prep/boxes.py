"""Boxes of faces: overlap, and which of several overlapping ones stays."""

from __future__ import annotations

import numpy as np

# Boxes float32 (n, 4), x y w h in pixels, and scores float32 (n,) in 0..1.
Found = tuple[np.ndarray, np.ndarray]
OVERLAP = 0.35


def iou(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (4,) with boxes (n, 4), all x y w h: (n,)."""
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[:2] + one[2:], many[:, :2] + many[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    union = one[2] * one[3] + many[:, 2] * many[:, 3] - common
    return common / np.maximum(union, 1e-9)


def suppressed(
    boxes: np.ndarray, scores: np.ndarray, overlap: float = OVERLAP
) -> Found:
    """Non-maximum suppression: of boxes that overlap, the one of highest score.

    Args:
        boxes: (n, 4), x y w h.
        scores: (n,).
        overlap: intersection over union above which two boxes are the same face.
    Returns: boxes and scores that stay, by falling score (ties: from left to right).
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    scores = np.asarray(scores, np.float32).reshape(-1)
    order = np.lexsort((boxes[:, 1], boxes[:, 0], -scores))
    kept: list[int] = []
    for k in order:
        if not kept or iou(boxes[k], boxes[kept]).max() <= overlap:
            kept.append(int(k))
    return boxes[kept], scores[kept]
