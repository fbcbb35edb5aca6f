"""The Inception Score against its equation, its limits and known traps."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib.metrics import inception_score


def answers(n, classes, seed=0, sharpness=3.0):
    """Random probabilities, float64 (n, classes)."""
    logits = sharpness * np.random.default_rng(seed).normal(size=(n, classes))
    weights = np.exp(logits)
    return weights / weights.sum(axis=1, keepdims=True)


def plain_score(rows):
    """The equation, term by term."""
    marginal = [sum(row[y] for row in rows) / len(rows) for y in range(len(rows[0]))]
    divergences = [
        sum(p * np.log(p / q) for p, q in zip(row, marginal, strict=True))
        for row in rows
    ]
    return np.exp(sum(divergences) / len(rows))


def test_equals_the_equation():
    rows = answers(40, 6)
    result = inception_score(rows, splits=1)
    assert result.mean == pytest.approx(plain_score(rows), rel=1e-12)
    assert result.standard_deviation == 0
    assert (result.n, result.classes, result.splits) == (40, 6, 1)


def test_splits_are_scored_apart():
    rows = answers(60, 4)
    order = np.random.default_rng(3).permutation(60)
    scores = [plain_score(rows[order[k : k + 6]]) for k in range(0, 60, 6)]
    result = inception_score(rows, seed=3)
    assert result.splits == 10
    assert result.mean == pytest.approx(np.mean(scores), rel=1e-12)
    assert result.standard_deviation == pytest.approx(np.std(scores), rel=1e-9)
    assert result != inception_score(rows, seed=4)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_reaches_both_ends(classes):
    same = np.tile(answers(1, classes), (3 * classes, 1))
    assert inception_score(same, splits=3).mean == pytest.approx(1)
    sure = np.eye(classes)[np.arange(3 * classes) % classes]
    assert inception_score(sure, splits=1).mean == pytest.approx(classes)
    # Sure, but of one class only.
    assert inception_score(sure[::classes], splits=1).mean == pytest.approx(1)
    # Half of the classes.
    half = sure[sure.argmax(axis=1) < classes // 2]
    assert inception_score(half, splits=1).mean == pytest.approx(classes // 2)


@pytest.mark.parametrize("seed", range(5))
def test_stays_between_the_ends(seed):
    rng = np.random.default_rng(seed)
    classes, n = int(rng.integers(2, 12)), int(rng.integers(20, 200))
    sharpness = float(rng.uniform(0, 40))
    result = inception_score(answers(n, classes, seed, sharpness), seed=seed)
    assert 1 - 1e-9 <= result.mean <= classes + 1e-9


def test_sorted_pictures_are_shuffled():
    """In the order of the classes, each of ten splits would hold one class: 1."""
    rows = np.repeat(np.eye(10), 100, axis=0)
    result = inception_score(rows)
    assert result.mean > 9.4
    assert result.standard_deviation < 0.3


def test_single_precision_and_words():
    rows = answers(4000, 5).astype(np.float32)
    result = inception_score(rows, classifier="a reader")
    exact = inception_score(answers(4000, 5))
    assert result.mean == pytest.approx(exact.mean, rel=1e-5)
    assert "of at most 5 (a reader; 4000 pictures in 10 splits)" in str(result)
    assert "too low" not in str(result)
    assert "too low" in str(inception_score(rows[:100]))


def test_errors_talk_like_a_teacher():
    rows = answers(20, 4)
    with pytest.raises(ValueError, match="softmax"):
        inception_score(np.log(rows))
    with pytest.raises(ValueError, match="sums from 2 to 2"):
        inception_score(2 * rows)
    with pytest.raises(ValueError, match="diverged"):
        inception_score(np.full((20, 4), np.nan))
    with pytest.raises(ValueError, match=r"got the shape \(20,\)"):
        inception_score(rows[:, 0])
    with pytest.raises(ValueError, match="K >= 2"):
        inception_score(np.ones((20, 1)))
    for splits in (0, 21, 2.5):
        with pytest.raises(ValueError, match="from 1 to 20"):
            inception_score(rows, splits=splits)
