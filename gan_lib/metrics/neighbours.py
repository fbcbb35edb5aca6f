"""Has the generator copied its training set, and how many pictures can it draw?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from scipy import stats

from gan_lib.metrics.features import (
    ImageFeatures,
    extractor,
    one_set,
    paired_features,
)

_ROWS = 1024  # distance rows held at a time: 1024 x 10,000 float64 is 82 MB


def nearest_neighbours(
    fake: Any,
    train: Any,
    k: int = 1,
    *,
    network: keras.Model | ImageFeatures | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` training images nearest to each generated one, nearest first.

    Euclidean distance of features, so a copy that moved by a pixel is still near.

    Args:
        fake, train: images (N, H, W, C), uint8 or float in [-1, 1]; or features (N, d).
        k: how many neighbours, at most len(train).
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
    Returns: indices into `train`, int64 (N, k), and distances, float64 (N, k).
    Raises: ValueError for a wrong `k`, shape or range.
    """
    x, y, _ = paired_features(fake, train, network, names=("fake", "train"))
    if not 1 <= k <= len(y):
        raise ValueError(f"k: expected 1 to {len(y)} (training images), got {k}.")
    return _nearest(x, y, k)


@dataclass(frozen=True, eq=False)
class Memorisation:
    """How near generated images are to training images, beside unseen real ones.

    Attributes:
        closer: chance that a generated image is nearer to the training set than an
            unseen real one is; 0.5 if they are alike, towards 1 if it copies.
        copies: share of generated images nearer than all but 1 % of the unseen
            real ones; 0.01 if they are alike.
        p_value: chance of so large a `closer` without copying (Mann-Whitney U).
        indices: nearest training image of each generated one, int64 (N,).
        fake_distances, heldout_distances: to the nearest training image.
        network: what made the features. n_train: size of the training set.
    """

    closer: float
    copies: float
    p_value: float
    network: str
    n_train: int
    indices: np.ndarray = field(repr=False)
    fake_distances: np.ndarray = field(repr=False)
    heldout_distances: np.ndarray = field(repr=False)

    def __str__(self) -> str:
        return (
            f"{100 * self.closer:.0f} % of generated-unseen pairs have the generated "
            "image nearer to the training set (50 % expected without copying, "
            f"p = {self.p_value:.2g}); {100 * self.copies:.1f} % are nearer than all "
            f"but 1 % of unseen real images ({self.network}; "
            f"{len(self.fake_distances)} generated, {len(self.heldout_distances)} "
            f"unseen, {self.n_train} training images)."
        )


def memorisation(
    fake: Any,
    train: Any,
    heldout: Any,
    *,
    network: keras.Model | ImageFeatures | None = None,
) -> Memorisation:
    """Compare generated images with unseen real ones by distance to the training set.

    A small distance alone proves nothing: in a simple data set everything is near.
    Unseen real images say what is normal, and only images nearer than those look
    copied. The rank test follows Meehan et al. 2020, arXiv:2004.05675, sec. 3, over
    the whole space at once. Bad pictures are far from everything and therefore pass;
    read this beside KID.

    Args:
        fake, train, heldout: images (N, H, W, C), uint8 or float in [-1, 1]; or
            features (N, d). `heldout` must not overlap `train`; if training flipped
            its images, add the flipped ones to `train`.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
    Returns: Memorisation.
    Raises: ValueError for fewer than 100 held-out images (their 1 % point would be
        unknown), or a wrong shape or range.
    """
    network = None if network is None else extractor(network)  # wrap it only once
    x, y, how = paired_features(fake, train, network, names=("fake", "train"))
    z, _, _ = paired_features(heldout, y, network, names=("heldout", "train"))
    if len(z) < 100:
        raise ValueError(
            f"heldout: expected at least 100 unseen real images, got {len(z)}."
        )
    indices, fake_distances = (a[:, 0] for a in _nearest(x, y, 1))
    heldout_distances = _nearest(z, y, 1)[1][:, 0]
    test = stats.mannwhitneyu(fake_distances, heldout_distances, alternative="less")
    return Memorisation(
        closer=float(1 - test.statistic / (len(x) * len(z))),
        copies=float(np.mean(fake_distances < np.quantile(heldout_distances, 0.01))),
        p_value=float(test.pvalue),
        network=how.network,
        n_train=len(y),
        indices=indices,
        fake_distances=fake_distances,
        heldout_distances=heldout_distances,
    )


@dataclass(frozen=True, eq=False)
class Distinct:
    """How many images differ from one another by more than `threshold`.

    Attributes:
        count: images kept; every two of them are further apart than `threshold`.
        n: images given. threshold: feature distance. network: what made the features.
        kept: indices of the kept images, int64 (count,).
    """

    count: int
    n: int
    threshold: float
    network: str
    kept: np.ndarray = field(repr=False)

    def __str__(self) -> str:
        return (
            f"{self.count} of {self.n} images are pairwise distinct (every two "
            f"further apart than {self.threshold:.2f}; {self.network})."
        )


