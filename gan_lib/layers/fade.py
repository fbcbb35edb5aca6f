"""The soft start of layers that join a network in the middle of its training."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("gan_lib")
class Fade(keras.layers.Layer):
    """From an old branch of the network to a new one.

    y = (1 - alpha) old + alpha new
    Karras et al. 2018, section 2 and figure 2, arXiv:1710.10196. alpha goes from 0 to 1
    while the new branch learns; it is saved with the model, 1 at the start (all new),
    and whoever trains assigns it.

    Inputs: old and new, (B, H, W, C) each. Output shape: the same.
    """

    def build(self, input_shape):
        self.alpha = self.add_weight(name="alpha", initializer="ones", trainable=False)

    def call(self, inputs):
        old, new = inputs
        return old + (new - old) * keras.ops.convert_to_tensor(self.alpha)

    def compute_output_shape(self, input_shape):
        return input_shape[0]
