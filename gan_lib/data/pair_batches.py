"""From aligned pairs to an endless stream of training batches.

Order, crop, mirroring and hints of each sample are a pure function of (seed,
position), as in `gan_lib.data.pipeline`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gan_lib.data import hints as hint
from gan_lib.data.pairs import Pairs
from gan_lib.data.pipeline import Batches, check_int, endless
from gan_lib.data.windows import cut, window

__all__ = ["PairBatches"]

_HINTS = 3  # stream of random numbers; `Batches` has 0 and 1, `window` has 2


class PairBatches:
    """Endless, shuffled, resumable batches of (source, target).

    Jitter as in pix2pix (Isola et al. 2017, section 6.2, arXiv:1611.07004): a picture
    of side S is enlarged to S + jitter, then a window of side S is cut out at a random
    place, the same for source and target. The paper has 286 -> 256, jitter 30. Label
    maps (`Pairs.nearest`) are enlarged by nearest neighbour, all else bilinearly.

    Sample i of step s has the position p = s * B + i and belongs to epoch p // N. Its
    window comes from the seed [seed, p, 2], its hints from [seed, p, 3]; the order and
    the mirroring are those of `Batches`.

    Args:
        pairs: what to show; np.memmap is read batch by batch.
        batch_size: pairs per batch, at least 1 (paper: 1).
        seed: whole number in [0, 2**63).
        flip: mirror both left-right with probability 1/2.
        jitter: pixels by which both are enlarged before the cut, 0 for none.
        hints: put 0 to 8 colour hints, taken from the target after the cut, behind
            the source as 4 more channels: fresh ones each epoch. See
            `gan_lib.data.hints.random_hints`.

    Attributes:
        num_pairs: N.
        source_shape, target_shape: (H, W, C) of one sample, with the hints.
        batch_size: B.
        steps_per_epoch: ceil(N / B).

    Raises: TypeError, ValueError with what was expected, what came and the cure.
    """

    def __init__(
        self,
        pairs: Pairs,
        batch_size: int,
        *,
        seed: int = 0,
        flip: bool = False,
        jitter: int = 0,
        hints: bool = False,
    ) -> None:
        if not isinstance(pairs, Pairs):
            raise TypeError(
                f"PairBatches expects Pairs, but got {type(pairs).__name__}. Make them "
                "with `face_pairs(...)`, `side_by_side(...)` or "
                "`Pairs(source, target)`."
            )
        self._order = Batches(pairs.source, batch_size, seed=seed, flip=flip)
        self.pairs = pairs
        self.seed, self.flip, self.hints = self._order.seed, bool(flip), bool(hints)
        self.jitter = check_int("jitter", jitter, 0, 4096)
        self.batch_size = self._order.batch_size
        self.num_pairs = len(pairs)
        self.steps_per_epoch = self._order.steps_per_epoch
        height, width, channels = self._order.image_shape
        extra = hint.CHANNELS if self.hints else 0
        self.source_shape = (height, width, channels + extra)
        self.target_shape = tuple(int(side) for side in pairs.target.shape[1:])
        if self.hints and self.target_shape[-1] != 3:
            raise ValueError(
                "Hints are colours of the target, so it needs 3 channels, but it has "
                f"{self.target_shape[-1]}. Set hints=False, or turn the pairs round "
                "with `pairs.reversed()`."
            )

    def __repr__(self) -> str:
        return (
            f"PairBatches({self.num_pairs} pairs {self.source_shape} -> "
            f"{self.target_shape}, batch_size={self.batch_size}, seed={self.seed}, "
            f"flip={self.flip}, jitter={self.jitter}, hints={self.hints})"
        )

    def dataset(self, start_step: int = 0) -> tf.data.Dataset:
        """The batches `start_step`, `start_step` + 1, ... without end.

        ``dataset(k)`` is ``dataset().skip(k)``, bit for bit, and costs nothing.

        Args:
            start_step: number of the first batch, at least 0.
        Returns: ``tf.data.Dataset`` of (source, target), float32 (B, H, W, Cs) and
            (B, H, W, Ct) in [-1, 1], prefetched, of infinite cardinality.
        """
        shapes = (self.source_shape, self.target_shape)
        batched = [(self.batch_size, *shape) for shape in shapes]
        return endless(self.collect, batched, start_step)

    def collect(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch `step` as uint8 arrays (B, H, W, Cs) and (B, H, W, Ct)."""
        indices, mirrored = self._order.samples(step)
        sides = [self.pairs.source[indices], self.pairs.target[indices]]
        first = int(step) * self.batch_size
        for number, mirror in enumerate(mirrored):
            left, top = window(self.seed, first + number, self.jitter)
            for side, nearest in zip(sides, self.pairs.nearest, strict=True):
                picture = cut(side[number], left, top, self.jitter, nearest)
                side[number] = picture[:, ::-1] if mirror else picture
        source, target = sides
        if self.hints:
            drawn = [
                hint.random_hints(picture, self._draws(first + number, _HINTS))
                for number, picture in enumerate(target)
            ]
            source = hint.add_hints(source, np.stack(drawn))
        return source, target

    def _draws(self, position: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, position, stream])
