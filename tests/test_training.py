"""The training core against a loop written by hand, and its clock, labels, logs."""

from __future__ import annotations

import hashlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.randomness import Draws
from gan_lib.session import state
from gan_lib.training import GAN

BATCH = 4  # of the fixture `tiny_batches`


def _fit(gan, batches, steps, **arguments):
    arguments = {"tick_kimg": BATCH / 1000, "verbose": 0, **arguments}
    return gan.fit(batches, kimg=steps * BATCH / 1000, **arguments).history


def _assert_equal_states(actual, expected):
    assert actual.keys() == expected.keys()
    for name in actual:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def _first(batches, count):
    return list(batches.dataset().take(count))


def _by_hand(networks, real_batches, seed, half_life_kimg):
    """Algorithm 1 as a beginner would write it, with Keras's own optimizers."""
    generator, discriminator = networks
    average = [w.numpy().astype("float64") for w in generator.weights]
    generator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
    discriminator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
    seeds = keras.random.SeedGenerator(seed)
    rows = []
    for step, real_images in enumerate(real_batches):
        latents = Draws(seeds.next()).normal("latents", (BATCH, 5))
        with tf.GradientTape() as generator_tape:
            fake_images = generator(latents, training=True)
            with generator_tape.stop_recording(), tf.GradientTape() as tape:
                real_logits = discriminator(real_images, training=True)
                fake_logits = discriminator(fake_images, training=True)
                discriminator_loss = tf.reduce_mean(
                    tf.nn.softplus(-real_logits)
                ) + tf.reduce_mean(tf.nn.softplus(fake_logits))
            with generator_tape.stop_recording():
                weights = discriminator.trainable_variables
                gradients = tape.gradient(discriminator_loss, weights)
                discriminator_optimizer.apply(gradients, weights)
            judged = discriminator(fake_images, training=True)
            generator_loss = tf.reduce_mean(tf.nn.softplus(-judged))
        weights = generator.trainable_variables
        generator_optimizer.apply(
            generator_tape.gradient(generator_loss, weights), weights
        )
        seen = (step + 1) * BATCH / 1000
        decay = 0.5 ** (BATCH / 1000 / min(half_life_kimg, 0.05 * seen))
        for a, w in zip(average, generator.weights, strict=True):
            a += (1 - decay) * (w.numpy() - a)
        rows.append((discriminator_loss, generator_loss, np.mean(real_logits)))
    return average, np.array(rows)


def test_simultaneous_moves_are_judged_by_the_old_weights(tiny_gan, tiny_batches):
    """One step of plain gradient descent, so that each gradient can be read off."""
    rate = 0.5
    optimizers = [keras.optimizers.SGD(rate) for _ in range(2)]
    gan, old = tiny_gan(), tiny_gan()
    gan.compile(*optimizers, simultaneous=True)
    (real_images,) = _first(tiny_batches, 1)
    latents = Draws(old.seed_generator.next()).normal("latents", (BATCH, 5))
    with tf.GradientTape(persistent=True) as tape:
        fake_logits = old.discriminator(
            old.generator(latents, training=True), training=True
        )
        real_logits = old.discriminator(real_images, training=True)
        losses = {
            "generator": tf.reduce_mean(tf.nn.softplus(-fake_logits)),
            "discriminator": tf.reduce_mean(tf.nn.softplus(-real_logits))
            + tf.reduce_mean(tf.nn.softplus(fake_logits)),
        }
    history = _fit(gan, tiny_batches, 1)
    for player, loss in losses.items():
        assert history[f"{player}_loss"][0] == pytest.approx(float(loss), rel=1e-5)
        before = getattr(old, player).trainable_variables
        after = getattr(gan, player).trainable_variables
        for a, b in zip(after, before, strict=True):
            expected = b - rate * tape.gradient(loss, b)
            np.testing.assert_allclose(a, expected, atol=1e-5, err_msg=a.path)


