"""From two domains without pairs to an endless stream of training batches.

What is shown of A and what of B is drawn apart: neither order, nor window, nor
mirroring of the one says anything of the other. All is a pure function of (seed,
position), as in `gan_lib.data.pipeline`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gan_lib.data.pipeline import Batches, check_int, endless
from gan_lib.data.unpaired import Unpaired
from gan_lib.data.windows import cut, window

__all__ = ["UnpairedBatches"]

_JITTER = 30 / 256  # of the side: 286 -> 256 in both papers


class UnpairedBatches:
    """Endless, shuffled, resumable batches of (domain_a, domain_b).

    Each picture is mirrored with probability 1/2, enlarged from side S to S + jitter,
    and a window of side S is cut out at a random place: 286 -> 256 in the code of
    CycleGAN (Zhu et al. 2017, arXiv:1703.10593) and in U-GAT-IT (Kim et al. 2020,
    arXiv:1907.10830). Ours differs: the picture is enlarged bilinearly, not
    bicubically.

    Sample i of step s has the position p = s * B + i in both domains. Domain A shows
    picture order_a[p % Na] of epoch p // Na, domain B order_b[p % Nb] of epoch p // Nb,
    so that the shorter one begins anew while the longer goes on. Order, window and
    mirroring of A follow from `seed`, those of B from a second seed that is drawn
    from it, for each image and step anew.

    Args:
        data: what to show; np.memmap is read batch by batch.
        batch_size: pictures of each domain per batch, at least 1 (papers: 1).
        seed: whole number in [0, 2**63).
        flip: mirror each picture left-right with probability 1/2.
        jitter: pixels by which pictures are enlarged before the cut, 0 for none;
            default round(S * 30 / 256), the papers' share: 8 at 64 px.

    Attributes:
        num_a, num_b: Na and Nb.
        num_images: max(Na, Nb), the pictures of an epoch.
        image_shape: (S, S, 3).
        batch_size: B.
        steps_per_epoch: ceil(max(Na, Nb) / B).

    Raises: TypeError, ValueError with what was expected, what came and the cure.
    """

    def __init__(
        self,
        data: Unpaired,
        batch_size: int,
        *,
        seed: int = 0,
        flip: bool = True,
        jitter: int | None = None,
    ) -> None:
        if not isinstance(data, Unpaired):
            raise TypeError(
                f"UnpairedBatches expects Unpaired, but got {type(data).__name__}. "
                "Make it with `two_styles(...)`, `two_domains(...)` or "
                "`Unpaired(domain_a, domain_b)`."
            )
        self.data = data
        jitter = round(data.size * _JITTER) if jitter is None else jitter
        self.jitter = check_int("jitter", jitter, 0, 4096)
        self.seed, self.flip = check_int("seed", seed, 0, 2**63), bool(flip)
        other = np.random.SeedSequence([self.seed, 1]).generate_state(1, np.uint64)
        seeds = self.seed, int(other[0] >> np.uint64(1))
        self._sides = tuple(
            Batches(images, batch_size, seed=own, flip=flip)
            for images, own in zip((data.domain_a, data.domain_b), seeds, strict=True)
        )
        longer = max(self._sides, key=lambda side: side.num_images)
        self.num_a, self.num_b = (side.num_images for side in self._sides)
        self.num_images = longer.num_images
        self.steps_per_epoch = longer.steps_per_epoch
        self.batch_size, self.image_shape = longer.batch_size, longer.image_shape

    def __repr__(self) -> str:
        return (
            f"UnpairedBatches({self.num_a} {self.data.names[0]}, {self.num_b} "
            f"{self.data.names[1]}, {self.data.size} px, batch_size={self.batch_size}, "
            f"seed={self.seed}, flip={self.flip}, jitter={self.jitter})"
        )

    def dataset(self, start_step: int = 0) -> tf.data.Dataset:
        """The batches `start_step`, `start_step` + 1, ... without end.

        ``dataset(k)`` is ``dataset().skip(k)``, bit for bit, and costs nothing.

        Args:
            start_step: number of the first batch, at least 0.
        Returns: ``tf.data.Dataset`` of (domain_a, domain_b), each float32
            (B, S, S, 3) in [-1, 1], prefetched, of infinite cardinality.
        """
        shape = (self.batch_size, *self.image_shape)
        return endless(self.collect, [shape, shape], start_step)

    def collect(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch `step` as two uint8 arrays (B, S, S, 3), of A and of B."""
        domain_a, domain_b = (self._shown(side, int(step)) for side in self._sides)
        return domain_a, domain_b

    def _shown(self, side: Batches, step: int) -> np.ndarray:
        pictures = side.collect(step)  # a copy, mirrored already
        if self.jitter:
            first = step * self.batch_size
            for number, picture in enumerate(pictures):
                left, top = window(side.seed, first + number, self.jitter)
                pictures[number] = cut(picture, left, top, self.jitter)
        return pictures
