"""DCGAN: convolutional generator and discriminator, in its three published recipes.

Radford, Metz and Chintala 2016, arXiv:1511.06434. The paper's own code
("radford2015"), the Torch port most later code follows ("dcgan_torch") and the Keras
anime-face variant ("anime") differ in kernel size, biases, normalization and
labels; `RECIPES` lists the differences, one builder draws all three.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from gan_lib.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    LeakyReLU,
    UpsampleConv2D,
)
from gan_lib.optimizers import Adam
from gan_lib.sizes import count_stages
from gan_lib.training import GAN


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What one published DCGAN does differently from the others."""

    width: int  # channels of the largest hidden map; doubled at each smaller one
    kernel_size: int  # of the strided convolutions
    dense_projection: bool  # latents -> 4x4 by a dense layer (else a 4x4 convolution)
    extra_convolution: bool  # a 3x3 convolution before the last upsampling
    dense_head: bool  # logits by flatten + dense (else a 4x4 convolution)
    use_bias: bool
    generator_slope: float  # negative slope of the generator's activation, 0 is ReLU
    momentum: float  # of the batch-norm averages
    epsilon: float  # of batch normalization
    initializer: str | None  # "paper": N(0, 0.02) kernels, N(1, 0.02) gains
    real_labels: tuple[float, float]  # range the labels are drawn from
    fake_labels: tuple[float, float]
    generator_rate: float
    discriminator_rate: float
    upsampling: str = "transposed"
    r1_weight: float = 0.0  # of the R1 penalty (gamma), 0: none
    r1_every: int = 1  # steps between two R1 penalties
    normalized_discriminator: bool = True  # batch normalization in it


