"""What the filter and the search for copies judge a crop by: a few plain numbers.

Blur is measured by the width of the strongest edges and not by the variance of the
Laplacian: a flat drawing has few edges, noise and JPEG blocks have many, and neither
says anything about sharpness.
"""

from __future__ import annotations

import base64

import numpy as np
from PIL import Image

THUMBNAIL = 16
_STEP = 0.02  # how far a crop is moved or zoomed for `moved_hashes`, in its sides
_MOVED = [
    *((x, y, 0.0) for x in (-_STEP, 0, _STEP) for y in (-_STEP, 0, _STEP) if x or y),
    (0.0, 0.0, _STEP),
    (0.0, 0.0, -_STEP),
]
MOVES = len(_MOVED)


def blur_px(image: np.ndarray) -> float:
    """How wide the edges of a picture are, in its pixels.

    Across an edge with the profile of a Gaussian step of width s, the gradient at scale
    1 falls off as exp(-x^2 / 2(s^2 + 1)). From its peak g and its neighbours a and b
    one pixel on either side

        s^2 = -1 / (2 ln((a + b) / 2g)) - 1

    whatever the height of the edge. The median over the peaks among the 2 % of pixels
    with the strongest gradients. Antialiased drawings have 0 to 0.7, after a Gaussian
    blur of radius r about r; thin lines come out a little narrower than steps.

    Args:
        image: uint8 (H, W, 3).
    Returns: 0 (sharp) to 10; 10 also for a picture without edges.
    """
    from scipy.ndimage import gaussian_filter

    grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    right, down = gaussian_filter(grey, 1, (0, 1)), gaussian_filter(grey, 1, (1, 0))
    slope = np.hypot(right, down)
    least = max(2.0, float(np.quantile(slope, 0.98)))
    widths = np.concatenate(
        [_widths(slope, right, least), _widths(slope.T, down.T, least)]
    )
    if len(widths) < 4:
        return 10.0
    return min(10.0, float(np.median(np.sqrt(np.maximum(widths - 1, 0)))))


def _widths(slope: np.ndarray, along: np.ndarray, least: float) -> np.ndarray:
    """s^2 + 1 at the peaks of the gradient in the rows, for edges that cross them.

    Where an edge is not upright, a row cuts through it at an angle and sees it wider.
    """
    peak, before, after = slope[:, 1:-1], slope[:, :-2], slope[:, 2:]
    cosine = np.abs(along[:, 1:-1]) / np.maximum(peak, 1e-6)
    where = (peak >= least) & (peak >= before) & (peak >= after) & (cosine >= 0.7)
    fall = (before[where] + after[where]) / (2 * peak[where])
    return cosine[where] ** 2 / (-2 * np.log(np.clip(fall, 0.01, 0.9999)))


def contrast(image: np.ndarray) -> float:
    """Standard deviation of the colour, in levels of 0..255, mean of the channels."""
    return float(np.sqrt(image.reshape(-1, 3).astype(np.float32).var(axis=0).mean()))


def colour(image: np.ndarray) -> float:
    """Which part of a picture has a colour of its own, 0 to 1.

    Cb and Cr of a 16 x 16 copy (where JPEG and sensor noise average out) are predicted
    from the brightness by a parabola; what is off by more than 8 levels counts. Grey,
    yellowed and sepia pictures give 0, since their tint follows from the brightness.
    """
    small = (
        Image.fromarray(image).convert("YCbCr").resize((16, 16), Image.Resampling.BOX)
    )
    values = np.asarray(small, np.float64).reshape(-1, 3)
    powers = np.vander(values[:, 0] / 255, 3)
    tint = powers @ np.linalg.lstsq(powers, values[:, 1:], rcond=None)[0]
    return float(np.mean(np.hypot(*(values[:, 1:] - tint).T) > 8))


def text(image: np.ndarray) -> float:
    """How much a picture looks like printed text, 0 to 1.

    The share of the ink that lies in small separate pieces (letters); 0 when paper and
    ink are not clearly two levels, or no empty strips run between the rows or columns.

    Args:
        image: uint8 (H, W, 3), at most a few hundred pixels wide.
    """
    from scipy import ndimage

    grey = np.asarray(Image.fromarray(image).convert("L"))
    level, clearness = _otsu(grey)
    if clearness < 0.8:
        return 0.0
    ink = grey <= level
    if ink.mean() > 0.5:
        ink = ~ink
    if max(_empty_strips(ink), _empty_strips(ink.T)) < 0.2:
        return 0.0
    pieces, _ = ndimage.label(ink, np.ones((3, 3)))
    area = np.bincount(pieces.ravel())[1:]
    sides = [max(s.stop - s.start for s in box) for box in ndimage.find_objects(pieces)]
    return float(area[np.array(sides) <= len(grey) / 5].sum() / area.sum())


def _otsu(grey: np.ndarray) -> tuple[int, float]:
    """The level between two groups of pixels, and the variance it explains, 0 to 1.

    Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    below, sums = np.cumsum(share)[:-1], np.cumsum(share * np.arange(256))
    spread = np.maximum(below * (1 - below), 1e-12)
    between = (sums[-1] * below - sums[:-1]) ** 2 / spread
    level = int(between.argmax())
    return level, float(between[level] / max(float(grey.var()), 1e-9))


def _empty_strips(ink: np.ndarray) -> float:
    """Share of the rows without ink, between the first and the last that have some."""
    inked = np.flatnonzero(ink.mean(axis=1) > 0.01)
    return 1 - len(inked) / (inked[-1] - inked[0] + 1) if len(inked) else 0.0


def phash(image: np.ndarray) -> str:
    """Perceptual hash of 64 bits, as `imagehash.phash` gives it, 16 hex digits.

    Args:
        image: uint8 (H, W, 3) or grey (H, W).
    """
    import imagehash

    return str(imagehash.phash(Image.fromarray(image)))


def moved_hashes(image: np.ndarray) -> str:
    """`phash` of ten copies, moved by 2 % in eight directions and zoomed by 4 %.

    A detector places its box a little differently in a smaller copy of a picture, and
    that changes the plain hash by 6 to 14 bits. One of these is nearer.

    Returns: 160 hex digits.
    """
    side = image.shape[0]
    border = max(1, round(side * 2 * _STEP))
    grey = np.asarray(Image.fromarray(image).convert("L"))
    whole = Image.fromarray(np.pad(grey, border, "edge"))
    hashes = []
    for x, y, grow in _MOVED:
        low, high = border - grow * side, border + (1 + grow) * side
        box = (low + x * side, low + y * side, high + x * side, high + y * side)
        small = whole.resize((32, 32), Image.Resampling.LANCZOS, box)
        hashes.append(phash(np.asarray(small)))
    return "".join(hashes)


def thumbnail(image: np.ndarray) -> str:
    """A smoothed copy of 16 x 16 pixels in YCbCr, as 1,024 base64 characters."""
    from scipy.ndimage import gaussian_filter

    size = (THUMBNAIL, THUMBNAIL)
    small = Image.fromarray(image).convert("YCbCr").resize(size, Image.Resampling.BOX)
    smooth = gaussian_filter(np.asarray(small, np.float32), (1, 1, 0))
    return base64.b64encode(np.rint(smooth).astype(np.uint8).tobytes()).decode()
