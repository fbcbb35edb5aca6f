"""Watching a training: pictures over time, live curves, a log, an alarm.

All are Keras callbacks for `GAN.fit`; their "epoch" is its tick.
"""

from __future__ import annotations

import csv
import io
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np

from data_prep.atomic import replacing
from gan_lib import plot
from gan_lib.data.pipeline import to_uint8
from gan_lib.latents import sample


class FixedLatentGrid(keras.callbacks.Callback):
    """Draws the same latents again and again, so that learning can be seen.

    Where the generator is given pictures, these are the fixed inputs.

    Args:
        directory: where one array of pictures is kept for each moment, so that a
            resumed training has the whole film.
        every_kimg: thousands of real images between two pictures.
        count: how many latents, drawn from N(0, 1) with `seed`.
        inputs: what the generator is given instead, (count, ...).
    """

    def __init__(
        self,
        directory: str | Path,
        every_kimg: float,
        count: int = 64,
        seed: int = 1,
        inputs: np.ndarray | None = None,
    ):
        super().__init__()
        self.directory = Path(directory)
        self.every_kimg, self.count, self.seed = every_kimg, count, seed
        self.inputs = inputs
        self.directory.mkdir(parents=True, exist_ok=True)

    def on_train_begin(self, logs=None):
        for path in self._paths():  # pictures of a future that was lost in a cut
            if int(path.stem) > round(self.model.kimg * 1000):
                path.unlink()
        self.fixed = _fixed(self)
        if not self._paths():
            self._draw()

    def on_epoch_end(self, epoch, logs=None):
        last = int(self._paths()[-1].stem)
        if self.model.kimg * 1000 - last >= self.every_kimg * 1000:
            self._draw()

    def on_train_end(self, logs=None):
        self._draw()

    def frames(self) -> list[tuple[float, np.ndarray]]:
        """(kimg, uint8 images (count, H, W, C)) of every moment, in order."""
        return [(int(p.stem) / 1000, np.load(p)) for p in self._paths()]

    def _paths(self) -> list[Path]:
        return sorted(self.directory.glob("[0-9]*.npy"))

    def _draw(self):
        images = to_uint8(self.model.generate(self.fixed))
        name = f"{round(self.model.kimg * 1000):012d}.npy"
        with replacing(self.directory / name, durable=False) as file:
            np.save(file, images)


class HistoryFile(keras.callbacks.Callback):
    """Keeps `history.csv` up to date: one row a tick, earlier sittings included."""

    def __init__(self, path: str | Path):
        super().__init__()
        self.path = Path(path)

    def on_epoch_end(self, epoch, logs=None):
        rows = self.model.history_rows
        with replacing(self.path, durable=False) as file:
            text = io.TextIOWrapper(file, "utf-8", newline="")
            writer = csv.DictWriter(text, rows[0])
            writer.writeheader()
            writer.writerows(rows)
            text.detach()  # writes the rest, and leaves the file open


class LiveDisplay(keras.callbacks.Callback):
    """Shows samples and loss curves while training runs.

    In a notebook one figure is drawn anew in place; elsewhere a line of text is
    printed.

    Args:
        every_kimg: thousands of real images between two looks.
        count: samples shown.
        inputs: what the generator is given instead of latents.
    """

    def __init__(
        self,
        every_kimg: float,
        count: int = 16,
        seed: int = 1,
        inputs: np.ndarray | None = None,
    ):
        super().__init__()
        self.every_kimg, self.count, self.seed = every_kimg, count, seed
        self.inputs = inputs
        self.shown_at = 0.0
        self.handle = None

    def on_train_begin(self, logs=None):
        self.shown_at = self.model.kimg
        self.fixed = _fixed(self)

    def on_epoch_end(self, epoch, logs=None):
        if self.model.kimg - self.shown_at < self.every_kimg:
            return
        self.shown_at = self.model.kimg
        if not _in_notebook():
            print(
                f"{self.model.kimg:8.1f} kimg  "
                f"discriminator {logs['discriminator_loss']:.3f}  "
                f"generator {logs['generator_loss']:.3f}"
            )
            return
        from IPython.display import display

        title = f"{self.model.kimg:.0f} thousand real images seen"
        figure = plot.image_grid(self.model.generate(self.fixed), title=title)
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)


