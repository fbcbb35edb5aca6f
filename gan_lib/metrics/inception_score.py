"""Inception Score from class probabilities, by a classifier of your choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

_TOLERANCE = 1e-3  # by which probabilities in half precision may miss the sum 1


@dataclass(frozen=True)
class InceptionScore:
    """An Inception Score with everything needed to compare it with another one.

    Attributes:
        mean: over the splits, from 1 to the number of classes; higher is better.
        standard_deviation: over the splits (divisor `splits`).
        classes: K, columns of the probabilities.
        n: pictures in all splits together.
        splits: parts that were scored.
        classifier: who gave the probabilities, in the words of the caller.
    """

    mean: float
    standard_deviation: float
    classes: int
    n: int
    splits: int
    classifier: str

    def __str__(self) -> str:
        few = self.n // self.splits < 50 * self.classes  # below, it loses 1 % or more
        return (
            f"Inception Score = {self.mean:.2f} +- {self.standard_deviation:.2f} of at "
            f"most {self.classes} ({self.classifier or 'classifier not named'}; "
            f"{self.n} pictures in {self.splits} splits). "
            + ("Fewer than 50 pictures a class in a split: too low. " if few else "")
            + "Comparable only with the same classifier and number of pictures."
        )


def inception_score(
    probabilities: Any, *, splits: int = 10, seed: int = 0, classifier: str = ""
) -> InceptionScore:
    """Inception Score: are pictures clearly of a class, and all classes there?

    exp( E_x KL( p(y|x) || p(y) ) ),  p(y) = E_x p(y|x),
    KL(p || q) = sum_y p_y log(p_y / q_y),
    for each split on its own, then mean and standard deviation over the splits.
    Salimans et al. 2016, section 4, arXiv:1606.03498 (50,000 pictures, 10 splits).

    It is 1 if all pictures get the same answer, and K if each is surely of one class
    and the K classes come equally often. It never looks at a real picture and does
    not see that all pictures of a class are the same one.

    Ours differs: any classifier may give the probabilities, where the paper has one
    network trained on ImageNet; and the pictures are shuffled before they are split,
    because a split of pictures in the order of their classes would hold few classes.

    Args:
        probabilities: p(y|x), floating (n, K), K >= 2, rows >= 0 of sum 1: the
            softmax of a classifier's logits, for example of `ClassReader`.
        splits: parts, 1 to n. A part of m pictures scores at most m.
        seed: of the order.
        classifier: words for the result.
    Returns: InceptionScore.
    Raises: ValueError for another shape, rows that are no probabilities (logits, for
        example), or a wrong number of splits.
    """
    rows = _checked(probabilities)
    if (
        isinstance(splits, bool)
        or splits != int(splits)
        or not 1 <= splits <= len(rows)
    ):
        raise ValueError(
            f"splits: expected a whole number from 1 to {len(rows)}, the number of "
            f"pictures, got {splits}. Published scores have 10 splits of 5000."
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    scores = [_score(rows[part]) for part in np.array_split(order, int(splits))]
    return InceptionScore(
        mean=float(np.mean(scores)),
        standard_deviation=float(np.std(scores)),
        classes=rows.shape[1],
        n=len(rows),
        splits=int(splits),
        classifier=classifier,
    )


def _score(rows: np.ndarray) -> float:
    # rel_entr(0, q) is 0, as the limit is: a class may have probability 0.
    divergences = special.rel_entr(rows, rows.mean(axis=0)).sum(axis=1)  # (n,)
    return float(np.exp(divergences.mean()))


def _checked(probabilities: Any) -> np.ndarray:
    """Probabilities as float64 (n, K) whose rows sum to 1 exactly."""
    rows = np.asarray(probabilities)
    if rows.ndim != 2 or rows.shape[0] < 1 or rows.shape[1] < 2:
        raise ValueError(
            "probabilities: expected (n, K), a row for each picture and a column for "
            f"each of K >= 2 classes, got the shape {rows.shape}. Of pictures a "
            "classifier makes them: `reader(images)`."
        )
    rows = rows.astype(np.float64)
    sums = rows.sum(axis=1)
    # NaN fails both comparisons, so it ends up here as well.
    if not (rows.min() >= 0 and np.abs(sums - 1).max() <= _TOLERANCE):
        raise ValueError(
            "probabilities: expected rows of numbers >= 0 with sum 1, got "
            f"{rows.min():.3g} to {rows.max():.3g} with sums from {sums.min():.3g} to "
            f"{sums.max():.3g}. Of logits take `scipy.special.softmax(logits, "
            "axis=1)`; NaN means that a network has diverged."
        )
    return rows / sums[:, None]
