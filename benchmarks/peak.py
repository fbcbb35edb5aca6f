"""What this machine can multiply at all: GFLOP/s of products and convolutions.

    python benchmarks/peak.py

Products of square matrices and 3 x 3 convolutions on 256 channels, in TensorFlow, in
float32 and bfloat16; the fastest of many calls counts. A training step cannot be faster
than its own multiplications at this speed.
"""

from __future__ import annotations

import time

import tensorflow as tf
from record import record

CALLS = 12


def best(call) -> float:
    """Seconds of the fastest call."""
    seconds = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call().numpy()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def product(side: int, dtype: str) -> float:
    """GFLOP/s of a matrix product."""
    a = tf.cast(tf.random.stateless_normal((side, side), seed=(0, 0)), dtype)
    # One number comes back: copying a whole matrix would be timed too.
    call = tf.function(lambda: tf.matmul(a, a)[0, 0])
    return 2 * side**3 / best(call) / 1e9


def convolution(size: int, channels: int, batch: int, dtype: str) -> float:
    """GFLOP/s of a 3 x 3 convolution that keeps the map's size."""
    random = tf.random.stateless_normal
    maps = tf.cast(random((batch, size, size, channels), seed=(0, 1)), dtype)
    kernel = tf.cast(random((3, 3, channels, channels), seed=(0, 2)), dtype)
    call = tf.function(lambda: tf.nn.conv2d(maps, kernel, 1, "SAME")[0, 0, 0, 0])
    return 2 * 9 * channels**2 * batch * size**2 / best(call) / 1e9


def peaks() -> dict[str, float]:
    """{dtype: GFLOP/s}, the best found for each, recorded."""
    found = {}
    for dtype in ("float32", "bfloat16"):
        speeds = {
            f"matrix product {side}": product(side, dtype) for side in (1024, 2048)
        } | {"convolution 3 x 3, 256 channels": convolution(16, 256, 16, dtype)}
        for what, speed in speeds.items():
            record("peak", f"{what}, {dtype}", speed, "GFLOP/s")
        found[dtype] = max(speeds.values())
    return found


if __name__ == "__main__":
    peaks()
