"""Which attributes of a picture does a flat cut through W or Z decide?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

_FOLDS = 5
_RIDGE = 1e-2  # of the linear classifier; its points are standardised


@dataclass(frozen=True)
class Separability:
    """How little of the attributes a flat cut through the points leaves open.

    value: exp of the sum of `entropies`; 1: every attribute is decided by the side
        of a plane on which a point lies.
    entropies: H(Y | X) of each attribute, in nats.
    unknown: H(Y) of each, what a classifier that knows nothing leaves open.
    n: points used for each attribute.
    """

    value: float
    entropies: dict[str, float]
    unknown: dict[str, float]
    n: int

    def __str__(self) -> str:
        parts = (
            f"{name} {left:.2f} of {self.unknown[name]:.2f}"
            for name, left in self.entropies.items()
        )
        return (
            f"separability {self.value:.3g} (nats left open: {', '.join(parts)}; "
            f"{self.n} points each). Not comparable with published values, which are "
            "of 40 other attributes."
        )


def separability(
    points: np.ndarray, probabilities: Mapping[str, np.ndarray], *, seed: int = 0
) -> Separability:
    """Are attributes of the pictures separated by planes in the space of points?

    exp(sum_i H(Y_i | X_i)),  Y_i the value of attribute i read in the picture, X_i
    what a linear classifier says of it from the point. The half of the pictures that
    is read least surely is left out, for each attribute.
    Karras et al. 2019, section 4.2, arXiv:1812.04948.

    Ours differs: logistic regression with as many classes as the attribute has, for
    a support vector machine with two; X of a point comes from the other four fifths
    of the points, as a few thousand can be learnt by heart; and with our attributes,
    so the number is only good to compare two spaces or two generators.

    Args:
        points: float (n, d), n >= 100: styles of the mapping network, one for each
            picture (`gan.styles(z)[:, 0]`), or latents. Take many times d.
        probabilities: {name: (n, K)}, what a reader says of the n pictures.
        seed: of the five parts.
    Returns: Separability.
    Raises: ValueError for other shapes.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or len(points) < 100:
        raise ValueError(
            f"points: expected (n, d) with n >= 100, got {points.shape}. Of styles "
            "with a layer axis take one layer, styles[:, 0]."
        )
    order = np.random.default_rng(seed).permutation(len(points))
    left, unknown = {}, {}
    for name, given in probabilities.items():
        given = np.asarray(given)
        if given.ndim != 2 or len(given) != len(points):
            raise ValueError(
                f"probabilities: expected ({len(points)}, K) of {name}, one row for "
                f"each point, got {given.shape}. A reader gives them."
            )
        # Random order first, so that ties in sureness fall into random parts.
        sure = order[np.argsort(-given.max(axis=1)[order], kind="stable")]
        sure = sure[: len(points) // 2]
        table = _confusions(points[sure], given[sure].argmax(axis=1))
        shares = table.sum(axis=1) / table.sum()
        left[name] = float(shares @ stats.entropy(table, axis=1))
        unknown[name] = float(stats.entropy(table.sum(axis=0)))
    value = float(np.exp(sum(left.values())))
    return Separability(value, left, unknown, len(points) // 2)


def linear_classifier(
    points: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression: what it says of x is argmax_k (x W + b)_k.

    min over W, b of E[-log softmax(x W + b)_label] + 0.005 |W S|^2, S the standard
    deviations of the points (Bishop 2006, section 4.3.4). The difference of two
    columns of W is the direction from one class to the other.

    Args:
        points: float (n, d).
        labels: int (n,), 0 to K - 1.
    Returns: W, float64 (d, K), and b, float64 (K,).
    """
    middle, spread = points.mean(axis=0), points.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    x = np.c_[(points - middle) / spread, np.ones(len(points))]  # (n, d + 1)
    truth = np.eye(labels.max() + 1)[labels]  # (n, K)
    shape = (x.shape[1], truth.shape[1])

    def loss(flat):
        weights = flat.reshape(shape)
        logs = special.log_softmax(x @ weights, axis=1)
        gradient = x.T @ (np.exp(logs) - truth) / len(x)
        gradient[:-1] += _RIDGE * weights[:-1]  # the bias is free
        penalty = _RIDGE / 2 * np.square(weights[:-1]).sum()
        return penalty - (truth * logs).sum() / len(x), gradient.ravel()

    found = optimize.minimize(
        loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B"
    )
    *weights, bias = found.x.reshape(shape)
    matrix = np.array(weights) / spread[:, None]
    return matrix, bias - middle @ matrix


def _confusions(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts (X, Y) of what is said of points and their labels, for X that occur."""
    classes, labels = np.unique(labels, return_inverse=True)
    said = np.empty(len(points), int)
    for fold in range(_FOLDS):
        held_out = np.arange(len(points)) % _FOLDS == fold
        weights, bias = linear_classifier(points[~held_out], labels[~held_out])
        said[held_out] = (points[held_out] @ weights + bias).argmax(axis=1)
    table = np.zeros((len(classes), len(classes)))
    np.add.at(table, (said, labels), 1)
    return table[table.any(axis=1)]
