"""Adversarial losses: pure functions of the discriminator's logits.

Rules they all keep:
- The discriminator returns logits l, no sigmoid; its probability is D = sigmoid(l).
- Any shape of logits: (B, 1), (B,) or the (B, h, w, 1) map of a PatchGAN.
- The result is a float32 scalar, the mean over every logit, whatever dtype came in:
  bfloat16 logits are cast up before anything is computed.
- No random numbers are drawn here. Noisy labels are drawn by the caller.
- Written with `keras.ops`, so they run on every Keras backend.

softplus(l) = log(1 + exp(l)) does the work of the logarithms, because
-log sigmoid(l) = softplus(-l) and -log(1 - sigmoid(l)) = softplus(l). Written that
way nothing overflows and nothing becomes log(0), however sure the discriminator is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

Tensor = Any  # a tensor of the Keras backend in use, or a NumPy array


class LossPair(NamedTuple):
    """What each player minimises.

    discriminator: (real_logits, fake_logits) -> float32 scalar.
    generator: (fake_logits) -> float32 scalar.
    middle: the logit half way between what is asked for real and for fake images.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[..., Tensor]
    middle: float = 0.0

    @property
    def takes_labels(self) -> bool:
        """True when labels may be given, noisy ones for example."""
        return "real_labels" in inspect.signature(self.discriminator).parameters and (
            "labels" in inspect.signature(self.generator).parameters
        )


def non_saturating_discriminator_loss(
    real_logits: Tensor,
    fake_logits: Tensor,
    real_labels: float | Tensor = 1.0,
    fake_labels: float | Tensor = 0.0,
) -> Tensor:
    """Binary cross-entropy: call the real images real and the fake ones fake.

    H(y, l) = y softplus(-l) + (1 - y) softplus(l)
    E[ H(real_labels, real_logits) ] + E[ H(fake_labels, fake_logits) ]
    With labels 1 and 0: the negative of Goodfellow et al. 2014, eq. 1,
    arXiv:1406.2661.

    Args:
        real_logits, fake_logits: float, any shape, any value. The two batches may
            differ in size.
        real_labels, fake_labels: the probability of "real" the discriminator is
            asked for, on [0, 1]; a number, or a tensor that broadcasts to the
            logits. Values like 0.9, or draws from U(0.8, 1), keep it from being
            too sure of itself.
    Returns: float32 scalar, >= 0 for labels on [0, 1]; 2 ln 2 = 1.386 when every
        logit is 0.
    Raises: ValueError if labels would broadcast the logits to a larger shape.
    """
    real_loss = _cross_entropy(real_logits, real_labels)
    fake_loss = _cross_entropy(fake_logits, fake_labels)
    return real_loss + fake_loss


def non_saturating_generator_loss(
    fake_logits: Tensor, labels: float | Tensor = 1.0
) -> Tensor:
    """Binary cross-entropy with the labels flipped: make the fakes be called real.

    E[ H(labels, fake_logits) ];  with labels 1:  E[ softplus(-fake_logits) ]
    Goodfellow et al. 2014, section 3, arXiv:1406.2661: maximise log D(G(z)). Its
    gradient is strongest while the fakes are bad, which is when it is needed.

    Args:
        fake_logits: float, any shape, any value.
        labels: the probability of "real" the generator aims for, on [0, 1]; a
            number, or a tensor that broadcasts to the logits.
    Returns: float32 scalar, >= 0 for labels on [0, 1]; ln 2 = 0.693 when every
        logit is 0.
    Raises: ValueError if labels would broadcast the logits to a larger shape.
    """
    return _cross_entropy(fake_logits, labels)


