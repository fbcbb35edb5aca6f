"""Faces of two styles: nobody is in both, colours follow one law, twins are exact."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gan_lib.data import face_law
from gan_lib.data import two_styles as module
from gan_lib.data.faces import faces
from gan_lib.data.two_styles import counterparts, two_styles


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """16 faces from the front and 20 manga faces."""
    folder = tmp_path_factory.mktemp("styles")
    return two_styles(32, (16, 20), split="test", cache_dir=folder, progress=False)


def test_both_domains_are_faces_with_what_is_known_of_them(people, tmp_path):
    assert people.domain_a.shape == (16, 32, 32, 3)
    assert people.domain_b.shape == (20, 32, 32, 3)
    assert people.names == ("toon-head", "lorelei")
    assert {len(column) for column in people.attributes_a.values()} == {16}
    assert {len(column) for column in people.attributes_b.values()} == {20}
    drawn = faces(
        32, 12, split="test", include="attributes", cache_dir=tmp_path, progress=False
    )
    number = next(
        k
        for k in range(12)
        if not drawn.attributes["glasses"][k]
        and not drawn.attributes["beard"][k]
        and drawn.attributes["hair_length"][k] != "bald"
    )
    np.testing.assert_array_equal(people.domain_b[0], drawn.images[number])
    assert (
        people.attributes_b["hair_variant"][0]
        == (drawn.attributes["hair_variant"][number])
    )


def test_nothing_is_shown_that_the_other_style_lacks(people):
    assert set(people.attributes_a["beard"]) == {"none"}
    assert not people.attributes_b["beard"].any()
    assert not people.attributes_b["glasses"].any()
    assert "bald" not in people.attributes_b["hair_length"]
    assert set(people.attributes_a["hair_length"]) > {"short", "tied"}
    both = module._chosen("adventurer", "lorelei", "train", 0, 60)
    assert any(row["glasses"] for _, row in both)  # both styles have them
    assert not any(row["details"] == "mustache" for _, row in both)


@pytest.mark.parametrize("name", ["hair_color", "skin", "background"])
def test_colours_follow_one_law_and_are_drawn_apart(name):
    weights = {
        "hair_color": face_law.HAIR_WEIGHTS,
        "skin": face_law.SKIN_WEIGHTS,
        "background": face_law.BACKGROUND_WEIGHTS,
    }[name]
    columns = []
    for style, other in (("toon-head", "lorelei"), ("lorelei", "toon-head")):
        rows = [row for _, row in module._chosen(style, other, "train", 0, 1500)]
        columns.append([row[name] for row in rows])
        counts, total = Counter(columns[-1]), sum(weights.values())
        for colour, weight in weights.items():
            assert abs(counts[colour] / 1500 - weight / total) < 0.04, (style, colour)
    shares = np.array(list(weights.values())) / sum(weights.values())
    equal = np.mean([a == b for a, b in zip(*columns, strict=True)])
    assert abs(equal - (shares**2).sum()) < 0.04  # face i of A is not face i of B


def test_splits_and_seeds_share_no_face():
    chosen = [
        [number for number, _ in module._chosen("lorelei", "toon-head", s, 0, 5)]
        for s in ("train", "test")
    ]
    rows = [
        module._row("lorelei", split, seed, number)
        for split, seed in (("train", 0), ("test", 0), ("train", 1))
        for number in chosen[0]
    ]
    assert len({tuple(row.values()) for row in rows}) == len(rows)


def test_counterparts_are_the_same_people(people, tmp_path):
    options = {"cache_dir": tmp_path, "progress": False}
    twins = counterparts(people.attributes_a, "lorelei", 32, **options)
    assert twins.shape == people.domain_a.shape
    assert twins.dtype == np.uint8
    # The corner shows the background in both styles.
    corner = np.abs(twins[:, 0, 0].astype(int) - people.domain_a[:, 0, 0])
    assert np.median(corner) <= 1
    again = counterparts(people.attributes_a, "lorelei", 32, **options)
    np.testing.assert_array_equal(twins, again)
    fewer = {name: column[:4] for name, column in people.attributes_a.items()}
    first = counterparts(fewer, "lorelei", 32, **options)
    np.testing.assert_array_equal(first, twins[:4])


def test_counterparts_have_colours_and_shapes_of_the_source():
    shapes = ("hair_length", "mouth_open")
    for number in range(60):
        row = module._row("toon-head", "test", 0, number)
        twin = module._likest(row, "lorelei", 0, number)
        colours = ("hair_color", "hair_tip_color", "skin", "background", "background_2")
        assert all(twin[name] == row[name] for name in colours)
        assert all(twin[name] == row[name] for name in shapes)
        assert not twin["glasses"]
        assert set(twin) == set(module._row("lorelei", "test", 0, 0))
    agreeing = []
    for number in range(60):
        row = module._row("adventurer", "test", 0, number)
        if row["hair_length"] == "bald":
            continue
        twin = module._likest(row, "lorelei", 0, number)
        assert twin["eye_color"] == row["eye_color"]
        agreeing.append(sum(twin[k] == row[k] for k in module._SHAPES))
    assert np.mean(agreeing) > 3.7  # of 4


def test_wrong_arguments_are_explained(people):
    for styles in (("lorelei", "lorelei"), ("lorelei",), ("micah", "lorelei")):
        with pytest.raises(ValueError, match="two different ones"):
            two_styles(32, 4, styles=styles)
    with pytest.raises(ValueError, match="split"):
        two_styles(32, 4, split="tests")
    with pytest.raises(ValueError, match="n must be at least 1"):
        two_styles(32, (4, 0))
    with pytest.raises(ValueError, match="size"):
        two_styles(4, 4)
    with pytest.raises(ValueError, match="style"):
        counterparts(people.attributes_a, "micah")
    with pytest.raises(ValueError, match="two_styles"):
        counterparts({}, "lorelei")
