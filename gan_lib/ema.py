"""Exponential moving average of weights, counted in images instead of updates."""

from __future__ import annotations

from typing import Any

Tensor = Any  # a tensor, a NumPy array or a float


def ema_decay(half_life_kimg: float, images_per_update: int) -> float:
    """The decay of one update that halves an old value every `half_life_kimg`.

    decay = 0.5 ^ (images_per_update / (1000 half_life_kimg))

    A decay such as 0.999 means something else at each batch size; a half-life does
    not: after half_life_kimg thousand images the starting value counts 1/2, after
    twice that 1/4.

    Args:
        half_life_kimg: thousands of real images, >= 0; 0 keeps no average.
        images_per_update: real images shown between two updates, the batch size as
            a rule; > 0.
    Returns: float, range [0, 1).
    Raises: ValueError for values outside these ranges.
    """
    if half_life_kimg < 0 or images_per_update <= 0:
        raise ValueError(
            "The half-life is at least 0 kimg and an update covers at least one "
            f"image; got half_life_kimg={half_life_kimg}, "
            f"images_per_update={images_per_update}."
        )
    if half_life_kimg == 0:
        return 0.0
    return 0.5 ** (images_per_update / (1000.0 * half_life_kimg))


def ema_update(
    average: Tensor, value: Tensor, half_life_kimg: float, images_per_update: int
) -> Tensor:
    """The average after one more value has been seen.

    decay average + (1 - decay) value,  decay = ema_decay(...)

    Args:
        average, value: float, the same shape; any shape.
        half_life_kimg, images_per_update: as in `ema_decay`.
    Returns: the new average, same shape.
    Raises: ValueError as `ema_decay`.
    """
    decay = ema_decay(half_life_kimg, images_per_update)
    return decay * average + (1.0 - decay) * value
