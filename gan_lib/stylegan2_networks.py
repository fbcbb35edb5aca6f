"""StyleGAN2's networks: modulated convolutions, skip generator, residual judge.

Karras et al. 2020, arXiv:1912.04958, figures 2 and 7, and the authors' code. Ours
differs: the factor sqrt(2) after each activation stands in the kernels before it, as
in ProGAN and StyleGAN; a LeakyReLU passes it on unchanged. So biases and the strength
of noise count sqrt(2) times as much there.
"""

from __future__ import annotations

import keras

from gan_lib.layers import (
    Downsample2D,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownsampleConv2D,
    FixedNoise,
    LeakyReLU,
    LearnedConstant,
    MinibatchStdDev,
    ModulatedConv2D,
    NoiseInjection,
    Truncation,
    Upsample2D,
)
from gan_lib.layers.equalized import GAIN
from gan_lib.mapping import mapping_network
from gan_lib.sizes import all_sizes, channels_at, count_styles


def build_synthesis(
    image_size: int,
    style_dim: int,
    width: int,
    widest: int,
    channels: int,
    noise_rate: float = 1.0,
    dtype=None,
) -> keras.Model:
    """Styles (B, layers, style_dim) and noise maps -> images; see `build_generator`.

    Inputs: styles, then one map of noise (B, H, H, 1) a convolution, 4 x 4 first.
    """
    count = count_styles(image_size)
    styles = keras.Input((count, style_dim), name="styles")
    noises = [
        keras.Input((4 << (number + 1) // 2,) * 2 + (1,), name=f"noise_{number}")
        for number in range(count - 1)
    ]

    def style_of(x, number, name):
        dense = EqualizedDense(
            x.shape[-1], bias_initializer="ones", dtype=dtype, name=f"{name}_style"
        )
        return dense(styles[:, number])

    def convolve(x, number, **options):
        """Convolution `number`, which takes style and noise of that number."""
        size = noises[number].shape[1]
        filters = channels_at(size, image_size, width, widest)
        layer = ModulatedConv2D(
            filters, 3, gain=GAIN, dtype=dtype, name=f"conv_{number}", **options
        )
        x = layer([x, style_of(x, number, f"conv_{number}")])
        inject = NoiseInjection(
            rate_multiplier=noise_rate, dtype=dtype, name=f"conv_{number}_noise"
        )
        return LeakyReLU(negative_slope=0.2, dtype=dtype)(inject([x, noises[number]]))

    def to_rgb(x, number):
        name = f"to_rgb_{x.shape[1]}"
        layer = ModulatedConv2D(channels, 1, demodulate=False, dtype=dtype, name=name)
        return layer([x, style_of(x, number, name)])

    shape = (4, 4, channels_at(4, image_size, width, widest))
    start = keras.initializers.RandomNormal(0, 1)
    x = LearnedConstant(shape, start, dtype=dtype, name="constant")(styles)
    x = convolve(x, 0)
    images = to_rgb(x, 1)
    for number in range(1, count - 1, 2):
        x = convolve(x, number, upsample=True)
        x = convolve(x, number + 1)
        images = Upsample2D(dtype="float32")(images) + to_rgb(x, number + 2)
    images = keras.layers.Activation("linear", dtype="float32", name="images")(images)
    return keras.Model([styles, *noises], images, name="synthesis")


def build_generator(
    image_size: int = 1024,
    *,
    latent_dim: int = 512,
    style_dim: int = 512,
    mapping_layers: int = 8,
    width: int = 32,
    widest: int = 512,
    channels: int = 3,
    noise_rate: float = 1.0,
    dtype=None,
    seed: int = 0,
) -> keras.Model:
    """Latents (B, latent_dim) -> images (B, image_size, image_size, channels).

    `get_layer("mapping")` makes styles of latents, `get_layer("truncation")` draws
    them to the average, `get_layer("synthesis")` makes images of styles and noise; the
    whole uses fixed noise. Each size has its own picture, and the sum of all, doubled
    as often as needed, is the output ("skip", figure 7b). It is linear: images lie
    about [-1, 1], so clip them before they are shown.

    Args:
        image_size: pixels a side, a power of two from 8.
        latent_dim, style_dim: lengths of latents and styles.
        mapping_layers: dense layers between them.
        width: channels at the full size, doubled at each half; 32 at 1024 px in
            config F, 16 in config E.
        widest: most channels.
        channels: 3 for colour, 1 for grey.
        noise_rate: `rate_multiplier` of each `NoiseInjection`, 1 as published.
        dtype: a Keras dtype policy; None: the global one.
        seed: of the fixed noise.
    Raises: ValueError on another size.
    """
    mapping = mapping_network(latent_dim, style_dim, mapping_layers, dtype=dtype)
    synthesis = build_synthesis(
        image_size, style_dim, width, widest, channels, noise_rate, dtype
    )
    return generator_of(mapping, synthesis, dtype, seed)


def generator_of(
    mapping: keras.Model, synthesis: keras.Model, dtype=None, seed: int = 0
) -> keras.Model:
    """Both networks as one, latents -> images, with truncation and fixed noise."""
    latents = keras.Input(mapping.input_shape[1:], name="latents")
    styles, *noises = synthesis.inputs
    repeat = keras.layers.RepeatVector(styles.shape[1], dtype=dtype)
    truncation = Truncation(dtype=dtype, name="truncation")
    fixed = [
        FixedNoise(x.shape[1], seed + i, dtype=dtype, name=f"fixed_{x.name}")(latents)
        for i, x in enumerate(noises)
    ]
    images = synthesis([truncation(repeat(mapping(latents))), *fixed])
    return keras.Model(latents, images, name="generator")


def build_discriminator(
    image_size: int = 1024,
    *,
    width: int = 32,
    widest: int = 512,
    channels: int = 3,
    group_size: int = 4,
    dtype=None,
) -> keras.Model:
    """Images (B, image_size, image_size, channels) -> logits (B, 1).

    Residual blocks that halve the map (figure 7c), the statistic of the batch at 4 x 4
    (`MinibatchStdDev`), two dense layers. `group_size` images of a batch are compared;
    the rest: see `build_generator`.
    """

    def convolve(x, name, filters, size=3, **options):
        options = {"padding": "same", "gain": GAIN, "dtype": dtype} | options
        return EqualizedConv2D(filters, size, name=name, **options)(x)

    def activate(x):
        return LeakyReLU(negative_slope=0.2, dtype=dtype)(x)

    def at(size):
        return channels_at(size, image_size, width, widest)

    images = keras.Input((image_size, image_size, channels), name="images")
    x = activate(convolve(images, "from_rgb", at(image_size), 1))
    for size in reversed(all_sizes(image_size)[1:]):
        # (a + b) / sqrt(2), with the factor in the kernels of both
        short = Downsample2D(dtype=dtype)(x)
        options = {"gain": 1 / GAIN, "use_bias": False}
        short = convolve(short, f"skip_{size}", at(size // 2), 1, **options)
        x = activate(convolve(x, f"conv_{size}_0", at(size)))
        halve = EqualizedDownsampleConv2D(
            at(size // 2), 3, blur=True, dtype=dtype, name=f"conv_{size}_1"
        )
        x = activate(halve(x)) + short
    x = MinibatchStdDev(group_size, dtype=dtype)(x)
    x = activate(convolve(x, "conv_4", at(4)))
    x = keras.layers.Flatten(dtype=dtype)(x)
    x = activate(EqualizedDense(at(2), gain=GAIN, dtype=dtype, name="dense")(x))
    logits = EqualizedDense(1, dtype=dtype, name="logit")(x)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(logits)
    return keras.Model(images, logits, name="discriminator")
