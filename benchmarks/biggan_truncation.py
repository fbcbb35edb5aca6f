"""A longer BigGAN of ten drawing styles: its truncation curve, and its pictures.

    python benchmarks/biggan_truncation.py --minutes 24
    python benchmarks/biggan_truncation.py --measure     (what the last run left)

Records the share of pictures whose class a reader finds again, and KID; then KID,
precision and recall along the truncation, with batch-norm statistics taken for each
truncation and with those of truncation 1, in two kinds of features: those of
EfficientNet-lite0, and the reader's, which knows these drawings. Writes the figure that
notebook 07 shows, and the module.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from record import record

from gan_lib import hub, hub_export, latents, metrics, plot, profiles
from gan_lib.data.classes import style_classes
from gan_lib.data.labelled_batches import LabelledBatches
from gan_lib.data.pipeline import to_uint8
from gan_lib.models import biggan

BATCH, TICK_KIMG = 16, 0.8
TRUNCATIONS = (1.0, 0.7, 0.4, 0.2, 0.05)
SHOWN = (1.0, 0.4, 0.05)
FOLDER = Path(__file__).with_name("runs") / "biggan_truncation"
FIGURES = Path(__file__).parents[1] / "notebooks" / "figures"


def train(data, minutes: float, seed: int, width: int) -> biggan.BigGAN:
    """A BigGAN that has trained for `minutes`; the first steps, slow, not counted."""
    settings = biggan.LAPTOP | {"width": width, "seed": seed}
    gan = biggan.biggan(
        data.images.shape[1],
        len(data.class_names),
        dtype=profiles.profile("cpu").policy,
        **settings,
    )
    batches = LabelledBatches(data.images, data.labels, BATCH, seed=seed)
    gan.fit(batches, kimg=TICK_KIMG, verbose=0)
    gan.fit(batches, kimg=10_000, tick_kimg=TICK_KIMG, max_minutes=minutes, verbose=2)
    return gan


def measure(name: str, images, readers, note: str) -> None:
    """KID, precision and recall of these pictures; `readers`: features by name."""
    for reader, (features, real_features) in readers.items():
        found = features(images)
        if reader == "lite0":
            kid = metrics.kid(real_features, found)
            more = f"{note}; +- {1000 * kid.standard_error:.2g}"
            record(
                "BigGAN truncation", f"KID x1000, {name}", 1000 * kid.value, "", more
            )
        pair = metrics.precision_recall(real_features, found)
        for side in ("precision", "recall"):
            value = 100 * getattr(pair, side)
            record("BigGAN truncation", f"{side} by {reader}, {name}", value, "%", note)


def sweep(module, readers, note: str) -> None:
    """The same latents with their own statistics, and with those of truncation 1."""
    labels = np.arange(2_000) % module.num_classes
    for t in TRUNCATIONS:
        z = latents.truncated(len(labels), module.latent_dim, t, seed=7)
        for statistics in sorted({t, 1.0}):
            images = module.sample(
                labels, latents=z, truncation=statistics, batch_size=100, progress=False
            )
            measure(f"at {t:g}, statistics of {statistics:g}", images, readers, note)


def draw(module, path: Path) -> None:
    """For each truncation of `SHOWN` four pictures of every class, side by side."""
    classes = np.tile(np.arange(module.num_classes), 4)
    grids = [
        plot.tile(
            module.sample(classes, truncation=t, seed=2, progress=False),
            columns=module.num_classes,
        )
        for t in SHOWN
    ]
    gap = np.full((module.image_size // 2, grids[0].shape[1], 3), 255, "uint8")
    sheet = np.concatenate([grids[0], gap, grids[1], gap, grids[2]])
    Image.fromarray(sheet).save(path, quality=85)


def trained(data, settings: dict, reader, readers) -> dict:
    """Train, measure without truncation, write the module; the settings with kimg."""
    gan = train(data, settings["minutes"], settings["seed"], settings["width"])
    settings = settings | {"kimg": gan.kimg}
    hub_export.save(gan.ema_generator, FOLDER / "module", class_names=data.class_names)
    (FOLDER / "training.json").write_text(json.dumps(settings))
    labels = np.arange(2_000) % len(data.class_names)
    whole = to_uint8(gan.generate(len(labels), labels, seed=7))
    share = 100 * metrics.class_accuracy(reader, whole, labels)
    note = as_note(settings)
    record("BigGAN truncation", "class read, not truncated", share, "%", note)
    measure("not truncated", whole, readers, note)
    return settings


def as_note(settings: dict) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in settings.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=24)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", action="store_true", help="train nothing")
    settings = vars(parser.parse_args())
    tf.config.threading.set_intra_op_parallelism_threads(1)
    only_measure = settings.pop("measure")
    if only_measure:
        settings = json.loads((FOLDER / "training.json").read_text())
    data = style_classes(settings["size"], 10_000)
    reader = metrics.ClassReader.train(data.images, data.labels, data.class_names)
    unseen = style_classes(settings["size"], 2_000, split="test").images
    network = metrics.Lite0Features()
    readers = {
        "lite0": (network, network(unseen)),
        "the reader": (reader.features, reader.features(unseen)),
    }
    if not only_measure:
        settings = trained(data, settings, reader, readers)
    module = hub.load(FOLDER / "module")
    draw(module, FIGURES / f"07_truncation_{settings['size']}_px.jpg")
    sweep(module, readers, as_note(settings))


if __name__ == "__main__":
    main()
