"""U-GAT-IT's networks: attention and adaptive layer-instance norm.

Kim, Kim, Kang and Lee 2020, arXiv:1907.10830. Layers and sizes are those of the
authors' PyTorch code, or, with `layout="tensorflow"`, of the TensorFlow code that the
paper's numbers come from, so that the weights of both fit (`gan_lib.convert_ugatit`).
"""

from __future__ import annotations

from dataclasses import dataclass

import keras

from gan_lib.layers import (
    LIN,
    AdaLIN,
    CAMAttention,
    Conv2D,
    InstanceNormalization,
    LeakyReLU,
    ReflectionPadding2D,
    SpectralConv2D,
)

LAYOUTS = ("pytorch", "tensorflow")
# Decoder's norm -> what its AdaLINs and LINs are told about rho.
NORMALIZATIONS: dict[str, dict] = {
    "adalin": {},
    "instance": {"rho": 1.0, "learn_rho": False},
    "layer": {"rho": 0.0, "learn_rho": False},
}


@dataclass(frozen=True)
class _Parts:
    """What all layers of one network have in common."""

    layout: str
    dtype: object

    def __post_init__(self):
        if self.layout not in LAYOUTS:
            raise ValueError(
                f"Expected `layout` to be one of {LAYOUTS}. Received: {self.layout!r}"
            )

    @property
    def tensorflow(self) -> bool:
        return self.layout == "tensorflow"

    def convolve(self, layer, x, name, filters, kernel_size, pad, **options):
        """A convolution of a map continued by its mirror image."""
        x = ReflectionPadding2D(pad, dtype=self.dtype, name=f"{name}_pad")(x)
        options |= {"kernel_initializer": _start(), "dtype": self.dtype}
        return layer(filters, kernel_size, name=name, **options)(x)

    def encode(self, x, name, filters, kernel_size=3, strides=1):
        """Convolution and instance norm."""
        # Rows and columns are even in number: a stride of 2 never reads what a pad
        # behind the last ones would add.
        pad = kernel_size // 2 if strides == 1 else ((1, 0), (1, 0))
        options = {"strides": strides, "use_bias": self.tensorflow}
        x = self.convolve(Conv2D, x, name, filters, kernel_size, pad, **options)
        affine = {"center": self.tensorflow, "scale": self.tensorflow}
        norm = InstanceNormalization(dtype=self.dtype, name=f"{name}_norm", **affine)
        return norm(x)

    def attend(self, x, **options):
        one = self.tensorflow  # one classifier with a bias, or two without
        settings = {"shared": one, "logit_bias": one, "dtype": self.dtype}
        return CAMAttention(name="cam", **settings, **options)(x)

    def relu(self, x):
        return keras.layers.ReLU(dtype=self.dtype)(x)


