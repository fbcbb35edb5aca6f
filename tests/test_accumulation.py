"""A batch in slices trains like the whole batch, wherever that was promised."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.accumulation import SEED_STRIDE
from gan_lib.adaptive import Augmentation
from gan_lib.layers import (
    BatchNormalization,
    SpectralConv2D,
    SpectralDense,
    SpectralUpsampleConv2D,
)
from gan_lib.models.biggan import biggan
from gan_lib.models.cyclegan import cyclegan
from gan_lib.optimizers import Adam
from gan_lib.randomness import Draws
from gan_lib.session import NotFiniteError, state
from gan_lib.training import GAN

BATCH, STEPS = 16, 3
TICK = {"tick_kimg": BATCH / 1000, "checkpoint_minutes": 0, "verbose": 0}


def spectral(seed=0):
    """A generator (5 -> 8x8x3) and its discriminator, with spectral norms only."""
    keras.utils.set_random_seed(seed)
    latents = keras.Input((5,))
    x = keras.layers.Reshape((4, 4, 6))(SpectralDense(96)(latents))
    x = SpectralUpsampleConv2D(3, 3, padding="same")(keras.layers.LeakyReLU(0.2)(x))
    generator = keras.Model(latents, keras.layers.Activation("tanh")(x))
    images = keras.Input((8, 8, 3))
    x = keras.layers.LeakyReLU(0.2)(SpectralConv2D(6, 4, 2, "same")(images))
    x = SpectralDense(1)(keras.layers.Flatten()(x))
    return generator, keras.Model(images, x)


def build(accumulate, **arguments):
    gan = GAN(*spectral(), seed=3)
    gan.compile(Adam(2e-3), Adam(2e-3), accumulate=accumulate, **arguments)
    return gan


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (BATCH * STEPS, 8, 8, 3)).astype("float32")


PLAYERS = "generator_optimizer", "discriminator_optimizer"


def plain(rate):
    """Two optimizers that do not blow up gradients that are rounding alone."""
    return [keras.optimizers.SGD(rate) for _ in PLAYERS]


def fit(gan, images, steps=STEPS):
    data = tf.data.Dataset.from_tensor_slices(images).batch(BATCH, True)
    gan.fit(data, kimg=steps * BATCH / 1000, **TICK)


def train_eagerly(gan, arrays, batch=BATCH):
    """One pass over the data with nothing compiled, as `fit` would do it."""
    for first in range(0, len(arrays[0]), batch):
        rows = gan.train_step(
            tuple(tf.constant(x[first : first + batch]) for x in arrays)
        )
        gan.history_rows.append({**rows, "kimg": gan.kimg})


def assert_trained_alike(whole, sliced, **tolerance):
    """All that belongs to a training's state, and all rows of the history."""
    tolerance = {"rtol": 1e-5, "atol": 1e-5} | tolerance
    expected, found = state(whole), state(sliced)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, err_msg=name, **tolerance)
    for row, other in zip(sliced.history_rows, whole.history_rows, strict=True):
        for name in (*whole.log_names, "kimg"):
            np.testing.assert_allclose(row[name], other[name], **tolerance)


MODES = {
    "alternating, noise in the labels": {
        "real_labels": (0.8, 1.0),
        "fake_labels": (0.0, 0.2),
    },
    "simultaneous, gradient penalty": {
        "simultaneous": True,
        "penalty": "gradient_penalty",
        "loss": "wasserstein",
    },
    "two judgements a move, lazy R1": {
        "discriminator_steps": 2,
        "penalty": "r1",
        "penalty_every": 2,
    },
    "no judgement": {"discriminator_steps": 0},
}


@pytest.mark.parametrize("mode", MODES)
def test_slices_train_like_the_whole_batch(mode, images):
    whole, sliced = build(1, **MODES[mode]), build(4, **MODES[mode])
    before = state(whole)
    for gan in (whole, sliced):
        fit(gan, images)
    assert_trained_alike(whole, sliced)
    after = state(whole)
    moved = np.abs(after["generator/0000"] - before["generator/0000"]).max()
    assert moved > 1e-3  # a hundred times the tolerance
    u = {w.path for w in whole.discriminator.non_trainable_weights}
    assert len(u) == 2


