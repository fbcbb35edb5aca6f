"""BigGAN: counts, hierarchy, projection, losses, statistics, files, resuming."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameter_counts import count_trainable

from gan_lib import biggan_networks, penalties
from gan_lib.conditions import class_rows
from gan_lib.data.labelled_batches import LabelledBatches
from gan_lib.latents import sample
from gan_lib.models.biggan import PUBLISHED, biggan, standing_statistics
from gan_lib.session import state

SMALL = {"latent_dim": 8, "class_dim": 3, "width": 2, "attention": 16}
COUNTS = {
    "biggan/128": (70_433_988, 87_982_370),
    "biggan/256": (82_097_604, 99_191_330),
    "biggan/deep_128": (50_244_484, 34_590_210),
}
TICK = {"tick_kimg": 0.008, "checkpoint_minutes": 0, "verbose": 0}


def small(**arguments):
    return biggan(32, 4, **{**SMALL, "rates": (1e-3, 1e-3), "seed": 5} | arguments)


@pytest.fixture(scope="module")
def gan():
    return small()


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 32, 32, 3), "uint8")
    return LabelledBatches(images, np.arange(20) % 4, batch_size=4, seed=1)


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_are_those_published(name, nothing_drawn):
    networks = PUBLISHED[name]()
    assert tuple(count_trainable(x) for x in networks.values()) == COUNTS[name]


def test_a_small_one_has_the_count_of_its_layers():
    shared = {"width": 16, "attention": None}
    generator = biggan_networks.build_generator(
        32, 10, latent_dim=80, class_dim=32, **shared
    )
    judge = biggan_networks.build_discriminator(32, 10, **shared)
    assert (count_trainable(generator), count_trainable(judge)) == (297_667, 265_409)


def test_a_pyramid_has_many_channels_where_maps_are_small():
    """4 x 4: 8 width, halved with each doubling; the discriminator the other way."""
    options = {"width": 2, "attention": None, "pyramid": True}
    generator = biggan_networks.build_generator(32, 3, latent_dim=8, **options)
    judge = biggan_networks.build_discriminator(32, 3, **options)
    places = ["block_8_conv_2", "block_16_conv_2", "block_32_conv_2"]
    maps = [generator.get_layer(name).output.shape[1:] for name in places]
    assert generator.get_layer("block_8_shortcut").input.shape[1:] == (4, 4, 16)
    assert maps == [(8, 8, 8), (16, 16, 4), (32, 32, 2)]
    maps = [judge.get_layer(f"block_{n}_conv_2").output.shape[1:] for n in range(4)]
    assert maps == [(32, 32, 2), (16, 16, 4), (8, 8, 8), (4, 4, 16)]
    # Other sizes are pyramids already.
    options |= {"latent_dim": 10, "num_classes": 3}
    plain = biggan_networks.build_generator(64, **options | {"pyramid": False})
    assert (
        plain.count_params()
        == biggan_networks.build_generator(64, **options).count_params()
    )


def test_the_last_latents_do_not_reach_the_first_map(gan):
    """Hierarchy: each part of the latents enters at its own size."""
    generator = gan.generator
    layers = ["start", "block_8_conv_2", "block_16_conv_2"]
    outputs = [generator.get_layer(name).output for name in layers]
    inner = keras.Model(generator.inputs, [*outputs, generator.output])
    latents, classes = sample(1, 8), np.eye(4, dtype="float32")[:1]
    before = inner([latents, classes])
    for part, first in enumerate((0, 1, 2, 3)):
        moved = latents.copy()
        moved[:, 2 * part : 2 * part + 2] += 1
        after = inner([moved, classes])
        changed = [np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True)]
        assert changed == [number >= first for number in range(4)]


def test_projection(gan):
    """logits(x, y) - logits(x, y') = <E (y - y'), h>, linear in the classes."""
    images = np.random.default_rng(2).uniform(-1, 1, (3, 32, 32, 3)).astype("float32")
    one, other = (np.tile(np.eye(4, dtype="float32")[k], (3, 1)) for k in (0, 3))
    judge = gan.discriminator
    a, b = judge([images, one]), judge([images, other])
    assert a.shape == (3, 1)
    assert np.abs(a - b).max() > 1e-4
    half = judge([images, (one + other) / 2])
    np.testing.assert_allclose(half, (a + b) / 2, rtol=1e-4, atol=1e-4)


def test_losses_are_the_papers(batches):
    """The discriminator stands still, spectral norms have settled."""
    gan = small(rates=(1e-3, 0.0), orthogonal_weight=1e-2)
    seen = {}
    forward = gan.forward
    gan.forward = lambda *arguments: seen.setdefault("fakes", forward(*arguments))
    images, labels = next(iter(batches.dataset()))
    real = [images, tf.one_hot(labels, 4)]
    for _ in range(60):
        gan.discriminator(real, training=True)
    history = tf.nest.map_structure(float, eager_step(gan, images, labels))
    real_logits, fake_logits = gan.discriminator(real), gan.discriminator(seen["fakes"])
    expected = np.mean(np.maximum(0, 1 - real_logits))
    expected += np.mean(np.maximum(0, 1 + fake_logits))
    assert history["discriminator_loss"] == pytest.approx(expected, rel=1e-3)
    twin = small()
    kernels = [
        w
        for w in twin.generator.trainable_weights
        if len(w.shape) > 1 and "class_embedding" not in w.path
    ]
    assert len(kernels) == len(kernels_by_hand(twin.generator))
    expected = 1e-2 * float(penalties.orthogonal_penalty([k.value for k in kernels]))
    assert expected > 1e-3
    expected -= float(np.mean(fake_logits))
    assert history["generator_loss"] == pytest.approx(expected, rel=1e-2, abs=1e-3)


def eager_step(gan, images, labels):
    return gan.train_step((images, labels))


def kernels_by_hand(generator):
    layers = [x for x in generator._flatten_layers() if hasattr(x, "kernel")]
    return [x for x in layers if x.name != "class_embedding"]


@pytest.mark.slow
def test_cut_and_resumed_with_two_judgements_a_move(batches, tmp_path):
    def build():
        return small(discriminator_steps=2, orthogonal_weight=1e-4)

    straight, cut, resumed = build(), build(), build()
    straight.fit(batches, kimg=0.032, **TICK)
    cut.fit(batches, kimg=0.016, resume=tmp_path, **TICK)
    history = resumed.fit(batches, kimg=0.032, resume=tmp_path, **TICK)
    expected, actual = state(straight), state(resumed)
    apart = [name for name in expected if np.any(actual[name] != expected[name])]
    assert not apart
    assert history.history["kimg"] == [0.008, 0.016, 0.024, 0.032]


def test_pictures_and_files(gan, tmp_path):
    latents = sample(5, 8, seed=3)
    images = gan.generate(latents, [0, 1, 2, 3, 0])
    assert images.shape == (5, 32, 32, 3)
    assert np.abs(images).max() <= 1
    np.testing.assert_allclose(images, gan.generate(latents), atol=1e-6)
    assert np.abs(gan.generate(latents, 2)[0] - images[0]).max() > 1e-4
    path = gan.export(tmp_path)[0]
    opened = keras.saving.load_model(path)
    again = opened.predict([latents, class_rows([0, 1, 2, 3, 0], 4)], verbose=0)
    np.testing.assert_allclose(again, images, atol=1e-5)


def test_standing_statistics_are_those_of_the_latents(gan):
    latents, classes = 0.3 * sample(32, 8, seed=4), class_rows(np.arange(32) % 4, 4)
    copy = standing_statistics(gan.ema_generator, latents, classes, batch_size=8)
    norm = copy.get_layer("norm")
    twin = keras.models.clone_model(gan.ema_generator)
    twin.set_weights(gan.ema_generator.get_weights())
    inner = keras.Model(twin.inputs, twin.get_layer("norm").input)
    maps = np.concatenate(
        [
            inner([latents[i : i + 8], classes[i : i + 8]], training=True)
            for i in range(0, 32, 8)
        ]
    )
    np.testing.assert_allclose(norm.moving_mean, maps.mean((0, 1, 2)), atol=1e-3)
    parts = maps.reshape(4, 8, *maps.shape[1:])
    expected = parts.var((1, 2, 3)).mean(0)
    np.testing.assert_allclose(norm.moving_variance, expected, rtol=2e-2)
    kept = [w for w in gan.ema_generator.weights if "moving_" not in w.name]
    same = [w for w in copy.weights if "moving_" not in w.name]
    assert norm.momentum == 0.9
    for ours, theirs in zip(same, kept, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="at least one batch of 64"):
        standing_statistics(gan.ema_generator, latents, classes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 48}, "one of 32, 64, 128"),
        ({"latent_dim": 10}, "multiple of 4"),
        ({"attention": 64}, "size of a map"),
        ({"penalty": "r1"}, "spectral norm"),
        ({"augment": "ada"}, "spectral norm"),
    ],
)
def test_what_cannot_be_is_explained(arguments, message):
    arguments = {**SMALL, "image_size": 32, "num_classes": 4} | arguments
    with pytest.raises(ValueError, match=message):
        biggan(**arguments)


def test_there_is_no_discriminator_for_512():
    with pytest.raises(ValueError, match="discriminator to be one of 32, 64, 128, 256"):
        biggan_networks.build_discriminator(512, 4)


@pytest.mark.parametrize("classes", [4, -1, [0, 1], [0, 1, 9], np.ones((3, 5)), 1.5])
def test_classes_that_are_none(gan, classes):
    with pytest.raises(ValueError, match="xpected|no class"):
        gan.generate(3, classes)