def build_generator(
    image_size: int = 256,
    *,
    light: bool = True,
    width: int = 64,
    blocks: int = 4,
    normalization: str = "adalin",
    attention: bool = True,
    layout: str = "pytorch",
    dtype=None,
) -> keras.Model:
    """Pictures (B, S, S, 3) -> a dict of pictures, logits and a heat map.

    Kim et al. 2020, section 2.1.1 and appendix (table 4): a 7 x 7 convolution, two
    halvings, `blocks` residual blocks with instance norm, `CAMAttention`, `blocks`
    residual blocks with `AdaLIN`, two doublings with `LIN`, a 7 x 7 convolution,
    tanh. One gamma and one beta, from two dense layers behind the attention, serve all
    AdaLINs; each has its own rho. Kernels start as N(0, 1 / fan-in) and follow
    `keras.utils.set_random_seed`; ours differs: the paper has N(0, 0.02) (section
    3.1.3), the same at 256 maps and too little for narrow networks. Pictures of a
    batch do not see each other.

    Returns a network whose outputs are
        "images": float32 (B, S, S, 3) in [-1, 1].
        "cam_logits": float32 (B, 2), is the source of the source domain? one from the
            mean of the maps, one from their maximum.
        "heat_map": float32 (B, S / 4, S / 4), at least 0: where the network looks.

    Args:
        image_size: S, at least 16 and divisible by 4.
        light: gamma and beta from the mean of each map; False, the full model, from
            every pixel: 279 million weights at 256 px, light 11 million.
        width: channels of the first map; the paper's is 64.
        blocks: of each kind.
        normalization: of the decoder; "instance" and "layer" keep each rho at 1 or 0,
            for the paper's ablation (table 1).
        attention: False leaves `CAMAttention` out, and with it "cam_logits" and
            "heat_map".
        layout: "tensorflow" has a bias in each convolution and dense layer, a gain and
            an offset in each instance norm, and one classifier with a bias for both
            logits.
        dtype: a Keras dtype policy, e.g. "mixed_bfloat16"; None: the global one.
    Raises: ValueError on a size that cannot be halved twice, or an unknown name.
    """
    _check_generator(image_size, normalization)
    parts, rho = _Parts(layout, dtype), NORMALIZATIONS[normalization]
    source = keras.Input((image_size, image_size, 3), name="source")
    x = parts.relu(parts.encode(source, "first", width, 7))  # (B, S, S, width)
    for name, filters in (("down1", 2 * width), ("down2", 4 * width)):
        x = parts.relu(parts.encode(x, name, filters, strides=2))
    for number in range(1, blocks + 1):  # (B, S / 4, S / 4, 4 width)
        one, two = f"encode{number}_conv1", f"encode{number}_conv2"
        y = parts.encode(parts.relu(parts.encode(x, one, 4 * width)), two, 4 * width)
        x = keras.layers.Add(dtype=dtype, name=f"encode{number}")([x, y])
    outputs = {}
    if attention:
        x, outputs["cam_logits"], outputs["heat_map"] = parts.attend(x)
    style = _style(parts, x, light)
    for number in range(1, blocks + 1):
        x = _decode(parts, x, style, f"decode{number}", rho)
    for name, filters in (("up2", 2 * width), ("up1", width)):
        x = parts.relu(_double(parts, x, name, filters, rho))
    x = parts.convolve(Conv2D, x, "last", 3, 7, 3, use_bias=parts.tensorflow)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(source, {"images": images} | outputs, name="generator")


def _style(parts: _Parts, x, light: bool):
    """gamma and beta, (B, 4 width) each."""
    units = x.shape[-1]
    # Pooled, the sums are short and float32 costs nothing.
    dtype = "float32" if light else parts.dtype
    pool = keras.layers.GlobalAveragePooling2D if light else keras.layers.Flatten

    def dense(x, name, activation=None):
        return keras.layers.Dense(
            units,
            activation,
            use_bias=parts.tensorflow,
            kernel_initializer=_start(),
            dtype=dtype,
            name=name,
        )(x)

    x = pool(dtype=dtype, name="pooled")(x)
    x = dense(dense(x, "style1", "relu"), "style2", "relu")
    return [dense(x, "gamma"), dense(x, "beta")]


def _decode(parts: _Parts, x, style, name, rho):
    """x + f(x), f being convolution, AdaLIN, ReLU, convolution, AdaLIN."""
    y = x
    for part in ("conv1", "conv2"):
        y = parts.relu(y) if part == "conv2" else y
        y = parts.convolve(
            Conv2D, y, f"{name}_{part}", x.shape[-1], 3, 1, use_bias=parts.tensorflow
        )
        y = AdaLIN(dtype=parts.dtype, name=f"{name}_{part}_norm", **rho)([y, *style])
    return keras.layers.Add(dtype=parts.dtype, name=name)([x, y])


def _double(parts: _Parts, x, name, filters, rho):
    """Twice the sides: nearest neighbours, convolution, LIN."""
    x = keras.layers.UpSampling2D(dtype=parts.dtype, name=f"{name}_doubled")(x)
    x = parts.convolve(Conv2D, x, name, filters, 3, 1, use_bias=parts.tensorflow)
    return LIN(dtype=parts.dtype, name=f"{name}_norm", **rho)(x)


def _start():
    """N(0, 1 / fan-in), whose standard deviation at 256 maps is the paper's 0.02."""
    return keras.initializers.VarianceScaling(1, "fan_in", "untruncated_normal")


def discriminator_layers(image_size: int) -> dict[str, int]:
    """Layers of the "global" and the "local" discriminator, CAM not counted.

    7 and 5 from 128 px on, as published; smaller pictures have fewer, so that a map
    of at least 6 x 6 logits is left: 5 and 4 at 64 px, 4 and 3 at 32 px.
    Raises: ValueError below 32 px.
    """
    for smallest, layers in ((128, (7, 5)), (64, (5, 4)), (32, (4, 3))):
        if image_size >= smallest:
            return dict(zip(("global", "local"), layers, strict=True))
    raise ValueError(
        f"Expected pictures of at least 32 px. Received: image_size={image_size}. "
        "Resize them."
    )