def test_fit_is_the_loop_written_by_hand(tiny_gan, tiny_networks, tiny_batches):
    networks = tiny_networks(seed=4)
    average, rows = _by_hand(networks, _first(tiny_batches, 8), 4, 0.0008)
    gan = tiny_gan(seed=4, ema_half_life_kimg=0.0008)
    history = _fit(gan, tiny_batches, 8)
    ours = [history[k] for k in ("discriminator_loss", "generator_loss", "real_logits")]
    np.testing.assert_allclose(np.transpose(ours), rows, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip((gan.generator, gan.discriminator), networks, strict=True):
        for a, b in zip(mine.weights, theirs.weights, strict=True):
            if a.path.startswith("conv2d") and a.name == "bias":
                continue  # before batch norm its gradient is rounding error alone
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5, err_msg=a.path)
    for a, b in zip(gan.ema_generator.weights, average, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5, err_msg=a.path)


def test_averaged_weights_lose_half_in_a_half_life(tiny_gan, tiny_batches):
    gan = tiny_gan(
        ema_half_life_kimg=0.02, generator_optimizer=keras.optimizers.SGD(0.0)
    )
    gan.images_seen.assign(4_000_000)  # far beyond the short half-lives of the start
    for weight, average in zip(
        gan.generator.trainable_weights,
        gan.ema_generator.trainable_weights,
        strict=True,
    ):
        weight.assign(tf.zeros(weight.shape))
        average.assign(tf.ones(average.shape))
    gan.fit(tiny_batches, kimg=4000.02, tick_kimg=0.004, verbose=0)
    for average in gan.ema_generator.trainable_weights:
        np.testing.assert_allclose(average, 0.5, rtol=1e-5)


def test_clock_and_rows(tiny_gan, tiny_batches):
    gan = tiny_gan()
    history = gan.fit(tiny_batches, kimg=0.02, tick_kimg=0.008, verbose=0)
    assert gan.kimg == 0.024  # rounded up to whole ticks of 2 steps
    assert history.history["kimg"] == [0.008, 0.016, 0.024]
    assert history.epoch == [0, 1, 2]
    assert set(history.history) == {"kimg", "seconds", *GAN.log_names}
    assert all(len(column) == 3 for column in history.history.values())
    longer = gan.fit(tiny_batches, kimg=0.04, tick_kimg=0.008, verbose=0)
    assert longer.history["kimg"] == [0.008, 0.016, 0.024, 0.032, 0.04]
    again = gan.fit(tiny_batches, kimg=0.04, tick_kimg=0.008, verbose=0)
    assert again.history == longer.history  # nothing left to do


def test_progress_and_time_limit(tiny_gan, tiny_batches, capsys):
    gan = tiny_gan()
    gan.fit(tiny_batches, kimg=0.04, tick_kimg=0.004, max_minutes=0, verbose=1)
    assert gan.kimg == 0.004  # the first tick ends the sitting
    shown = capsys.readouterr().err
    assert "img" in shown
    assert "D " in shown


def test_steps_per_execution_changes_nothing(tiny_gan, tiny_batches):
    results = []
    for steps in (1, 4):
        gan = tiny_gan(dropout=0.3, steps_per_execution=steps)
        _fit(gan, tiny_batches, 8, tick_kimg=0.016)
        results.append((state(gan), gan.history_rows))
    (one, rows), (four, other_rows) = results
    _assert_equal_states(one, four)
    for a, b in zip(rows, other_rows, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


class LatentsFromPixels(GAN):
    """Draws nothing: XLA has its own random numbers, which are not compared here."""

    def forward(self, real_images, draws):
        return self.generator(4 * real_images[:, 0, :5, 0], training=True)


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [None, "r1"])
def test_xla_computes_the_same(penalty, tiny_gan, tiny_batches):
    arguments = {"gan_class": LatentsFromPixels, "batch_norm": penalty is None}
    gans = [tiny_gan(jit_compile=j, penalty=penalty, **arguments) for j in (0, 1)]
    rows = [_fit(gan, tiny_batches, 3) for gan in gans]
    for name in ("discriminator_loss", "generator_loss", "generator_gradient_norm"):
        np.testing.assert_allclose(rows[0][name], rows[1][name], rtol=1e-3)
    for a, b in zip(*(gan.generator.weights for gan in gans), strict=True):
        tolerance = 1e-3 if a.name == "bias" else 2e-5  # see the loop by hand
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=tolerance, err_msg=a.path)


