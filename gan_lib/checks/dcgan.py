"""Checks of the exercises in notebook 01: losses, latents, averages."""

from __future__ import annotations

import numpy as np

from gan_lib import ema, latents, losses
from gan_lib.checks.answers import Answer, as_array, ask, compare, loss_value, settle


def discriminator_loss(answer: Answer) -> Answer:
    """Exercise: the discriminator's binary cross-entropy from logits.

    Args:
        answer: (real_logits, fake_logits) -> scalar tensor; E[softplus(-real)] +
            E[softplus(fake)]. Logits of any shape.
    Returns: `answer`, or `losses.non_saturating_discriminator_loss` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "discriminator_loss"

    def test() -> None:
        for shape in [(8, 1), (2, 4, 4, 1)]:
            logits = (_logits(shape, seed=1), _logits(shape, seed=2))
            value = loss_value(name, answer, *logits)
            compare(name, value, _right_discriminator, logits, _DISCRIMINATOR_MISTAKES)
        sure = np.full((4, 1), 60.0, "float32")
        _check_extremes(name, loss_value(name, answer, -sure, sure), expected=120.0)

    return settle(name, answer, losses.non_saturating_discriminator_loss, test)


def generator_loss(answer: Answer) -> Answer:
    """Exercise: the generator's non-saturating loss from logits.

    Args:
        answer: (fake_logits) -> scalar tensor; E[softplus(-fake)]. Any shape.
    Returns: `answer`, or `losses.non_saturating_generator_loss` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "generator_loss"

    def test() -> None:
        for shape in [(8, 1), (2, 4, 4, 1)]:
            logits = (_logits(shape, seed=3),)
            value = loss_value(name, answer, *logits)
            compare(name, value, _right_generator, logits, _GENERATOR_MISTAKES)
        sure = np.full((4, 1), -60.0, "float32")
        _check_extremes(name, loss_value(name, answer, sure), expected=60.0)

    return settle(name, answer, losses.non_saturating_generator_loss, test)


def optimal_discriminator(answer: Answer) -> Answer:
    """Exercise: the best discriminator of two densities that are known.

    Args:
        answer: (real_density, fake_density) -> probability of "real", same shape;
            densities >= 0, not both 0.
    Returns: `answer`, or `losses.optimal_discriminator` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "optimal_discriminator"

    def test() -> None:
        real = np.array([0.4, 0.1, 0.3, 0.0, 0.05, 0.2], "float32")
        fake = np.array([0.1, 0.3, 0.3, 0.2, 0.0, 0.15], "float32")
        value = as_array(name, ask(name, answer, real, fake), real.shape)
        compare(name, value, lambda p, q: p / (p + q), (real, fake), _RATIO_MISTAKES)

    return settle(name, answer, losses.optimal_discriminator, test)


def slerp(answer: Answer) -> Answer:
    """Exercise: the arc between two latents of the same length.

    Args:
        answer: (start, end, fraction) -> latent; start and end float (D,), fraction a
            number on [0, 1].
    Returns: `answer`, or `latents.slerp` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "slerp"

    def test() -> None:
        start, end = latents.sample(2, 64, seed=4)
        end *= np.linalg.norm(start) / np.linalg.norm(end)
        for fraction in (0.25, 0.5, 0.0, 1.0):
            arguments = (start, end, fraction)
            value = as_array(name, ask(name, answer, *arguments), start.shape)
            if not np.all(np.isfinite(value)):
                raise AssertionError(
                    f"{name}: NaN or infinity came out. arccos takes the cosine of the "
                    "angle, on [-1, 1]: divide both latents by their lengths before "
                    "the dot product."
                )
            compare(name, value, latents.slerp, arguments, _SLERP_MISTAKES)

    return settle(name, answer, latents.slerp, test)


