"""Separability of attributes that are, or are not, cut apart by planes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from gan_lib.metrics import Separability, linear_classifier, separability


def normal(n, d=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def read(labels, sureness=0.9):
    """Probabilities (n, K) of a reader that says `labels`."""
    one_hot = np.eye(labels.max() + 1)[labels]
    sureness = np.broadcast_to(sureness, len(labels))[:, None]
    rest = (1 - sureness) / labels.max()
    return one_hot * (sureness - rest) + rest


def test_what_a_plane_decides_leaves_nothing_open():
    points = normal(1000)
    labels = (points @ [1.0, 2.0, 0.0, -1.0] > 0.3).astype(int)
    edge = np.abs(points @ [1.0, 2.0, 0.0, -1.0] - 0.3)
    found = separability(points, {"side": read(labels, 0.6 + 0.1 * np.tanh(edge))})
    assert found.value == pytest.approx(1, abs=0.01)
    assert found.n == 500


def test_what_points_do_not_know_stays_open():
    labels = np.random.default_rng(1).integers(0, 4, 2000)
    found = separability(normal(2000), {"dice": read(labels)})
    assert found.unknown["dice"] == pytest.approx(np.log(4), abs=0.01)
    assert found.entropies["dice"] == pytest.approx(np.log(4), abs=0.03)
    assert found.value == pytest.approx(4, rel=0.03)


def test_many_dimensions_are_not_learnt_by_heart():
    labels = np.random.default_rng(1).integers(0, 2, 200)
    found = separability(normal(200, 150), {"dice": read(labels)})
    assert found.entropies["dice"] > 0.6  # of 0.69


def test_a_ring_is_no_half_space():
    points = normal(2000, 2)
    labels = (np.linalg.norm(points, axis=1) > np.sqrt(2 * np.log(2))).astype(int)
    found = separability(points, {"ring": read(labels)})
    assert found.entropies["ring"] > 0.6
    bent = np.c_[points, np.square(points)]
    assert separability(bent, {"ring": read(labels)}).entropies["ring"] < 0.15


def test_entropies_add_up():
    """A label right in 80 % of the points: H(Y | X) is that of such a coin."""
    points = np.random.default_rng(0).uniform(-1, 1, (8000, 2))
    wrong = np.random.default_rng(2).random((8000, 2)) < 0.2
    sides = ((points > 0) ^ wrong).astype(int)
    found = separability(points, {"x": read(sides[:, 0]), "y": read(sides[:, 1])})
    coin = -0.2 * np.log(0.2) - 0.8 * np.log(0.8)
    assert found.entropies["x"] == pytest.approx(coin, abs=0.03)
    assert found.value == pytest.approx(np.exp(sum(found.entropies.values())))
    assert "8000" not in str(found)
    assert "4000 points" in str(found)


def test_only_the_surer_half_counts():
    points = normal(1000)
    labels = (points[:, 0] > 0).astype(int)
    sure = np.random.default_rng(3).permutation(1000) < 500
    noisy = np.where(sure, labels, 1 - labels)
    assert separability(points, {"x": read(noisy, 0.7)}).value > 1.8
    known = separability(points, {"x": read(noisy, np.where(sure, 0.9, 0.6))})
    assert known.value < 1.2
    # Never read otherwise by those that count: nothing to find out.
    constant = read(np.where(sure, 0, labels), np.where(sure, 0.9, 0.6))
    assert separability(points, {"x": constant}) == Separability(
        1.0, {"x": 0.0}, {"x": 0.0}, 500
    )


def test_linear_classifier_is_the_minimum():
    """Against a search without the gradient, on points of different spread."""
    points = normal(60, 2) * [10.0, 0.1] + [3.0, 5.0]
    labels = (points[:, 0] + 40 * points[:, 1] > 200).astype(int)
    labels[:5] = 2

    def loss(flat):
        matrix, bias = flat[:6].reshape(2, 3), flat[6:]
        logs = special.log_softmax(points @ matrix + bias, axis=1)
        spread = points.std(axis=0)[:, None]
        fit = -logs[np.arange(60), labels].mean()
        return fit + 0.005 * np.square(matrix * spread).sum()

    matrix, bias = linear_classifier(points, labels)
    found = np.r_[matrix.ravel(), bias]
    least = optimize.minimize(loss, found, method="Powell", options={"ftol": 1e-12})
    assert loss(found) <= least.fun + 1e-6
    gradient = optimize.approx_fprime(found, loss, 1e-7)
    np.testing.assert_allclose(gradient, 0, atol=2e-3)


def test_errors():
    labels = np.arange(200) % 2
    with pytest.raises(ValueError, match="take one layer"):
        separability(np.zeros((200, 8, 4)), {"x": read(labels)})
    with pytest.raises(ValueError, match="n >= 100"):
        separability(normal(50), {"x": read(labels[:50])})
    with pytest.raises(ValueError, match=r"expected \(200, K\) of x"):
        separability(normal(200), {"x": read(labels[:100])})
