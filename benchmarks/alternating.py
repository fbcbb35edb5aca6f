"""Seconds of several ways to do one thing, measured in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np


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
            begin = time.perf_counter()
            ways[name]()
            times[name][number] = time.perf_counter() - begin
    return times
