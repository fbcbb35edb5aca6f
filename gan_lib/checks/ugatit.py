"""Checks of the exercises in notebook 06: two losses, AdaLIN, activation map."""

from __future__ import annotations

import numpy as np
from keras import ops

from gan_lib import losses
from gan_lib.checks.answers import Answer, StillOpen, as_array, ask, compare, settle


def cycle_and_identity(answer: Answer) -> Answer:
    """Exercise: mean |F(G(a)) - a| + mean |G(F(b)) - b|, and the same for identity.

    Args:
        answer: (a, b, a_to_b, b_to_a) -> (cycle, identity), two scalar tensors;
            batches (B, H, W, C) and functions on them.
    Returns: `answer`, or `both_losses` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "cycle_and_identity"

    def test() -> None:
        rng = np.random.default_rng(5)
        a, b = rng.uniform(-1, 1, (2, 2, 4, 4, 3)).astype("float32")
        result = ask(name, answer, ops.array(a), ops.array(b), _there, _back)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise AssertionError(
                f"{name}: expected two numbers, `return cycle, identity`; got "
                f"{result!r}"
            )
        if any(part is None or part is ... for part in result):
            raise StillOpen
        for which, part in enumerate(result):
            value = as_array(name, part, ())
            right = _part(lambda a, b: both_losses(a, b, _there, _back), which)
            mistakes = [(_part(wrong, which), text) for wrong, text in _CYCLE_MISTAKES]
            compare(name, value, right, (a, b), mistakes)

    return settle(name, answer, both_losses, test)


def adalin(answer: Answer) -> Answer:
    """Exercise: gamma (rho x_I + (1 - rho) x_L) + beta.

    Args:
        answer: (x, gamma, beta, rho) -> y of the shape of x; x (B, H, W, C), gamma
            and beta (B, C), rho (C,); epsilon 1e-5.
    Returns: `answer`, or `layer_instance_norm` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "adalin"

    def test() -> None:
        rng = np.random.default_rng(6)
        x = rng.normal(1, [1, 2, 3], (2, 5, 4, 3)).astype("float32")
        gamma, beta = rng.normal(1, 1, (2, 2, 3)).astype("float32")
        rho = np.array([0.0, 0.3, 1.0], "float32")
        arguments = (x, gamma, beta, rho)
        result = ask(name, answer, *(ops.array(part) for part in arguments))
        value = as_array(name, result, x.shape)
        compare(name, value, _adalin(), arguments, _ADALIN_MISTAKES)

    return settle(name, answer, layer_instance_norm, test)


def activation_map(answer: Answer) -> Answer:
    """Exercise: where a linear classifier of channel means found its evidence.

    Args:
        answer: (x, w) -> (where, logit); x (B, H, W, C), w (C,), where (B, H, W),
            logit (B,).
    Returns: `answer`, or `weighted_maps` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "activation_map"

    def test() -> None:
        rng = np.random.default_rng(7)
        x = rng.normal(0, 1, (2, 4, 5, 3)).astype("float32")
        w = np.array([1.0, -2.0, 0.5], "float32")
        result = ask(name, answer, ops.array(x), ops.array(w))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise AssertionError(
                f"{name}: expected a pair, `return where, logit`; got {result!r}"
            )
        if any(part is None or part is ... for part in result):
            raise StillOpen
        for which, shape in enumerate(((2, 4, 5), (2,))):
            value = as_array(name, result[which], shape)
            right = _part(lambda x, w: weighted_maps(x, w), which)
            compare(name, value, right, (x, w), _MAP_MISTAKES if which else ())

    return settle(name, answer, weighted_maps, test)


def both_losses(a, b, a_to_b, b_to_a):
    """The lesson's own answer to `cycle_and_identity`."""
    cycle = losses.l1_loss(b_to_a(a_to_b(a)), a) + losses.l1_loss(a_to_b(b_to_a(b)), b)
    return cycle, losses.l1_loss(a_to_b(b), b) + losses.l1_loss(b_to_a(a), a)


