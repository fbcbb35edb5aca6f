"""How a style reaches a map: pixel norm, AdaIN, modulated convolutions."""

from __future__ import annotations

import keras

from gan_lib.layers import resampling
from gan_lib.layers.convolution import _finish, _merge_twins, _transpose
from gan_lib.layers.equalized import EqualizedConv2D
from gan_lib.layers.normalization import InstanceNormalization


@keras.saving.register_keras_serializable("gan_lib")
class PixelNormalization(keras.layers.Layer):
    """The numbers at each pixel, or of each vector, at mean square 1.

    y = x / sqrt(mean_c(x^2) + epsilon)
    Karras et al. 2018, section 4.2, arXiv:1710.10196. Nothing is learned. Without it
    the two players of ProGAN drive each other's signals up; on latents it puts all
    draws on one sphere. Statistics are in float32.

    Args:
        epsilon: 1e-8, as in the paper.
    Input and output shape: (B, ..., C).
    """

    def __init__(self, epsilon: float = 1e-8, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, inputs):
        x = keras.ops.cast(inputs, "float32")
        power = keras.ops.mean(keras.ops.square(x), axis=-1, keepdims=True)
        scale = keras.ops.rsqrt(power + self.epsilon)
        return inputs * keras.ops.cast(scale, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("gan_lib")
class AdaIN(keras.layers.Layer):
    """Each channel with the mean and spread that the style asks for.

    y = (1 + s) IN(x) + b, IN(x) = (x - mean_HW(x)) / sqrt(var_HW(x) + epsilon)
    Huang and Belongie 2017, equation (8), arXiv:1703.06868; Karras et al. 2019,
    equation (1), arXiv:1812.04948. With the 1 a style of zeros is plain instance norm.

    Args:
        epsilon: 1e-8, as in StyleGAN's code.
    Inputs: x (B, H, W, C), and a style (B, 2 C): first s, then b.
    Output shape: (B, H, W, C).
    Raises: ValueError when the style has another length.
    """

    def __init__(self, epsilon: float = 1e-8, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.normalize = InstanceNormalization(epsilon, dtype=self.dtype_policy)

    def build(self, input_shape):
        maps, style = input_shape
        if style[-1] != 2 * maps[-1]:
            raise ValueError(
                "Expected a style of two numbers a channel, a scale and an offset: "
                f"{2 * maps[-1]} for {maps[-1]} channels. Received: {style[-1]}"
            )
        self.normalize.build(maps)

    def call(self, inputs):
        x, style = inputs
        scale, offset = keras.ops.split(style[:, None, None], 2, axis=-1)
        return (1 + scale) * self.normalize(x) + offset

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("gan_lib")
class ModulatedConv2D(EqualizedConv2D):
    """A convolution whose kernel is made for each image by its style.

    w'[i, j, c, d] = s[c] w[i, j, c, d],
    w''[..., d] = gain w'[..., d] / sqrt(sum_{i, j, c} w'[i, j, c, d]^2 + 1e-8)
    y = conv2d(x, w'') + b
    Karras et al. 2020, equations (1) and (3), arXiv:1912.04958. The division
    ("demodulation") takes the place of instance norm: it gives the output the spread
    that a normal input would have, without looking at the map. Ours differs in the
    order of work: a kernel for each image is never made. Scaling the kernel's inputs
    by s is scaling the map's channels, and the division scales the outputs, so one
    kernel serves the whole batch; results agree up to rounding.

    Args:
        demodulate: False for the layer that makes the picture, whose brightness means
            something.
        upsample: True doubles the map: zeros between its pixels, the kernel, then
            the filter [1, 3, 3, 1] / 4 as in `Upsample2D` (there, appendix B).
            Kernel 3 x 3.
        The rest: those of `EqualizedConv2D`, without strides; padding is "same".
    Inputs: x (B, H, W, C), and styles s (B, C), about 1.
    Output shape: (B, H, W, filters), or (B, 2H, 2W, filters).
    Raises: ValueError on other strides, padding or kernels with `upsample`, and when
        there is no style for each channel.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        *,
        demodulate: bool = True,
        upsample: bool = False,
        padding="same",
        **kwargs,
    ):
        super().__init__(filters, kernel_size, padding=padding, **kwargs)
        self.input_spec = None  # the parent's is of one input; here are two
        self.demodulate, self.upsample = demodulate, upsample
        if padding != "same" or self.strides != (1, 1):
            raise ValueError(
                'Expected padding="same" and no strides. Received: '
                f"padding={padding!r}, strides={self.strides}"
            )
        if upsample and self.kernel_size != (3, 3):
            raise ValueError(
                "Expected `kernel_size=3` with `upsample=True`. Received: "
                f"{self.kernel_size}"
            )

    def build(self, input_shape):
        maps, styles = input_shape
        if maps[-1] != styles[-1]:
            raise ValueError(
                f"Expected a style of {maps[-1]} numbers, one for each channel of the "
                f"map. Received: {styles[-1]}. Make it with EqualizedDense("
                f'{maps[-1]}, bias_initializer="ones").'
            )
        super().build(maps)
        self.input_spec = None

    def call(self, inputs):
        x, styles = inputs
        kernel = self.kernel
        demodulation = self._demodulation(kernel, styles) if self.demodulate else None
        x = x * styles[:, None, None]
        if self.upsample:
            size = tuple(2 * side + 2 for side in x.shape[1:3])
            twins = _merge_twins(kernel)
            x = resampling.box(_transpose(self, x, twins, (2, 2), "valid", size), 2)
        else:
            x = self.convolution_op(x, kernel)
        if self.demodulate:
            x = x * demodulation[:, None, None]
        return _finish(self, x)

    def _demodulation(self, kernel, styles):
        """1 / sqrt(sum w'^2 + 1e-8), (B, filters); summed in float32."""
        kernel = keras.ops.cast(kernel, "float32") / self.gain
        power = keras.ops.sum(keras.ops.square(kernel), (0, 1))  # (C, filters)
        power = keras.ops.square(keras.ops.cast(styles, "float32")) @ power
        return keras.ops.cast(keras.ops.rsqrt(power + 1e-8), styles.dtype)

    def compute_output_shape(self, input_shape):
        maps = input_shape if len(input_shape) == 4 else input_shape[0]
        batch, height, width, _ = maps
        if self.upsample:
            height, width = (side and 2 * side for side in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self):
        names = ("demodulate", "upsample")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