def minimax_generator_loss(fake_logits: Tensor) -> Tensor:
    """The generator's side of the original game, which saturates.

    E[ log(1 - sigmoid(fake_logits)) ] = -E[ softplus(fake_logits) ]
    Goodfellow et al. 2014, eq. 1, arXiv:1406.2661.

    The slope by each logit is -sigmoid(l): it vanishes as the discriminator becomes
    sure (l -> -infinity), so a generator that is losing no longer learns. Kept for
    the lesson that shows this; train with `non_saturating_generator_loss`.

    Args:
        fake_logits: float, any shape, any value.
    Returns: float32 scalar, <= 0; -ln 2 = -0.693 when every logit is 0.
    """
    return -ops.mean(ops.softplus(_float32(fake_logits)))


def least_squares_discriminator_loss(
    real_logits: Tensor, fake_logits: Tensor
) -> Tensor:
    """Pull real outputs to 1 and fake outputs to 0, by squared distance.

    E[ (real_logits - 1)^2 ] + E[ fake_logits^2 ]
    Mao et al. 2017 (LSGAN), with a = 0 and b = 1, arXiv:1611.04076.
    Ours differs: the paper puts 1/2 before each term; we follow the image
    translation papers, which leave it out.

    Args:
        real_logits, fake_logits: float, any shape, any value; used as they are,
            never through a sigmoid.
    Returns: float32 scalar, >= 0; 1 when every logit is 0.
    """
    real_loss = ops.mean(ops.square(_float32(real_logits) - 1.0))
    fake_loss = ops.mean(ops.square(_float32(fake_logits)))
    return real_loss + fake_loss


def least_squares_generator_loss(fake_logits: Tensor) -> Tensor:
    """Pull the outputs for fakes to 1, by squared distance.

    E[ (fake_logits - 1)^2 ]
    Mao et al. 2017 (LSGAN), with c = 1, arXiv:1611.04076.
    Ours differs: no factor 1/2, as in `least_squares_discriminator_loss`.

    Args:
        fake_logits: float, any shape, any value.
    Returns: float32 scalar, >= 0; 1 when every logit is 0.
    """
    return ops.mean(ops.square(_float32(fake_logits) - 1.0))


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Ask for a margin: real logits above 1, fake logits below -1, no more.

    E[ max(0, 1 - real_logits) ] + E[ max(0, 1 + fake_logits) ]
    Lim and Ye 2017, arXiv:1705.02894; used by SAGAN, arXiv:1805.08318.

    Args:
        real_logits, fake_logits: float, any shape, any value.
    Returns: float32 scalar, >= 0; 2 when every logit is 0, and 0 with no gradient
        once every logit is beyond its margin.
    """
    real_loss = ops.mean(ops.relu(1.0 - _float32(real_logits)))
    fake_loss = ops.mean(ops.relu(1.0 + _float32(fake_logits)))
    return real_loss + fake_loss


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    """Raise the logits of the fakes, with no margin.

    -E[ fake_logits ]
    Lim and Ye 2017, arXiv:1705.02894; used by SAGAN, arXiv:1805.08318.

    Args:
        fake_logits: float, any shape, any value.
    Returns: float32 scalar, any sign; 0 when every logit is 0.
    """
    return -ops.mean(_float32(fake_logits))


def wasserstein_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The critic's loss: score real images above fake ones, by as much as possible.

    E[ fake_logits ] - E[ real_logits ]
    Arjovsky et al. 2017, arXiv:1701.07875. The logits are scores here, not
    probabilities before a sigmoid. Its negative estimates the Wasserstein-1
    distance only while the critic is 1-Lipschitz: add
    `gan_lib.penalties.gradient_penalty`.

    Args:
        real_logits, fake_logits: float, any shape, any value.
    Returns: float32 scalar, any sign; 0 when every score is the same.
    """
    return ops.mean(_float32(fake_logits)) - ops.mean(_float32(real_logits))


def wasserstein_generator_loss(fake_logits: Tensor) -> Tensor:
    """Raise the critic's score of the fakes.

    -E[ fake_logits ]
    Arjovsky et al. 2017, arXiv:1701.07875.

    Args:
        fake_logits: float, any shape, any value.
    Returns: float32 scalar, any sign; 0 when every score is 0.
    """
    return -ops.mean(_float32(fake_logits))


