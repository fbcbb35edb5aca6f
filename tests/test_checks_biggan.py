"""The checks of notebook 07 know right answers, open ones and usual mistakes."""

import numpy as np
import pytest
from check_answers import each_mistake, hold_named, hold_right_and_open
from keras import ops

from gan_lib import checks, losses
from gan_lib.checks import biggan
from gan_lib.layers import ConditionalBatchNormalization


def one_by_one(latents, threshold, spare):
    near = (x for x in spare if abs(x) <= threshold)
    flat = [z if abs(z) <= threshold else next(near) for z in latents.ravel()]
    return np.reshape(flat, latents.shape)


def by_hand(x, gain, bias):
    centred = x - ops.mean(x, (0, 1, 2))
    normed = centred * ops.rsqrt(ops.mean(centred**2, (0, 1, 2)) + 1e-5)
    return normed + gain[:, None, None] * normed + bias[:, None, None]


def in_one_product(h, w, e):
    return ops.einsum("bc,bc->b", h, w + e)


RIGHT = [
    (checks.redraw, one_by_one, biggan.redrawn),
    (checks.told_norm, by_hand, biggan.told_batch_norm),
    (checks.projection, in_one_product, biggan.projected),
    (checks.hinge, losses.hinge_discriminator_loss, biggan.two_hinges),
]
MISTAKES = each_mistake(
    {
        checks.redraw: biggan._REDRAW_MISTAKES,
        checks.told_norm: biggan._NORM_MISTAKES,
        checks.projection: biggan._PROJECTION_MISTAKES,
        checks.hinge: biggan._HINGE_MISTAKES,
    }
)


@pytest.mark.parametrize(("check", "answer", "ours"), RIGHT)
def test_right_and_open_answers(check, answer, ours, monkeypatch):
    hold_right_and_open(check, answer, ours, monkeypatch)


@pytest.mark.parametrize(("check", "wrong", "text"), MISTAKES)
def test_mistakes_are_named(check, wrong, text):
    hold_named(check, wrong, text, lambda x: ops.convert_to_tensor(x, "float32"))


def test_the_lesson_builds_what_the_networks_use():
    rng = np.random.default_rng(0)
    maps = rng.normal(2, 3, (4, 3, 3, 5)).astype("float32")
    condition = rng.normal(size=(4, 2)).astype("float32")
    layer = ConditionalBatchNormalization()
    layer.build([maps.shape, condition.shape])
    gain, bias = layer.gain(condition), layer.bias(condition)
    layer.normalization.moving_mean.assign(maps.mean((0, 1, 2)))
    layer.normalization.moving_variance.assign(maps.var((0, 1, 2)))
    expected = layer([maps, condition])
    found = biggan.told_batch_norm(ops.convert_to_tensor(maps), gain, bias)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
