"""Padding layers that Keras does not have."""

from __future__ import annotations

import keras


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
