"""ProGAN: both networks begin at 4 x 4 pixels and grow together.

Karras et al. 2018, arXiv:1710.10196. The networks are in `gan_lib.progan_networks`, the
schedule and the loop over sizes in `gan_lib.growing`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan_lib import export, growing, losses, progan_networks
from gan_lib.optimizers import lazy_adam
from gan_lib.randomness import Draws
from gan_lib.training import GAN


def wasserstein_with_drift(drift: float = 0.001) -> losses.LossPair:
    """The Wasserstein losses with a critic whose numbers stay near 0.

    critic: E D(fake) - E D(real) + drift E D(real)^2;  generator: -E D(fake)
    Karras et al. 2018, appendix A.1: drift 0.001, beside the gradient penalty.
    """
    pair = losses.get("wasserstein")

    def critic_loss(real_logits, fake_logits):
        far = keras.ops.mean(keras.ops.square(keras.ops.cast(real_logits, "float32")))
        return pair.discriminator(real_logits, fake_logits) + drift * far

    return pair._replace(discriminator=critic_loss)


@keras.saving.register_keras_serializable("gan_lib")
class ProGAN(GAN):
    """A generator and a discriminator of pictures of one size at a time.

    While a size fades in, real images are as soft as the fakes (`growing.fade_real`).
    Ours differs: the penalty is taken at the size of the stage; the authors' code
    takes it at full size, where a gradient is smaller by the ratio of the sides.

    Arguments: those of `GAN`; the networks have a list of pictures, one entry a size.
    """

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.sizes = [x.shape[1] for x in generator.outputs]
        self.set_stage(self.sizes[-1])

    def set_stage(self, size: int, start_kimg: float = 0.0, fade_kimg: float = 0.0):
        """Train pictures of that size from now on; `growing.grow` does it for you.

        Args:
            size: pixels a side, one of `sizes`.
            start_kimg, fade_kimg: alpha, the part of the new layers, goes from 0 at
                `start_kimg` to 1 after `fade_kimg` more; 0: it is 1 at once.
        Raises: ValueError on another size.
        """
        if size not in self.sizes:
            raise ValueError(
                f"Expected `size` to be one of {self.sizes}. Received: {size}"
            )
        self.size, self.start_kimg, self.fade_kimg = size, start_kimg, fade_kimg
        self.stage_generator = self._of_stage(self.generator)
        self.stage_discriminator = self._of_stage(self.discriminator)
        self.stage_average = self._of_stage(self.ema_generator)
        self.train_function = None  # the step is another one now

    def _of_stage(self, network) -> keras.Model:
        """The part of a network that makes, or judges, pictures of this size."""
        number = self.sizes.index(self.size)
        inputs = network.inputs[number if len(network.inputs) > 1 else 0]
        return keras.Model(inputs, network.outputs[number], name=network.name)

    def playing(self, player: str) -> keras.Model:
        return getattr(self, f"stage_{player}")

    # The hooks.

    def forward(self, real_images, draws: Draws):
        self._set_fades()
        return super().forward(real_images, draws)

    def discriminator_objective(
        self, real_images, fake_images, draws: Draws, fake_logits=None
    ):
        if self.fade_kimg:
            real_images = growing.fade_real(real_images, self._alpha())
        return super().discriminator_objective(
            real_images, fake_images, draws, fake_logits
        )

    def _fading_networks(self) -> tuple[keras.Model, ...]:
        """Where the layers `fade_SIZE` are."""
        return self.generator, self.ema_generator, self.discriminator

    def _set_fades(self) -> None:
        if self.size > self.sizes[0]:
            for network in self._fading_networks():
                network.get_layer(f"fade_{self.size}").alpha.assign(self._alpha())

    def _alpha(self):
        if not self.fade_kimg:
            return tf.constant(1.0)
        seen = tf.cast(self.images_seen.value, tf.float32) / 1000
        return tf.clip_by_value((seen - self.start_kimg) / self.fade_kimg, 0.0, 1.0)

    # What a user calls.

    def call(self, latents, training=False):
        return self.stage_average(latents, training=training)

    def generate(
        self, latents: np.ndarray | int, *, seed: int = 0, batch_size: int = 64
    ) -> np.ndarray:
        """Images (n, H, W, C), float32 in [-1, 1], of the averaged generator.

        They have the full size: pictures of a smaller stage are enlarged by nearest
        neighbours. Arguments: see `GAN.generate`.
        """
        latents = self.draw_latents(latents, seed)
        images = self.stage_average.predict(latents, batch_size=batch_size, verbose=0)
        return np.clip(growing.enlarge(images, self.sizes[-1]), -1, 1)

    def export(self, directory: str | Path) -> list[Path]:
        """Write the averaged generator of the last size, images clipped."""
        return export.save(export.clipped(self.ema_generator), directory)


# Our settings for minutes instead of days, for `progan(..., **LAPTOP)`, batches of 16:
# ten times the paper's rate, an average of the newest.
LAPTOP: dict[str, Any] = {
    "latent_dim": 64,
    "widest": 128,
    "rate": 1e-2,
    "ema_half_life_kimg": 2.0,
}


def progan(
    image_size: int = 1024,
    *,
    latent_dim: int = 512,
    width: int = 16,
    widest: int = 512,
    channels: int = 3,
    rate: float = 1e-3,
    drift: float = 0.001,
    ema_half_life_kimg: float = 10.0,
    dtype=None,
    seed: int = 0,
    **compile_arguments,
) -> ProGAN:
    """A ProGAN, compiled: WGAN-GP with drift, Adam(rate, 0, 0.99), one critic step.

    Args:
        rate: learning rate of both players; 0.001, as in the paper.
        drift: see `wasserstein_with_drift`.
        ema_half_life_kimg: see `gan_lib.training.GAN`. Ours differs: the paper's
            average keeps 0.999 of itself at each step.
        seed: of the weights and of every number drawn in training.
        **compile_arguments: passed to `GAN.compile`.
    The rest: see `progan_networks.build_generator`.
    """
    keras.utils.set_random_seed(seed)
    shared = {"width": width, "widest": widest, "channels": channels, "dtype": dtype}
    gan = ProGAN(
        progan_networks.build_generator(image_size, latent_dim=latent_dim, **shared),
        progan_networks.build_discriminator(image_size, **shared),
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    defaults: dict[str, Any] = {
        "generator_optimizer": lazy_adam(rate),
        "discriminator_optimizer": lazy_adam(rate),
        "loss": wasserstein_with_drift(drift),
        "penalty": "gradient_penalty",
    }
    gan.compile(**defaults | compile_arguments)
    return gan


PUBLISHED = {
    "progan/1024": lambda: {
        "generator": progan_networks.build_generator(),
        "discriminator": progan_networks.build_discriminator(),
    }
}