def distinct(
    images: Any,
    threshold: float,
    *,
    network: keras.Model | ImageFeatures | None = None,
) -> Distinct:
    """Count images that are pairwise further apart than `threshold`.

    Walks through the images in order and keeps each one that is further than
    `threshold` from all kept before. All pairs among the kept are distinct, so the
    count is a proof, and never above the largest such set. (Clusters by linked pairs
    would call a slow chain of different faces one face; counting images without any
    twin would count a face drawn twice as none.) Pixel noise also makes images
    distinct: read this beside KID.

    Args:
        images: (N, H, W, C), uint8 or float in [-1, 1]; or features (N, d).
        threshold: feature distance, from `distinct_threshold`.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
    Returns: Distinct.
    Raises: ValueError for a negative threshold, or a wrong shape or range.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold: expected a distance >= 0, got {threshold}.")
    features, how = one_set(images, network, "images")
    kept: list[int] = []
    for i, feature in enumerate(features):
        gaps = np.linalg.norm(features[kept] - feature, axis=1)
        if (gaps > threshold).all():
            kept.append(i)
    return Distinct(
        len(kept), len(features), float(threshold), how.network, np.array(kept)
    )


def distinct_threshold(
    real: Any,
    n: int = 256,
    *,
    quantile: float = 0.05,
    network: keras.Model | ImageFeatures | None = None,
) -> float:
    """The feature distance below which two images count as the same picture.

    Among `n` real images each has a nearest other one. The `quantile` of these
    distances is the threshold: generated images are the same if they are nearer than
    all but 5 % of different real images ever are. Nearest distances shrink as a set
    grows, so `n` must be the number of images that `distinct` will be given.

    Measured at 64 px on drawn faces, 5 % lies above what shifting a picture by one
    pixel does to its features (95 % point: 7.3 against a threshold of 8.3, and 9.4
    against 15.0 on a second set), and real images score 245 to 253 of 256.

    Args:
        real: held-out real images (N, H, W, C), or features (N, d), N >= n. All
            N // n disjoint groups of `n` in a row are used: shuffle a sorted set.
        n: size of a group.
        quantile: share of real images that have a twin by this measure, 0 to 1.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
    Returns: distance, in the units of the features.
    Raises: ValueError for too few images, or a wrong shape or range.
    """
    features, _ = one_set(real, network, "real")
    if not 2 <= n <= len(features):
        raise ValueError(
            f"n: expected 2 to {len(features)} (real images given), got {n}."
        )
    groups = [features[i : i + n] for i in range(0, len(features) - n + 1, n)]
    # The nearest image of all is the image itself; the second is the other one.
    gaps = [_nearest(group, group, 2)[1][:, 1] for group in groups]
    return float(np.quantile(np.concatenate(gaps), quantile))


def diversity(
    images: Any, *, network: keras.Model | ImageFeatures | None = None
) -> float:
    """Mean feature distance over all pairs of different images.

    Compare it with the same number for real images: a collapsed generator falls
    below them. It has no meaning alone, and depends on the network.

    Args:
        images: (N, H, W, C), uint8 or float in [-1, 1]; or features (N, d); N >= 2.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
    Returns: mean distance, in the units of the features.
    Raises: ValueError for fewer than 2 images, or a wrong shape or range.
    """
    x, _ = one_set(images, network, "images")
    if len(x) < 2:
        raise ValueError(f"images: expected at least 2 to compare, got {len(x)}.")
    squares = np.square(x).sum(axis=1)
    total = 0.0
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        gaps = squares[rows, None] + squares - 2 * (x[rows] @ x.T)  # (rows, N)
        np.fill_diagonal(gaps[:, start:], 0)
        total += np.sqrt(np.maximum(gaps, 0)).sum()
    return float(total / (len(x) * (len(x) - 1)))


def _nearest(x: np.ndarray, y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices into `y` and distances of the `k` nearest rows, each (len(x), k)."""
    indices = np.empty((len(x), k), np.int64)
    distances = np.empty((len(x), k))
    y_squares = np.square(y).sum(axis=1)
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        # |y|^2 - 2 x.y orders like the distance. It loses digits between near twins,
        # so the few winners are measured again, directly.
        order = y_squares - 2 * (x[rows] @ y.T)  # (rows, N)
        found = np.argpartition(order, k - 1, axis=1)[:, :k]
        exact = np.stack(
            [np.linalg.norm(x[rows] - y[column], axis=1) for column in found.T], axis=1
        )
        rank = np.argsort(exact, axis=1, kind="stable")
        indices[rows] = np.take_along_axis(found, rank, axis=1)
        distances[rows] = np.take_along_axis(exact, rank, axis=1)
    return indices, distances
