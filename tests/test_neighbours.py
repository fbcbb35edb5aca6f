"""Memorisation and distinctness on points whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib.metrics import (
    distinct,
    distinct_threshold,
    diversity,
    memorisation,
    nearest_neighbours,
)


def normal(n, d=16, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


def test_nearest_neighbours_equal_the_full_table(monkeypatch):
    fake, train = normal(50), normal(70, seed=1)
    fake[3] = train[11]  # a copy must be at distance 0, not at a rounding error
    table = np.linalg.norm(fake[:, None] - train, axis=2)
    monkeypatch.setitem(nearest_neighbours.__globals__, "_ROWS", 16)
    indices, distances = nearest_neighbours(fake, train, k=3)
    np.testing.assert_array_equal(indices, np.argsort(table, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :3])
    assert (indices[3, 0], distances[3, 0]) == (11, 0)
    with pytest.raises(ValueError, match="k: expected 1 to 70"):
        nearest_neighbours(fake, train, k=71)


def test_memorisation_tells_copies_from_new_samples():
    train, heldout = normal(400), normal(300, seed=1)
    honest = memorisation(normal(200, seed=2), train, heldout)
    assert honest.closer == pytest.approx(0.5, abs=0.08)
    assert honest.copies < 0.05
    assert honest.p_value > 0.01
    copied = train[:200] + normal(200, seed=3) * 0.1
    thief = memorisation(copied, train, heldout)
    assert thief.closer > 0.99
    assert thief.copies > 0.99
    assert thief.p_value < 1e-6
    np.testing.assert_array_equal(thief.indices, np.arange(200))
    assert "200 generated, 300 unseen, 400 training" in str(thief)
    with pytest.raises(ValueError, match="at least 100"):
        memorisation(train, train, heldout[:99])


def test_distinct_counts_what_differs():
    corners = np.eye(5) * 10
    copies = np.repeat(corners, 4, axis=0) + np.tile(np.eye(5)[:4] * 0.1, (5, 1))
    result = distinct(copies, threshold=1.0)
    assert (result.count, result.n) == (5, 20)
    np.testing.assert_array_equal(result.kept, [0, 4, 8, 12, 16])
    assert "5 of 20" in str(result)
    # A chain of small steps is neither one picture nor all different.
    chain = np.arange(10.0)[:, None]
    assert distinct(chain, threshold=1.5).count == 5
    assert distinct(chain, threshold=0.5).count == 10
    with pytest.raises(ValueError, match="distance >= 0"):
        distinct(chain, threshold=-1)


def test_distinct_threshold_is_a_quantile_of_nearest_distances():
    real = normal(400, 4)
    groups = real[:192].reshape(3, 64, 4)
    tables = np.linalg.norm(groups[:, :, None] - groups[:, None], axis=-1)
    tables += np.where(np.eye(64), np.inf, 0)
    wanted = np.quantile(tables.min(axis=2), 0.05)
    assert distinct_threshold(real[:200], 64) == pytest.approx(wanted)
    # By its meaning: real images are nearly all distinct, and more so when fewer.
    threshold = distinct_threshold(real, 200)
    assert 0.9 * 200 <= distinct(normal(200, 4, seed=9), threshold).count < 200
    with pytest.raises(ValueError, match="n: expected 2 to 400"):
        distinct_threshold(real, 500)


def test_diversity_is_the_mean_distance_of_pairs():
    x = normal(30)
    table = np.linalg.norm(x[:, None] - x, axis=2)
    assert diversity(x) == pytest.approx(table.sum() / (30 * 29))
    assert diversity(np.repeat(x[:3], 10, axis=0)) < diversity(x)
    with pytest.raises(ValueError, match="at least 2"):
        diversity(x[:1])
