"""ProGAN's networks: every size from 4 x 4 up, in one pair of networks.

Karras et al. 2018, arXiv:1710.10196, figures 1 and 2 and table 2, and the authors'
TensorFlow code.
"""

from __future__ import annotations

import keras

from gan_lib.layers import (
    Blur2D,
    ChannelBias,
    EqualizedConv2D,
    EqualizedDense,
    EqualizedDownsampleConv2D,
    EqualizedUpsampleConv2D,
    Fade,
    LeakyReLU,
    MinibatchStdDev,
    PixelNormalization,
)
from gan_lib.layers.equalized import GAIN
from gan_lib.sizes import all_sizes, channels_at


def to_pictures(maps: list, channels: int, dtype=None) -> list:
    """A picture of each map (B, H, H, C), the smallest first, in float32.

    Each is mixed with the one before, doubled by nearest neighbours, by the layer
    `fade_SIZE`.
    """
    pictures, old = [], None
    for x in maps:
        size = x.shape[1]
        name = f"to_rgb_{size}"
        new = EqualizedConv2D(channels, 1, dtype=dtype, name=name)(x)
        picture = new
        if old is not None:
            doubled = keras.layers.UpSampling2D(dtype=dtype)(old)
            picture = Fade(dtype=dtype, name=f"fade_{size}")([doubled, new])
        linear = keras.layers.Activation(
            "linear", dtype="float32", name=f"images_{size}"
        )
        pictures.append(linear(picture))
        old = new
    return pictures


def build_generator(
    image_size: int = 1024,
    *,
    latent_dim: int = 512,
    width: int = 16,
    widest: int = 512,
    channels: int = 3,
    dtype=None,
) -> keras.Model:
    """Latents (B, latent_dim) -> a list of images, one for each of `all_sizes`.

    Each block doubles the map by nearest neighbours and has two 3 x 3 convolutions with
    LeakyReLU(0.2) and pixel norm; a 1 x 1 convolution makes a picture of its map. The
    picture of a size is mixed with the one before, doubled, by the layer `fade_SIZE`.
    Pictures are linear, about [-1, 1]: clip them before they are shown. Only what a
    picture needs is computed for it: `keras.Model(g.input, g.outputs[2])` is the
    generator of 16 x 16.

    Args:
        image_size: pixels a side of the last, a power of two from 8.
        latent_dim: length of the latents, drawn from N(0, 1).
        width: channels at the full size, doubled at each half; 16 at 1024 px.
        widest: most channels.
        channels: 3 for colour, 1 for grey.
        dtype: a Keras dtype policy; None: the global one.
    Raises: ValueError on another size.
    """

    def finish(x):
        x = LeakyReLU(negative_slope=0.2, dtype=dtype)(x)
        return PixelNormalization(dtype=dtype)(x)

    def convolve(x, layer, size, number):
        filters = channels_at(size, image_size, width, widest)
        options = {"padding": "same", "gain": GAIN, "dtype": dtype}
        return finish(layer(filters, 3, name=f"conv_{size}_{number}", **options)(x))

    latents = keras.Input((latent_dim,), name="latents")
    x = PixelNormalization(dtype=dtype)(latents)
    first = channels_at(4, image_size, width, widest)
    # The gain of the authors' code, which keeps the start of their first version.
    project = EqualizedDense(
        16 * first, gain=GAIN / 4, use_bias=False, dtype=dtype, name="project"
    )
    x = keras.layers.Reshape((4, 4, first), dtype=dtype)(project(x))
    x = finish(ChannelBias(dtype=dtype, name="project_bias")(x))
    x = convolve(x, EqualizedConv2D, 4, 1)
    maps = [x]
    for size in all_sizes(image_size)[1:]:
        x = convolve(x, EqualizedUpsampleConv2D, size, 0)
        x = convolve(x, EqualizedConv2D, size, 1)
        maps.append(x)
    outputs = to_pictures(maps, channels, dtype)
    return keras.Model(latents, outputs, name="generator")


def build_discriminator(
    image_size: int = 1024,
    *,
    width: int = 16,
    widest: int = 512,
    channels: int = 3,
    group_size: int = 4,
    blur: bool = False,
    dtype=None,
) -> keras.Model:
    """A list of images, one of each of `all_sizes` -> a list of logits (B, 1).

    The generator's mirror image: a 1 x 1 convolution takes pictures of each size in;
    each block has two 3 x 3 convolutions with LeakyReLU(0.2), the second of which
    halves the map by the mean of 2 x 2 pixels; at 4 x 4 comes the statistic of the
    batch. A block that is new is mixed with a picture of half the size, which skips it,
    by `fade_SIZE`.
    `keras.Model(d.inputs[2], d.outputs[2])` judges pictures of 16 x 16.

    Args:
        group_size: images of a batch that are compared.
        blur: StyleGAN's: the map is blurred before the convolution that halves it.
        The rest: see `build_generator`.
    """

    def activate(x):
        return LeakyReLU(negative_slope=0.2, dtype=dtype)(x)

    options = {"gain": GAIN, "dtype": dtype}

    def layer(name, filters, size):
        return EqualizedConv2D(filters, size, padding="same", name=name, **options)

    def at(size):
        return channels_at(size, image_size, width, widest)

    soften = Blur2D(dtype=dtype) if blur else keras.layers.Identity(dtype=dtype)
    halve = keras.layers.AveragePooling2D(2, dtype=dtype, name="halve")
    every = all_sizes(image_size)
    from_rgb = {size: layer(f"from_rgb_{size}", at(size), 1) for size in every}
    blocks = {
        size: (
            layer(f"conv_{size}_0", at(size), 3),
            EqualizedDownsampleConv2D(
                at(size // 2), 3, name=f"conv_{size}_1", **options
            ),
        )
        for size in every[1:]
    }
    last = layer("conv_4", at(4), 3)
    dense = EqualizedDense(at(2), name="dense", **options)
    logit = EqualizedDense(1, dtype=dtype, name="logit")
    statistic = MinibatchStdDev(group_size, dtype=dtype)

    def judge(images, size):
        x = activate(from_rgb[size](images))
        for now in range(size.bit_length() - 3):
            side = size >> now
            first, second = blocks[side]
            x = activate(first(x))
            x = activate(second(soften(x)))
            if side == size:
                old = activate(from_rgb[side // 2](halve(images)))
                x = Fade(dtype=dtype, name=f"fade_{size}")([old, x])
        x = activate(last(statistic(x)))
        x = activate(dense(keras.layers.Flatten(dtype=dtype)(x)))
        name = f"logits_{size}"
        return keras.layers.Activation("linear", dtype="float32", name=name)(logit(x))

    inputs = [
        keras.Input((size, size, channels), name=f"images_{size}") for size in every
    ]
    outputs = [judge(images, images.shape[1]) for images in inputs]
    return keras.Model(inputs, outputs, name="discriminator")
