"""U-GAT-IT: attention and cycles, two generators and four discriminators.

Kim, Kim, Kang and Lee 2020, arXiv:1907.10830; its networks are in
`gan_lib.ugatit_networks`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan_lib import losses, step, translation
from gan_lib.optimizers import Adam
from gan_lib.training import GAN
from gan_lib.ugatit_networks import (
    PUBLISHED,
    build_discriminator,
    build_generator,
    discriminator_layers,
)

__all__ = ["LAPTOP", "PUBLISHED", "UGATIT", "ugatit"]


@keras.saving.register_keras_serializable("gan_lib")
class UGATIT(GAN):
    """Two generators and four discriminators, each with a classifier that attends.

    With a from A and b from B, G: A -> B and F: B -> A, discriminators D_X^k for each
    domain X, k global or local, c the logits of a network's classifier (Kim et al.
    2020, section 2.2, equations 2 to 6; the weights are those of section 3.1.3):
        L_D = sum_X sum_k [ E (D_X^k(x) - 1)^2 + E D_X^k(fake x)^2
                          + E (c_D(x) - 1)^2 + E c_D(fake x)^2 ]
        L_G = sum_X sum_k [ E (D_X^k(fake x) - 1)^2 + E (c_D(fake x) - 1)^2 ]
            + 10 (E |F(G(a)) - a| + E |G(F(b)) - b|)        cycle
            + 10 (E |G(b) - b| + E |F(a) - a|)              identity
            + 1000 (BCE(c_G(a), 1) + BCE(c_G(b), 0) + BCE(c_F(b), 1) + BCE(c_F(a), 0))
    The last line teaches each generator's classifier which pictures need translation:
    those of its source domain. Ours differs in the order of work alone: a translation
    and an identity share a call, so do a discriminator's real and fake pictures, and
    the discriminators are shown the fakes the generators are judged by; no norm here
    looks at neighbours, so every loss is the same. Spectral norm then takes one step a
    move and not one a call.

    `fit` takes batches of (domain_a, domain_b) as `CycleGAN`'s.

    Args:
        generator: `translation.both` of networks named "a_to_b" and "b_to_a", from
            `build_generator`.
        discriminator: `translation.both` of networks for A and for B, each a list of
            outputs of `build_discriminator`.
        cycle_weight, identity_weight, cam_weight: 10, 10 and 1000 in the paper.
        **kwargs: those of `GAN`.
    """

    batch_names = ("domain_a", "domain_b")
    log_names = (
        *GAN.log_names,
        "adversarial_loss",
        "cycle_loss",
        "identity_loss",
        "cam_loss",
    )

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        cycle_weight: float = 10.0,
        identity_weight: float = 10.0,
        cam_weight: float = 1000.0,
        name: str = "ugatit",
        **kwargs,
    ):
        super().__init__(generator, discriminator, name=name, **kwargs)
        self.cycle_weight = float(cycle_weight)
        self.identity_weight = float(identity_weight)
        self.cam_weight = float(cam_weight)

    def forward(self, pair, draws):
        a, b = pair
        a_to_b, b_to_a = translation.parts(self.generator)
        translated_b, kept_b = translation.translate(a_to_b, a, b)
        translated_a, kept_a = translation.translate(b_to_a, b, a)
        fake_a, fake_b = translated_a["images"], translated_b["images"]
        again_a = b_to_a(fake_b, training=True)["images"]
        again_b = a_to_b(fake_a, training=True)["images"]
        made = {
            "fake": (fake_a, fake_b),
            "again": (again_a, again_b),
            "same": (kept_a["images"], kept_b["images"]),
        }
        if "cam_logits" in translated_a:
            made["source_logits"] = _get("cam_logits", translated_a, translated_b)
            made["target_logits"] = _get("cam_logits", kept_a, kept_b)
        return made

    def judge_fakes(self, pair, made):
        return _verdicts(self.discriminator(made["fake"], training=True))

    def discriminator_objective(self, pair, made, draws, fake_logits=None):
        if fake_logits is None:
            fakes = zip(pair, made["fake"], strict=True)
            shown = [tf.concat(real_and_fake, 0) for real_and_fake in fakes]
            verdicts = _verdicts(self.discriminator(shown, training=True))
            halves = [tf.split(x, 2) for x in verdicts]
            real_logits, fake_logits = zip(*halves, strict=True)
        else:
            real_logits = _verdicts(self.discriminator(pair, training=True))
        verdicts = list(zip(real_logits, fake_logits, strict=True))
        loss = tf.add_n([self.losses_of.discriminator(*logits) for logits in verdicts])
        return loss, step.describe(real_logits, fake_logits, self.losses_of.middle)

    def generator_objective(self, pair, made, draws, fake_logits=None):
        if fake_logits is None:
            fake_logits = self.judge_fakes(pair, made)
        adversarial = tf.add_n([self.losses_of.generator(x) for x in fake_logits])
        cycle = translation.distance(made["again"], pair)
        identity = translation.distance(made["same"], pair)
        loss = adversarial + self.cycle_weight * cycle + self.identity_weight * identity
        cam = tf.constant(0.0)
        if "source_logits" in made:
            classes = zip(made["source_logits"], made["target_logits"], strict=True)
            cross_entropy = losses.non_saturating_discriminator_loss
            cam = tf.add_n([cross_entropy(*logits) for logits in classes])
            loss += self.cam_weight * cam
        return loss, {
            "adversarial_loss": adversarial,
            "cycle_loss": cycle,
            "identity_loss": identity,
            "cam_loss": cam,
        }

    def compile(self, *args, penalty=None, **kwargs) -> None:
        """As `GAN.compile`, without penalties: spectral norm is in their place."""
        if penalty is not None:
            raise ValueError(
                "Expected no `penalty`: each discriminator of U-GAT-IT has spectral "
                f"norm, which bounds its slope already. Received: {penalty!r}"
            )
        super().compile(*args, **kwargs)

    def generate(  # type: ignore[override]  # pictures in place of latents
        self, images: np.ndarray, direction: str = "a_to_b", *, batch_size: int = 64
    ) -> np.ndarray:
        """Translations (n, S, S, 3), float32 in [-1, 1], by the averaged generator.

        Args:
            images: uint8, or float32 in [-1, 1], (n, S, S, 3).
            direction: "a_to_b" or "b_to_a".
            batch_size: pictures computed at a time; it does not change them.
        """
        arguments = images, direction, batch_size
        return translation.predict(self.ema_generator, *arguments)["images"]

    def attend(
        self, images: np.ndarray, direction: str = "a_to_b", *, batch_size: int = 64
    ) -> dict[str, np.ndarray]:
        """Where the networks look: heat maps (n, h, w), float32, by network.

        "generator": in the sources, by the averaged generator of this direction.
        "global", "local": in the translations, by the target's discriminators.
        Each has a scale and a size of its own. Arguments as for `generate`.
        Raises: ValueError when the model was built without attention.
        """
        network = translation.get_direction(self.ema_generator, direction)
        if len(network.outputs) == 1:
            raise ValueError(
                "Expected a model with attention: this one was built with "
                "`attention=False` and has no heat maps."
            )
        arguments = images, direction, batch_size
        outputs = translation.predict(self.ema_generator, *arguments)
        judges = translation.parts(self.discriminator)
        judge = judges[translation.DIRECTIONS.index(direction) == 0]
        verdicts = judge.predict(outputs["images"], batch_size=batch_size, verbose=0)
        maps = {"generator": outputs["heat_map"]}
        return maps | {name: verdicts[name]["heat_map"] for name in verdicts}

    def export(self, directory) -> list:
        """Write both directions to `directory`; see `gan_lib.export.save`."""
        return translation.save(self.ema_generator, directory)


def _get(name, *outputs):
    return tuple(output[name] for output in outputs)


def _verdicts(outputs) -> list[tf.Tensor]:
    """All logits, those of the patches and those of the classifiers."""
    return [
        verdict[name]
        for domain in outputs
        for verdict in domain.values()
        for name in ("logits", "cam_logits")
        if name in verdict
    ]


# Our settings for minutes instead of days, for `ugatit(..., **LAPTOP)`: larger rates,
# more weight on what ties a translation to its source.
LAPTOP: dict[str, Any] = {
    "blocks": 2,
    "cycle_weight": 20.0,
    "identity_weight": 20.0,
    "cam_weight": 10.0,
    "generator_rate": 1e-3,
    "discriminator_rate": 4e-4,
    "l2": 0.0,
    "ema_half_life_kimg": 0.2,
}


def ugatit(
    image_size: int = 256,
    *,
    light: bool = True,
    width: int = 64,
    discriminator_width: int | None = None,
    blocks: int = 4,
    normalization: str = "adalin",
    attention: bool = True,
    cycle_weight: float = 10.0,
    identity_weight: float = 10.0,
    cam_weight: float = 1000.0,
    generator_rate: Any = 1e-4,
    discriminator_rate: Any = 1e-4,
    l2: float = 1e-4,
    dtype=None,
    seed: int = 0,
    ema_half_life_kimg: float = 0.5,
    **compile_arguments,
) -> UGATIT:
    """A U-GAT-IT, compiled as published: Adam(1e-4, beta_1=0.5), least squares.

    Args:
        light, width, blocks, normalization, attention: see
            `gan_lib.ugatit_networks.build_generator`.
        discriminator_width: None: `width`.
        generator_rate, discriminator_rate: learning rates, numbers or schedules;
            published: `gan_lib.optimizers.LinearDecay`, half of the training at 1e-4.
        l2: see `gan_lib.optimizers.Adam`; published 1e-4.
        seed: of the weights and of every number drawn in training.
        ema_half_life_kimg: see `gan_lib.training.GAN`; 0: no average, as published.
        **compile_arguments: passed to `GAN.compile`.
    The rest: see `UGATIT`.
    """
    keras.utils.set_random_seed(seed)
    generators, judges = [], []
    for direction, letter in zip(translation.DIRECTIONS, "ab", strict=True):
        generator = build_generator(
            image_size,
            light=light,
            width=width,
            blocks=blocks,
            normalization=normalization,
            attention=attention,
            dtype=dtype,
        )
        generator.name = direction
        generators.append(generator)
        judges.append(
            _build_judges(
                image_size, letter, discriminator_width or width, attention, dtype
            )
        )
    model = UGATIT(
        translation.both(generators, name="generator"),
        translation.both(judges, name="discriminator"),
        cycle_weight=cycle_weight,
        identity_weight=identity_weight,
        cam_weight=cam_weight,
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    rates = {"generator": generator_rate, "discriminator": discriminator_rate}
    defaults: dict[str, Any] = {
        f"{player}_optimizer": Adam(rate, beta_1=0.5, l2=l2)
        for player, rate in rates.items()
    }
    model.compile(**{**defaults, "loss": "least_squares", **compile_arguments})
    return model


def _build_judges(image_size, letter, width, attention, dtype) -> keras.Model:
    """Both discriminators of one domain: images -> {"global": ..., "local": ...}."""
    images = keras.Input((image_size, image_size, 3), name="images")
    outputs = {}
    for name, layers in discriminator_layers(image_size).items():
        network = build_discriminator(
            image_size, layers=layers, width=width, attention=attention, dtype=dtype
        )
        network.name = name
        outputs[name] = network(images)
    return keras.Model(images, outputs, name=f"discriminator_{letter}")
