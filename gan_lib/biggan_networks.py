"""BigGAN's networks: residual blocks that are told class and latents at every size.

Brock, Donahue and Simonyan 2019, arXiv:1809.11096, appendix B, tables 4 to 6, and the
authors' PyTorch code. All kernels are spectrally normalised, but the class embedding.
"""

from __future__ import annotations

import keras

from gan_lib.layers import (
    BatchNormalization,
    ConditionalBatchNormalization,
    SelfAttention2D,
    SpectralConv2D,
    SpectralDense,
    SpectralUpsampleConv2D,
)

# Channels by image size, in multiples of `width`: a generator's 4 x 4 map and then
# what each block gives; what each of a discriminator's blocks gives. The authors' code
# has no discriminator for 512 px.
GENERATOR = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
DISCRIMINATOR = {
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}
# Ours, for 32 px: many channels where maps are small, as the other sizes have them.
# The published constant width takes three times as long (benchmarks/biggan_speed.py).
PYRAMID = {"generator": (8, 4, 2, 1), "discriminator": (1, 2, 4, 8)}


def build_generator(
    image_size: int = 128,
    num_classes: int = 1000,
    *,
    latent_dim: int = 120,
    class_dim: int = 128,
    width: int = 96,
    attention: int | None = 64,
    pyramid: bool = False,
    dtype=None,
) -> keras.Model:
    """Latents (B, latent_dim) and classes (B, num_classes) -> images in [-1, 1].

    Classes are weights, as a rule one-hot; a mixture gives a mixture of embeddings.
    The latents are cut into equal parts: the first makes the 4 x 4 map, each other,
    joined to the class embedding, is the condition of one block's normalization.
    Images: float32 (B, image_size, image_size, 3).

    Args:
        image_size: 32, 64, 128, 256 or 512.
        num_classes: how many classes there are.
        latent_dim: a multiple of the number of parts, one more than blocks: 120 for
            128 px, 140 for 256, 128 for 512 px.
        class_dim: length of the class embedding that all blocks share.
        width: channels of which all maps have multiples; 96 as published.
        attention: size of the map with self-attention; None: none.
        pyramid: at 32 px halve the channels where maps double, as at other sizes;
            False: the same channels everywhere, as published for CIFAR-10.
        dtype: a Keras dtype policy; None: the global one.
    Raises: ValueError on an impossible size, latent length or place of attention.
    """
    first, *widths = multiples(GENERATOR, image_size, "generator", pyramid)
    sizes = [8 << number for number in range(len(widths))]
    check_attention(attention, sizes)
    parts = len(widths) + 1
    if latent_dim % parts:
        raise ValueError(
            f"Expected `latent_dim` to be a multiple of {parts}, one part for each of "
            f"{len(widths)} blocks and one for the start. Received: {latent_dim}. Near "
            f"it: {latent_dim // parts * parts or parts}."
        )
    latents = keras.Input((latent_dim,), name="latents")
    classes = keras.Input((num_classes,), name="classes")
    embedding = embed(classes, class_dim, dtype)
    chunks = keras.ops.split(latents, parts, axis=1)
    x = start(chunks[0], first * width, dtype)
    join = keras.layers.Concatenate(dtype=dtype)
    for chunk, size, filters in zip(chunks[1:], sizes, widths, strict=True):
        condition = join([embedding, chunk])
        x = _generator_block(x, condition, filters * width, dtype, f"block_{size}")
        if size == attention:
            x = SelfAttention2D(dtype=dtype, name="attention")(x)
    images = to_images(x, dtype)
    return keras.Model([latents, classes], images, name="generator")


def _generator_block(x, condition, filters, dtype, name):
    """Twice as large; the shortcut is a 1 x 1 convolution of the input, enlarged."""
    # A 1 x 1 convolution and copying pixels may change places: it comes first here.
    shortcut = convolution(filters, 1, dtype, f"{name}_shortcut")(x)
    shortcut = keras.layers.UpSampling2D(dtype=dtype)(shortcut)
    x = told(x, condition, dtype, f"{name}_norm_1")
    x = upsampling(filters, dtype, f"{name}_conv_1")(x)
    x = told(x, condition, dtype, f"{name}_norm_2")
    x = convolution(filters, 3, dtype, f"{name}_conv_2")(x)
    return keras.layers.Add(dtype=dtype)([x, shortcut])


