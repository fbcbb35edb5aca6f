"""The tuned kernels compute what plain Keras does, and one setting turns them off."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.data.pipeline import to_float
from gan_lib.layers import (
    BatchNormalization,
    Conv2D,
    InstanceNormalization,
    UpsampleConv2D,
    cpu_kernels,
)
from gan_lib.models.dcgan import dcgan
from gan_lib.models.pix2pix import pix2pix
from gan_lib.models.stylegan2 import LAPTOP as STYLEGAN2
from gan_lib.models.stylegan2 import stylegan2
from gan_lib.optimizers import Adam, ready

MODELS = {
    "dcgan": lambda: dcgan("laptop", width=4),
    "pix2pix": lambda: pix2pix(32, width=4, ema_half_life_kimg=0),
    "stylegan2": lambda: stylegan2(16, width=4, **STYLEGAN2),
}
SIZES = {"dcgan": 64, "stylegan2": 16}


@pytest.fixture
def plain(monkeypatch):
    """Calls what it is given with the tuned kernels switched off."""

    def call(function):
        with monkeypatch.context() as patch:
            patch.setenv("GAN_TUNED", "0")
            return function()

    return call


def _step(name: str) -> list[np.ndarray]:
    """Losses and all weights after two steps of a small model, seed 0.

    By gradient descent: Adam makes large steps of gradients that are nothing but
    rounding, those of biases before a normalization (its own kernel has its own test).
    """
    keras.utils.set_random_seed(0)
    gan, size = MODELS[name](), SIZES.get(name, 32)
    for player in ("generator", "discriminator"):
        descent = ready(keras.optimizers.SGD(0.01), getattr(gan, player))
        setattr(gan, f"{player}_optimizer", descent)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, size, size, 3), np.uint8)
    images = tuple(tf.constant(to_float(x)) for x in pixels)
    data = images[0] if len(gan.batch_names) == 1 else images
    step = tf.function(gan.train_step)
    losses = [step(data)[f"{x}_loss"] for x in ("generator", "discriminator")]
    return [x.numpy() for x in [*losses, *gan.weights]]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_step_is_the_same_with_the_kernels_off(name, plain):
    tuned, stock = _step(name), plain(lambda: _step(name))
    assert len(tuned) == len(stock)
    for ours, keras_own in zip(tuned, stock, strict=True):
        np.testing.assert_allclose(ours, keras_own, rtol=1e-4, atol=1e-5)


def test_the_switch_leaves_keras_operations_alone(plain, monkeypatch):
    """With it off no fused kernel is called: neither norm, nor Adam, nor products."""
    calls = []
    for name in ("FusedBatchNormV3", "ResourceApplyAdam"):
        monkeypatch.setattr(tf.raw_ops, name, lambda **_: calls.append(1))
    for name in ("conv2d", "conv2d_transpose", "add_bias"):
        monkeypatch.setattr(cpu_kernels, name, lambda *_: calls.append(1))
    network = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            UpsampleConv2D(2, 3, dtype="mixed_bfloat16"),
            Conv2D(2, 3, dtype="mixed_bfloat16"),
            BatchNormalization(),
            InstanceNormalization(),
        ]
    )
    adam = Adam(0.1)

    def learn():
        with tf.GradientTape() as tape:
            outputs = network(tf.ones((2, 4, 4, 3)), training=True)
            loss = tf.reduce_sum(outputs**2)
        weights = network.trainable_variables
        adam.apply(tape.gradient(loss, weights), weights)

    plain(learn)
    assert not calls


def test_upsampling_without_merged_kernels_is_the_same(plain):
    layer = UpsampleConv2D(5, 3)
    images = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")
    tuned = layer(images).numpy()
    np.testing.assert_allclose(
        plain(lambda: layer(images).numpy()), tuned, rtol=1e-5, atol=1e-6
    )
