"""Doubling and halving maps without jagged edges."""

from __future__ import annotations

import keras
import tensorflow as tf


def box(maps, times: int):
    """The mean of 2 x 2 neighbours, taken `times` times, without padding.

    Once: the filter [1, 1] / 2 along rows and columns; twice: [1, 2, 1] / 4; three
    times: [1, 3, 3, 1] / 8, the filters of StyleGAN and StyleGAN2. Maps (B, H, W, C)
    lose `times` pixels of H and W. The filter is its own mirror image, so the gradient
    is the same filter over the padded gradient of the outputs; the gradient that
    TensorFlow has for the pooling would be the slower way to it on a CPU.
    """

    @tf.custom_gradient
    def op(x):
        y = x
        for _ in range(times):
            y = tf.nn.avg_pool2d(y, 2, 1, "VALID")
        return y, lambda upstream: box(pad(upstream, times), times)

    return op(maps)


def pad(maps, pixels: int):
    """Maps (B, H, W, C) with so many rows and columns of zeros on each side."""
    sides = (pixels, pixels)
    return keras.ops.pad(maps, ((0, 0), sides, sides, (0, 0)))


@keras.saving.register_keras_serializable("gan_lib")
class Blur2D(keras.layers.Layer):
    """Each pixel mixed with its neighbours by [1, 2, 1] / 4 in both directions.

    Takes away what a map of half the size cannot hold, before a halving, and the steps
    of nearest neighbours after a doubling (Zhang 2019, arXiv:1904.11486; Karras et al.
    2019, appendix C, arXiv:1812.04948). Zeros lie outside the map.
    Input and output shape: (B, H, W, C).
    """

    def call(self, inputs):
        return box(pad(inputs, 1), 2)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("gan_lib")
class Upsample2D(keras.layers.Layer):
    """Twice the size: each new pixel is 9, 3, 3 and 1 sixteenth of its nearest four.

    Zeros between the pixels, then the filter [1, 3, 3, 1] / 4 along rows and columns
    (Karras et al. 2020, appendix B, arXiv:1912.04958); the same as nearest neighbours
    and then [1, 2, 1] / 4. Zeros lie outside the map; inside it is what a bilinear
    resize does. Input shape: (B, H, W, C). Output shape: (B, 2H, 2W, C).
    """

    def call(self, inputs):
        maps = keras.ops.repeat(keras.ops.repeat(inputs, 2, 1), 2, 2)
        return box(pad(maps, 1), 2)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(side and 2 * side for side in (height, width)), channels)


@keras.saving.register_keras_serializable("gan_lib")
class Downsample2D(keras.layers.Layer):
    """Half the size: every second pixel after the filter [1, 3, 3, 1] / 8.

    Karras et al. 2020, appendix B, arXiv:1912.04958; a quarter of the transpose of
    `Upsample2D`. Zeros lie outside the map.
    Input shape: (B, H, W, C), H and W even. Output shape: (B, H/2, W/2, C).
    """

    def call(self, inputs):
        return tf.nn.avg_pool2d(box(pad(inputs, 1), 2), 2, 2, "VALID")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(side and side // 2 for side in (height, width)), channels)