def build_discriminator(
    image_size: int = 128,
    num_classes: int = 1000,
    *,
    width: int = 96,
    attention: int | None = 64,
    pyramid: bool = False,
    dtype=None,
) -> keras.Model:
    """Images (B, S, S, 3) in [-1, 1] and classes (B, num_classes) -> logits (B, 1).

    logits = w . h + b + <E classes, h>, h the sum of the last map over its pixels
    Miyato and Koyama 2018, equation (3), arXiv:1802.05637 (projection): the second
    term asks whether the picture fits its class.

    Args: as `build_generator`; sizes 32 to 256.
    Raises: ValueError as `build_generator`.
    """
    widths = multiples(DISCRIMINATOR, image_size, "discriminator", pyramid)
    halvings = len(widths) - 1 if pyramid or image_size > 32 else 2
    sizes = [image_size >> min(number + 1, halvings) for number in range(len(widths))]
    check_attention(attention, sizes)
    images = keras.Input((image_size, image_size, 3), name="images")
    classes = keras.Input((num_classes,), name="classes")
    x = images
    for number, (size, filters) in enumerate(zip(sizes, widths, strict=True)):
        halve = number < halvings
        name = f"block_{number}"
        x = _discriminator_block(x, filters * width, number == 0, halve, dtype, name)
        if halve and size == attention:
            x = SelfAttention2D(dtype=dtype, name="attention")(x)
    logits = judge(x, classes, dtype)
    return keras.Model([images, classes], logits, name="discriminator")


def _discriminator_block(x, filters, is_first, halve, dtype, name):
    """ReLU, convolution, ReLU, convolution, mean of 2 x 2; a shortcut beside it."""
    relu, pool = keras.layers.ReLU, keras.layers.AveragePooling2D
    shortcut = x
    if not is_first:  # the picture itself goes in as it is
        x = relu(dtype=dtype)(x)
    x = convolution(filters, 3, dtype, f"{name}_conv_1")(x)
    x = convolution(filters, 3, dtype, f"{name}_conv_2")(relu(dtype=dtype)(x))
    if halve:
        # 1 x 1 convolution and mean may change places: the mean is first, on less.
        x, shortcut = pool(2, dtype=dtype)(x), pool(2, dtype=dtype)(shortcut)
    if halve or shortcut.shape[-1] != filters:
        shortcut = convolution(filters, 1, dtype, f"{name}_shortcut")(shortcut)
    return keras.layers.Add(dtype=dtype)([x, shortcut])


# What BigGAN-deep shares.


def embed(classes, class_dim, dtype):
    """Rows of weights of classes as mixtures of embeddings."""
    return keras.layers.Dense(
        class_dim, use_bias=False, kernel_initializer="orthogonal", dtype=dtype,
        name="class_embedding",
    )(classes)  # fmt: skip


def start(x, channels, dtype):
    """The generator's first map, 4 x 4."""
    x = SpectralDense(
        16 * channels, kernel_initializer="orthogonal", dtype=dtype, name="start"
    )(x)
    return keras.layers.Reshape((4, 4, channels), dtype=dtype)(x)


def told(x, condition, dtype, name):
    """Normalized as the condition says, then ReLU."""
    layer = ConditionalBatchNormalization(dtype=dtype, name=name)
    return keras.layers.ReLU(dtype=dtype)(layer([x, condition]))


def to_images(x, dtype):
    """The generator's last map as images."""
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, name="norm")(x)
    x = keras.layers.ReLU(dtype=dtype)(x)
    x = convolution(3, 3, dtype, "to_rgb")(x)
    return keras.layers.Activation("tanh", dtype="float32", name="images")(x)


def judge(x, classes, dtype):
    """Logits of the discriminator's last map and of how well the classes fit it."""
    x = keras.layers.ReLU(dtype=dtype)(x)
    # Keras sums, not averages, over pixels only by an operation.
    h = keras.ops.sum(keras.ops.cast(x, "float32"), (1, 2))  # (B, C)
    logits = dense(1, "logits")(h)
    fits = dense(h.shape[-1], "class_embedding", use_bias=False)(classes)
    return logits + keras.ops.sum(fits * h, -1, keepdims=True)


def convolution(filters, kernel_size, dtype, name):
    return SpectralConv2D(
        filters, kernel_size, padding="same", kernel_initializer="orthogonal",
        dtype=dtype, name=name,
    )  # fmt: skip


def upsampling(filters, dtype, name):
    return SpectralUpsampleConv2D(
        filters, 3, kernel_initializer="orthogonal", dtype=dtype, name=name
    )


def dense(units, name, use_bias=True):
    """In float32: what it adds up decides."""
    return SpectralDense(
        units, use_bias=use_bias, kernel_initializer="orthogonal", dtype="float32",
        name=name,
    )  # fmt: skip


def multiples(table, image_size, network, pyramid=False):
    if image_size not in table:
        raise ValueError(
            f"Expected `image_size` of a BigGAN {network} to be one of "
            f"{', '.join(map(str, table))}. Received: {image_size}"
        )
    if pyramid and image_size == 32:
        return PYRAMID[network]
    return table[image_size]


def check_attention(attention, sizes):
    if attention is not None and attention not in sizes:
        raise ValueError(
            f"Expected `attention` at the size of a map, one of {sizes}, or None. "
            f"Received: {attention}"
        )
