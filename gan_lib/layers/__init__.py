"""Keras layers shared by the papers, one family a file."""

from gan_lib.layers.activation import LeakyReLU
from gan_lib.layers.attention import CAMAttention
from gan_lib.layers.conditional import ConditionalBatchNormalization
from gan_lib.layers.convolution import Conv2D, Conv2DTranspose, UpsampleConv2D
from gan_lib.layers.equalized import (
    ChannelBias,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownsampleConv2D,
    EqualizedUpsampleConv2D,
)
from gan_lib.layers.fade import Fade
from gan_lib.layers.layer_instance import LIN, AdaLIN, UnitInterval
from gan_lib.layers.minibatch import MinibatchStdDev
from gan_lib.layers.normalization import BatchNormalization, InstanceNormalization
from gan_lib.layers.padding import Cropping2D, ReflectionPadding2D
from gan_lib.layers.resampling import Blur2D, Downsample2D, Upsample2D
from gan_lib.layers.self_attention import SelfAttention2D
from gan_lib.layers.spectral import (
    SpectralConv2D,
    SpectralDense,
    SpectralUpsampleConv2D,
)
from gan_lib.layers.style import (
    AdaIN,
    ModulatedConv2D,
    PixelNormalization,
)
from gan_lib.layers.synthesis import (
    FixedNoise,
    LearnedConstant,
    NoiseInjection,
    Truncation,
)

__all__ = [
    "AdaIN",
    "AdaLIN",
    "BatchNormalization",
    "Blur2D",
    "CAMAttention",
    "ChannelBias",
    "ConditionalBatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Downsample2D",
    "EqualizedConv2D",
    "EqualizedDense",
    "EqualizedDownsampleConv2D",
    "EqualizedUpsampleConv2D",
    "Fade",
    "FixedNoise",
    "InstanceNormalization",
    "LIN",
    "LeakyReLU",
    "LearnedConstant",
    "MinibatchStdDev",
    "ModulatedConv2D",
    "NoiseInjection",
    "PixelNormalization",
    "ReflectionPadding2D",
    "SelfAttention2D",
    "SpectralConv2D",
    "SpectralDense",
    "SpectralUpsampleConv2D",
    "Truncation",
    "UnitInterval",
    "Upsample2D",
    "UpsampleConv2D",
]
