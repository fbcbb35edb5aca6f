"""Points in latent space and paths between them, as NumPy arrays.

Latents are drawn by NumPy, so one seed gives the same pictures with every version of
TensorFlow and on every device.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def sample(n: int, latent_dim: int, seed: int = 0) -> np.ndarray:
    """Latents drawn from N(0, 1).

    Args:
        n: how many.
        latent_dim: numbers in each.
        seed: the same seed gives the same latents; a larger n keeps the first ones.
    Returns: float32 (n, latent_dim).
    """
    shape = (n, latent_dim)
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def truncated(
    n: int, latent_dim: int, truncation: float, *, seed: int = 0, rule: str = "scaled"
) -> np.ndarray:
    """Latents near the middle, for a truncation tau, by one of two rules that differ.

    "scaled":     z = tau x,  x from N(0, 1) cut to [-2, 2]
    "resampled":  z from N(0, 1) cut to [-tau, tau]

    The first is what the notebook published with the BigGAN modules does, with
    NumPy's old generator, so that a seed means the same here and there. The second is
    that of Brock et al. 2019 (section 3.1, arXiv:1809.11096): entries beyond tau are
    drawn again until none is left. Its outcome has the cut law, from which it is drawn
    directly.

    Args:
        n: how many.
        latent_dim: numbers in each.
        truncation: tau >= 0; all latents are 0 at 0.
        seed: the same seed gives the same latents.
        rule: "scaled" or "resampled".
    Returns: float32 (n, latent_dim), in [-2 tau, 2 tau] or [-tau, tau].
    Raises: ValueError for another rule or a negative truncation.
    """
    from scipy.stats import truncnorm  # a second to import: only when it is needed

    if rule not in ("scaled", "resampled") or truncation < 0:
        raise ValueError(
            'Expected the rule "scaled" or "resampled" and a truncation of at least '
            f"0; got {rule!r} and {truncation}."
        )
    if truncation == 0:
        return np.zeros((n, latent_dim), "float32")
    edge, scale = (2.0, truncation) if rule == "scaled" else (truncation, 1.0)
    rng = np.random.RandomState(seed)
    drawn = truncnorm.rvs(-edge, edge, size=(n, latent_dim), random_state=rng)
    return (scale * drawn).astype("float32")


def lerp(start: np.ndarray, end: np.ndarray, fraction: float | np.ndarray):
    """The straight line between two latents.

    (1 - t) start + t end

    Halfway between two draws from N(0, 1) the length is about 1/sqrt(2) of theirs: a
    place the generator has hardly ever seen. See `slerp`.

    Args:
        start, end: float (..., D), shapes that broadcast.
        fraction: t; 0 gives start, 1 gives end; a number, or an array that broadcasts
            to the leading dimensions (...).
    Returns: float32 (..., D).
    """
    start, end, t = _operands(start, end, fraction)
    return ((1.0 - t) * start + t * end).astype("float32")


def slerp(start: np.ndarray, end: np.ndarray, fraction: float | np.ndarray):
    """The arc between two latents, at constant speed.

    sin((1 - t) omega) / sin(omega) start + sin(t omega) / sin(omega) end,
    omega the angle between start and end
    Shoemake 1985, doi:10.1145/325165.325242; for latents White 2016,
    arXiv:1609.04468.

    Between two latents of the same length every point has that length.

    Args:
        start, end: float (..., D), shapes that broadcast.
        fraction: t; 0 gives start, 1 gives end; a number, or an array that broadcasts
            to the leading dimensions (...).
    Returns: float32 (..., D). Where the two are parallel, opposite or zero there is no
        single arc, and it is the straight line.
    """
    start, end, t = _operands(start, end, fraction)
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)  # (...)
    cosine = np.sum(start * end, axis=-1) / np.where(lengths > 0, lengths, 1.0)
    omega = np.arccos(np.clip(cosine, -1.0, 1.0))[..., None]  # (..., 1)
    straight = (np.sin(omega) < 1e-6) | (lengths == 0)[..., None]
    sine = np.where(straight, 1.0, np.sin(omega))
    start_weight = np.where(straight, 1.0 - t, np.sin((1.0 - t) * omega) / sine)
    end_weight = np.where(straight, t, np.sin(t * omega) / sine)
    return (start_weight * start + end_weight * end).astype("float32")


def walk(
    stops: np.ndarray,
    frames_per_leg: int,
    *,
    closed: bool = True,
    path: Callable[[np.ndarray, np.ndarray, float], np.ndarray] = slerp,
) -> np.ndarray:
    """Latents along a path through several stops, one for each frame of an animation.

    Args:
        stops: float (n, D), n >= 2; the first frame is the first stop.
        frames_per_leg: frames from one stop to the next, the next one not counted.
        closed: go back to the first stop, so that the animation repeats without a
            jump; if False, end on the last stop.
        path: `slerp` or `lerp`.
    Returns: float32 (n * frames_per_leg, D), or ((n - 1) * frames_per_leg + 1, D)
        when not closed.
    Raises: ValueError with fewer than two stops or less than one frame.
    """
    stops = np.asarray(stops, dtype="float32")
    if stops.ndim != 2 or len(stops) < 2 or frames_per_leg < 1:
        raise ValueError(
            "A walk needs at least two stops in an array (n, latent_dim), and at least "
            f"one frame for each leg; got stops of shape {stops.shape} and "
            f"frames_per_leg={frames_per_leg}."
        )
    ends = np.roll(stops, -1, axis=0) if closed else stops[1:]
    frames = [
        path(start, end, frame / frames_per_leg)
        for start, end in zip(stops, ends, strict=False)
        for frame in range(frames_per_leg)
    ]
    return np.stack(frames if closed else [*frames, stops[-1]])


def _operands(start, end, fraction):
    start, end, t = (np.asarray(x, dtype="float64") for x in (start, end, fraction))
    return start, end, t[..., None]
