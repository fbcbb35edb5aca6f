"""KID x100 +- standard error over blocks of ten, as in the code of U-GAT-IT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from gan_lib.metrics.features import ImageFeatures, paired_features
from gan_lib.metrics.kid import kernel_sums

BLOCK_SIZE = 10
_SOURCE_WEIGHT = 0.98  # of the authors' second number


@dataclass(frozen=True)
class BlockKID:
    """A KID over disjoint blocks, with all that is needed to repeat it.

    Attributes:
        value: mean over the blocks; 0 is "same distribution" and may be undercut.
        standard_error: standard deviation of the blocks / sqrt(blocks).
        source_value, source_standard_error: the same against the source pictures, None
            where these were not given. A distance that should not be small.
        network, resize: how the features were made.
        n_real, n_fake, blocks, block_size, split: what was compared.
    """

    value: float
    standard_error: float
    source_value: float | None
    source_standard_error: float | None
    network: str
    resize: str
    n_real: int
    n_fake: int
    blocks: int
    block_size: int
    split: str

    @property
    def mixed(self) -> float | None:
        """The second number of the authors' code; see `kid_protocol`."""
        if self.source_value is None:
            return None
        return (1 - _SOURCE_WEIGHT) / 2 * self.value + (
            _SOURCE_WEIGHT / 2 * self.source_value
        )

    def __str__(self) -> str:
        score = f"{100 * self.value:.2f} +- {100 * self.standard_error:.2f}"
        if self.source_value is not None and self.source_standard_error is not None:
            score += (
                f"; to the source x100 = {100 * self.source_value:.2f} +- "
                f"{100 * self.source_standard_error:.2f}"
            )
        return (
            f"KID x100 = {score}"
            f" ({self.network}; {self.n_fake} translated against {self.n_real} real"
            f"{f', {self.split} split' if self.split else ''}; {self.blocks} blocks of "
            f"at most {self.block_size}; resize: {self.resize}). "
            "Comparable only with numbers of the same network, resize and split."
        )


def kid_protocol(
    real: Any,
    fake: Any,
    *,
    source: Any = None,
    network: keras.Model | ImageFeatures | None = None,
    block_size: int = BLOCK_SIZE,
    seed: int = 0,
    split: str = "",
) -> BlockKID:
    """Kernel Inception Distance in the protocol behind the tables of U-GAT-IT.

    KID = 1/B sum_b [ E k(x, x') + E k(y, y') - 2 E k(x, y) ]_b,
    k(a, b) = (a . b / d + 1)^3, pairs of different pictures within block b,
    +- std_b / sqrt(B), the standard deviation with B - 1 in the denominator.
    Kernel and unbiased estimate: Binkowski et al. 2018, arXiv:1801.01401, sec. 4;
    blocks: Zaremba et al. 2013, arXiv:1307.1954. Kim et al. 2020 (U-GAT-IT,
    arXiv:1907.10830) print both x100, and do not say how many pictures a block holds:
    10 is from their code (taki0112/GAN_Metrics-Tensorflow), so their 100 test
    pictures are B = 10 blocks. Their "std" is this standard error of the mean.

    That code prints two numbers: the distance to the target domain, which is `value`,
    and one that adds the distance to the source. A version of it weights the two with
    0.02 and 0.98 and halves the sum (`mixed`), others average them. Someone who ran
    the authors' own weights on selfie2anime got 2.72 +- 0.54 and 11.15 +- 0.42
    (taki0112/UGATIT issue 64), where the article has 11.61 +- 0.57; asked which one
    the tables hold, the authors did not answer. A generator that changes nothing has
    the smallest `mixed` of all, so we judge by `value` and keep `mixed` to read tables.

    The features decide what the distance sees, and each network has its own d and
    scale: the article's come from the Inception of 2015 (d = 2048), ours by default
    from EfficientNet-lite0 (d = 1280), which needs no download. A KID of one network
    says nothing about one of another, not even which of two models leads.
    `ImageFeatures(keras.applications.InceptionV3(include_top=False, pooling="avg",
    input_shape=(299, 299, 3)))` is nearer to theirs, but has other weights as well.

    Ours differs: each set is shuffled first, because blocks of a sorted folder differ
    more than the sets do; pictures are resized as everywhere in `gan_lib.metrics`.
    `gan_lib.metrics.kid` uses larger subsets and varies less: prefer it unless you
    compare with this protocol.

    Args:
        real: pictures of the target domain (N, H, W, C), uint8 or float in [-1, 1], or
            their features (N, d).
        fake: translated pictures or their features.
        source: pictures of the source domain or their features; optional.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
        block_size: most pictures of a set in a block; 2 or more.
        seed: of the shuffle.
        split: words for the result, for example "test".
    Returns: BlockKID. Values are raw; print it to see them x100.
    Raises: ValueError for a wrong shape or range, for fewer than two blocks, and for
        sets of so different size that a block would hold one picture.
    """
    x, y, how = paired_features(real, fake, network)
    value, error, blocks = _blocks(x, y, block_size, seed)
    to_source: tuple[float | None, float | None] = None, None
    if source is not None:
        z, _, _ = paired_features(source, y, network, ("source", "fake"))
        to_source = _blocks(z, y, block_size, seed)[:2]
    return BlockKID(
        value,
        error,
        *to_source,
        network=how.network,
        resize=how.resize,
        n_real=len(x),
        n_fake=len(y),
        blocks=blocks,
        block_size=block_size,
        split=split,
    )


def _blocks(
    x: np.ndarray, y: np.ndarray, block_size: int, seed: int
) -> tuple[float, float, int]:
    """Mean KID of the blocks, its standard error and their number."""
    if block_size < 2:
        raise ValueError(f"block_size: expected 2 or more, got {block_size}.")
    blocks = -(-max(len(x), len(y)) // block_size)
    smallest = min(len(x), len(y)) // blocks
    if blocks < 2 or smallest < 2:
        raise ValueError(
            f"Expected sets that make two blocks or more of up to {block_size} pictures"
            f" with at least 2 of each set, got {len(x)} and {len(y)} pictures. Give "
            "more pictures, or sets of about one size; gan_lib.metrics.kid takes any."
        )
    rng = np.random.default_rng(seed)
    in_x, in_y = (_assign(len(rows), blocks, rng) for rows in (x, y))
    size_x, size_y = in_x.sum(axis=0), in_y.sum(axis=0)
    values = (
        kernel_sums(x, x, in_x, in_x, same=True) / (size_x * (size_x - 1))
        + kernel_sums(y, y, in_y, in_y, same=True) / (size_y * (size_y - 1))
        - 2 * kernel_sums(x, y, in_x, in_y) / (size_x * size_y)
    )
    error = values.std(ddof=1) / np.sqrt(blocks)
    return float(values.mean()), float(error), blocks


def _assign(n: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Random disjoint blocks of about one size as columns, float64 (n, blocks)."""
    columns = np.zeros((n, blocks))
    for column, rows in zip(
        columns.T, np.array_split(rng.permutation(n), blocks), strict=True
    ):
        column[rows] = 1
    return columns
