"""The discriminator that pix2pix, CycleGAN and others share, and its building blocks.

Isola, Zhu, Zhou and Efros 2017, arXiv:1611.07004, section 3.2.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from gan_lib.layers import (
    BatchNormalization,
    Conv2D,
    InstanceNormalization,
    LeakyReLU,
)

NORMALIZATIONS = ("batch", "instance", "none")


def receptive_field(kernel_sizes: Sequence[int], strides: Sequence[int]) -> int:
    """Side in pixels of the square that one output of a chain of convolutions sees.

    From the last layer back to the picture, r = 1, then r <- (r - 1) s + k: r outputs
    lie (r - 1) s pixels apart, first to last, and each covers k.

    Args:
        kernel_sizes, strides: of the layers, the first one first.
    Raises: ValueError when the lists differ in length.
    """
    side = 1
    for size, stride in reversed(list(zip(kernel_sizes, strides, strict=True))):
        side = (side - 1) * stride + size
    return side


# Side in pixels of what one logit sees -> strided convolutions in the discriminator;
# without any it is the PixelGAN, of 1 x 1 convolutions.
RECEPTIVE_FIELDS = {1: 0} | {
    receptive_field([4] * (n + 2), [2] * n + [1, 1]): n for n in range(1, 6)
}


class Blocks:
    """Convolution and normalization with the paper's settings, ready to apply."""

    def __init__(self, normalization: str, dtype):
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"Expected `normalization` to be one of {NORMALIZATIONS}. "
                f"Received: {normalization!r}"
            )
        self.normalization, self.dtype = normalization, dtype
        # Batch norm subtracts any bias again; instance norm does too, but the
        # published networks have one there.
        self.use_bias = normalization != "batch"

    def convolve(self, layer, x, filters, strides=2, padding="same", **kwargs):
        options = {"kernel_size": 4, "use_bias": self.use_bias} | kwargs
        return layer(
            filters,
            strides=strides,
            padding=padding,
            kernel_initializer=keras.initializers.RandomNormal(0, 0.02),
            dtype=self.dtype,
            **options,
        )(x)

    def normalize(self, x, name: str):
        if self.normalization == "batch":
            gain = keras.initializers.RandomNormal(1, 0.02)
            return BatchNormalization(
                momentum=0.9,
                epsilon=1e-5,
                gamma_initializer=gain,
                dtype=self.dtype,
                name=name,
            )(x)
        if self.normalization == "instance":
            return InstanceNormalization(dtype=self.dtype, name=name)(x)
        return x

    def leaky(self, x):
        return LeakyReLU(negative_slope=0.2, dtype=self.dtype)(x)


def build_discriminator(
    image_size: int = 256,
    *,
    receptive_field: int = 70,
    width: int = 64,
    channels: int = 6,
    normalization: str = "batch",
    dtype=None,
) -> keras.Model:
    """PatchGAN: pictures (B, S, S, channels) -> a map of logits (B, h, w, 1).

    Each logit judges one square of `receptive_field` pixels, all by the same rule
    (Isola et al. 2017, section 3.2.2 and appendix 6.1.2); at 256 px the 70-pixel one
    has 30 x 30 logits. 1 is the paper's PixelGAN, of 1 x 1 convolutions. 4 x 4
    convolutions, padded by one pixel on each side, with LeakyReLU(0.2); all but the
    last two have stride 2; no norm on the first and last.
    Ours differs: it ends in logits, as the authors' PyTorch code does.

    Args:
        image_size: S.
        receptive_field: one of `RECEPTIVE_FIELDS`.
        width: channels of the first map, doubled up to 8 times.
        channels: of the source and the judged picture together, 6 for two colour
            pictures; of the picture alone if the source is not shown.
        normalization, dtype: as in `build_generator`.
    Raises: ValueError on an unknown receptive field, or one whose map would be empty.
    """
    if receptive_field not in RECEPTIVE_FIELDS:
        raise ValueError(
            f"Expected `receptive_field` to be one of {tuple(RECEPTIVE_FIELDS)} "
            f"pixels. Received: {receptive_field}"
        )
    layers = RECEPTIVE_FIELDS[receptive_field]
    if image_size >> layers < 3:
        raise ValueError(
            f"Expected pictures of at least {3 << layers} px for a receptive field of "
            f"{receptive_field} px. Received: image_size={image_size}. Choose a "
            "smaller `receptive_field`."
        )
    blocks = Blocks(normalization, dtype)
    images = keras.Input((image_size, image_size, channels), name="pair")

    def convolve(x, name, filters, strides, **options):
        if layers == 0:
            return blocks.convolve(
                Conv2D, x, filters, 1, name=name, kernel_size=1, **options
            )
        x = keras.layers.ZeroPadding2D(1, dtype=dtype)(x)
        return blocks.convolve(
            Conv2D, x, filters, strides, "valid", name=name, **options
        )

    x = blocks.leaky(convolve(images, "conv1", width, 2, use_bias=True))
    hidden = max(layers, 1)
    for number in range(1, hidden + 1):
        filters = width * min(1 << number, 8)
        x = convolve(x, f"conv{number + 1}", filters, 2 if number < hidden else 1)
        x = blocks.leaky(blocks.normalize(x, f"conv{number + 1}_norm"))
    x = convolve(x, f"conv{hidden + 2}", 1, 1, use_bias=layers > 0 or blocks.use_bias)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")
