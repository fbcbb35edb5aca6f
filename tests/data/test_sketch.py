"""Sketches are lines where the picture has borders; drawings become like them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from gan_lib.data.sketch import LINE_WIDTHS, clean_drawing, sketch, sketch_pairs


def likeness(a: np.ndarray, b: np.ndarray, blur: float = 0.7) -> float:
    """Ink that both have over ink that one has, with a tolerance of about a pixel."""
    a, b = (gaussian_filter(1 - x / 255.0, (0, blur, blur, 0)) for x in (a, b))
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


def disc(side: int, colour, ground) -> np.ndarray:
    image = Image.new("RGB", (side, side), ground)
    quarter = side // 4
    ImageDraw.Draw(image).ellipse((quarter, quarter, 3 * quarter, 3 * quarter), colour)
    return np.asarray(image)[None]


def drawing(side: int = 300, width: int = 6) -> np.ndarray:
    """A face of a few strokes, grey (side, side), black on white."""
    image = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(image)
    for box in (
        (0.2, 0.15, 0.8, 0.85),
        (0.35, 0.35, 0.42, 0.45),
        (0.58, 0.35, 0.65, 0.45),
    ):
        draw.ellipse([side * value for value in box], None, 0, width)
    draw.line([side * v for v in (0.4, 0.65, 0.5, 0.7, 0.6, 0.65)], 0, width)
    return np.asarray(image)


def test_lines_are_those_of_the_exact_line_art(rich):
    _, drawn = rich
    lines = sketch(drawn.images)
    assert lines.shape == drawn.line.shape
    assert likeness(lines, drawn.line) > 0.6
    others = np.roll(drawn.line, 1, axis=0)
    assert likeness(lines, others) < 0.4
    ink, wanted = 255 - lines.mean(), 255 - drawn.line.mean()
    assert 0.7 < ink / wanted < 1.5
    assert (lines == 255).mean() > 0.6  # clean paper, not grey


def test_equation_against_scipy(rich):
    image = rich[1].images[:2]
    x = image / 255.0
    inner, outer = (gaussian_filter(x, (0, s, s, 0)) for s in (0.8, 1.28))
    d = ((inner - outer) / (outer + 0.2)).min(-1, keepdims=True)
    expected = np.where(d >= -0.05, 1, 1 + np.tanh(7 * (d + 0.05)))
    made = sketch(image, line_width=2, threshold=0.05, sharpness=7)  # 2 * 64 / 160
    assert np.abs(made - 255 * expected).max() < 0.6


def test_flat_and_dark_noisy_pictures_stay_white():
    flat = np.full((1, 64, 64, 3), 90, np.uint8)
    assert (sketch(flat) == 255).all()
    noisy = np.random.default_rng(0).integers(8, 14, (1, 64, 64, 3), np.uint8)
    assert sketch(noisy).min() > 200


@pytest.mark.parametrize(
    ("colour", "ground"),
    [
        ("black", "white"),
        ("white", "black"),
        ((30, 30, 60), (90, 50, 40)),  # dark on dark
        ((200, 60, 60), (30, 134, 60)),  # of one brightness
    ],
)
def test_every_border_becomes_a_line(colour, ground):
    lines = sketch(disc(64, colour, ground))[0, ..., 0]
    assert lines[32, 13:20].min() < 128
    assert lines[32, 45:52].min() < 128
    assert lines[28:36, 28:36].min() == 255  # not filled
    assert lines[:8].min() == 255


@pytest.mark.parametrize("side", [64, 128])
def test_broader_pens_leave_broader_lines(side):
    picture = disc(side, "black", "white")
    ink = [255 - sketch(picture, line_width=width).mean() for width in (0.8, 1.6, 3.2)]
    assert ink[0] < ink[1] < ink[2]


def test_lines_grow_with_the_picture():
    small, large = (
        255 - sketch(disc(side, "black", "white")).mean() for side in (64, 256)
    )
    assert abs(small / large - 1) < 0.35  # the same share of the picture


def test_pairs_use_all_widths_and_only_position_counts(rich):
    images = rich[1].images[:40]
    pairs = sketch_pairs(images, seed=3)
    assert pairs.target is images
    assert pairs.source.shape == (40, 64, 64, 1)
    by_width = [sketch(images, line_width=width) for width in LINE_WIDTHS]
    chosen = np.array(
        [
            [np.array_equal(pairs.source[k], lines[k]) for lines in by_width]
            for k in range(40)
        ]
    )
    assert (chosen.sum(1) == 1).all()
    assert chosen.sum(0).min() >= 5
    np.testing.assert_array_equal(
        sketch_pairs(images[:9], seed=3).source, pairs.source[:9]
    )
    assert (sketch_pairs(images, seed=4).source != pairs.source).any()


def test_photographs_give_lines(shared_data):
    files = sorted((shared_data / "faces_synthetic_stylegan").glob("*.jpg"))[:8]
    images = np.stack(
        [np.asarray(Image.open(f).convert("RGB").resize((64, 64))) for f in files]
    )
    lines = sketch(images)
    assert 0.02 < 1 - lines.mean() / 255 < 0.25
    assert (lines == 255).mean() > 0.6


def as_photo(grey: np.ndarray) -> np.ndarray:
    """On yellowish paper, lit from one side, a little blurred and noisy."""
    rng = np.random.default_rng(0)
    light = np.linspace(0.45, 0.9, grey.shape[1])
    photo = gaussian_filter(0.15 + 0.85 * grey / 255.0, 1) * light
    photo = photo + rng.normal(0, 0.015, grey.shape)
    rgb = np.stack([photo, photo * 0.95, photo * 0.8], -1)
    return (255 * np.clip(rgb, 0, 1)).astype(np.uint8)


WAYS = {
    "rgb": lambda grey: np.repeat(grey[..., None], 3, -1),
    "one channel": lambda grey: grey[..., None],
    "white on black": lambda grey: 255 - grey,
    "transparent": lambda grey: np.dstack(
        [np.zeros((*grey.shape, 3), np.uint8), 255 - grey]
    ),
    "white on transparent": lambda grey: np.dstack(
        [np.full((*grey.shape, 3), 255, np.uint8), 255 - grey]
    ),
    "photo": as_photo,
    "pencil": lambda grey: (
        235 - 0.25 * (255 - grey) + np.random.default_rng(1).normal(0, 3, grey.shape)
    ).astype(np.uint8),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_any_kind_of_drawing_becomes_the_same(way):
    plain = clean_drawing(drawing(), 64)
    made = clean_drawing(WAYS[way](drawing()), 64)
    assert made.shape == (64, 64, 1)
    assert made.dtype == np.uint8
    assert likeness(made[None], plain[None]) > 0.8
    assert (made == 255).mean() > 0.75


@pytest.mark.parametrize("pen", [2, 5, 10])
def test_pens_become_alike(pen):
    """Ink of a thin and of a thick pen, a fifth and five times apart, become near."""
    wanted = 1 - clean_drawing(drawing(300, 5), 64).mean() / 255
    ink = 1 - clean_drawing(drawing(300, pen), 64).mean() / 255
    assert 0.75 < ink / wanted < 1.33
    kept = clean_drawing(drawing(300, pen), 64, line_width=0)
    raw = 1 - drawing(300, pen).mean() / 255
    assert 0.8 < (1 - kept.mean() / 255) / raw < 1.25


def test_training_line_art_stays_what_it_is(rich):
    for line in rich[1].line[:4]:
        again = clean_drawing(line, 64)
        assert np.abs(again.astype(int) - line).mean() < 1
    large = np.asarray(Image.fromarray(line[..., 0]).resize((512, 512), 1))[..., None]
    assert likeness(clean_drawing(large, 64)[None], line[None], 1) > 0.5


def test_a_filled_region_stays_filled():
    grey = drawing().copy()
    grey[60:140, 100:200] = 0
    assert clean_drawing(grey, 64)[18:26, 26:38].max() < 60


def test_any_shape_is_padded_with_white():
    wide = np.pad(drawing(), ((0, 0), (200, 100)), constant_values=255)
    made = clean_drawing(wide, 64)
    assert made.shape == (64, 64, 1)
    rows, columns = np.nonzero(made[..., 0] < 128)
    assert rows.min() > 16  # half of the 300 missing rows above, at 64 / 600
    assert columns.min() > 20
    trimmed = clean_drawing(wide, 64, trim=True)
    rows, columns = np.nonzero(trimmed[..., 0] < 128)
    assert rows.min() < 8
    assert rows.max() > 55
    assert abs((columns.min() + columns.max()) / 2 - 31.5) < 3


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("trim", [False, True])
def test_an_empty_sheet_is_white(level, trim):
    assert (
        clean_drawing(np.full((80, 50), level, np.uint8), 64, trim=trim) == 255
    ).all()
    transparent = np.zeros((80, 80, 4), np.uint8)
    assert (clean_drawing(transparent, 64, trim=trim) == 255).all()
    grain = np.random.default_rng(0).normal(230, 3, (200, 200)).astype(np.uint8)
    assert (clean_drawing(grain, 64, trim=trim) == 255).all()


def test_errors_talk_like_a_teacher():
    image = np.zeros((1, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="np.repeat"):
        sketch(image[..., :1])
    with pytest.raises(TypeError, match="to_uint8"):
        sketch(image / 255)
    with pytest.raises(ValueError, match="line_width"):
        sketch(image, line_width=0)
    with pytest.raises(ValueError, match="at least one line width"):
        sketch_pairs(image, line_widths=())
    with pytest.raises(TypeError, match="astype"):
        clean_drawing(np.zeros((8, 8)))
    with pytest.raises(ValueError, match="call this for each"):
        clean_drawing(image)
    with pytest.raises(ValueError, match="size"):
        clean_drawing(image[0], 4)