def test_biggan_with_its_norms_held():
    """Running statistics in the generator's norms: they would see slices."""
    rng = np.random.default_rng(1)
    pictures = rng.uniform(-1, 1, (BATCH * 2, 32, 32, 3)).astype("float32")
    data = pictures, rng.integers(0, 4, BATCH * 2)
    gans = []
    for accumulate in (1, 2):
        sizes = {"latent_dim": 8, "class_dim": 3, "width": 2, "attention": None}
        gan = biggan(32, 4, **sizes, seed=5, orthogonal_weight=1e-3)
        for layer in gan.generator._flatten_layers():
            if isinstance(layer, BatchNormalization):
                layer.trainable = False
        gan.compile(*plain(0.05), loss="hinge", accumulate=accumulate)
        train_eagerly(gan, data)
        gans.append(gan)
    assert_trained_alike(*gans)


def test_pool_of_cyclegan_goes_on_from_slice_to_slice():
    """Its pictures come and go in the order of the whole batch."""
    rng = np.random.default_rng(2)
    data = tuple(rng.uniform(-1, 1, (12, 16, 16, 3)).astype("float32") for _ in "ab")
    gans = []
    for accumulate in (1, 2):
        gan = cyclegan(
            16, width=2, blocks=1, receptive_field=16, pool_size=3,
            accumulate=accumulate, **dict(zip(PLAYERS, plain(0.002), strict=True)),
        )  # fmt: skip
        train_eagerly(gan, data, batch=4)
        gans.append(gan)
    assert int(gans[0].memory["pool_a"].count.numpy()) == 3
    assert_trained_alike(*gans)


def test_adaptive_augmentation(images):
    """Votes that agree move the chance as the whole batch would."""
    gans = [
        build(
            k,
            augment=Augmentation(
                0.3, target=-0.99, speed_kimg=0.2, every=2, transforms=("flip", "hue")
            ),
        )
        for k in (1, 2)
    ]
    for gan in gans:
        fit(gan, images)
    assert_trained_alike(*gans)
    layer = gans[1].augmentation
    assert float(layer.adaptive_probability) == pytest.approx(0.3 + 2 * BATCH / 200)
    assert int(layer.steps.numpy()) == STEPS


def test_moving_averages_are_means_over_slices(tiny_gan, images):
    """The docstring's formula in float64: the mean is exact, the variance is not."""
    gan = tiny_gan(accumulate=4, discriminator_steps=0)
    kernel, bias = (w.numpy() for w in gan.generator.layers[1].weights)
    seed = keras.random.SeedGenerator(0).next()
    latents = Draws(seed).normal("latents", (BATCH, 5)).numpy().astype("float64")
    maps = (latents @ kernel + bias).reshape(4, -1, 6)  # (slices, values, channels)
    fit(gan, images, steps=1)
    (norm,) = (x for x in gan.generator.layers if isinstance(x, BatchNormalization))
    mean = 0.01 * maps.mean((0, 1))
    variance = 0.99 + 0.01 * maps.var(1).mean(0)
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-6)
    assert np.abs(variance - 0.99 - 0.01 * maps.var((0, 1))).max() > 1e-5