class CoolDown(keras.callbacks.Callback):
    """Learning rates that stay for half of a training, then fall in a line to 0.

    rate(t) = rate min(1, 2 - 2 t), at least 0, t being the part of the training that is
    over: of its pictures or of its minutes, whichever is further. At the end of a
    training at full rates the pictures depend on what the last steps were; small
    steps average that out (CycleGAN's and U-GAT-IT's schedule, by time here too).
    `gan_lib.optimizers.LinearDecay` does the same by pictures alone.

    Args:
        gan: whose optimizers; their rates are read now, before `fit` puts back those
            of a checkpoint.
        kimg: length of the training, as `fit` is told.
        minutes: of this sitting, `max_minutes` of `fit`; None: no limit.
    Raises: ValueError when an optimizer follows a schedule of its own.
    """

    def __init__(self, gan, kimg: float, minutes: float | None = None):
        super().__init__()
        self.kimg, self.minutes = kimg, minutes
        optimizers = gan.generator_optimizer, gan.discriminator_optimizer
        schedule = keras.optimizers.schedules.LearningRateSchedule
        if any(isinstance(x._learning_rate, schedule) for x in optimizers):
            raise ValueError(
                "Expected optimizers with a plain learning rate. These follow a "
                "schedule already: leave the callback out, or give them a number."
            )
        self.rates = [(x, float(x.learning_rate)) for x in optimizers]

    def on_train_begin(self, logs=None):
        self.started = time.monotonic()
        self._set()

    def on_epoch_end(self, epoch, logs=None):
        self._set()

    def _set(self):
        over = self.model.kimg / self.kimg
        if self.minutes is not None:
            over = max(over, (time.monotonic() - self.started) / 60 / self.minutes)
        for optimizer, rate in self.rates:
            optimizer.learning_rate = rate * min(1.0, max(0.0, 2 - 2 * over))


def _fixed(callback) -> np.ndarray:
    """What the generator is given each time."""
    if callback.inputs is not None:
        return callback.inputs
    return sample(callback.count, callback.model.latent_dim, seed=callback.seed)


class CollapseAlarm(keras.callbacks.Callback):
    """Warns, once each, when the game stops being one.

    Two signs: the generator draws nearly one picture (the mean distance between
    samples falls below `share` of that between real images), or the discriminator
    is right about everything for `patience` ticks on end.

    Args:
        real_images: uint8 (n, H, W, C), n >= 2; a few dozen are enough.
        share: of the real images' mean pixel distance.
        patience: ticks in a row before the alarm.
        start_kimg: every training begins with nearly equal grey pictures; until so
            many thousand images they count as collapse only if the samples have been
            varied before.
    Attributes:
        alarms: what was warned of, with the kimg.
    """

    def __init__(
        self,
        real_images: np.ndarray,
        share: float = 0.35,
        patience: int = 3,
        start_kimg: float = 10.0,
    ):
        super().__init__()
        self.real_spread = pixel_spread(np.asarray(real_images, np.float32) / 127.5)
        self.share, self.patience, self.start_kimg = share, patience, start_kimg
        self.was_varied = False
        self.alarms: list[tuple[float, str]] = []
        self.streaks = {"collapse": 0, "discriminator wins": 0}

    def on_train_begin(self, logs=None):
        self.latents = sample(32, self.model.latent_dim, seed=2)

    def on_epoch_end(self, epoch, logs=None):
        spread = pixel_spread(self.model.generate(self.latents))
        alike = spread < self.share * self.real_spread
        self.was_varied |= not alike
        started = self.was_varied or self.model.kimg >= self.start_kimg
        signs = {
            "collapse": alike and started,
            "discriminator wins": min(logs["real_accuracy"], logs["fake_accuracy"])
            > 0.995,
        }
        for name, seen in signs.items():
            self.streaks[name] = self.streaks[name] + 1 if seen else 0
            if self.streaks[name] == self.patience:
                self.alarms.append((self.model.kimg, name))
                warnings.warn(
                    f"{name} at {self.model.kimg:.1f} kimg: {_ADVICE[name]}",
                    stacklevel=2,
                )


_ADVICE = {
    "collapse": (
        "the samples are hardly different from each other. A lower generator "
        "learning rate or a larger batch may help."
    ),
    "discriminator wins": (
        "it tells every image apart, so the generator learns little. Noisier labels, "
        "an R1 penalty or a lower discriminator learning rate may help."
    ),
}


def pixel_spread(images: np.ndarray) -> float:
    """Mean root-mean-square pixel distance over all pairs of images.

    sqrt(2 Var) per pixel, averaged: equal to the mean squared distance of two random
    images' pixels, under the root. Images (n, H, W, C) on any scale; 0 if all equal.
    """
    return float(np.sqrt(2 * np.var(images, axis=0, ddof=1).mean()))


def _in_notebook() -> bool:
    # Asks for a running kernel: a program may import ipykernel without being one.
    ipython = sys.modules.get("IPython")
    return hasattr(ipython and ipython.get_ipython(), "kernel")
