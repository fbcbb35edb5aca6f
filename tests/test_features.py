"""Resize and network: the one road from images to features."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan_lib.metrics import ImageFeatures, Lite0Features, kid
from gan_lib.metrics.features import _resize_matrix


@pytest.fixture(scope="module")
def mean_colour():
    """A feature network one can work out by hand: the mean of each channel."""
    images = keras.Input((None, None, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(images)
    return ImageFeatures(keras.Model(images, outputs, name="mean_colour"), 16)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 97), (16, 16), (8, 31)])
def test_resize_equals_pillow(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width)).astype("float32")
    rows, columns = (np.asarray(_resize_matrix(n, 16)) for n in (height, width))
    wanted = Image.fromarray(image).resize((16, 16), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(rows @ image @ columns.T, wanted, atol=2e-3)


def test_features_quantise_and_clip(mean_colour):
    image = np.zeros((1, 16, 16, 3), "float32")
    image[..., 1:] = 0.3, -0.3
    levels = np.array([[128, 166, 89]])  # from 127.5 (to even), 165.75 and 89.25
    np.testing.assert_allclose(mean_colour(image), levels / 127.5 - 1, atol=1e-6)
    # A sharp edge rings beyond white and black; a picture cannot.
    edge = np.zeros((1, 24, 24, 3), np.uint8)
    edge[:, 12:] = 255
    images = keras.Input((16, 16, 3))
    largest = keras.layers.GlobalMaxPooling2D()(images)
    assert ImageFeatures(keras.Model(images, largest))(edge).max() == 1


def test_features_do_not_depend_on_type_batch_or_container(mean_colour):
    levels = np.random.default_rng(0).integers(0, 256, (10, 20, 20, 3), np.uint8)
    wanted = mean_colour(levels)
    floats = levels.astype("float32") / 127.5 - 1
    assert wanted.dtype == np.float32
    for same in (floats, tf.constant(floats), floats.astype("float64"), list(levels)):
        np.testing.assert_array_equal(mean_colour(same), wanted)
    np.testing.assert_allclose(mean_colour(levels, batch_size=3), wanted, atol=1e-6)
    grey = levels[..., :1]
    np.testing.assert_array_equal(mean_colour(grey), mean_colour(grey.repeat(3, -1)))


def test_half_precision_and_feature_maps_are_fine(mean_colour):
    images = tf.random.stateless_uniform((4, 16, 16, 3), [0, 1], -1, 1)
    half = mean_colour(tf.cast(images, tf.bfloat16))
    np.testing.assert_allclose(half, mean_colour(images), atol=0.01)
    identity = keras.Input((16, 16, 3))
    maps = ImageFeatures(keras.Model(identity, keras.layers.Identity()(identity)))
    np.testing.assert_allclose(maps(images), mean_colour(images), atol=1e-6)


def test_lite0_features():
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    features = Lite0Features()
    assert features(images).shape == (5, 1280)
    assert features.network is Lite0Features(96).network  # built once
    result = kid(images, images)
    assert "EfficientNet-lite0" in result.network
    assert "64x64 -> 128 px" in result.resize


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((64, 64, 3), np.uint8), r"image\[None\]"),
        (np.zeros((2, 3, 64, 64), np.uint8), "channels last"),
        (np.zeros((0, 64, 64, 3), np.uint8), "at least one"),
        (np.zeros((2, 8, 8, 3), np.int64), r"astype\('uint8'\)"),
        (np.full((2, 8, 8, 3), 255.0), "got 255 to 255.*uint8"),
        (np.full((2, 8, 8, 3), np.nan, "float32"), "diverged"),
    ],
)
def test_features_explain_wrong_images(mean_colour, images, message):
    with pytest.raises(ValueError, match=message):
        mean_colour(images)


def test_features_warn_of_zero_to_one(mean_colour):
    with pytest.warns(UserWarning, match=r"2 \* images - 1"):
        mean_colour(np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)))


def test_wrong_networks_are_explained(mean_colour):
    with pytest.raises(TypeError, match="expected a keras.Model"):
        kid(np.zeros((4, 8, 8, 3), np.uint8), np.zeros((4, 16)), network="inception")
    vector = keras.Input((8,))
    with pytest.raises(ValueError, match="expected one image input"):
        ImageFeatures(keras.Model(vector, keras.layers.Identity()(vector)))
    fixed = keras.Input((16, 16, 3))
    with pytest.raises(ValueError, match="takes 16 px"):
        ImageFeatures(keras.Model(fixed, keras.layers.Identity()(fixed)), 32)
