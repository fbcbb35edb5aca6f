"""Shares, intervals and agreement: worked examples and what they promise."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from gan_lib.plot.votes import preferences
from gan_lib.study import (
    Votes,
    bootstrap_shares,
    export_csv,
    fleiss_kappa,
    results,
    wilson_interval,
)
from gan_lib.study.plan import CHECK, FALSE_FRIEND

# Fourteen raters, ten subjects, five categories: the example found in textbooks.
EXAMPLE = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1], [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_kappa_of_the_worked_example():
    kappa, observed, by_chance = fleiss_kappa(EXAMPLE)
    assert observed == pytest.approx(0.378, abs=5e-4)
    assert by_chance == pytest.approx(0.213, abs=5e-4)
    assert kappa == pytest.approx(0.210, abs=5e-4)


def test_kappa_against_pairs_of_raters_with_unequal_numbers():
    rng = np.random.default_rng(2)
    chosen = [rng.integers(0, 3, rng.integers(1, 9)) for _ in range(40)]
    counts = np.array([np.bincount(c, minlength=3) for c in chosen])
    used = [c for c in chosen if len(c) > 1]
    observed = np.mean(
        [np.mean([a == b for i, a in enumerate(c) for j, b in enumerate(c) if i != j])
         for c in used]
    )  # fmt: skip
    p = np.bincount(np.concatenate(used), minlength=3) / sum(map(len, used))
    found = fleiss_kappa(counts)
    assert found.observed == pytest.approx(observed)
    assert found.kappa == pytest.approx((observed - (p**2).sum()) / (1 - (p**2).sum()))


def test_kappa_at_its_ends():
    assert fleiss_kappa([[4, 0], [0, 4]]).kappa == 1
    assert fleiss_kappa([[1, 1], [1, 1]]).kappa == -1
    assert math.isnan(fleiss_kappa([[4, 0], [4, 0]]).kappa)  # nothing else was chosen
    assert fleiss_kappa([[4, 0], [4, 0]]).observed == 1
    assert math.isnan(fleiss_kappa([[1, 0], [0, 1]]).observed)
    with pytest.raises(ValueError, match="items, categories"):
        fleiss_kappa([1, 2, 3])


def test_wilson_against_its_equation():
    z, n, p = 1.959964, 40, 0.3
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    assert wilson_interval(12, 40) == pytest.approx((middle - half, middle + half))
    assert wilson_interval(0, 5)[0] == 0


def drawn(rng, voters=12, questions=10):
    """Votes of voters with a taste and pictures with a favourite, two models.

    Model 0 is preferred in half of the cases, over all voters and pictures.
    """
    leaning = rng.normal(0, 1.5, (voters, 1)) + rng.normal(0, 1.5, (1, questions))
    first = rng.random((voters, questions)) < 1 / (1 + np.exp(-leaning))
    return np.stack([first, ~first], axis=-1).astype(float)


def test_the_bootstrap_covers_where_wilson_promises_too_much():
    rng = np.random.default_rng(6)
    covered = {"bootstrap": 0, "wilson": 0}
    for seed in range(100):
        votes = drawn(rng)
        low, high = bootstrap_shares(votes, resamples=400, seed=seed)[0]
        covered["bootstrap"] += low <= 0.5 <= high
        low, high = wilson_interval(int(votes[..., 0].sum()), votes.shape[0] * 10)
        covered["wilson"] += low <= 0.5 <= high
    assert covered["bootstrap"] >= 88
    assert covered["wilson"] <= 75


def test_the_bootstrap_is_repeatable_and_sums_to_one():
    votes = drawn(np.random.default_rng(0))
    found = bootstrap_shares(votes, seed=3)
    np.testing.assert_array_equal(found, bootstrap_shares(votes, seed=3))
    # With two models one's upper end is the other's lower end.
    np.testing.assert_allclose(found[0], 1 - found[1, ::-1])
    with pytest.raises(ValueError, match="at least one vote"):
        bootstrap_shares(np.zeros((2, 2, 2)))


def answer(study, votes, voter, favourite, attentive=True, until=None):
    """A scripted voter: `favourite` is a function of the question's number."""
    for item in study.plan(voter)[:until]:
        if item.kind == CHECK:
            right = item.order.index(FALSE_FRIEND)
            slot = right if attentive else (right + 1) % len(item.order)
        else:
            slot = item.order.index(favourite(item))
        votes.save(voter, item, slot)


@pytest.fixture
def cast(study, tmp_path):
    """Eight voters: six agree, one clicks blindly, one leaves in the middle."""
    votes = Votes(tmp_path / "votes.sqlite", study)
    for number in range(6):
        answer(study, votes, f"{number:016x}", lambda item: item.question % 2)
    answer(study, votes, "e" * 16, lambda item: 2, attentive=False)
    answer(study, votes, "f" * 16, lambda item: item.question % 2, until=1)
    votes.close()
    return tmp_path / "votes.sqlite"


def test_results_of_scripted_voters(cast, study):
    found = results(cast)
    asked = {item.question for item in study.plan("0" * 16) if item.kind == "vote"}
    odd = sum(question % 2 for question in asked)
    for model, number in (("model-green", odd), ("model-red", 5 - odd)):
        assert found.shares[model].votes in (6 * number, 6 * number + 1)
    assert sum(share.votes for share in found.shares.values()) == 31
    assert found.shares["model-blue"].votes == 0
    assert found.shares["model-blue"].interval[1] > 0.05  # never 0 to 0
    for share in found.shares.values():
        assert share.interval[0] <= share.wilson[0] <= share.share <= share.wilson[1]
    assert list(found.shares)[-1] == "model-blue"
    assert (found.voters, found.unfinished, found.questions) == (7, 1, 5)
    assert found.excluded == {"e" * 16: "failed an attention check"}
    assert found.agreement.kappa == 1
    assert (found.consistency, found.repeated) == (1, 12)
    words = str(found)
    assert "kappa 1.00" in words
    assert "failed an attention check: 1" in words
    assert "into colour" in words


def test_forgiving_lets_the_blind_voter_in(cast):
    found = results(cast, allowed_failures=1)
    assert found.voters == 8
    assert found.shares["model-blue"].votes == 5
    assert found.agreement.kappa < 1


def test_a_voter_who_changes_mind_is_not_consistent(study, tmp_path):
    votes = Votes(tmp_path / "votes.sqlite", study)
    answer(study, votes, "1" * 16, lambda item: int(item.kind == "repeat"))
    votes.close()
    found = results(tmp_path / "votes.sqlite")
    assert (found.consistency, found.repeated) == (0, 2)
    assert "not known" in str(found)  # one voter cannot agree with another


def test_no_vote_that_counts(study, tmp_path):
    votes = Votes(tmp_path / "votes.sqlite", study)
    with pytest.raises(ValueError, match="nobody has voted"):
        results(tmp_path / "votes.sqlite")
    answer(study, votes, "e" * 16, lambda item: 2, attentive=False)
    votes.close()
    with pytest.raises(ValueError, match="failed an attention check"):
        results(tmp_path / "votes.sqlite")


def test_csv_holds_every_answer(cast, tmp_path):
    path = export_csv(cast, tmp_path / "votes.csv")
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 7 * 8 + 1
    assert list(lines[0]) == ["voter", "kind", "question", "choice"]
    assert {line["voter"] for line in lines} >= {"e" * 16}


def test_the_figure_shows_shares_and_intervals(cast):
    found = results(cast)
    figure = preferences(found)
    ax = figure.axes[0]
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([100 * s.share for s in found.shares.values()])
    assert [text.get_text() for text in ax.get_yticklabels()] == list(found.shares)
