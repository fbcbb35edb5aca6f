"""Small trainings between two domains of random pictures."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

BATCH = 2


def random_pairs(size: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """`count` batches of (domain_a, domain_b)."""
    draw = np.random.default_rng(0).uniform
    shape = (BATCH, size, size, 3)
    return [tuple(draw(-1, 1, shape).astype("f4") for _ in "ab") for _ in range(count)]


def fit(model, pairs, steps, folder=None) -> dict:
    """The history of so many steps on the pairs, one after the other."""
    sides = [np.concatenate(side) for side in zip(*pairs, strict=True)]
    slices = tf.data.Dataset.from_tensor_slices(tuple(sides))
    return model.fit(
        slices.batch(BATCH, drop_remainder=True),
        kimg=steps * BATCH / 1000,
        tick_kimg=BATCH / 1000,
        verbose=0,
        resume=folder,
        checkpoint_minutes=0,
    ).history


def l1(x, y):
    return tf.reduce_mean(tf.abs(x - y))
