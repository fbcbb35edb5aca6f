"""The checks of notebook 03 know right answers, open ones and usual mistakes."""

import numpy as np
import pytest
from keras import ops

from gan_lib import checks, patchgan
from gan_lib.checks import pix2pix


def test_best_constant():
    def answer(colours):
        return np.sort(colours, axis=0)[len(colours) // 2]

    assert checks.best_constant(answer) is answer
    assert checks.best_constant(lambda colours: ...) is pix2pix.median_colour


def test_the_median_is_best():
    colours = np.random.default_rng(1).gamma(1.0, 40.0, (31, 3))

    def cost(colour):
        return np.abs(colours - colour).mean()

    best = cost(pix2pix.median_colour(colours))
    for step in (-3, 3):
        assert cost(pix2pix.median_colour(colours) + step) > best
    assert cost(colours.mean(0)) > best


def test_receptive_field():
    def answer(sizes, strides):
        side, spread = 1, 1
        for size, stride in zip(sizes, strides, strict=True):
            side += (size - 1) * spread
            spread *= stride
        return side

    assert checks.receptive_field(answer) is answer
    assert checks.receptive_field(None) is patchgan.receptive_field


def test_paired_loss():
    def answer(fake_logits, fake_images, target):
        adversarial = ops.mean(ops.softplus(-fake_logits))
        return adversarial + 100 * ops.mean(ops.abs(target - fake_images))

    assert checks.paired_loss(answer) is answer
    assert checks.paired_loss(None) is pix2pix.judged_and_compared
    with pytest.raises(AssertionError, match="no gradient"):
        checks.paired_loss(lambda *a: float(answer(*a)))


@pytest.mark.parametrize(
    ("check", "mistakes"),
    [
        (checks.best_constant, pix2pix._CONSTANT_MISTAKES),
        (checks.receptive_field, pix2pix._FIELD_MISTAKES),
    ],
)
def test_mistakes_are_named(check, mistakes):
    for mistake, words in mistakes:
        with pytest.raises(AssertionError) as error:
            check(mistake)
        assert words in str(error.value)


@pytest.mark.parametrize(("mistake", "words"), pix2pix._LOSS_MISTAKES)
def test_loss_mistakes_are_named(mistake, words):
    def answer(*tensors):
        return ops.convert_to_tensor(
            mistake(*(ops.convert_to_numpy(t) for t in tensors))
        )

    with pytest.raises(AssertionError) as error:
        checks.paired_loss(answer)
    assert words in str(error.value)
