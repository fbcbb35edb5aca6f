"""Spectral norm: singular value 1, a kernel left alone, a gradient through sigma."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import SpectralConv2D, SpectralDense

MAPS = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
LAYERS = {
    "conv": lambda **kwargs: SpectralConv2D(5, 4, 2, **kwargs),
    "dense": lambda **kwargs: SpectralDense(5, **kwargs),
}
PLAIN = {"conv": keras.layers.Conv2D, "dense": keras.layers.Dense}
each_layer = pytest.mark.parametrize("kind", LAYERS)


def _built(kind, seed=1, **kwargs):
    keras.utils.set_random_seed(seed)
    layer = LAYERS[kind](**kwargs)
    layer.build(MAPS.shape)
    # Its largest singular value stands out, so that few iterations find it.
    layer.kernel.assign(layer.kernel + 0.5)
    return layer


def _matrix(kernel) -> np.ndarray:
    return np.reshape(kernel, (-1, np.shape(kernel)[-1]))


def _singular_value(kernel) -> float:
    return np.linalg.svd(_matrix(kernel), compute_uv=False)[0]


@each_layer
def test_the_largest_singular_value_becomes_1_and_the_kernel_stays(kind):
    layer = _built(kind)
    before = np.array(layer.kernel.value)
    assert abs(_singular_value(before) - 1) > 0.1
    np.testing.assert_allclose(np.linalg.norm(layer.u), 1, rtol=1e-5)
    for _ in range(30):
        layer(MAPS, training=True)
    normalized = layer.normalized_kernel(training=False)
    np.testing.assert_allclose(_singular_value(normalized), 1, atol=1e-3)
    np.testing.assert_array_equal(layer.kernel, before)
    expected = before / _singular_value(before)
    np.testing.assert_allclose(normalized, expected, rtol=1e-3, atol=1e-5)


@each_layer
def test_one_training_call_is_one_power_iteration(kind):
    layer = _built(kind)
    w, u = _matrix(layer.kernel), np.array(layer.u.value)
    v = w @ u / np.linalg.norm(w @ u)
    wanted = v @ w / np.linalg.norm(v @ w)
    outputs = layer(MAPS, training=True)
    np.testing.assert_allclose(layer.u, wanted, rtol=1e-4, atol=1e-6)
    twin = PLAIN[kind].from_config(layer.get_config())
    twin.build(MAPS.shape)
    twin.kernel.assign(layer.kernel / (v @ w @ wanted))
    np.testing.assert_allclose(outputs, twin(MAPS), rtol=1e-4, atol=1e-5)


@each_layer
def test_inference_leaves_u_alone(kind):
    layer = _built(kind)
    before = np.array(layer.u.value)
    first, second = layer(MAPS), layer(MAPS, training=False)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(layer.u, before)
    layer(MAPS, training=True)
    assert np.abs(np.asarray(layer.u) - before).max() > 1e-4


def _kernel_gradient(layer, variable, **kwargs):
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.sin(layer(MAPS, **kwargs)))
    return np.array(tape.gradient(value, variable.value))


@each_layer
def test_the_gradient_goes_through_sigma(kind):
    """Equation (12): (g - <g, W'> v u^T) / sigma, at right angles to W."""
    layer = _built(kind, use_bias=False)
    for _ in range(60):
        layer(MAPS, training=True)
    w = _matrix(layer.kernel)
    left, values, right = np.linalg.svd(w)
    gradient = _kernel_gradient(layer, layer.kernel, training=False)
    twin = PLAIN[kind].from_config(layer.get_config())
    twin.build(MAPS.shape)
    twin.kernel.assign(layer.kernel / values[0])
    upstream = _matrix(_kernel_gradient(twin, twin.kernel))
    inner = np.sum(upstream * w / values[0])
    wanted = (upstream - inner * np.outer(left[:, 0], right[0])) / values[0]
    np.testing.assert_allclose(_matrix(gradient), wanted, rtol=1e-3, atol=1e-3)
    cosine = np.sum(gradient * np.array(layer.kernel.value))
    cosine /= np.linalg.norm(gradient) * np.linalg.norm(w)
    assert abs(cosine) < 1e-3
    # The stock layer writes W / sigma over W, and sigma is a constant for it.
    twin = PLAIN[kind].from_config(layer.get_config())
    stock = keras.layers.SpectralNormalization(twin)
    stock.build(MAPS.shape)
    stock.layer.kernel.assign(layer.kernel)
    other = _kernel_gradient(stock, stock.layer.kernel, training=True)
    assert np.abs(other - gradient).max() > 1e-2 * np.abs(gradient).max()
    assert np.abs(stock.layer.kernel - layer.kernel).max() > 1e-3


@each_layer
def test_statistics_stay_in_float32(kind):
    layer, exact = _built(kind, dtype="mixed_bfloat16"), _built(kind)
    layer.set_weights(exact.get_weights())
    outputs, wanted = (x(MAPS, training=True) for x in (layer, exact))
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_array_equal(layer.u, exact.u)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), wanted, atol=0.05)


@each_layer
def test_u_and_the_raw_kernel_are_saved(kind, tmp_path):
    images = keras.Input(MAPS.shape[1:])
    network = keras.Model(images, _built(kind)(images))
    network(MAPS, training=True)
    network.save(tmp_path / "network.keras")
    opened = keras.saving.load_model(tmp_path / "network.keras")
    assert len(opened.weights) == 3
    for ours, theirs in zip(network.weights, opened.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(opened(MAPS), network(MAPS))


def test_a_kernel_of_zeros_gives_zeros():
    layer = _built("conv")
    layer.kernel.assign(0 * layer.kernel)
    assert not np.any(layer(MAPS, training=True))
    assert np.isfinite(layer.u).all()


@each_layer
def test_it_works_inside_a_graph(kind):
    layer = _built(kind)
    wanted = _built(kind)
    outputs = tf.function(lambda x: layer(x, training=True))(MAPS)
    np.testing.assert_allclose(outputs, wanted(MAPS, training=True), atol=1e-5)
    np.testing.assert_allclose(layer.u, wanted.u, atol=1e-6)
