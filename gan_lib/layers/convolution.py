"""Convolutions: Keras's own layers, with faster kernels where the machine has them."""

from __future__ import annotations

import keras

from gan_lib.layers import cpu_kernels


@keras.saving.register_keras_serializable("gan_lib")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, faster in bfloat16 on a CPU when its map is small.

    y[h, w, d] = b[d] + sum_{i, j, c} x[s h + i, s w + j, c] W[i, j, c, d]

    Arguments, weights and results are those of `keras.layers.Conv2D`; only the way
    the gradients are computed differs (`gan_lib.layers.cpu_kernels`), and only on a
    CPU, in bfloat16: the kernel's for an output map of at most 8 x 8, the bias's
    always, because there the stock one is wrong.
    Input shape: (B, H, W, C). Output shape: (B, H', W', filters).
    """

    stock_class = keras.layers.Conv2D

    def call(self, inputs):
        if not cpu_kernels.in_bfloat16_on_cpu(self, inputs):
            return super().call(inputs)
        return _finish(self, self.convolution_op(inputs, self.kernel))

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
    those of `keras.layers.Conv2DTranspose`. On a CPU the bias's gradient is summed by
    `cpu_kernels.add_bias` in float32 too, where the stock operation is slow.
    Input shape: (B, H, W, C). Output shape: (B, sH, sW, filters) with "same".
    """

    stock_class = keras.layers.Conv2DTranspose

    def call(self, inputs):
        if not cpu_kernels.on_cpu() or self.data_format != "channels_last":
            return super().call(inputs)
        return _finish(self, self._transposed_convolution(inputs))

    def _transposed_convolution(self, inputs):
        if self.output_padding is not None or not cpu_kernels.wants_matmul_gradient(
            self, inputs, inputs.shape[1]
        ):
            return keras.ops.conv_transpose(
                inputs,
                self.kernel,
                strides=self.strides,
                padding=self.padding,
                output_padding=self.output_padding,
                data_format=self.data_format,
                dilation_rate=self.dilation_rate,
            )
        shape = self.compute_output_shape(inputs.shape)
        return cpu_kernels.conv2d_transpose(
            inputs,
            self.kernel,
            tuple(shape[1:3]),
            self.strides,
            self.padding,
        )


def _finish(layer, outputs):
    """Add the bias and apply the activation."""
    if layer.use_bias:
        outputs = cpu_kernels.add_bias(outputs, layer.bias)
    return outputs if layer.activation is None else layer.activation(outputs)
