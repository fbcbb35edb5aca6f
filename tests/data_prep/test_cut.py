"""Squares cut out of pictures: where, what lies past the border, and how sampled."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import face, noise

from data_prep.cut import EYE_DISTANCE, EYE_HEIGHT, Square, cut, mirrored, place, sample


def test_a_face_of_the_right_size_is_copied_pixel_by_pixel():
    image = noise(90, 100)
    np.testing.assert_array_equal(
        cut(image, (20, 10, 64, 64), 64, margin=0), image[10:74, 20:84]
    )


def test_margin_and_a_long_box_give_a_square_around_the_middle():
    square = place((10, 20, 40, 60), margin=0.25)
    assert (square.x, square.y, square.side, square.angle) == (30, 50, 90, 0)


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (40, 5), (33, 47)])
def test_mirrored_is_numpys_symmetric_padding_however_far(shape):
    image = noise(*shape)
    padded = np.pad(image, ((200, 200), (200, 200), (0, 0)), "symmetric")
    for left, top, right, bottom in [(-200, -200, 200, 200), (-7, 3, 30, 180)]:
        expected = padded[top + 200 : bottom + 200, left + 200 : right + 200]
        np.testing.assert_array_equal(
            mirrored(image, left, top, right, bottom), expected
        )


def test_a_box_far_outside_the_picture_still_gives_a_picture():
    result = cut(noise(5, 300), (-500, -700, 90, 90), 32)
    assert result.shape == (32, 32, 3)


def test_padding_is_the_part_outside():
    assert Square(50, 50, 40).padding(100, 100) == 0
    assert Square(0, 50, 40).padding(100, 100) == pytest.approx(0.5)
    assert Square(0, 0, 40).padding(100, 100) == pytest.approx(0.75)
    assert Square(-90, 0, 40).padding(100, 100) == 1


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_shrinking_does_not_alias(angle):
    """Stripes finer than an output pixel become grey instead of coarse stripes."""
    image = np.zeros((600, 600, 3), np.uint8)
    image[:, ::2] = 255
    result = sample(image, Square(300, 300, 350, angle), 32)
    assert result.std() < 3
    assert result.mean() == pytest.approx(127.5, abs=2)


def test_turned_agrees_with_upright_where_the_angle_is_nothing():
    image = np.asarray(face(1))
    upright = sample(image, Square(128, 120, 200), 64).astype(int)
    turned = sample(image, Square(128, 120, 200, 1e-9), 64).astype(int)
    assert np.abs(upright - turned).mean() < 1


@pytest.mark.parametrize(
    "names", [("left_eye", "right_eye"), ("right_eye", "left_eye")]
)
def test_alignment_levels_the_eyes_and_scales_by_them(names):
    """Two dots are drawn where the eyes are; they must land where eyes belong."""
    image = np.full((400, 400, 3), 200, np.uint8)
    eyes = np.array([[150.0, 180.0], [220.0, 220.0]])
    rows, columns = np.mgrid[:400, :400] + 0.5
    for (x, y), channel in zip(eyes, (0, 1), strict=True):
        image[np.hypot(columns - x, rows - y) < 6, channel] = 0
    landmarks = [(n, *map(float, e)) for n, e in zip(names, eyes, strict=True)]
    result = cut(image, (85, 110, 200, 200), 100, 0.0, landmarks).astype(float)
    for channel, side in ((0, -1), (1, 1)):
        dark = np.maximum(0, 200 - result[..., channel])
        x = (dark.sum(0) * (np.arange(100) + 0.5)).sum() / dark.sum()
        y = (dark.sum(1) * (np.arange(100) + 0.5)).sum() / dark.sum()
        assert x == pytest.approx(50 + side * 50 * EYE_DISTANCE, abs=0.5)
        assert y == pytest.approx(50 - 100 * EYE_HEIGHT, abs=0.5)


@pytest.mark.parametrize(
    "landmarks",
    [
        [],
        [("left_eye", 30.0, 30.0)],
        [("left_eye", 30.0, 30.0), ("right_eye", float("nan"), 30.0)],
        [("left_eye", 50.0, 10.0), ("right_eye", 50.0, 90.0)],  # one above the other
        [("left_eye", 50.0, 50.0), ("right_eye", 51.0, 50.0)],  # nearly the same
    ],
)
def test_eyes_that_cannot_be_are_left_out_of_account(landmarks):
    assert place((0, 0, 100, 100), 0.05, landmarks) == place((0, 0, 100, 100))


def test_a_face_seen_from_the_side_keeps_about_the_size_of_its_box():
    square = place((0, 0, 100, 100), 0, [("left_eye", 40, 40), ("right_eye", 52, 40)])
    assert square.side == pytest.approx(80)


@pytest.mark.parametrize(
    ("image", "box", "size"),
    [
        (noise(9, 9).astype(float), (0, 0, 5, 5), 8),
        (noise(9, 9)[..., 0], (0, 0, 5, 5), 8),
        (noise(9, 9), (0, 0, 0, 5), 8),
        (noise(9, 9), (0, 0, float("inf"), 5), 8),
        (noise(9, 9), (0, 0, 5, 5), 0),
    ],
)
def test_bad_arguments_are_explained(image, box, size):
    with pytest.raises(ValueError, match="Expected .* Received"):
        cut(image, box, size)