def l1_loss(images: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute difference: how far pictures are from the wanted ones.

    E[ |y - G(x)| ], the mean over pixels and channels too
    Isola et al. 2017, eq. 3, arXiv:1611.07004.
    Ours differs: the paper writes a norm, a sum; its code takes the mean, and its
    weight of 100 belongs to the mean.

    Args:
        images, targets: float (B, H, W, C), range [-1, 1], of one shape.
    Returns: float32 scalar, >= 0.
    Raises: ValueError when the shapes differ, instead of stretching one.
    """
    images, targets = _float32(images), _float32(targets)
    if tuple(images.shape) != tuple(targets.shape):
        raise ValueError(
            "Expected pictures and targets of one shape. Received: "
            f"{tuple(images.shape)} and {tuple(targets.shape)}"
        )
    return ops.mean(ops.abs(targets - images))


def optimal_discriminator(real_density: Tensor, fake_density: Tensor) -> Tensor:
    """The best possible discriminator's probability of "real", densities known.

    D*(x) = p_real(x) / (p_real(x) + p_fake(x))
    Goodfellow et al. 2014, eq. 2 (proposition 1), arXiv:1406.2661.
    Ours differs: 1/2 where both densities are 0; the paper leaves it undefined.

    Args:
        real_density, fake_density: float, >= 0, shapes that broadcast.
    Returns: float32, range [0, 1], the broadcast shape. It is a probability; the
        logit is log p_real - log p_fake.
    """
    real_density, fake_density = _float32(real_density), _float32(fake_density)
    total = real_density + fake_density
    nowhere = ops.equal(total, 0.0)
    ratio = real_density / ops.where(nowhere, 1.0, total)
    return ops.where(nowhere, 0.5, ratio)


_PAIRS = {
    "non_saturating": LossPair(
        non_saturating_discriminator_loss, non_saturating_generator_loss
    ),
    "least_squares": LossPair(
        least_squares_discriminator_loss, least_squares_generator_loss, middle=0.5
    ),
    "hinge": LossPair(hinge_discriminator_loss, hinge_generator_loss),
    "wasserstein": LossPair(wasserstein_discriminator_loss, wasserstein_generator_loss),
    "minimax": LossPair(non_saturating_discriminator_loss, minimax_generator_loss),
}


def get(name: str | LossPair) -> LossPair:
    """The loss pair of that name; a LossPair is returned as it is.

    Args:
        name: "non_saturating", "least_squares", "hinge", "wasserstein", or
            "minimax" (the saturating game, for the lesson about it).
    Raises: ValueError for an unknown name; the message lists the known ones.
    """
    if isinstance(name, LossPair):
        return name
    if name not in _PAIRS:
        raise ValueError(
            f"There is no loss called {name!r}. Choose one of: {', '.join(_PAIRS)}; "
            "or pass a LossPair(discriminator, generator) of your own."
        )
    return _PAIRS[name]


def _float32(x: Tensor) -> Tensor:
    return ops.cast(ops.convert_to_tensor(x), "float32")


def _cross_entropy(logits: Tensor, labels: float | Tensor) -> Tensor:
    logits, labels = _float32(logits), _float32(labels)
    _check_labels_fit(tuple(labels.shape), tuple(logits.shape))
    return ops.mean(
        labels * ops.softplus(-logits) + (1.0 - labels) * ops.softplus(logits)
    )


def _check_labels_fit(labels: tuple, logits: tuple) -> None:
    # Labels (B,) with logits (B, 1) would broadcast to (B, B) without a word.
    # A size of None is a dimension not known before the graph runs.
    sizes = zip(reversed(labels), reversed(logits), strict=False)
    fits = len(labels) <= len(logits) and all(
        label == 1 or label == size or (None in (label, size) and size != 1)
        for label, size in sizes
    )
    if not fits:
        raise ValueError(
            f"Labels of shape {labels} do not fit logits of shape {logits}. Expected "
            "a number, or a tensor of the same shape as the logits (or with size 1 "
            "in some dimensions). Draw them with ops.shape(logits)."
        )
