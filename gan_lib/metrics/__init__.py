"""Scores for generated images: each one says how it was measured."""

from gan_lib.metrics.features import ImageFeatures, Lite0Features
from gan_lib.metrics.kid import KID, kid

__all__ = ["KID", "ImageFeatures", "Lite0Features", "kid"]
