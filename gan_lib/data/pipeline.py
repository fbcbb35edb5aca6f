"""From an array of pictures to an endless stream of training batches.

The order of the samples is a pure function of (seed, position), where position
counts every sample ever drawn.  There is no shuffle buffer, hence no hidden
state to save: a run that stopped after step 1,234 asks for ``dataset(1_234)``
and receives exactly the batches it would have seen.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from gan_lib.data import python_calls


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
    ``order[p % N]``, where `order` is a permutation of 0 ... N-1 drawn anew for
    every epoch from the seed [seed, epoch].  Batches run on across the end of an
    epoch, therefore all have exactly B pictures and B may exceed N.

    NumPy draws the order and collects the bytes: no second copy of the data set
    and no limit of 2 GB.  (TensorFlow's own stateless `index_shuffle` was measured
    first: its four cipher rounds leave neighbours correlated, a data set below
    65,536 pictures has only 256 orders per seed, and a small one is slow.)

    Args:
        images: uint8 array (N, H, W, C), or an ``np.memmap`` of that shape, which
            is then read from disk batch by batch and never loaded as a whole.
        batch_size: pictures per batch, at least 1.
        seed: whole number in [0, 2**63).
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
        self.batch_size = check_int("batch_size", batch_size, 1, 2**31)
        self.seed = check_int("seed", seed, 0, 2**63)
        self.flip = bool(flip)
        self.num_images = int(images.shape[0])
        self.image_shape = tuple(int(side) for side in images.shape[1:])
        self.steps_per_epoch = math.ceil(self.num_images / self.batch_size)
        # Two batches are prepared at a time and each may touch two epochs.
        self._epoch = functools.lru_cache(maxsize=4)(self._draw_epoch)

    def __repr__(self) -> str:
        return (
            f"Batches({self.num_images} pictures of shape {self.image_shape}, "
            f"batch_size={self.batch_size}, seed={self.seed}, flip={self.flip})"
        )

    def samples(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """What batch `step` shows, without reading any picture.

        Args:
            step: number of the batch, at least 0.

        Returns:
            (indices, mirrored): int64 and bool arrays of shape (B,), the number of
            each picture and whether it appears mirrored.
        """
        first = int(step) * self.batch_size
        indices = np.empty(self.batch_size, np.int64)
        mirrored = np.zeros(self.batch_size, bool)
        done = 0
        while done < self.batch_size:  # once, or twice where an epoch ends
            epoch, start = divmod(first + done, self.num_images)
            order, mirror = self._epoch(epoch)
            count = min(self.batch_size - done, self.num_images - start)
            indices[done : done + count] = order[start : start + count]
            if mirror is not None:
                mirrored[done : done + count] = mirror[start : start + count]
            done += count
        return indices, mirrored

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
        shape = (self.batch_size, *self.image_shape)
        return endless(self.collect, [shape], start_step)

    def _draw_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray | None]:
        order = np.random.default_rng([self.seed, epoch, 0]).permutation(
            self.num_images
        )
        if not self.flip:
            return order, None
        coins = np.random.default_rng([self.seed, epoch, 1]).random(self.num_images)
        return order, coins < 0.5

    def collect(self, step: int) -> np.ndarray:
        """Batch `step` as uint8 pictures (B, H, W, C)."""
        indices, mirrored = self.samples(step)
        pixels = np.asarray(self.images[indices])  # a copy; a memmap reads its rows
        from_right = np.arange(self.image_shape[1] - 1, -1, -1)
        for number in np.flatnonzero(mirrored):
            # `take` is five times faster here than assigning a [:, ::-1] view.
            pixels[number] = pixels[number].take(from_right, axis=1)
        return pixels


def endless(
    collect: Callable[[int], np.ndarray | tuple[np.ndarray, ...]],
    shapes: Sequence[tuple[int, ...]],
    start_step: int,
    kinds: Sequence[tf.DType] = (),
) -> tf.data.Dataset:
    """The float pictures of `collect(k)`, `collect(k + 1)`, ... without end.

    Args:
        collect: from the number of a step to one array, or several; called from two
            threads.
        shapes: of the arrays, one or several, each with the batch in front.
        start_step: k, the number of the first batch, at least 0.
        kinds: of the arrays; none: all are uint8. What is not uint8 is no picture and
            passes as it is.
    Returns: ``tf.data.Dataset`` of one float32 tensor in [-1, 1], or of several.
    """
    start = check_int("start_step", start_step, 0, 2**62 // shapes[0][0])
    counted = python_calls.counted(collect)

    kinds = list(kinds) or [tf.uint8] * len(shapes)

    def batch(step: tf.Tensor):
        arrays = tf.numpy_function(counted, [step], kinds, stateful=False)
        arrays = map(tf.ensure_shape, arrays, shapes)
        floats = tuple(to_float(x) if x.dtype == tf.uint8 else x for x in arrays)
        return floats if len(floats) > 1 else floats[0]

    steps = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
    batches = steps.map(batch, num_parallel_calls=2, deterministic=True)
    batches = batches.apply(
        tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    )
    return batches.prefetch(4)


def _dtype_name(images) -> str:
    return tf.as_dtype(images.dtype).name if tf.is_tensor(images) else images.dtype.name


def check_int(name: str, value: int, low: int, high: int) -> int:
    """`value`, if it is a whole number from `low` up to below `high`."""
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