def layer_instance_norm(x, gamma, beta, rho, epsilon=1e-5):
    """The lesson's own answer to `adalin`."""
    x_instance, x_layer = (_normal(x, axes, epsilon) for axes in ((1, 2), (1, 2, 3)))
    mixed = rho * x_instance + (1 - rho) * x_layer
    return gamma[:, None, None] * mixed + beta[:, None, None]


def weighted_maps(x, w):
    """The lesson's own answer to `activation_map`."""
    where = ops.sum(x * w, -1)
    return where, ops.mean(where, (1, 2))


def _there(x):
    return 0.5 * x + 0.1


def _back(x):
    return 1.5 * x - 0.4 * x**2


def _part(function, which: int):
    return lambda *arguments: ops.convert_to_numpy(function(*arguments)[which])


def _normal(x, axes, epsilon=1e-5, root=True):
    mean = ops.mean(x, axes, keepdims=True)
    variance = ops.mean(ops.square(x - mean), axes, keepdims=True)
    return (x - mean) / (ops.sqrt(variance + epsilon) if root else variance + epsilon)


def _adalin(instance=(1, 2), layer=(1, 2, 3), swap=False, plus=0, root=True):
    """AdaLIN on float64 arrays, or a usual mistake of it."""

    def compute(x, gamma, beta, rho):
        rho = 1 - rho if swap else rho
        one, other = (_normal(x, axes, root=root) for axes in (instance, layer))
        mixed = rho * one + (1 - rho) * other
        y = (gamma + plus)[:, None, None] * mixed + beta[:, None, None]
        return ops.convert_to_numpy(y)

    return compute


def _l1(x, y, sign=np.abs):
    return np.mean(sign(x - y))


_CYCLE_MISTAKES = [
    (
        lambda a, b: (_l1(_back(_there(a)), a), _l1(_there(b), b)),
        "One direction is missing: A to B and back, and B to A and back.",
    ),
    (
        lambda a, b: (
            _l1(_back(_there(a)), a, np.square) + _l1(_there(_back(b)), b, np.square),
            _l1(_there(b), b, np.square) + _l1(_back(a), a, np.square),
        ),
        "This is the squared difference; take the absolute one.",
    ),
    (
        lambda a, b: (
            _l1(_there(_back(a)), a) + _l1(_back(_there(b)), b),
            _l1(_there(a), a) + _l1(_back(b), b),
        ),
        "The directions are swapped. a goes to B first; and a network is asked for the "
        "identity with a picture of the domain it translates *to*.",
    ),
    (
        lambda a, b: (
            (_l1(_back(_there(a)), a) + _l1(_there(_back(b)), b)) / 2,
            (_l1(_there(b), b) + _l1(_back(a), a)) / 2,
        ),
        "Add the two directions; you take their mean.",
    ),
]
_ADALIN_MISTAKES = [
    (
        _adalin(swap=True),
        "rho and 1 - rho are swapped: rho = 1 is instance norm.",
    ),
    (
        _adalin(plus=1),
        "gamma is used as it is here, without + 1.",
    ),
    (
        _adalin(layer=(0, 1, 2, 3)),
        "Layer norm looks at one picture: leave axis 0 out.",
    ),
    (
        _adalin(instance=(0, 1, 2)),
        "Instance norm looks at one picture: leave axis 0 out (with it, this is batch "
        "norm).",
    ),
    (
        _adalin(layer=(3,)),
        "Layer norm here has one mean over height, width and channels: axes 1, 2, 3.",
    ),
    (
        _adalin(root=False),
        "Divide by the square root of the variance, the spread.",
    ),
]
_MAP_MISTAKES = [
    (
        lambda x, w: np.sum(np.sum(x * w, -1), (1, 2)),
        "The logit comes from means over the picture, not sums.",
    ),
    (
        lambda x, w: np.max(np.sum(x * w, -1), (1, 2)),
        "This is the maximum of the map; the logit is its mean.",
    ),
]
