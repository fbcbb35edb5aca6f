"""The residual generator that CycleGAN and its descendants share.

Johnson, Alahi and Fei-Fei 2016, arXiv:1603.08155; Zhu, Park, Isola and Efros 2017,
arXiv:1703.10593. Layers, sizes and paddings are those of CycleGAN's PyTorch code, so
that its published weights fit (`gan_lib.convert`).
"""

from __future__ import annotations

import keras

from gan_lib.layers import Conv2D, Conv2DTranspose, Cropping2D, ReflectionPadding2D
from gan_lib.patchgan import Blocks


def build_generator(
    image_size: int | None = 256,
    *,
    blocks: int | None = None,
    width: int = 64,
    source_channels: int = 3,
    target_channels: int = 3,
    normalization: str = "instance",
    dropout_rate: float = 0.0,
    seed: int = 0,
    dtype=None,
) -> keras.Model:
    """Pictures (B, S, S, source_channels) -> pictures (B, S, S, 3) in [-1, 1].

    A 7 x 7 convolution, two halvings, `blocks` residual blocks, two doublings and a
    7 x 7 convolution (Zhu et al. 2017, section 7.2: c7s1-64, d128, d256, R256 ...,
    u128, u64, c7s1-3, after Johnson et al. 2016, arXiv:1603.08155), tanh at the end.
    A block adds to its input: y = x + f(x), with no ReLU after the sum; f is
    convolution, norm, ReLU, convolution, norm. Instance norm forgets each picture's
    contrast, so one picture's result does not depend on its neighbours in the batch.
    Ours differs from the paper and agrees with its PyTorch code: the halvings are
    padded with zeros, all else is reflected.

    Args:
        image_size: S, at least 8 and divisible by 4. None: any such size, and sides
            of different length; slower on a CPU, where a known size has faster norms.
        blocks: None: the paper's, 9 from 256 px on, 6 below.
        width: channels of the first map; the paper's is 64.
        source_channels, target_channels: 3 for colour, 1 for line art or grey.
        normalization: "instance" (the paper's, without weights), "batch" or "none".
        dropout_rate: of a dropout inside each block; 0, the paper's, builds none.
        seed: of the dropout.
        dtype: a Keras dtype policy, e.g. "mixed_bfloat16"; None: the global one.
    Raises: ValueError on a size that cannot be halved twice, or an unknown
        normalization.
    """
    _check_size(image_size)
    if blocks is None:
        blocks = 6 if image_size is not None and image_size < 256 else 9
    layers = Blocks(normalization, dtype)

    def convolve(x, name, filters, kernel_size, **options):
        pad = ReflectionPadding2D(kernel_size // 2, dtype=dtype, name=f"{name}_pad")
        options = {"kernel_size": kernel_size, "name": name} | options
        return layers.convolve(Conv2D, pad(x), filters, 1, "valid", **options)

    def activate(x, name):
        return keras.layers.ReLU(dtype=dtype)(layers.normalize(x, f"{name}_norm"))

    source = keras.Input((image_size, image_size, source_channels), name="source")
    x = activate(convolve(source, "first", width, 7), "first")  # (B, S, S, width)
    for name, filters in (("down1", 2 * width), ("down2", 4 * width)):
        x = activate(_halve(layers, x, filters, name), name)
    for number in range(1, blocks + 1):  # (B, S / 4, S / 4, 4 width)
        one, two = f"block{number}_conv1", f"block{number}_conv2"
        y = activate(convolve(x, one, 4 * width, 3), one)
        if dropout_rate:
            y = keras.layers.Dropout(dropout_rate, seed=seed + number, dtype=dtype)(y)
        y = layers.normalize(convolve(y, two, 4 * width, 3), f"{two}_norm")
        x = keras.layers.Add(dtype=dtype, name=f"block{number}")([x, y])
    for name, filters in (("up2", 2 * width), ("up1", width)):
        x = activate(_double(layers, x, filters, name), name)
    x = convolve(x, "last", target_channels, 7, use_bias=True)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(source, images, name="generator")


def _halve(layers: Blocks, x, filters: int, name: str):
    # Padded by one pixel on every side; "same" would pad below and right only.
    pad = keras.layers.ZeroPadding2D(1, dtype=layers.dtype, name=f"{name}_pad")
    return layers.convolve(
        Conv2D, pad(x), filters, 2, "valid", kernel_size=3, name=name
    )


def _double(layers: Blocks, x, filters: int, name: str):
    # The transpose of `_halve`: of 2 N + 1 rows and columns the first go, where "same"
    # would drop the last and shift the picture by a pixel.
    x = layers.convolve(
        Conv2DTranspose, x, filters, 2, "valid", kernel_size=3, name=name
    )
    crop = ((1, 0), (1, 0))
    return Cropping2D(crop, dtype=layers.dtype, name=f"{name}_crop")(x)


def _check_size(image_size: int | None) -> None:
    if image_size is not None and (image_size < 8 or image_size % 4):
        raise ValueError(
            "Expected an `image_size` of at least 8 and divisible by 4, because the "
            f"generator halves it twice. Received: {image_size}. Nearest that fits: "
            f"{max(8, image_size // 4 * 4)}."
        )
