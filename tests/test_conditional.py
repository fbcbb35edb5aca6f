"""BigGAN's layers: told normalization, attention, an upsampling with spectral norm."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import (
    ConditionalBatchNormalization,
    SelfAttention2D,
    SpectralConv2D,
    SpectralUpsampleConv2D,
)

RNG = np.random.default_rng(0)
MAPS = RNG.normal(2, 3, (6, 4, 4, 8)).astype("float32")
CONDITIONS = RNG.normal(size=(6, 5)).astype("float32")


def normalized_kernel(layer):
    return layer.normalized_kernel(training=False).numpy()


def told():
    keras.utils.set_random_seed(1)
    layer = ConditionalBatchNormalization()
    layer.build([MAPS.shape, CONDITIONS.shape])
    return layer


@pytest.mark.parametrize("training", [False, True])
def test_conditional_norm_is_its_equation(training):
    layer = told()
    layer.normalization.moving_mean.assign(RNG.normal(size=8))
    layer.normalization.moving_variance.assign(RNG.uniform(1, 2, 8))
    mean = layer.normalization.moving_mean.numpy()
    variance = layer.normalization.moving_variance.numpy()
    if training:
        mean, variance = MAPS.mean((0, 1, 2)), MAPS.var((0, 1, 2))
    found = layer([MAPS, CONDITIONS], training=training)
    # after the call: in training u has taken its step by now
    gain = 1 + CONDITIONS @ normalized_kernel(layer.gain)
    bias = CONDITIONS @ normalized_kernel(layer.bias)
    expected = (MAPS - mean) / np.sqrt(variance + 1e-5)
    expected = expected * gain[:, None, None] + bias[:, None, None]
    rtol = 1e-4 if not training else 2e-2  # v goes on between the two readings
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def test_conditional_norm_without_a_word_is_batch_norm():
    layer = told()
    layer.gain.kernel.assign(tf.zeros_like(layer.gain.kernel))
    layer.bias.kernel.assign(tf.zeros_like(layer.bias.kernel))
    found = layer([MAPS, CONDITIONS], training=True).numpy()
    np.testing.assert_allclose(found.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(found.std((0, 1, 2)), 1, atol=1e-4)
    one, other = (told()([MAPS, c], training=False) for c in (CONDITIONS, -CONDITIONS))
    assert np.abs(one - other).max() > 0.1


def test_conditional_norm_learns_and_follows():
    layer = told()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer([MAPS, CONDITIONS], training=True) ** 2)
    gradients = tape.gradient(loss, layer.trainable_weights)
    assert len(gradients) == 2
    assert all(np.abs(g).max() > 0 for g in gradients)
    expected = 0.1 * MAPS.mean((0, 1, 2))
    np.testing.assert_allclose(layer.normalization.moving_mean, expected, rtol=1e-4)


def attention(gamma):
    keras.utils.set_random_seed(2)
    layer = SelfAttention2D()
    layer.build((None, 4, 4, 16))
    layer.gamma.assign(gamma)
    return layer


def test_attention_is_its_equation():
    layer = attention(0.7)
    maps = RNG.normal(size=(2, 4, 4, 16)).astype("float32")
    q, k, v, o = (
        normalized_kernel(x)[0, 0]
        for x in (layer.query, layer.key, layer.content, layer.output_convolution)
    )

    def pooled(x):
        return x.reshape(2, 2, 2, 2, -1).max((1, 3)).reshape(4, -1)

    for image, found in zip(maps, layer(maps).numpy(), strict=True):
        likeness = (image @ q).reshape(16, -1) @ pooled(image @ k).T
        weights = np.exp(likeness - likeness.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        expected = image + 0.7 * ((weights @ pooled(image @ v)) @ o).reshape(4, 4, 16)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_attention_starts_as_the_identity_and_learns():
    maps = RNG.normal(size=(2, 4, 4, 16)).astype("float32")
    layer = attention(0.0)
    np.testing.assert_array_equal(layer(maps, training=True), maps)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(maps) ** 3)
    assert abs(float(tape.gradient(loss, layer.gamma.value))) > 0


@pytest.mark.parametrize("shape", [(None, 5, 4, 16), (None, 4, 4, 12)])
def test_attention_says_which_maps_it_takes(shape):
    with pytest.raises(ValueError, match="multiple of 8"):
        SelfAttention2D().build(shape)


def test_upsampling_then_a_spectral_convolution():
    keras.utils.set_random_seed(3)
    layer, plain = SpectralUpsampleConv2D(3, 3), SpectralConv2D(3, 3, padding="same")
    layer.build(MAPS.shape)
    plain.build(MAPS.shape)
    plain.set_weights(layer.get_weights())
    enlarged = MAPS.repeat(2, 1).repeat(2, 2)
    for training in (False, True):
        found = layer(MAPS, training=training)
        expected = plain(enlarged, training=training)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(layer.u, plain.u)
    assert layer.compute_output_shape(MAPS.shape) == (6, 8, 8, 3)
