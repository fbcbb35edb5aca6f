"""Equalized learning rate: weights of one size, scaled by a constant when used."""

from __future__ import annotations

import math

import keras

from gan_lib.layers import resampling
from gan_lib.layers.computed_kernel import ComputedKernel
from gan_lib.layers.convolution import (
    Conv2D,
    UpsampleConv2D,
    check_odd,
    sum_of_shifts,
)

GAIN = math.sqrt(2)  # of a kernel before a LeakyReLU, which halves the power


class _Equalized(ComputedKernel):
    """The part that all of them share, to stand before a Keras layer with `kernel`."""

    def __init__(self, *args, gain: float = 1.0, **kwargs):
        kwargs.setdefault("kernel_initializer", keras.initializers.RandomNormal(0, 1))
        super().__init__(*args, **kwargs)
        self.gain = gain

    @property
    def kernel(self):
        """The kernel as it is used, scaled; the variable itself is `_kernel`."""
        kernel = keras.ops.convert_to_tensor(super().kernel)
        fan_in = math.prod(kernel.shape[:-1])
        return kernel * (self.gain / math.sqrt(fan_in))

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


@keras.saving.register_keras_serializable("gan_lib")
class EqualizedDense(_Equalized, keras.layers.Dense):
    """A dense layer whose variables are all of size 1, as an optimizer like Adam wants.

    y = x W m gain / sqrt(fan_in) + m b,  W ~ N(0, 1 / m^2),  m the rate multiplier
    Karras et al. 2018, section 4.1, arXiv:1710.10196; m: Karras et al. 2019,
    appendix C, arXiv:1812.04948. Adam moves each number by about its learning rate,
    however large it is; with the usual starts a small weight of a wide layer would
    be gone at once while a large one hardly moves. Here all are equally large, so all
    learn equally fast; m makes a layer's weights m times as fast, its start unchanged.

    Args:
        units: length of the output.
        gain: 1, or sqrt(2) before a rectifier, which halves the power.
        rate_multiplier: m > 0; the mapping network of StyleGAN has 0.01.
        The rest: those of `keras.layers.Dense`.
    Input shape: (B, ..., C). Output shape: (B, ..., units).
    Raises: ValueError unless m > 0.
    """

    def __init__(self, units, *, rate_multiplier: float = 1.0, **kwargs):
        if not rate_multiplier > 0:
            raise ValueError(
                "Expected `rate_multiplier` > 0; 1 changes nothing, 0.01 learns a "
                f"hundredth as fast. Received: {rate_multiplier}"
            )
        start = keras.initializers.RandomNormal(0, 1 / rate_multiplier)
        kwargs.setdefault("kernel_initializer", start)
        super().__init__(units, **kwargs)
        self.rate_multiplier = rate_multiplier

    def call(self, inputs):
        outputs = keras.ops.matmul(inputs, self.kernel * self.rate_multiplier)
        if self.use_bias:
            bias = keras.ops.convert_to_tensor(self.bias)
            outputs = outputs + bias * self.rate_multiplier
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self):
        return {**super().get_config(), "rate_multiplier": self.rate_multiplier}


@keras.saving.register_keras_serializable("gan_lib")
class ChannelBias(keras.layers.Layer):
    """y = x + b, one number a channel, where no convolution or dense layer has it.

    Starts at 0. Input and output shape: (B, H, W, C).
    """

    def build(self, input_shape):
        self.bias = self.add_weight(
            name="bias", shape=input_shape[-1:], initializer="zeros"
        )

    def call(self, inputs):
        return inputs + keras.ops.convert_to_tensor(self.bias)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("gan_lib")
class EqualizedConv2D(_Equalized, Conv2D):
    """A convolution with the kernel W gain / sqrt(k k C), W ~ N(0, 1) being learned.

    See `EqualizedDense`. Karras et al. 2018, section 4.1, arXiv:1710.10196.

    Args:
        gain: 1, or sqrt(2) before a rectifier.
        The rest: those of `keras.layers.Conv2D`.
    Input shape: (B, H, W, C). Output shape: (B, H', W', filters).
    """


@keras.saving.register_keras_serializable("gan_lib")
class EqualizedUpsampleConv2D(_Equalized, UpsampleConv2D):
    """Nearest-neighbour upsampling by 2 and an `EqualizedConv2D`, in one operation.

    See `UpsampleConv2D`. Input shape: (B, H, W, C). Output shape: (B, 2H, 2W, filters).
    """


@keras.saving.register_keras_serializable("gan_lib")
class EqualizedDownsampleConv2D(_Equalized, Conv2D):
    """A convolution and then the mean of 2 x 2 pixels, in one operation with stride 2.

    y = mean_2x2(conv2d(x, W)) + b = conv2d(x, V, stride 2) + b,
    V[m, n] = 1/4 sum_{i, j in {0, 1}} W[m - i, n - j]
    (the "fused" downscaling of Karras et al. 2018's code, arXiv:1710.10196). With
    `blur` the map first goes through [1, 2, 1] / 4, in all [1, 3, 3, 1] / 8, as in
    StyleGAN2 (Karras et al. 2020, appendix B, arXiv:1912.04958): fine stripes must not
    pass as coarse ones. Zeros lie outside the map.

    Args:
        blur: whether it is blurred first.
        gain: see `EqualizedConv2D`.
        The rest: those of `keras.layers.Conv2D`, but strides and padding; the kernel's
            sides are odd.
    Input shape: (B, H, W, C), H and W even. Output shape: (B, H/2, W/2, filters).
    Raises: ValueError on an even kernel.
    """

    def __init__(self, filters, kernel_size, *, blur: bool = False, **kwargs):
        fixed = {"strides": 2, "padding": "valid"}
        super().__init__(filters, kernel_size, **kwargs | fixed)
        self.blur = blur
        check_odd(self.kernel_size)

    @property
    def kernel(self):
        """The kernel as it is used, scaled, and merged with the mean."""
        return sum_of_shifts(super().kernel) / 4

    def call(self, inputs):
        margin = self.kernel_size[0] // 2
        if self.blur:
            maps = resampling.box(resampling.pad(inputs, margin + 1), 2)
        else:
            maps = resampling.pad(inputs, margin)
        return super().call(maps)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, *(x and x // 2 for x in (height, width)), self.filters)

    def get_config(self):
        return {**super().get_config(), "blur": self.blur}
