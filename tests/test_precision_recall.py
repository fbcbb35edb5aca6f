"""Precision and recall on sets whose overlap is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gan_lib.metrics import precision_recall
from gan_lib.metrics.precision_recall import PrecisionRecall


def normal(n, d=8, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


def by_the_book(points, centres, k):
    """The share inside, straight from the equation, all distances at once."""
    radii = np.sort(cdist(centres, centres), axis=1)[:, k]
    return (cdist(points, centres) <= radii).any(axis=1).mean()


@pytest.mark.parametrize("k", [1, 3, 20])
def test_both_are_the_equations(k, monkeypatch):
    monkeypatch.setitem(precision_recall.__globals__, "_ROWS", 32)
    real, fake = normal(90), normal(70, seed=1, shift=0.5)
    found = precision_recall(real, fake, k)
    assert found.precision == pytest.approx(by_the_book(fake, real, k))
    assert found.recall == pytest.approx(by_the_book(real, fake, k))
    assert 0 < found.precision < 1


def test_worked_out_by_hand():
    """Points on a line, k = 1: real balls [-1, 1], [0, 2], [6, 10], [8, 12]."""
    real = np.array([[0.0], [1.0], [8.0], [10.0]])
    fake = np.array([[2.0], [2.5], [12.0], [20.0]])
    found = precision_recall(real, fake, k=1)
    assert found.precision == 0.5  # 2 and 12, each on a rim
    # Generated balls [1.5, 2.5], [2, 3], [4, 20], [12, 28]: 8 and 10 are inside.
    assert found.recall == 0.5


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_set_covers_itself_at_any_scale(scale):
    """Also where pictures are repeated and balls have no size."""
    features = scale * (normal(60) + 50)
    features[:8] = features[0]
    found = precision_recall(features.astype("float32"), features.astype("float32"))
    assert (found.precision, found.recall) == (1, 1)


def test_a_collapsed_generator_is_precise_and_covers_nothing():
    real = normal(400)
    collapsed = real[7] + 0.01 * normal(400, seed=1)
    found = precision_recall(real, collapsed)
    assert found.precision > 0.99
    assert found.recall < 0.01


def test_noise_is_not_precise():
    found = precision_recall(normal(200), normal(200, seed=1, shift=30))
    assert (found.precision, found.recall) == (0, 0)


def test_half_the_modes():
    """Generated from one of two real modes: all real-looking, half covered."""
    real = np.concatenate([normal(300), normal(300, seed=1, shift=40)])
    found = precision_recall(real, normal(600, seed=2))
    assert found.precision > 0.8
    assert 0.4 < found.recall <= 0.5


def test_images_go_through_a_network(tiny_images):
    import keras

    images = keras.Input((8, 8, 3))
    network = keras.Model(images, keras.layers.Flatten()(images), name="pixels")
    found = precision_recall(tiny_images, tiny_images[:20], network=network)
    assert found.precision == 1
    assert (found.n_real, found.n_fake, found.network) == (40, 20, "pixels")
    assert "20 generated against 40 real" in str(found)
    assert isinstance(found, PrecisionRecall)


@pytest.mark.parametrize("k", [0, 5])
def test_too_few_for_k(k):
    with pytest.raises(ValueError, match="k: expected 1 to 4"):
        precision_recall(normal(30), normal(5), k)
