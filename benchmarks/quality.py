"""KID after equal minutes: our recipe against the tutorial's, on the same faces.

    python benchmarks/quality.py --minutes 8

Trains one after the other on the 10,000 embedded training faces at 64 px and scores
2,000 samples of each against 2,000 held-out faces; writes grids of samples beside the
results. Drawing the faces and compiling are not counted, checkpoints are off.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from record import record
from tutorial_baseline import LATENT_DIM, Tutorial

from gan_lib import plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.pipeline import Batches
from gan_lib.latents import sample
from gan_lib.metrics import Lite0Features, distinct, distinct_threshold, kid
from gan_lib.models.dcgan import dcgan

BATCH = 64


def train_tutorial(images, minutes, seed):
    tutorial = Tutorial(seed)
    batches = Batches(images, BATCH, seed=seed).dataset().as_numpy_iterator()
    tutorial.step(next(batches))
    ends_at, steps = time.monotonic() + 60 * minutes, 1
    while time.monotonic() < ends_at:
        tutorial.step(next(batches))
        steps += 1
    return tutorial.generate, steps * BATCH / 1000


def train_ours(recipe, images, minutes, seed):
    gan = dcgan(recipe, dtype=profiles.profile("cpu").policy, seed=seed)
    batches = Batches(images, BATCH, seed=seed)
    gan.fit(batches, kimg=0.256, tick_kimg=0.256, verbose=0)  # compiles
    gan.fit(batches, kimg=10_000, tick_kimg=0.64, max_minutes=minutes, verbose=0)
    return gan.generate, gan.kimg


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=["tutorial", "laptop"])
    arguments = parser.parse_args()
    train = faces(64, 10_000).images
    held_out = faces(64, 4_000, split="test").images
    features = Lite0Features()
    real, other_real = (features(x) for x in np.split(held_out, 2))
    note = f"{arguments.minutes:g} minutes, seed {arguments.seed}"
    floor = kid(real, other_real)
    record("quality", "KID x1000, real against real", 1000 * floor.value, "", note)
    threshold = distinct_threshold(real)
    values = {}
    for name in arguments.models:
        minutes, seed = arguments.minutes, arguments.seed
        if name == "tutorial":
            generate, kimg = train_tutorial(train, minutes, seed)
        else:
            generate, kimg = train_ours(name, train, minutes, seed)
        images = generate(sample(2_000, LATENT_DIM, seed=7))
        fake = features(images)
        score = kid(real, fake)
        values[name] = score.value
        record("quality", f"KID x1000, {name}", 1000 * score.value, "",
               f"{note}; +- {1000 * score.standard_error:.2g}")  # fmt: skip
        count = distinct(fake[:256], threshold).count
        record("quality", f"distinct of 256, {name}", count, "images", note)
        record("quality", f"trained, {name}", kimg, "kimg", note)
        folder = Path(__file__).with_name("runs")
        folder.mkdir(exist_ok=True)
        plot.save_grid(images[:64], folder / f"quality_{name}.png")
    if {"tutorial", "laptop"} <= set(values):
        ratio = values["laptop"] / values["tutorial"]
        record("quality", "KID ratio, laptop / tutorial", ratio, "", note)


if __name__ == "__main__":
    main()
