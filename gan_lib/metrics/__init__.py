"""Scores for generated images; each one says how it was measured."""

from gan_lib.metrics.agreement import (
    AttributeAgreement,
    attribute_agreement,
    read_colours,
)
from gan_lib.metrics.attribute_reader import (
    Accuracy,
    AttributeReader,
    attribute_changes,
)
from gan_lib.metrics.classifier import ClassReader, class_accuracy, per_class
from gan_lib.metrics.colour import histogram_intersection, srgb_to_lab
from gan_lib.metrics.features import ImageFeatures, Lite0Features
from gan_lib.metrics.fid import FID, fid
from gan_lib.metrics.inception_score import InceptionScore, inception_score
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
from gan_lib.metrics.perceptual_path import (
    PerceptualPathLength,
    gan_path_length,
    perceptual_path_length,
)
from gan_lib.metrics.precision_recall import PrecisionRecall, precision_recall
from gan_lib.metrics.segmentation import (
    SegmentationScore,
    Segmenter,
    confusion_matrix,
    segmentation_score,
    segmenter,
)
from gan_lib.metrics.separability import (
    Separability,
    linear_classifier,
    separability,
)

__all__ = [
    "Accuracy",
    "AttributeAgreement",
    "AttributeReader",
    "ClassReader",
    "FID",
    "KID",
    "Distinct",
    "ImageFeatures",
    "InceptionScore",
    "Lite0Features",
    "Memorisation",
    "PerceptualPathLength",
    "PrecisionRecall",
    "SegmentationScore",
    "Segmenter",
    "Separability",
    "attribute_agreement",
    "attribute_changes",
    "class_accuracy",
    "confusion_matrix",
    "distinct",
    "distinct_threshold",
    "diversity",
    "fid",
    "gan_path_length",
    "histogram_intersection",
    "inception_score",
    "kid",
    "linear_classifier",
    "memorisation",
    "nearest_neighbours",
    "per_class",
    "perceptual_path_length",
    "precision_recall",
    "read_colours",
    "segmentation_score",
    "segmenter",
    "separability",
    "srgb_to_lab",
]
