"""What BigGAN's parts cost a training step, and the step against plain PyTorch.

    python benchmarks/biggan_speed.py
    python benchmarks/biggan_speed.py --torch --rounds 20   (where PyTorch is there)
    python benchmarks/biggan_speed.py --torch --rounds 20 --threads 1

Medians of alternating rounds; a ratio is the median over the rounds of the ratio
inside a round. Without `--torch`: the lesson's 32 px BigGAN with 10 classes, the same
with the orthogonal penalty, with self-attention at 16 px, with the same channels at all
sizes as published for CIFAR-10, and BigGAN-deep, which has these as well. With
`--torch` only the lesson's step against the same one in plain PyTorch: float32, the
same networks and settings, both memory formats. A round is 8 steps of each. `--threads`
is TensorFlow's alone: PyTorch keeps one thread a core.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from alternating import compare

from gan_lib import biggan_deep_networks, profiles
from gan_lib.models import biggan
from gan_lib.optimizers import Adam

STEPS = 8
NUM_CLASSES = 10


def pictures(batch: int):
    """Images (B, 32, 32, 3) in [-1, 1] and labels (B,)."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (batch, 32, 32, 3)).astype("float32")
    return images, rng.integers(0, NUM_CLASSES, batch)


def lesson(dtype: str, **settings):
    return biggan.biggan(32, NUM_CLASSES, dtype=dtype, **biggan.LAPTOP | settings)


def deep(dtype: str):
    """BigGAN-deep with the lesson's width and rates."""
    shared = {"width": biggan.LAPTOP["width"], "attention": None, "dtype": dtype}
    lengths = {k: biggan.LAPTOP[k] for k in ("latent_dim", "class_dim")}
    gan = biggan.BigGAN(
        biggan_deep_networks.build_generator(32, NUM_CLASSES, **lengths, **shared),
        biggan_deep_networks.build_discriminator(32, NUM_CLASSES, **shared),
    )
    players = [Adam(rate, beta_1=0.0) for rate in biggan.LAPTOP["rates"]]
    gan.compile(*players, loss="hinge")
    return gan


def ours(gan, images, labels):
    step = tf.function(gan.train_step)
    batch = tf.constant(images), tf.constant(labels)

    def run():
        for _ in range(STEPS):
            logs = step(batch)
        return float(logs["generator_loss"])  # waits for the last step

    return run


def plain_torch(images, labels, layout: str):
    """The same in PyTorch, float32, maps lying in memory as `layout` says."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import torch
    from torch_biggan import Training

    torch.manual_seed(0)
    step = Training(NUM_CLASSES, biggan.LAPTOP, getattr(torch, layout))
    batch = torch.tensor(images.transpose(0, 3, 1, 2).copy()), torch.tensor(labels)

    def run():
        for _ in range(STEPS):
            _, loss = step(*batch)
        return float(loss)

    return run


def parts(rounds: int, batch: int) -> None:
    policy, data = profiles.profile("cpu").policy, pictures(batch)
    gans = {
        "the lesson's": lesson(policy),
        "with the orthogonal penalty": lesson(policy, orthogonal_weight=1e-4),
        "with attention at 16 px": lesson(policy, attention=16),
        "published channels": lesson(policy, pyramid=False),
        "BigGAN-deep": deep(policy),
    }
    ways = {name: ours(gan, *data) for name, gan in gans.items()}
    notes = f"batch {batch}, 32 px, {policy}"
    compare("BigGAN step", ways, ["the lesson's"], rounds, STEPS, notes)


def against_torch(rounds: int, batch: int, threads: int) -> None:
    data = pictures(batch)
    ways = {
        f"ours, {dtype}": ours(lesson(dtype), *data)
        for dtype in sorted({"float32", profiles.profile("cpu").policy})
    }
    bases = []
    for layout in ("contiguous_format", "channels_last"):
        bases.append(f"PyTorch, float32, {layout}")
        ways[bases[-1]] = plain_torch(*data, layout)
    notes = f"batch {batch}, 32 px"
    if threads:
        notes += f"; {threads} thread(s) an operation in TensorFlow"
    compare("BigGAN step against PyTorch", ways, bases, rounds, STEPS, notes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--threads", type=int, default=0, help="an operation; 0: all")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    if arguments.torch:
        against_torch(arguments.rounds, arguments.batch, arguments.threads)
    else:
        parts(arguments.rounds, arguments.batch)


if __name__ == "__main__":
    main()
