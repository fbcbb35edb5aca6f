"""Random changes of images, so that a discriminator cannot learn a small set by heart.

Karras et al. 2020, appendix B, arXiv:2006.06676: what the authors call "bgc", pixel
blitting, general geometry and colour. Reals and fakes are changed alike, so the
discriminator compares changed reals with changed fakes. The generator does not learn
the changes themselves as long as each image has a fair chance of none (section 2.2 and
appendix C there). Everything is differentiable in the images, any number of times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np
import tensorflow as tf

from gan_lib.randomness import Draws


def _unit(size: int, *places: tuple[int, int]) -> np.ndarray:
    """A matrix with ones at these places and zeros elsewhere."""
    matrix = np.zeros((size, size), "float32")
    for place in places:
        matrix[place] = 1
    return matrix


def _sum(*terms) -> tf.Tensor:
    """Matrices (B, n, n): a sum of numbers (B,) or (), each times a matrix (n, n)."""
    return sum(tf.reshape(number, (-1, 1, 1)) * matrix for number, matrix in terms)


# Places (x, y, 1), x to the right and y down, in pixels from the middle of the image.
# All matrices of places are inverses: from a place in the result to one in the source.
_X, _Y, _ONE = (_unit(3, (i, i)) for i in range(3))
_TO_X, _TO_Y = _unit(3, (0, 2)), _unit(3, (1, 2))
_TURN = _unit(3, (0, 1)) - _unit(3, (1, 0))


def _scale(x, y):
    return _sum((1 / x, _X), (1 / y, _Y), (1.0, _ONE))


def _rotate(turns):
    angle = 2 * math.pi * turns
    return _sum((tf.cos(angle), _X + _Y), (tf.sin(angle), _TURN), (1.0, _ONE))


def _translate(x, y):
    return _sum((1.0, _X + _Y + _ONE), (-x, _TO_X), (-y, _TO_Y))


# Colours (red, green, blue, 1). Grey is the axis that hue turns around.
_RGB, _LAST = _unit(4, (0, 0), (1, 1), (2, 2)), _unit(4, (3, 3))
_SAME = _RGB + _LAST
_GREY = np.pad(np.full((3, 3), 1 / 3, "float32"), (0, 1))  # v v^T of `augment`
_SHIFT = _unit(4, (0, 3), (1, 3), (2, 3))
_CROSS = (  # v x colour
    _unit(4, (0, 2), (1, 0), (2, 1)) - _unit(4, (0, 1), (1, 2), (2, 0))
) / math.sqrt(3)


def _hue(turns):
    angle = 2 * math.pi * turns
    turned = (tf.cos(angle), _RGB - _GREY), (tf.sin(angle), _CROSS)
    return _sum(*turned, (1.0, _GREY + _LAST))


# The law of the numbers s and t, float32 (B,), and the matrices (B, n, n) made of them
# and of the sides in pixels; `augment` says what they are.
GEOMETRY: dict[str, tuple[str, Callable]] = {
    "flip": ("uniform", lambda s, t, h, w: _scale(1 - 2 * tf.floor(2 * s), 1.0)),
    "rotation_90": (
        "uniform",
        lambda s, t, h, w: tf.round(_rotate(tf.floor(4 * s) / 4)),
    ),
    "whole_translation": (
        "uniform",
        lambda s, t, h, w: tf.round(_translate((s - 0.5) * w / 4, (t - 0.5) * h / 4)),
    ),
    "scaling": ("normal", lambda s, t, h, w: _scale(2 ** (s / 5), 2 ** (s / 5))),
    "rotation_before": ("uniform", lambda s, t, h, w: _rotate(s)),
    "stretching": ("normal", lambda s, t, h, w: _scale(2 ** (s / 5), 2 ** (-s / 5))),
    "rotation_after": ("uniform", lambda s, t, h, w: _rotate(s)),
    "translation": ("normal", lambda s, t, h, w: _translate(s * w / 8, t * h / 8)),
}
COLOUR: dict[str, tuple[str, Callable]] = {
    "brightness": ("normal", lambda s, *_: _sum((1.0, _SAME), (s / 5, _SHIFT))),
    "contrast": ("normal", lambda s, *_: _sum((2 ** (s / 2), _RGB), (1.0, _LAST))),
    "luma_flip": (
        "uniform",
        lambda s, *_: _sum((1.0, _SAME), (-2 * tf.floor(2 * s), _GREY)),
    ),
    "hue": ("uniform", lambda s, *_: _hue(s)),
    "saturation": (
        "normal",
        lambda s, *_: _sum((2**s, _RGB - _GREY), (1.0, _GREY + _LAST)),
    ),
}
TRANSFORMS = (*GEOMETRY, *COLOUR)
_IS_HALF = [x in ("rotation_before", "rotation_after") for x in TRANSFORMS]


def augment(
    images,
    probability,
    draws: Draws,
    *,
    name: str = "augment",
    transforms: Collection[str] = TRANSFORMS,
) -> tf.Tensor:
    """Images, each changed by some of the transforms, drawn with this probability.

    result(u) = C image(G^-1 u),  G = T_k ... T_2 T_1,  C = C_m ... C_2 C_1
    u: a place in pixels from the middle. Each T and C is left out (the identity) with
    probability 1 - p, else drawn anew for each image; in this order (Karras et al.
    2020, appendix B, arXiv:2006.06676), with N normal, U uniform, W x H pixels:
        flip: left and right exchanged or not, each 1/2.
        rotation_90: by 0, 90, 180 or 270 degrees, each 1/4.
        whole_translation: U(-1/8, 1/8) of W and H, rounded to whole pixels.
        scaling: of both sides by 2^N(0, 0.2^2).
        rotation_before, rotation_after: by U(-180, 180) degrees, each with
            probability 1 - sqrt(1 - p), so that one of them at least has p.
        stretching: width times s, height times 1/s, s = 2^N(0, 0.2^2).
        translation: N(0, (1/8)^2) of W and H.
        brightness: N(0, 0.2^2) is added to each channel.
        contrast: all channels times 2^N(0, 0.5^2).
        luma_flip: x - 2 v (v . x) or not, each 1/2, v = (1, 1, 1) / sqrt 3.
        hue: colours turned around v by U(-180, 180) degrees.
        saturation: the part across v times 2^N(0, 1).
    Pixels between places are bilinear, see `warp`. Ours differs: the authors double
    the image with a wavelet filter before they move it and halve it after, which keeps
    more of the fine detail and costs more. Beyond the first mirror image they show
    black, we show mirror images without end.

    Args:
        images: float (B, H, W, C), range [-1, 1], H and W known and at least 2; C is
            3, or 1, which is treated as a grey picture.
        probability: p, a scalar in [0, 1]. 0: the images come back as they are.
        draws: where the numbers come from.
        name: of the streams in `draws`; another name, other changes.
        transforms: names of those that may happen; their order here means nothing.
    Returns: float32 (B, H, W, C). Not clipped: brightness and contrast can leave
        [-1, 1].
    Raises: ValueError on other shapes or names.
    """
    images = tf.cast(images, "float32")
    check_transforms(transforms)
    _check_images(images, transforms)
    drawn = _draw(tf.shape(images)[0], probability, draws, name)
    size = images.shape[1:3]
    places = _product(GEOMETRY, transforms, drawn, size, inverse=True)
    if places is not None:
        images = warp(images, places)
    colours = _product(COLOUR, transforms, drawn, size, inverse=False)
    if colours is not None:
        images = recolour(images, colours)
    return images


def _draw(batch, probability, draws: Draws, name: str) -> dict[str, tuple]:
    """For each transform: its numbers s and t (B,), and whether it happens (B, 1, 1).

    All that has one law is drawn at once: one by one it would be 26 small operations.
    """
    count = len(TRANSFORMS)
    laws = {
        law: getattr(draws, law)(f"{name}_{law}", (batch, count, 2))
        for law in ("uniform", "normal")
    }
    chance = tf.cast(probability, "float32")
    each = tf.where(_IS_HALF, 1 - tf.sqrt(1 - chance), chance)
    happens = draws.uniform(f"{name}_happens", (batch, count)) < each
    return {
        transform: (*tf.unstack(laws[law][:, i], axis=1), happens[:, i, None, None])
        for i, (transform, (law, _)) in enumerate((GEOMETRY | COLOUR).items())
    }


def _product(table, chosen, drawn, size, *, inverse: bool):
    """All chosen transforms of a table as one matrix an image; None without any."""
    total = None
    for transform in (x for x in table if x in chosen):
        *numbers, happens = drawn[transform]
        matrices = table[transform][1](*numbers, *size)
        matrices = tf.where(happens, matrices, tf.eye(matrices.shape[-1]))
        if total is None:
            total = matrices
        else:
            total = _times(total, matrices) if inverse else _times(matrices, total)
    return total


def _times(first, second):
    """Products of matrices (B, n, n).

    Not by `tf.matmul`, which a GPU may round to 10 bits: places need all of float32.
    """
    return tf.reduce_sum(first[..., None] * second[:, None], 2)


def warp(images, matrices) -> tf.Tensor:
    """Images whose pixel at a place is taken from another one, by bilinear look-up.

    result(x, y) = image(x', y'),  (x', y', 1) = M (x, y, 1)
    Beyond the border lie mirror images, of which the border pixel is the mirror: b is
    followed by c, b, a in an image of a row a, b, c.

    Args:
        images: float32 (B, H, W, C), H and W at least 2 and known.
        matrices: M, float32 (B, 3, 3), last row (0, 0, 1); x to the right, y down, in
            pixels from the middle of the image.
    Returns: float32 (B, H, W, C), linear in the images; exact where M leads from whole
        pixels to whole pixels.
    """
    images = tf.convert_to_tensor(images)
    height, width = images.shape[1:3]
    x = tf.range(width, dtype="float32") - (width - 1) / 2
    y = tf.range(height, dtype="float32")[:, None] - (height - 1) / 2
    of_x, of_y, of_1 = tf.unstack(matrices[:, :2, :, None, None], axis=2)
    places = of_x * x + of_y * y + of_1  # (B, 2, H, W)
    columns, across = (tf.stack(x, 1) for x in _mirrored(places[:, 0], width))
    rows, down = (tf.stack(x, 1) for x in _mirrored(places[:, 1], height))
    first = tf.range(tf.shape(images)[0]) * (height * width)
    numbers = first[:, None, None, None, None] + rows[:, :, None] * width
    numbers += columns[:, None]
    found = _pixels(images, numbers)  # (B, 2, 2, H, W, C)
    weights = down[:, :, None] * across[:, None]
    return tf.reduce_sum(found * weights[..., None], (1, 2))


def _pixels(images, numbers):
    """The pixels with these numbers, int32 (B, ...), counted through all images.

    TensorFlow's own gradient of the gradient asks XLA for shapes that it does not know
    inside a condition, where a lazy penalty is computed.
    """
    size = images.shape[1:]

    @tf.custom_gradient
    def gather(images):
        return tf.gather(tf.reshape(images, (-1, size[2])), numbers), scatter

    @tf.custom_gradient
    def scatter(upstream):
        count = tf.shape(upstream)[0] * (size[0] * size[1])
        total = tf.math.unsorted_segment_sum(upstream, numbers, count)
        return tf.reshape(total, (-1, *size)), gather

    return gather(images)


def _mirrored(places, length: int):
    """The pixels before and behind each place, and how much of each there is in it."""
    period = 2.0 * (length - 1)
    places = tf.math.floormod(places + (length - 1) / 2, period)
    places = tf.minimum(places, period - places)  # in [0, length - 1]
    before = tf.floor(places)
    behind, part = tf.minimum(before + 1, length - 1.0), places - before
    return [tf.cast(x, "int32") for x in (before, behind)], [1 - part, part]


def recolour(images, matrices) -> tf.Tensor:
    """Images with the colours (r', g', b', 1) = M (r, g, b, 1).

    A grey image of one channel g is (g, g, g), and the result its mean over channels.

    Args:
        images: float32 (B, H, W, C), C = 3 or 1.
        matrices: M, float32 (B, 4, 4), last row (0, 0, 0, 1).
    Returns: float32 (B, H, W, C).
    """
    linear, shift = matrices[:, :3, :3], matrices[:, :3, 3]
    if images.shape[-1] == 1:
        linear = tf.reduce_mean(tf.reduce_sum(linear, 2), 1)[:, None, None]
        shift = tf.reduce_mean(shift, 1)[:, None]
    channels = enumerate(tf.split(images, images.shape[-1], axis=-1))
    parts = [channel * linear[:, None, None, :, i] for i, channel in channels]
    return tf.add_n(parts) + shift[:, None, None]


def check_transforms(transforms: Collection[str]) -> None:
    """ValueError unless all are names of transforms."""
    if isinstance(transforms, str) or not set(transforms) <= set(TRANSFORMS):
        raise ValueError(
            f"Expected `transforms` to be names out of {TRANSFORMS}, in a tuple or a "
            f"list. Received: {transforms!r}"
        )


def _check_images(images, transforms) -> None:
    shape = images.shape
    if shape.rank != 4 or None in shape[1:] or min(shape[1:3]) < 2:
        raise ValueError(
            "Expected images (B, H, W, C) of a known size of at least 2 x 2 pixels. "
            f"Received: {shape}. Give your dataset or network its size, for example "
            "with `keras.Input((64, 64, 3))`."
        )
    if shape[3] not in (1, 3) and set(transforms) & set(COLOUR):
        raise ValueError(
            "Expected images of 3 channels, or 1, as colours are changed too. "
            f"Received: {shape[3]}. Leave the colours alone with "
            "`transforms=tuple(gan_lib.augmentation.GEOMETRY)`."
        )
