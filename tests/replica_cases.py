"""Small trainings on one device or several, as a program: NAMES -> a line of JSON each.

Two replicas are two virtual devices of this process, or, where TF_CONFIG names two
workers, this process and another.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from gan_lib import devices
from gan_lib.data import python_calls
from gan_lib.models.dcgan import dcgan
from gan_lib.models.pix2pix import LAPTOP, pix2pix
from gan_lib.optimizers import Adam
from gan_lib.session import state
from gan_lib.training import GAN

BATCH, STEPS = 8, 4
DRAW = np.random.default_rng(0)
IMAGES, SOURCES = DRAW.uniform(-1, 1, (2, BATCH * STEPS, 16, 16, 3)).astype("float32")


def plain(rate=2e-3, optimizer=Adam, dropout=0.0, gan_class=GAN, **arguments):
    """Networks without anything that looks at the batch."""
    keras.utils.set_random_seed(0)
    latents = keras.Input((5,))
    x = keras.layers.Reshape((8, 8, 2))(keras.layers.Dense(128)(latents))
    x = keras.layers.Dropout(dropout)(keras.layers.LeakyReLU(0.2)(x))
    x = keras.layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(x)
    images = keras.Input((16, 16, 3))
    y = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(4, 4, 2, "same")(images))
    y = keras.layers.Dense(1)(keras.layers.Flatten()(y))
    gan = gan_class(keras.Model(latents, x), keras.Model(images, y), seed=3)
    gan.compile(optimizer(rate), optimizer(rate), **arguments)
    return gan


def synchronized(gan):
    devices.synchronize_batch_norm(gan)
    return gan


TINY = {"image_size": 16, "width": 4}
BUILDS = {
    "lazy penalty": lambda: plain(
        0.1, keras.optimizers.SGD, penalty="r1", penalty_every=2, real_labels=(0.8, 1)
    ),
    "slices": lambda: plain(
        accumulate=2, simultaneous=True, steps_per_execution=2,
        penalty="gradient_penalty", loss="wasserstein",
    ),
    "pix2pix": lambda: pix2pix(
        **TINY, receptive_field=16, dropout_rate=0.0, seed=2,
        **LAPTOP | {"penalty_every": 2},
    ),
    "synchronized": lambda: synchronized(
        dcgan("dcgan_torch", latent_dim=8, discriminator_steps=2, **TINY)
    ),
    "own statistics": lambda: dcgan("dcgan_torch", latent_dim=8, **TINY),
}  # fmt: skip


def arrays(name):
    if name == "pix2pix":
        return SOURCES, IMAGES
    return (IMAGES,)


class Data:
    """Batches that start anywhere, as those of `gan_lib.data` do."""

    batch_size = BATCH

    def __init__(self, name, seconds=0.0):
        parts, self.seconds = arrays(name), seconds
        self.all = tf.data.Dataset.from_tensor_slices(
            parts if len(parts) > 1 else parts[0]
        ).batch(BATCH, drop_remainder=True)

    def dataset(self, start_step):
        return self.all.map(self._wait).repeat().skip(start_step)

    def _wait(self, *batch):
        """As slow data would make one."""
        sleep = python_calls.counted(lambda: time.sleep(self.seconds))
        pause = tf.numpy_function(sleep, [], [])
        with tf.control_dependencies([pause] if self.seconds else []):
            batch = tf.nest.map_structure(tf.identity, batch)
        return batch if len(batch) > 1 else batch[0]


@functools.cache  # two of them would mix up their messages
def strategy(replicas):
    """For so many replicas; None where one device needs none."""
    if "TF_CONFIG" in os.environ:
        return devices.strategy()
    if replicas == 2:
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return None


def build(name, replicas=1, make=None):
    """A new, compiled model."""
    make = make or BUILDS[name]
    chosen = strategy(replicas)
    if chosen is None:
        return make()
    with chosen.scope():
        return make()


def train(name, replicas=1, steps=STEPS, folder=None, gan=None, seconds=0.0) -> dict:
    """The rows and the end of a training of so many steps, two a tick."""
    gan = gan or build(name, replicas)
    gan.fit(
        Data(name, seconds), kimg=steps * BATCH / 1000, tick_kimg=2 * BATCH / 1000,
        verbose=0, resume=folder, checkpoint_minutes=0,
    )  # fmt: skip
    kept = state(gan)
    return {
        "rows": [
            {k: v for k, v in x.items() if k != "seconds"} for x in gan.history_rows
        ],
        "sizes": {name: float(np.abs(v).sum()) for name, v in kept.items()},
    }


def assert_equal_rows(one, two):
    """All losses, to 1e-5, and all else that is logged.

    A Wasserstein loss is a sum of logits of about 1 that nearly cancel, so it has a
    part of the rounding of these.
    """
    for row, other in zip(one["rows"], two["rows"], strict=True):
        assert row.keys() == other.keys()
        for name, value in row.items():
            rtol = 1e-5 if "loss" in name else 1e-4
            np.testing.assert_allclose(other[name], value, rtol, 4e-6, err_msg=name)


def two_virtual_devices():
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)


def main():
    if "TF_CONFIG" not in os.environ:
        two_virtual_devices()
    for name in sys.argv[1:]:
        both = (1, 2) if "TF_CONFIG" not in os.environ else (2,)
        found = [train(name, replicas) for replicas in both]
        print(json.dumps([name, found]), flush=True)


if __name__ == "__main__":
    main()
