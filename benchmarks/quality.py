"""KID after equal minutes: our recipes against the tutorial's, on the same faces.

    python benchmarks/quality.py --minutes 8
    python benchmarks/quality.py --minutes 12 --models laptop progan stylegan
    python benchmarks/quality.py --minutes 24 --models stylegan2 --threads 1

Trains one after the other on the 10,000 embedded training faces at 64 px and scores
2,000 samples of each against 2,000 held-out faces; writes grids of samples beside the
results. Drawing the faces is not counted, nor is compiling, but for the networks that
grow: they are compiled anew at each size. Checkpoints are off.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from record import record
from tutorial_baseline import LATENT_DIM, Tutorial

from gan_lib import growing, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.pipeline import Batches
from gan_lib.latents import sample
from gan_lib.metrics import Lite0Features, distinct, distinct_threshold, kid
from gan_lib.models import progan, stylegan, stylegan2
from gan_lib.models.dcgan import dcgan

BATCH = 64
GROWING = {
    "progan": lambda seed: progan.progan(64, seed=seed, **progan.LAPTOP),
    "stylegan": lambda seed: stylegan.stylegan(64, seed=seed, **stylegan.LAPTOP),
}
# Half as wide, and in bfloat16, is better in so few minutes.
STYLES = {**stylegan2.LAPTOP, "width": 8, "r1_every": 16, "dtype": "mixed_bfloat16"}
PART_KIMG = 0.3  # of a growing training, for each minute: a fade, or a stable part


def train_tutorial(images, minutes, seed):
    tutorial = Tutorial(seed)
    batches = Batches(images, BATCH, seed=seed).dataset().as_numpy_iterator()
    tutorial.step(next(batches))
    ends_at, steps = time.monotonic() + 60 * minutes, 1
    while time.monotonic() < ends_at:
        tutorial.step(next(batches))
        steps += 1
    tutorial.kimg, tutorial.latent_dim = steps * BATCH / 1000, LATENT_DIM
    return tutorial


def train_ours(name, images, minutes, seed):
    if name == "stylegan2":
        gan, batch_size = stylegan2.stylegan2(64, seed=seed, **STYLES), 16
    else:
        gan = dcgan(name, dtype=profiles.profile("cpu").policy, seed=seed)
        batch_size = BATCH
    batches = Batches(images, batch_size, seed=seed)
    gan.fit(batches, kimg=0.256, tick_kimg=0.256, verbose=0)  # compiles
    gan.fit(batches, kimg=10_000, tick_kimg=0.64, max_minutes=minutes, verbose=0)
    return gan


def train_growing(build, images, minutes, seed):
    """Parts of equal kimg; the last size is trained until the minutes are up."""
    gan = build(seed)
    plan = growing.schedule(64, *[PART_KIMG * minutes] * 2, batch_sizes=16)
    endless = 1_000 * plan[-1].stable_kimg
    plan[-1] = dataclasses.replace(plan[-1], stable_kimg=endless)
    growing.grow(gan, images, plan, seed=seed, max_minutes=minutes, verbose=0)
    if gan.size < 64:
        raise SystemExit(f"{minutes:g} minutes ended at {gan.size} px: allow more.")
    return gan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=["tutorial", "laptop"])
    parser.add_argument("--threads", type=int, default=0, help="of an operation")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
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
            gan = train_tutorial(train, minutes, seed)
        elif name in GROWING:
            gan = train_growing(GROWING[name], train, minutes, seed)
        else:
            gan = train_ours(name, train, minutes, seed)
        images = gan.generate(sample(2_000, gan.latent_dim, seed=7))
        fake = features(images)
        score = kid(real, fake)
        values[name] = score.value
        record("quality", f"KID x1000, {name}", 1000 * score.value, "",
               f"{note}; +- {1000 * score.standard_error:.2g}")  # fmt: skip
        count = distinct(fake[:256], threshold).count
        record("quality", f"distinct of 256, {name}", count, "images", note)
        record("quality", f"trained, {name}", gan.kimg, "kimg", note)
        folder = Path(__file__).with_name("runs")
        folder.mkdir(exist_ok=True)
        plot.save_grid(images[:64], folder / f"quality_{name}.png")
    pairs = [(name, "laptop") for name in (*GROWING, "stylegan2")]
    for one, other in (("laptop", "tutorial"), *pairs):
        if {one, other} <= set(values):
            ratio = values[one] / values[other]
            record("quality", f"KID ratio, {one} / {other}", ratio, "", note)


if __name__ == "__main__":
    main()
