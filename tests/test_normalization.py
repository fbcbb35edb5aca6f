"""Instance normalization: its equation, its gradient, the Keras contract."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import InstanceNormalization


def _images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(3, 16, 20, 5), (1, 4, 4, 5), (3, 4, 4, 5)])
def test_instance_norm_is_the_equation_image_by_image(shape, dtype, affine):
    inputs = 3 + 2 * _images(*shape)
    layer = InstanceNormalization(dtype=dtype, center=affine, scale=affine)
    layer.build(shape)
    if affine:
        layer.set_weights([np.linspace(1, 2, 5), np.linspace(-1, 1, 5)])
    mean = inputs.mean((1, 2), keepdims=True)
    expected = (inputs - mean) / np.sqrt(inputs.var((1, 2), keepdims=True) + 1e-5)
    if affine:
        expected = expected * np.linspace(1, 2, 5) + np.linspace(-1, 1, 5)
    tolerance = 1e-4 if dtype == "float32" else 0.1
    outputs = layer(inputs)
    assert outputs.dtype == layer.compute_dtype
    np.testing.assert_allclose(
        keras.ops.cast(outputs, "float32"), expected, atol=tolerance
    )


@pytest.mark.parametrize("shape", [(2, 16, 16, 3), (2, 4, 4, 3)])
def test_instance_norm_has_the_gradient_of_keras(shape):
    inputs, upstream = tf.constant(_images(*shape)), _images(*shape, seed=1)
    ours = InstanceNormalization()
    gradients = []
    for layer in (ours, ours.stock(ours.get_config())):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.reduce_sum(layer(inputs) * upstream)
        gradients.append(tape.gradient(value, inputs))
    np.testing.assert_allclose(*gradients, atol=1e-4)


def test_instance_norm_keeps_the_keras_contract():
    layer = InstanceNormalization(scale=True, name="norm")
    again = InstanceNormalization.from_config(layer.get_config())
    assert (again.epsilon, again.scale, again.center) == (1e-5, True, False)
    images = keras.Input((None, None, 3))  # sizes known only when called
    network = keras.Model(images, again(images))
    assert network(np.ones((2, 5, 7, 3), "float32")).shape == (2, 5, 7, 3)
    with pytest.raises(ValueError, match="GroupNormalization"):
        InstanceNormalization(groups=2)
