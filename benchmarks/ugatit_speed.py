"""Seconds of one U-GAT-IT step: ours, the authors' order of work, and plain PyTorch.

    python benchmarks/ugatit_speed.py --rounds 10
    python benchmarks/ugatit_speed.py --rounds 10 --torch   (where PyTorch is installed)
    python benchmarks/ugatit_speed.py --rounds 10 --threads 1   (as notebook 06)

64 px, 32 channels, light, batch 1 and 4, the same networks on all sides. The authors'
order is the one of their PyTorch code, written with our networks: the discriminators'
turn computes the fakes anew and differentiates through the generators for nothing, real
and fake pictures have calls of their own, and so have translation and identity. A ratio
is the median over the rounds of the ratio inside a round.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from alternating import alternating
from record import record

from gan_lib import losses, profiles, translation
from gan_lib.models.ugatit import ugatit

SIZE, WIDTH = 64, 32


def pictures(batch: int) -> list[np.ndarray]:
    draw = np.random.default_rng(0).uniform
    return [draw(-1, 1, (batch, SIZE, SIZE, 3)).astype("float32") for _ in "ab"]


def ours(batch: int, **arguments):
    model = ugatit(SIZE, width=WIDTH, ema_half_life_kimg=0, **arguments)
    step = tf.function(model.train_step, autograph=False)
    pair = tuple(map(tf.constant, pictures(batch)))
    return lambda: step(pair)


def authors_order(batch: int, **arguments):
    """Eight passes of the generators a step, each in a call of its own."""
    model = ugatit(SIZE, width=WIDTH, ema_half_life_kimg=0, **arguments)
    (a_to_b, b_to_a) = generators = translation.parts(model.generator)
    judges = translation.parts(model.discriminator)
    classes = losses.non_saturating_discriminator_loss

    def verdicts(judge, images):
        found = judge(images, training=True)
        return [found[k][name] for k in found for name in ("logits", "cam_logits")]

    @tf.function(autograph=False)
    def step(a, b):
        drawers = model.generator.trainable_variables
        with tf.GradientTape() as tape:
            fakes = b_to_a(b)["images"], a_to_b(a)["images"]
            judged = 0.0
            for judge, real, fake in zip(judges, (a, b), fakes, strict=True):
                judged += sum(
                    tf.reduce_mean((x - 1) ** 2) for x in verdicts(judge, real)
                )
                judged += sum(tf.reduce_mean(x**2) for x in verdicts(judge, fake))
        weights = model.discriminator.trainable_variables
        # Fakes are not detached: the gradient of the generators is computed as well.
        gradients = tape.gradient(judged, [*weights, *drawers])
        model.discriminator_optimizer.apply(gradients[: len(weights)], weights)
        with tf.GradientTape() as tape:
            drawn = 0.0
            for network, back, judge, own, other in zip(
                generators, generators[::-1], judges[::-1], (a, b), (b, a), strict=True
            ):
                there, same = network(own), network(other)
                fake = there["images"]
                drawn += sum(
                    tf.reduce_mean((x - 1) ** 2) for x in verdicts(judge, fake)
                )
                again = back(fake)["images"]
                drawn += 10 * tf.reduce_mean(tf.abs(again - own))
                drawn += 10 * tf.reduce_mean(tf.abs(same["images"] - other))
                drawn += 1000 * classes(there["cam_logits"], same["cam_logits"])
        moved = tape.gradient(drawn, drawers)
        unused = tf.add_n([tf.reduce_sum(g) for g in gradients[len(weights) :]])
        model.generator_optimizer.apply(moved, drawers)
        return judged, drawn, unused  # returned, so that it is not left out

    pair = tuple(map(tf.constant, pictures(batch)))
    return lambda: step(*pair)


def plain_torch(batch: int):
    """The same step as the authors write it, in PyTorch, float32."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import torch
    from torch_ugatit import Discriminator, Generator

    from gan_lib.ugatit_networks import discriminator_layers

    torch.manual_seed(0)
    generators = [Generator(SIZE, WIDTH) for _ in "ab"]
    layers = discriminator_layers(SIZE).values()
    judges = [[Discriminator(n, WIDTH) for n in layers] for _ in "ab"]
    groups = generators, [judge for pair in judges for judge in pair]
    optimizers = [
        torch.optim.Adam(
            [w for network in group for w in network.parameters()],
            lr=1e-4, betas=(0.5, 0.999), weight_decay=1e-4,
        )
        for group in groups
    ]  # fmt: skip
    a, b = (torch.tensor(x.transpose(0, 3, 1, 2).copy()) for x in pictures(batch))
    entropy = torch.nn.functional.binary_cross_entropy_with_logits

    def verdicts(pair, images):
        return [part for judge in pair for part in judge(images)[:2]]

    def step():
        a_to_b, b_to_a = generators
        fakes = b_to_a(b)[0], a_to_b(a)[0]
        judged = 0.0
        for pair, real, fake in zip(judges, (a, b), fakes, strict=True):
            judged += sum(((x - 1) ** 2).mean() for x in verdicts(pair, real))
            judged += sum((x**2).mean() for x in verdicts(pair, fake))
        optimizers[1].zero_grad()
        judged.backward()
        optimizers[1].step()
        drawn = 0.0
        for network, back, pair, own, other in zip(
            generators, generators[::-1], judges[::-1], (a, b), (b, a), strict=True
        ):
            fake, cam, _ = network(own)
            same, other_cam, _ = network(other)
            drawn += sum(((x - 1) ** 2).mean() for x in verdicts(pair, fake))
            drawn += 10 * (back(fake)[0] - own).abs().mean()
            drawn += 10 * (same - other).abs().mean()
            drawn += 1000 * entropy(cam, torch.ones_like(cam))
            drawn += 1000 * entropy(other_cam, torch.zeros_like(cam))
        optimizers[0].zero_grad()
        drawn.backward()
        optimizers[0].step()
        return float(judged.detach()), float(drawn.detach())

    return step


def compare(batch: int, rounds: int, with_torch: bool, threads: int) -> None:
    policy = profiles.profile("cpu").policy
    ways = {"authors' order, float32": authors_order(batch, dtype="float32")}
    for dtype in sorted({"float32", policy}):
        ways[f"ours, {dtype}"] = ours(batch, dtype=dtype)
        ways[f"ours, at once, {dtype}"] = ours(batch, dtype=dtype, simultaneous=True)
    if with_torch:
        ways["PyTorch, float32"] = plain_torch(batch)
    times = alternating(ways, rounds)
    for name, seconds in times.items():
        notes = [f"{threads} thread(s) an operation"] if threads else []
        for base in ("authors' order, float32", "PyTorch, float32"):
            if base in times:
                ratio = np.median(times[base] / seconds)
                notes.append(f"{ratio:.2f} x {base}")
        record("U-GAT-IT step", f"batch {batch}, {name}",
               1000 * float(np.median(seconds)), "ms", "; ".join(notes))  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--threads", type=int, default=0, help="an operation; 0: all")
    arguments = parser.parse_args()
    threads = arguments.threads
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    for batch in (1, 4):
        compare(batch, arguments.rounds, arguments.torch, threads)


if __name__ == "__main__":
    main()
