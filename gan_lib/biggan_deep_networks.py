"""BigGAN-deep's networks: four times as many layers as BigGAN, and fewer weights.

Brock, Donahue and Simonyan 2019, arXiv:1809.11096, appendix B, figure 16 and tables 7
to 9. Two blocks at each size of the map, each with a bottleneck of a quarter of the
channels, and shortcuts that change as little as they can. All kernels are spectrally
normalised, but the class embedding. `gan_lib.models.biggan.BigGAN` trains the pair.

The discriminator is the generator read backwards: one table serves both. 32 and 64 px
are ours, for computers without an accelerator: the paper has 128, 256 and 512.
"""

from __future__ import annotations

import keras

from gan_lib.biggan_networks import (
    GENERATOR,
    check_attention,
    convolution,
    embed,
    judge,
    multiples,
    start,
    to_images,
    told,
    upsampling,
)
from gan_lib.layers import SelfAttention2D

# Channels of a block for each channel of its bottleneck.
RATIO = 4


def build_generator(
    image_size: int = 128,
    num_classes: int = 1000,
    *,
    latent_dim: int = 128,
    class_dim: int = 128,
    width: int = 128,
    attention: int | None = 64,
    dtype=None,
) -> keras.Model:
    """Latents (B, latent_dim) and classes (B, num_classes) -> images in [-1, 1].

    All latents, joined to the class embedding, make the 4 x 4 map and are the
    condition of every block's normalizations. A block, with c channels in, is
        f(x) + s(x),  f: 1 x 1 to c / 4, [twice as large,] 3 x 3, 3 x 3, 1 x 1,
    each convolution after a conditional batch normalization and ReLU; s(x) is x
    without its last channels, where the block gives fewer, then as large as f(x).
    Of the two blocks at a size the second enlarges.
    Classes are weights, as a rule one-hot; a mixture gives a mixture of embeddings.
    Images: float32 (B, image_size, image_size, 3).

    Ours differs from the published weights in the last convolution: there it has 128
    filters, of which three are shown (144,125 idle weights among the 50.4 million of
    128 px); here it has three, as in the tables.

    Args:
        image_size: 32, 64, 128, 256 or 512.
        num_classes: how many classes there are.
        latent_dim, class_dim: lengths of the latents and of the class embedding.
        width: channels of which all maps have multiples, itself one of 4.
        attention: size of the map with self-attention; None: none.
        dtype: a Keras dtype policy; None: the global one.
    Raises: ValueError on an impossible size, width or place of attention.
    """
    first, *widths = _channels(image_size, width, "generator")
    sizes = [8 << number for number in range(len(widths))]
    check_attention(attention, sizes)
    latents = keras.Input((latent_dim,), name="latents")
    classes = keras.Input((num_classes,), name="classes")
    embedding = embed(classes, class_dim, dtype)
    condition = keras.layers.Concatenate(dtype=dtype)([latents, embedding])
    x = start(condition, first, dtype)
    for size, filters in zip(sizes, widths, strict=True):
        name = f"block_{size // 2}"
        x = _generator_block(x, condition, x.shape[-1], False, dtype, name)
        x = _generator_block(x, condition, filters, True, dtype, f"{name}_up")
        if size == attention:
            x = SelfAttention2D(dtype=dtype, name="attention")(x)
    return keras.Model([latents, classes], to_images(x, dtype), name="generator")


def _generator_block(x, condition, filters, enlarge, dtype, name):
    """Four convolutions, and a shortcut that keeps the first `filters` channels."""

    def normalize(x, number):
        return told(x, condition, dtype, f"{name}_norm_{number}")

    shortcut, hidden = x, x.shape[-1] // RATIO
    if x.shape[-1] != filters:
        shortcut = keras.ops.split(shortcut, [filters], axis=-1)[0]
    x = convolution(hidden, 1, dtype, f"{name}_conv_1")(normalize(x, 1))
    x = normalize(x, 2)
    if enlarge:
        shortcut = keras.layers.UpSampling2D(dtype=dtype)(shortcut)
        x = upsampling(hidden, dtype, f"{name}_conv_2")(x)
    else:
        x = convolution(hidden, 3, dtype, f"{name}_conv_2")(x)
    x = convolution(hidden, 3, dtype, f"{name}_conv_3")(normalize(x, 3))
    x = convolution(filters, 1, dtype, f"{name}_conv_4")(normalize(x, 4))
    return keras.layers.Add(dtype=dtype)([x, shortcut])


def build_discriminator(
    image_size: int = 128,
    num_classes: int = 1000,
    *,
    width: int = 128,
    attention: int | None = 64,
    dtype=None,
) -> keras.Model:
    """Images (B, S, S, 3) in [-1, 1] and classes (B, num_classes) -> logits (B, 1).

    logits = w . h + b + <E classes, h>, h the sum of the last map over its pixels,
    as in `gan_lib.biggan_networks.build_discriminator`. A block, with d channels out,
    is
        f(x) + s(x),  f: 1 x 1 to d / 4, 3 x 3, 3 x 3, [mean of 2 x 2,] 1 x 1,
    each convolution after ReLU; s(x) is x [the mean of 2 x 2], and behind its
    channels those that are missing, from a 1 x 1 convolution of it.
    Of the two blocks at a size the first halves, so the last map is 4 x 4.

    Args: as `build_generator`.
    Raises: ValueError as `build_generator`.
    """
    first, *widths = _channels(image_size, width, "discriminator")[::-1]
    sizes = [image_size >> number + 1 for number in range(len(widths))]
    check_attention(attention, sizes)
    images = keras.Input((image_size, image_size, 3), name="images")
    classes = keras.Input((num_classes,), name="classes")
    x = convolution(first, 3, dtype, "from_rgb")(images)
    for size, filters in zip(sizes, widths, strict=True):
        name = f"block_{size}"
        x = _discriminator_block(x, filters, True, dtype, f"{name}_down")
        x = _discriminator_block(x, filters, False, dtype, name)
        if size == attention:
            x = SelfAttention2D(dtype=dtype, name="attention")(x)
    return keras.Model(
        [images, classes], judge(x, classes, dtype), name="discriminator"
    )


def _discriminator_block(x, filters, halve, dtype, name):
    """Four convolutions, and a shortcut that adds the channels it lacks."""
    relu = keras.layers.ReLU
    shortcut, missing = x, filters - x.shape[-1]
    for number, kernel_size in ((1, 1), (2, 3), (3, 3)):
        layer = convolution(
            filters // RATIO, kernel_size, dtype, f"{name}_conv_{number}"
        )
        x = layer(relu(dtype=dtype)(x))
    x = relu(dtype=dtype)(x)
    if halve:
        pool = keras.layers.AveragePooling2D
        x, shortcut = pool(2, dtype=dtype)(x), pool(2, dtype=dtype)(shortcut)
    if missing:
        rest = convolution(missing, 1, dtype, f"{name}_shortcut")(shortcut)
        shortcut = keras.layers.Concatenate(dtype=dtype)([shortcut, rest])
    x = convolution(filters, 1, dtype, f"{name}_conv_4")(x)
    return keras.layers.Add(dtype=dtype)([x, shortcut])


def _channels(image_size, width, network):
    """Of the generator's maps, from the smallest to the largest."""
    if width % RATIO:
        raise ValueError(
            f"Expected `width` to be a multiple of {RATIO}, because a block's inner "
            f"maps have a quarter of its channels. Received: {width}. Near it: "
            f"{width // RATIO * RATIO or RATIO}."
        )
    return [width * number for number in multiples(GENERATOR, image_size, network)]
