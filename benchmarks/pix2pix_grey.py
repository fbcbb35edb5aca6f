"""Black-and-white photographs of faces in colour: how near to the truth?

    python benchmarks/pix2pix_grey.py FOLDER [FOLDER ...] --minutes 30

Trains pix2pix at 64 px on the pictures of the folders, grey to colour, but for each
fifth one; colours those and compares: the KID and the overlap of the colour histograms
with the true pictures, for the grey input, the coloured pictures, and other true ones.
Writes the first sixteen beside the results. Pictures without colour are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from record import record

from gan_lib import metrics, plot, profiles
from gan_lib.data.folders import load_folder
from gan_lib.data.pair_batches import PairBatches
from gan_lib.data.pairs import Pairs, grey_pairs
from gan_lib.models.pix2pix import LAPTOP, pix2pix

SIZE, EACH = 64, 5


def photographs(folders: list[Path]) -> tuple[Pairs, Pairs]:
    """Pairs to learn from and pairs to be judged by, of each folder a fifth."""
    images = [load_folder(folder, SIZE, progress=False).images for folder in folders]
    held_out = [np.arange(len(part)) % EACH == EACH - 1 for part in images]
    everything, which = np.concatenate(images), np.concatenate(held_out)
    return grey_pairs(everything[~which]), grey_pairs(everything[which])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    minutes, seed = arguments.minutes, arguments.seed
    train, test = photographs(arguments.folders)
    model = pix2pix(
        SIZE, width=32, source_channels=1, seed=seed,
        dtype=profiles.profile("cpu").policy, **LAPTOP,
    )  # fmt: skip
    batches = PairBatches(train, 16, seed=seed, flip=True, jitter=8)
    model.fit(batches, kimg=0.256, tick_kimg=0.256, verbose=0)  # compiles
    model.fit(batches, kimg=10_000, tick_kimg=0.32, max_minutes=minutes, verbose=0)
    features = metrics.Lite0Features()
    real = features(test.target)
    shown = {"black and white": test.source, "coloured": model.generate(test.source)}
    note = (
        f"{minutes:g} minutes, {model.kimg:.3g} kimg of {len(train)} photographs, "
        f"{len(test)} held out, seed {seed}"
    )
    for name, images in (shown | {"other true pictures": train.target}).items():
        score = metrics.kid(real, features(images))
        record("pix2pix grey", f"KID x1000, {name}", 1000 * score.value, "",
               f"{note}; +- {1000 * score.standard_error:.2g}")  # fmt: skip
        overlap = metrics.histogram_intersection(images, test.target)
        for channel in "ab":
            what = f"overlap of {channel}, {name}"
            record("pix2pix grey", what, overlap[channel], "", note)
    folder = Path(__file__).with_name("runs")
    folder.mkdir(exist_ok=True)
    spread = np.linspace(0, len(test) - 1, 16).astype(int)
    figure = plot.rows(
        {
            name: images[spread]
            for name, images in (shown | {"truth": test.target}).items()
        }
    )
    figure.savefig(folder / "pix2pix_grey.png", bbox_inches="tight", dpi=170)


if __name__ == "__main__":
    main()
