"""AdaLIN and LIN: equation (1), its two ends, and a rho that stays in [0, 1]."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import LIN, AdaLIN, InstanceNormalization, UnitInterval
from gan_lib.optimizers import Adam

RNG = np.random.default_rng(0)
# Channels of different strength: the two norms differ.
MAPS = (2 + RNG.normal(size=(3, 6, 5, 4)) * [1, 2, 3, 4]).astype("float32")
GAMMA, BETA = RNG.normal(size=(2, 3, 4)).astype("float32")


def _equation(x, rho, gamma, beta):
    def normalized(axes):
        mean = x.mean(axes, keepdims=True)
        return (x - mean) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)

    x = x.astype("float64")
    y = rho * normalized((1, 2)) + (1 - rho) * normalized((1, 2, 3))
    return gamma[..., None, None, :] * y + beta[..., None, None, :]


def _apply(layer, maps=MAPS):
    return layer([maps, GAMMA, BETA]) if isinstance(layer, AdaLIN) else layer(maps)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_adalin_is_the_equation(dtype):
    layer = AdaLIN(dtype=dtype)
    _apply(layer)
    np.testing.assert_allclose(layer.rho, 0.9)
    rho = np.array([0, 0.3, 0.8, 1])
    layer.set_weights([rho])
    outputs = _apply(layer)
    assert outputs.dtype == layer.compute_dtype
    wanted = _equation(MAPS, rho, GAMMA, BETA)
    tolerance = 1e-5 if dtype == "float32" else 0.05
    np.testing.assert_allclose(tf.cast(outputs, "float32"), wanted, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_lin_is_the_equation(dtype):
    layer = LIN(dtype=dtype)
    outputs = tf.cast(layer(MAPS), "float32")
    tolerance = 1e-5 if dtype == "float32" else 0.05
    ones = np.ones(4)
    # As it starts: layer norm.
    np.testing.assert_allclose(
        outputs, _equation(MAPS, 0, ones, 0 * ones), atol=tolerance
    )
    weights = np.array([0, 0.3, 0.8, 1]), GAMMA[0], BETA[0]
    layer.set_weights(weights)
    outputs = tf.cast(layer(MAPS), "float32")
    np.testing.assert_allclose(outputs, _equation(MAPS, *weights), atol=tolerance)


def test_its_ends_are_instance_norm_and_layer_norm():
    plain = keras.layers.GroupNormalization(groups=1, epsilon=1e-5)
    ends = {1.0: InstanceNormalization(), 0.0: plain}
    for rho, norm in ends.items():
        for layer in (LIN(rho, learn_rho=False), AdaLIN(rho, learn_rho=False)):
            ones = [np.ones((3, 4), "float32"), np.zeros((3, 4), "float32")]
            adaptive = isinstance(layer, AdaLIN)
            outputs = layer([MAPS, *ones]) if adaptive else layer(MAPS)
            np.testing.assert_allclose(outputs, norm(MAPS), atol=1e-5)
            assert "rho" not in [v.name for v in layer.trainable_variables]


def test_a_picture_does_not_see_its_neighbours():
    together = _apply(AdaLIN())
    layer = AdaLIN()
    for n in range(3):
        alone = layer([MAPS[n : n + 1], GAMMA[n : n + 1], BETA[n : n + 1]])
        np.testing.assert_allclose(alone[0], together[n], atol=1e-5)


def test_a_large_mean_does_not_spoil_the_variance():
    maps = 300 + MAPS
    ones = np.ones(4)
    wanted = _equation(maps, 0.5, ones, 0 * ones)
    np.testing.assert_allclose(LIN(0.5)(maps), wanted, atol=1e-3)


def test_gradients_are_those_of_the_equation_written_out():
    layer = AdaLIN(0.6)
    _apply(layer)

    def plain(x, gamma, beta):
        def normalized(axes):
            mean, variance = tf.nn.moments(x, axes, keepdims=True)
            return (x - mean) / tf.sqrt(variance + 1e-5)

        rho = tf.convert_to_tensor(layer.rho)
        y = rho * normalized((1, 2)) + (1 - rho) * normalized((1, 2, 3))
        return gamma[:, None, None] * y + beta[:, None, None]

    tensors = [tf.constant(v) for v in (MAPS, GAMMA, BETA)]
    gradients = []
    for function in (lambda *t: layer(list(t)), plain):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = tf.reduce_sum(tf.sin(function(*tensors)))
        gradients.append(tape.gradient(value, [*tensors, layer.rho.value]))
    for ours, wanted in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("direction", [1, -1])
def test_the_optimizer_keeps_rho_a_proportion(direction):
    layer = LIN(0.5)
    layer(MAPS)
    optimizer = Adam(0.2)
    optimizer.build(layer.trainable_variables)
    gradient = [direction * tf.ones(4)] * 3
    for _ in range(6):
        optimizer.apply(gradient, layer.trainable_variables)
    np.testing.assert_array_equal(layer.rho, 0 if direction == 1 else 1)
    assert np.all(np.abs(np.asarray(layer.beta)) > 1)  # only rho is bounded


@pytest.mark.parametrize("kind", [AdaLIN, LIN])
def test_the_keras_contract(kind, tmp_path):
    layer = kind(0.25, learn_rho=False, epsilon=1e-3, name="norm")
    again = kind.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    inputs = [keras.Input((None, None, 4))]
    inputs += [keras.Input((4,)), keras.Input((4,))] if kind is AdaLIN else []
    outputs = again(inputs if kind is AdaLIN else inputs[0])
    assert outputs.shape == (None, None, None, 4)
    network = keras.Model(inputs, outputs)
    network.save(tmp_path / "network.keras")
    opened = keras.saving.load_model(tmp_path / "network.keras")
    tensors = [MAPS, GAMMA, BETA][: len(inputs)]
    np.testing.assert_array_equal(opened(tensors), network(tensors))
    assert isinstance(opened.get_layer("norm").rho.constraint, UnitInterval)


def test_wrong_arguments_are_explained():
    for kind in (AdaLIN, LIN):
        with pytest.raises(ValueError, match=r"from 0 .* to 1 .*Received: 1.5"):
            kind(1.5)
    with pytest.raises(ValueError, match="Expected a list.*equal C"):
        AdaLIN()([MAPS, GAMMA[:, :3], BETA])
    with pytest.raises(ValueError, match="Expected a list.*equal C"):
        AdaLIN()(MAPS)
