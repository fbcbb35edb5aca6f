"""Convolutions: Keras's own layers, with faster kernels where the machine has them."""

from __future__ import annotations

import keras

from gan_lib.layers import cpu_kernels, few_channels


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

    stock = keras.layers.Conv2D.from_config

    def call(self, inputs):
        if not cpu_kernels.in_bfloat16_on_cpu(self, inputs):
            return super().call(inputs)
        return _finish(self, self.convolution_op(inputs, self.kernel))

    def convolution_op(self, inputs, kernel):
        map_height = self.compute_output_shape(inputs.shape)[1]
        if cpu_kernels.wants_matmul_gradient(self, inputs, map_height):
            return cpu_kernels.conv2d(inputs, kernel, self.strides, self.padding)
        if few_channels.wanted(self, inputs, inputs.shape[-1]):
            return few_channels.conv2d(inputs, kernel, self.strides, self.padding)
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

    stock = keras.layers.Conv2DTranspose.from_config

    def call(self, inputs):
        if not cpu_kernels.on_cpu() or self.data_format != "channels_last":
            return super().call(inputs)
        size = tuple(self.compute_output_shape(inputs.shape)[1:3])
        outputs = _transpose(
            self, inputs, self.kernel, self.strides, self.padding, size
        )
        return _finish(self, outputs)


@keras.saving.register_keras_serializable("gan_lib")
class UpsampleConv2D(keras.layers.Conv2D):
    """Nearest-neighbour upsampling by 2, then a convolution, as one operation.

    y = conv2d(u, W) + b with u[h, w] = x[h // 2, w // 2] and padding "same"
    (Odena et al. 2016, distill.pub: no checkerboards). Nothing is drawn twice: a pixel
    of u and its twin meet the same x, so their kernel values are added up first, and
    what remains is a transposed convolution with stride 2 and a kernel one larger,
    V[m, n] = sum_{i, j in {0, 1}} W'[m - i, n - j], W' being W turned by 180 degrees
    (the "fused" upscaling of Karras et al. 2018, arXiv:1710.10196, which
    is exact for nearest neighbours). For 3 x 3 it multiplies 4 values a pixel, not 9.

    Arguments and weights are those of `keras.layers.Conv2D`; strides stay 1, the
    kernel's sides are odd. Under mixed precision W is rounded first, then V.
    Input shape: (B, H, W, C). Output shape: (B, 2H, 2W, filters).
    Raises: ValueError on other strides, padding, dilation, groups, data formats or an
    even kernel.
    """

    def __init__(self, filters, kernel_size, padding="same", **kwargs):
        super().__init__(filters, kernel_size, padding=padding, **kwargs)
        expected = {
            "strides": (1, 1),
            "dilation_rate": (1, 1),
            "padding": "same",
            "groups": 1,
            "data_format": "channels_last",
        }
        for name, value in expected.items():
            if getattr(self, name) != value:
                raise ValueError(
                    f"Expected {name}={value!r}, because the upsampling by 2 is built "
                    f"in. Received: {name}={getattr(self, name)!r}"
                )
        check_odd(self.kernel_size)

    def call(self, inputs):
        return self.upsample_with(inputs, keras.ops.convert_to_tensor(self.kernel))

    def upsample_with(self, inputs, kernel):
        """What `call` does, with a kernel (k, k, C, filters) of the caller's."""
        if not cpu_kernels.tuned():
            twins = keras.ops.repeat(keras.ops.repeat(inputs, 2, axis=1), 2, axis=2)
            return _finish(self, self.convolution_op(twins, kernel))
        kernel = _merge_twins(kernel)
        size = tuple(self.compute_output_shape(inputs.shape)[1:3])
        return _finish(self, _transpose(self, inputs, kernel, (2, 2), "same", size))

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        doubled = (side and 2 * side for side in (height, width))
        return (batch, *doubled, self.filters)

    @staticmethod
    def stock(config: dict) -> keras.Layer:
        """The same from Keras's own layers, for files that open everywhere."""
        name, dtype = config["name"], config["dtype"]
        convolution = keras.layers.Conv2D.from_config(
            {**config, "name": f"{name}_convolution"}
        )
        return keras.Sequential(
            [keras.layers.UpSampling2D(dtype=dtype), convolution], name=name
        )


def check_odd(kernel_size: tuple[int, ...]) -> None:
    """Raise ValueError unless all sides of a kernel are odd."""
    if not all(side % 2 for side in kernel_size):
        raise ValueError(
            "Expected an odd `kernel_size`, which has a pixel in its middle. "
            f"Received: {kernel_size}"
        )


def _merge_twins(kernel):
    """W (k, k, C, D) -> V (k + 1, k + 1, D, C), see `UpsampleConv2D`."""
    turned = keras.ops.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
    return sum_of_shifts(turned)


def sum_of_shifts(kernel):
    """W (k, k, C, D) -> V (k + 1, k + 1, C, D): itself and moved by one, both ways."""
    rest = ((0, 0), (0, 0))
    rows = keras.ops.pad(kernel, ((0, 1), (0, 0), *rest)) + keras.ops.pad(
        kernel, ((1, 0), (0, 0), *rest)
    )
    return keras.ops.pad(rows, ((0, 0), (0, 1), *rest)) + keras.ops.pad(
        rows, ((0, 0), (1, 0), *rest)
    )


def _transpose(layer, inputs, kernel, strides, padding: str, size: tuple):
    """The transposed convolution of `inputs` with a kernel (kh, kw, filters, C).

    `size`: of its output, where all sides are known.
    """
    output_padding = getattr(layer, "output_padding", None)
    if output_padding is None and cpu_kernels.wants_matmul_gradient(
        layer, inputs, inputs.shape[1]
    ):
        return cpu_kernels.conv2d_transpose(inputs, kernel, size, strides, padding)
    if output_padding is None and few_channels.wanted(layer, inputs, kernel.shape[2]):
        return few_channels.conv2d_transpose(inputs, kernel, size, strides, padding)
    return keras.ops.conv_transpose(
        inputs,
        kernel,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        data_format=layer.data_format,
        dilation_rate=layer.dilation_rate,
    )


def _finish(layer, outputs):
    """Add the bias and apply the activation."""
    if layer.use_bias and cpu_kernels.on_cpu():
        outputs = cpu_kernels.add_bias(outputs, layer.bias)
    elif layer.use_bias:
        outputs = outputs + keras.ops.convert_to_tensor(layer.bias)
    return outputs if layer.activation is None else layer.activation(outputs)
