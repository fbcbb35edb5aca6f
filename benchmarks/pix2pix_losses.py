"""What each part of pix2pix is worth: the paper's tables 1 to 3 on the embedded faces.

    python benchmarks/pix2pix_losses.py --kimg 16

One run for each row at 64 px, half the lesson's width, no hints, the same pairs and
seed: the losses L1, GAN, cGAN, L1+GAN and L1+cGAN; the judge's receptive field 1, 16,
34 and 70 px; the encoder-decoder without skips. Scores of 1,000 test drawings: KID,
pixel accuracy, class accuracy and IoU of a segmenter, overlap of colour histograms.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
from record import record

from gan_lib import metrics, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.pair_batches import PairBatches
from gan_lib.data.pairs import KINDS, face_pairs
from gan_lib.models.pix2pix import LAPTOP, pix2pix

SIZE, COUNT = 64, 1_000
ROWS = {
    "L1": {"gan_weight": 0.0},
    "GAN": {"l1_weight": 0.0, "conditional": False},
    "cGAN": {"l1_weight": 0.0},
    "L1+GAN": {"conditional": False},
    "L1+cGAN": {},
    "L1+cGAN, field 1": {"receptive_field": 1},
    "L1+cGAN, field 16": {"receptive_field": 16},
    "L1+cGAN, field 34": {"receptive_field": 34},
    "encoder-decoder, L1": {"skips": False, "gan_weight": 0.0},
    "encoder-decoder, L1+cGAN": {"skips": False},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kimg", type=float, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, default="line")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    arguments = parser.parse_args()
    kind, seed = arguments.kind, arguments.seed
    train = face_pairs(SIZE, 10_000, kind=kind)
    test = face_pairs(SIZE, COUNT, kind=kind, split="test")
    labels = faces(SIZE, COUNT, split="test", include="labels").labels
    features, segmenter = metrics.Lite0Features(), metrics.segmenter("lorelei", SIZE)
    real = features(test.target)
    pictures = {}

    def report(name, images):
        score = metrics.kid(real, features(images))
        found = metrics.segmentation_score(segmenter, images, labels)
        overlap = metrics.histogram_intersection(images, test.target)
        colours = " ".join(f"{channel} {x:.2f}" for channel, x in overlap.items())
        note = (
            f"{arguments.kimg:g} kimg, {kind}, seed {seed}; KID x1000 "
            f"{1000 * score.value:.0f} +- {1000 * score.standard_error:.0f}, pixel "
            f"{found.pixel_accuracy:.3f}, class {found.class_accuracy:.3f}, {colours}"
        )
        record("pix2pix losses", f"IoU, {name}", found.iou, "", note)
        pictures[name] = images[:10]

    for name in arguments.rows:
        model = pix2pix(
            SIZE, width=16, source_channels=test.source.shape[-1], seed=seed,
            dtype=profiles.profile("cpu").policy, **(LAPTOP | ROWS[name]),
        )  # fmt: skip
        batches = PairBatches(train, 16, seed=seed, flip=True)
        model.fit(batches, kimg=arguments.kimg, verbose=0)
        report(name, model.generate(test.source))
        keras.backend.clear_session()
    report("real", test.target)
    folder = Path(__file__).with_name("runs")
    folder.mkdir(exist_ok=True)
    figure = plot.rows({"source": test.source[:10]} | pictures)
    figure.savefig(folder / f"pix2pix_losses_{kind}.png", bbox_inches="tight")


if __name__ == "__main__":
    main()
