"""Does a translated face keep the colours it had? Known exactly for drawn faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_lib.data.face_law import BACKGROUNDS, HAIR_COLORS, SKINS
from gan_lib.metrics.colour import levels, srgb_to_lab
from gan_lib.metrics.segmentation import Segmenter

__all__ = ["AttributeAgreement", "attribute_agreement", "read_colours"]

NOT_FOUND = "not found"
_LEAST_PART = 0.005  # of a picture: below, a region is no more than an accident
# attribute: (region of the segmenter, second tone in the attributes, if there is one)
_REGIONS = {
    "hair_color": ("hair", "hair_tip_color"),
    "skin": ("skin", None),
    "background": ("background", "background_2"),
}


@dataclass(frozen=True)
class AttributeAgreement:
    """How many of n faces kept one attribute.

    attribute: "hair_color", "skin" or "background".
    share: of faces whose colour reads as what it should be, in [0, 1].
    interval: (low, high), Wilson's confidence interval of `share`.
    confidence: of the interval, as asked for.
    chance: the share to be expected from the same pictures in random order.
    ceiling: the share of the ideal answers; None if none were given.
    n: faces scored.
    """

    attribute: str
    share: float
    interval: tuple[float, float]
    confidence: float
    chance: float
    ceiling: float | None
    n: int

    @property
    def kappa(self) -> float:
        """(share - chance) / (1 - chance), Cohen 1960, p. 40: 0 is chance, 1 perfect.

        nan where chance is 1: one colour only, so there is nothing to keep apart.
        """
        if self.chance == 1:
            return float("nan")
        return (self.share - self.chance) / (1 - self.chance)

    def __str__(self) -> str:
        low, high = self.interval
        ideal = "" if self.ceiling is None else f", ideal answers {self.ceiling:.3f}"
        return (
            f"{self.attribute}: {self.share:.3f} ({low:.3f} to {high:.3f} at "
            f"{self.confidence:.0%}), chance {self.chance:.3f}{ideal}, {self.n} faces"
        )


def attribute_agreement(
    segmenter: Segmenter,
    images: Any,
    attributes: Mapping[str, Any],
    *,
    ideal: Any = None,
    confidence: float = 0.95,
) -> dict[str, AttributeAgreement]:
    """Share of translated faces that keep hair colour, skin and background.

    With t_i the attribute of source i and r_i the colour `read_colours` finds in its
    translation:
        share  = (1/n) sum_i [r_i = t_i]
        chance = (1/n^2) sum_i sum_j [r_j = t_i],
    the mean of `share` over all n! orders of the pictures. So a network that paints
    every face alike is at chance, however often the law draws what it paints. The
    interval is Wilson 1927, p. 209-210, for a share of n independent faces.

    It says whether colours were kept, not whether the style was reached: pictures
    handed through unchanged score high. Read it beside KID.

    A face counts for an attribute if that is one colour: two-tone hair and two-tone
    backgrounds do not. Skin always counts.

    Args:
        segmenter: of the style translated to, from `gan_lib.metrics.segmenter`.
        images: the translations (n, size, size, 3), uint8 or float in [-1, 1].
        attributes: of the n sources, as `two_styles(...).attributes_a` has them:
            hair_color, skin and background are used, and any of them may be absent.
        ideal: `gan_lib.data.two_styles.counterparts` of the same sources, n images;
            their share is the ceiling, what the reading itself gets wrong.
        confidence: of the interval, in (0, 1).
    Returns: {attribute: AttributeAgreement}, without those of which no face counts.
    Raises: ValueError if lengths differ, nothing can be scored, or `images` have
        another size, shape or range.
    """
    from scipy.stats import binomtest

    found = read_colours(segmenter, images)
    best = None if ideal is None else read_colours(segmenter, ideal)
    n = len(found["skin"])
    truths = _truths(attributes, n)
    if best is not None and len(best["skin"]) != n:
        raise ValueError(
            f"ideal: expected an ideal answer for each of the {n} images, got "
            f"{len(best['skin'])}. Draw them with `counterparts(attributes, ...)`."
        )
    scores = {}
    for name, (truth, counts) in truths.items():
        right, number = found[name][counts] == truth[counts], int(counts.sum())
        test = binomtest(int(right.sum()), number)
        low, high = test.proportion_ci(confidence, method="wilson")
        scores[name] = AttributeAgreement(
            attribute=name,
            share=float(right.mean()),
            interval=(float(low), float(high)),
            confidence=confidence,
            chance=_chance(truth[counts], found[name][counts]),
            ceiling=None
            if best is None
            else float((best[name][counts] == truth[counts]).mean()),
            n=number,
        )
    return scores


def read_colours(segmenter: Segmenter, images: Any) -> dict[str, np.ndarray]:
    """The named colour of hair, skin and background of each drawn or painted face.

    For the pixels p that the segmenter finds to be of a region,
        argmin_k || median_p Lab(p) - Lab(c_k) ||,
    Lab as `srgb_to_lab` (CIE 15:2004), c_k the colour of name k in the attribute law,
    for hair the middle of its two tones. The regions are found in the picture itself,
    so a face may sit elsewhere or have another shape than the one it should be.

    Args:
        segmenter: of the style the pictures should have.
        images: (n, size, size, 3), uint8 or float in [-1, 1].
    Returns: hair_color, skin, background: n names each, "not found" where the region
        covers less than 0.5 % of the picture.
    Raises: ValueError on another size, shape or range.
    """
    images = levels(images)
    labels = segmenter.predict_labels(images)
    palettes = _palettes()
    found: dict[str, list[str]] = {name: [] for name in _REGIONS}
    for picture, regions in zip(images, labels, strict=True):
        for name, (region, _) in _REGIONS.items():
            pixels = picture[regions == segmenter.label_names.index(region)]
            if len(pixels) < _LEAST_PART * regions.size:
                found[name].append(NOT_FOUND)
                continue
            names, colours = palettes[name]
            colour = np.median(srgb_to_lab(pixels), axis=0)
            found[name].append(names[((colours - colour) ** 2).sum(-1).argmin()])
    return {name: np.array(values) for name, values in found.items()}


def _palettes() -> dict[str, tuple[list[str], np.ndarray]]:
    """Names and CIE L*a*b* of the colours of each attribute."""
    tones = {
        "hair_color": HAIR_COLORS,
        "skin": {name: (skin, skin) for name, (skin, _) in SKINS.items()},
        "background": {name: (paint, paint) for name, paint in BACKGROUNDS.items()},
    }
    return {
        attribute: (list(colours), srgb_to_lab(_middle(list(colours.values()))))
        for attribute, colours in tones.items()
    }


def _middle(tones: list[tuple[str, str]]) -> np.ndarray:
    """uint8 (n, 3): halfway between two hex colours each."""
    values = [[list(bytes.fromhex(tone[1:])) for tone in pair] for pair in tones]
    return np.array(values).mean(axis=1).round().astype(np.uint8)


def _truths(
    attributes: Mapping[str, Any], n: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Names that should be read, and whether each face counts."""
    truths = {}
    for name, (_, second) in _REGIONS.items():
        if name not in attributes:
            continue
        truth = np.asarray(attributes[name])
        if truth.shape != (n,):
            raise ValueError(
                f"attributes: expected {n} values of {name}, one for each image, got "
                f"the shape {truth.shape}. Take both from the same call of two_styles."
            )
        counts = truth == np.asarray(attributes.get(second, truth))
        if counts.any():
            truths[name] = truth, counts
    if not truths:
        raise ValueError(
            f"attributes: expected some of {', '.join(_REGIONS)}, each of one colour "
            f"in one face at least, got {', '.join(attributes) or 'nothing'}. "
            "two_styles(...).attributes_a has them."
        )
    return truths


def _chance(truth: np.ndarray, found: np.ndarray) -> float:
    """Sum over names of (share in `truth`) times (share in `found`)."""
    return float(sum((truth == k).mean() * (found == k).mean() for k in set(truth)))
