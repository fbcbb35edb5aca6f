"""Checks of the exercises in notebook 07: truncation, told norms, projection."""

from __future__ import annotations

import numpy as np
from keras import ops

from gan_lib.checks.answers import Answer, as_array, ask, compare, loss_value, settle


def redraw(answer: Answer) -> Answer:
    """Exercise: latents beyond a threshold are drawn again.

    Each entry with |z| > threshold becomes the next of `spare` with |s| <= threshold.

    Args:
        answer: (latents, threshold, spare) -> latents; NumPy arrays (n, d) and (m,),
            `spare` numbers from N(0, 1), enough of them.
    Returns: `answer`, or `redrawn` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "redraw"

    def test() -> None:
        rng = np.random.default_rng(31)
        arguments = rng.normal(size=(4, 5)), 0.8, rng.normal(size=99)
        value = as_array(name, ask(name, answer, *_copies(arguments)), (4, 5))
        compare(name, value, redrawn, arguments, _REDRAW_MISTAKES)

    return settle(name, answer, redrawn, test)


def told_norm(answer: Answer) -> Answer:
    """Exercise: batch normalization with a gain and a bias for each picture.

    y = (1 + gain) (x - mean) / sqrt(var + 1e-5) + bias, mean and var of each channel
    over the batch and all pixels

    Args:
        answer: (x, gain, bias) -> y; x, y (B, H, W, C), gain and bias (B, C).
    Returns: `answer`, or `told_batch_norm` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "told_norm"

    def test() -> None:
        rng = np.random.default_rng(32)
        x = rng.normal(1, 0.1, (3, 4, 4, 2)) * [1.0, 0.1]
        arguments = x, *rng.normal(size=(2, 3, 2))
        tensors = (ops.convert_to_tensor(a, "float32") for a in arguments)
        value = as_array(name, ask(name, answer, *tensors), (3, 4, 4, 2))
        compare(name, value, _normed(), arguments, _NORM_MISTAKES)

    return settle(name, answer, told_batch_norm, test)


def projection(answer: Answer) -> Answer:
    """Exercise: the logit of a picture together with its class.

    logit = w . h + <e, h>

    Args:
        answer: (h, w, e) -> logits (B,); features h (B, C), weights w (C,), rows of the
            class embedding e (B, C).
    Returns: `answer`, or `projected` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "projection"

    def test() -> None:
        rng = np.random.default_rng(33)
        arguments = tuple(rng.normal(size=shape) for shape in ((5, 3), 3, (5, 3)))
        tensors = (ops.convert_to_tensor(a, "float32") for a in arguments)
        value = as_array(name, ask(name, answer, *tensors), (5,))
        compare(name, value, _projected(), arguments, _PROJECTION_MISTAKES)

    return settle(name, answer, projected, test)


def hinge(answer: Answer) -> Answer:
    """Exercise: the discriminator's hinge loss.

    L = mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake))

    Args:
        answer: (real_logits, fake_logits) -> one number; each (B,).
    Returns: `answer`, or `two_hinges` if still open.
    Raises: AssertionError if the answer is wrong, or has no gradient.
    """
    name = "hinge"

    def test() -> None:
        rng = np.random.default_rng(34)
        arguments = rng.normal(1, 2, (2, 8)).astype("float32")
        value = loss_value(name, answer, *arguments)
        compare(name, value, _hinge(), arguments, _HINGE_MISTAKES)

    return settle(name, answer, two_hinges, test)


def redrawn(latents, threshold, spare):
    """The lesson's own answer to `redraw`."""
    far = np.abs(latents) > threshold
    near = spare[np.abs(spare) <= threshold]
    latents = latents.copy()
    latents[far] = near[: far.sum()]
    return latents


def told_batch_norm(x, gain, bias):
    """The lesson's own answer to `told_norm`."""
    mean, variance = ops.moments(x, axes=(0, 1, 2))
    normed = (x - mean) / ops.sqrt(variance + 1e-5)
    return (1 + gain[:, None, None]) * normed + bias[:, None, None]


def projected(h, w, e):
    """The lesson's own answer to `projection`."""
    return ops.sum(h * w, axis=-1) + ops.sum(h * e, axis=-1)


def two_hinges(real_logits, fake_logits):
    """The lesson's own answer to `hinge`."""
    return ops.mean(ops.relu(1 - real_logits)) + ops.mean(ops.relu(1 + fake_logits))


def _copies(arguments):
    return [np.copy(x) if np.ndim(x) else x for x in arguments]


def _replaced(latents, far, by):
    latents = latents.copy()
    latents[far] = by[: far.sum()]
    return latents


def _normed(axes=(0, 1, 2), one=1.0, root=True):
    """The told norm, or a usual mistake of it."""

    def compute(x, gain, bias):
        variance = x.var(axes, keepdims=True) + 1e-5
        spread = np.sqrt(variance) if root else variance
        normed = (x - x.mean(axes, keepdims=True)) / spread
        return (one + gain[:, None, None]) * normed + bias[:, None, None]

    return compute


def _projected(picture=1.0, mean=False, told=1.0):
    """The projection, or a usual mistake of it."""

    def compute(h, w, e):
        reduce = np.mean if mean else np.sum
        return picture * (h * w).sum(-1) + told * reduce(h * e, axis=-1)

    return compute


def _hinge(real=1.0, fake=1.0, swapped=False, both=True):
    """The hinge loss, or a usual mistake of it."""

    def compute(r, f):
        if swapped:
            r, f = f, r
        loss = np.maximum(0, real - r).mean()
        return loss + (np.maximum(0, fake + f).mean() if both else 0)

    return compute


_REDRAW_MISTAKES = [
    (
        lambda z, t, spare: np.clip(z, -t, t),
        "You clipped: then many entries lie exactly at the threshold, where N(0, 1) "
        "has none. Replace them by numbers from inside.",
    ),
    (
        lambda z, t, spare: z * t,
        "You scaled all latents. Those inside the threshold stay as they are.",
    ),
    (
        lambda z, t, spare: _replaced(z, np.abs(z) > t, spare),
        "Some of the new numbers lie beyond the threshold themselves: pass over those.",
    ),
    (
        lambda z, t, spare: _replaced(z, z > t, spare[np.abs(spare) <= t]),
        "Entries below minus the threshold are too far out as well: compare |z|.",
    ),
]
_NORM_MISTAKES = [
    (
        _normed(one=0.0),
        "The gain is 1 + gain: a condition that says nothing (0) changes nothing.",
    ),
    (
        _normed(axes=(1, 2)),
        "These are each picture's own mean and variance. Take them over the batch as "
        "well: axes 0, 1 and 2.",
    ),
    (_normed(root=False), "Divide by the root of the variance."),
]
_PROJECTION_MISTAKES = [
    (_projected(told=0.0), "The class is missing: add the sum of h * e."),
    (_projected(picture=0.0), "The picture's own term is missing: add w . h."),
    (_projected(mean=True), "Sum h * e over the features, do not average."),
]
_HINGE_MISTAKES = [
    (_hinge(swapped=True), "Real and fake are swapped."),
    (_hinge(real=0.0, fake=0.0), "The margin of 1 is missing."),
    (_hinge(both=False), "The fakes are missing: add mean max(0, 1 + fake)."),
]
