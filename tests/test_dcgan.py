"""The three published recipes: sizes, shapes, counts, initial values, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from parameter_counts import count_trainable

from gan_lib.data.pipeline import Batches
from gan_lib.models import dcgan as module
from gan_lib.models.dcgan import (
    PUBLISHED,
    build_discriminator,
    build_generator,
    dcgan,
)

# Trainable and all parameters (batch norm's running averages included).
COUNTS = {
    "anime": ((3_614_723, 3_616_771), (2_766_529, 2_768_321)),
    "dcgan_torch": ((3_576_704, 3_578_624), (2_765_568, 2_767_360)),
    "radford2015": ((18_885_760, None), (17_232_768, None)),
}


def _widths(network, kinds):
    """(side, channels) after each layer of these kinds."""
    return [
        layer.output.shape[2:4]
        for layer in network.layers
        if isinstance(layer, kinds) and len(layer.output.shape) == 4
    ]


@pytest.mark.parametrize("recipe", COUNTS)
def test_parameter_counts_are_the_published_ones(recipe):
    networks = PUBLISHED[f"dcgan/{recipe}_64"]()
    for name, (trainable, total) in zip(networks, COUNTS[recipe], strict=True):
        assert count_trainable(networks[name]) == trainable
        if total is not None:
            assert networks[name].count_params() == total


@pytest.mark.parametrize(
    ("recipe", "generator", "discriminator"),
    [
        (
            "anime",
            [(4, 512), (8, 256), (16, 128), (32, 64), (32, 64), (64, 3)],
            [(32, 64), (16, 128), (8, 256), (4, 512)],
        ),
        (
            "dcgan_torch",
            [(4, 512), (8, 256), (16, 128), (32, 64), (64, 3)],
            [(32, 64), (16, 128), (8, 256), (4, 512), (1, 1)],
        ),
        (
            "radford2015",
            [(8, 512), (16, 256), (32, 128), (64, 3)],
            [(32, 128), (16, 256), (8, 512), (4, 1024)],
        ),
    ],
)
def test_stages(recipe, generator, discriminator):
    convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    networks = PUBLISHED[f"dcgan/{recipe}_64"]()
    assert _widths(networks["generator"], convolutions) == generator
    assert _widths(networks["discriminator"], convolutions) == discriminator


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("size", [8, 32, 64, 128])
def test_sizes(size, upsampling):
    generator = build_generator(
        image_size=size, latent_dim=7, width=4, channels=1, upsampling=upsampling
    )
    discriminator = build_discriminator(image_size=size, width=4, channels=1)
    latents = np.random.default_rng(0).normal(size=(2, 7)).astype("float32")
    images = generator(latents)
    assert images.shape == (2, size, size, 1)
    assert np.abs(images).max() <= 1
    assert discriminator(images).shape == (2, 1)
    transposed = [
        layer
        for layer in generator.layers
        if isinstance(layer, keras.layers.Conv2DTranspose) and layer.output.shape[1] > 4
    ]
    assert bool(transposed) == (upsampling == "transposed")


@pytest.mark.parametrize("recipe", ["radford2015", "dcgan_torch"])
def test_initial_values_of_the_paper(recipe):
    for network in PUBLISHED[f"dcgan/{recipe}_64"]().values():
        starts = []
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                assert np.mean(layer.gamma) == pytest.approx(1, abs=0.01)
                assert np.std(layer.gamma) == pytest.approx(0.02, rel=0.35)
                assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)
                starts.append(np.ravel(layer.gamma)[:4].tolist())
            elif layer.weights:
                assert not layer.use_bias
                kernel = np.asarray(layer.kernel)
                assert kernel.mean() == pytest.approx(0, abs=0.002)
                assert kernel.std() == pytest.approx(0.02, rel=0.05)
                starts.append(np.ravel(kernel)[:4].tolist())
        assert len(np.unique(starts, axis=0)) == len(starts)  # no two layers alike


def test_details_of_the_anime_recipe():
    gan = dcgan("anime", image_size=16, width=4)
    for network in (gan.generator, gan.discriminator):
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                assert layer.momentum == 0.5
            if isinstance(layer, keras.layers.LeakyReLU):
                assert layer.negative_slope == pytest.approx(0.2)
    assert gan.real_labels == (0.8, 1)
    assert gan.fake_labels == (0, 0.2)
    rates = (gan.generator_optimizer, gan.discriminator_optimizer)
    assert [float(o.learning_rate) for o in rates] == pytest.approx([1.5e-4, 2e-4])
    assert [o.beta_1 for o in rates] == [0.5, 0.5]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_outputs_are_float32_whatever_is_computed_inside(dtype):
    generator = build_generator(image_size=8, width=2, dtype=dtype)
    discriminator = build_discriminator(image_size=8, width=2, dtype=dtype)
    images = generator(np.zeros((1, 100), "float32"))
    assert images.dtype == discriminator(images).dtype == "float32"
    assert generator.layers[-2].compute_dtype == dtype.removeprefix("mixed_")


def test_compile_arguments_win_over_the_recipe(tiny_batches):
    gan = dcgan("anime", image_size=8, width=2, latent_dim=5, real_labels=(1, 1))
    assert gan.real_labels == (1, 1)
    hinge = dcgan("anime", image_size=8, width=2, latent_dim=5, loss="hinge")
    hinge.fit(tiny_batches, kimg=0.004, tick_kimg=0.004, verbose=0)  # no labels asked


def test_one_seed_gives_equal_weights():
    first, second, third = (
        dcgan(image_size=8, width=2, seed=seed).generator.get_weights()
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.any(first[0] != third[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "biggan"}, "dcgan_torch"),
        ({"image_size": 48}, "power of two"),
        ({"image_size": 4}, "at least 8"),
        ({"upsampling": "bilinear"}, "resize"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_generator(**arguments)
    if "upsampling" not in arguments:
        with pytest.raises(ValueError, match=message):
            build_discriminator(**arguments)


@pytest.mark.slow
def test_it_learns_the_mean_colour():
    """Not only runs: after a few hundred images the fakes have the data's colour."""
    colour = np.array([200, 120, 60])
    noise = np.random.default_rng(0).integers(-30, 30, (64, 8, 8, 3))
    images = (colour + noise).astype("uint8")
    rate = keras.optimizers.Adam(2e-3, beta_1=0.5)
    gan = dcgan(
        "dcgan_torch", 8, 8, width=8, ema_half_life_kimg=0.2, generator_optimizer=rate
    )
    before = gan.generate(64).mean(axis=(0, 1, 2))
    gan.fit(Batches(images, 16), kimg=6, verbose=0)
    after = gan.generate(64).mean(axis=(0, 1, 2))
    target = colour / 127.5 - 1
    assert np.abs(before - target).max() > 0.4
    assert np.abs(after - target).max() < 0.25


def test_recipes_are_published():
    assert PUBLISHED.keys() == {f"dcgan/{name}_64" for name in COUNTS}
    assert module.RECIPES.keys() >= COUNTS.keys()


def test_the_laptop_recipe_trains_with_its_penalty():
    gan = dcgan("laptop", image_size=16, width=2)
    assert (gan.penalty, gan.penalty_weight, gan.penalty_every) == ("r1", 2.0, 8)
    assert dcgan("laptop", image_size=16, width=2, penalty=None).penalty is None
    for network, normalized in ((gan.generator, True), (gan.discriminator, False)):
        kinds = [isinstance(x, keras.layers.BatchNormalization) for x in network.layers]
        assert any(kinds) == normalized
