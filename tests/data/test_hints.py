"""Hints carry the colour that stands there, where they say, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib.data.hints import add_hints, paint_hints, random_hints

RED = (220, 20, 30)


def test_no_hint_is_grey_with_an_empty_mask():
    hints = paint_hints(8)
    assert hints.shape == (8, 8, 4)
    assert (hints[..., :3] == 128).all()
    assert (hints[..., 3] == 0).all()
    assert paint_hints((6, 9)).shape == (6, 9, 4)


def test_a_point_fills_its_square():
    hints = paint_hints(16, [(10, 4, RED)], patch=3)
    expected = np.zeros((16, 16), bool)
    expected[3:6, 9:12] = True  # rows are y, columns x
    np.testing.assert_array_equal(hints[..., 3], 255 * expected)
    assert (hints[expected][:, :3] == RED).all()
    assert (hints[~expected][:, :3] == 128).all()


def test_points_at_the_border_are_cut():
    hints = paint_hints(8, [(0, 0, RED), (7, 7, RED)], patch=5)
    assert (hints[..., 3] == 255).sum() == 2 * 9


def test_random_hints_show_the_local_mean():
    target = np.random.default_rng(0).integers(0, 256, (32, 24, 3), np.uint8)
    seen = 0
    for seed in range(60):
        hints = random_hints(target, np.random.default_rng(seed), most=1, patch=5)
        rows, columns = np.nonzero(hints[..., 3])
        if not len(rows):
            continue
        seen += 1
        part = (
            slice(rows.min(), rows.max() + 1),
            slice(columns.min(), columns.max() + 1),
        )
        mean = target[part].mean((0, 1))
        assert np.abs(hints[part][..., :3] - mean).max() <= 0.5
        assert (hints[part][..., 3] == 255).all()
        assert len(rows) >= 9  # at least the quarter of a dot in the corner
    assert 15 <= seen <= 45  # none or one point, equally likely


def test_number_and_place_are_uniform():
    target = np.zeros((64, 64, 3), np.uint8)
    rng = np.random.default_rng(1)
    masks = np.stack(
        [random_hints(target, rng, most=8, patch=1)[..., 3] > 0 for _ in range(2000)]
    )
    counts = np.bincount(masks.sum((1, 2)), minlength=9)
    assert len(counts) == 9
    assert np.abs(counts[:8] / 2000 - 1 / 9).max() < 0.04
    quarters = masks.sum(0).reshape(2, 32, 2, 32).sum((1, 3))
    assert np.abs(quarters / quarters.sum() - 0.25).max() < 0.03


def test_same_seed_same_hints():
    target = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    a, b, c = (random_hints(target, np.random.default_rng(k)) for k in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_hints_come_behind_the_source():
    source = np.full((2, 8, 8, 1), 7, np.uint8)
    hints = paint_hints(8, [(3, 3, RED)])
    joined = add_hints(source, hints)
    assert joined.shape == (2, 8, 8, 5)
    np.testing.assert_array_equal(joined[..., :1], source)
    np.testing.assert_array_equal(joined[1, ..., 1:], hints)
    assert add_hints(source[0], hints).shape == (8, 8, 5)


def test_errors_talk_like_a_teacher():
    with pytest.raises(ValueError, match="scale them from the canvas"):
        paint_hints(8, [(8, 0, RED)])
    with pytest.raises(ValueError, match="from 0 to 255"):
        paint_hints(8, [(1, 0, (256, 0, 0))])
    with pytest.raises(ValueError, match="odd number"):
        paint_hints(8, patch=4)
    with pytest.raises(ValueError, match="no colours to hint"):
        random_hints(np.zeros((8, 8, 1), np.uint8), np.random.default_rng(0))
    with pytest.raises(ValueError, match="paint_hints"):
        add_hints(np.zeros((1, 8, 8, 1), np.uint8), paint_hints(9))
    with pytest.raises(TypeError, match="to_uint8"):
        add_hints(np.zeros((1, 8, 8, 1), np.float32), paint_hints(8))
