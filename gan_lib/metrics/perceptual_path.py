"""How smoothly do pictures change on the way from one point to another?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

from gan_lib.latents import lerp, slerp
from gan_lib.metrics.features import ImageFeatures, extractor
from gan_lib.styles import Styled
from gan_lib.training import GAN

_TRIM = 0.01  # of the steps, at each end


@dataclass(frozen=True)
class PerceptualPathLength:
    """A perceptual path length with everything needed to compare it with another one.

    Attributes:
        value: mean of `lengths` without the lowest and the highest 1 %, >= 0.
        standard_error: of `value`, from the spread of what is left.
        at: "full" or "end".
        epsilon: length of a step, as a share of the path.
        network: what made the features. size_px: side of the images it was given.
        lengths: of all steps, float64 (n,).
    """

    value: float
    standard_error: float
    at: str
    epsilon: float
    network: str
    size_px: int
    lengths: np.ndarray = field(repr=False, compare=False)

    def __str__(self) -> str:
        return (
            f"PPL ({self.at}) = {self.value:.1f} +- {self.standard_error:.1f} "
            f"({self.network} at {self.size_px} px; {len(self.lengths)} steps of "
            f"{self.epsilon:g}). Not comparable with published PPL, which uses LPIPS."
        )


def perceptual_path_length(
    images_of: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    end: np.ndarray,
    *,
    path: Callable[..., np.ndarray] = slerp,
    at: str = "full",
    epsilon: float = 1e-4,
    network: keras.Model | ImageFeatures | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> PerceptualPathLength:
    """Squared speed of the features of a picture, along paths between points.

    E [ ||f(g(p(a, b; t))) - f(g(p(a, b; t + epsilon)))||^2 / epsilon^2 ]
    a, b: start and end; p: the path; g: `images_of`; f: the features;
    t uniform on [0, 1] ("full") or 0 ("end"). The lowest and highest 1 % are left out.
    Karras et al. 2019, section 4.1, arXiv:1812.04948.

    Where a picture turns into another one through things that are in neither, or
    jumps, there are long steps. It does not ask for good pictures: a generator that
    draws the same one everywhere has 0, so read it beside KID.

    Ours differs: f are pooled features of EfficientNet-lite0, and the published
    distance is LPIPS, on VGG-16; no face is cut out. Features are of the pictures
    before rounding to 256 levels: a step changes a pixel by less than one.

    Args:
        images_of: points (B, ...) -> images (B, H, W, C), floats in [-1, 1], C 3 or
            1. The same point must always give the same picture: keep noise fixed.
        start, end: float (n, ...), n >= 2, as `images_of` takes them.
        path: `gan_lib.latents.slerp` for latents from N(0, 1), `lerp` for styles.
        at: "full", anywhere on the path, or "end", at its start, where the points are
            those that the generator has seen in training.
        epsilon: in (0, 1), as published. On a StyleGAN2 of faces at 32 px, float32,
            1e-3 and 1e-4 agree within 2 %; 1e-2 gives up to 9 % less.
        network: keras.Model or ImageFeatures; default EfficientNet-lite0 (ImageNet).
        batch_size: points at a time; two pictures are made of each.
        seed: of t.
    Returns: PerceptualPathLength.
    Raises: ValueError for other words or ranges, points of different shapes, or
        pictures that are no finite floats.
    """
    start, end = np.asarray(start), np.asarray(end)
    _check(start, end, at, epsilon)
    features = extractor(network)
    fractions = np.random.default_rng(seed).random(len(start)) * (at == "full")
    lengths = []
    for first in range(0, len(start), batch_size):
        part = slice(first, first + batch_size)
        t = fractions[part].reshape(-1, *[1] * (start.ndim - 2))
        ends = start[part], end[part]
        # Both ends of a step in one batch, so that they are rounded alike.
        points = np.concatenate([path(*ends, t), path(*ends, t + epsilon)])
        here, there = np.split(_features(features, images_of(points)), 2)  # (B, d)
        lengths.append(np.square(here - there).sum(axis=1) / epsilon**2)
    found = np.concatenate(lengths)
    low, high = np.quantile(found, (_TRIM, 1 - _TRIM))
    kept = found[(low <= found) & (found <= high)]
    return PerceptualPathLength(
        value=float(kept.mean()),
        standard_error=float(kept.std() / np.sqrt(len(kept))),
        at=at,
        epsilon=epsilon,
        network=features.name,
        size_px=features.size_px,
        lengths=found,
    )


def gan_path_length(
    gan: GAN, n: int = 1000, *, space: str = "w", seed: int = 0, **options
) -> PerceptualPathLength:
    """`perceptual_path_length` between latents or styles drawn for a GAN.

    Straight lines between styles ("w"), or arcs between latents ("z"); any GAN has
    latents. Noise is fixed and nothing is truncated. Ours differs: an arc joins
    latents of their own lengths, in the paper of length 1; a mapping network that
    normalises them makes the two nearly equal.

    Args:
        gan: trained; in float32, as bfloat16 rounds away steps this small.
        n: steps, 100 or more for a number to compare (published: 100,000).
        space: "w" or "z".
        seed: of latents and t.
        **options: at, epsilon, network, batch_size, see `perceptual_path_length`.
    Returns: PerceptualPathLength.
    Raises: ValueError for another space, or "w" for a GAN without styles.
    """
    if space not in ("w", "z") or (space == "w" and not isinstance(gan, Styled)):
        raise ValueError(
            'space: expected "z", or "w" for a GAN whose generator has styles, got '
            f"{space!r} and {type(gan).__name__}."
        )
    start, end = np.split(gan.draw_latents(2 * n, seed), 2)
    options |= {"seed": seed}
    if isinstance(gan, Styled) and space == "w":
        ends = gan.styles(start), gan.styles(end)
        return perceptual_path_length(gan.synthesize, *ends, path=lerp, **options)
    return perceptual_path_length(gan.generate, start, end, path=slerp, **options)


def _features(features: ImageFeatures, images: np.ndarray) -> np.ndarray:
    """Features (n, d), float64, of pictures that are not rounded to 256 levels."""
    images = np.asarray(images)
    if images.dtype.kind != "f" or not np.isfinite(images).all():
        raise ValueError(
            "images_of: expected finite floats in [-1, 1], got dtype "
            f"{images.dtype}. Do not round pictures: one step changes a pixel by less "
            "than a level. NaN means that the generator has diverged."
        )
    levels = (images.astype(np.float32) + 1) * np.float32(127.5)
    return features.of_levels(levels).numpy().astype(np.float64)


def _check(start: np.ndarray, end: np.ndarray, at: str, epsilon: float) -> None:
    if start.shape != end.shape or start.ndim < 2 or len(start) < 2:
        raise ValueError(
            "start and end: expected two or more points each, of one shape (n, ...), "
            f"got {start.shape} and {end.shape}."
        )
    if at not in ("full", "end"):
        raise ValueError(f'at: expected "full" or "end", got {at!r}.')
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon: expected a number in (0, 1), got {epsilon!r}.")
