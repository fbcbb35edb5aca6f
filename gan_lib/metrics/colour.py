"""Colours as the eye orders them, and how much of two palettes overlaps."""

from __future__ import annotations

from typing import Any

import numpy as np

from gan_lib.metrics.features import check_range
from gan_lib.plot.pixels import as_batch

# Linear red, green and blue of a screen to CIE XYZ (white has Y = 1), worked out from
# the primaries and the white of IEC 61966-2-1, which prints it to four digits.
_RGB_TO_XYZ = np.array(
    [
        [0.4123908, 0.3575843, 0.1804808],
        [0.2126390, 0.7151687, 0.0721923],
        [0.0193308, 0.1191948, 0.9505322],
    ],
    np.float32,
)
_WHITE = _RGB_TO_XYZ.sum(axis=1)  # D65, as the matrix has it: white is L 100, a b 0
_KNEE = 6 / 29

# All of sRGB lies inside: a from -86.2 to 98.3, b from -107.9 to 94.5.
HISTOGRAM_RANGES = {"L": (0.0, 100.0), "a": (-110.0, 110.0), "b": (-110.0, 110.0)}
BIN_WIDTH = 2.0
_BLOCK = 128  # pictures converted at a time, so memory stays small


def srgb_to_lab(images: Any) -> np.ndarray:
    """Screen colours as CIE L*a*b* under daylight (D65, 2 degree observer).

    With v in [0, 1] a channel of sRGB (IEC 61966-2-1):
        linear = v / 12.92 up to v = 0.04045, else ((v + 0.055) / 1.055)^2.4
        (X, Y, Z) = M (R, G, B),  M from that standard's primaries
    and with (Xn, Yn, Zn) the same for white (CIE 15:2004, section 8.2.1):
        L = 116 f(Y/Yn) - 16,  a = 500 (f(X/Xn) - f(Y/Yn)),
        b = 200 (f(Y/Yn) - f(Z/Zn)),
        f(t) = t^(1/3) above t = (6/29)^3, else t / (3 (6/29)^2) + 4/29.

    Args:
        images: (..., 3), uint8 0..255 or float in [-1, 1].
    Returns: float32 (..., 3): L in 0..100, a (green to red) in about -86..98, b (blue
        to yellow) in about -108..95.
    Raises: ValueError if the last axis is not three, or on another type or range.
    """
    images = np.asarray(images)
    if images.ndim < 1 or images.shape[-1] != 3:
        raise ValueError(
            "images: expected red, green and blue in the last axis, shape (..., 3), "
            f"got {images.shape}. Repeat a grey channel with images.repeat(3, -1)."
        )
    if images.dtype == np.uint8:
        linear = _linear(np.arange(256, dtype=np.float32) / 255)[images]
    else:
        if images.size:
            check_range(images.reshape(-1, 3), images.size)
        unit = (images.astype(np.float32) + 1) / 2
        linear = _linear(np.clip(unit, 0, 1))
    ratio = linear @ (_RGB_TO_XYZ / _WHITE[:, None]).T  # X/Xn, Y/Yn, Z/Zn
    root = np.where(
        ratio > _KNEE**3, np.cbrt(ratio), ratio / (3 * _KNEE**2) + 4 / 29
    ).astype(np.float32)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def histogram_intersection(images: Any, reference: Any) -> dict[str, float]:
    """How much of the colours of `reference` a set of pictures has, channel by channel.

    sum_k min(p_k, q_k),  p and q the shares of all pixels in bin k of one channel of
    L*a*b*, over a whole set (Swain and Ballard 1991, eq. 2, for histograms of sum 1).
    Isola et al. 2017, arXiv:1611.07004, figure 7, print it for the three channels.
    Ours differs: the paper does not say its bins; ours are 2 wide, L from 0 to 100, a
    and b from -110 to 110. Only results with the same bins can be compared.

    The channels are counted one by one, whatever the place in the picture: this tells
    a washed-out palette from a full one, and says nothing of paint in a wrong region.

    Args:
        images: generated pictures (n, H, W, 3) or (n, H, W, 1), uint8 or float in
            [-1, 1].
        reference: real ones, in the same form; number and size may differ.
    Returns: {"L": ..., "a": ..., "b": ...}, each in [0, 1]; 1: equal distributions.
    Raises: ValueError on another shape or range, or for an empty set.
    """
    ours, real = _histograms(images), _histograms(reference)
    return {
        channel: float(np.minimum(ours[channel], real[channel]).sum())
        for channel in HISTOGRAM_RANGES
    }


def levels(images: Any) -> np.ndarray:
    """Pictures as a saved file has them, uint8 (n, H, W, 3); a wrong range is an error.

    Args and Raises: as `histogram_intersection`.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 and images.ndim == 4 and images.size:
        check_range(images, _BLOCK)
    return as_batch(images)


def _linear(values: np.ndarray) -> np.ndarray:
    """Light from sRGB values in [0, 1], float32 in [0, 1]."""
    bent = ((values + 0.055) / 1.055) ** 2.4
    return np.where(values <= 0.04045, values / 12.92, bent).astype(np.float32)


def _histograms(images: Any) -> dict[str, np.ndarray]:
    """Share of all pixels in each bin, float64, for each of L, a and b."""
    images = levels(images)
    counts: dict[str, Any] = dict.fromkeys(HISTOGRAM_RANGES, 0)
    for start in range(0, len(images), _BLOCK):
        lab = srgb_to_lab(images[start : start + _BLOCK])
        for i, (channel, (low, high)) in enumerate(HISTOGRAM_RANGES.items()):
            bins = round((high - low) / BIN_WIDTH)
            # White is 100 up to rounding, and must not fall off the end.
            values = np.clip(lab[..., i], low, high)
            counts[channel] += np.histogram(values, bins, (low, high))[0]
    return {channel: count / count.sum() for channel, count in counts.items()}
