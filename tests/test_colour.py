"""Colours: conversion against published values, palettes against hand-made ones."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from gan_lib.metrics import histogram_intersection, srgb_to_lab

# L*a*b* (D65) of the primaries, as Lindbloom and most tables print them.
PUBLISHED = {
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (255, 255, 0): (97.14, -21.55, 94.48),
    (0, 255, 255): (91.11, -48.09, -14.13),
    (255, 0, 255): (60.32, 98.23, -60.82),
    (128, 128, 128): (53.59, 0, 0),
    (255, 255, 255): (100, 0, 0),
    (0, 0, 0): (0, 0, 0),
}


def plain_lab(red, green, blue):
    """The equations, one colour at a time in plain Python."""
    light = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (red / 255, green / 255, blue / 255)
    ]
    # Columns: the primaries' chromaticities, scaled so that their sum is the white.
    x, y = np.array([0.64, 0.30, 0.15]), np.array([0.33, 0.60, 0.06])
    primaries = np.array([x / y, np.ones(3), (1 - x - y) / y])
    white = np.array([0.3127, 0.3290, 1 - 0.3127 - 0.3290]) / 0.3290
    rows = primaries * np.linalg.solve(primaries, white)
    f = []
    for row in rows:
        t = sum(m * v for m, v in zip(row, light, strict=True)) / sum(row)
        small = t * (29 / 6) ** 2 / 3 + 4 / 29
        f.append(t ** (1 / 3) if t > (6 / 29) ** 3 else small)
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED.items())
def test_published_values(rgb, lab):
    np.testing.assert_allclose(srgb_to_lab(np.array(rgb, np.uint8)), lab, atol=0.015)


def test_equation_over_many_colours():
    colours = np.random.default_rng(0).integers(0, 256, (200, 3), np.uint8)
    colours[:20] //= 32  # also the straight piece near black
    wanted = [plain_lab(*map(int, colour)) for colour in colours]
    result = srgb_to_lab(colours)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, wanted, atol=2e-3)


def test_floats_and_levels_agree_in_any_shape():
    levels = np.random.default_rng(1).integers(0, 256, (2, 5, 4, 3), np.uint8)
    floats = levels.astype("float32") / 127.5 - 1
    for same in (floats, tf.constant(floats), floats.astype("float64")):
        np.testing.assert_allclose(srgb_to_lab(same), srgb_to_lab(levels), atol=1e-3)
    assert srgb_to_lab(levels[0, 0, 0]).shape == (3,)
    assert srgb_to_lab(levels[:0]).shape == (0, 5, 4, 3)


def test_all_of_srgb_lies_in_the_histograms():
    side = np.linspace(0, 255, 18).astype(np.uint8)
    cube = np.stack(np.meshgrid(side, side, side), axis=-1)
    lab = srgb_to_lab(cube)
    assert lab[..., 0].min() >= -1e-3
    assert lab[..., 0].max() <= 100 + 1e-3
    assert np.abs(lab[..., 1:]).max() < 110


def test_equal_sets_and_their_order():
    pictures = np.random.default_rng(2).integers(0, 256, (6, 8, 8, 3), np.uint8)
    same = histogram_intersection(pictures[::-1, ::-1], pictures)
    assert same == pytest.approx({"L": 1, "a": 1, "b": 1})
    assert list(same) == ["L", "a", "b"]


def test_known_overlap():
    """Half the pixels white, half black, against all white: half the light agrees."""
    white = np.full((2, 4, 4, 3), 255, np.uint8)
    half = white.copy()
    half[:, :2] = 0
    result = histogram_intersection(half, white)
    assert result == pytest.approx({"L": 0.5, "a": 1, "b": 1})
    assert histogram_intersection(white, half) == pytest.approx(result)


def test_channels_are_told_apart():
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255  # a 80.09, b 67.20
    grey = np.full_like(red, 127)  # L 53.19, in red's bin; a and b 0
    result = histogram_intersection(grey, red)
    assert result == pytest.approx({"L": 1, "a": 0, "b": 0})


def test_washed_out_colours_lose_in_a_and_b():
    pictures = np.random.default_rng(3).integers(0, 256, (8, 16, 16, 3), np.uint8)
    grey = pictures.mean(axis=-1, keepdims=True)
    scores = [
        histogram_intersection(
            (grey + s * (pictures - grey)).astype(np.uint8), pictures
        )
        for s in (1.0, 0.7, 0.4, 0.0)
    ]
    for channel in "ab":
        values = [score[channel] for score in scores]
        assert values == sorted(values, reverse=True)
        assert values[0] > 0.97 > values[1] > values[2] + 0.1 > values[3] + 0.3


def test_sets_need_not_match_in_number_size_or_type():
    grey = np.full((3, 4, 4, 1), 0.0, "float32")
    grey[:, :2] = -0.5
    levels = np.array([64, 128], np.uint8)  # 63.75 and 127.5 (to even), as saved
    reference = np.broadcast_to(levels[:, None, None], (1, 2, 6, 3))
    assert histogram_intersection(grey, reference)["L"] == pytest.approx(1)


def test_bad_input_is_explained():
    good = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match=r"\[-1, 1\], got 0 to 255"):
        histogram_intersection(np.linspace(0, 255, 96).reshape(2, 4, 4, 3), good)
    with pytest.raises(ValueError, match="diverged"):
        histogram_intersection(np.full((1, 4, 4, 3), np.nan), good)
    with pytest.raises(ValueError, match="uint8"):
        histogram_intersection(good.astype(int), good)
    with pytest.raises(ValueError, match="shape"):
        histogram_intersection(good[:0], good)
    with pytest.raises(ValueError, match="repeat"):
        srgb_to_lab(good[..., :1])
    with pytest.raises(ValueError, match="in the last axis"):
        srgb_to_lab(np.float32(0))
    with pytest.warns(UserWarning, match="no value below 0"):
        srgb_to_lab(np.full((2, 3), 0.5))
