"""From TFRecord files to an endless stream of training batches."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gan_lib.data.pipeline import Batches, check_int, endless, to_float
from gan_lib.data.shards import Shards

__all__ = ["ShardBatches"]


class ShardBatches:
    """Endless, shuffled, resumable batches of pictures that do not fit into memory.

    Order and mirroring are those of `gan_lib.data.pipeline.Batches` with the same
    seed: sample i of step s has the position p = s * B + i and shows picture
    order[p % N] of epoch p // N. So the batches are those of the same pictures in
    memory, bit for bit, however they are spread over files. There is no shuffle buffer:
    each picture is read where it lies, which asks for a disk that reads at random
    places fast. A local one does; copy the files there from a network drive.

    With `workers` = n, worker w makes the rows w * B / n to (w + 1) * B / n - 1 of
    every batch and reads no others: the rows of all, in turn, are the batch of one.
    (`GAN.fit` under a strategy of several workers takes these rows out of whole batches
    itself: leave n = 1 there.)

    Memory: a few batches, whatever N; for each picture 8 bytes say where it is and
    some 40 hold the order of the epochs in use.

    Args:
        shards: the pictures.
        batch_size: B, pictures in a batch of all workers together, at least 1.
        seed: whole number in [0, 2**63).
        flip: mirror each picture left-right with probability 1/2.
        worker, workers: w and n; n divides B.

    Attributes:
        num_images: N.
        image_shape: (H, W, C).
        batch_size: B.
        rows: B / n, the pictures in a batch of this worker.
        steps_per_epoch: ceil(N / B).

    Raises: TypeError, ValueError with what was expected, what came and the cure.
    """

    def __init__(
        self,
        shards: Shards,
        batch_size: int,
        *,
        seed: int = 0,
        flip: bool = False,
        worker: int = 0,
        workers: int = 1,
    ) -> None:
        if not isinstance(shards, Shards):
            raise TypeError(
                f"ShardBatches expects Shards, but got {type(shards).__name__}. Write "
                '`ShardBatches(Shards("packed/tfrecord"), batch_size=64)`; for an '
                "array of pictures there is `Batches`."
            )
        # A stand-in of one byte: the order needs the number of pictures, not these.
        stand_in = np.broadcast_to(np.uint8(0), (len(shards), *shards.image_shape))
        self._order = Batches(stand_in, batch_size, seed=seed, flip=flip)
        self.shards, self.image_shape = shards, shards.image_shape
        self.seed, self.flip = self._order.seed, self._order.flip
        self.batch_size = self._order.batch_size
        self.num_images = self._order.num_images
        self.steps_per_epoch = self._order.steps_per_epoch
        self.workers = check_int("workers", workers, 1, 2**31)
        self.worker = check_int("worker", worker, 0, self.workers)
        self.rows, over = divmod(self.batch_size, self.workers)
        if over:
            raise ValueError(
                f"workers must divide the batch, but {self.workers} workers cannot "
                f"share {self.batch_size} pictures evenly. Choose a batch_size of "
                f"{self.batch_size - over + self.workers}, say."
            )

    def __repr__(self) -> str:
        return (
            f"ShardBatches({self.shards!r}, batch_size={self.batch_size}, "
            f"seed={self.seed}, flip={self.flip}, worker={self.worker}, "
            f"workers={self.workers})"
        )

    def samples(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """What this worker shows at batch `step`, without reading any picture.

        Returns: (numbers, mirrored), int64 and bool arrays of shape (rows,).
        """
        mine = slice(self.worker * self.rows, (self.worker + 1) * self.rows)
        numbers, mirrored = self._order.samples(step)
        return numbers[mine], mirrored[mine]

    def collect(self, step: int) -> np.ndarray:
        """This worker's part of batch `step` as uint8 pictures (rows, H, W, C)."""
        pixels = np.empty((self.rows, *self.image_shape), np.uint8)
        numbers, mirrored = self.samples(step)
        for row, number, mirror in zip(pixels, numbers.tolist(), mirrored, strict=True):
            picture = self.shards[number]
            row[...] = picture[:, ::-1] if mirror else picture
        return pixels

    def dataset(self, start_step: int = 0) -> tf.data.Dataset:
        """The batches `start_step`, `start_step` + 1, ... without end.

        ``dataset(k)`` is ``dataset().skip(k)``, bit for bit, and costs nothing.

        Args:
            start_step: number of the first batch, at least 0.
        Returns: ``tf.data.Dataset`` of float32 (rows, H, W, C) in [-1, 1], prefetched,
            of infinite cardinality. A record that is damaged ends it with a
            ``tf.errors.InvalidArgumentError`` that names the file and the record.
        """
        if self.shards.raw:
            return endless(self.collect, [(self.rows, *self.image_shape)], start_step)
        # Python only reads and checks: all cores decode, picture by picture, in C++.
        shapes, kinds = [(self.rows,), (self.rows,)], [tf.string, tf.bool]
        stored = endless(self._stored, shapes, start_step, kinds).unbatch()
        pictures = stored.map(self._picture, tf.data.AUTOTUNE, deterministic=True)
        batches = pictures.batch(self.rows, drop_remainder=True).map(to_float)
        batches = batches.apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
        return batches.prefetch(4)

    def _stored(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        numbers, mirrored = self.samples(step)
        data = np.empty(self.rows, object)
        data[:] = [self.shards.stored(number) for number in numbers.tolist()]
        return data, mirrored

    def _picture(self, data: tf.Tensor, mirror: tf.Tensor) -> tf.Tensor:
        picture = self.shards.decode(data)
        if not self.flip:
            return picture
        return tf.cond(mirror, lambda: picture[:, ::-1], lambda: picture)
