"""StyleGAN2: styles for every layer, mixed, averaged and truncated.

Karras et al. 2020, arXiv:1912.04958. The networks are in `gan_lib.stylegan2_networks`;
here is what training adds: mixing of styles, the average style, and two penalties
that are computed only every few steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gan_lib import export, penalties, step, stylegan2_networks, styles
from gan_lib.optimizers import lazy_adam
from gan_lib.randomness import Draws
from gan_lib.training import GAN


class PathLength(keras.layers.Layer):
    """The running mean a of the path lengths: a <- a + 0.01 (mean(l) - a)."""

    def __init__(self):
        super().__init__(name="path_length")
        self.mean = self.add_weight(name="mean", initializer="zeros", trainable=False)
        self.built = True

    def follow(self, lengths):
        """Move the mean by one batch of lengths (B,), and return it."""
        mean = tf.convert_to_tensor(self.mean.value)
        mean = mean + 0.01 * (tf.reduce_mean(tf.stop_gradient(lengths)) - mean)
        self.mean.assign(mean)
        return mean


@keras.saving.register_keras_serializable("gan_lib")
class StyleGAN2(styles.Styled, GAN):
    """A generator of styles and noise against a residual discriminator.

    Beside the step of `GAN`: fresh noise for each picture; some pictures with two
    styles, so that no layer can rely on its neighbour's (`gan_lib.styles.draw`); the
    average style follows the batches.

    Args:
        style_mixing: chance of a picture with two styles.
        path_length_weight: of E (l - a)^2, see `gan_lib.penalties.path_lengths`; 0:
            none.
        path_length_every: generator moves between two of them; its weight is as much
            larger.
        The rest: see `GAN`.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        style_mixing: float = 0.9,
        path_length_weight: float = 0.0,
        path_length_every: int = 4,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.style_mixing = style_mixing
        self.path_length_weight = path_length_weight
        self.path_length_every = path_length_every
        if path_length_weight:
            self.memory["path_length"] = PathLength()

    # The hooks.

    def forward(self, real_images, draws: Draws):
        batch = tf.shape(real_images)[0]
        drawn = styles.draw(self.generator, batch, self.style_mixing, draws)
        network = self.generator.get_layer("synthesis")
        return styles.synthesize_fresh(network, drawn, draws, "noise")

    def generator_objective(
        self, real_images, fake_images, draws: Draws, fake_logits=None
    ):
        loss, logs = super().generator_objective(
            real_images, fake_images, draws, fake_logits
        )
        if not self.path_length_weight:
            return loss, logs
        every = self.path_length_every

        def compute():
            value = self._path_length_penalty(tf.shape(real_images)[0] // 2, draws)
            return every * self.path_length_weight * value

        return loss + step.lazily(self, every, real_images, draws, compute), logs

    def _path_length_penalty(self, batch, draws):
        """E (l - a)^2 on half a batch of new pictures, as the authors' code has it."""
        latents = draws.normal("path_latents", (batch, self.latent_dim))
        drawn = self.generator.get_layer("mapping")(latents, training=True)
        network = self.generator.get_layer("synthesis")
        lengths = penalties.path_lengths(
            lambda w: styles.synthesize_fresh(network, w, draws, "path_noise"),
            tf.repeat(drawn[:, None], styles.count(self.generator), 1),
            draws.normal("path_images", (batch, *self.generator.output_shape[1:])),
        )
        mean = self.memory["path_length"].follow(lengths)
        return tf.reduce_mean(tf.square(lengths - mean))

    def export(self, directory: str | Path) -> list[Path]:
        """Write the averaged generator, images clipped; see `gan_lib.export.save`."""
        return export.save(export.clipped(self.ema_generator), directory)


# Our settings for minutes instead of days, for `stylegan2(..., **LAPTOP)` and batches
# of 16: many steps, high rates, a strong penalty, noise that comes late if at all.
LAPTOP: dict[str, Any] = {
    "latent_dim": 64,
    "style_dim": 64,
    "mapping_layers": 2,
    "widest": 128,
    "noise_rate": 0.01,
    "r1_weight": 2.0,
    "r1_every": 8,
    "rate": 1e-2,
    "ema_half_life_kimg": 5.0,
}


def stylegan2(
    image_size: int = 256,
    *,
    latent_dim: int = 512,
    style_dim: int = 512,
    mapping_layers: int = 8,
    width: int = 64,
    widest: int = 512,
    channels: int = 3,
    noise_rate: float = 1.0,
    rate: float = 2e-3,
    r1_weight: float = 10.0,
    r1_every: int = 16,
    path_length_weight: float = 0.0,
    path_length_every: int = 4,
    style_mixing: float = 0.9,
    ema_half_life_kimg: float = 10.0,
    dtype=None,
    seed: int = 0,
    **compile_arguments,
) -> StyleGAN2:
    """A StyleGAN2, compiled: non-saturating loss, lazy R1, Adam(beta_1=0).

    Both optimizers are `gan_lib.optimizers.lazy_adam`.

    Args:
        rate: learning rate of both players.
        r1_weight: gamma; 10 as published for 1024 px. Their later rule for small
            pictures is 0.0002 image_size^2 / batch (arXiv:2006.06676, code).
        r1_every: steps between two R1 penalties.
        path_length_weight, path_length_every, style_mixing: see `StyleGAN2`; published
            2, 4 and 0.9. The weight is 0 here: the penalty costs a second pass.
        ema_half_life_kimg: see `gan_lib.training.GAN`.
        seed: of the weights and of every number drawn in training.
        **compile_arguments: passed to `GAN.compile`.
    The rest: see `stylegan2_networks.build_generator` and `build_discriminator`.
    """
    keras.utils.set_random_seed(seed)
    shared = {"width": width, "widest": widest, "channels": channels, "dtype": dtype}
    gan = StyleGAN2(
        stylegan2_networks.build_generator(
            image_size,
            latent_dim=latent_dim,
            style_dim=style_dim,
            mapping_layers=mapping_layers,
            noise_rate=noise_rate,
            seed=seed,
            **shared,
        ),
        stylegan2_networks.build_discriminator(image_size, **shared),
        style_mixing=style_mixing,
        path_length_weight=path_length_weight,
        path_length_every=path_length_every,
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    defaults = {
        "generator_optimizer": lazy_adam(
            rate, path_length_every if path_length_weight else 0
        ),
        "discriminator_optimizer": lazy_adam(rate, r1_every),
        "penalty": "r1",
        "penalty_weight": r1_weight,
        "penalty_every": r1_every,
    }
    gan.compile(**defaults | compile_arguments)
    return gan


PUBLISHED = {
    f"stylegan2/{config}_1024": lambda width=width: {
        "generator": stylegan2_networks.build_generator(1024, width=width),
        "discriminator": stylegan2_networks.build_discriminator(1024, width=width),
    }
    for config, width in (("config_e", 16), ("config_f", 32))
}
