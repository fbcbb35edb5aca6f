"""A cascade of local binary patterns, evaluated in NumPy as OpenCV does.

Where OpenCV has no `CascadeClassifier` (version 5 without the contrib modules) or is
not installed, this reader of the same XML file finds the same boxes: Viola and Jones'
cascade with LBP features (Liao et al. 2007), computed step by step in the arithmetic of
OpenCV 4. It is slow (seconds for a picture), which is why it is not the default.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

_EPSILON = 1e-5  # by which OpenCV lowers each threshold
_GROUP_EPSILON = 0.2
# Which cell of the 3x3 around the middle gives which bit, clockwise from top left.
_BITS = {(0, 0): 128, (1, 0): 64, (2, 0): 32, (2, 1): 16,
         (2, 2): 8, (1, 2): 4, (0, 2): 2, (0, 1): 1}  # fmt: skip


class Cascade:
    """Reads a cascade of stumps on LBP features.

    Args:
        path: the XML file.
    Raises: ValueError when it is a cascade of another kind.
    """

    def __init__(self, path: Path):
        root = ElementTree.parse(path).getroot().find("cascade")
        if root is None or root.findtext("featureType", "").strip() != "LBP":
            raise ValueError(
                f"{path} is not a cascade of LBP features. Expected the file "
                "lbpcascade_animeface.xml or one of its kind."
            )
        self.window = int(root.findtext("width", "0"))
        features = root.find("features")
        stages = root.find("stages")
        assert features is not None
        assert stages is not None
        self.features = [_numbers(item.find("rect"), int) for item in features]
        self.stages = [self._stage(stage) for stage in stages]

    @staticmethod
    def _stage(stage):
        stumps = []
        for weak in stage.find("weakClassifiers"):
            nodes = _numbers(weak.find("internalNodes"), int)
            words = np.array(nodes[3:], np.int64).astype(np.uint32)
            is_left = (words[:, None] >> np.arange(32, dtype=np.uint32)) & 1
            left, right = np.array(
                _numbers(weak.find("leafValues"), float), np.float32
            ).astype(float)
            stumps.append((nodes[2], np.where(is_left.ravel(), left, right)))
        threshold = np.float32(stage.findtext("stageThreshold")) - np.float32(_EPSILON)
        return stumps, float(threshold)

    def detect(
        self, grey: np.ndarray, scale_factor: float, min_neighbors: int, min_side: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `CascadeClassifier.detectMultiScale2` returns.

        Args:
            grey: uint8 (H, W).
            scale_factor: from one window size to the next.
            min_neighbors: windows that must agree on a face.
            min_side: of a window, pixels.
        Returns: int boxes (n, 4), x y w h, and how many windows each stands for.
        """
        scales, start = [], 0
        factor, least = 1.0, min(grey.shape)
        while (side := round(self.window * factor)) <= least:
            if side >= min_side:
                scale = _Scale(grey, float(np.float32(factor)), side, start)
                start += scale.sums.size
                scales.append(scale)
            factor *= scale_factor
        if not scales:
            return grouped(np.empty((0, 4), np.int64), min_neighbors)
        flat = np.concatenate([scale.sums.ravel() for scale in scales])
        # All sizes pass through the later stages together: few windows are left, and
        # NumPy's calls would cost more than its sums.
        begun = [self._begin(scale, flat) for scale in scales]
        corner, row, box = (np.concatenate(parts) for parts in zip(*begun, strict=True))
        for stage in self.stages[1:]:
            keep = _pass(flat, stage, self.features, corner, row)
            corner, row, box = corner[keep], row[keep], box[keep]
        return grouped(box, min_neighbors)

    def _begin(self, scale: _Scale, flat: np.ndarray) -> tuple[np.ndarray, ...]:
        """The windows of one size that pass the first stage: where their sums start,
        how long a row of sums is, and their boxes in the picture."""
        rows, columns = (max(0, n - self.window) for n in scale.sums.shape)
        y, x = np.mgrid[0 : rows : scale.step, 0 : columns : scale.step]
        row = scale.sums.shape[1]
        corner = scale.start + y * row + x
        passed = _pass(flat, self.stages[0], self.features, corner.ravel(), row)
        passed = passed.reshape(x.shape)
        passed &= _visited(passed)
        y, x, corner = y[passed], x[passed], corner[passed]
        side = np.full(len(x), scale.side)
        left, top = (np.rint(v * scale.scale).astype(np.int64) for v in (x, y))
        return corner, np.full(len(x), row), np.stack([left, top, side, side], 1)


class _Scale:
    """The picture at the size at which a window is `side` pixels of the original."""

    def __init__(self, grey: np.ndarray, scale: float, side: int, start: int):
        self.scale, self.side, self.start = scale, side, start
        self.step = 1 if scale >= 2 else 2
        height, width = (round(length / scale) for length in grey.shape)
        small = resized_exactly(grey, height, width)
        # Sums may wrap around; the differences taken of them are small and right.
        self.sums = np.zeros((height + 1, width + 1), np.int32)
        self.sums[1:, 1:] = small.cumsum(0, np.int32).cumsum(1, np.int32)


