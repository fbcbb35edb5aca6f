"""Reflection padding: NumPy's values, Keras's contract, files that open anywhere."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from gan_lib import export
from gan_lib.layers import Cropping2D, ReflectionPadding2D

PADDINGS = [1, 3, (2, 1), ((0, 3), (2, 0)), 0]


def _maps(*shape) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("padding", PADDINGS, ids=str)
def test_values_are_those_of_numpy(padding):
    maps = _maps(2, 4, 5, 3)
    layer = ReflectionPadding2D(padding)
    padded = layer(maps)
    width = ((0, 0), *layer.padding, (0, 0))
    np.testing.assert_array_equal(padded, np.pad(maps, width, mode="reflect"))
    assert layer.compute_output_shape(maps.shape) == padded.shape


def test_the_border_pixel_is_not_repeated():
    """The row of the docstring: c b | a b c d | c b."""
    row = np.arange(4, dtype="float32")[None, None, :, None]
    padded = ReflectionPadding2D((0, 2))(row)
    np.testing.assert_array_equal(padded[0, 0, :, 0], [2, 1, 0, 1, 2, 3, 2, 1])


def test_channels_first():
    maps = _maps(2, 3, 4, 5)
    layer = ReflectionPadding2D(((1, 2), (3, 0)), data_format="channels_first")
    wanted = np.pad(maps, ((0, 0), (0, 0), (1, 2), (3, 0)), mode="reflect")
    np.testing.assert_array_equal(layer(maps), wanted)


@pytest.mark.parametrize(
    ("shape", "padding", "word"),
    [((1, 3, 9, 1), 3, "high"), ((1, 9, 2, 1), ((0, 0), (0, 2)), "wide")],
)
def test_a_map_smaller_than_its_mirror_image(shape, padding, word):
    with pytest.raises(ValueError, match=f"pixels {word}.*Received: shape"):
        ReflectionPadding2D(padding)(_maps(*shape))
    larger = tuple(side + 1 for side in shape)
    ReflectionPadding2D(padding)(_maps(*larger))


def test_sizes_that_come_later_and_half_precision():
    inputs = keras.Input((None, None, 2))
    layer = ReflectionPadding2D(2, dtype="mixed_bfloat16")
    model = keras.Model(inputs, layer(inputs))
    assert model.output.shape == (None, None, None, 2)
    outputs = model(_maps(1, 3, 4, 2))
    assert outputs.shape == (1, 7, 8, 2)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_gradients_come_back_from_the_mirror():
    import tensorflow as tf

    maps = tf.constant(_maps(1, 3, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        total = tf.reduce_sum(ReflectionPadding2D(1)(maps))
    # How often each pixel of a 3 x 3 map appears in the 5 x 5 one.
    wanted = np.outer([1, 3, 1], [1, 3, 1])
    np.testing.assert_array_equal(tape.gradient(total, maps)[0, :, :, 0], wanted)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("cropping", [1, ((1, 0), (0, 2)), 0], ids=str)
def test_cropping_is_that_of_keras(cropping, dtype):
    import tensorflow as tf

    maps = tf.constant(_maps(2, 5, 6, 3))
    found = []
    for layer_class in (Cropping2D, keras.layers.Cropping2D):
        layer = layer_class(cropping, dtype=dtype)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            outputs = layer(maps)
            total = tf.reduce_sum(outputs * outputs)
        assert layer.compute_output_shape(maps.shape) == outputs.shape
        assert outputs.dtype == layer.compute_dtype
        found.append((outputs, tape.gradient(total, maps)))
    for ours, stock in zip(*found, strict=True):
        np.testing.assert_array_equal(
            tf.cast(ours, tf.float32), tf.cast(stock, tf.float32)
        )


def test_cropping_maps_of_a_size_that_comes_later():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, Cropping2D(((1, 0), (1, 0)))(inputs))
    maps = _maps(2, 4, 5, 3)
    np.testing.assert_array_equal(model(maps), maps[:, 1:, 1:])


def test_too_small_a_map_to_be_cropped():
    with pytest.raises(ValueError, match="cropping"):
        Cropping2D(3)(_maps(1, 5, 6, 2))


@pytest.fixture
def model():
    inputs = keras.Input((8, 6, 3))
    x = ReflectionPadding2D(((1, 2), (3, 0)), name="mirror")(inputs)
    x = keras.layers.Conv2D(2, 3, name="convolution")(x)
    return keras.Model(inputs, x, name="generator")


def test_configuration_and_file_round_trip(model, tmp_path):
    layer = model.get_layer("mirror")
    copy = ReflectionPadding2D.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert type(opened.get_layer("mirror")) is ReflectionPadding2D
    maps = _maps(2, 8, 6, 3)
    np.testing.assert_array_equal(opened(maps), model(maps))


OPEN_WITHOUT_GAN_LIB = """
import sys
import keras, numpy as np
folder = sys.argv[1]
maps = np.load(f"{folder}/maps.npy")
first = keras.saving.load_model(f"{folder}/generator.keras")
second = keras.models.model_from_json(open(f"{folder}/generator.json").read())
second.load_weights(f"{folder}/generator.weights.h5")
assert not any(name.startswith("gan_lib") for name in sys.modules)
np.save(f"{folder}/opened.npy", np.stack([first(maps), second(maps)]))
"""


@pytest.mark.slow
def test_an_exported_network_opens_without_this_library(model, tmp_path, run_python):
    maps = _maps(2, 8, 6, 3)
    portable = export.portable_copy(model)
    assert portable.output.shape == model.output.shape == (None, 9, 7, 2)
    export.save(portable, tmp_path)
    np.save(tmp_path / "maps.npy", maps)
    run_python(OPEN_WITHOUT_GAN_LIB, tmp_path)
    for outputs in np.load(tmp_path / "opened.npy"):
        np.testing.assert_allclose(outputs, model(maps), rtol=1e-6, atol=1e-6)