RECIPES = {
    "radford2015": Recipe(
        width=128, kernel_size=5, dense_projection=True, extra_convolution=False,
        dense_head=True, use_bias=False, generator_slope=0.0, momentum=0.9,
        epsilon=1e-5, initializer="paper", real_labels=(1, 1), fake_labels=(0, 0),
        generator_rate=2e-4, discriminator_rate=2e-4,
    ),
    "dcgan_torch": Recipe(
        width=64, kernel_size=4, dense_projection=False, extra_convolution=False,
        dense_head=False, use_bias=False, generator_slope=0.0, momentum=0.9,
        epsilon=1e-5, initializer="paper", real_labels=(1, 1), fake_labels=(0, 0),
        generator_rate=2e-4, discriminator_rate=2e-4,
    ),
    "anime": Recipe(
        width=64, kernel_size=4, dense_projection=False, extra_convolution=True,
        dense_head=True, use_bias=True, generator_slope=0.2, momentum=0.5,
        epsilon=1e-3, initializer=None, real_labels=(0.8, 1), fake_labels=(0, 0.2),
        generator_rate=1.5e-4, discriminator_rate=2e-4,
    ),
    # Ours, for minutes instead of hours: "anime" at half the width, with
    # resize-convolutions, an R1 penalty and a faster generator. The penalty asks for
    # the slope at one image, so the discriminator has no batch normalization, which
    # would make each logit depend on the whole batch (Gulrajani et al. 2017, 4).
    "laptop": Recipe(
        width=32, kernel_size=4, dense_projection=False, extra_convolution=True,
        dense_head=True, use_bias=True, generator_slope=0.2, momentum=0.5,
        epsilon=1e-3, initializer=None, real_labels=(0.8, 1), fake_labels=(0, 0.2),
        generator_rate=8e-4, discriminator_rate=2e-4,
        upsampling="resize", r1_weight=2.0, r1_every=8,
        normalized_discriminator=False,
    ),
}  # fmt: skip


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`; raises ValueError that lists the known ones."""
    if name not in RECIPES:
        raise ValueError(
            f"Expected `recipe` to be one of {sorted(RECIPES)}. Received: {name!r}"
        )
    return RECIPES[name]


class _Blocks:
    """The recipe's convolution, normalization and activation, ready to apply."""

    def __init__(self, recipe: Recipe, dtype):
        self.recipe, self.dtype = recipe, dtype
        paper = recipe.initializer == "paper"
        self.kernel = keras.initializers.RandomNormal(0, 0.02) if paper else None
        self.gain = keras.initializers.RandomNormal(1, 0.02) if paper else "ones"

    def convolution(self, layer, filters, size, strides=1, padding="same", **kwargs):
        return layer(
            filters,
            size,
            strides=strides,
            padding=padding,
            use_bias=self.recipe.use_bias,
            kernel_initializer=_fresh(self.kernel) or "glorot_uniform",
            dtype=self.dtype,
            **kwargs,
        )

    def dense(self, units):
        return keras.layers.Dense(
            units,
            use_bias=self.recipe.use_bias,
            kernel_initializer=_fresh(self.kernel) or "glorot_uniform",
            dtype=self.dtype,
        )

    def normalize(self, x):
        return BatchNormalization(
            momentum=self.recipe.momentum,
            epsilon=self.recipe.epsilon,
            gamma_initializer=_fresh(self.gain),
            dtype=self.dtype,
        )(x)

    def activate(self, x, slope):
        if slope == 0:
            return keras.layers.ReLU(dtype=self.dtype)(x)
        return LeakyReLU(negative_slope=slope, dtype=self.dtype)(x)


def _fresh(initializer):
    """A copy with its own seed, so that no two layers start with equal numbers."""
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer


def build_generator(
    recipe: str = "anime",
    image_size: int = 64,
    latent_dim: int = 100,
    width: int | None = None,
    channels: int = 3,
    upsampling: str | None = None,
    dtype=None,
) -> keras.Model:
    """Latents (B, latent_dim) -> images (B, image_size, image_size, channels).

    Latents are drawn from N(0, 1); images lie in [-1, 1] (tanh). A 4 x 4 map with
    `width * image_size / 8` channels doubles its sides and halves its channels at
    each stage (Radford et al. 2016, figure 1).
    Ours differs: latents are normal in every recipe, as the two ports have them;
    the paper's code draws them uniformly from [-1, 1].

    Args:
        recipe: "radford2015", "dcgan_torch", "anime", or "laptop", which is ours.
        image_size: pixels a side, a power of two, at least 8.
        latent_dim: length of the latent vector.
        width: channels of the last hidden map; None: the recipe's own.
        channels: 3 for colour, 1 for grey.
        upsampling: "transposed" convolutions as published, or "resize": nearest
            upsampling and a 3x3 convolution (Odena et al. 2016, distill.pub); None:
            the recipe's own.
        dtype: a Keras dtype policy, e.g. "mixed_bfloat16"; None: the global one.
    Raises: ValueError on an unknown recipe, size or upsampling.
    """
    settings = get_recipe(recipe)
    upsampling = upsampling or settings.upsampling
    if upsampling not in ("transposed", "resize"):
        raise ValueError(
            'Expected `upsampling` to be "transposed" or "resize". '
            f"Received: {upsampling!r}"
        )
    stages = count_stages(image_size)
    blocks, width = _Blocks(settings, dtype), width or settings.width
    slope, size = settings.generator_slope, settings.kernel_size
    filters = width << (stages - 1)

    def upsample(x, filters):
        if upsampling == "transposed":
            return blocks.convolution(Conv2DTranspose, filters, size, 2)(x)
        return blocks.convolution(UpsampleConv2D, filters, 3)(x)

    latents = keras.Input((latent_dim,), name="latents")
    if settings.dense_projection:
        x = blocks.normalize(blocks.dense(16 * filters)(latents))
        x = keras.layers.Reshape((4, 4, filters), dtype=dtype)(x)
    else:
        x = keras.layers.Reshape((1, 1, latent_dim), dtype=dtype)(latents)
        x = blocks.convolution(Conv2DTranspose, filters, 4, padding="valid")(x)
        x = blocks.normalize(x)
    x = blocks.activate(x, slope)  # (B, 4, 4, filters)
    for stage in range(1, stages):
        x = blocks.normalize(upsample(x, filters >> stage))
        x = blocks.activate(x, slope)  # (B, 4 << stage, 4 << stage, filters >> stage)
    if settings.extra_convolution:
        x = blocks.normalize(blocks.convolution(Conv2D, width, 3)(x))
        x = blocks.activate(x, slope)
    x = upsample(x, channels)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def build_discriminator(
    recipe: str = "anime",
    image_size: int = 64,
    width: int | None = None,
    channels: int = 3,
    dtype=None,
) -> keras.Model:
    """Images (B, image_size, image_size, channels) in [-1, 1] -> logits (B, 1).

    Strided convolutions with LeakyReLU(0.2), batch normalization on all but the
    first (Radford et al. 2016, section 3); "laptop" has none.
    Ours differs: it ends in logits; the sigmoid lives in the loss, where it is
    numerically safe.

    Args and errors: those of `build_generator`; `width` is the number of channels
    of the first map.
    """
    settings, stages = get_recipe(recipe), count_stages(image_size)
    blocks, width = _Blocks(settings, dtype), width or settings.width
    images = keras.Input((image_size, image_size, channels), name="images")
    x = images
    for stage in range(stages):
        x = blocks.convolution(Conv2D, width << stage, settings.kernel_size, 2)(x)
        if stage > 0 and settings.normalized_discriminator:
            x = blocks.normalize(x)
        x = blocks.activate(x, 0.2)  # (B, size >> stage + 1, ..., width << stage)
    if settings.dense_head:
        x = blocks.dense(1)(keras.layers.Flatten(dtype=dtype)(x))
    else:
        x = blocks.convolution(Conv2D, 1, 4, padding="valid")(x)
        x = keras.layers.Flatten(dtype=dtype)(x)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


def dcgan(
    recipe: str = "anime",
    image_size: int = 64,
    latent_dim: int = 100,
    width: int | None = None,
    channels: int = 3,
    upsampling: str | None = None,
    dtype=None,
    seed: int = 0,
    ema_half_life_kimg: float = 5.0,
    **compile_arguments,
) -> GAN:
    """A DCGAN, compiled with its recipe's optimizers, loss and labels.

    Args:
        seed: of the weights and of every number drawn in training.
        ema_half_life_kimg: see `gan_lib.training.GAN`.
        **compile_arguments: passed to `GAN.compile`, over the recipe's own. Another
            loss than "non_saturating" comes without the recipe's noisy labels.
    The rest: see `build_generator`.
    """
    settings = get_recipe(recipe)
    keras.utils.set_random_seed(seed)
    sizes = {"image_size": image_size, "width": width, "channels": channels}
    gan = GAN(
        build_generator(
            recipe, latent_dim=latent_dim, upsampling=upsampling, dtype=dtype, **sizes
        ),
        build_discriminator(recipe, dtype=dtype, **sizes),
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    defaults: dict[str, Any] = {
        "generator_optimizer": Adam(settings.generator_rate, beta_1=0.5),
        "discriminator_optimizer": Adam(settings.discriminator_rate, beta_1=0.5),
    }
    if compile_arguments.get("loss", "non_saturating") == "non_saturating":
        defaults["real_labels"] = settings.real_labels
        defaults["fake_labels"] = settings.fake_labels
    if settings.r1_weight:
        defaults["penalty"] = "r1"
        defaults["penalty_weight"] = settings.r1_weight
        defaults["penalty_every"] = settings.r1_every
    gan.compile(**{**defaults, **compile_arguments})
    return gan


def _published(recipe: str) -> Callable[[], dict[str, keras.Model]]:
    return lambda: {
        "generator": build_generator(recipe),
        "discriminator": build_discriminator(recipe),
    }


# Name -> builder of the networks at their published size, for `gan_lib models`.
PUBLISHED = {
    f"dcgan/{name}_64": _published(name) for name in RECIPES if name != "laptop"
}
