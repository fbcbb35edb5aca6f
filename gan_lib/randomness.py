"""Every random number of a training step, from one seed.

With `jit_compile` XLA draws other numbers from the same seed, so a run repeats exactly
only under the setting it was made with.
"""

from __future__ import annotations

import zlib

import tensorflow as tf


def is_seed(variable) -> bool:
    """Is it the state of a Keras `SeedGenerator`: int64 (2,), seed and count?"""
    return variable.name == "seed_generator_state"


class Draws:
    """Named random tensors of one training step.

    One seed a step comes from the trainer's `SeedGenerator`; each name then has its
    own stream, so adding a draw to a step does not change the others. Under
    `tf.distribute` every replica draws the whole global batch and keeps its own
    rows: replicas differ from each other, and together they use the numbers that
    one device would have used.

    Args:
        seed: int32 (2,), new at every step.
        replica: this replica's number, 0 without a strategy.
        replicas: how many there are.
    """

    def __init__(self, seed, replica=0, replicas: int = 1):
        self.seed = tf.cast(seed, tf.int32)
        self.replica, self.replicas = replica, replicas

    def part(self, number, count: int) -> Draws:
        """For slice `number`, int or int32 scalar, of `count` of this replica's batch.

        The slices together use the numbers that the batch would have used.
        """
        replica = self.replica * count + number
        return Draws(self.seed, replica, self.replicas * count)

    def normal(self, name: str, shape) -> tf.Tensor:
        """N(0, 1), float32, `shape` = (batch of this replica, ...)."""
        return self._rows(tf.random.stateless_normal, name, shape)

    def uniform(self, name: str, shape, low=0.0, high=1.0) -> tf.Tensor:
        """U(low, high), float32, `shape` = (batch of this replica, ...)."""
        unit = self._rows(tf.random.stateless_uniform, name, shape)
        return low + (high - low) * unit

    def integers(self, name: str, shape, high: int) -> tf.Tensor:
        """Whole numbers from 0 to high - 1, each as likely, int32."""
        return tf.cast(self.uniform(name, shape, 0.0, float(high)), "int32")

    def _rows(self, distribution, name, shape):
        stream = zlib.crc32(name.encode()) & 0x7FFFFFFF
        seed = tf.random.experimental.stateless_fold_in(self.seed, stream)
        batch, *rest = shape
        values = distribution([batch * self.replicas, *rest], seed=seed)
        if self.replicas == 1:
            return values
        # Not `values[a:b]`: XLA asks for a size that does not depend on the replica.
        begin = [self.replica * batch, *[0] * len(rest)]
        return tf.slice(values, begin, [batch, *rest])