def test_gradients_are_means_over_slices(tiny_gan, images):
    """g = 1/k sum_i g_i, with batch norm, where no other sum gives it."""
    rate = 0.5
    gan, old = tiny_gan(), tiny_gan()
    gan.compile(*plain(rate), accumulate=4, simultaneous=True)
    draws = Draws(old.seed_generator.next())
    latents = draws.normal("latents", (BATCH, 5))
    weights = old.discriminator.trainable_variables
    total = [np.zeros(w.shape) for w in weights]
    for part in range(4):
        rows = slice(4 * part, 4 * part + 4)
        with tf.GradientTape() as tape:
            fakes = old.generator(latents[rows], training=True)
            fake_logits = old.discriminator(fakes, training=True)
            real_logits = old.discriminator(images[rows], training=True)
            loss = tf.reduce_mean(tf.nn.softplus(-real_logits))
            loss += tf.reduce_mean(tf.nn.softplus(fake_logits))
        gradients = tape.gradient(loss, weights)
        total = [a + g.numpy() / 4 for a, g in zip(total, gradients, strict=True)]
    fit(gan, images, steps=1)
    moved = gan.discriminator.trainable_variables
    for new, before, gradient in zip(moved, weights, total, strict=True):
        expected = before.numpy() - rate * gradient
        np.testing.assert_allclose(new, expected, atol=1e-5, err_msg=new.path)


class Watched(GAN):
    """Keeps the fakes of each slice, in the order of work."""

    fakes: list

    def forward(self, real_images, draws):
        images = super().forward(real_images, draws)
        self.fakes.append(images.numpy())
        return images


def test_dropout_is_each_slices_own_and_the_same_for_both_players(images):
    latents = keras.Input((5,))
    x = keras.layers.Dense(192, kernel_initializer="zeros", bias_initializer="ones")
    x = keras.layers.Dropout(0.5, seed=1)(x(latents))
    generator = keras.Model(latents, keras.layers.Reshape((8, 8, 3))(x))
    gan = Watched(generator, spectral()[1], seed=3)
    gan.compile(accumulate=4)
    gan.fakes = []
    gan.train_step(tf.constant(images[:BATCH]))
    judged, drawn = gan.fakes[:4], gan.fakes[4:]
    np.testing.assert_array_equal(judged, drawn)
    masks = np.reshape(judged, (BATCH, -1))
    assert set(np.unique(masks)) == {0, 2}
    assert len(np.unique(masks, axis=0)) == BATCH
    (seed,) = generator.non_trainable_variables
    np.testing.assert_array_equal(seed.numpy(), [1, 1])  # as after one batch
    assert SEED_STRIDE > 1000  # layers made with neighbouring seeds stay apart


def test_parts_of_replicas_share_the_numbers_of_one_device():
    whole = Draws([3, 4]).normal("latents", (12, 2))
    parts = [
        Draws([3, 4], replica, 2).part(number, 3).normal("latents", (2, 2))
        for replica in range(2)
        for number in range(3)
    ]
    np.testing.assert_array_equal(whole, tf.concat(parts, axis=0))


def test_the_graph_does_not_grow_with_the_slices(images):
    def size(accumulate):
        step = tf.function(build(accumulate).train_step)
        concrete = step.get_concrete_function(tf.constant(images[:BATCH]))
        graph = concrete.graph.as_graph_def()
        return len(graph.node) + sum(len(x.node_def) for x in graph.library.function)

    assert size(16) == pytest.approx(size(2), rel=0.01)


def test_cut_and_resumed(tiny_gan, tiny_batches, tmp_path):
    def train(steps, folder=None):
        gan = tiny_gan(dropout=0.3, accumulate=2, real_labels=(0.8, 1.0))
        gan.fit(tiny_batches, kimg=steps * 0.004, resume=folder, **TICK | SHORT)
        return gan

    straight = train(4)
    train(2, tmp_path)
    resumed = train(4, tmp_path)
    expected, found = state(straight), state(resumed)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert len(resumed.history_rows) == 4


SHORT = {"tick_kimg": 0.004}


class Spoiled(GAN):
    """Its generator's loss is NaN in one slice of each batch."""

    def generator_objective(self, real_images, fake_images, draws, fake_logits=None):
        loss, logs = super().generator_objective(real_images, fake_images, draws)
        return tf.where(tf.equal(draws.replica, 2), np.nan, loss), logs


