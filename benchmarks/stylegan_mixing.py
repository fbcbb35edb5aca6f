"""A longer StyleGAN2 at 64 px: what each group of layers carries, and its picture.

    python benchmarks/stylegan_mixing.py --minutes 24

Trains the networks of `quality.py --models stylegan2`, so its KID may be compared with
one of DCGAN there after equal minutes. Records KID and, for each group of layers, the
share of pairs that took an attribute over; writes the mixing grids that notebook 05
shows, and the generator.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from quality import train_ours
from record import record

from gan_lib import metrics, plot
from gan_lib.data.faces import faces

SIZE = 64
READ = ("hair_style", "hair_color", "skin", "background", "expression", "eye_color")
GROUPS = {"coarse, 4 to 8 px": range(3), "middle, 16 px": range(3, 5),
          "fine, 32 to 64 px": range(5, 10)}  # fmt: skip
FOLDER = Path(__file__).with_name("runs") / "stylegan_mixing"
FIGURE = Path(__file__).parents[1] / "notebooks/figures/05_mixing_64_px.jpg"


def mixed(gan, one, other, layers):
    """Pictures of `one`'s styles, with `other`'s in `layers`."""
    styles = one.copy()
    styles[:, list(layers)] = other[:, list(layers)]
    return gan.synthesize(styles)


def changes(gan, data, count: int, note: str) -> None:
    """What the pictures take over from the other face, by group of layers."""
    columns = {name: data.attributes[name] for name in READ}
    reader = metrics.AttributeReader.train(data.images, columns, steps=500)
    pairs = gan.truncate(gan.styles(2 * count, seed=5), psi=0.8)
    one, other = np.split(pairs, 2)
    before, source = gan.synthesize(one), gan.synthesize(other)
    for group, layers in GROUPS.items():
        after = mixed(gan, one, other, layers)
        found = metrics.attribute_changes(reader, before, after, source)
        for name, share in found.items():
            record("StyleGAN2 mixing", f"{name} from {group}", 100 * share, "%", note)


def draw(gan, seed: int) -> None:
    """Three grids side by side: A on the left, B on top, their mixtures."""
    people = gan.truncate(gan.styles(7, seed=seed), psi=0.8)
    a, b = people[:3], people[3:]
    grids = []
    for layers in GROUPS.values():
        lines = [np.concatenate([np.ones((1, SIZE, SIZE, 3)), gan.synthesize(b)])]
        for person in a:
            first = np.repeat(person[None], len(b), 0)
            after = mixed(gan, first, b, layers)
            lines.append(np.concatenate([gan.synthesize(person[None]), after]))
        grids.append(plot.tile(np.concatenate(lines), columns=len(b) + 1))
    gap = np.full((grids[0].shape[0], SIZE // 2, 3), 255, "uint8")
    picture = np.concatenate([grids[0], gap, grids[1], gap, grids[2]], 1)
    Image.fromarray(picture).save(FIGURE, quality=88)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=24)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    data = faces(SIZE, 10_000, include="attributes")
    gan = train_ours("stylegan2", data.images, arguments.minutes, arguments.seed)
    gan.export(FOLDER)
    note = f"{arguments.minutes:g} minutes, {gan.kimg:g} kimg, seed {arguments.seed}"
    real = faces(SIZE, 2_000, split="test").images
    images = gan.generate(2_000, seed=7)
    score = metrics.kid(real, images)
    record("StyleGAN2 mixing", "KID x1000", 1000 * score.value, "",
           f"{note}; +- {1000 * score.standard_error:.2g}")  # fmt: skip
    plot.save_grid(images[:64], FOLDER / "samples.png")
    draw(gan, seed=2)
    changes(gan, data, 1_000, f"{note}, 1,000 pairs")


if __name__ == "__main__":
    main()
