"""Padding that Keras does not have, and cropping with a fast way back."""

from __future__ import annotations

import keras
import tensorflow as tf

from gan_lib.layers import cpu_kernels


@keras.saving.register_keras_serializable("gan_lib")
class ReflectionPadding2D(keras.layers.ZeroPadding2D):
    """Continue a map beyond its border by its mirror image.

    y[i] = x[|i - p|] at the near border, x[2 (N - 1) - (i - p)] at the far one, for
    rows and columns alike; the border pixel itself is not repeated: with p = 2 the row
    a b c d becomes c b | a b c d | c b. A convolution then sees no false black frame
    (Zhu et al. 2017, arXiv:1703.10593, section 7.2). Same values as PyTorch's
    `ReflectionPad2d`.

    Arguments are those of `keras.layers.ZeroPadding2D`: p, (rows, columns) or
    ((top, bottom), (left, right)), in pixels, at least 0.
    Input shape: (B, H, W, C). Output shape: (B, H + top + bottom, W + left + right, C).
    Raises: ValueError when a side is not longer than its padding, which leaves the
        mirror without pixels.
    """

    def build(self, input_shape):
        axes = (2, 3) if self.data_format == "channels_first" else (1, 2)
        sides = [input_shape[axis] for axis in axes]
        for name, side, padding in zip(
            ("high", "wide"), sides, self.padding, strict=True
        ):
            if side is not None and side <= max(padding):
                raise ValueError(
                    f"Expected a map more than {max(padding)} pixels {name}, because "
                    "a mirror needs one pixel more than it adds. Received: shape "
                    f"{tuple(input_shape)}, padding={self.padding}. Use larger "
                    "pictures or fewer halvings."
                )
        super().build(input_shape)

    def call(self, inputs):
        return keras.ops.pad(inputs, self._pad_width(), mode="reflect")

    def _pad_width(self):
        rest = ((0, 0), *self.padding)  # batch, rows, columns
        if self.data_format == "channels_first":
            return ((0, 0), *rest)
        return (*rest, (0, 0))

    @staticmethod
    def stock(config: dict) -> keras.Model:
        """The same as a Keras operation, for files that open everywhere."""
        layer = ReflectionPadding2D.from_config(config)
        maps = keras.Input((None, None, None), dtype=layer.compute_dtype)
        return keras.Model(maps, layer.call(maps), name=layer.name)


@keras.saving.register_keras_serializable("gan_lib")
class Cropping2D(keras.layers.Cropping2D):
    """`keras.layers.Cropping2D`, whose gradient is quick on a CPU.

    y[:, i, j] = x[:, i + top, j + left];  dL/dx is dL/dy with zeros around it.

    Keras cuts with a strided slice, whose gradient TensorFlow computes element by
    element; that of a plain slice is a padding, many times as fast.
    Arguments and results are those of the Keras layer. Input shape: (B, H, W, C).
    Output shape: (B, H - top - bottom, W - left - right, C).
    """

    stock = keras.layers.Cropping2D.from_config

    def call(self, inputs):
        (top, _), (left, _) = self.cropping
        _, height, width, _ = self.compute_output_shape(inputs.shape)
        sliceable = cpu_kernels.on_cpu() and self.data_format == "channels_last"
        if not sliceable or None in (height, width):
            return super().call(inputs)
        return tf.slice(inputs, (0, top, left, 0), (-1, height, width, -1))