def ema_update(answer: Answer) -> Answer:
    """Exercise: one update of a moving average whose half-life is counted in kimg.

    Args:
        answer: (average, value, half_life_kimg, images_per_update) -> new average.
    Returns: `answer`, or `ema.ema_update` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "ema_update"

    def test() -> None:
        arguments = (3.0, -1.0, 1.0, 500)
        value = as_array(name, ask(name, answer, *arguments), ())
        compare(name, value, ema.ema_update, arguments, _EMA_MISTAKES)
        weight = 1.0  # what is left of a starting value 1 when only zeros follow
        for _ in range(40):  # 40 updates of 50 images = 2 kimg = one half-life
            weight = float(as_array(name, ask(name, answer, weight, 0.0, 2.0, 50), ()))
        if abs(weight - 0.5) > 1e-4:
            raise AssertionError(
                f"{name}: after one half-life the starting value should count 0.5; "
                f"with yours it counts {weight:.4f} (half-life 2 kimg, 50 images an "
                "update, 40 updates)."
            )

    return settle(name, answer, ema.ema_update, test)


def _check_extremes(name: str, value: np.ndarray, expected: float) -> None:
    where = (
        f"{name}: expected {expected:g} where the discriminator is sure and wrong "
        f"(logits of 60 and -60), got {value:.4g}."
    )
    if not np.isfinite(value):
        raise AssertionError(
            f"{where} A sigmoid rounds to 0 or 1 there, and the log of 0 is infinite: "
            "use softplus on the logits and no sigmoid."
        )
    if abs(value - expected) > 1e-3:
        raise AssertionError(
            f"{where} Something clips the probability (an epsilon inside the log, or "
            "from_logits=False) and cuts off the gradient with it: use softplus on the "
            "logits."
        )


def _logits(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return 2.0 * np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def _sp(x):  # softplus
    return np.logaddexp(0.0, x)


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _right_discriminator(real, fake):
    return np.mean(_sp(-real)) + np.mean(_sp(fake))


def _right_generator(fake):
    return np.mean(_sp(-fake))


_TWICE = (
    "A sigmoid is applied twice: the logits go in as they are, with from_logits=True "
    "or softplus."
)
_SUM = "You add over the batch; take the mean, or the loss grows with the batch size."
_SIGN = "The sign is wrong: a loss is minimised, so it is minus the log-probability."

_DISCRIMINATOR_MISTAKES = [
    (lambda r, f: _right_discriminator(_sigmoid(r), _sigmoid(f)), _TWICE),
    (lambda r, f: np.sum(_sp(-r)) + np.sum(_sp(f)), _SUM),
    (lambda r, f: -_right_discriminator(r, f), _SIGN),
    (
        lambda r, f: _right_discriminator(f, r),
        "Real and fake are swapped: real images get the label 1, fakes 0.",
    ),
    (
        lambda r, f: 0.5 * _right_discriminator(r, f),
        "You take the mean of the two halves; add them.",
    ),
    (lambda r, f: np.mean(_sp(-r)), "The fakes are missing: add their half."),
    (lambda r, f: np.mean(_sp(f)), "The real images are missing: add their half."),
]
_GENERATOR_MISTAKES = [
    (lambda f: _right_generator(_sigmoid(f)), _TWICE),
    (lambda f: np.sum(_sp(-f)), _SUM),
    (lambda f: -_right_generator(f), _SIGN),
    (
        lambda f: -np.mean(_sp(f)),
        "This is the saturating loss, log(1 - D): its gradient vanishes while the "
        "fakes are bad. Minimise -log D instead.",
    ),
    (
        lambda f: np.mean(_sp(f)),
        "This asks for the label 0, which is what the discriminator wants. The "
        "generator wants its fakes called real: label 1.",
    ),
]
_RATIO_MISTAKES = [
    (lambda p, q: q / (p + q), "This is the probability of fake, one minus D*."),
    (lambda p, q: p / q, "This is the density ratio; D* = ratio / (1 + ratio)."),
    (
        lambda p, q: np.log(p) - np.log(q),
        "This is the logit of D*; put it through a sigmoid.",
    ),
    (lambda p, q: p - q, "This is a difference; D* is the share of p in p + q."),
]
_SLERP_MISTAKES = [
    (
        lambda a, b, t: (1 - t) * a + t * b,
        "This is lerp, the straight line: halfway the latent is too short. Weight the "
        "two with sines of the angle between them.",
    ),
    (
        lambda a, b, t: latents.slerp(b, a, t),
        "It runs backwards: fraction 0 gives start, fraction 1 gives end.",
    ),
    (
        lambda a, b, t: latents.slerp(_unit(a), _unit(b), t),
        "The length is lost: use the unit vectors for the angle only, and weight the "
        "latents themselves.",
    ),
    (
        lambda a, b, t: np.linalg.norm(a) * _unit((1 - t) * a + t * b),
        "This is the straight line pushed out to the sphere: right length, but it runs "
        "faster in the middle. Weight with sines of the angle.",
    ),
]
_EMA_MISTAKES = [
    (
        lambda a, v, h, n: ema.ema_update(v, a, h, n),
        "The two weights are swapped: the average keeps `decay` of itself.",
    ),
    (
        lambda a, v, h, n: ema.ema_update(a, v, h / 1000, n),
        "The half-life is in kimg, thousands of images: multiply it by 1000.",
    ),
    (
        lambda a, v, h, n: ema.ema_update(a, v, h, 1),
        "images_per_update is missing: one update covers that many images.",
    ),
    (
        lambda a, v, h, n: v + (a - v) * np.exp(-n / (1000 * h)),
        "exp(-images / half-life) leaves 0.37 after a half-life; use 0.5 ** (...).",
    ),
    (
        lambda a, v, h, n: v + (a - v) * (1 - n / (1000 * h)),
        "1 - images / half-life leaves nothing after a half-life; use 0.5 ** (...).",
    ),
]


def _unit(x):
    return x / np.linalg.norm(x)