def _pass(flat, stage, features, corner, row) -> np.ndarray:
    """Which windows reach the threshold of a stage."""
    stumps, threshold = stage
    total = np.zeros(len(corner))
    for feature, values in stumps:
        total += values[_patterns(flat, row, corner, *features[feature])]
    return total >= threshold


def _numbers(element, kind: type) -> list:
    return [kind(word) for word in element.text.split()]


def _patterns(flat, row, corner, x: int, y: int, w: int, h: int) -> np.ndarray:
    """The 8-bit pattern of 3x3 cells of w x h at (x, y) in each window."""
    points = [
        [flat[corner + (y + j * h) * row + x + i * w] for i in range(4)]
        for j in range(4)
    ]

    def cell(i: int, j: int) -> np.ndarray:
        upper, lower = points[j], points[j + 1]
        return upper[i] - upper[i + 1] - lower[i] + lower[i + 1]

    middle = cell(1, 1)
    code = np.zeros(len(corner), np.intp)
    for (i, j), bit in _BITS.items():
        code += bit * (cell(i, j) >= middle)
    return code


def _visited(passed: np.ndarray) -> np.ndarray:
    """Which windows OpenCV looks at: it skips the one right of a window that fails the
    first stage."""
    visited = np.empty_like(passed)
    skip = np.zeros(len(passed), bool)
    for k in range(passed.shape[1]):
        visited[:, k] = ~skip
        skip = visited[:, k] & ~passed[:, k]
    return visited


def resized_exactly(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """OpenCV's INTER_LINEAR_EXACT: bilinear in fixed point with 8 fractional bits."""
    if (height, width) == image.shape:
        return image
    first, second, share = _between(image.shape[1], width)
    wide = image.astype(np.int64)
    wide = wide[:, first] * (256 - share) + wide[:, second] * share
    first, second, share = _between(image.shape[0], height)
    both = wide[first] * (256 - share)[:, None] + wide[second] * share[:, None]
    return ((both + (1 << 15)) >> 16).astype(np.uint8)


def _between(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    place = (np.arange(new) + 0.5) * (old / new) - 0.5
    low = np.floor(place).astype(int)
    share = np.rint((place - low) * 256).astype(np.int64)
    share[(low < 0) | (low >= old - 1)] = 0
    low = low.clip(0, old - 1)
    return low, (low + 1).clip(max=old - 1), share


def grouped(boxes: np.ndarray, min_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's `groupRectangles`: the mean of boxes that are alike.

    Two boxes are alike when their edges differ by at most 0.1 of the sum of their
    smaller sides; a group of at most `min_neighbors` boxes is dropped, and so is one
    inside a group that is much stronger.
    """
    label = _groups(boxes)
    means, counts = [], []
    for k in dict.fromkeys(label):
        members = boxes[label == k]
        share = np.float32(1) / np.float32(len(members))
        means.append(np.rint(members.sum(0).astype(np.float32) * share).astype(int))
        counts.append(len(members))
    kept = [
        k
        for k in range(len(means))
        if counts[k] > min_neighbors
        and not any(
            _is_inside(means[k], counts[k], means[j], counts[j])
            for j in range(len(means))
            if j != k and counts[j] > min_neighbors
        )
    ]
    return (
        np.array([means[k] for k in kept], int).reshape(-1, 4),
        np.array([counts[k] for k in kept], int),
    )


def _groups(boxes: np.ndarray) -> np.ndarray:
    """A label for each box; boxes connected by a chain of alike ones share it."""
    label = np.arange(len(boxes))
    edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    for k in range(len(boxes)):
        smaller = np.minimum(boxes[:, 2:], boxes[k, 2:]).sum(1)
        delta = _GROUP_EPSILON * smaller * 0.5
        alike = (np.abs(edges - edges[k]) <= delta[:, None]).all(1)
        joined = np.unique(label[alike])
        label[np.isin(label, joined)] = joined[0]
    return label


def _is_inside(one, count: int, other, other_count: int) -> bool:
    if not (other_count > max(3, count) or count < 3):
        return False
    slack = np.rint(other[2:] * _GROUP_EPSILON)
    low = one[:2] >= other[:2] - slack
    high = one[:2] + one[2:] <= other[:2] + other[2:] + slack
    return bool(low.all() and high.all())


def grey_of(image: np.ndarray) -> np.ndarray:
    """RGB to grey in OpenCV's fixed-point arithmetic: uint8 (H, W)."""
    total = image.astype(np.int64) @ np.array([9798, 19235, 3735])
    return ((total + (1 << 14)) >> 15).astype(np.uint8)


def equalized(grey: np.ndarray) -> np.ndarray:
    """OpenCV's `equalizeHist`: uint8 (H, W) whose grey levels are used evenly."""
    counts = np.bincount(grey.ravel(), minlength=256)
    first = int(np.flatnonzero(counts)[0])
    rest = grey.size - counts[first]
    if rest == 0:
        return grey
    above = np.cumsum(counts) - counts[first]
    scale = np.float32(255) / np.float32(rest)
    table = np.rint(above.astype(np.float32) * scale).clip(0, 255)
    table[:first] = 0
    return table.astype(np.uint8)[grey]
