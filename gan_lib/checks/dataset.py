"""Checks of the exercises in notebook 00: overlap of boxes, split by source."""

from __future__ import annotations

import hashlib

import numpy as np

from data_prep import boxes
from data_prep.records import split_of
from gan_lib.checks.answers import Answer, as_array, ask, compare, settle


def iou(answer: Answer) -> Answer:
    """Exercise: intersection over union of one box with several.

    Args:
        answer: (one, many) -> float (n,); one (4,) and many (n, 4) hold x, y, width
            and height, all float.
    Returns: `answer`, or `data_prep.boxes.iou` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "iou"

    def test() -> None:
        one = np.array([10.0, 20.0, 40.0, 30.0])
        many = np.array(
            [
                [10.0, 20.0, 40.0, 30.0],  # the same
                [30.0, 35.0, 40.0, 30.0],  # over a corner
                [20.0, 25.0, 10.0, 5.0],  # inside
                [60.0, 60.0, 40.0, 30.0],  # apart, right and below
                [60.0, 20.0, 10.0, 30.0],  # apart, beside: no width in common
            ]
        )
        value = as_array(name, ask(name, answer, one, many), (len(many),))
        compare(name, value, boxes.iou, (one, many), _IOU_MISTAKES)

    return settle(name, answer, boxes.iou, test)


def in_validation(answer: Answer) -> Answer:
    """Exercise: is this picture's source held back for validation?

    Args:
        answer: (source_id, share) -> bool; the same for every face of a source, today
            and after a thousand more pictures were added.
    Returns: `answer`, or `split_by_source` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "in_validation"
    sources = [hashlib.sha256(str(n).encode()).hexdigest()[:16] for n in range(4_000)]

    def test() -> None:
        first = [bool(ask(name, answer, source, 0.1)) for source in sources]
        again = [bool(ask(name, answer, source, 0.1)) for source in sources[::-1]]
        if first != again[::-1]:
            raise AssertionError(
                f"{name}: the same source got another answer the second time. Draw "
                "nothing at random and count nothing: use the id alone."
            )
        for share in (0.1, 0.5):
            found = np.mean([bool(ask(name, answer, s, share)) for s in sources])
            if abs(found - share) > 0.03:
                raise AssertionError(
                    f"{name}: with share={share}, {found:.1%} of 4,000 sources are "
                    "held back. Read the id as a number (int(source_id, 16)), divide "
                    "by the largest one and compare with the share."
                )

    return settle(name, answer, split_by_source, test)


def split_by_source(source_id: str, share: float) -> bool:
    """True when `pack` holds this source back for validation."""
    return split_of(source_id, share) == "validation"


def _common(one, many):
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[:2] + one[2:], many[:, :2] + many[:, 2:])
    return high - low


def _areas(one, many):
    return one[2] * one[3], many[:, 2] * many[:, 3]


def _negative_sides(one, many):
    common = np.prod(_common(one, many), axis=1)
    return common / (np.sum(np.broadcast_arrays(*_areas(one, many)), 0) - common)


def _twice(one, many):
    common = np.prod(np.maximum(_common(one, many), 0), axis=1)
    return common / np.sum(np.broadcast_arrays(*_areas(one, many)), 0)


def _of_first(one, many):
    return np.prod(np.maximum(_common(one, many), 0), axis=1) / _areas(one, many)[0]


def _as_corners(one, many):
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[2:], many[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    sides = np.prod(one[2:] - one[:2]), np.prod(many[:, 2:] - many[:, :2], axis=1)
    return common / (sides[0] + sides[1] - common)


_IOU_MISTAKES = [
    (
        _negative_sides,
        "Boxes that lie apart get a positive area: two negative sides multiply to one. "
        "Cut each side off at 0 first.",
    ),
    (
        _twice,
        "The union counts the common part twice: subtract it once from the sum of the "
        "two areas.",
    ),
    (_of_first, "You divide by the first box's area; divide by the union."),
    (
        _as_corners,
        "You read the last two numbers as a corner; they are width and height.",
    ),
]
