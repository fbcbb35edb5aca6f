"""Right answers pass, open ones hand over, wrong ones are told what is wrong."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from gan_lib import checks, ema, latents, losses

OURS = {
    "discriminator_loss": losses.non_saturating_discriminator_loss,
    "generator_loss": losses.non_saturating_generator_loss,
    "optimal_discriminator": losses.optimal_discriminator,
    "slerp": latents.slerp,
    "ema_update": ema.ema_update,
}
each_exercise = pytest.mark.parametrize("name", OURS)


@pytest.fixture(autouse=True)
def _not_strict(monkeypatch):
    monkeypatch.delenv("GAN_STRICT", raising=False)


def _bce(labels, logits, **options):
    options = {"from_logits": True, **options}
    return keras.losses.BinaryCrossentropy(**options)(labels, logits)


def _bce_pair(real, fake, **options):
    return _bce(ops.ones_like(real), real, **options) + _bce(
        ops.zeros_like(fake), fake, **options
    )


def _sigmoid(x):
    # Not ops.sigmoid: Keras remembers the logits of its own sigmoid, and its
    # cross-entropy then goes back to them, so that a second sigmoid does no harm.
    return 1.0 / (1.0 + ops.exp(-x))


def _clipped(probability):
    return -ops.mean(ops.log(probability + 1e-8))


def _slerp(start, end, t):
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    omega = np.arccos(cosine)
    return (np.sin((1 - t) * omega) * start + np.sin(t * omega) * end) / np.sin(omega)


def _slerp_without_lengths(start, end, t):
    with np.errstate(invalid="ignore"):
        omega = np.arccos(start @ end)
    return (np.sin((1 - t) * omega) * start + np.sin(t * omega) * end) / np.sin(omega)


def _unit(x):
    return x / np.linalg.norm(x)


def _ema(average, value, half_life_kimg, images):
    decay = 2 ** (-images / (1000 * half_life_kimg))
    return average * decay + value * (1 - decay)


RIGHT = [
    ("discriminator_loss", _bce_pair),
    (
        "discriminator_loss",
        lambda r, f: tf.reduce_mean(tf.nn.softplus(-r) + tf.nn.softplus(f)),
    ),
    ("generator_loss", lambda f: _bce(ops.ones_like(f), f)),
    ("generator_loss", lambda f: -ops.mean(ops.log_sigmoid(f))),
    ("optimal_discriminator", lambda p, q: p / (p + q)),
    ("optimal_discriminator", lambda p, q: tf.divide(p, tf.add(p, q))),
    ("slerp", _slerp),
    ("ema_update", _ema),
    ("ema_update", lambda *a: tf.constant(_ema(*a), "float32")),
]

WRONG = [
    (
        "discriminator_loss",
        lambda r, f: _bce_pair(_sigmoid(r), _sigmoid(f)),
        "A sigmoid is applied twice",
    ),
    (
        "discriminator_loss",
        lambda r, f: _bce_pair(r, f, reduction="sum"),
        "take the mean",
    ),
    ("discriminator_loss", lambda r, f: -_bce_pair(r, f), "sign is wrong"),
    ("discriminator_loss", lambda r, f: _bce_pair(f, r), "Real and fake are swapped"),
    (
        "discriminator_loss",
        lambda r, f: _bce_pair(r, f) / 2,
        "mean of the two halves; add them",
    ),
    ("discriminator_loss", lambda r, f: _bce(ops.ones_like(r), r), "fakes are missing"),
    (
        "discriminator_loss",
        lambda r, f: _bce(ops.zeros_like(f), f),
        "real images are missing",
    ),
    (
        "discriminator_loss",
        lambda r, f: ops.softplus(-r) + ops.softplus(f),
        r"expected one number .* got the shape \(8, 1\)",
    ),
    (
        "discriminator_loss",
        lambda r, f: -ops.mean(ops.log(_sigmoid(r)) + ops.log(1 - _sigmoid(f))),
        "log of 0 is infinite",
    ),
    (
        "discriminator_loss",
        lambda r, f: _clipped(_sigmoid(r)) + _clipped(1 - _sigmoid(f)),
        "clips the probability",
    ),
    (
        "discriminator_loss",
        lambda r, f: float(_bce_pair(r, f)),
        "got a float, which has no gradient",
    ),
    (
        "discriminator_loss",
        lambda r, f: _bce_pair(r, f) + 0.1,
        "term by term",
    ),
    (
        "generator_loss",
        lambda f: _bce(ops.ones_like(f), _sigmoid(f)),
        "A sigmoid is applied twice",
    ),
    ("generator_loss", lambda f: ops.sum(ops.softplus(-f)), "take the mean"),
    ("generator_loss", lambda f: ops.mean(ops.log_sigmoid(f)), "sign is wrong"),
    ("generator_loss", losses.minimax_generator_loss, "saturating loss"),
    ("generator_loss", lambda f: _bce(ops.zeros_like(f), f), "asks for the label 0"),
    (
        "generator_loss",
        lambda f: _bce(ops.ones_like(f), _sigmoid(f), from_logits=False),
        "clips the probability",
    ),
    ("optimal_discriminator", lambda p, q: q / (p + q), "probability of fake"),
    ("optimal_discriminator", lambda p, q: tf.divide(p, q), "density ratio"),
    (
        "optimal_discriminator",
        lambda p, q: tf.math.log(p) - tf.math.log(q),
        "logit of D",
    ),
    ("optimal_discriminator", lambda p, q: p - q, "difference"),
    (
        "optimal_discriminator",
        lambda p, q: np.mean(p / (p + q)),
        r"expected the shape \(6,\); got the shape \(\)",
    ),
    ("slerp", latents.lerp, "This is lerp"),
    ("slerp", lambda a, b, t: _slerp(b, a, t), "runs backwards"),
    ("slerp", lambda a, b, t: _slerp(_unit(a), _unit(b), t), "length is lost"),
    (
        "slerp",
        lambda a, b, t: np.linalg.norm(a) * _unit((1 - t) * a + t * b),
        "pushed out to the sphere",
    ),
    ("slerp", _slerp_without_lengths, "divide both latents by their lengths"),
    ("ema_update", lambda a, v, h, n: _ema(v, a, h, n), "weights are swapped"),
    ("ema_update", lambda a, v, h, n: _ema(a, v, h / 1000, n), "multiply it by 1000"),
    ("ema_update", lambda a, v, h, n: _ema(a, v, h, 1), "images_per_update is missing"),
    (
        "ema_update",
        lambda a, v, h, n: v + (a - v) * np.exp(-n / (1000 * h)),
        "leaves 0.37 after a half-life",
    ),
    (
        "ema_update",
        lambda a, v, h, n: v + (a - v) * (1 - n / (1000 * h)),
        "leaves nothing after a half-life",
    ),
    ("ema_update", lambda a, v, h, n: _ema(a, v, 1.0, n), "should count 0.5"),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_is_returned_and_praised_in_one_line(name, answer, capsys):
    assert getattr(checks, name)(answer) is answer
    assert capsys.readouterr().out == f"{name}: passed.\n"


@each_exercise
def test_our_own_answer_passes(name, capsys):
    assert getattr(checks, name)(OURS[name]) is OURS[name]
    assert "passed" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "answer", "sentence"), WRONG)
def test_a_wrong_answer_is_told_which_mistake_it_is(name, answer, sentence, capsys):
    with pytest.raises(AssertionError, match=sentence) as error:
        getattr(checks, name)(answer)
    assert str(error.value).startswith(f"{name}: ")
    assert capsys.readouterr().out == ""


def test_the_message_shows_both_values():
    with pytest.raises(AssertionError, match=r"expected 0\.6522, got 1\.1522\."):
        checks.generator_loss(lambda f: losses.non_saturating_generator_loss(f) + 0.5)


def _not_written(*arguments):
    raise NotImplementedError("your code here")


def _gaps_in_the_body(*arguments):
    first_half = ...
    second_half = ...
    return first_half + second_half


OPEN = [
    _not_written,
    _gaps_in_the_body,
    lambda *arguments: None,
    lambda *arguments: ...,
    lambda *arguments: ops.mean(...),
    None,
    ...,
]


@each_exercise
@pytest.mark.parametrize("answer", OPEN)
def test_an_open_exercise_hands_back_ours(name, answer, capsys):
    assert getattr(checks, name)(answer) is OURS[name]
    printed = capsys.readouterr().out
    assert printed.startswith(f"{name}: still open. The lesson goes on with gan_lib.")
    assert OURS[name].__name__ in printed


@each_exercise
@pytest.mark.parametrize("answer", OPEN)
def test_an_open_exercise_is_an_error_for_instructors(name, answer, monkeypatch):
    monkeypatch.setenv("GAN_STRICT", "1")
    with pytest.raises(AssertionError, match="still open, and GAN_STRICT is set"):
        getattr(checks, name)(answer)


@pytest.mark.parametrize("value", ["", "0"])
def test_strict_can_be_switched_off(value, monkeypatch, capsys):
    monkeypatch.setenv("GAN_STRICT", value)
    assert checks.slerp(None) is latents.slerp


@each_exercise
def test_an_answer_that_stops_is_reported_with_its_own_error(name):
    with pytest.raises(AssertionError, match="stopped with ZeroDivisionError") as error:
        getattr(checks, name)(lambda *arguments: 1 / 0)
    assert isinstance(error.value.__cause__, ZeroDivisionError)


@each_exercise
def test_an_answer_that_is_no_number_is_reported(name):
    with pytest.raises(AssertionError, match="expected numbers; got 'a loss', a str"):
        getattr(checks, name)(lambda *arguments: "a loss")
