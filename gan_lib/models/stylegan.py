"""StyleGAN: ProGAN's growing with a generator of styles and noise.

Karras et al. 2019, arXiv:1812.04948. The networks are in `gan_lib.stylegan_networks`
and `gan_lib.progan_networks`; how styles are drawn, mixed and truncated in
`gan_lib.styles`, the schedule of sizes in `gan_lib.growing`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan_lib import growing, progan_networks, stylegan_networks, styles
from gan_lib.models import progan
from gan_lib.optimizers import lazy_adam
from gan_lib.randomness import Draws


@keras.saving.register_keras_serializable("gan_lib")
class StyleGAN(styles.Styled, progan.ProGAN):
    """A growing generator of styles and noise against ProGAN's discriminator.

    Beside the step of `ProGAN`: fresh noise for each picture, and some pictures with
    two styles, of the layers there are so far (`gan_lib.styles.draw`); the average
    style follows the batches.

    Args:
        style_mixing: chance of a picture with two styles.
        The rest: see `ProGAN`.
    """

    def __init__(self, *args, style_mixing: float = 0.9, **kwargs):
        super().__init__(*args, **kwargs)
        self.style_mixing = style_mixing

    def _of_stage(self, network) -> keras.Model:
        if network is self.discriminator:
            return super()._of_stage(network)
        synthesis = network.get_layer("synthesis")
        inputs = synthesis.inputs[: 1 + self._active()]
        return keras.Model(inputs, synthesis.outputs[self.sizes.index(self.size)])

    def _active(self) -> int:
        """Layers that have a style at this size."""
        return 2 * self.sizes.index(self.size) + 2

    def _fading_networks(self) -> tuple[keras.Model, ...]:
        generator, average, discriminator = super()._fading_networks()
        parts = (x.get_layer("synthesis") for x in (generator, average))
        return *parts, discriminator

    def player_variables(self, player: str) -> list:
        variables = super().player_variables(player)
        if player == "generator":
            mapping = self.generator.get_layer("mapping").trainable_variables
            variables = [*mapping, *variables]
        return variables

    def forward(self, real_images, draws: Draws):
        self._set_fades()
        batch = tf.shape(real_images)[0]
        arguments = self.style_mixing, draws, self._active()
        drawn = styles.draw(self.generator, batch, *arguments)
        return styles.synthesize_fresh(self.stage_generator, drawn, draws, "noise")

    # What a user calls.

    def stage_synthesis(self) -> keras.Model:
        return self.stage_average

    def call(self, latents, training=False):
        pictures = self.ema_generator(latents, training=training)
        return pictures[self.sizes.index(self.size)]

    def synthesize(
        self, drawn, *, noise: str | int = "fixed", batch_size: int = 64
    ) -> np.ndarray:
        """Images of styles, enlarged to the full size; see `styles.synthesize`."""
        images = super().synthesize(drawn, noise=noise, batch_size=batch_size)
        return growing.enlarge(images, self.sizes[-1])


# Our settings for minutes instead of days, for `stylegan(..., **LAPTOP)`, batches of
# 16: those of ProGAN with its loss and penalty, and noise that comes late if at all.
LAPTOP: dict[str, Any] = {
    **progan.LAPTOP,
    "style_dim": 64,
    "mapping_layers": 2,
    "noise_rate": 0.01,
    "loss": progan.wasserstein_with_drift(),
    "penalty": "gradient_penalty",
}


def stylegan(
    image_size: int = 1024,
    *,
    latent_dim: int = 512,
    style_dim: int = 512,
    mapping_layers: int = 8,
    width: int = 16,
    widest: int = 512,
    channels: int = 3,
    noise_rate: float = 1.0,
    rate: float = 1e-3,
    r1_weight: float = 10.0,
    style_mixing: float = 0.9,
    ema_half_life_kimg: float = 10.0,
    dtype=None,
    seed: int = 0,
    **compile_arguments,
) -> StyleGAN:
    """A StyleGAN, compiled: non-saturating loss, R1 at every step, Adam(beta_1=0).

    Train it with `growing.grow`; the paper starts at 8 x 8.

    Args:
        rate: learning rate of both players; 0.001 as published, up to 0.003 at 1024 px.
        r1_weight: gamma of the R1 penalty.
        style_mixing: see `StyleGAN`.
        ema_half_life_kimg: see `gan_lib.training.GAN`.
        seed: of the weights and of every number drawn in training.
        **compile_arguments: passed to `GAN.compile`.
    The rest: see `stylegan_networks.build_generator`.
    """
    keras.utils.set_random_seed(seed)
    shared = {"width": width, "widest": widest, "channels": channels, "dtype": dtype}
    gan = StyleGAN(
        stylegan_networks.build_generator(
            image_size,
            latent_dim=latent_dim,
            style_dim=style_dim,
            mapping_layers=mapping_layers,
            noise_rate=noise_rate,
            seed=seed,
            **shared,
        ),
        progan_networks.build_discriminator(image_size, blur=True, **shared),
        style_mixing=style_mixing,
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    defaults: dict[str, Any] = {
        "generator_optimizer": lazy_adam(rate),
        "discriminator_optimizer": lazy_adam(rate),
        "penalty": "r1",
        "penalty_weight": r1_weight,
    }
    gan.compile(**defaults | compile_arguments)
    return gan


PUBLISHED = {
    "stylegan/1024": lambda: {
        "generator": stylegan_networks.build_generator(),
        "discriminator": progan_networks.build_discriminator(blur=True),
    }
}
