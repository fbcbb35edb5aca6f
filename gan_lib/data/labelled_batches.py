"""From pictures with classes to an endless stream of training batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from gan_lib.data.classes import check_labels
from gan_lib.data.pipeline import Batches, endless

__all__ = ["LabelledBatches"]


class LabelledBatches:
    """Endless, shuffled, resumable batches of (images, labels).

    Order and mirroring are those of `gan_lib.data.pipeline.Batches` with the same
    seed: sample i of step s has the position p = s * B + i and shows picture
    order[p % N] of epoch p // N, with the label of that picture. So the classes come
    as often as they do in the data.

    Args:
        images: uint8 (N, H, W, C); np.memmap is read batch by batch.
        labels: whole numbers (N,), 0 to K - 1, for example `Labelled.labels`.
        batch_size: pictures per batch, at least 1.
        seed: whole number in [0, 2**63).
        flip: mirror each picture left-right with probability 1/2.

    Attributes:
        num_images: N.
        image_shape: (H, W, C).
        batch_size: B.
        steps_per_epoch: ceil(N / B).

    Raises: TypeError, ValueError with what was expected, what came and the cure.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: Any,
        batch_size: int,
        *,
        seed: int = 0,
        flip: bool = False,
    ) -> None:
        self._pictures = Batches(images, batch_size, seed=seed, flip=flip)
        self.images, self.seed = images, self._pictures.seed
        self.flip, self.batch_size = bool(flip), self._pictures.batch_size
        self.num_images = self._pictures.num_images
        self.image_shape = self._pictures.image_shape
        self.steps_per_epoch = self._pictures.steps_per_epoch
        self.labels = check_labels(labels, self.num_images)

    def __repr__(self) -> str:
        return (
            f"LabelledBatches({self.num_images} pictures of shape {self.image_shape} "
            f"in {len(np.unique(self.labels))} classes, batch_size={self.batch_size}, "
            f"seed={self.seed}, flip={self.flip})"
        )

    def dataset(self, start_step: int = 0) -> tf.data.Dataset:
        """The batches `start_step`, `start_step` + 1, ... without end.

        ``dataset(k)`` is ``dataset().skip(k)``, bit for bit, and costs nothing.

        Args:
            start_step: number of the first batch, at least 0.
        Returns: ``tf.data.Dataset`` of (images, labels), float32 (B, H, W, C) in
            [-1, 1] and int32 (B,), prefetched, of infinite cardinality.
        """
        shapes = [(self.batch_size, *self.image_shape), (self.batch_size,)]
        return endless(self.collect, shapes, start_step, [tf.uint8, tf.int32])

    def collect(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch `step` as uint8 pictures (B, H, W, C) and int32 labels (B,)."""
        indices, _ = self._pictures.samples(step)
        return self._pictures.collect(step), self.labels[indices]
