"""Two trainings of one model, with its maps kept and with its maps forgotten."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from gan_lib.session import state

STEPS = 2


def plain(rate):
    """Two optimizers that do not blow up gradients that are rounding alone."""
    names = "generator_optimizer", "discriminator_optimizer"
    return {name: keras.optimizers.SGD(rate) for name in names}


def images(count, size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, size, size, 3)).astype("float32")


def train(gan, batch, steps=STEPS):
    """Some steps on one batch; the state after them and the logs."""
    step = tf.function(gan.train_step)
    for _ in range(steps):
        logs = step(tf.nest.map_structure(tf.constant, batch))
    return state(gan), {name: float(value) for name, value in logs.items()}


def assert_trained_alike(build, batch, moved, *, steps=STEPS, rtol=1e-4, atol=1e-5):
    """With and without: equal logs and state. `moved`: parts of it that must change."""
    before = state(build(rematerialize=False))
    expected, logs = train(build(rematerialize=False), batch, steps)
    found, other_logs = train(build(rematerialize=True), batch, steps)
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, rtol=rtol, atol=atol, err_msg=name
        )
    for name, value in logs.items():
        np.testing.assert_allclose(
            other_logs[name], value, rtol=rtol, atol=atol, err_msg=name
        )
    for part in moved:
        change = max(np.abs(expected[x] - before[x]).max() for x in before if part in x)
        assert change > 100 * atol, part
    return before, found


PLAYERS = "generator/", "discriminator/"
