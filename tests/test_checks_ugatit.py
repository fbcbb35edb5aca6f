"""The checks of notebook 06 know right answers, open ones and usual mistakes."""

import numpy as np
import pytest
from check_answers import hold_right_and_open
from keras import ops

from gan_lib import checks
from gan_lib.checks import ugatit


def l1(x, y):
    return ops.mean(ops.abs(x - y))


def right_losses(a, b, a_to_b, b_to_a):
    cycle = l1(b_to_a(a_to_b(a)), a) + l1(a_to_b(b_to_a(b)), b)
    return cycle, l1(a_to_b(b), b) + l1(b_to_a(a), a)


def right_norm(x, gamma, beta, rho):
    def normal(axes):
        mean, variance = ops.moments(x, axes, keepdims=True)
        return (x - mean) / ops.sqrt(variance + 1e-5)

    mixed = rho * normal((1, 2)) + (1 - rho) * normal((1, 2, 3))
    return gamma[:, None, None] * mixed + beta[:, None, None]


def right_map(x, w):
    return ops.einsum("bhwc,c->bhw", x, w), ops.sum(ops.mean(x, (1, 2)) * w, -1)


RIGHT = [
    (checks.cycle_and_identity, right_losses, ugatit.both_losses),
    (checks.adalin, right_norm, ugatit.layer_instance_norm),
    (checks.activation_map, right_map, ugatit.weighted_maps),
]


@pytest.mark.parametrize(("check", "answer", "ours"), RIGHT)
def test_right_and_open_answers(check, answer, ours, monkeypatch):
    hold_right_and_open(check, answer, ours, monkeypatch)


def test_half_open_pairs():
    assert checks.activation_map(lambda x, w: (..., ...)) is ugatit.weighted_maps
    open_losses = checks.cycle_and_identity(lambda a, b, g, f: (None, None))
    assert open_losses is ugatit.both_losses
    with pytest.raises(AssertionError, match="expected two numbers"):
        checks.cycle_and_identity(lambda a, b, g, f: l1(a, b))


@pytest.mark.parametrize("wrong_and_text", ugatit._CYCLE_MISTAKES)
def test_cycle_mistakes_are_named(wrong_and_text):
    wrong, text = wrong_and_text
    with pytest.raises(AssertionError) as error:
        checks.cycle_and_identity(
            lambda a, b, a_to_b, b_to_a: wrong(np.asarray(a), np.asarray(b))
        )
    assert text in str(error.value)


@pytest.mark.parametrize("wrong_and_text", ugatit._ADALIN_MISTAKES)
def test_adalin_mistakes_are_named(wrong_and_text):
    wrong, text = wrong_and_text
    with pytest.raises(AssertionError) as error:
        checks.adalin(lambda *x: wrong(*map(np.asarray, x)))
    assert text in str(error.value)


@pytest.mark.parametrize("wrong_and_text", ugatit._MAP_MISTAKES)
def test_map_mistakes_are_named(wrong_and_text):
    wrong, text = wrong_and_text
    with pytest.raises(AssertionError) as error:
        checks.activation_map(
            lambda x, w: (ops.sum(x * w, -1), wrong(np.asarray(x), np.asarray(w)))
        )
    assert text in str(error.value)