@pytest.mark.parametrize("place", ["real_images", "generator_loss"])
def test_a_bad_slice_leaves_all_as_it_was(place, tiny_gan, images):
    gan_class = Spoiled if place == "generator_loss" else GAN
    gan = tiny_gan(gan_class=gan_class, accumulate=4)
    before, images = state(gan), images.copy()
    if place == "real_images":
        images[9, 2, 2, 0] = np.nan
    with pytest.raises(NotFiniteError, match=place):
        fit(gan, images)
    after = state(gan)
    kept = [name for name in before if not name.startswith("counters")]
    if place == "generator_loss":  # the discriminator's own move was sound
        assert int(gan.discriminator_optimizer.iterations) == 1
        kept = [name for name in kept if not name.startswith("discriminator")]
    assert any(name.startswith("generator_optimizer") for name in kept)
    for name in kept:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_impossible_numbers_are_explained(tiny_gan, images):
    with pytest.raises(ValueError, match=r"`accumulate` >= 1. Received: 0"):
        tiny_gan(accumulate=0)
    with pytest.raises(ValueError, match=r"accumulate=3.*16 images.*multiple of 3"):
        fit(tiny_gan(accumulate=3), images)
    gan = tiny_gan(batch_norm=False, accumulate=3)
    unknown = tf.TensorSpec((None, 8, 8, 3))
    step = tf.function(gan.train_step, input_signature=[unknown])
    step(tf.constant(images[:6]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="multiple of 3"):
        step(tf.constant(images[:7]))


def test_loss_scaling(tiny_gan, images):
    gans = [
        tiny_gan(
            batch_norm=False, dtype="mixed_float16", accumulate=k,
            **dict(zip(PLAYERS, plain(0.5), strict=True)),
        )
        for k in (1, 4)
    ]  # fmt: skip
    before = state(gans[0])
    for gan in gans:
        fit(gan, images)
        assert int(gan.generator_optimizer.iterations) == STEPS
        assert float(gan.generator_optimizer.dynamic_scale) == 2.0**15
    moved = np.abs(state(gans[0])["generator/0000"] - before["generator/0000"]).max()
    assert moved > 5e-3
    assert_trained_alike(*gans, rtol=5e-3, atol=5e-4)


@pytest.mark.slow
def test_xla_trains_alike(images):
    settings = {"jit_compile": True, "penalty": "r1", "penalty_every": 2}
    whole, sliced = build(1, **settings), build(4, **settings)
    for gan in (whole, sliced):
        fit(gan, images)
    assert_trained_alike(whole, sliced)


PROGRAM = """
import json
import keras, numpy as np, tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from gan_lib.layers import SpectralDense
from gan_lib.training import GAN


def build(accumulate, augment=None):
    keras.utils.set_random_seed(0)
    latents, images = keras.Input((5,)), keras.Input((8, 8, 3))
    x = keras.layers.Reshape((8, 8, 3))(SpectralDense(192)(latents))
    y = SpectralDense(1)(keras.layers.Flatten()(images))
    gan = GAN(keras.Model(latents, x), keras.Model(images, y), seed=3)
    sgd = keras.optimizers.SGD
    gan.compile(
        sgd(0.1), sgd(0.1), penalty="r1", penalty_every=2, real_labels=(0.8, 1.0),
        accumulate=accumulate, augment=augment,
    )
    return gan


def train(gan):
    images = np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 3)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8, drop_remainder=True)
    history = gan.fit(dataset, kimg=0.032, tick_kimg=0.008, verbose=0).history
    weights = [gan.generator, gan.discriminator, gan.ema_generator]
    return {
        "losses": history["discriminator_loss"] + history["generator_loss"],
        "weights": [w.numpy().ravel().tolist() for n in weights for w in n.weights],
    }


results = [train(build(1))]
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    results.append(train(build(2)))
    try:
        train(build(2, augment="ada"))
    except ValueError as error:
        results.append(str(error))
print(json.dumps(results))
"""


@pytest.mark.slow
def test_two_replicas_in_slices_equal_one_device(run_python):
    one, two, error = json.loads(run_python(PROGRAM).splitlines()[-1])
    np.testing.assert_allclose(one["losses"], two["losses"], rtol=1e-4)
    for a, b in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert "replicas share augmentation" in error
