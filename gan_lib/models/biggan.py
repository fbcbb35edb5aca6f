"""BigGAN: classes, large batches, hinge loss, projection, truncation.

Brock, Donahue and Simonyan 2019, arXiv:1809.11096; its networks are in
`gan_lib.biggan_networks` and `gan_lib.biggan_deep_networks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan_lib import biggan_deep_networks, biggan_networks, penalties, step
from gan_lib.accumulation import put_back, snapshot
from gan_lib.conditions import class_rows
from gan_lib.optimizers import Adam
from gan_lib.randomness import Draws
from gan_lib.training import GAN


@keras.saving.register_keras_serializable("gan_lib")
class BigGAN(GAN):
    """A generator that is told the class, and a judge that asks whether it fits.

    With pictures x of class y, latents z ~ N(0, 1), classes y' drawn evenly:
        L_D = E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y'), y'))
        L_G = - E D(G(z, y'), y') + beta R(G)
    R is `gan_lib.penalties.orthogonal_penalty` of all the generator's kernels but the
    class embedding (sections 3 and 3.1 of the paper). Ours differs in that the fakes
    of a step serve both players, see `GAN`.

    `fit` takes batches of (images, labels), `gan_lib.data.labelled_batches`.

    Args:
        generator, discriminator: of `gan_lib.biggan_networks`, or both of
            `gan_lib.biggan_deep_networks`.
        orthogonal_weight: beta, 1e-4 in the paper; 0 in the runs they published.
        **kwargs: those of `GAN`.
    """

    batch_names = ("real_images", "labels")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        orthogonal_weight: float = 0.0,
        name: str = "biggan",
        **kwargs,
    ):
        super().__init__(generator, discriminator, name=name, **kwargs)
        self.orthogonal_weight = float(orthogonal_weight)

    def compile(self, *args, penalty=None, augment=None, **kwargs) -> None:
        """As `GAN.compile`; there is no gradient penalty and no augmentation.

        Raises: ValueError when one is asked for.
        """
        if penalty is not None or augment is not None:
            raise ValueError(
                "Expected no `penalty` and no `augment`: this discriminator is held "
                "by its spectral norm, and sees pictures together with classes. "
                f"Received: penalty={penalty!r}, augment={augment!r}"
            )
        super().compile(*args, **kwargs)

    @property
    def latent_dim(self) -> int:
        return self.generator.inputs[0].shape[-1]

    @property
    def num_classes(self) -> int:
        return self.generator.inputs[1].shape[-1]

    def train_step(self, batch):
        images, labels = batch
        return step.train(self, [images, tf.one_hot(labels, self.num_classes)])

    # The hooks. A "batch of images" is a list here: images and their classes.

    def forward(self, real_images, draws: Draws):
        batch = tf.shape(real_images[0])[0]
        latents = draws.normal("latents", (batch, self.latent_dim))
        labels = draws.integers("labels", (batch,), self.num_classes)
        classes = tf.one_hot(labels, self.num_classes)
        return [self.generator([latents, classes], training=True), classes]

    def generator_objective(
        self, real_images, fake_images, draws: Draws, fake_logits=None
    ):
        loss, logs = super().generator_objective(
            real_images, fake_images, draws, fake_logits
        )
        if self.orthogonal_weight:
            kernels = [
                weight.value
                for weight in self.generator.trainable_weights
                if len(weight.shape) > 1 and "class_embedding" not in weight.path
            ]
            value = penalties.orthogonal_penalty(kernels)
            loss += self.orthogonal_weight * value
        return loss, logs

    # What a user calls.

    def generate(
        self,
        latents: np.ndarray | int,
        classes: Any = None,
        *,
        seed: int = 0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Images (n, H, W, 3), float32 in [-1, 1], of the averaged generator.

        Args:
            latents: float32 (n, latent_dim), or a number n: they are then drawn
                from N(0, 1) with `seed`.
            classes: one label for all, n labels, or rows of weights, which may mix
                classes; see `gan_lib.conditions.class_rows`. None: 0, 1, 2 and so on,
                again and again.
            batch_size: images computed at a time.
        Raises: ValueError for another number of them, or a label that is no class.
        """
        latents = self.draw_latents(latents, seed)
        if classes is None:
            classes = np.arange(len(latents)) % self.num_classes
        rows = class_rows(classes, self.num_classes)
        if len(rows) not in (1, len(latents)):
            raise ValueError(
                f"Expected one class, or one for each of {len(latents)} pictures. "
                f"Received: {len(rows)}"
            )
        rows = np.broadcast_to(rows, (len(latents), self.num_classes))
        return self.ema_generator.predict(
            [latents, rows], batch_size=batch_size, verbose=0
        )


def standing_statistics(
    generator: keras.Model,
    latents: np.ndarray,
    classes: np.ndarray,
    batch_size: int = 64,
) -> keras.Model:
    """A copy whose batch norms know the latents it will be given.

    Truncated latents give maps of other means and variances than those of training;
    normalised by the running averages of training, their pictures come out with
    colours that are too strong. The authors pass several batches of the latents they
    will use, and average the moments (their "standing statistics", appendix D):
        mean = 1/P sum_p mean_p,  variance = 1/P sum_p variance_p

    Args:
        generator: of `build_generator`, as a rule `gan.ema_generator`.
        latents: float32 (n, latent_dim) drawn as those it will be given; n at least
            one batch; what is left over after whole batches is not used.
        classes: float32 (n, num_classes), see `gan_lib.conditions.class_rows`.
        batch_size: of each pass; their code takes 16 passes.
    Returns: a generator with the same weights and its own statistics.
    Raises: ValueError for less than one batch.
    """
    if len(latents) < batch_size:
        raise ValueError(
            f"Expected at least one batch of {batch_size} latents; 16 batches are "
            f"usual. Received: {len(latents)}. Draw more, or lower `batch_size`."
        )
    copy = keras.models.clone_model(generator)
    copy.set_weights(generator.get_weights())
    take_statistics(copy, latents, classes, batch_size)
    return copy


def take_statistics(
    network: keras.Model,
    latents: np.ndarray,
    classes: np.ndarray,
    batch_size: int,
    one_pass: Callable | None = None,
) -> None:
    """Give a generator the statistics of these latents; see `standing_statistics`.

    `one_pass`: the network's `statistics_pass`, to compile it once for many calls.
    """
    one_pass = one_pass or statistics_pass(network)
    kept = snapshot(
        w for w in network.non_trainable_weights if not w.name.startswith("moving_")
    )
    for norm in _batch_norms(network):  # a large old value would round new ones away
        norm.moving_mean.assign(np.zeros(norm.moving_mean.shape))
        norm.moving_variance.assign(np.zeros(norm.moving_variance.shape))
    for number in range(len(latents) // batch_size):
        rows = slice(number * batch_size, (number + 1) * batch_size)
        # The mean of all passes so far.
        one_pass(latents[rows], classes[rows], np.float32(number / (number + 1)))
    put_back(kept)  # what else a training call moves: spectral norms' u


def statistics_pass(network: keras.Model) -> Callable:
    """A compiled call (latents, classes, momentum) that moves running averages.

    moving <- momentum moving + (1 - momentum) those of this batch
    """
    norms = list(_batch_norms(network))

    @tf.function
    def one_pass(latents, classes, momentum):
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = momentum  # while it is traced: an argument, not a number
        network([latents, classes], training=True)
        for norm, number in zip(norms, momenta, strict=True):
            norm.momentum = number

    return one_pass


def _batch_norms(layer):
    for inner in layer._flatten_layers():
        if isinstance(inner, keras.layers.BatchNormalization):
            yield inner


# Our settings for minutes instead of days, for `biggan(..., **LAPTOP)`.
LAPTOP: dict[str, Any] = {
    "latent_dim": 120,
    "class_dim": 32,
    "width": 16,
    "attention": None,
    "pyramid": True,
    "rates": (1e-3, 2e-3),
}


def biggan(
    image_size: int = 128,
    num_classes: int = 1000,
    *,
    latent_dim: int = 120,
    class_dim: int = 128,
    width: int = 96,
    attention: int | None = 64,
    pyramid: bool = False,
    rates: tuple[float, float] = (5e-5, 2e-4),
    orthogonal_weight: float = 0.0,
    ema_half_life_kimg: float = 5.0,
    dtype=None,
    seed: int = 0,
    **compile_arguments,
) -> BigGAN:
    """A BigGAN, compiled: hinge loss, Adam(beta_1=0, beta_2=0.999).

    Args:
        rates: learning rates of generator and discriminator; the paper's, for batches
            of 2048.
        orthogonal_weight: see `BigGAN`.
        ema_half_life_kimg: see `gan_lib.training.GAN`; the paper's decay of 0.9999 a
            step is 14,000 kimg at batches of 2048.
        seed: of the weights and of every number drawn in training.
        **compile_arguments: passed to `BigGAN.compile`; the paper has
            `discriminator_steps=2`.
    The rest: see `biggan_networks.build_generator` and `build_discriminator`.
    """
    keras.utils.set_random_seed(seed)
    shared = {"width": width, "attention": attention, "pyramid": pyramid}
    shared["dtype"] = dtype
    gan = BigGAN(
        biggan_networks.build_generator(
            image_size,
            num_classes,
            latent_dim=latent_dim,
            class_dim=class_dim,
            **shared,
        ),
        biggan_networks.build_discriminator(image_size, num_classes, **shared),
        orthogonal_weight=orthogonal_weight,
        seed=seed,
        ema_half_life_kimg=ema_half_life_kimg,
    )
    generator_rate, discriminator_rate = rates
    defaults = {
        "generator_optimizer": Adam(generator_rate, beta_1=0.0),
        "discriminator_optimizer": Adam(discriminator_rate, beta_1=0.0),
        "loss": "hinge",
    }
    gan.compile(**defaults | compile_arguments)
    return gan


PUBLISHED = {
    f"biggan/{size}": lambda size=size, latent_dim=latent_dim, place=place: {
        "generator": biggan_networks.build_generator(
            size, latent_dim=latent_dim, attention=place
        ),
        "discriminator": biggan_networks.build_discriminator(size, attention=place),
    }
    for size, latent_dim, place in ((128, 120, 64), (256, 140, 128))
} | {
    "biggan/deep_128": lambda: {
        "generator": biggan_deep_networks.build_generator(128),
        "discriminator": biggan_deep_networks.build_discriminator(128),
    }
}
