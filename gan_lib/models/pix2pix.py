"""pix2pix: one picture into another, learned from aligned pairs.

Isola, Zhu, Zhou and Efros 2017, arXiv:1611.07004. Layers, sizes and paddings are those
of the authors' PyTorch code, so that its published weights fit (`gan_lib.convert`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan_lib import losses
from gan_lib.inference import as_float, as_trained
from gan_lib.layers import Conv2D, Conv2DTranspose
from gan_lib.optimizers import Adam
from gan_lib.patchgan import Blocks, build_discriminator
from gan_lib.training import GAN


def count_stages(image_size: int) -> int:
    """How often `image_size` can be halved until one pixel is left (256 -> 8)."""
    stages = int(image_size).bit_length() - 1
    if image_size < 8 or image_size != 1 << stages:
        raise ValueError(
            "Expected `image_size` to be a power of two of at least 8, because the "
            f"generator halves it down to one pixel. Received: {image_size}. Resize "
            "your pairs to 64, 128 or 256 pixels."
        )
    return stages


def build_generator(
    image_size: int = 256,
    *,
    skips: bool = True,
    width: int = 64,
    source_channels: int = 3,
    target_channels: int = 3,
    normalization: str = "batch",
    dropout_rate: float = 0.5,
    seed: int = 0,
    dtype=None,
) -> keras.Model:
    """Source pictures (B, S, S, source_channels) -> pictures (B, S, S, 3), [-1, 1].

    Halve S to one pixel by 4 x 4 convolutions with stride 2 of `width` times 1, 2, 4,
    8, 8, ... channels, double it back the same way; with `skips` each map on the way
    back is joined by the one of its size on the way down: a U-Net (Isola et al. 2017,
    section 3.2.1 and appendix 6.1.1). 256 px is the paper's "unet_256", 128 px its
    "unet_128". Dropout stands for the noise z: on the maps of 4 x 4 pixels and up
    that have 8 `width` channels on the way back (256 px: 4, 8 and 16 pixels).
    Ours differs from the paper and agrees with its PyTorch code: no dropout on the
    2 x 2 map, none of the norms on the one-pixel map, where an instance norm, or a
    batch norm with one image a batch, would leave nothing but zeros.

    Args:
        image_size: S, a power of two, at least 8.
        skips: False: the paper's encoder-decoder, for comparison.
        width: channels of the first map; the paper's is 64.
        source_channels, target_channels: 3 for colour, 1 for line art or grey.
        normalization: "batch" (the paper's), "instance" or "none".
        dropout_rate: share of values set to 0 by each dropout.
        seed: of the dropout.
        dtype: a Keras dtype policy, e.g. "mixed_bfloat16"; None: the global one.
    Raises: ValueError on an unknown size or normalization.
    """
    stages = count_stages(image_size)
    blocks = Blocks(normalization, dtype)
    source = keras.Input((image_size, image_size, source_channels), name="source")
    filters = [width * min(1 << stage, 8) for stage in range(stages)]
    x, maps = source, []
    for stage, channels in enumerate(filters, 1):
        if stage > 1:
            x = blocks.leaky(x)
        x = blocks.convolve(Conv2D, x, channels, name=f"down{stage}")
        if 1 < stage < stages:
            x = blocks.normalize(x, f"down{stage}_norm")
        maps.append(x)  # (B, S >> stage, S >> stage, channels)
    for stage in range(stages, 1, -1):
        x = keras.layers.ReLU(dtype=dtype)(x)
        x = blocks.convolve(Conv2DTranspose, x, filters[stage - 2], name=f"up{stage}")
        x = blocks.normalize(x, f"up{stage}_norm")
        if stages > 4 and min(5, stages - 1) <= stage < stages:
            drop = keras.layers.Dropout(dropout_rate, seed=seed + stage, dtype=dtype)
            x = drop(x)
        if skips:
            x = keras.layers.Concatenate(dtype=dtype)([maps[stage - 2], x])
    x = keras.layers.ReLU(dtype=dtype)(x)
    x = blocks.convolve(Conv2DTranspose, x, target_channels, name="up1", use_bias=True)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(source, images, name="generator")


@keras.saving.register_keras_serializable("gan_lib")
class Pix2Pix(GAN):
    """A generator of pictures from pictures, judged in pairs.

    With source x, target y and the generator's noise z in its dropout (Isola et al.
    2017, equations 1 to 4):
        L_D = 1/2 (BCE(D(x, y), 1) + BCE(D(x, G(x, z)), 0))
        L_G = gan_weight BCE(D(x, G(x, z)), 1) + l1_weight mean |y - G(x, z)|
    The paper's rows of loss functions: L1 is `gan_weight=0`, cGAN is `l1_weight=0`,
    "GAN" instead of "cGAN" is a discriminator of y alone, `conditional=False`.
    Ours differs: the generator's move is judged by the moved discriminator; an
    averaged generator is kept beside the trained one.

    `fit` takes batches of (source, target), both float32 (B, S, S, C) in [-1, 1], from
    `gan_lib.data.pair_batches.PairBatches`; a kimg is a thousand pairs.

    Args:
        generator, discriminator: from the builders above.
        conditional: whether the discriminator sees the source beside the picture.
        l1_weight: weight of the mean absolute difference, lambda in the paper.
        gan_weight: weight of the discriminator's judgement; 0: it never moves.
        **kwargs: those of `GAN`.
    """

    batch_names = ("source", "target")
    log_names = (*GAN.log_names, "l1_loss", "adversarial_loss")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        conditional: bool = True,
        l1_weight: float = 100.0,
        gan_weight: float = 1.0,
        name: str = "pix2pix",
        **kwargs,
    ):
        if l1_weight < 0 or gan_weight < 0 or not l1_weight + gan_weight:
            raise ValueError(
                "Expected `l1_weight` and `gan_weight` of at least 0, and not both 0. "
                f"Received: l1_weight={l1_weight}, gan_weight={gan_weight}"
            )
        super().__init__(generator, discriminator, name=name, **kwargs)
        self.conditional = conditional
        self.l1_weight, self.gan_weight = float(l1_weight), float(gan_weight)

    def compile(self, *args, discriminator_steps: int | None = None, **kwargs) -> None:
        """As `GAN.compile`; without a `gan_weight` the discriminator stands still."""
        if discriminator_steps is None:
            discriminator_steps = 1 if self.gan_weight else 0
        super().compile(*args, discriminator_steps=discriminator_steps, **kwargs)

    def forward(self, pair, draws):
        source, _ = pair
        return self.generator(source, training=True)

    def judge_fakes(self, pair, fake_images):
        return self.discriminator(self._shown(pair[0], fake_images), training=True)

    def discriminator_objective(self, pair, fake_images, draws, fake_logits=None):
        source, target = pair
        if fake_logits is None:
            fake_logits = self.judge_fakes(pair, fake_images)
        shown = self._shown(source, target), self._shown(source, fake_images)
        loss, logs = super().discriminator_objective(*shown, draws, fake_logits)
        return 0.5 * loss, logs

    def generator_objective(self, pair, fake_images, draws, fake_logits=None):
        l1 = losses.l1_loss(fake_images, pair[1])
        adversarial = tf.constant(0.0)
        if self.gan_weight:
            adversarial, _ = super().generator_objective(
                pair, fake_images, draws, fake_logits
            )
        loss = self.gan_weight * adversarial + self.l1_weight * l1
        return loss, {"l1_loss": l1, "adversarial_loss": adversarial}

    def _shown(self, source, images):
        """What the discriminator gets to see of a pair."""
        return tf.concat([source, images], -1) if self.conditional else images

    def judge(self, source, images) -> np.ndarray:
        """The map of logits (n, h, w, 1) for pictures beside their sources.

        Args: uint8 or float32 [-1, 1], (n, S, S, C). Batch statistics, as in training.
        """
        shown = self._shown(as_float(source), as_float(images))
        return np.asarray(as_trained(self.discriminator)(shown, 0, 0))

    def generate(  # type: ignore[override]  # pictures in place of latents
        self,
        source_images: np.ndarray,
        *,
        noise: bool = False,
        seed: int = 0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Pictures (n, S, S, C), float32 in [-1, 1], of the averaged generator.

        Args:
            source_images: uint8, or float32 in [-1, 1], (n, S, S, source_channels).
            noise: False: no dropout, and a batch norm uses its running averages, so
                a source always gives the same picture. True: as the paper does it,
                with dropout and each picture's own statistics ("a test batch of one",
                section 3.3); another `seed` then gives another picture.
            seed: of the dropout.
            batch_size: pictures computed at a time; always 1 with `noise` and a
                batch norm, so that pictures do not depend on their neighbours.
        Raises: ValueError when the pictures have another shape than the generator's.
        """
        source = as_float(source_images)
        expected = self.generator.input_shape[1:]
        if source.ndim != 4 or not len(source) or source.shape[1:] != expected:
            raise ValueError(
                f"Expected source pictures of shape (n, {', '.join(map(str, expected))}"
                f"), as the generator was built for. Received: {source.shape}"
            )
        network = self.ema_generator
        if not noise:
            return network.predict(source, batch_size=batch_size, verbose=0)
        if any(isinstance(x, keras.layers.BatchNormalization) for x in network.layers):
            batch_size = 1
        draw = as_trained(network)
        parts = range(0, len(source), batch_size)
        return np.concatenate(
            [draw(source[i : i + batch_size], seed, i).numpy() for i in parts]
        )


