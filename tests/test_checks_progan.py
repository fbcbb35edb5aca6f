"""The checks of notebook 04 know right answers, open ones and usual mistakes."""

import numpy as np
import pytest
from check_answers import each_mistake, hold_named, hold_right_and_open
from keras import ops

from gan_lib import checks
from gan_lib.checks import progan
from gan_lib.layers import Fade, MinibatchStdDev


def by_resizing(old, new, alpha):
    _, height, width, _ = new.shape
    doubled = ops.image.resize(old, (height, width), interpolation="nearest")
    return doubled + alpha * (new - doubled)


def in_one_mean(real_logits, fake_logits, slopes):
    steep = 10 * (slopes**2 - 2 * slopes + 1)
    return ops.mean(fake_logits - real_logits + steep + real_logits**2 / 1000)


def by_hand(x):
    centred = x - ops.mean(x, axis=0)
    return ops.mean(ops.sqrt(ops.mean(centred**2, axis=0) + 1e-8))


RIGHT = [
    (checks.fade, by_resizing, progan.doubled_and_mixed),
    (checks.critic_loss, in_one_mean, progan.wasserstein_with_penalty),
    (checks.minibatch_stddev, by_hand, progan.mean_spread),
]
MISTAKES = each_mistake(
    {
        checks.fade: progan._FADE_MISTAKES,
        checks.critic_loss: progan._CRITIC_MISTAKES,
        checks.minibatch_stddev: progan._SPREAD_MISTAKES,
    }
)


@pytest.mark.parametrize(("check", "answer", "ours"), RIGHT)
def test_right_and_open_answers(check, answer, ours, monkeypatch):
    hold_right_and_open(check, answer, ours, monkeypatch)


@pytest.mark.parametrize(("check", "wrong", "text"), MISTAKES)
def test_mistakes_are_named(check, wrong, text):
    hold_named(check, wrong, text, lambda x: ops.convert_to_tensor(x, "float32"))


def test_the_lesson_builds_what_the_networks_use():
    old, new = np.random.default_rng(0).normal(0, 1, (2, 4, 8, 8, 3)).astype("float32")
    small = old[:, ::2, ::2]
    layer = Fade()
    layer.build([new.shape, new.shape])
    layer.alpha.assign(0.25)
    doubled = small.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(
        progan.doubled_and_mixed(small, new, 0.25), layer([doubled, new]), rtol=1e-5
    )
    map_of_batch = MinibatchStdDev(group_size=4)(new)[0, 0, 0, -1]
    np.testing.assert_allclose(progan.mean_spread(new), map_of_batch, rtol=1e-5)
