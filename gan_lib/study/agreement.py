"""Statistics of votes: shares with intervals, and how far voters agree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats


class Agreement(NamedTuple):
    """How far voters agree.

    Attributes:
        kappa: 1 is full agreement, 0 what the shares alone would give; NaN if all
            chose one model or no question has two votes.
        observed: share of pairs of voters who chose the same.
        by_chance: share expected if each voted at random with the shares of all.
    """

    kappa: float
    observed: float
    by_chance: float


def fleiss_kappa(counts) -> Agreement:
    """Fleiss' kappa: agreement of many raters beyond chance.

    kappa = (P - P_e) / (1 - P_e), P = mean_i P_i, P_e = sum_j p_j^2,
    P_i = sum_j n_ij (n_ij - 1) / (n_i (n_i - 1)), p_j = sum_i n_ij / sum_i n_i.
    Fleiss 1971, Psychological Bulletin 76(5), 378-382, doi:10.1037/h0031619.

    When one model wins nearly always, P_e is large as well and kappa is small although
    voters agree: read it together with `observed`.

    Ours differs: n_i may vary between items, because each voter may be asked about
    other ones; Fleiss has one n. Items with fewer than two votes are left out.

    Args:
        counts: (items, categories), n_ij: how many put item i into category j.
    Returns: Agreement.
    Raises: ValueError for another shape or negative counts.
    """
    table = np.asarray(counts, float)
    if table.ndim != 2 or (table < 0).any():
        raise ValueError(
            "counts: expected numbers >= 0 of shape (items, categories), got shape "
            f"{table.shape}."
        )
    table = table[table.sum(axis=1) >= 2]
    if not len(table):
        return Agreement(np.nan, np.nan, np.nan)
    raters = table.sum(axis=1)
    observed = ((table * (table - 1)).sum(axis=1) / (raters * (raters - 1))).mean()
    by_chance = ((table.sum(axis=0) / table.sum()) ** 2).sum()
    kappa = (observed - by_chance) / (1 - by_chance) if by_chance < 1 else np.nan
    return Agreement(float(kappa), float(observed), float(by_chance))


def wilson_interval(
    successes: int, trials: int, level: float = 0.95
) -> tuple[float, float]:
    """Interval of a share if all votes were independent, which a voter's are not.

    (p + z^2/2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2/n), p = successes / n.
    Wilson 1927, J. Am. Stat. Assoc. 22, 209-212; computed by SciPy.

    Args:
        successes, trials: whole numbers, 0 <= successes <= trials, trials >= 1.
        level: coverage, 0 to 1.
    Returns: low, high.
    """
    test = stats.binomtest(successes, trials)
    interval = test.proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap_shares(
    votes: np.ndarray, *, resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> np.ndarray:
    """Intervals of the shares that count with voters and questions drawn at random.

    share_m = sum_vq a_v b_q y_vqm / sum_vqm a_v b_q y_vqm, where a and b say how often
    voter v and question q were drawn, with replacement and independently; percentiles
    of the shares. The pigeonhole bootstrap: Owen 2007, Ann. Appl. Stat. 1(2), 386-411,
    doi:10.1214/07-AOAS122. It errs on the wide side.

    One voter's votes resemble each other, and so do the votes on one picture: an
    interval from votes taken one by one would promise too much.

    Args:
        votes: y, 0 or 1, (voters, questions, models).
        resamples: how many draws.
        level: coverage, 0 to 1.
        seed: of the draws.
    Returns: float64 (models, 2), low and high.
    Raises: ValueError for another shape or no vote.
    """
    votes = np.asarray(votes, float)
    if votes.ndim != 3 or not votes.any():
        raise ValueError(
            "votes: expected (voters, questions, models) with at least one vote, got "
            f"shape {votes.shape} with {int(votes.sum())}."
        )
    voters, questions, _ = votes.shape
    rng = np.random.default_rng(seed)
    draw = rng.multinomial
    a = draw(voters, np.full(voters, 1 / voters), resamples).astype(float)
    b = draw(questions, np.full(questions, 1 / questions), resamples).astype(float)
    sums = np.empty((resamples, votes.shape[2]))
    for model, chosen in enumerate(np.moveaxis(votes, 2, 0)):  # (voters, questions)
        sums[:, model] = ((a @ chosen) * b).sum(axis=1)
    total = sums.sum(axis=1, keepdims=True)
    shares = sums[total[:, 0] > 0] / total[total[:, 0] > 0]
    tail = (1 - level) / 2
    return np.quantile(shares, [tail, 1 - tail], axis=0).T
