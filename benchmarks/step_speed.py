"""Seconds of one training step, side by side in one process, in random order.

    python benchmarks/step_speed.py --rounds 15

In every round each way of training does one step of 64 images at 64 px (a recipe with
a penalty in every n-th step does n, and their mean counts); a ratio is the median over
the rounds of the ratio inside a round, so that a machine whose speed drifts does not
favour one of them. "At once" is `simultaneous=True`, as the tutorial does it. `fit` is
timed in ticks of 10 steps against the bare `tf.function` called 10 times, in turn.
"""

from __future__ import annotations

import argparse

import keras
import numpy as np
import tensorflow as tf
from alternating import seconds
from record import record
from tutorial_baseline import Tutorial

from gan_lib import profiles
from gan_lib.data.pipeline import Batches
from gan_lib.models.dcgan import dcgan

BATCH = 64


def bare_step(gan, images):
    """Calls the step once for each step of a cycle of penalties, and the cycle."""
    step = tf.function(gan.train_step)
    step(images)
    return lambda: [step(images) for _ in range(gan.penalty_every)], gan.penalty_every


def compare_steps(rounds: int, images: np.ndarray) -> None:
    tutorial, tensor = Tutorial(), tf.constant(images)
    tutorial.step(images)
    policies = {"float32", profiles.profile("cpu").policy}
    ways = {"tutorial loop": (lambda: tutorial.step(images), 1)}
    for policy in sorted(policies):
        for recipe in ("anime", "laptop"):
            gan = dcgan(recipe, dtype=policy)
            ways[f"{recipe}, {policy}"] = bare_step(gan, tensor)
            gan = dcgan(recipe, dtype=policy, simultaneous=True)
            ways[f"{recipe}, at once, {policy}"] = bare_step(gan, tensor)
    times: dict[str, list[float]] = {name: [] for name in ways}
    random = np.random.default_rng(0)
    for _ in range(rounds):
        for name in random.permutation(list(ways)):
            call, steps = ways[name]
            times[name].append(seconds(call) / steps)
    base = np.array(times["tutorial loop"])
    for name, values in times.items():
        ratio, best = np.median(base / np.array(values)), base.min() / min(values)
        note = (
            f"{ratio:.2f} x the tutorial loop, {best:.2f} x by the fastest of {rounds}"
        )
        record("step speed", name, 1000 * float(np.median(values)), "ms", note)


def compare_fit(rounds: int) -> None:
    """`fit` against the bare loop, and the pipeline's share of a step."""
    images = np.random.default_rng(0).integers(0, 256, (2_000, 64, 64, 3), np.uint8)
    batches = Batches(images, BATCH)
    gan = dcgan("anime", dtype=profiles.profile("cpu").policy)
    other = dcgan("anime", dtype=profiles.profile("cpu").policy)
    step, tick = tf.function(other.train_step), 10
    stream = iter(batches.dataset())
    step(next(stream))
    tick_kimg = tick * BATCH / 1000
    gan.fit(batches, kimg=tick_kimg, tick_kimg=tick_kimg, verbose=0)
    alternate = _Alternate(lambda: [step(next(stream)) for _ in range(tick)])
    kimg = (rounds + 1) * tick_kimg
    gan.fit(batches, kimg=kimg, tick_kimg=tick_kimg, verbose=0, callbacks=[alternate])
    fit = np.array([row["seconds"] for row in gan.history_rows[1:]])
    bare = np.array(alternate.times[:-1])
    record("fit", "fit / bare tf.function loop", float(np.median(fit[1:] / bare)),
           "", f"ticks of {tick} steps in turn, {rounds} rounds")  # fmt: skip
    wait = np.median([seconds(lambda: next(stream)) for _ in range(200)])
    share = 100 * float(wait / (np.median(bare) / tick))
    record("fit", "waiting for the pipeline", share, "% of a step")


class _Alternate(keras.callbacks.Callback):
    """Runs something else, timed, between two ticks."""

    def __init__(self, call):
        super().__init__()
        self.call = call
        self.times: list[float] = []

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(seconds(self.call))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    images = np.random.default_rng(0).uniform(-1, 1, (BATCH, 64, 64, 3))
    compare_steps(rounds, images.astype(np.float32))
    compare_fit(rounds)


if __name__ == "__main__":
    main()
