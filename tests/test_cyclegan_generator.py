"""CycleGAN's generator: its published size, its blocks, and what sizes it takes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from gan_lib.layers import InstanceNormalization
from gan_lib.models import cyclegan


def _pictures(*shape) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(0)
    return cyclegan.build_generator(16, blocks=2, width=4)


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("cyclegan/resnet_9blocks", 256, 11_378_179),
        ("cyclegan/resnet_6blocks", 128, 7_837_699),
    ],
)
def test_published_networks_have_the_published_size(name, size, parameters):
    networks = cyclegan.PUBLISHED[name]()
    generator, discriminator = networks["generator"], networks["discriminator"]
    assert generator.count_params() == parameters
    assert generator.input_shape == generator.output_shape == (None, size, size, 3)
    assert discriminator.count_params() == 2_764_737
    default = cyclegan.build_generator(size)  # the paper's number of blocks
    assert default.count_params() == parameters


def test_channels_and_map_sizes(small):
    for name, wanted in {
        "first": (16, 4),
        "down1": (8, 8),
        "down2": (4, 16),
        "block2": (4, 16),
        "up2_crop": (8, 8),
        "up1_crop": (16, 4),
        "last": (16, 3),
    }.items():
        side, channels = wanted
        shape = small.get_layer(name).output.shape
        assert shape == (None, side, side, channels), name


def test_pictures_are_bounded_and_do_not_see_their_neighbours(small):
    source = 3 * _pictures(3, 16, 16, 3)
    images = np.asarray(small(source))
    assert images.dtype == np.float32
    assert np.abs(images).max() <= 1
    alone = np.concatenate([small(source[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(images, alone, atol=1e-5)
    np.testing.assert_array_equal(images, small(source, training=True))


def test_a_block_adds_to_its_input_without_cutting(small):
    """y = x + f(x): no ReLU behind the sum, so the next block sees negative values."""
    names = ("down2", "block1_conv2_norm", "block1", "block2")
    outputs = [small.get_layer(name).output for name in names]
    maps = keras.Model(small.input, outputs)(_pictures(2, 16, 16, 3))
    before, change, after, last = (np.asarray(x) for x in maps)
    # The norm and ReLU behind "down2" belong to it, not to the block.
    mean = before.mean((1, 2), keepdims=True)
    deviation = np.sqrt(before.var((1, 2), keepdims=True) + 1e-5)
    entering = np.maximum((before - mean) / deviation, 0)
    np.testing.assert_allclose(after, entering + change, rtol=1e-3, atol=1e-4)
    assert after.min() < -0.1
    assert last.min() < -0.1


def test_every_norm_is_an_instance_norm_without_weights(small):
    norms = [x for x in small.layers if x.name.endswith("_norm")]
    assert len(norms) == 9  # first, 2 down, 4 in blocks, 2 up; none behind the last
    assert all(isinstance(x, InstanceNormalization) and not x.weights for x in norms)
    assert all(x.epsilon == 1e-5 for x in norms)


@pytest.mark.parametrize("normalization", ["batch", "none"])
def test_other_normalizations(normalization):
    network = cyclegan.build_generator(
        8, blocks=1, width=2, normalization=normalization, source_channels=1
    )
    assert network(_pictures(1, 8, 8, 1)).shape == (1, 8, 8, 3)
    assert network.get_layer("down1").use_bias == (normalization != "batch")
    assert network.get_layer("last").use_bias
    with pytest.raises(ValueError, match="normalization"):
        cyclegan.build_generator(8, normalization="layer")


def test_any_size_gives_the_same_pictures(small):
    network = cyclegan.build_generator(None, blocks=2, width=4)
    network.set_weights(small.get_weights())
    source = _pictures(1, 16, 16, 3)
    np.testing.assert_allclose(network(source), small(source), atol=1e-5)
    assert network(_pictures(2, 12, 20, 3)).shape == (2, 12, 20, 3)


@pytest.mark.parametrize(("size", "nearest"), [(30, 28), (4, 8), (0, 8), (-4, 8)])
def test_a_size_that_cannot_be_halved_twice(size, nearest):
    with pytest.raises(ValueError, match=f"divisible by 4.*fits: {nearest}"):
        cyclegan.build_generator(size)
    cyclegan.build_generator(nearest, blocks=1, width=1)


def test_dropout_is_built_only_if_wanted(small):
    def dropouts(network):
        return [x for x in network.layers if isinstance(x, keras.layers.Dropout)]

    assert not dropouts(small)
    network = cyclegan.build_generator(8, blocks=2, width=2, dropout_rate=0.5, seed=3)
    assert [x.rate for x in dropouts(network)] == [0.5, 0.5]
    assert len({x.seed for x in dropouts(network)}) == 2
    source = _pictures(1, 8, 8, 3)
    first, second = (np.asarray(network(source, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(network(source), network(source))


def test_half_precision_gives_float32_pictures(small):
    network = cyclegan.build_generator(16, blocks=2, width=4, dtype="mixed_bfloat16")
    network.set_weights(small.get_weights())
    source = _pictures(2, 16, 16, 3)
    images = np.asarray(network(source))
    assert images.dtype == np.float32
    assert np.abs(images - small(source)).mean() < 0.02


def test_it_can_be_saved(small, tmp_path):
    small.save(tmp_path / "generator.keras")
    opened = keras.saving.load_model(tmp_path / "generator.keras")
    source = _pictures(1, 16, 16, 3)
    np.testing.assert_array_equal(opened(source), small(source))
