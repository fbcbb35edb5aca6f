"""What lazy R1 costs a StyleGAN2 step, and scaled maps against a kernel a picture.

    python benchmarks/stylegan_speed.py

Medians of alternating rounds. A modulated convolution, forward and backward, at the
sizes of the lesson, against convolving each picture with its own kernel; and steps
of the lesson's StyleGAN2 with R1 never, in every 16th step (mean of 16) and always.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import tensorflow as tf
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
    times = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(values)) for name, values in times.items()}


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--batch", type=int, default=16)
    arguments = parser.parse_args()
    convolutions(arguments.rounds, arguments.batch)
    steps(arguments.rounds, arguments.batch)


if __name__ == "__main__":
    main()
