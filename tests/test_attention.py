"""CAM attention: the paper's two products, its logits and its heat map."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import CAMAttention

MAPS = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype("float32")
SETTINGS = {
    "pytorch generator": {},
    "pytorch discriminator": {"spectral": "logits", "activation": "leaky_relu"},
    "tensorflow generator": {"shared": True, "logit_bias": True},
    "tensorflow discriminator": {
        "shared": True,
        "logit_bias": True,
        "spectral": "all",
        "activation": "leaky_relu",
    },
}
each_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def _filled(settings, **kwargs) -> CAMAttention:
    layer = CAMAttention(**settings, **kwargs)
    layer.build(MAPS.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def _naive(layer, maps):
    """The paper's way: both products, side by side, through one convolution."""
    raw = [np.asarray(layer.gap_kernel), np.asarray(layer.gmp_kernel)]
    unit = [w / np.linalg.norm(w) for w in raw]
    bias = np.asarray(layer.classifier_bias) if layer.logit_bias else 0
    classifiers = raw if layer.spectral is None else unit
    weights = [(unit if layer.spectral == "all" else raw)[n] + bias for n in (0, 1)]
    pooled = maps.mean((1, 2)), maps.max((1, 2))
    logits = [p @ w + bias for p, w in zip(pooled, classifiers, strict=True)]
    products = np.concatenate([maps * w for w in weights], -1)
    features = products @ np.asarray(layer.kernel)[0, 0] + np.asarray(layer.bias)
    slope = 0.2 if layer.activation is keras.activations.leaky_relu else 0
    features = np.where(features > 0, features, slope * features)
    return features, np.stack(logits, -1), features.sum(-1)


@each_setting
def test_values_are_those_of_the_paper(settings):
    layer = _filled(settings)
    outputs = layer(MAPS)
    assert [tuple(x.shape) for x in outputs] == [(2, 6, 5, 4), (2, 2), (2, 6, 5)]
    for ours, wanted in zip(outputs, _naive(layer, MAPS), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-4)


@each_setting
def test_half_precision(settings):
    layer = _filled(settings, dtype="mixed_bfloat16")
    features, logits, heat_map = layer(MAPS)
    assert (features.dtype, logits.dtype) == (tf.bfloat16, tf.float32)
    assert heat_map.dtype == tf.float32
    wanted = _naive(layer, MAPS)
    np.testing.assert_allclose(tf.cast(features, "float32"), wanted[0], atol=0.15)
    np.testing.assert_allclose(logits, wanted[1], atol=0.05)


def test_both_classifiers_and_the_mix_learn():
    layer = _filled({})
    with tf.GradientTape() as tape:
        features, logits, _ = layer(MAPS)
        value = tf.reduce_sum(features) + tf.reduce_sum(logits)
    for variable, gradient in zip(
        layer.weights,
        tape.gradient(value, [w.value for w in layer.weights]),
        strict=True,
    ):
        assert np.abs(gradient).max() > 0, variable.name


def test_spectral_norm_is_the_length_and_its_gradient_is_at_right_angles():
    layer = _filled({"spectral": "logits"})
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(layer(MAPS)[1])
    gradient = np.asarray(tape.gradient(value, layer.gap_kernel.value))
    assert np.abs(gradient).max() > 1e-3
    assert abs(gradient @ np.asarray(layer.gap_kernel)) < 1e-5


def test_counts_of_weights():
    layers = {name: _filled(settings) for name, settings in SETTINGS.items()}
    counts = {name: layer.count_params() for name, layer in layers.items()}
    mix = 2 * 4 * 4 + 4
    assert counts == {
        "pytorch generator": 4 + 4 + mix,
        "pytorch discriminator": 4 + 4 + mix,
        "tensorflow generator": 4 + 1 + mix,
        "tensorflow discriminator": 4 + 1 + mix,
    }


def test_kernels_start_as_in_the_paper_and_the_classifiers_apart():
    layer = CAMAttention()
    layer.build((None, 4, 4, 500))
    gap, gmp = np.asarray(layer.gap_kernel), np.asarray(layer.gmp_kernel)
    assert np.abs(gap - gmp).max() > 1e-3
    for kernel in (gap, gmp, np.asarray(layer.kernel)):
        assert 0.017 < np.std(kernel) < 0.023


@each_setting
def test_the_keras_contract(settings, tmp_path):
    layer = _filled(settings, name="cam")
    again = CAMAttention.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    maps = keras.Input((None, None, 4))
    network = keras.Model(maps, layer(maps))
    network.save(tmp_path / "network.keras")
    opened = keras.saving.load_model(tmp_path / "network.keras")
    for ours, theirs in zip(network(MAPS), opened(MAPS), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="spectral.*Received: 'both'"):
        CAMAttention(spectral="both")
    with pytest.raises(ValueError, match="logit_bias.*shared=True"):
        CAMAttention(logit_bias=True)
