"""Copies are found, different faces are not, whatever the order they came in."""

from __future__ import annotations

import json

import numpy as np
import pytest
from drawn import add, face, jpeg, page
from PIL import Image, ImageEnhance

from data_prep import crop, dedupe, filter, measure
from data_prep.dedupe import (
    Copy,
    Crops,
    DedupeSettings,
    changes,
    crops_of,
    find_copies,
)
from data_prep.hashes import NearHashes
from data_prep.index import Index
from data_prep.records import Face

QUIET = {"progress": False}


def brute_force(values, others, distance):
    found = {}
    for k, other in enumerate(others):
        least = min((value ^ other).bit_count() for value in values)
        if least <= distance:
            found[k] = least
    return found


def clustered(rng, count):
    """Half random hashes, half others with up to 14 bits changed."""
    values = rng.integers(0, 2**64, count // 2, np.uint64).tolist()
    for value in values[: count - count // 2]:
        bits = rng.permutation(64)[: rng.integers(0, 15)]
        values.append(value ^ sum(1 << int(bit) for bit in bits))
    return values


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 6, 8, 11])
def test_near_hashes_are_those_of_brute_force(distance):
    rng = np.random.default_rng(distance)
    values = clustered(rng, 2_000)
    index = NearHashes(np.array(values, np.uint64), distance)
    hits = 0
    for k in rng.integers(0, 2_000, 150):
        query = (values[k], values[(k * 7) % 2_000])
        expected = brute_force(query, values, distance)
        positions, bits = index.within(np.array(query, np.uint64))
        pairs = list(zip(bits.tolist(), positions.tolist(), strict=True))
        assert {position: least for least, position in pairs} == expected
        assert pairs == sorted(pairs)
        hits += len(expected) - 2
    assert hits > 0 or distance < 2


def test_all_bits_of_a_hash_count():
    index = NearHashes(np.zeros(1, np.uint64), 1)
    for bit in range(64):
        one = np.array([1 << bit], np.uint64)
        two = np.array([1 << bit | 1 << (bit + 1) % 64], np.uint64)
        assert [found.tolist() for found in index.within(one)] == [[0], [1]]
        assert [found.tolist() for found in index.within(two)] == [[], []]


def described(images: list[Image.Image]) -> Crops:
    pixels = [np.asarray(image.convert("RGB")) for image in images]
    faces = [
        Face(
            "s", k, 0, 0, 9, 9, 0.9, "t",
            phash=measure.phash(one),
            output_sha256=str(k),
            measures=json.dumps(
                {
                    "moved": measure.moved_hashes(one),
                    "flipped": measure.phash(one[:, ::-1]),
                    "thumbnail": measure.thumbnail(one),
                }
            ),
        )
        for k, one in enumerate(pixels)
    ]  # fmt: skip
    return crops_of(faces)


def found(images, copies, flips: bool = False) -> int:
    """How many of the copies are found to be copies, each of its own picture."""
    crops = described([*images, *copies])
    copied = list(find_copies(crops, DedupeSettings(flips=flips)))
    assert not any(copied[: len(images)])
    return sum(c is not None and c.of == k for k, c in enumerate(copied[len(images) :]))


def shrunk(image: Image.Image) -> Image.Image:
    small = image.resize((image.width // 2,) * 2, Image.Resampling.LANCZOS)
    return small.resize(image.size, Image.Resampling.LANCZOS)


def closer(image: Image.Image, x: float, y: float, part: float) -> Image.Image:
    """As if the detector's box was moved and zoomed: it shows `part` of the picture."""
    side = image.width
    box = (side * (x - part / 2), side * (y - part / 2),
           side * (x + part / 2), side * (y + part / 2))  # fmt: skip
    return image.resize((128, 128), Image.Resampling.LANCZOS, box)


COPIES = {
    "JPEG, quality 50": lambda image: jpeg(image, 50),
    "half the size": shrunk,
    "half the size, JPEG": lambda image: jpeg(shrunk(image), 50),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.05),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.9),
    "paler": lambda image: ImageEnhance.Color(image).enhance(0.8),
}


@pytest.mark.parametrize("change", COPIES)
def test_changed_copies_are_found(change):
    images = [face(k, 128) for k in range(20)]
    assert found(images, [COPIES[change](image) for image in images]) >= 19


@pytest.mark.parametrize(
    ("x", "y", "part"),
    [(0.5, 0.5, 0.784), (0.508, 0.5, 0.8), (0.5, 0.492, 0.8), (0.506, 0.496, 0.81)],
)
def test_a_box_placed_a_little_differently_is_the_same_face(x, y, part):
    pictures = [face(k, 256) for k in range(20)]
    images = [closer(picture, 0.5, 0.5, 0.8) for picture in pictures]
    copies = [jpeg(closer(picture, x, y, part), 60) for picture in pictures]
    assert found(images, copies) >= 18


