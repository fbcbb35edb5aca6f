"""Kernel Inception Distance with the feature network of your choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from gan_lib.metrics.features import ImageFeatures, paired_features

_ROWS = 1024  # kernel rows held at a time: 1024 x 10,000 float64 is 82 MB


@dataclass(frozen=True)
class KID:
    """A KID with everything needed to compare it with another one.

    Attributes:
        value: mean over subsets; 0 is "same distribution" and may be undercut.
        standard_error: of `value`, from the spread of the subsets.
        network, resize: how the features were made.
        n_real, n_fake, subset_size, subsets: how many were compared.
        split: which real images, in the words of the caller ("" if not said).
    """

    value: float
    standard_error: float
    network: str
    n_real: int
    n_fake: int
    subset_size: int
    subsets: int
    split: str
    resize: str

    def __str__(self) -> str:
        return (
            f"KID x1000 = {1000 * self.value:.2f} +- {1000 * self.standard_error:.2f} "
            f"({self.network}; {self.n_fake} generated against {self.n_real} real"
            f"{f', {self.split} split' if self.split else ''}; {self.subsets} subsets "
            f"of {self.subset_size}; resize: {self.resize}). "
            "Not comparable with published KID, which uses another network."
        )


def kid(
    real: Any,
    fake: Any,
    *,
    network: keras.Model | ImageFeatures | None = None,
    subsets: int = 100,
    subset_size: int | None = None,
    seed: int = 0,
    split: str = "",
) -> KID:
    """Kernel Inception Distance: 0 if both sets follow one distribution.

    KID = E k(x, x') + E k(y, y') - 2 E k(x, y),  k(a, b) = (a . b / d + 1)^3,
    over pairs of different real features x, x' and generated features y, y' of
    dimension d; averaged over random subsets. Binkowski et al. 2018,
    arXiv:1801.01401, sec. 4. It has no bias, so small sets are fair (and a good
    generator can score just below 0).

    The subsets overlap, so their spread alone would understate the error: with s the
    standard deviation over subsets of m out of n, the error printed is
    s * sqrt(m / (n - m) + 1 / subsets), which becomes the usual s / sqrt(blocks) when
    the subsets are disjoint blocks. It errs on the large side near 0.

    Args:
        real, fake: images (N, H, W, C), uint8 or float in [-1, 1]; or features
            (N, d) computed before, for example to reuse those of the real set.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
        subsets: how many random subsets are averaged (published: 100).
        subset_size: images of each set in a subset; at most half of the smaller
            set. Default: that half, but no more than 1000 (published: 1000).
        seed: of the choice of subsets.
        split: words for the result, for example "validation".
    Returns: KID. `value` is raw; print the result to see it times 1000.
    Raises: ValueError for fewer than 4 images, or a wrong shape, range or size.
    """
    x, y, how = paired_features(real, fake, network)
    smaller = min(len(x), len(y))
    size = min(1000, smaller // 2) if subset_size is None else subset_size
    if size < 2 or 2 * size > smaller:
        raise ValueError(
            f"subset_size: expected 2 to {smaller // 2}, half of the smaller set "
            f"({len(x)} real, {len(y)} generated), got {size}. Larger subsets would be "
            "nearly the same one and show no spread; give more images."
        )
    if subsets < 2:
        raise ValueError(f"subsets: expected at least 2, got {subsets}.")
    rng = np.random.default_rng(seed)
    in_x = _choose(len(x), size, subsets, rng)
    in_y = _choose(len(y), size, subsets, rng)
    pairs = size * (size - 1)
    values = (
        kernel_sums(x, x, in_x, in_x, same=True) / pairs
        + kernel_sums(y, y, in_y, in_y, same=True) / pairs
        - 2 * kernel_sums(x, y, in_x, in_y) / size**2
    )
    error = values.std(ddof=1) * np.sqrt(size / (smaller - size) + 1 / subsets)
    return KID(
        value=float(values.mean()),
        standard_error=float(error),
        network=how.network,
        n_real=len(x),
        n_fake=len(y),
        subset_size=size,
        subsets=subsets,
        split=split,
        resize=how.resize,
    )


def _choose(n: int, size: int, subsets: int, rng: np.random.Generator) -> np.ndarray:
    """Random subsets as columns of zeros and ones, float64 (n, subsets)."""
    chosen = np.zeros((n, subsets))
    for column in chosen.T:
        column[rng.choice(n, size, replace=False)] = 1
    return chosen


def kernel_sums(
    x: np.ndarray,
    y: np.ndarray,
    in_x: np.ndarray,
    in_y: np.ndarray,
    *,
    same: bool = False,
) -> np.ndarray:
    """Sum of k(x_i, y_j) over the pairs of each subset, float64 (subsets,).

    Subsets share most of their pairs, so each kernel value is computed once: with
    subset columns u and v the sum is u' K v. `same` leaves out pairs of one with
    itself, which is what takes the bias away.
    """
    total = np.zeros(in_x.shape[1])
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        kernel = x[rows] @ y.T  # (rows, N)
        kernel /= x.shape[1]
        kernel += 1
        kernel *= kernel * kernel
        if same:
            np.fill_diagonal(kernel[:, start:], 0)
        total += ((kernel @ in_y) * in_x[rows]).sum(axis=0)
    return total
