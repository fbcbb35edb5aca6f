"""StyleGAN's generator: ProGAN's, fed by styles and noise instead of by latents.

Karras et al. 2019, arXiv:1812.04948, figure 1b, and the authors' code. Its
discriminator is ProGAN's with a blur: `progan_networks.build_discriminator(blur=True)`.
"""

from __future__ import annotations

import keras

from gan_lib.layers import (
    AdaIN,
    Blur2D,
    ChannelBias,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedUpsampleConv2D,
    LeakyReLU,
    LearnedConstant,
    NoiseInjection,
)
from gan_lib.layers.equalized import GAIN
from gan_lib.mapping import mapping_network
from gan_lib.progan_networks import to_pictures
from gan_lib.sizes import all_sizes, channels_at, count_styles
from gan_lib.stylegan2_networks import generator_of


def build_synthesis(
    image_size: int,
    style_dim: int,
    width: int,
    widest: int,
    channels: int,
    noise_rate: float = 1.0,
    dtype=None,
) -> keras.Model:
    """Styles (B, layers, style_dim) and noise maps -> a list of images.

    Inputs: styles, then one map of noise (B, H, H, 1) a layer, 4 x 4 first. Outputs: a
    picture of each of `all_sizes`, as in ProGAN. Arguments: see
    `build_generator`.
    """
    count = count_styles(image_size)
    styles = keras.Input((count, style_dim), name="styles")
    noises = [
        keras.Input((4 << number // 2,) * 2 + (1,), name=f"noise_{number}")
        for number in range(count)
    ]

    def finish(x, number):
        """Noise, bias, activation, and the style of layer `number`."""
        name = f"layer_{number}"
        x = NoiseInjection(True, noise_rate, dtype=dtype, name=f"{name}_noise")(
            [x, noises[number]]
        )
        x = ChannelBias(dtype=dtype, name=f"{name}_bias")(x)
        x = LeakyReLU(negative_slope=0.2, dtype=dtype)(x)
        dense = EqualizedDense(2 * x.shape[-1], dtype=dtype, name=f"{name}_style")
        return AdaIN(dtype=dtype)([x, dense(styles[:, number])])

    def convolve(x, layer, size, number):
        filters = channels_at(size, image_size, width, widest)
        options = {"padding": "same", "gain": GAIN, "use_bias": False, "dtype": dtype}
        return layer(filters, 3, name=f"layer_{number}", **options)(x)

    shape = (4, 4, channels_at(4, image_size, width, widest))
    x = finish(LearnedConstant(shape, dtype=dtype, name="constant")(styles), 0)
    x = finish(convolve(x, EqualizedConv2D, 4, 1), 1)
    maps = [x]
    for number, size in enumerate(all_sizes(image_size)[1:], 1):
        x = convolve(x, EqualizedUpsampleConv2D, size, 2 * number)
        x = finish(Blur2D(dtype=dtype)(x), 2 * number)
        x = finish(convolve(x, EqualizedConv2D, size, 2 * number + 1), 2 * number + 1)
        maps.append(x)
    outputs = to_pictures(maps, channels, dtype)
    return keras.Model([styles, *noises], outputs, name="synthesis")


def build_generator(
    image_size: int = 1024,
    *,
    latent_dim: int = 512,
    style_dim: int = 512,
    mapping_layers: int = 8,
    width: int = 16,
    widest: int = 512,
    channels: int = 3,
    noise_rate: float = 1.0,
    dtype=None,
    seed: int = 0,
) -> keras.Model:
    """Latents (B, latent_dim) -> a list of images, one for each size.

    Its parts have the names and meanings of StyleGAN2's
    (`stylegan2_networks.build_generator`); sizes and fading are those of ProGAN
    (`progan_networks.build_generator`), and so are the arguments.

    Args:
        style_dim: length of the styles.
        mapping_layers: dense layers between latents and styles.
        noise_rate: `rate_multiplier` of each `NoiseInjection`, 1 as published.
        seed: of the fixed noise.
    Raises: ValueError on another size.
    """
    mapping = mapping_network(latent_dim, style_dim, mapping_layers, dtype=dtype)
    synthesis = build_synthesis(
        image_size, style_dim, width, widest, channels, noise_rate, dtype
    )
    return generator_of(mapping, synthesis, dtype, seed)
