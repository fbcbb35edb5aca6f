"""Scores for generated images; each one says how it was measured."""

from gan_lib.metrics.agreement import (
    AttributeAgreement,
    attribute_agreement,
    read_colours,
)
from gan_lib.metrics.colour import histogram_intersection, srgb_to_lab
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
from gan_lib.metrics.segmentation import (
    SegmentationScore,
    Segmenter,
    confusion_matrix,
    segmentation_score,
    segmenter,
)

__all__ = [
    "AttributeAgreement",
    "FID",
    "KID",
    "Distinct",
    "ImageFeatures",
    "Lite0Features",
    "Memorisation",
    "SegmentationScore",
    "Segmenter",
    "attribute_agreement",
    "confusion_matrix",
    "distinct",
    "distinct_threshold",
    "diversity",
    "fid",
    "histogram_intersection",
    "kid",
    "memorisation",
    "nearest_neighbours",
    "read_colours",
    "segmentation_score",
    "segmenter",
    "srgb_to_lab",
]
