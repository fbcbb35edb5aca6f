"""The default detector: a small convolutional network, computed in NumPy.

It sees the picture at 1/8 of its own grid: each cell of a map says how likely the
middle of a head lies there, how large the head is and where in the cell its middle is
(heat map, size, offset: Zhou et al., "Objects as Points", arXiv 1904.07850). Training
draws its own scenes (`data_prep.detectors.training`); the weights lie beside this file.
They have seen sprites by Sutemo (CC0 1.0), DiceBear styles (CC0 1.0 and CC BY 4.0, the
artists are named in `training/characters.py`) and faces made of shapes, never a
photograph and never a picture from the web.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from PIL import Image
from threadpoolctl import ThreadpoolController

from data_prep.boxes import Found, suppressed

WEIGHTS = Path(__file__).with_name("network.npz")
# Pixels of the longer side as the network sees the picture: once for heads of 1/20 to
# 2/3 of it, once for those that fill it.
SIDES = (480, 256)
STRIDE = 8  # pixels of a cell
REFERENCE = 64.0  # head of this many pixels: size 0 in the map
_MULTIPLE = 32  # the deepest layer has cells of 32 pixels
# No false face on backgrounds. Scenes of held-out sprites have their best F1 at 0.5 to
# 0.55, with more small and blurred heads found and more false ones.
MIN_SCORE = 0.6
_MIN_HEAT = 0.05
_LONG = 3  # times longer than wide: cut in pieces


def heads(x, conv: Callable, doubled: Callable) -> Any:
    """The network, written once for NumPy and for Keras.

    Args:
        x: pictures (n, H, W, 3) in -1..1; H and W multiples of 32.
        conv: (x, name, filters, kernel, stride, dilation, relu) -> convolution with
            bias.
        doubled: nearest-neighbour upsampling by 2.
    Returns: (n, H/8, W/8, 4): heat before the sigmoid, log2 of size / REFERENCE,
        offset of the middle in cells, x and y.
    """

    def block(x, name: str, filters: int, dilation: int = 1):
        return x + conv(x, name, filters, 3, 1, dilation, True)

    x = conv(x, "stem", 16, 3, 2, 1, True)
    x = conv(x, "quarter", 24, 3, 2, 1, True)
    x = conv(x, "eighth", 48, 3, 2, 1, True)
    eighth = block(x, "eighth1", 48)
    x = conv(eighth, "sixteenth", 64, 3, 2, 1, True)
    sixteenth = block(x, "sixteenth1", 64)
    x = conv(sixteenth, "deep", 64, 3, 2, 1, True)
    x = block(block(x, "deep1", 64), "deep2", 64, 2)
    x = sixteenth + doubled(conv(x, "up16", 64, 1, 1, 1, False))
    x = eighth + doubled(conv(x, "up8", 48, 1, 1, 1, True))
    x = block(x, "last", 48)
    return conv(x, "map", 4, 1, 1, 1, False)


class Network:
    """Detector `default`.

    Args:
        weights: `.npz` of arrays `<layer>/kernel` and `<layer>/bias`.
        sides: pixels the longer side of a picture is resized to, each in turn; larger
            ones find smaller heads and take longer.
        min_score: heads less certain than this are not returned.
    """

    def __init__(
        self,
        weights: Path = WEIGHTS,
        *,
        sides: Sequence[int] = SIDES,
        min_score: float = MIN_SCORE,
    ):
        if not sides or min(sides) < 2 * _MULTIPLE:
            raise ValueError(
                f"Expected sides of at least {2 * _MULTIPLE} pixels, got {sides}. "
                "Heads are found from about 25 pixels on, so a larger one finds more."
            )
        with np.load(weights) as file:
            self.weights = {name: file[name].astype(np.float32) for name in file}
        self.sides, self.min_score = tuple(sides), min_score

    def __call__(self, image: np.ndarray) -> Found:
        boxes, scores = [np.empty((0, 4))], [np.empty(0)]
        for top, left, piece in _pieces(image):
            for side in self.sides:
                x, scale = _seen_by_network(piece, side)
                found, certain = boxes_of(self.maps(x)[0], self.min_score)
                boxes.append(found / scale + [left, top, 0, 0])
                scores.append(certain)
        return suppressed(np.concatenate(boxes), np.concatenate(scores))

    def maps(self, x: np.ndarray) -> np.ndarray:
        """The output of `heads` for float32 (n, H, W, 3) in -1..1."""
        # The products are too small for several threads, and the threads of several
        # processes hinder each other: without the limit a picture takes five times as
        # long on a machine that has other work.
        with _blas().limit(limits=1, user_api="blas"):
            return heads(x, self._conv, _doubled)

    def _conv(
        self, x, name: str, filters: int, kernel: int, stride: int, dilation: int, relu
    ) -> np.ndarray:
        n, height, width, channels = x.shape
        columns = x
        if kernel > 1:
            columns = _patches(x, kernel, stride, dilation)
            height, width = height // stride, width // stride
        weights = self.weights[f"{name}/kernel"].reshape(-1, filters)
        y = columns.reshape(n * height * width, -1) @ weights
        y += self.weights[f"{name}/bias"]
        if relu:
            np.maximum(y, 0, out=y)
        return y.reshape(n, height, width, filters)


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _patches(x: np.ndarray, kernel: int, stride: int, dilation: int) -> np.ndarray:
    """What each output cell sees, side by side: (n, H/stride, W/stride, k k C).

    Padded with zeros as TensorFlow does with "same": for stride 2 only below and to the
    right.
    """
    n, height, width, channels = x.shape
    total = (kernel - 1) * dilation + 1 - stride
    before, after = total // 2, total - total // 2
    padded = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    batch, row, column, item = padded.strides
    seen = as_strided(
        padded,
        (n, height // stride, width // stride, kernel, kernel, channels),
        (batch, stride * row, stride * column, dilation * row, dilation * column, item),
        writeable=False,
    )
    return seen.reshape(n, height // stride, width // stride, -1)  # copies


def _doubled(x: np.ndarray) -> np.ndarray:
    return x.repeat(2, axis=1).repeat(2, axis=2)


def _pieces(image: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """The picture; a long one (a comic strip) in overlapping pieces, at most 16, since
    its heads would vanish when its length is brought to 480 pixels."""
    longer, shorter = max(image.shape[:2]), min(image.shape[:2])
    length = max(2 * shorter, -(-longer // 8))
    if longer <= _LONG * shorter:
        length = longer
    for start in range(0, max(1, longer - length // 2), max(1, length // 2)):
        if image.shape[0] == longer:
            yield start, 0, image[start : start + length]
        else:
            yield 0, start, image[:, start : start + length]


def _seen_by_network(image: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """The picture resized, in -1..1, padded with 0 to multiples; and the scale."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(image).resize(
        size, Image.Resampling.BILINEAR, reducing_gap=1
    )
    values = np.asarray(small, np.float32) / 127.5 - 1
    pad = [(0, -length % _MULTIPLE) for length in values.shape[:2]]
    return np.pad(values, [*pad, (0, 0)])[None], scale


def boxes_of(maps: np.ndarray, min_score: float) -> Found:
    """Boxes in pixels of the network's input, of each local maximum of the heat.

    Args:
        maps: (H/8, W/8, 4), see `heads`.
        min_score: of the sigmoid of the heat.
    """
    heat = maps[..., 0]
    around = np.pad(heat, 1, constant_values=-np.inf)
    highest = sliding_window_view(around, (3, 3)).max((-2, -1))
    limit = np.log(max(min_score, _MIN_HEAT) / (1 - max(min_score, _MIN_HEAT)))
    rows, columns = np.nonzero((heat >= highest) & (heat > limit))
    values = maps[rows, columns]
    sides = REFERENCE * np.exp2(values[:, 1].clip(-4, 4))
    x = (columns + 0.5 + values[:, 2]) * STRIDE - sides / 2
    y = (rows + 0.5 + values[:, 3]) * STRIDE - sides / 2
    boxes = np.stack([x, y, sides, sides], axis=1)
    return boxes.astype(np.float32), 1 / (1 + np.exp(-values[:, 0]))
