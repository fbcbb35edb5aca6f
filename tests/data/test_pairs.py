"""Pairs fit together, can be turned and cut, and faces give exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from data_prep.scan import Skipped
from gan_lib.data.faces import faces
from gan_lib.data.pairs import (
    Pairs,
    face_pairs,
    grey_pairs,
    luma,
    paint_labels,
    read_labels,
)
from gan_lib.plot.pixels import LABEL_COLOURS

DRAW = {"n": 6, "progress": False, "seed": 4}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def pairs():
    names = tuple(f"{k}.png" for k in range(5))
    skipped = (Skipped("x.png", "broken"),)
    return Pairs(noise(5, 8, 6, 1), noise(5, 8, 6, 3), (True, False), names, skipped)


def test_reversed_turns_everything_round(pairs):
    turned = pairs.reversed()
    assert turned.source is pairs.target
    assert turned.target is pairs.source
    assert turned.nearest == (False, True)
    assert turned.paths == pairs.paths
    assert turned.reversed().nearest == pairs.nearest


@pytest.mark.parametrize(
    "which", [slice(1, 4), slice(None, None, 2), [4, 0], np.array([1, 0, 0, 1, 1]) > 0]
)
def test_a_part_is_a_smaller_pairs(pairs, which):
    part = pairs[which]
    np.testing.assert_array_equal(part.source, pairs.source[which])
    np.testing.assert_array_equal(part.target, pairs.target[which])
    assert part.paths == tuple(np.array(pairs.paths)[which])
    assert (part.nearest, part.skipped) == (pairs.nearest, pairs.skipped)
    assert len(part) == len(part.source)


def test_summary_names_what_was_left_out(pairs, capsys):
    text = pairs.summary()
    assert capsys.readouterr().out.strip() == text
    assert "5 pairs of 6 x 8 px, 1 -> 3 channels" in text
    assert "x.png" in text


def test_what_does_not_fit_is_refused():
    a, b = noise(3, 8, 8, 1), noise(3, 8, 8, 3)
    with pytest.raises(ValueError, match="3 sources and 2 targets"):
        Pairs(a, b[:2])
    with pytest.raises(ValueError, match="8 x 8 and 6 x 8 px"):
        Pairs(a, b[:, :, :6])
    with pytest.raises(TypeError, match="to_uint8"):
        Pairs(a, b / np.float32(255))
    with pytest.raises(TypeError, match="list"):
        Pairs(a, list(b))
    with pytest.raises(ValueError, match="channel axis"):
        Pairs(a[..., 0], b)
    with pytest.raises(ValueError, match="2 names"):
        Pairs(a, b, paths=("x", "y"))
    with pytest.raises(ValueError, match="label map as source"):
        Pairs(a, b, nearest=(True,))
    with pytest.raises(TypeError, match=r"pairs\[1:2\]"):
        Pairs(a, b)[1]


def test_faces_are_the_drawn_ones(folder):
    drawn = faces(64, include=("line", "labels"), cache_dir=folder, **DRAW)
    for kind in ("line", "labels", "grey"):
        made = face_pairs(64, kind=kind, cache_dir=folder, **DRAW)
        np.testing.assert_array_equal(made.target, drawn.images)
        assert made.nearest == (kind == "labels", False)
        if kind == "line":
            np.testing.assert_array_equal(made.source, drawn.line)
        elif kind == "labels":
            np.testing.assert_array_equal(read_labels(made.source), drawn.labels)
        else:
            weights = [0.299, 0.587, 0.114]
            error = made.source[..., 0] - drawn.images.astype(float) @ weights
            assert np.abs(error).max() <= 0.51
            assert made.source.shape == (6, 64, 64, 1)


def test_seed_split_and_style_reach_the_faces(folder):
    first = face_pairs(64, cache_dir=folder, **DRAW)
    for other in ({"seed": 5}, {"split": "test"}, {"style": "adventurer"}):
        made = face_pairs(64, cache_dir=folder, **{**DRAW, **other})
        assert (made.target != first.target).any()


def test_styles_without_line_art_say_so():
    with pytest.raises(ValueError, match='kind="grey"'):
        face_pairs(64, kind="line", style="micah", **DRAW)
    with pytest.raises(ValueError, match="line, labels, grey"):
        face_pairs(64, kind="sketch", **DRAW)


def test_labels_survive_painting():
    labels = np.random.default_rng(0).integers(0, len(LABEL_COLOURS), (3, 16, 16))
    colours = paint_labels(labels)
    assert colours.shape == (3, 16, 16, 3)
    back = read_labels(colours)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, labels)
    np.testing.assert_array_equal(read_labels(colours[0]), labels[0])
    noisy = np.clip(
        colours + np.random.default_rng(1).normal(0, 6, colours.shape), 0, 255
    )
    assert (read_labels(noisy.astype(np.uint8)) == labels).mean() > 0.99


def test_labels_are_the_nearest_colour():
    colours = noise(1, 8, 8, 3)
    apart = colours[0, :, :, None].astype(int) - LABEL_COLOURS.astype(int)
    expected = (apart**2).sum(-1).argmin(-1)
    np.testing.assert_array_equal(read_labels(colours)[0], expected)


def test_labels_that_would_share_a_colour_are_refused():
    with pytest.raises(ValueError, match="from 0 to 13"):
        paint_labels(np.array([[14]]))
    with pytest.raises(ValueError, match="to_uint8"):
        read_labels(np.zeros((4, 4, 3), np.float32))


def test_luma_is_that_of_bt601():
    images = noise(4, 7, 5, 3)
    exact = images @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma(images)[..., 0] - exact).max() <= 0.51


def test_grey_pictures_teach_no_colour():
    images = np.stack(
        [np.asarray(Image.fromarray(i).resize((64, 64), 2)) for i in noise(3, 4, 4, 3)]
    )
    images[1] = images[1, ..., :1]
    made = grey_pairs(images, ["a.jpg", "b.jpg", "c.jpg"])
    assert made.paths == ("a.jpg", "c.jpg")
    assert [item.path for item in made.skipped] == ["b.jpg"]
    assert "grey" in made.skipped[0].reason
    np.testing.assert_array_equal(made.target, images[[0, 2]])
    np.testing.assert_array_equal(made.source, luma(images[[0, 2]]))
    assert grey_pairs(images).skipped[0].path == "picture 1"
    with pytest.raises(ValueError, match="All 1 pictures are grey"):
        grey_pairs(images[1:2])
    with pytest.raises(ValueError, match="colour pictures"):
        grey_pairs(images[..., :1])


def test_grey_portraits_are_found(shared_data):
    files = sorted((shared_data / "faces_congress_pd").glob("*.jpg"))
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    made = grey_pairs(images, [file.name for file in files])
    assert 45 <= len(made.skipped) <= 90  # 60 are known to be grey
    skipped = {item.path for item in made.skipped}
    plain = [
        file.name
        for file, image in zip(files, images, strict=True)
        if np.ptp(image.astype(int), axis=-1).max() <= 2
    ]
    assert set(plain) <= skipped
