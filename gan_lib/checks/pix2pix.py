"""Checks of the exercises in notebook 03: best colour, receptive field, loss."""

from __future__ import annotations

import numpy as np

from gan_lib import losses, patchgan
from gan_lib.checks.answers import Answer, as_array, ask, compare, loss_value, settle


def best_constant(answer: Answer) -> Answer:
    """Exercise: the one colour with the smallest mean absolute difference.

    Args:
        answer: (colours) -> colour; colours float (n, 3), the result (3,): the median
            of each channel.
    Returns: `answer`, or `median_colour` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "best_constant"

    def test() -> None:
        colours = np.random.default_rng(0).gamma(1.0, 40.0, (31, 3))
        value = as_array(name, ask(name, answer, colours.copy()), (3,))
        compare(name, value, median_colour, (colours,), _CONSTANT_MISTAKES)

    return settle(name, answer, median_colour, test)


def receptive_field(answer: Answer) -> Answer:
    """Exercise: how many pixels one output of a chain of convolutions sees.

    Args:
        answer: (kernel_sizes, strides) -> side in pixels; lists, first layer first.
    Returns: `answer`, or `patchgan.receptive_field` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "receptive_field"

    def test() -> None:
        for sizes, strides in (
            ([5, 3, 4], [2, 1, 3]),
            ([4, 4, 4, 4, 4], [2, 2, 2, 1, 1]),
            ([3], [1]),
        ):
            value = as_array(name, ask(name, answer, list(sizes), list(strides)), ())
            right = patchgan.receptive_field
            compare(name, value, _as_lists(right), (sizes, strides), _FIELD_MISTAKES)

    return settle(name, answer, patchgan.receptive_field, test)


def paired_loss(answer: Answer) -> Answer:
    """Exercise: the generator's loss, softplus(-logits) + 100 |target - fake|.

    Args:
        answer: (fake_logits, fake_images, target) -> scalar tensor; both terms means.
    Returns: `answer`, or `judged_and_compared` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "paired_loss"

    def test() -> None:
        rng = np.random.default_rng(4)
        logits = rng.normal(0, 2, (2, 6, 6, 1)).astype("float32")
        pictures = rng.uniform(-1, 1, (2, 2, 8, 8, 3)).astype("float32")
        arguments = (logits, *pictures)
        value = loss_value(name, answer, *arguments)
        compare(name, value, _right_loss, arguments, _LOSS_MISTAKES)

    return settle(name, answer, judged_and_compared, test)


def median_colour(colours):
    """The lesson's own answer to `best_constant`."""
    return np.median(colours, axis=0)


def judged_and_compared(fake_logits, fake_images, target):
    """The lesson's own answer to `paired_loss`."""
    adversarial = losses.non_saturating_generator_loss(fake_logits)
    return adversarial + 100 * losses.l1_loss(fake_images, target)


def _as_lists(function):
    """`compare` hands over arrays of floats; strides and sizes are whole numbers."""
    return lambda sizes, strides: function(
        [int(s) for s in sizes], [int(s) for s in strides]
    )


def _forwards(sizes, strides):
    side = 1
    for size, stride in zip(sizes, strides, strict=True):
        side = (side - 1) * stride + size
    return side


def _backwards(step):
    def walk(sizes, strides):
        side = 1
        for size, stride in reversed(list(zip(sizes, strides, strict=True))):
            side = step(side, size, stride)
        return side

    return _as_lists(walk)


def _sp(x):  # softplus
    return np.logaddexp(0.0, x)


def _right_loss(logits, fake, target):
    return np.mean(_sp(-logits)) + 100 * np.mean(np.abs(target - fake))


_CONSTANT_MISTAKES = [
    (
        lambda c: np.mean(c, axis=0),
        "This is the mean, which makes the mean *squared* difference smallest. For the "
        "absolute difference take the middle value of each channel.",
    ),
    (
        lambda c: np.full(3, np.median(c)),
        "This is one median over all numbers; take it channel by channel, axis=0.",
    ),
]
_FIELD_MISTAKES = [
    (
        _as_lists(_forwards),
        "You walk from the picture to the output. Begin at one output and walk back.",
    ),
    (
        _backwards(lambda side, size, stride: side * stride + size),
        "r outputs have r - 1 steps between them: (r - 1) * stride + size.",
    ),
    (
        _backwards(lambda side, size, stride: side + size - 1),
        "The strides are missing: neighbouring outputs lie `stride` pixels apart.",
    ),
    (
        _backwards(lambda side, size, stride: (side - 1) * stride + 1),
        "The kernel is missing: an output covers `size` pixels, not one.",
    ),
]
_LOSS_MISTAKES = [
    (
        lambda z, f, y: np.mean(_sp(-z)) + np.mean(np.abs(y - f)),
        "The weight of 100 is missing.",
    ),
    (
        lambda z, f, y: np.mean(_sp(-z)) + 100 * np.sum(np.abs(y - f)),
        "You add up all pixels; the weight of 100 belongs to their mean.",
    ),
    (
        lambda z, f, y: np.mean(_sp(-z)) + 100 * np.mean((y - f) ** 2),
        "This is the squared difference, L2; L1 takes the absolute one.",
    ),
    (
        lambda z, f, y: np.mean(_sp(z)) + 100 * np.mean(np.abs(y - f)),
        "The generator wants its pictures called real: softplus(-fake_logits).",
    ),
    (lambda z, f, y: 100 * np.mean(np.abs(y - f)), "The judge's half is missing."),
    (lambda z, f, y: np.mean(_sp(-z)), "The L1 half is missing."),
]
