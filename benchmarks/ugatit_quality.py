"""KID and kept attributes of U-GAT-IT, its ablations and CycleGAN after equal minutes.

    python benchmarks/ugatit_quality.py --minutes 8
    python benchmarks/ugatit_quality.py --kimg 4 --rows U-GAT-IT "no attention"
    python benchmarks/ugatit_quality.py --minutes 60 --domains A,B C

64 px, the settings and the head start of the lesson, seed 0; the learning rates fall
to 0 over the second half, as in both papers. Without `--domains`, the two drawn styles,
where it is known what a translation should keep; with it, folders of pictures, several
of one domain joined by commas. The minutes hold the head start, and not the tracing of
the game.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from record import record

from gan_lib import callbacks, metrics, plot, profiles, translation
from gan_lib.data.two_styles import two_styles
from gan_lib.data.unpaired_batches import UnpairedBatches
from gan_lib.data.unpaired_folders import two_domains
from gan_lib.models import cyclegan, ugatit

SIZE, BATCH, HEAD_START = 64, 2, 240
ROWS = {
    "U-GAT-IT": {},
    "no attention": {"attention": False},
    "instance norm": {"normalization": "instance"},
    "layer norm": {"normalization": "layer"},
    "CycleGAN": None,
}


def build(name: str, width: int, seed: int):
    settings = ROWS[name]
    shared = {"width": width, "dtype": profiles.profile("cpu").policy, "seed": seed}
    if settings is None:
        return cyclegan.cyclegan(SIZE, **shared, **cyclegan.LAPTOP)
    return ugatit.ugatit(SIZE, **shared, **(ugatit.LAPTOP | settings))


def load(domains, seed: int):
    if domains is None:
        return (
            two_styles(SIZE, 1_500, seed=seed),
            two_styles(SIZE, 1_000, seed=seed, split="test"),
        )
    sides = [[Path(folder) for folder in side.split(",")] for side in domains]
    return [two_domains(*sides, SIZE, split=split) for split in ("train", "test")]


def train(model, data, minutes, kimg, seed: int) -> None:
    batches = UnpairedBatches(data, BATCH, seed=seed)
    tick = BATCH * 10 / 1000
    begin = time.monotonic()
    translation.start_as_identity(model, batches, HEAD_START, verbose=0)
    minutes = None if kimg else minutes - (time.monotonic() - begin) / 60
    kimg = kimg or 1_000
    model.fit(batches, kimg=tick, tick_kimg=tick, verbose=0)  # traces
    model.fit(
        batches, kimg=kimg, tick_kimg=tick, verbose=0, max_minutes=minutes,
        callbacks=[callbacks.CoolDown(model, kimg, minutes)],
    )  # fmt: skip


def describe(images, test, features, real, attributes) -> tuple[float, str]:
    score = metrics.kid(real, features(images))
    note = f"+- {1000 * score.standard_error:.0f}"
    if attributes is not None:
        segmenter = metrics.segmenter("lorelei", SIZE)
        kept = metrics.attribute_agreement(segmenter, images, attributes)
        note += "".join(
            f", {name} {found.share:.2f} (chance {found.chance:.2f})"
            for name, found in kept.items()
        )
    return 1000 * score.value, note


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--kimg", type=float, help="equal kimg in place of minutes")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--domains", nargs=2, help="folders of A and of B")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)  # as the lesson
    train_data, test = load(arguments.domains, arguments.seed)
    features = metrics.Lite0Features()
    real = features(test.domain_b)
    pictures = {"A": test.domain_a[:10]}
    length = f"{arguments.minutes:g} minutes"
    if arguments.kimg:
        length = f"{arguments.kimg:g} kimg"
    where = "two styles" if arguments.domains is None else "photographs to anime"
    for name in arguments.rows:
        model = build(name, arguments.width, arguments.seed)
        train(model, train_data, arguments.minutes, arguments.kimg, arguments.seed)
        images = model.generate(test.domain_a)
        value, note = describe(images, test, features, real, test.attributes_a)
        note = f"{length}, {model.kimg:.3g} kimg; {note}"
        record("unpaired", f"{where}: KID x 1000, {name}", value, "", note)
        pictures[name] = images[:10]
        if name == "U-GAT-IT":
            pictures["B to A of B"] = model.generate(test.domain_b[:10], "b_to_a")
        keras.backend.clear_session()
    value, note = describe(test.domain_a, test, features, real, test.attributes_a)
    record("unpaired", f"{where}: KID x 1000, unchanged sources", value, "", note)
    half = np.arange(len(test.domain_b)) % 2 == 0
    floor = metrics.kid(real[half], real[~half])
    note = f"+- {1000 * floor.standard_error:.0f}, halves of the test set"
    record("unpaired", f"{where}: KID x 1000, real", 1000 * floor.value, "", note)
    folder = Path(__file__).with_name("runs")
    folder.mkdir(exist_ok=True)
    figure = plot.rows(pictures | {"B": test.domain_b[:10]})
    figure.savefig(folder / f"unpaired_{where.split()[0]}.png", bbox_inches="tight")


if __name__ == "__main__":
    main()
