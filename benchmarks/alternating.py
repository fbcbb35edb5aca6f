"""Seconds of several ways to do one thing, measured in turn, and their ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from record import record


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def alternating(ways: Mapping[str, Callable], rounds: int) -> dict[str, np.ndarray]:
    """{name: seconds of each round}, after one call of each that is not timed.

    A machine that is slow for a while is so for all ways of a round, so compare inside
    rounds; the order is drawn anew for each.
    """
    for way in ways.values():
        way()
    order = np.random.default_rng(0)
    times = {name: np.empty(rounds) for name in ways}
    for number in range(rounds):
        for name in order.permutation(list(ways)):
            times[name][number] = seconds(ways[name])
    return times


def compare(
    benchmark: str,
    ways: Mapping[str, Callable],
    bases: Sequence[str],
    rounds: int,
    steps: int,
    notes: str,
) -> None:
    """Record each way's milliseconds a step, and how many times faster than each base.

    `steps`: those in one call of a way. A ratio is the median of those inside rounds.
    """
    times = alternating(ways, rounds)
    for name, found in times.items():
        ratios = [f"{np.median(times[base] / found):.2f} x {base}" for base in bases]
        value = 1000 * float(np.median(found)) / steps
        record(benchmark, name, value, "ms", "; ".join([notes, *ratios]))
