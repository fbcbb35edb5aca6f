"""The one training core: two players, an averaged generator, a clock in kimg."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gan_lib import adaptive, export, losses, rematerialization, session, step
from gan_lib.latents import sample
from gan_lib.optimizers import ready
from gan_lib.randomness import Draws

PENALTIES = ("r1", "gradient_penalty")


@keras.saving.register_keras_serializable("gan_lib")
class GAN(keras.Model):
    """Two networks that train against each other, and all that belongs to them.

    One step, on one batch of real images (Goodfellow et al. 2014, algorithm 1,
    arXiv:1406.2661, with k = `discriminator_steps`):
        latents ~ N(0, 1);  fake_images = generator(latents)
        the discriminator moves on real_images and fake_images, in separate calls;
        the generator moves on the same fake_images, judged by the moved
        discriminator.
    Ours differs: algorithm 1 draws new latents for the generator's move; using the
    same fakes (as dcgan.torch does) saves one pass through the generator.

    A paper overrides four hooks and no loop: `forward` (what the generator makes of
    a batch), `judge_fakes` (what the discriminator says to it),
    `discriminator_objective` and `generator_objective` (loss and logs); and names what
    a batch holds (`batch_names`) and what is logged (`log_names`).

    The averaged generator, float32, follows the weights and the batch-norm averages
    w of the trained one with a half-life counted in images, so that it does not
    depend on the batch size (Karras et al. 2018, section 4.1, arXiv:1710.10196):
        ema <- d ema + (1 - d) w,  d = 0.5 ** (batch / (1000 half_life_kimg))
    In early training the half-life is at most a twentieth of the kimg seen so far,
    so that the first, random weights are soon forgotten.

    Args:
        generator: keras.Model, latents (B, latent_dim) -> images (B, H, W, C) in
            [-1, 1].
        discriminator: keras.Model, images -> logits (B, ...).
        seed: of all numbers drawn in training.
        ema_half_life_kimg: thousands of real images after which an old weight counts
            half. 0: no averaging; `ema_generator` is then the generator itself.
    """

    batch_names: tuple[str, ...] = ("real_images",)
    log_names: tuple[str, ...] = (
        "discriminator_loss",
        "generator_loss",
        "real_logits",
        "fake_logits",
        "real_accuracy",
        "fake_accuracy",
        "discriminator_gradient_norm",
        "generator_gradient_norm",
    )

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        seed: int = 0,
        ema_half_life_kimg: float = 5.0,
        name: str = "gan",
    ):
        super().__init__(name=name)
        self.generator, self.discriminator = generator, discriminator
        self.ema_half_life_kimg = ema_half_life_kimg
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.ema_generator = generator
        if ema_half_life_kimg:
            self.ema_generator = export.portable_copy(generator)
        self.images_seen = self._counter("images_seen", "int64")
        self.fault = self._counter("fault", "int32")
        self.fault_image = self._counter("fault_image", "int64")
        # Layers beside the networks that belong to the training's state, by name.
        self.memory: dict[str, keras.layers.Layer] = {}
        self.history_rows: list[dict[str, float]] = []
        self.built = True

    def _counter(self, name: str, dtype: str):
        return self.add_weight(
            name=name,
            shape=(),
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        *,
        loss: str | losses.LossPair = "non_saturating",
        real_labels: tuple[float, float] = (1.0, 1.0),
        fake_labels: tuple[float, float] = (0.0, 0.0),
        penalty: str | Callable | None = None,
        penalty_weight: float = 10.0,
        penalty_every: int = 1,
        discriminator_steps: int = 1,
        simultaneous: bool = False,
        augment: str | float | adaptive.Augmentation | None = None,
        accumulate: int = 1,
        rematerialize: bool = False,
        jit_compile: bool | str = "auto",
        steps_per_execution: int = 1,
    ) -> None:
        """Choose how the two players learn.

        Args:
            generator_optimizer, discriminator_optimizer: Keras optimizers; None:
                Adam(2e-4, beta_1=0.5) (Radford et al. 2016, section 3). Under
                "mixed_float16" both are wrapped in a `LossScaleOptimizer`.
            loss: a name `gan_lib.losses.get` knows, or a `LossPair`.
            real_labels, fake_labels: ranges that the labels of each image are drawn
                from, for losses that take labels. (1, 1) and (0, 0): no noise.
                The generator aims for `real_labels`.
            penalty: "r1", "gradient_penalty", a function (discriminator,
                real_images, fake_images, draws) -> scalar, or None.
            penalty_weight: factor of the penalty.
            penalty_every: compute it only every so many steps, with a factor as
                much larger (lazy regularisation, Karras et al. 2020, section 3.1,
                arXiv:1912.04958).
            discriminator_steps: discriminator moves for each generator move; 0: it
                never moves, for a generator whose objective does not ask it.
            simultaneous: both players move at once, each against the other as it
                stood, so that the fakes are judged once instead of twice: a step is
                shorter, and the generator answers a judge one move old. False: the
                generator answers the moved discriminator.
            augment: change each image before the discriminator sees it, for small sets
                of images: "ada", with a chance that adapts (Karras et al. 2020,
                arXiv:2006.06676); a fixed chance in [0, 1]; or a
                `gan_lib.adaptive.Augmentation`. Penalties ask for the slope in the
                images before. None: no change.
            accumulate: slices, one after the other, that each batch is computed in,
                for large batches in little memory; `gan_lib.accumulation` says what is
                the same and what is not. It divides the batch (of each replica).
            rematerialize: forget the networks' maps and compute them again when the
                gradient needs them: less memory, the same step, a second pass forward;
                see `gan_lib.rematerialization`.
            jit_compile: compile the step with XLA. "auto": on a GPU only; on a CPU
                XLA is the slower one for convolutions.
            steps_per_execution: training steps in one call from Python.
        Raises: ValueError on an unknown loss, penalty or augmentation, a factor below
            1, labels for a loss that takes none, `augment` for a model of pairs, or
            `rematerialize` for networks whose layers cannot be seen.
        """
        super().compile(
            optimizer=None,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
        )
        if isinstance(penalty, str) and penalty not in PENALTIES:
            raise ValueError(
                f"Expected `penalty` to be one of {PENALTIES}, a function or None. "
                f"Received: {penalty!r}"
            )
        for label, value, least in (
            ("penalty_every", penalty_every, 1),
            ("discriminator_steps", discriminator_steps, 0),
            ("accumulate", accumulate, 1),
        ):
            if value < least:
                raise ValueError(f"Expected `{label}` >= {least}. Received: {value}")
        if simultaneous and discriminator_steps > 1:
            raise ValueError(
                "Expected `discriminator_steps=1` with `simultaneous=True`: who "
                f"moves at once moves equally often. Received: {discriminator_steps}"
            )
        self.losses_of = losses.get(loss) if isinstance(loss, str) else loss
        self.real_labels, self.fake_labels = tuple(real_labels), tuple(fake_labels)
        if self._uses_labels() and not self.losses_of.takes_labels:
            raise ValueError(
                "Expected no `real_labels` or `fake_labels`: this loss has no labels "
                'to soften. Leave them out, or choose loss="non_saturating".'
            )
        self.penalty, self.penalty_weight = penalty, penalty_weight
        self.penalty_every, self.accumulate = penalty_every, accumulate
        self.discriminator_steps, self.simultaneous = discriminator_steps, simultaneous
        self.generator_optimizer = ready(generator_optimizer, self.generator)
        self.discriminator_optimizer = ready(
            discriminator_optimizer, self.discriminator
        )
        adaptive.attach(self, augment)
        self.rematerialize = rematerialize
        rematerialization.attach(self)
        self.trackers = {name: keras.metrics.Mean(name) for name in self.log_names}

    def make_train_function(self, force=False):
        rematerialization.attach(self)  # networks that grow are new ones at each size
        return super().make_train_function(force)

    @property
    def metrics(self):
        return list(self.trackers.values()) if self.compiled else []

    @property
    def latent_dim(self) -> int:
        """Length of the latents that the generator is built for."""
        return self.generator.input_shape[-1]

    @property
    def kimg(self) -> float:
        """Thousands of real images shown to the discriminator so far."""
        return int(self.images_seen.numpy()) / 1000

    def call(self, latents, training=False):
        return self.ema_generator(latents, training=training)

    def playing(self, player: str) -> keras.Model:
        """The "generator" or "discriminator" of this step: all of it, or a part."""
        return getattr(self, player)

    def player_variables(self, player: str) -> list:
        """What "generator" or "discriminator" may move in this step."""
        return self.playing(player).trainable_variables

    # The four hooks a paper overrides.

    def forward(self, real_images, draws: Draws):
        """What the generator makes while the discriminator looks at `real_images`."""
        shape = (tf.shape(real_images)[0], self.latent_dim)
        latents = draws.normal("latents", shape)
        return self.playing("generator")(latents, training=True)

    def judge_fakes(self, real_images, fake_images):
        """The discriminator's logits for the fakes of one batch."""
        return self.playing("discriminator")(fake_images, training=True)

    def discriminator_objective(
        self, real_images, fake_images, draws: Draws, fake_logits=None
    ):
        """The discriminator's loss, a float32 scalar, and what to log of it.

        `fake_logits`: what `judge_fakes` said, where it was asked already.
        """
        shown = step.shown(self, real_images, draws, "real")
        real_logits = self.playing("discriminator")(shown, training=True)
        if fake_logits is None:
            shown = step.shown(self, fake_images, draws, "fake")
            fake_logits = self.judge_fakes(real_images, shown)
        labels = {}
        if self._uses_labels():
            labels["real_labels"] = step.draw_labels(
                "real_labels", self.real_labels, real_logits, draws
            )
            labels["fake_labels"] = step.draw_labels(
                "fake_labels", self.fake_labels, fake_logits, draws
            )
        loss = self.losses_of.discriminator(real_logits, fake_logits, **labels)
        loss += step.penalty(self, real_images, fake_images, draws)
        middle = self.losses_of.middle
        logs = step.describe([real_logits], [fake_logits], middle)
        if self.augmentation is not None:
            logs |= self.augmentation.follow(real_logits, middle, draws.replicas)
        return loss, logs

    def generator_objective(
        self, real_images, fake_images, draws: Draws, fake_logits=None
    ):
        """The generator's loss, a float32 scalar, and what to log of it."""
        if fake_logits is None:
            shown = step.shown(self, fake_images, draws, "generator")
            fake_logits = self.judge_fakes(real_images, shown)
        labels = {}
        if self._uses_labels():
            labels["labels"] = step.draw_labels(
                "generator_labels", self.real_labels, fake_logits, draws
            )
        return self.losses_of.generator(fake_logits, **labels), {}

    def _uses_labels(self) -> bool:
        return self.real_labels != (1, 1) or self.fake_labels != (0, 0)

    def train_step(self, real_images):
        """One move of each player, on one batch; called by `fit`."""
        return step.train(self, real_images)

    # What a user calls.

    def fit(
        self,
        data,
        *,
        kimg: float,
        resume: str | Path | None = None,
        tick_kimg: float | None = None,
        checkpoint_minutes: float = 2.0,
        max_minutes: float | None = None,
        callbacks: list[keras.callbacks.Callback] | tuple = (),
        verbose: int | str = "auto",
    ) -> keras.callbacks.History:
        """Train until the discriminator has seen `kimg` thousand real images.

        Args:
            data: `gan_lib.data.pipeline.Batches`, or a `tf.data.Dataset` of float32
                image batches in [-1, 1] (or tuples of them, where the model asks for
                pairs) with one fixed batch size and a repeatable order. With several
                replicas (`gan_lib.devices`) it is the batch of all together.
            kimg: when to stop, counted from the very first start, in thousands of
                real images; rounded up to whole ticks.
            resume: folder of checkpoints. Training goes on from the newest sound
                one there, if any, and leaves new ones. None: nothing is kept.
            tick_kimg: how often logs are written, callbacks called and a checkpoint
                may be made. None: a fiftieth of `kimg`.
            checkpoint_minutes: least time between two checkpoints; 0: every tick.
            max_minutes: stop at the first tick after so many minutes; call again
                with the same `resume` to go on.
            callbacks: Keras callbacks; their "epoch" is our tick.
            verbose: 0: silent; else a progress bar.
        Returns: a Keras History with one row a tick, earlier sessions included.
        Raises: ValueError on impossible arguments or a checkpoint of another model;
            `gan_lib.session.NotFiniteError` when a loss, gradient or image is no
            finite number. The networks then stand as before that step; if it came
            on the generator's turn, the discriminator has made its own, sound move.
        """
        return session.run(
            self,
            super().fit,
            data,
            kimg=kimg,
            resume=resume,
            tick_kimg=tick_kimg,
            checkpoint_minutes=checkpoint_minutes,
            max_minutes=max_minutes,
            callbacks=callbacks,
            verbose=verbose,
        )

    def generate(
        self, latents: np.ndarray | int, *, seed: int = 0, batch_size: int = 64
    ) -> np.ndarray:
        """Images (n, H, W, C), float32 in [-1, 1], of the averaged generator.

        Args:
            latents: float32 (n, latent_dim), or a number n: they are then drawn
                from N(0, 1) with `seed`.
            batch_size: images computed at a time.
        Raises: ValueError when the latents have another length.
        """
        latents = self.draw_latents(latents, seed)
        return self.ema_generator.predict(latents, batch_size=batch_size, verbose=0)

    def draw_latents(self, latents: np.ndarray | int, seed: int = 0) -> np.ndarray:
        """Latents as `generate` takes them, checked: float32 (n, latent_dim)."""
        if isinstance(latents, (int, np.integer)):
            latents = sample(int(latents), self.latent_dim, seed=seed)
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ValueError(
                f"Expected latents of shape (n, {self.latent_dim}). "
                f"Received: {latents.shape}"
            )
        return latents

    def export(self, directory: str | Path) -> list[Path]:
        """Write the averaged generator to `directory`; see `gan_lib.export.save`."""
        network = self.ema_generator
        if network is self.generator:
            network = export.portable_copy(network)
        return export.save(network, directory)
