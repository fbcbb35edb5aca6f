"""From an array of pictures to an endless stream of training batches.

The order of the samples is a pure function of (seed, position), where position
counts every sample ever drawn.  There is no shuffle buffer, hence no hidden
state to save: a run that stopped after step 1,234 asks for ``dataset(1_234)``
and receives exactly the batches it would have seen.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

_FLIP_STREAM = 0x466C6970  # a third seed word that keeps flips apart from order
_ORDER_STREAM = 0x4F726472
_FLIP_PERIOD = 2**30


def to_float(images):
    """Map uint8 pictures in [0, 255] to float32 in [-1, 1].

    Equation: ``x / 127.5 - 1``.

    Args:
        images: uint8 NumPy array or TensorFlow tensor of any shape.

    Returns:
        float32 array or tensor (the same kind as given) of the same shape.

    Raises:
        TypeError: `images` is not uint8.
    """
    if not tf.is_tensor(images):
        images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(
            "to_float expects uint8 pictures with values 0 to 255, but got "
            f"{_dtype_name(images)}. If they are already in [-1, 1], use them as "
            "they are; if they are 0 to 255 in another type, call "
            "`.astype('uint8')` first."
        )
    if tf.is_tensor(images):
        return tf.cast(images, tf.float32) / 127.5 - 1.0
    # In place: one float copy of the pictures instead of three.
    scaled = images.astype(np.float32)
    scaled /= np.float32(127.5)
    scaled -= np.float32(1.0)
    return scaled


def to_uint8(images):
    """Map float pictures in [-1, 1] to uint8 in [0, 255].

    Equation: ``clip(round((x + 1) * 127.5), 0, 255)``; values outside [-1, 1]
    are clipped.  ``to_uint8(to_float(x)) == x`` for every uint8 `x`.

    Args:
        images: floating NumPy array or TensorFlow tensor of any shape.

    Returns:
        uint8 array or tensor (the same kind as given) of the same shape.

    Raises:
        TypeError: `images` is not of a floating type.
    """
    is_tensor = tf.is_tensor(images)
    if not is_tensor:
        images = np.asarray(images)
    if not tf.as_dtype(images.dtype).is_floating:
        raise TypeError(
            "to_uint8 expects float pictures in [-1, 1], but got "
            f"{_dtype_name(images)}. uint8 pictures need no conversion."
        )
    if is_tensor:
        scaled = tf.round((tf.cast(images, tf.float32) + 1.0) * 127.5)
        return tf.cast(tf.clip_by_value(scaled, 0.0, 255.0), tf.uint8)
    scaled = np.rint((images.astype(np.float32) + 1.0) * np.float32(127.5))
    return np.clip(scaled, 0.0, 255.0).astype(np.uint8)


class Batches:
    """Endless, shuffled, resumable batches of pictures.

    With N pictures and batch size B, sample i of step s has the position
    ``p = s * B + i``.  It belongs to epoch ``p // N`` and shows picture
    ``shuffle(p % N; seed, epoch)``, where `shuffle` permutes 0 ... N-1 anew for
    every epoch (TensorFlow's ``RandomIndexShuffle``, a small block cipher, so no
    list of N numbers is ever stored).  Batches run on across the end of an
    epoch, therefore all have exactly B pictures and B may exceed N.

    Args:
        images: uint8 array (N, H, W, C), or an ``np.memmap`` of that shape, which
            is then read from disk batch by batch and never loaded as a whole.
        batch_size: pictures per batch, at least 1.
        seed: whole number in [0, 2**31).
        flip: mirror each sample left-right with probability 1/2, decided by
            (seed, position) alone.

    Attributes:
        num_images: N.
        image_shape: (H, W, C).
        batch_size: B.
        steps_per_epoch: ceil(N / B), the steps after which every picture has been
            seen at least once.

    Raises:
        TypeError, ValueError: with what was expected, what came and the cure.
    """

    def __init__(
        self,
        images: np.ndarray,
        batch_size: int,
        *,
        seed: int = 0,
        flip: bool = False,
    ) -> None:
        _check_images(images)
        self.images = images
        self.batch_size = _check_int("batch_size", batch_size, 1, 2**31)
        self.seed = _check_int("seed", seed, 0, 2**31)
        self.flip = bool(flip)
        self.num_images = int(images.shape[0])
        self.image_shape = tuple(int(side) for side in images.shape[1:])
        self.steps_per_epoch = math.ceil(self.num_images / self.batch_size)
        self._pixels = None
        if not isinstance(images, np.memmap):
            # An eager tensor on the host: `map` captures it by reference, whereas
            # a graph constant would be limited to 2 GB and live on the GPU.
            with tf.device("CPU:0"):
                self._pixels = tf.convert_to_tensor(images)

    def __repr__(self) -> str:
        return (
            f"Batches({self.num_images} pictures of shape {self.image_shape}, "
            f"batch_size={self.batch_size}, seed={self.seed}, flip={self.flip})"
        )

    def indices(self, step: int) -> np.ndarray:
        """Numbers of the pictures shown in batch `step`: int64, shape (B,)."""
        with tf.device("CPU:0"):
            return self._index_of(self._positions(tf.constant(step, tf.int64))).numpy()

    def dataset(self, start_step: int = 0) -> tf.data.Dataset:
        """The batches `start_step`, `start_step` + 1, ... without end.

        Starting late costs nothing and equals skipping, bit for bit:
        ``dataset(k)`` is ``dataset().skip(k)``.

        Args:
            start_step: number of the first batch, at least 0.

        Returns:
            ``tf.data.Dataset`` of float32 tensors (B, H, W, C) in [-1, 1],
            prefetched, of infinite cardinality.
        """
        start = _check_int("start_step", start_step, 0, 2**53 // self.batch_size)
        steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
        batches = steps.map(self._batch, num_parallel_calls=2, deterministic=True)
        batches = batches.apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
        return batches.prefetch(4)

    def _positions(self, step: tf.Tensor) -> tf.Tensor:
        return step * self.batch_size + tf.range(self.batch_size, dtype=tf.int64)

    def _shuffle(self, positions: tf.Tensor, period: int, stream: int) -> tf.Tensor:
        """Where each position lands when every `period` of them is permuted anew.

        The function `tf.random.experimental.index_shuffle` pads a batch of seeds
        along the wrong axis (seen in TensorFlow 2.20 and 2.21), so this calls the
        operation behind it, which takes one seed of three words per element.
        """
        cycle = positions // period
        ones = tf.ones_like(positions)
        return tf.raw_ops.RandomIndexShuffle(
            index=positions % period,
            seed=tf.stack([self.seed * ones, cycle, stream * ones], axis=1),
            max_index=(period - 1) * ones,
            rounds=8,
        )

    def _index_of(self, positions: tf.Tensor) -> tf.Tensor:
        return self._shuffle(positions, self.num_images, _ORDER_STREAM)

    def _is_flipped(self, positions: tf.Tensor) -> tf.Tensor:
        # Half of a shuffled range of numbers lies below its middle: a fair coin
        # for every position, with no generator state.
        coin = self._shuffle(positions, _FLIP_PERIOD, _FLIP_STREAM)
        return coin < _FLIP_PERIOD // 2

    def _batch(self, step: tf.Tensor) -> tf.Tensor:
        positions = self._positions(step)
        index = self._index_of(positions)
        if self._pixels is None:
            pixels = tf.numpy_function(self._read, [index], tf.uint8, stateful=False)
        else:
            pixels = tf.gather(self._pixels, index)
        pixels = tf.ensure_shape(pixels, (self.batch_size, *self.image_shape))
        if self.flip:  # while they are still bytes: a quarter of the memory traffic
            mirror = self._is_flipped(positions)[:, None, None, None]
            pixels = tf.where(mirror, tf.reverse(pixels, axis=[2]), pixels)
        return to_float(pixels)

    def _read(self, index: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.images[index])


def _dtype_name(images) -> str:
    return tf.as_dtype(images.dtype).name if tf.is_tensor(images) else images.dtype.name


def _check_int(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(
            f"{name} must be a whole number, but got {value!r} "
            f"({type(value).__name__}). Write for example {name}={max(low, 64)}."
        )
    if not low <= value < high:
        raise ValueError(
            f"{name} must be at least {low} and below {high}, but got {value}."
        )
    return int(value)


def _check_images(images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray):
        raise TypeError(
            "Batches expects a NumPy array (or np.memmap) of uint8 pictures with "
            f"shape (N, height, width, channels), but got {type(images).__name__}. "
            "`faces(...)` and `load_folder(...)` give it as `.images`."
        )
    if images.dtype != np.uint8:
        raise TypeError(
            f"Batches expects uint8 pictures (0 to 255), but got {images.dtype}. "
            "Float pictures in [-1, 1] are converted by `to_uint8(images)`."
        )
    if images.ndim != 4:
        hint = (
            "Add the missing channel axis with `images[..., None]`."
            if images.ndim == 3
            else "Stack the pictures with `np.stack(list_of_pictures)`."
        )
        raise ValueError(
            "Batches expects the shape (N, height, width, channels), but got "
            f"{images.shape}. {hint}"
        )
    if 0 in images.shape:
        raise ValueError(
            f"Batches expects at least one picture with at least one pixel, but got "
            f"the shape {images.shape}. Check what was loaded: an empty selection or "
            "a wrong folder is the usual cause."
        )
