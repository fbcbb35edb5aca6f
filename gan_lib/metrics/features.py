"""Images to feature vectors, the same way for real and for generated pictures.

Every score in this folder compares features, and a score moves when the resize
changes (Parmar et al. 2022, arXiv:2104.11222). So there is one road: quantise to
the 256 levels a saved picture has, resize with an antialiased bicubic filter in
float, channel by channel, clip to 0..255, and only then call the network.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gan_lib.data.pipeline import to_uint8
from gan_lib.metrics.lite0 import lite0

DEFAULT_SIZE_PX = 128
_TOLERANCE = 0.01  # half-precision generators overshoot tanh's range a little


class ImageFeatures:
    """A network and the size it wants, called on images, giving features.

    Args:
        network: keras.Model, images (B, size, size, 3) float32 in [-1, 1] ->
            features (B, d), or (B, h, w, d), which is averaged over h and w.
        size_px: side of the images the network is given. Default: the network's own
            input size, or 128 where it takes any size.
        name: how results call the network. Default: `network.name`.
    Raises: TypeError if `network` is not a Keras model; ValueError if `size_px` and
        the network's fixed input size disagree.
    """

    def __init__(
        self,
        network: keras.Model,
        size_px: int | None = None,
        *,
        name: str | None = None,
    ) -> None:
        if not isinstance(network, keras.Model):
            raise TypeError(
                "network: expected a keras.Model that turns images into features, "
                f"got {type(network).__name__}. Leave it out for EfficientNet-lite0."
            )
        shape = getattr(network, "input_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3):
            raise ValueError(
                "network: expected one image input (B, H, W, 3) or (B, H, W, 1), got "
                f"input shape {shape}. Build the network, or cut it at its features "
                "with keras.Model(inputs, features)."
            )
        _, height, width, self._channels = shape
        own_size = height if height == width else None
        if size_px and own_size and size_px != own_size:
            raise ValueError(
                f"size_px: the network '{network.name}' takes {own_size} px images, "
                f"got size_px={size_px}. Leave size_px out."
            )
        self.network = network
        self.size_px = int(size_px or own_size or DEFAULT_SIZE_PX)
        self.name = name or network.name
        # Levels, float32 (B, H, W, C) in [0, 255], unrounded -> features (B, d).
        self.of_levels = tf.function(
            self._forward,
            input_signature=[tf.TensorSpec((None, None, None, None), tf.float32)],
        )

    def __call__(self, images: Any, *, batch_size: int = 64) -> np.ndarray:
        """Features of `images`, a batch at a time, so memory stays small.

        Args:
            images: (N, H, W, 3) or (N, H, W, 1); uint8 0..255 or float in [-1, 1].
                Arrays, np.memmap and tensors are all fine.
            batch_size: images a step; it changes speed and memory, not the result.
        Returns: float32 (N, d).
        Raises: ValueError on another shape, type or range.
        """
        images = np.asarray(images)
        self._check_shape(images)
        if images.dtype != np.uint8:
            check_range(images, batch_size)
        features = [
            self.of_levels(_to_levels(images[i : i + batch_size])).numpy()
            for i in range(0, len(images), batch_size)
        ]
        return np.concatenate(features)

    def resize(self, images: Any) -> str:
        """Words for the resize that `images` go through, as results print it."""
        height, width = images.shape[1:3]
        if (height, width) == (self.size_px, self.size_px):
            return f"none ({self.size_px} px)"
        return f"{height}x{width} -> {self.size_px} px, antialiased bicubic"

    def _check_shape(self, images: np.ndarray) -> None:
        allowed = (1, 3) if self._channels == 3 else (1,)
        if images.ndim != 4 or images.shape[3] not in allowed:
            wanted = " or ".join(f"(N, H, W, {c})" for c in allowed)
            raise ValueError(
                f"images: expected a batch of shape {wanted}, got {images.shape}. "
                "Give one image as image[None], and channels last."
            )
        if 0 in images.shape:
            raise ValueError(f"images: expected at least one, got {images.shape}.")

    def _forward(self, levels: tf.Tensor) -> tf.Tensor:
        size = self.size_px
        # Bicubic resize is linear and separable: two small matrix products, which
        # are the library's own resize of the identity, about twice as fast on a CPU.
        rows = _resize_matrix(tf.shape(levels)[1], size)  # (size, H)
        columns = _resize_matrix(tf.shape(levels)[2], size)  # (size, W)
        levels = tf.einsum("ph,bhwc->bpwc", rows, levels)
        levels = tf.einsum("qw,bpwc->bpqc", columns, levels)  # (B, size, size, C)
        levels = tf.clip_by_value(levels, 0.0, 255.0)
        if self._channels == 3:  # a grey picture is the same in all three
            levels = tf.broadcast_to(levels, (tf.shape(levels)[0], size, size, 3))
        levels = tf.ensure_shape(levels, (None, size, size, self._channels))
        features = tf.cast(
            self.network(levels / 127.5 - 1.0, training=False), "float32"
        )
        if features.shape.rank == 4:
            features = tf.reduce_mean(features, axis=(1, 2))
        return features  # (B, d)


class Lite0Features(ImageFeatures):
    """Pooled features of ImageNet EfficientNet-lite0: images -> float32 (N, 1280).

    Args:
        size_px: side of the images the network is given, in pixels.
    """

    def __init__(self, size_px: int = DEFAULT_SIZE_PX) -> None:
        super().__init__(_lite0_once(), size_px, name="EfficientNet-lite0 (ImageNet)")


def extractor(network: keras.Model | ImageFeatures | None = None) -> ImageFeatures:
    """The feature network behind a `network=` argument; None is the default one."""
    if network is None:
        return _default_once()
    return network if isinstance(network, ImageFeatures) else ImageFeatures(network)


@functools.cache
def _lite0_once() -> keras.Model:
    return lite0()


@functools.cache
def _default_once() -> ImageFeatures:
    return Lite0Features()


def _to_levels(images: np.ndarray) -> np.ndarray:
    """Images as the 256 grey levels a saved picture has, float32 0..255."""
    if images.dtype != np.uint8:
        images = to_uint8(images.astype(np.float32))  # also from half precision
    return images.astype(np.float32)


def check_range(images: np.ndarray, batch_size: int) -> None:
    if images.dtype.kind in "biuOSU":
        raise ValueError(
            "images: expected uint8 in 0..255 or floats in [-1, 1], got dtype "
            f"{images.dtype}. Convert with images.astype('uint8') if they hold 0..255."
        )
    batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    low = min(float(batch.min()) for batch in batches)
    high = max(float(batch.max()) for batch in batches)
    # NaN fails both comparisons, so it ends up here as well.
    if not (low >= -1 - _TOLERANCE and high <= 1 + _TOLERANCE):
        raise ValueError(
            f"images: expected floats in [-1, 1], got {low:.3g} to {high:.3g}. "
            "For 0..255 pass uint8; NaN means that the generator has diverged."
        )
    if low >= 0:
        warnings.warn(
            f"images: no value below 0 ({low:.3g} to {high:.3g}). Floats are read as "
            "[-1, 1]; if these are in [0, 1], pass 2 * images - 1.",
            stacklevel=3,
        )


def _resize_matrix(length: tf.Tensor, size: int) -> tf.Tensor:
    identity = tf.eye(length)[:, :, None]
    shape = tf.stack([size, length])
    return tf.image.resize(identity, shape, "bicubic", antialias=True)[:, :, 0]


class Origin(NamedTuple):
    """How features were made, in words."""

    network: str
    resize: str


def one_set(
    given: Any, network: keras.Model | ImageFeatures | None, name: str
) -> tuple[np.ndarray, Origin]:
    """Images or 2-D features as finite float64 features (N, d), and their origin.

    Raises: ValueError naming `name` for an empty set or NaN, else as ImageFeatures.
    """
    origin = Origin("features as given", "as given")
    given = np.asarray(given)
    if given.ndim != 2:
        features = extractor(network)
        given, origin = features(given), Origin(features.name, features.resize(given))
    if given.size == 0 or not np.isfinite(given).all():
        raise ValueError(
            f"{name}: expected finite features (N, d), got shape {given.shape} with "
            f"{np.count_nonzero(~np.isfinite(given))} values NaN or infinite."
        )
    return given.astype(np.float64), origin


def paired_features(
    real: Any,
    fake: Any,
    network: keras.Model | ImageFeatures | None = None,
    names: tuple[str, str] = ("real", "fake"),
) -> tuple[np.ndarray, np.ndarray, Origin]:
    """Two sets as comparable float64 features, and how they were made.

    Args:
        real, fake: images (see `ImageFeatures`) or 2-D features, in any mix.
        network: see `extractor`; not used when both are features.
        names: what error messages call the two sets.
    Returns: features (N, d) and (M, d), float64, and their `Origin`.
    Raises: ValueError if the lengths differ, or as `one_set`.
    """
    network = None if network is None else extractor(network)  # wrap a model once
    (x, x_origin), (y, y_origin) = (
        one_set(given, network, name)
        for given, name in zip((real, fake), names, strict=True)
    )
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]}: expected features of one length, got "
            f"{x.shape} and {y.shape}. Use one network for both."
        )
    # Features computed before say nothing of their origin; images tell for both.
    network_name = min(x_origin.network, y_origin.network, key=_is_given)
    resizes = dict.fromkeys((x_origin.resize, y_origin.resize))
    return x, y, Origin(network_name, "; ".join(resizes))


def _is_given(words: str) -> bool:
    return words.endswith("as given")