@pytest.mark.slow
def test_xla_with_everything_that_is_drawn(tiny_gan, tiny_batches):
    gan = tiny_gan(
        dropout=0.2, batch_norm=False, penalty="gradient_penalty", jit_compile=True,
        penalty_every=2, real_labels=(0.8, 1.0), steps_per_execution=2,
    )  # fmt: skip
    history = _fit(gan, tiny_batches, 4, tick_kimg=0.008)
    assert np.isfinite([history[name] for name in GAN.log_names]).all()
    assert gan.kimg == 0.016


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.slow
def test_mixed_precision_learns_like_float32(dtype, tiny_gan, tiny_batches):
    full, mixed = tiny_gan(seed=1), tiny_gan(seed=1, dtype=dtype)
    scaled = isinstance(mixed.generator_optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (dtype == "mixed_float16")
    assert type(mixed.generator_optimizer) is type(mixed.discriminator_optimizer)
    rows = [_fit(gan, tiny_batches, 4) for gan in (full, mixed)]
    for name in ("discriminator_loss", "generator_loss", "generator_gradient_norm"):
        np.testing.assert_allclose(rows[0][name], rows[1][name], rtol=0.05)
    assert {w.dtype for w in mixed.ema_generator.weights} == {"float32"}
    assert mixed.generate(3).dtype == np.float32


def test_one_seed_gives_one_result(tiny_gan, tiny_batches):
    results = []
    for seed in (1, 1, 2):
        gan = tiny_gan(dropout=0.3, seed=seed, real_labels=(0.8, 1.0))
        _fit(gan, tiny_batches, 5)
        results.append(state(gan))
    _assert_equal_states(results[0], results[1])
    assert np.any(results[0]["generator/0000"] != results[2]["generator/0000"])


PROGRAM = """
import hashlib
import numpy as np
from gan_lib.data.pipeline import Batches
from gan_lib.models.dcgan import dcgan
from gan_lib.session import state

images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), "uint8")
gan = dcgan("anime", image_size=16, latent_dim=6, width=4, seed=5)
gan.fit(Batches(images, 8, flip=True), kimg=0.08, verbose=0)
digest = hashlib.sha256()
for name, value in sorted(state(gan).items()):
    digest.update(value.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_two_processes_agree_bit_for_bit(run_python, capsys):
    """This one, after all it has done before, and a new one."""
    exec(PROGRAM, {})
    ours = capsys.readouterr().out
    assert len(ours.strip()) == hashlib.sha256().digest_size * 2
    assert run_python(PROGRAM) == ours


def test_generate(tiny_gan):
    gan = tiny_gan()
    images = gan.generate(5, seed=1)
    assert images.shape == (5, 8, 8, 3)
    assert np.abs(images).max() <= 1
    np.testing.assert_array_equal(images, gan.generate(5, seed=1))
    assert np.any(images != gan.generate(5, seed=2))
    latents = np.random.default_rng(0).normal(size=(3, 5))
    expected = gan.ema_generator(latents.astype("float32"), training=False)
    np.testing.assert_allclose(gan.generate(latents), expected, atol=1e-6)
    np.testing.assert_allclose(gan(latents.astype("float32")), expected, atol=1e-6)
    for wrong in (np.zeros((3, 6)), np.zeros(5)):
        with pytest.raises(ValueError, match=r"latents of shape \(n, 5\)"):
            gan.generate(wrong)


def test_wrong_data_is_explained(tiny_gan, tiny_images, tiny_batches):
    gan = tiny_gan()
    with pytest.raises(ValueError, match="kimg"):
        gan.fit(tiny_batches, kimg=0)
    with pytest.raises(ValueError, match="Batches"):
        gan.fit(tiny_images, kimg=0.01)
    floats = tf.data.Dataset.from_tensor_slices(tiny_images.astype("float32"))
    with pytest.raises(ValueError, match="drop_remainder"):
        gan.fit(floats.batch(4), kimg=0.01)
    for wrong in (
        tf.data.Dataset.from_tensor_slices(tiny_images).batch(4),  # bytes
        tf.data.Dataset.zip(floats, floats).batch(4),  # pairs
        floats,  # not batched
    ):
        with pytest.raises(ValueError, match="float32 image batches"):
            gan.fit(wrong, kimg=0.01)
    assert gan.kimg == 0


def test_a_dataset_of_ones_own_is_repeated(tiny_gan, tiny_images):
    images = tiny_images[:8].astype("float32") / 127.5 - 1
    history = _fit(
        tiny_gan(), tf.data.Dataset.from_tensor_slices(images).batch(4, True), 3
    )
    assert history["kimg"] == [0.004, 0.008, 0.012]
