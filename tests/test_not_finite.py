"""A NaN anywhere is caught in its own step, by name, and costs nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.session import NotFiniteError, state
from gan_lib.step import FAULTS
from gan_lib.training import GAN

BATCH, BAD_STEP, STEPS = 4, 3, 6
TICK = {"tick_kimg": BATCH / 1000, "checkpoint_minutes": 0, "verbose": 0}


class Spoiled(GAN):
    """Puts `bad_value` in one place of step `BAD_STEP` (or of all from there on)."""

    place, bad_value, for_ever = "nowhere", np.nan, False

    def _spoil(self, place, value):
        step = self.images_seen.value // BATCH
        now = step >= BAD_STEP if self.for_ever else tf.equal(step, BAD_STEP)
        if self.place == f"{place}_loss":
            return tf.where(now, self.bad_value, value)
        if self.place != f"{place}_gradients":
            return value

        @tf.custom_gradient
        def identity(x):
            return x, lambda upstream: tf.where(now, self.bad_value, upstream)

        return identity(value)

    def discriminator_objective(self, real_images, fake_images, draws):
        loss, logs = super().discriminator_objective(real_images, fake_images, draws)
        return self._spoil("discriminator", loss), logs

    def generator_objective(self, real_images, fake_images, draws):
        loss, logs = super().generator_objective(real_images, fake_images, draws)
        return self._spoil("generator", loss), logs


@pytest.fixture(scope="module")
def data(tiny_images):
    return (tiny_images[: BATCH * 10].astype("float32") / 127.5 - 1).copy()


def _dataset(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(BATCH, drop_remainder=True)


@pytest.fixture(scope="module")
def sound_states(tiny_gan, data):
    """The state after each step of a training in which nothing happens."""
    states = []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            states.append(state(self.model))

    gan = tiny_gan(dropout=0.2)
    gan.fit(_dataset(data), kimg=STEPS * BATCH / 1000, callbacks=[Keep()], **TICK)
    return states


def _learned(arrays, *parts):
    return {k: v for k, v in arrays.items() if k.split("/")[0] in parts}


def _assert_same(actual, expected):
    assert actual
    for name in actual:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


@pytest.mark.parametrize(
    ("place", "bad_value"),
    [*((place, np.nan) for place in FAULTS), ("generator_gradients", np.inf)],
)
def test_caught_at_once_and_resumed(
    place, bad_value, tiny_gan, data, sound_states, tmp_path
):
    gan = tiny_gan(dropout=0.2, gan_class=Spoiled)
    gan.place, gan.bad_value = place, bad_value
    gan.compile()  # the place is read when the step is traced
    images = data.copy()
    if place == "real_images":
        images[BAD_STEP * BATCH + 1, 2, 2, 0] = bad_value
    kimg = STEPS * BATCH / 1000
    with pytest.raises(NotFiniteError, match=rf"at 0\.012 kimg: {place} is"):
        gan.fit(_dataset(images), kimg=kimg, resume=tmp_path, **TICK)

    stopped, before = state(gan), sound_states[BAD_STEP - 1]
    parts = ["generator", "ema_generator", "generator_optimizer"]
    if place.startswith("generator"):
        # The discriminator's own move of this step came first and was sound.
        after = sound_states[BAD_STEP]
        _assert_same(_learned(stopped, "discriminator_optimizer"), after)
        names = [w.path for w in gan.discriminator.variables]
        moved = _learned(stopped, "discriminator")
        for path, (name, value) in zip(names, moved.items(), strict=True):
            source = before if "moving" in path else after
            np.testing.assert_array_equal(value, source[name], err_msg=path)
    else:
        parts += ["discriminator", "discriminator_optimizer"]
    kept = _learned(stopped, *parts)
    # Dropout's seeds, pairs of integers, have been used; that is no harm.
    seeds = [k for k, v in kept.items() if v.shape == (2,) and v.dtype.kind in "iu"]
    assert len(seeds) == parts.count("generator") * 2 + parts.count("discriminator")
    for name in seeds:
        del kept[name]
    _assert_same(kept, before)
    assert len(gan.history_rows) == BAD_STEP
    with pytest.raises(NotFiniteError):  # and it does not go on by itself
        gan.fit(_dataset(data), kimg=kimg, **TICK)

    resumed = tiny_gan(dropout=0.2, seed=0)
    resumed.fit(_dataset(data), kimg=kimg, resume=tmp_path, **TICK)
    _assert_same(state(resumed), sound_states[-1])


def test_several_steps_in_one_call(tiny_gan, data):
    """Steps after the bad one, inside the same call, must not move anything."""
    gan = tiny_gan(gan_class=Spoiled, steps_per_execution=6)
    gan.place = "discriminator_loss"
    gan.compile(steps_per_execution=6)
    with pytest.raises(NotFiniteError, match=r"0\.012 kimg: discriminator_loss"):
        gan.fit(_dataset(data), kimg=STEPS * BATCH / 1000, **TICK)
    assert int(gan.generator_optimizer.iterations) == BAD_STEP
    assert int(gan.discriminator_optimizer.iterations) == BAD_STEP


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.slow
def test_loss_scaling_skips_an_infinite_gradient(player, tiny_gan, data):
    gan = tiny_gan(dtype="mixed_float16", gan_class=Spoiled)
    gan.place, gan.bad_value = f"{player}_gradients", np.inf
    gan.compile()
    gan.fit(_dataset(data), kimg=STEPS * BATCH / 1000, **TICK)
    for name in ("discriminator", "generator"):
        optimizer = getattr(gan, f"{name}_optimizer")
        skipped = int(name == player)
        assert int(optimizer.iterations) == STEPS - skipped
        assert float(optimizer.dynamic_scale) == 2.0 ** (15 - skipped)
        assert all(np.isfinite(w).all() for w in getattr(gan, name).get_weights())


@pytest.mark.slow
def test_loss_scaling_does_not_hide_gradients_that_stay_nan(tiny_gan, data):
    gan = tiny_gan(dtype="mixed_float16", gan_class=Spoiled)
    gan.place, gan.for_ever = "generator_gradients", True
    gan.compile()
    with pytest.raises(NotFiniteError, match=r"generator_gradients"):
        gan.fit(_dataset(data), kimg=0.2, **TICK)
    assert gan.kimg < 0.1


def test_teacher_says_where_to_look(tiny_gan, data):
    images = data.copy()
    images[0, 0, 0, 0] = np.nan
    with pytest.raises(NotFiniteError, match="in your data"):
        tiny_gan().fit(_dataset(images), kimg=0.01, **TICK)