def test_different_faces_are_not_copies():
    crops = described([face(k, 128) for k in range(150)])
    assert not any(find_copies(crops, DedupeSettings(max_distance=11)))


def test_another_mouth_is_another_picture():
    image = face(3, 128)
    other = np.asarray(image).copy()
    other[82:92, 54:74] = (150, 30, 40)
    assert found([image], [Image.fromarray(other)]) == 0


def test_mirrored_copies_only_when_asked_for():
    image = face(5, 128)
    mirror = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert found([image], [mirror]) == 0
    assert found([image], [mirror], flips=True) == 1


def test_unchanged_is_no_change_and_a_spot_is_one():
    thumbnail = described([face(1)]).thumbnails[0]
    spot = thumbnail.copy()
    spot[7:10, 6:9, 0] -= 40
    same, spotted = changes(thumbnail, np.stack([thumbnail, spot]))
    assert same == 0
    assert spotted > 15


def test_a_chain_of_small_steps_does_not_join_what_is_far_apart():
    crops = described([face(1)] * 4)
    steps = [0, 0b11111, 0b1111111111, 0b111111111111111]  # 5 bits apart each
    crops.hashes[:] = np.array(steps, np.uint64)[:, None]
    copies = list(find_copies(crops, DedupeSettings(max_distance=5)))
    assert copies == [None, Copy(0, 5), None, Copy(2, 5)]


def test_the_nearest_of_those_kept_is_named_then_the_best():
    crops = described([face(1)] * 4)
    steps = [0b1111, 0b11110000, 0b11, 0b110011]
    crops.hashes[:] = np.array(steps, np.uint64)[:, None]
    copies = list(find_copies(crops, DedupeSettings(max_distance=4)))
    assert copies == [None, None, Copy(0, 2), Copy(0, 4)]


@pytest.mark.parametrize("values", [{"max_distance": 12}, {"max_change": -1.0}])
def test_settings_are_checked(values):
    with pytest.raises(ValueError, match="Expected max_"):
        DedupeSettings(**values)


def build(folder, order):
    """Three faces, each large, half as large and once more the same file."""
    (folder / "in").mkdir(parents=True)
    with Index(folder / "out") as index:
        for k in order:
            which, copy = divmod(k, 3)
            picture = page([which], 400 if copy != 1 else 200)
            side = picture.width
            add(index, folder / "in", f"{k}.png", picture, [(0, 0, side, side)])
        crop.run(index, workers=1, **QUIET)
        filter.run(index, **QUIET)
        counts = dedupe.run(index, **QUIET)
        return counts, [(f.output, f.status, f.reason) for f in index.faces()]


def test_the_largest_is_kept_in_whatever_order_they_came(tmp_path):
    counts, rows = build(tmp_path / "a", range(9))
    assert counts == {"kept": 3, "dropped": 6}
    again = build(tmp_path / "b", [5, 8, 0, 2, 4, 1, 7, 3, 6])
    assert again == (counts, rows)
    kinds = sorted(reason.split(":")[0] for _, _, reason in rows)
    assert kinds == [""] * 3 + ["exact duplicate"] * 3 + ["near duplicate"] * 3
    kept = {output for output, status, _ in rows if status == "kept"}
    named = {reason.rsplit(" ", 1)[1] for _, _, reason in rows if reason}
    assert named == kept
    with Index(tmp_path / "a" / "out") as index:
        sides = {f.w for f in index.faces(status="kept")}
        assert sides == {400}
        before = index.faces()
        assert dedupe.run(index, **QUIET) == counts
        assert index.faces() == before
        none = DedupeSettings(max_distance=0, max_change=0)
        assert dedupe.run(index, none, dry_run=True, **QUIET)["dropped"] < 6
        assert index.faces() == before
        dedupe.run(index, none, **QUIET)
        assert dedupe.run(index, **QUIET) == counts
        assert index.faces() == before


def test_faces_that_filter_dropped_take_no_part(tmp_path):
    (tmp_path / "in").mkdir()
    with Index(tmp_path / "out") as index:
        for name in ("a.png", "b.png"):
            add(index, tmp_path / "in", name, page([1], 200), [(0, 0, 200, 200)])
        crop.run(index, workers=1, **QUIET)
        filter.run(index, filter.FilterSettings(min_face_px=999), **QUIET)
        assert dedupe.run(index, **QUIET) == {"kept": 0, "dropped": 0}
        assert all(f.reason.startswith("too small") for f in index.faces())


@pytest.mark.slow
def test_faces_of_one_artist_stay_apart(shared_data):
    """3,000 combinations of hair, eyes and mouths: 1 in 200 at most is lost."""
    paths = sorted((shared_data / "anime_faces_128/train/color").glob("*.jpg"))
    crops = described([Image.open(path) for path in paths])
    lost = [copy for copy in find_copies(crops, DedupeSettings()) if copy]
    assert len(lost) <= len(paths) // 200, lost
