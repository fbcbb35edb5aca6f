"""AdaIN, modulated convolutions, noise, pixel norm: what the papers promise."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import (
    AdaIN,
    Fade,
    FixedNoise,
    InstanceNormalization,
    LearnedConstant,
    ModulatedConv2D,
    NoiseInjection,
    PixelNormalization,
    Truncation,
)

RNG = np.random.default_rng(0)


def _normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def _per_sample_kernels(layer, x, styles):
    """The paper's order of work: a kernel for each image. No bias."""
    w = np.array(layer._kernel, np.float64)
    w = w / np.sqrt(np.prod(w.shape[:-1]))
    for image, style in zip(x, np.float64(styles), strict=True):
        kernel = w * style[:, None]
        if layer.demodulate:
            kernel = kernel / np.sqrt((kernel**2).sum((0, 1, 2)) + 1e-8)
        yield image[None], (layer.gain * kernel).astype("float32")


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("size", [1, 3])
def test_one_kernel_does_the_work_of_many(demodulate, size):
    layer = ModulatedConv2D(5, size, demodulate=demodulate, gain=1.4)
    x, styles = _normal(4, 6, 6, 3), 1 + _normal(4, 3)
    layer.build((x.shape, styles.shape))
    layer.bias.assign(_normal(5))
    expected = [
        keras.ops.conv(image, kernel, padding="same")
        for image, kernel in _per_sample_kernels(layer, x, styles)
    ]
    expected = np.concatenate(expected) + np.array(layer.bias)
    np.testing.assert_allclose(layer([x, styles]), expected, rtol=1e-4, atol=1e-5)


def test_upsampling_is_zeros_kernel_and_filter_in_this_order():
    layer = ModulatedConv2D(5, 3, upsample=True, use_bias=False)
    x, styles = _normal(2, 6, 6, 3), 1 + _normal(2, 3)
    layer.build((x.shape, styles.shape))
    taps = np.array([1, 3, 3, 1]) / 8
    blur = np.einsum("i,j,cd->ijcd", 2 * taps, 2 * taps, np.eye(5)).astype("float32")
    expected = []
    for image, kernel in _per_sample_kernels(layer, x, styles):
        kernel = np.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))  # of a convolution
        y = keras.ops.conv_transpose(image, kernel, 2, padding="valid")  # 13 x 13
        y = np.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
        expected.append(keras.ops.conv(y, blur, padding="valid"))
    ours = layer([x, styles])
    assert (
        ours.shape
        == (2, 12, 12, 5)
        == layer.compute_output_shape([x.shape, styles.shape])
    )
    np.testing.assert_allclose(ours, np.concatenate(expected), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loud", [0.1, 30.0])
def test_demodulation_keeps_the_spread(loud):
    layer = ModulatedConv2D(64, 3, use_bias=False)
    x, styles = _normal(8, 16, 16, 32), loud * (1 + 0.5 * _normal(8, 32))
    spread = np.std(np.array(layer([x, styles]))[:, 1:-1, 1:-1])
    assert spread == pytest.approx(1, abs=0.05)


def test_without_demodulation_a_louder_style_is_a_louder_map():
    layer = ModulatedConv2D(3, 1, demodulate=False, use_bias=False)
    x, styles = _normal(2, 4, 4, 8), 1 + _normal(2, 8)
    loud = layer([x, 2 * styles])
    np.testing.assert_allclose(loud, 2 * layer([x, styles]), rtol=1e-4, atol=1e-5)


def test_modulation_in_bfloat16_is_near_that_in_float32():
    x, styles = _normal(4, 4, 4, 16), 1 + 0.5 * _normal(4, 16)
    exact = ModulatedConv2D(8, 3, upsample=True, gain=1.4)
    exact.build((x.shape, styles.shape))
    coarse = ModulatedConv2D(8, 3, upsample=True, gain=1.4, dtype="mixed_bfloat16")
    coarse.build((x.shape, styles.shape))
    coarse.set_weights(exact.get_weights())
    expected, found = exact([x, styles]), coarse([x, styles])
    assert found.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(found, "float32"), expected, atol=0.06)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kernel_size": 1, "upsample": True}, "kernel_size=3"),
        ({"kernel_size": 3, "strides": 2}, "no strides"),
        ({"kernel_size": 3, "padding": "valid"}, "same"),
    ],
)
def test_modulation_refuses_what_it_cannot_do(arguments, words):
    with pytest.raises(ValueError, match=words):
        ModulatedConv2D(4, **arguments)


def test_a_style_has_a_number_for_each_channel():
    with pytest.raises(ValueError, match="style of 3 numbers"):
        ModulatedConv2D(4, 3)([_normal(2, 4, 4, 3), _normal(2, 5)])
    with pytest.raises(ValueError, match="6 for 3 channels"):
        AdaIN()([_normal(2, 4, 4, 3), _normal(2, 3)])


