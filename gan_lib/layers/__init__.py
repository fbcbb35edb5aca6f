"""Keras layers shared by the papers, one family a file."""

from gan_lib.layers.activation import LeakyReLU
from gan_lib.layers.attention import CAMAttention
from gan_lib.layers.convolution import Conv2D, Conv2DTranspose, UpsampleConv2D
from gan_lib.layers.layer_instance import LIN, AdaLIN, UnitInterval
from gan_lib.layers.normalization import BatchNormalization, InstanceNormalization
from gan_lib.layers.padding import ReflectionPadding2D
from gan_lib.layers.spectral import SpectralConv2D, SpectralDense

__all__ = [
    "LIN",
    "AdaLIN",
    "BatchNormalization",
    "CAMAttention",
    "Conv2D",
    "Conv2DTranspose",
    "InstanceNormalization",
    "LeakyReLU",
    "ReflectionPadding2D",
    "SpectralConv2D",
    "SpectralDense",
    "UnitInterval",
    "UpsampleConv2D",
]
