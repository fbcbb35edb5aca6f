"""How many numbers a network learns, for the tests of published counts."""

from __future__ import annotations

import math


def count_trainable(network) -> int:
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)
