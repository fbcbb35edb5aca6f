"""Keras layers shared by the papers, one family a file."""

from gan_lib.layers.convolution import Conv2D, Conv2DTranspose, UpsampleConv2D
from gan_lib.layers.normalization import BatchNormalization, InstanceNormalization
from gan_lib.layers.padding import ReflectionPadding2D

__all__ = [
    "BatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "InstanceNormalization",
    "ReflectionPadding2D",
    "UpsampleConv2D",
]
