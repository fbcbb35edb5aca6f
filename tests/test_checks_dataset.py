"""The checks of notebook 00 know right answers, open ones and usual mistakes."""

import random

import numpy as np
import pytest

from data_prep import boxes
from gan_lib import checks
from gan_lib.checks import dataset


def right_iou(one, many):
    found = []
    for other in many:
        sides = [
            max(0, min(one[k] + one[k + 2], other[k] + other[k + 2])
                - max(one[k], other[k]))
            for k in (0, 1)
        ]  # fmt: skip
        common = sides[0] * sides[1]
        found.append(common / (one[2] * one[3] + other[2] * other[3] - common))
    return np.array(found)


def test_iou_right_and_open():
    assert checks.iou(right_iou) is right_iou
    assert checks.iou(lambda one, many: None) is boxes.iou


@pytest.mark.parametrize(("mistake", "words"), dataset._IOU_MISTAKES)
def test_iou_mistakes_are_named(mistake, words):
    with pytest.raises(AssertionError) as error:
        checks.iou(mistake)
    assert words in str(error.value)


def test_in_validation_right_and_open():
    def answer(source_id, share):
        return int(source_id, 16) / 16**16 < share

    assert checks.in_validation(answer) is answer
    assert checks.in_validation(None) is dataset.split_by_source
    assert checks.in_validation(dataset.split_by_source) is dataset.split_by_source


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda source_id, share: random.random() < share, "another answer"),
        (lambda source_id, share: True, "100.0% of 4,000"),
        (lambda source_id, share: int(source_id, 16) % 10 == 0, "with share=0.5"),
        (lambda source_id, share: source_id < share, "stopped with TypeError"),
    ],
)
def test_in_validation_mistakes(answer, words):
    with pytest.raises(AssertionError, match=words):
        checks.in_validation(answer)
