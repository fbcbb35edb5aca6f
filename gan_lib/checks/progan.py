"""Checks of the exercises in notebook 04: the fade, the critic, the batch's spread."""

from __future__ import annotations

import numpy as np
from keras import ops

from gan_lib.checks.answers import Answer, as_array, ask, compare, loss_value, settle


def fade(answer: Answer) -> Answer:
    """Exercise: a new size's picture mixed with the old size's, doubled.

    y = (1 - alpha) doubled(old) + alpha new, each pixel doubled to a square of four

    Args:
        answer: (old, new, alpha) -> y; old (B, H, W, C), new and y (B, 2H, 2W, C),
            alpha a number from 0 to 1.
    Returns: `answer`, or `doubled_and_mixed` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "fade"

    def test() -> None:
        rng = np.random.default_rng(12)
        old = rng.uniform(-1, 1, (2, 2, 3, 3)).astype("float32")
        new = rng.uniform(-1, 1, (2, 4, 6, 3)).astype("float32")
        arguments = (old, new, 0.3)
        result = ask(name, answer, ops.array(old), ops.array(new), 0.3)
        value = as_array(name, result, new.shape)
        compare(name, value, _mixed(_doubled), arguments, _FADE_MISTAKES)

    return settle(name, answer, doubled_and_mixed, test)


def critic_loss(answer: Answer) -> Answer:
    """Exercise: the critic's loss of WGAN-GP, with the drift of ProGAN.

    L = mean D(fake) - mean D(real) + 10 mean (slope - 1)^2 + 0.001 mean D(real)^2

    Args:
        answer: (real_logits, fake_logits, slopes) -> one number; each (B,), the slopes
            are the critic's gradient norms between real and fake images.
    Returns: `answer`, or `wasserstein_with_penalty` if still open.
    Raises: AssertionError if the answer is wrong, or has no gradient.
    """
    name = "critic_loss"

    def test() -> None:
        rng = np.random.default_rng(13)
        arguments = (
            rng.normal(1, 20, 8).astype("float32"),
            rng.normal(-1, 2, 8).astype("float32"),
            rng.uniform(0.2, 2, 8).astype("float32"),
        )
        value = loss_value(name, answer, *arguments)
        compare(name, value, _critic(), arguments, _CRITIC_MISTAKES)

    return settle(name, answer, wasserstein_with_penalty, test)


def minibatch_stddev(answer: Answer) -> Answer:
    """Exercise: one number that says how much the pictures of a batch differ.

    s = mean over h, w, c of sqrt(variance over the batch of x[:, h, w, c] + 1e-8)

    Args:
        answer: x (B, H, W, C) -> s.
    Returns: `answer`, or `mean_spread` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "minibatch_stddev"

    def test() -> None:
        x = np.random.default_rng(14).normal(0, 1, (4, 2, 3, 5)).astype("float32")
        x[:, 0] *= 3  # so that the order of mean and root matters
        value = as_array(name, ask(name, answer, ops.array(x)), ())
        compare(name, value, _spread(), (x,), _SPREAD_MISTAKES)

    return settle(name, answer, mean_spread, test)


def doubled_and_mixed(old, new, alpha):
    """The lesson's own answer to `fade`."""
    doubled = ops.repeat(ops.repeat(old, 2, axis=1), 2, axis=2)
    return (1 - alpha) * doubled + alpha * new


def wasserstein_with_penalty(real_logits, fake_logits, slopes):
    """The lesson's own answer to `critic_loss`."""
    loss = ops.mean(fake_logits) - ops.mean(real_logits)
    loss += 10 * ops.mean(ops.square(slopes - 1))
    return loss + 0.001 * ops.mean(ops.square(real_logits))


def mean_spread(x):
    """The lesson's own answer to `minibatch_stddev`."""
    return ops.mean(ops.sqrt(ops.var(x, axis=0) + 1e-8))


def _doubled(old):
    return np.kron(old, np.ones((1, 2, 2, 1)))


def _tiled(old):
    return np.tile(old, (1, 2, 2, 1))


def _mixed(double, swapped=False):
    """The fade, or a usual mistake of it."""

    def compute(old, new, alpha):
        part = 1 - alpha if swapped else alpha
        return double(old) + part * (new - double(old))

    return compute


def _critic(sign=1, penalty=10, target=1, drift=0.001, squared=True):
    """The critic's loss, or a usual mistake of it."""

    def compute(real, fake, slopes):
        far = real**2 if squared else real
        steep = penalty * np.mean((slopes - target) ** 2)
        return sign * (fake.mean() - real.mean()) + steep + drift * far.mean()

    return compute


def _spread(axis=0, root=True, late=False, ddof=0):
    """The batch's spread, or a usual mistake of it."""

    def compute(x):
        variance = x.var(axis, ddof=ddof) + 1e-8
        if late:
            return np.sqrt(variance.mean())
        return np.mean(np.sqrt(variance) if root else variance)

    return compute


_FADE_MISTAKES = [
    (_mixed(_doubled, swapped=True), "alpha and 1 - alpha are swapped."),
    (
        _mixed(_tiled),
        "You laid the old picture four times side by side. Repeat each pixel instead: "
        "ops.repeat, not ops.tile.",
    ),
]
_CRITIC_MISTAKES = [
    (
        _critic(sign=-1),
        "The sign of the first two terms is the generator's wish: the critic wants "
        "real scores high and fake ones low.",
    ),
    (_critic(penalty=1), "The penalty counts ten times."),
    (_critic(penalty=0), "The penalty is missing."),
    (_critic(target=0), "Slopes shall be near 1, not near 0: square (slope - 1)."),
    (_critic(drift=0), "The drift is missing: 0.001 mean D(real)^2."),
    (_critic(squared=False), "Square the real scores in the drift."),
]
_SPREAD_MISTAKES = [
    (
        _spread(axis=(1, 2, 3)),
        "This is each picture's own contrast. The variance over the batch is over "
        "axis 0.",
    ),
    (_spread(root=False), "This is the mean variance: take its root first."),
    (_spread(late=True), "Take the root at each place, then the mean over places."),
    (_spread(ddof=1), "Divide by B, not by B - 1."),
]