def build_discriminator(
    image_size: int = 256,
    *,
    layers: int = 7,
    width: int = 64,
    attention: bool = True,
    layout: str = "pytorch",
    dtype=None,
) -> keras.Model:
    """Pictures (B, S, S, 3) -> a dict of patch logits, CAM logits and a heat map.

    Kim et al. 2020, section 2.1.2 and appendix (table 5): `layers` - 2 convolutions
    with stride 2, one with stride 1, `CAMAttention`, one convolution to the logits;
    4 x 4, padded by one mirrored pixel, spectral norm, LeakyReLU(0.2), channels doubled
    each time. Each domain has two, a global one of 7 layers, whose logits at 256 px see
    the whole picture, and a local one of 5 (`discriminator_layers`).

    Returns a network whose outputs are
        "logits": float32 (B, h, h, 1) with h = S / 2^(layers - 2) - 2.
        "cam_logits": float32 (B, 2), is the picture a real one of the domain?
        "heat_map": float32 (B, h + 1, h + 1).

    Args:
        image_size: S.
        layers: at least 3.
        width: channels of the first map.
        attention: False leaves `CAMAttention` out, and two outputs with it.
        layout: "tensorflow" pads the convolutions of stride 1 by one more pixel below
            and on the right (h is 2 larger), has a bias in the last one, one classifier
            with a bias for both logits, and attention weights with spectral norm, which
            "pytorch" has in the CAM logits only.
        dtype: as in `build_generator`.
    Raises: ValueError on an unknown layout, or if no map would be left.
    """
    parts = _Parts(layout, dtype)
    if layers < 3 or image_size >> (layers - 2) < 3:
        raise ValueError(
            "Expected `layers` of at least 3 and pictures of at least "
            f"{3 << max(layers - 2, 1)} px for {layers} layers. Received: "
            f"image_size={image_size}. `discriminator_layers` names numbers that fit."
        )

    def convolve(x, name, filters, strides=2, **options):
        pad = 1 if strides == 2 or not parts.tensorflow else ((1, 2), (1, 2))
        options = {"strides": strides} | options
        return parts.convolve(SpectralConv2D, x, name, filters, 4, pad, **options)

    def leaky(x):
        return LeakyReLU(negative_slope=0.2, dtype=dtype)(x)

    images = keras.Input((image_size, image_size, 3), name="images")
    x = images
    for number in range(1, layers - 1):
        x = leaky(convolve(x, f"conv{number}", width << (number - 1)))
    x = leaky(convolve(x, f"conv{layers - 1}", width << (layers - 2), 1))
    outputs = {}
    if attention:
        spectral = "all" if parts.tensorflow else "logits"
        x, outputs["cam_logits"], outputs["heat_map"] = parts.attend(
            x, activation="leaky_relu", spectral=spectral
        )
    x = convolve(x, "last", 1, 1, use_bias=parts.tensorflow)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(images, {"logits": logits} | outputs, name="discriminator")


def _check_generator(image_size: int, normalization: str) -> None:
    if image_size < 16 or image_size % 4:
        raise ValueError(
            "Expected an `image_size` of at least 16 and divisible by 4, because the "
            f"generator halves it twice. Received: {image_size}. Nearest that fits: "
            f"{max(16, image_size // 4 * 4)}."
        )
    if normalization not in NORMALIZATIONS:
        raise ValueError(
            f"Expected `normalization` to be one of {tuple(NORMALIZATIONS)}. "
            f"Received: {normalization!r}"
        )


def _published(light: bool) -> dict[str, keras.Model]:
    # Shapes without numbers: the full generator alone would fill 1.1 GB.
    with keras.StatelessScope(initialize_variables=False):
        return {"generator": build_generator(256, light=light)} | {
            f"{name}_discriminator": build_discriminator(256, layers=layers)
            for name, layers in discriminator_layers(256).items()
        }


# Name -> builder of the networks at their published size, for `gan_lib models`. They
# can be counted, not used: their weights have no values.
PUBLISHED = {
    "ugatit/full": lambda: _published(light=False),
    "ugatit/light": lambda: _published(light=True),
}
