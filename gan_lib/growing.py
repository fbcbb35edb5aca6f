"""Progressive growing: the schedule of sizes, and the training that follows it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gan_lib.data.pipeline import Batches
from gan_lib.sizes import all_sizes


@dataclasses.dataclass(frozen=True)
class Stage:
    """One size of a growing training.

    First the new layers fade in over `fade_kimg`, then all train for `stable_kimg`
    (Karras et al. 2018, section 2 and appendix A, arXiv:1710.10196); the first size has
    nothing to fade.

    size: pixels a side.
    batch_size: images in one step.
    fade_kimg, stable_kimg: lengths, in thousands of real images.
    """

    size: int
    batch_size: int
    fade_kimg: float
    stable_kimg: float

    @property
    def kimg(self) -> float:
        return self.fade_kimg + self.stable_kimg


def schedule(
    image_size: int,
    fade_kimg: float,
    stable_kimg: float,
    *,
    start: int = 4,
    batch_sizes: dict[int, int] | int = 16,
) -> list[Stage]:
    """Stages from `start` to `image_size`, all of one length but the first.

    Args:
        image_size, start: pixels a side, powers of two; 4 in ProGAN, 8 in StyleGAN.
        fade_kimg, stable_kimg: of each stage, rounded to whole batches; 800 and 800 in
            the paper, 600 and 600 in the authors' later code.
        batch_sizes: one for all, or by size; large ones need more memory.
    Raises: ValueError on an `image_size` that no network here has, when a size has no
        batch size, or when batches do not divide each other, which a resumed training
        could not count.
    """
    if not 4 <= start <= image_size:
        raise ValueError(
            f"Expected 4 <= `start` <= `image_size`. Received: {start}, {image_size}"
        )
    sizes = [size for size in all_sizes(image_size) if size >= start]
    if isinstance(batch_sizes, int):
        batch_sizes = dict.fromkeys(sizes, batch_sizes)
    missing = [size for size in sizes if size not in batch_sizes]
    if missing:
        raise ValueError(f"Expected a batch size for each size. Missing: {missing}")
    largest = max(batch_sizes[size] for size in sizes)
    if any(largest % batch_sizes[size] for size in sizes):
        raise ValueError(
            "Expected batch sizes that divide the largest one, so that the count of "
            f"images fits all of them. Received: {batch_sizes}"
        )

    def whole(kimg):
        return max(1, round(kimg * 1000 / largest)) * largest / 1000

    return [
        Stage(
            size,
            batch_sizes[size],
            whole(fade_kimg) if size > start else 0.0,
            whole(stable_kimg),
        )
        for size in sizes
    ]


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 images (n, H, W, C), each pixel the mean of H / size x W / size of them."""
    factor = images.shape[1] // size
    if images.shape[1] != images.shape[2] or images.shape[1] != factor * size:
        raise ValueError(
            f"Expected square images whose side is a multiple of {size}. Received: "
            f"{images.shape}"
        )
    if factor == 1:
        return images
    blocks = images.reshape(-1, size, factor, size, factor, images.shape[-1])
    return np.rint(blocks.mean((2, 4))).astype("uint8")


def enlarge(images: np.ndarray, size: int) -> np.ndarray:
    """Images (n, H, H, C) at `size`, a multiple of H, each pixel as a square."""
    factor = size // images.shape[1]
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def fade_real(images, alpha):
    """Real images (B, H, W, C) as soft as the fakes are while a size fades in.

    (1 - alpha) doubled(halved(x)) + alpha x, halved by the mean of 2 x 2 pixels and
    doubled by nearest neighbours. A discriminator that saw sharp real images beside
    blurred fakes would know them by that alone.
    """
    blurred = tf.nn.avg_pool2d(images, 2, 2, "VALID")
    blurred = tf.repeat(tf.repeat(blurred, 2, 1), 2, 2)
    return blurred + (images - blurred) * alpha


class Restart(keras.callbacks.Callback):
    """Forgets the optimizers' moments where a stage begins, as the authors' code does.

    They belong to a game without the new layers. A checkpoint from the middle of a
    stage is left as it is.

    Args:
        start_image: images seen where the stage begins.
    """

    def __init__(self, start_image: int):
        super().__init__()
        self.start_image = start_image

    def on_train_begin(self, logs=None):
        gan = self.model
        if int(gan.images_seen.numpy()) != self.start_image:
            return
        for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
            for variable in optimizer.variables:
                if variable.name != "learning_rate":
                    variable.assign(keras.ops.zeros_like(variable))


def grow(
    gan,
    images: np.ndarray,
    stages: Sequence[Stage],
    *,
    seed: int = 0,
    resume: str | Path | None = None,
    max_minutes: float | None = None,
    tick_kimg: float | None = None,
    checkpoint_minutes: float = 2.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.callbacks.History:
    """Train through all stages, or go on where the newest checkpoint stands.

    Args:
        gan: a model with `set_stage(size, start_kimg, fade_kimg)`: see
            `gan_lib.models.progan`.
        images: uint8 (n, H, W, C), square, at the last size or larger; each stage sees
            them at its own.
        stages: see `schedule`.
        seed: of the order of images.
        resume, checkpoint_minutes, callbacks, verbose: as for `GAN.fit`.
        max_minutes: as for `GAN.fit`, of all stages together.
        tick_kimg: as for `GAN.fit`; the nearest length that divides all stages.
    Returns: a Keras History of all stages, one row a tick.
    """
    tick = _tick(stages, tick_kimg)
    deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
    start, history = 0, None  # in images: sums of kimg would be off in the last digit
    for stage in stages:
        first, start = start, start + round(1000 * stage.kimg)
        if gan.images_seen.numpy() >= start and stage is not stages[-1]:
            continue  # a checkpoint stands further on
        gan.set_stage(stage.size, first / 1000, stage.fade_kimg)
        left = None if deadline is None else (deadline - time.monotonic()) / 60
        history = gan.fit(
            Batches(shrink(images, stage.size), stage.batch_size, seed=seed),
            kimg=start / 1000,
            resume=resume,
            tick_kimg=tick,
            max_minutes=left,
            checkpoint_minutes=checkpoint_minutes,
            callbacks=[Restart(first), *callbacks],
            verbose=verbose,
        )
        if gan.images_seen.numpy() < start:  # the minutes were up
            break
    return history


def _tick(stages: Sequence[Stage], wanted: float | None) -> float:
    """A length in kimg, near the one wanted, that divides all stages and batches."""
    lengths = [round(1000 * x) for s in stages for x in (s.fade_kimg, s.stable_kimg)]
    unit, batch = math.gcd(*lengths), math.lcm(*(s.batch_size for s in stages))
    if unit % batch:
        raise ValueError(
            "Expected stages of whole batches, each batch size dividing the largest. "
            f"Received: {list(stages)}. `schedule` makes such stages."
        )
    whole = unit // batch
    ticks = [unit / n for n in range(1, whole + 1) if whole % n == 0]
    wanted = sum(lengths) / 50 if wanted is None else 1000 * wanted
    return min(ticks, key=lambda x: abs(math.log(x / wanted))) / 1000
