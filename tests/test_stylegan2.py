"""StyleGAN2: counts, styles, noise, truncation, penalties, files, resuming."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from parameter_counts import count_trainable

from gan_lib import stylegan2_networks
from gan_lib import styles as module
from gan_lib.latents import sample
from gan_lib.models.stylegan2 import PUBLISHED, stylegan2
from gan_lib.randomness import Draws
from gan_lib.session import state
from gan_lib.sizes import channels_at, count_styles

SMALL = {
    "latent_dim": 6,
    "style_dim": 7,
    "mapping_layers": 2,
    "width": 4,
    "widest": 8,
    "r1_every": 2,
}
COUNTS = {
    "stylegan2/config_e_1024": (24_900_764, 24_038_161),
    "stylegan2/config_f_1024": (30_370_060, 29_012_513),
}
TICK = {"tick_kimg": 0.008, "checkpoint_minutes": 0, "verbose": 0}


def _loud(gan):
    """The same model with audible noise, biases and an average that is not 0."""
    rng = np.random.default_rng(3)
    for weight in gan.ema_generator.weights:
        if weight.name in ("strength", "bias", "average"):
            weight.assign(weight + 0.5 * rng.normal(size=weight.shape))
    return gan


@pytest.fixture(scope="module")
def gan():
    return _loud(stylegan2(16, **SMALL))


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_are_those_of_the_paper(name):
    networks = PUBLISHED[name]()
    assert tuple(count_trainable(x) for x in networks.values()) == COUNTS[name]


def test_a_small_one_has_the_count_of_its_layers():
    narrow = {"width": 64, "widest": 64}
    generator = stylegan2_networks.build_generator(
        32, latent_dim=64, style_dim=64, mapping_layers=2, **narrow
    )
    judge = stylegan2_networks.build_discriminator(32, **narrow)
    assert (count_trainable(generator), count_trainable(judge)) == (314_387, 337_281)


def test_sizes():
    assert [count_styles(size) for size in (8, 32, 64, 1024)] == [4, 8, 10, 18]
    widths = [channels_at(4 << i, 1024, 16, 512) for i in range(9)]
    assert widths == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    for size in (4, 48):
        with pytest.raises(ValueError, match="power of two"):
            stylegan2_networks.build_discriminator(size, width=4)


def test_pictures_have_the_promised_shape_and_range(gan):
    images = gan.generate(5)
    assert images.shape == (5, 16, 16, 3)
    assert images.dtype == np.float32
    assert np.abs(images).max() <= 1
    np.testing.assert_array_equal(images, gan.generate(sample(5, 6)))


def test_truncation_draws_to_the_average(gan):
    styles = gan.styles(4)
    assert styles.shape == (4, module.count(gan.generator), 7) == (4, 6, 7)
    average = module.average(gan.ema_generator)
    np.testing.assert_allclose(gan.truncate(styles, 1), styles, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        gan.truncate(styles, -1) - average, average - styles, rtol=1e-4, atol=1e-5
    )
    half = gan.truncate(styles, 0.5, cutoff=2)
    np.testing.assert_array_equal(half[:, 2:], styles[:, 2:])
    np.testing.assert_allclose(half[:, :2], (styles[:, :2] + average) / 2, rtol=1e-3)
    same = gan.generate(4, truncation=0)
    np.testing.assert_allclose(same, same[:1].repeat(4, 0), atol=1e-5)


def test_layers_of_two_pictures_can_be_mixed(gan):
    first, second = gan.styles(2, seed=1)
    mixed = np.concatenate([first[:2], second[2:]])[None]
    images = gan.synthesize(np.stack([first, second]))
    found = gan.synthesize(mixed)[0]
    assert np.abs(found - images[0]).max() > 1e-3
    assert np.abs(found - images[1]).max() > 1e-3


def test_noise_is_fixed_none_or_seeded(gan):
    styles = gan.styles(3)
    images = {n: gan.synthesize(styles, noise=n) for n in ("fixed", "none", 1, 2)}
    np.testing.assert_allclose(images["fixed"], gan.generate(3), atol=1e-6)
    np.testing.assert_array_equal(images[1], gan.synthesize(styles, noise=1))
    names = list(images)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert np.abs(images[one] - images[other]).max() > 1e-3
    # one map for all pictures of a batch, however they are cut into batches
    np.testing.assert_allclose(
        images[2], gan.synthesize(styles, noise=2, batch_size=2), atol=1e-5
    )
    with pytest.raises(ValueError, match='"fixed", "none"'):
        gan.synthesize(styles, noise="loud")


def test_styles_are_mixed_after_a_layer_of_each_picture():
    gan = stylegan2(16, **SMALL)
    styles = module.draw(gan.generator, 400, 0.9, Draws((1, 2))).numpy()
    changes = np.any(np.diff(styles, axis=1) != 0, axis=-1)  # (B, layers - 1)
    assert changes.sum(1).max() == 1
    assert changes.any(1).mean() == pytest.approx(0.9, abs=0.05)
    assert np.all(changes.sum(0) > 0.9 * 400 / 5 / 2)  # every layer has its turn
    styles = module.draw(gan.generator, 4, 0.0, Draws((1, 2))).numpy()
    np.testing.assert_array_equal(styles, styles[:, :1].repeat(6, 1))


def test_the_average_style_follows_the_mapping():
    gan = stylegan2(16, **SMALL)
    for step in range(1_500):
        module.draw(gan.generator, 16, 0.9, Draws((0, step)))
    found = gan.generator.get_layer("truncation").average.numpy()
    mean = gan.generator.get_layer("mapping")(sample(20_000, 6)).numpy().mean(0)
    np.testing.assert_allclose(found, mean, atol=0.05)


def test_what_is_saved_opens_and_is_clipped(gan, tmp_path):
    gan.export(tmp_path)
    network = keras.saving.load_model(tmp_path / "generator.keras")
    z = sample(3, 6)
    np.testing.assert_allclose(network(z), gan.generate(z), atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"path_length_weight": 2.0}])
def test_a_resumed_run_equals_an_unbroken_one(options, tiny_batches, tmp_path):
    def newborn():
        return stylegan2(8, **SMALL, **options)

    unbroken = newborn()
    unbroken.fit(tiny_batches, kimg=0.032, **TICK)
    newborn().fit(tiny_batches, kimg=0.016, resume=tmp_path, **TICK)
    second = newborn()
    second.fit(tiny_batches, kimg=0.032, resume=tmp_path, **TICK)
    expected, found = state(unbroken), state(second)
    assert ("path_length/0000" in expected) == bool(options)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
