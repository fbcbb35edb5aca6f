"""Activation layers."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("gan_lib")
class LeakyReLU(keras.layers.LeakyReLU):
    """`keras.layers.LeakyReLU`, whose gradient looks at the output.

    y = x if x > 0 else slope x;  dL/dx = dL/dy (1 if y > 0 else slope)
    Maas, Hannun and Ng 2013, section 2.2; slope > 0, so x and y have one sign.

    Results are those of the Keras layer. TensorFlow's own gradient asks for x, and so
    keeps the map before the activation alive; without it, TensorFlow may compute
    convolution, bias and activation as one operation.
    """

    stock = keras.layers.LeakyReLU.from_config

    def call(self, inputs):
        slope = self.negative_slope
        if slope <= 0:
            return super().call(inputs)

        @tf.custom_gradient
        def activate(x):
            y = tf.nn.leaky_relu(x, slope)

            def gradient(upstream):
                return tf.raw_ops.LeakyReluGrad(
                    gradients=upstream, features=y, alpha=slope
                )

            return y, gradient

        return activate(inputs)
