"""Two replicas train like one device with the same global batch."""

from __future__ import annotations

import json

import numpy as np
import pytest

PROGRAM = """
import json
import keras, numpy as np, tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from gan_lib.training import GAN

fakes = []


class Watched(GAN):
    def forward(self, real_images, draws):
        images = super().forward(real_images, draws)
        tf.numpy_function(lambda x: fakes.append(x), [images], [])
        return images


def build():
    keras.utils.set_random_seed(0)
    sgd = keras.optimizers.SGD
    latents = keras.Input((5,))
    x = keras.layers.Reshape((4, 4, 2))(keras.layers.Dense(32)(latents))
    x = keras.layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(x)
    images = keras.Input((8, 8, 3))
    y = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(4, 4, 2, "same")(images))
    y = keras.layers.Dense(1)(keras.layers.Flatten()(y))
    gan = Watched(keras.Model(latents, x), keras.Model(images, y), seed=3)
    gan.compile(sgd(0.1), sgd(0.1), penalty="r1", real_labels=(0.8, 1.0))
    return gan


def train(replicas):
    if replicas == 2:
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            gan = build()
    else:
        gan = build()
    fakes.clear()
    images = np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 3)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8, drop_remainder=True)
    history = gan.fit(dataset, kimg=0.032, tick_kimg=0.008, verbose=0).history
    weights = [gan.generator, gan.discriminator, gan.ema_generator]
    return {
        "kimg": history["kimg"],
        "losses": history["discriminator_loss"] + history["generator_loss"],
        "weights": [w.numpy().ravel().tolist() for n in weights for w in n.weights],
        "fake_shapes": [x.shape for x in fakes],
        "distinct": len(np.unique(np.concatenate(fakes).reshape(-1, 192), axis=0)),
    }


print(json.dumps([train(1), train(2)]))
"""


@pytest.mark.slow
def test_two_replicas_equal_one_device(run_python):
    one, two = json.loads(run_python(PROGRAM).splitlines()[-1])
    assert one["kimg"] == two["kimg"] == [0.008, 0.016, 0.024, 0.032]
    assert one["fake_shapes"] == [[8, 8, 8, 3]] * 4
    assert two["fake_shapes"] == [[4, 8, 8, 3]] * 8
    assert one["distinct"] == two["distinct"] == 32
    np.testing.assert_allclose(one["losses"], two["losses"], rtol=1e-4)
    for a, b in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
