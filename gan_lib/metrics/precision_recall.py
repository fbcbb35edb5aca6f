"""Are generated pictures real-looking, and do they cover what real ones show?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from gan_lib.metrics.features import ImageFeatures, paired_features
from gan_lib.metrics.neighbours import nearest_neighbours

_ROWS = 1024  # distance rows held at a time: 1024 x 10,000 float64 is 82 MB
# |x|^2 + |y|^2 - 2 x.y loses digits where x and y are near twins; a picture on the
# rim of a ball, or a copy in a ball of radius 0, must still be found inside.
_SLACK = 1e-12


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall with everything needed to compare them with others.

    Attributes:
        precision: share of generated images within the real ones, in [0, 1].
        recall: share of real images within the generated ones, in [0, 1].
        k: the neighbour that gives a ball its radius.
        network, resize: how the features were made.
        n_real, n_fake: how many images were compared.
    """

    precision: float
    recall: float
    k: int
    network: str
    n_real: int
    n_fake: int
    resize: str

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f} (k = {self.k}; "
            f"{self.network}; {self.n_fake} generated against {self.n_real} real; "
            f"resize: {self.resize}). "
            "Not comparable with published values, which use another network."
        )


def precision_recall(
    real: Any,
    fake: Any,
    k: int = 3,
    *,
    network: keras.Model | ImageFeatures | None = None,
) -> PrecisionRecall:
    """How much of what is generated looks real, and how much of the real is generated.

    With X the real and Y the generated features, and NN_k(a, A) the k-th nearest of
    the others to a in A:
        f(b, A) = 1 if ||b - a|| <= ||a - NN_k(a, A)|| for some a in A, else 0
        precision = mean over y in Y of f(y, X),  recall = mean over x in X of f(x, Y)
    Kynkaanniemi et al. 2019, eq. 1 and 2, arXiv:1904.06991. Ours differs: features of
    EfficientNet-lite0 and not of VGG-16, and as many images as you give (published:
    50,000 of each).

    A ball shrinks as its set grows, so compare only values from the same numbers of
    images, and give both sets as many. Few generated pictures, all good, have high
    precision and low recall; one picture far from all others has a wide ball, and may
    be the neighbour of many: look at both numbers, and at KID.

    Args:
        real, fake: images (N, H, W, C), uint8 or float in [-1, 1]; or features
            (N, d) computed before.
        k: 1 to the size of the smaller set less 1 (published: 3). More makes the
            balls wider and both numbers higher.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
    Returns: PrecisionRecall.
    Raises: ValueError for a wrong `k`, too few images, or a wrong shape or range.
    """
    x, y, how = paired_features(real, fake, network)
    smaller = min(len(x), len(y))
    if not 1 <= k < smaller:
        raise ValueError(
            f"k: expected 1 to {smaller - 1}, as each image needs k others in its set "
            f"({len(x)} real, {len(y)} generated), got {k}. Give more images."
        )
    return PrecisionRecall(
        precision=_share_inside(y, x, k),
        recall=_share_inside(x, y, k),
        k=k,
        network=how.network,
        n_real=len(x),
        n_fake=len(y),
        resize=how.resize,
    )


def _share_inside(points: np.ndarray, centres: np.ndarray, k: int) -> float:
    """Share of `points` (N, d) in a ball round any of `centres` (M, d), float64."""
    # The nearest of all is the centre itself, so the k-th other one is number k + 1.
    radii = nearest_neighbours(centres, centres, k + 1)[1][:, k]  # (M,)
    squares = np.square(centres).sum(axis=1)
    inside = 0
    for start in range(0, len(points), _ROWS):
        block = points[start : start + _ROWS]
        sums = np.square(block).sum(axis=1)[:, None] + squares  # (rows, M)
        gaps = sums - 2 * (block @ centres.T)
        inside += (gaps <= np.square(radii) + _SLACK * sums).any(axis=1).sum()
    return float(inside / len(points))
