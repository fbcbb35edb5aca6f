"""A small study: six sources, three models whose pictures anyone can tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib.study import Study, from_arrays

MODELS = ("model-red", "model-green", "model-blue")


@pytest.fixture(scope="session")
def pictures():
    """Grey sources; candidates of one colour each, brighter with the number."""
    level = np.linspace(80, 230, 6).astype("uint8")
    sources = np.broadcast_to(level[:, None, None, None], (6, 12, 12, 3))
    candidates = {}
    for channel, model in enumerate(MODELS):
        images = np.zeros((6, 12, 12, 3), "uint8")
        images[..., channel] = level[:, None, None]
        candidates[model] = images
    return from_arrays(sources, candidates)


@pytest.fixture(scope="session")
def study(pictures):
    return Study(pictures, target="colour", checks=1, repeats=2, seed=4)
