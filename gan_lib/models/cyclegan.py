"""CycleGAN: two translations that undo each other, learned without pairs.

Zhu, Park, Isola and Efros 2017, arXiv:1703.10593.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan_lib import step, translation
from gan_lib.image_pool import ImagePool
from gan_lib.optimizers import Adam
from gan_lib.patchgan import build_discriminator
from gan_lib.resnet_generator import build_generator
from gan_lib.training import GAN


@keras.saving.register_keras_serializable("gan_lib")
class CycleGAN(GAN):
    """Two generators that undo each other, and a discriminator for each domain.

    With a from domain A and b from B, G: A -> B and F: B -> A (Zhu et al. 2017,
    equations 1 to 3 and section 5.2; least squares for the adversarial terms):
        L_D = 1/2 sum_X [ E (D_X(x) - 1)^2 + E D_X(pool(fake x))^2 ]
        L_G = sum_X E (D_X(fake x) - 1)^2
            + cycle_weight (E |F(G(a)) - a| + E |G(F(b)) - b|)
            + cycle_weight identity_weight (E |G(b) - b| + E |F(a) - a|)
    All expectations are means over every number, D_X a PatchGAN. The players move at
    once, as in the authors' code. Ours differs: translation and identity share a call,
    which changes nothing, as the norms know one picture only.

    `fit` takes batches of (domain_a, domain_b), float32 (B, S, S, C) in [-1, 1], from
    `gan_lib.data.unpaired_batches.UnpairedBatches`; a kimg is a thousand pictures of
    each domain.

    Args:
        generator: `translation.both` of networks named "a_to_b" and "b_to_a".
        discriminator: `translation.both` of networks for A and for B.
        cycle_weight: of the way there and back (paper: 10).
        identity_weight: of leaving a picture of the target domain alone, as a share
            of `cycle_weight` (authors' code: 0.5; the paper has it for paintings
            only). 0 saves two passes.
        pool_size: earlier fakes shown to each discriminator (paper: 50); 0: none.
        **kwargs: those of `GAN`.
    """

    batch_names = ("domain_a", "domain_b")
    log_names = (*GAN.log_names, "adversarial_loss", "cycle_loss", "identity_loss")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        pool_size: int = 50,
        name: str = "cyclegan",
        **kwargs,
    ):
        super().__init__(generator, discriminator, name=name, **kwargs)
        self.cycle_weight = float(cycle_weight)
        self.identity_weight = float(identity_weight)
        shapes = [shape[1:] for shape in discriminator.input_shape]
        if pool_size:
            self.memory = {
                f"pool_{letter}": ImagePool(pool_size, shape)
                for letter, shape in zip("ab", shapes, strict=True)
            }

    def forward(self, pair, draws):
        a, b = pair
        a_to_b, b_to_a = translation.parts(self.generator)
        keep = self.identity_weight > 0
        fake_b, same_b = translation.translate(a_to_b, a, b if keep else None)
        fake_a, same_a = translation.translate(b_to_a, b, a if keep else None)
        made = {
            "fake": (fake_a, fake_b),
            "again": (b_to_a(fake_b, training=True), a_to_b(fake_a, training=True)),
        }
        return made | {"same": (same_a, same_b)} if keep else made

    def judge_fakes(self, pair, made):
        return self.discriminator(made["fake"], training=True)

    def discriminator_objective(self, pair, made, draws, fake_logits=None):
        shown = made["fake"]
        if self.memory:
            count = tf.shape(shown[0])[0]
            shown = [
                pool(images, draws.uniform(name, (count, 2)))
                for (name, pool), images in zip(self.memory.items(), shown, strict=True)
            ]
        if self.memory or fake_logits is None:
            fake_logits = self.discriminator(shown, training=True)
        real_logits = self.discriminator(pair, training=True)
        loss = tf.add_n(
            [
                self.losses_of.discriminator(*logits)
                for logits in zip(real_logits, fake_logits, strict=True)
            ]
        )
        parts = translation.parts(self.discriminator)
        for part, real, fake in zip(parts, pair, shown, strict=True):
            loss += step.penalty(self, real, fake, draws, part)
        logs = step.describe(real_logits, fake_logits, self.losses_of.middle)
        return 0.5 * loss, logs

    def generator_objective(self, pair, made, draws, fake_logits=None):
        if fake_logits is None:
            fake_logits = self.judge_fakes(pair, made)
        adversarial = tf.add_n([self.losses_of.generator(x) for x in fake_logits])
        cycle = translation.distance(made["again"], pair)
        identity = (
            translation.distance(made["same"], pair)
            if "same" in made
            else tf.constant(0.0)
        )
        loss = adversarial + self.cycle_weight * (
            cycle + self.identity_weight * identity
        )
        logs = {"adversarial_loss": adversarial, "cycle_loss": cycle}
        return loss, logs | {"identity_loss": identity}

    def generate(  # type: ignore[override]  # pictures in place of latents
        self, images: np.ndarray, direction: str = "a_to_b", *, batch_size: int = 64
    ) -> np.ndarray:
        """Translations (n, S, S, C), float32 in [-1, 1], by the averaged generator.

        Args:
            images: uint8, or float32 in [-1, 1], (n, S, S, C).
            direction: "a_to_b" or "b_to_a".
            batch_size: pictures computed at a time; it does not change them.
        """
        return translation.predict(self.ema_generator, images, direction, batch_size)

    def export(self, directory) -> list:
        """Write both directions to `directory`; see `gan_lib.export.save`."""
        return translation.save(self.ema_generator, directory)


# Our settings for minutes instead of days, for `cyclegan(..., **LAPTOP)`.
LAPTOP: dict[str, Any] = {
    "blocks": 4,
    "receptive_field": 34,
    "generator_rate": 1e-3,
    "discriminator_rate": 4e-4,
    "ema_half_life_kimg": 0.2,
}


def cyclegan(
    image_size: int = 256,
    *,
    blocks: int | None = None,
    receptive_field: int = 70,
    width: int = 64,
    normalization: str = "instance",
    discriminator_normalization: str | None = None,
    cycle_weight: float = 10.0,
    identity_weight: float = 0.5,
    pool_size: int = 50,
    generator_rate: Any = 2e-4,
    discriminator_rate: Any = 2e-4,
    dtype=None,
    seed: int = 0,
    ema_half_life_kimg: float = 0.5,
    **compile_arguments,
) -> CycleGAN:
    """A CycleGAN, compiled as published: Adam(2e-4, beta_1=0.5) twice, least squares.

    Args:
        image_size: side of the pictures of both domains, divisible by 4.
        blocks, width: see `gan_lib.resnet_generator.build_generator`.
        receptive_field: see `gan_lib.patchgan.build_discriminator`.
        discriminator_normalization: None: the generator's.
        generator_rate, discriminator_rate: learning rates, numbers or schedules;
            published: `gan_lib.optimizers.LinearDecay`, half of the training at 2e-4.
        seed: of the weights and of every number drawn in training.
        ema_half_life_kimg: see `gan_lib.training.GAN`; 0: no average, as published.
        **compile_arguments: passed to `GAN.compile`.
    The rest: see `CycleGAN`.
    """
    keras.utils.set_random_seed(seed)
    shared = {"width": width, "dtype": dtype}
    generators, discriminators = [], []
    for direction, letter in zip(translation.DIRECTIONS, "ab", strict=True):
        generator = build_generator(
            image_size, blocks=blocks, normalization=normalization, **shared
        )
        discriminator = build_discriminator(
            image_size,
            receptive_field=receptive_field,
            channels=3,
            normalization=discriminator_normalization or normalization,
            **shared,
        )
        generator.name, discriminator.name = direction, f"discriminator_{letter}"
        generators.append(generator)
        discriminators.append(discriminator)
    model = CycleGAN(
        translation.both(generators, name="generator"),
        translation.both(discriminators, name="discriminator"),
        cycle_weight=cycle_weight,
        identity_weight=identity_weight,
        pool_size=pool_size,
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    defaults: dict[str, Any] = {
        "generator_optimizer": Adam(generator_rate, beta_1=0.5),
        "discriminator_optimizer": Adam(discriminator_rate, beta_1=0.5),
        "loss": "least_squares",
        "simultaneous": True,
    }
    model.compile(**{**defaults, **compile_arguments})
    return model


def _published(image_size: int, blocks: int) -> Callable[[], dict[str, keras.Model]]:
    return lambda: {
        "generator": build_generator(image_size, blocks=blocks),
        "discriminator": build_discriminator(
            image_size, channels=3, normalization="instance"
        ),
    }


# Name -> builder of the networks at their published size, for `gan_lib models`.
PUBLISHED = {
    "cyclegan/resnet_9blocks": _published(256, blocks=9),
    "cyclegan/resnet_6blocks": _published(128, blocks=6),
}
