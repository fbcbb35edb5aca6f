"""Using a network as it was trained, without training it."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from gan_lib.data.pipeline import to_float


def as_float(images) -> np.ndarray:
    """uint8 pictures to [-1, 1]; float ones as they are, in float32."""
    images = np.asarray(images)
    return to_float(images) if images.dtype == np.uint8 else images.astype("float32")


def as_trained(network: keras.Model) -> Callable[..., tf.Tensor]:
    """A function (x, seed, number) -> outputs of the network in training mode.

    It leaves no trace in the network: running averages and the random states of the
    dropouts stay as they are. `seed` and `number` choose the dropouts' numbers. It is
    traced once for each network.
    """
    if "_as_trained" in vars(network):
        return vars(network)["_as_trained"]

    @tf.function(reduce_retracing=True)
    def call(x, seed, number):
        state = [
            tf.cast(tf.stack([seed + index, number]), variable.dtype)
            if variable.path.endswith("seed_generator_state")  # of a dropout
            else variable.value
            for index, variable in enumerate(network.non_trainable_variables)
        ]
        weights = [variable.value for variable in network.trainable_variables]
        outputs, _ = network.stateless_call(weights, state, x, training=True)
        return outputs

    def draw(x, seed, number):
        return call(x, tf.constant(seed), tf.constant(number))

    vars(network)["_as_trained"] = draw  # lives and dies with it, untracked by Keras
    return draw
