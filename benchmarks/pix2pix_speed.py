"""Seconds of one pix2pix step beside the TensorFlow tutorial's, in random order.

    python benchmarks/pix2pix_speed.py --rounds 12

The same U-Net, discriminator, pictures and batch on both sides, at 256 px with one
picture a batch and at 64 px with 16. "At once" is `simultaneous=True`, as the tutorial
does it. A ratio is the median over the rounds of the ratio inside a round, so that a
machine whose speed drifts favours neither.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import tensorflow as tf
from alternating import alternating
from pix2pix_baseline import Tutorial
from record import record

from gan_lib import profiles
from gan_lib.models.pix2pix import pix2pix


def ways(size: int, batch: int) -> dict:
    """Name -> a function that does one step."""
    rng = np.random.default_rng(0)
    source, target = (
        tf.constant(rng.uniform(-1, 1, (batch, size, size, 3)), tf.float32)
        for _ in range(2)
    )
    tutorial = Tutorial(size, 3)
    found = {"tutorial": lambda: tutorial.step(source, target)}
    policies = sorted({"float32", profiles.profile("cpu").policy})
    for policy, at_once in itertools.product(policies, (False, True)):
        model = pix2pix(size, dtype=policy, ema_half_life_kimg=0, simultaneous=at_once)
        step = tf.function(model.train_step)
        name = f"{policy}, at once" if at_once else policy
        found[name] = lambda step=step: step((source, target))
    return found


def compare(size: int, batch: int, rounds: int) -> None:
    times = alternating(ways(size, batch), rounds)
    base = times["tutorial"]
    for name, seconds in times.items():
        ratio, best = np.median(base / seconds), base.min() / seconds.min()
        note = f"{ratio:.2f} x the tutorial, {best:.2f} x by the fastest of {rounds}"
        record("pix2pix step", f"{size} px, batch {batch}, {name}",
               1000 * float(np.median(seconds)), "ms", note)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    compare(64, 16, rounds)
    compare(256, 1, rounds)


if __name__ == "__main__":
    main()
