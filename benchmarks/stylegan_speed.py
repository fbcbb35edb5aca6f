"""What lazy R1 costs a StyleGAN2 step, and scaled maps against a kernel a picture.

    python benchmarks/stylegan_speed.py
    python benchmarks/stylegan_speed.py --torch --rounds 20   (where PyTorch is there)
    python benchmarks/stylegan_speed.py --torch --rounds 20 --threads 1

Medians of alternating rounds. A modulated convolution, forward and backward, at the
sizes of the lesson, against convolving each picture with its own kernel; and steps
of the lesson's StyleGAN2 with R1 never, in every 16th step (mean of 16) and always.
With `--torch` only the lesson's step against the same one in plain PyTorch: float32,
the same networks and settings, both memory formats. A round is 16 steps of each, two
of them with R1; a ratio is the median over the rounds of the ratio inside a round.
`--threads` is TensorFlow's alone: PyTorch keeps one thread a core.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from alternating import alternating, compare
from record import record

from gan_lib import profiles
from gan_lib.layers import ModulatedConv2D
from gan_lib.models import stylegan2


def by_kernel_for_each(layer, x, styles):
    """The paper's order of work: scale, divide, convolve each picture on its own."""
    kernels = layer.kernel[None] * styles[:, None, None, :, None]
    power = tf.reduce_sum(tf.square(kernels / layer.gain), (1, 2, 3), keepdims=True)
    kernels *= tf.math.rsqrt(power + 1e-8)
    pictures = [
        tf.nn.conv2d(picture[None], kernel, 1, "SAME")
        for picture, kernel in zip(
            tf.unstack(x), tf.unstack(kernels, len(x)), strict=True
        )
    ]
    return tf.concat(pictures, 0) + layer.bias


def with_gradients(function, layer, x, styles):
    @tf.function
    def run():
        with tf.GradientTape() as tape:
            tape.watch([x, styles])
            total = tf.reduce_sum(tf.sin(function(x, styles)))
        return tape.gradient(total, [x, styles, layer._kernel.value])

    return run


def medians(ways, rounds: int) -> dict[str, float]:
    """{name: median seconds} of functions called in turn."""
    return {k: float(np.median(v)) for k, v in alternating(ways, rounds).items()}


def convolutions(rounds: int, batch: int) -> None:
    for size, channels in ((32, 16), (16, 32), (8, 64)):
        layer = ModulatedConv2D(channels, 3)
        rng = np.random.default_rng(0)
        x = tf.constant(rng.normal(size=(batch, size, size, channels)), "float32")
        styles = tf.constant(rng.uniform(0.5, 1.5, (batch, channels)), "float32")
        np.testing.assert_allclose(
            layer([x, styles]), by_kernel_for_each(layer, x, styles), atol=1e-4
        )
        ways = {
            "scaled maps": with_gradients(
                lambda x, s, layer=layer: layer([x, s]), layer, x, styles
            ),
            "a kernel a picture": with_gradients(
                lambda x, s, layer=layer: by_kernel_for_each(layer, x, s),
                layer, x, styles,
            ),
        }  # fmt: skip
        found = medians(ways, rounds)
        for name, value in found.items():
            ratio = found["a kernel a picture"] / value
            record(
                "modulated convolution", f"{size} px, {channels} channels, {name}",
                1000 * value, "ms", f"batch {batch}, float32; {ratio:.2f} x",
            )  # fmt: skip


def steps(rounds: int, batch: int) -> None:
    policy = profiles.profile("cpu").policy
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(-1, 1, (batch, 32, 32, 3)), "float32")
    ways = {}
    for name, settings in {
        "no R1": {"penalty": None},
        "R1 every 16 steps": {"r1_every": 16},
        "R1 always": {"r1_every": 1},
    }.items():
        gan = stylegan2.stylegan2(
            32, width=16, dtype=policy, **stylegan2.LAPTOP | settings
        )
        step = tf.function(gan.train_step)

        def run(step=step):
            for _ in range(16):
                step(images)

        ways[name] = run
    found = medians(ways, max(3, rounds // 10))
    for name, value in found.items():
        ratio = value / found["no R1"]
        note = f"batch {batch}, 32 px, {policy}; {ratio:.2f} x no R1"
        record("StyleGAN2 step", name, 1000 * value / 16, "ms", note)


def ours(images, dtype: str):
    """16 steps of the lesson's StyleGAN2."""
    gan = stylegan2.stylegan2(32, width=16, dtype=dtype, **stylegan2.LAPTOP)
    step, batch = tf.function(gan.train_step), tf.constant(images)

    def run():
        for _ in range(16):
            logs = step(batch)
        return float(logs["generator_loss"])  # waits for the last step

    return run


def plain_torch(images, layout: str):
    """The same 16 steps in PyTorch, float32, maps lying in memory as `layout` says."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import torch
    from torch_stylegan2 import Training

    torch.manual_seed(0)
    step = Training(32, 16, stylegan2.LAPTOP, getattr(torch, layout))
    batch = torch.tensor(images.transpose(0, 3, 1, 2).copy())

    def run():
        for _ in range(16):
            _, loss = step(batch)
        return float(loss)

    return run


def against_torch(rounds: int, batch: int, threads: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (batch, 32, 32, 3)).astype("float32")
    ways = {
        f"ours, {dtype}": ours(images, dtype)
        for dtype in sorted({"float32", profiles.profile("cpu").policy})
    }
    layouts = ("contiguous_format", "channels_last")
    bases = [f"PyTorch, float32, {layout}" for layout in layouts]
    for base, layout in zip(bases, layouts, strict=True):
        ways[base] = plain_torch(images, layout)
    notes = f"batch {batch}, 32 px"
    if threads:
        notes += f"; {threads} thread(s) an operation in TensorFlow"
    compare("StyleGAN2 step against PyTorch", ways, bases, rounds, 16, notes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--threads", type=int, default=0, help="an operation; 0: all")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    if arguments.torch:
        against_torch(arguments.rounds, arguments.batch, arguments.threads)
        return
    convolutions(arguments.rounds, arguments.batch)
    steps(arguments.rounds, arguments.batch)


if __name__ == "__main__":
    main()
