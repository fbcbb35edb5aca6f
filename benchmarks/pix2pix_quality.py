"""KID and segmentation score after equal minutes: ours against the tutorial's.

    python benchmarks/pix2pix_quality.py --minutes 8

Both learn line art -> colour at 64 px on the same 10,000 embedded pairs, one after the
other, and colour 2,000 test drawings; writes grids beside the results. Drawing the
faces, training the segmenter and compiling are not counted, checkpoints are off.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from pix2pix_baseline import Tutorial
from record import record

from gan_lib import metrics, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.pair_batches import PairBatches
from gan_lib.data.pairs import face_pairs
from gan_lib.data.pipeline import to_float
from gan_lib.models.pix2pix import LAPTOP, pix2pix

SIZE = 64


def train_tutorial(pairs, minutes, seed):
    """The tutorial's loop: one pair a step, flipped, with its jitter (286 to 256)."""
    model = Tutorial(SIZE, pairs.source.shape[-1], seed=seed)
    batches = PairBatches(pairs, 1, seed=seed, flip=True, jitter=8).dataset()
    stream = iter(batches)
    model.step(*next(stream))
    ends_at, steps = time.monotonic() + 60 * minutes, 1
    while time.monotonic() < ends_at:
        model.step(*next(stream))
        steps += 1
    return lambda source: model.generate(to_float(source)), steps / 1000


def train_ours(pairs, minutes, seed):
    model = pix2pix(
        SIZE, width=32, source_channels=pairs.source.shape[-1], seed=seed,
        dtype=profiles.profile("cpu").policy, **LAPTOP,
    )  # fmt: skip
    batches = PairBatches(pairs, 16, seed=seed, flip=True)
    model.fit(batches, kimg=0.256, tick_kimg=0.256, verbose=0)  # compiles
    model.fit(batches, kimg=10_000, tick_kimg=0.32, max_minutes=minutes, verbose=0)
    return model.generate, model.kimg


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    minutes, seed = arguments.minutes, arguments.seed
    train, test = face_pairs(SIZE, 10_000), face_pairs(SIZE, 4_000, split="test")
    labels = faces(SIZE, 4_000, split="test", include="labels").labels[:2_000]
    features, segmenter = metrics.Lite0Features(), metrics.segmenter("lorelei", SIZE)
    real, other_real = (features(x) for x in np.split(test.target, 2))
    test = test[:2_000]
    note = f"{minutes:g} minutes, seed {seed}"
    floor = metrics.kid(real, other_real)
    record("pix2pix quality", "KID x1000, real", 1000 * floor.value, "", note)
    found = metrics.segmentation_score(segmenter, test.target, labels)
    record("pix2pix quality", "IoU, real", found.iou, "", note)
    values = {"real": (floor.value, found.iou)}
    for name, train_it in (("tutorial", train_tutorial), ("laptop", train_ours)):
        draw, kimg = train_it(train, minutes, seed)
        images = draw(test.source)
        score = metrics.kid(real, features(images))
        found = metrics.segmentation_score(segmenter, images, labels)
        values[name] = score.value, found.iou
        record("pix2pix quality", f"KID x1000, {name}", 1000 * score.value, "",
               f"{note}; +- {1000 * score.standard_error:.2g}")  # fmt: skip
        record("pix2pix quality", f"IoU, {name}", found.iou, "", note)
        record("pix2pix quality", f"trained, {name}", kimg, "kimg", note)
        folder = Path(__file__).with_name("runs")
        folder.mkdir(exist_ok=True)
        shown = np.concatenate([test.source[:12].repeat(3, -1), test.target[:12]])
        shown = np.stack([*to_float(shown[:12]), *images[:12], *to_float(shown[12:])])
        plot.save_grid(shown, folder / f"pix2pix_quality_{name}.png", columns=12)
        tf.keras.backend.clear_session()
    ratio = values["laptop"][0] / values["tutorial"][0]
    record("pix2pix quality", "KID ratio, laptop / tutorial", ratio, "", note)
    share = values["laptop"][1] / values["real"][1]
    record("pix2pix quality", "IoU, laptop / real", share, "", note)


if __name__ == "__main__":
    main()