def test_adain_follows_its_equation():
    x, style = _normal(3, 5, 5, 4), _normal(3, 8)
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    scale, offset = style[:, None, None, :4], style[:, None, None, 4:]
    expected = (1 + scale) * (x - mean) / np.sqrt(variance + 1e-8) + offset
    np.testing.assert_allclose(AdaIN()([x, style]), expected, rtol=1e-4, atol=1e-5)
    plain = InstanceNormalization(1e-8)(x)
    np.testing.assert_allclose(AdaIN()([x, 0 * style]), plain, rtol=1e-5, atol=1e-6)


def test_pixel_norm_makes_every_pixel_as_strong():
    x = 7 * _normal(2, 4, 4, 6)
    y = np.array(PixelNormalization()(x))
    np.testing.assert_allclose((y**2).mean(-1), 1, rtol=1e-5)
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    assert not np.any(PixelNormalization()(0 * x))


@pytest.mark.parametrize("per_channel", [True, False])
def test_noise_is_silent_until_learned(per_channel):
    layer = NoiseInjection(per_channel)
    x, noise = _normal(2, 4, 4, 3), _normal(2, 4, 4, 1)
    np.testing.assert_array_equal(layer([x, noise]), x)
    strength = _normal(3) if per_channel else np.float32(0.5)
    layer.strength.assign(strength)
    np.testing.assert_allclose(
        layer([x, noise]), x + strength * noise, rtol=1e-5, atol=1e-6
    )


def test_noise_that_is_learned_slowly():
    layer = NoiseInjection(rate_multiplier=0.25)
    x, noise = _normal(2, 4, 4, 3), _normal(2, 4, 4, 1)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer([x, noise]))
    slope = tape.gradient(total, layer.trainable_variables[0])
    np.testing.assert_allclose(slope, 0.25 * 3 * noise.sum(), rtol=1e-4)


def test_files_bring_the_layers_back(tmp_path):
    maps, style, noise = (
        keras.Input((4, 4, 3)),
        keras.Input((3,)),
        keras.Input((8, 8, 1)),
    )
    x = PixelNormalization(1e-6)(maps)
    x = ModulatedConv2D(4, 3, upsample=True, gain=1.4)([x, style])
    x = NoiseInjection(per_channel=True, rate_multiplier=0.5)([x, noise])
    x = AdaIN(1e-6)([x, keras.layers.Dense(8)(style)])
    x = ModulatedConv2D(3, 1, demodulate=False)([x, keras.layers.Dense(4)(style)])
    network = keras.Model([maps, style, noise], x)
    for weight in network.weights:
        weight.assign(_normal(*weight.shape))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    inputs = [_normal(2, 4, 4, 3), _normal(2, 3), _normal(2, 8, 8, 1)]
    np.testing.assert_array_equal(network(inputs), loaded(inputs))


def test_a_constant_is_the_same_for_each_image():
    layer = LearnedConstant((4, 4, 3), "random_normal")
    x = layer(_normal(5, 2)).numpy()
    assert x.shape == (5, 4, 4, 3) == layer.compute_output_shape((5, 2))
    np.testing.assert_array_equal(x, layer.constant.numpy()[None].repeat(5, 0))


def test_fixed_noise_is_drawn_once():
    layer = FixedNoise(64, seed=1)
    x = layer(_normal(3, 2)).numpy()
    np.testing.assert_array_equal(x, layer(_normal(3, 2)))
    np.testing.assert_array_equal(x, x[:1].repeat(3, 0))
    assert (x.mean(), x.std()) == pytest.approx((0, 1), abs=0.05)
    np.testing.assert_array_equal(x, FixedNoise(64, seed=1)(_normal(3, 2)))
    assert np.any(x != FixedNoise(64, seed=2)(_normal(3, 2)))
    assert not layer.trainable_weights


@pytest.mark.parametrize(("psi", "cutoff"), [(1, None), (0.5, None), (-1, 2), (0, 3)])
def test_truncation_follows_its_equation(psi, cutoff):
    layer, w = Truncation(psi, cutoff), _normal(4, 5, 6)
    layer.build(w.shape)
    average = _normal(6)
    layer.average.assign(average)
    expected = w.copy()
    expected[:, :cutoff] = average + psi * (w[:, :cutoff] - average)
    np.testing.assert_allclose(layer(w), expected, rtol=1e-5, atol=1e-6)


def test_the_average_follows_by_its_equation():
    layer = Truncation()
    layer.build((None, 5, 6))
    layer.average.assign(np.ones(6))
    styles = _normal(8, 6)
    layer.follow(styles, decay=0.9)
    expected = 0.9 + 0.1 * styles.mean(0)
    np.testing.assert_allclose(layer.average.numpy(), expected, rtol=1e-5)


def test_a_fade_goes_from_old_to_new():
    layer, old, new = Fade(), _normal(2, 4, 4, 3), _normal(2, 4, 4, 3)
    np.testing.assert_allclose(layer([old, new]), new, atol=1e-6)
    layer.alpha.assign(0.25)
    np.testing.assert_allclose(
        layer([old, new]), 0.75 * old + 0.25 * new, rtol=1e-4, atol=1e-6
    )
