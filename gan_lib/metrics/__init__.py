"""Scores for generated images; each one says how it was measured."""

from gan_lib.metrics.features import ImageFeatures, Lite0Features
from gan_lib.metrics.fid import FID, fid
from gan_lib.metrics.kid import KID, kid
from gan_lib.metrics.neighbours import (
    Distinct,
    Memorisation,
    distinct,
    distinct_threshold,
    diversity,
    memorisation,
    nearest_neighbours,
)

__all__ = [
    "FID",
    "KID",
    "Distinct",
    "ImageFeatures",
    "Lite0Features",
    "Memorisation",
    "distinct",
    "distinct_threshold",
    "diversity",
    "fid",
    "kid",
    "memorisation",
    "nearest_neighbours",
]
