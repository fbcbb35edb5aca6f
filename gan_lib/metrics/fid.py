"""Frechet distance between two sets of features."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from gan_lib.metrics.features import ImageFeatures, paired_features


@dataclass(frozen=True)
class FID:
    """A Frechet distance with everything needed to compare it with another one.

    Attributes:
        value: >= 0 up to rounding; biased upwards, the more so the fewer images.
        network, resize: how the features were made; `dimension` is their length.
        n_real, n_fake: how many images were compared.
        split: which real images, in the words of the caller ("" if not said).
    """

    value: float
    network: str
    n_real: int
    n_fake: int
    dimension: int
    split: str
    resize: str

    def __str__(self) -> str:
        few = min(self.n_real, self.n_fake) <= self.dimension
        return (
            f"FID = {self.value:.2f} ({self.network}, {self.dimension} features; "
            f"{self.n_fake} generated against {self.n_real} real"
            f"{f', {self.split} split' if self.split else ''}; resize: {self.resize}). "
            + ("Fewer images than features: strongly biased, use KID. " if few else "")
            + "Not comparable with published FID, which uses another network."
        )


def fid(
    real: Any,
    fake: Any,
    *,
    network: keras.Model | ImageFeatures | None = None,
    split: str = "",
) -> FID:
    """Frechet distance of two Gaussians fitted to the features.

    ||m1 - m2||^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), covariances with divisor N - 1.
    Heusel et al. 2017, arXiv:1706.08500, eq. 6.

    With S = A'A the last trace is the sum of the singular values of A1 A2', so no
    matrix root of a nearly singular product is taken and none can turn complex.

    Args:
        real, fake: images (N, H, W, C), uint8 or float in [-1, 1]; or features (N, d).
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
        split: words for the result, for example "validation".
    Returns: FID.
    Warns: if a set has no more images than features, where the bias dominates.
    Raises: ValueError for fewer than 2 images, or a wrong shape or range.
    """
    x, y, how = paired_features(real, fake, network)
    for name, features in (("real", x), ("fake", y)):
        if len(features) < 2:
            raise ValueError(f"{name}: expected at least 2 images, got 1.")
    smaller, dimension = min(len(x), len(y)), x.shape[1]
    if smaller <= dimension:
        warnings.warn(
            f"FID from {smaller} images with {dimension} features is strongly biased "
            "upwards: compare it only at the same number of images, or use kid().",
            stacklevel=2,
        )
    root_x, root_y = _covariance_root(x), _covariance_root(y)
    cross = np.linalg.svd(root_x @ root_y.T, compute_uv=False).sum()
    traces = np.square(root_x).sum() + np.square(root_y).sum()
    means = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return FID(
        value=float(means + traces - 2 * cross),
        network=how.network,
        n_real=len(x),
        n_fake=len(y),
        dimension=dimension,
        split=split,
        resize=how.resize,
    )


def _covariance_root(features: np.ndarray) -> np.ndarray:
    """A with A'A = covariance (divisor N - 1), float64 (min(N, d), d)."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r"))