# Our settings for minutes instead of hours, for `pix2pix(..., **LAPTOP)`: an R1 penalty
# on a discriminator without norms, a faster generator, less weight on L1.
LAPTOP: dict[str, Any] = {
    "normalization": "instance",
    "discriminator_normalization": "none",
    "l1_weight": 20.0,
    "generator_rate": 5e-4,
    "discriminator_rate": 2e-4,
    "penalty": "r1",
    "penalty_weight": 0.02,
    "penalty_every": 8,
}


def pix2pix(
    image_size: int = 256,
    *,
    skips: bool = True,
    receptive_field: int = 70,
    width: int = 64,
    source_channels: int = 3,
    target_channels: int = 3,
    normalization: str = "batch",
    discriminator_normalization: str | None = None,
    dropout_rate: float = 0.5,
    conditional: bool = True,
    l1_weight: float = 100.0,
    gan_weight: float = 1.0,
    generator_rate: float = 2e-4,
    discriminator_rate: float = 2e-4,
    dtype=None,
    seed: int = 0,
    ema_half_life_kimg: float = 0.5,
    **compile_arguments,
) -> Pix2Pix:
    """A pix2pix, compiled as published: Adam(2e-4, beta_1=0.5) twice, BCE.

    Args:
        discriminator_normalization: None: the generator's.
        generator_rate, discriminator_rate: learning rates of the two Adams.
        seed: of the weights and of every number drawn in training.
        ema_half_life_kimg: see `gan_lib.training.GAN`; 0: no average, as published.
        **compile_arguments: passed to `GAN.compile`.
    The rest: see `build_generator`, `build_discriminator` and `Pix2Pix`.
    """
    keras.utils.set_random_seed(seed)
    shared = {"width": width, "dtype": dtype}
    model = Pix2Pix(
        build_generator(
            image_size,
            skips=skips,
            source_channels=source_channels,
            target_channels=target_channels,
            normalization=normalization,
            dropout_rate=dropout_rate,
            seed=seed,
            **shared,
        ),
        build_discriminator(
            image_size,
            receptive_field=receptive_field,
            channels=target_channels + conditional * source_channels,
            normalization=discriminator_normalization or normalization,
            **shared,
        ),
        conditional=conditional,
        l1_weight=l1_weight,
        gan_weight=gan_weight,
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    defaults: dict[str, Any] = {
        "generator_optimizer": Adam(generator_rate, beta_1=0.5),
        "discriminator_optimizer": Adam(discriminator_rate, beta_1=0.5),
    }
    model.compile(**{**defaults, **compile_arguments})
    return model


def _published(image_size: int, skips: bool) -> Callable[[], dict[str, keras.Model]]:
    return lambda: {
        "generator": build_generator(image_size, skips=skips),
        "discriminator": build_discriminator(image_size),
    }


# Name -> builder of the networks at their published size, for `gan_lib models`.
PUBLISHED = {
    "pix2pix/unet_256": _published(256, skips=True),
    "pix2pix/unet_128": _published(128, skips=True),
    "pix2pix/encoder_decoder_256": _published(256, skips=False),
}
