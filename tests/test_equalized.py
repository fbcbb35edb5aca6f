"""Layers with an equalized learning rate."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from gan_lib.export import portable_copy
from gan_lib.layers import (
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownsampleConv2D,
    EqualizedUpsampleConv2D,
    LeakyReLU,
    UpsampleConv2D,
)
from gan_lib.optimizers import Adam

RNG = np.random.default_rng(0)


def _normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def test_dense_follows_its_equation():
    layer = EqualizedDense(5, gain=1.3, rate_multiplier=0.1)
    x = _normal(4, 7)
    layer.build(x.shape)
    layer.bias.assign(_normal(5))
    kernel, bias = layer.get_weights()
    expected = x @ kernel * 0.1 * 1.3 / np.sqrt(7) + 0.1 * bias
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_convolution_follows_its_equation():
    layer = EqualizedConv2D(4, 3, strides=2, gain=1.3, padding="same")
    x = _normal(2, 8, 8, 5)
    layer.build(x.shape)
    kernel = layer.get_weights()[0] * np.float32(1.3 / np.sqrt(3 * 3 * 5))
    expected = keras.ops.conv(x, kernel, 2, padding="same")
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_upsampling_convolution_is_that_of_scaled_weights():
    ours, plain = EqualizedUpsampleConv2D(4, 3, gain=1.3), UpsampleConv2D(4, 3)
    x = _normal(2, 5, 5, 6)
    ours.build(x.shape)
    plain.build(x.shape)
    kernel, bias = ours.get_weights()
    plain.set_weights([kernel * 1.3 / np.sqrt(9 * 6), bias])
    np.testing.assert_allclose(ours(x), plain(x), rtol=1e-4, atol=1e-5)


def test_downsampling_convolution_is_that_of_the_mean():
    layer = EqualizedDownsampleConv2D(4, 3, gain=1.3, use_bias=False)
    x = _normal(2, 8, 8, 5)
    y = layer(x)
    kernel = layer.get_weights()[0] * np.float32(1.3 / np.sqrt(9 * 5))
    full = keras.ops.conv(x, kernel, padding="same")
    expected = keras.ops.average_pool(full, 2)
    assert y.shape == (2, 4, 4, 4) == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_downsampling_can_blur_first():
    layer = EqualizedDownsampleConv2D(4, 3, blur=True, use_bias=False)
    x = _normal(2, 8, 8, 5)
    y = layer(x)
    kernel = layer.get_weights()[0] / np.float32(np.sqrt(9 * 5))
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    filters = np.einsum("ij,cd->ijcd", taps, np.eye(5)).astype("float32")
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    blurred = keras.ops.conv(padded, filters, padding="valid")
    expected = keras.ops.conv(blurred, kernel, 2, padding="valid")
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="odd"):
        EqualizedDownsampleConv2D(4, 4)


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_outputs_start_with_unit_variance(multiplier):
    keras.utils.set_random_seed(0)
    x = _normal(2_000, 128)
    outputs = EqualizedDense(128, rate_multiplier=multiplier)(x)
    assert np.std(outputs) == pytest.approx(1, abs=0.02)
    rectified = EqualizedDense(128, gain=2**0.5, rate_multiplier=multiplier)(x)
    power = np.mean(np.square(LeakyReLU(negative_slope=0.2)(rectified)))
    assert power == pytest.approx(1.04, abs=0.05)


def test_the_rate_multiplier_slows_adam_by_its_factor():
    moved = {}
    for multiplier in (1.0, 0.01):
        layer = EqualizedDense(3, rate_multiplier=multiplier)
        layer.build((None, 4))
        before = layer.get_weights()
        optimizer = Adam(0.1)
        optimizer.apply([np.ones_like(w) for w in before], layer.trainable_variables)
        after = layer.get_weights()
        moved[multiplier] = [
            multiplier * (new - old) for new, old in zip(after, before, strict=True)
        ]
    for fast, slow in zip(*moved.values(), strict=True):
        np.testing.assert_allclose(slow, 0.01 * fast, rtol=1e-3)


@pytest.mark.parametrize("multiplier", [0, -1])
def test_a_rate_multiplier_is_positive(multiplier):
    with pytest.raises(ValueError, match="rate_multiplier"):
        EqualizedDense(3, rate_multiplier=multiplier)


def test_files_hold_the_learned_kernels(tmp_path):
    latents = keras.Input((6,))
    x = EqualizedDense(16, gain=1.4, rate_multiplier=0.01)(latents)
    x = keras.layers.Reshape((4, 4, 1))(x)
    x = EqualizedConv2D(3, 3, padding="same", gain=1.4)(x)
    x = EqualizedDownsampleConv2D(3, 3, blur=True)(x)
    network = keras.Model(latents, EqualizedUpsampleConv2D(2, 3)(x))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    for copy in (loaded, portable_copy(network)):
        for ours, theirs in zip(network.weights, copy.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        z = _normal(3, 6)
        np.testing.assert_allclose(network(z), copy(z), rtol=1e-5, atol=1e-6)
