"""Convolutions: Keras's own layers, with faster kernels where the machine has them."""

from __future__ import annotations

import keras
import tensorflow as tf

from gan_lib.layers import cpu_kernels


@keras.saving.register_keras_serializable("gan_lib")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, faster in bfloat16 on a CPU when its map is small.

    y[h, w, d] = b[d] + sum_{i, j, c} x[s h + i, s w + j, c] W[i, j, c, d]

    Arguments, weights and results are those of `keras.layers.Conv2D`; only the way
    the kernel's gradient is computed differs (`gan_lib.layers.cpu_kernels`), and
    only on a CPU, in bfloat16, for an output map of at most 8 x 8.
    Input shape: (B, H, W, C). Output shape: (B, H', W', filters).
    """

    stock_class = keras.layers.Conv2D

    def convolution_op(self, inputs, kernel):
        map_height = self.compute_output_shape(inputs.shape)[1]
        if cpu_kernels.wants_matmul_gradient(self, inputs, map_height):
            return cpu_kernels.conv2d(inputs, kernel, self.strides, self.padding)
        return super().convolution_op(inputs, kernel)


@keras.saving.register_keras_serializable("gan_lib")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`, faster in bfloat16 on a CPU from a small map.

    The transpose of `Conv2D` as a linear map: each input pixel adds a copy of the
    kernel, scaled by its value, to the output. Arguments, weights and results are
    those of `keras.layers.Conv2DTranspose`.
    Input shape: (B, H, W, C). Output shape: (B, sH, sW, filters) with "same".
    """

    stock_class = keras.layers.Conv2DTranspose

    def call(self, inputs):
        if self.output_padding is not None or not cpu_kernels.wants_matmul_gradient(
            self, inputs, inputs.shape[1]
        ):
            return super().call(inputs)
        shape = self.compute_output_shape(inputs.shape)
        outputs = cpu_kernels.conv2d_transpose(
            inputs,
            self.kernel,
            (tf.shape(inputs)[0], *shape[1:]),
            self.strides,
            self.padding,
        )
        if self.use_bias:
            outputs = keras.ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)
