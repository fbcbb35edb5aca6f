"""Pairs in files: good ones read exactly, bad ones named, all bad ones refused."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from odd_pictures import encode
from PIL import Image, ImageDraw

from data_prep.decode import EXIF_ORIENTATION
from gan_lib.data import pair_folders, picture_store
from gan_lib.data.pair_checks import has_colour
from gan_lib.data.pair_folders import save_side_by_side, side_by_side, two_folders
from gan_lib.data.pairs import Pairs, face_pairs, paint_labels, read_labels

SIDE = 64


def scene(number: int, width: int = SIDE, height: int = SIDE) -> Image.Image:
    """Coloured discs on a coloured ground, another for each number."""
    rng = np.random.default_rng(number)
    image = Image.new("RGB", (width, height), tuple(rng.integers(120, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = rng.uniform(0, 0.7, 2) * (width, height)
        colour = tuple(rng.integers(0, 256, 3).tolist())
        draw.ellipse((x, y, x + 0.3 * width, y + 0.3 * height), colour, (20, 20, 20))
    return image


def lines(number: int, width: int = SIDE, height: int = SIDE) -> Image.Image:
    return scene(number, width, height).convert("L").point(lambda v: 255 * (v > 60))


def both(left: Image.Image, right: Image.Image) -> Image.Image:
    image = Image.new("RGB", (left.width + right.width, left.height))
    image.paste(left, (0, 0))
    image.paste(right, (left.width, 0))
    return image


@pytest.fixture
def options(tmp_path):
    return {"cache_dir": tmp_path / "cache", "progress": False}


@pytest.fixture
def joined(tmp_path):
    """Three pairs, line art left and colour right."""
    folder = tmp_path / "joined"
    folder.mkdir()
    for number in range(3):
        both(lines(number), scene(number)).save(folder / f"{number}.png")
    return folder


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))


def reasons(pairs: Pairs) -> dict[str, str]:
    return {item.path: item.reason for item in pairs.skipped}


def test_halves_are_source_and_target(joined, options):
    pairs = side_by_side(joined, SIDE, **options)
    assert pairs.paths == ("0.png", "1.png", "2.png")
    assert pairs.skipped == ()
    for number in range(3):
        np.testing.assert_array_equal(pairs.source[number], pixels(lines(number)))
        np.testing.assert_array_equal(pairs.target[number], pixels(scene(number)))


def test_direction_turns_round(joined, options):
    forth = side_by_side(joined, SIDE, **options)
    back = side_by_side(joined, SIDE, direction="BtoA", grey_targets=True, **options)
    np.testing.assert_array_equal(back.source, forth.target)
    np.testing.assert_array_equal(back.target, forth.source)


def test_zip_and_sizes(joined, options, tmp_path):
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as archive:
        for file in sorted(joined.iterdir()):
            archive.write(file, f"train/{file.name}")
    pairs = side_by_side(tmp_path / "pairs.zip", 32, **options)
    assert pairs.source.shape == pairs.target.shape == (3, 32, 32, 3)
    assert pairs.paths[0] == "train/0.png"
    wanted = scene(0).resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(pairs.target[0], np.asarray(wanted))


def test_a_turned_file_is_cut_upright(joined, options):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # shown turned a quarter to the right
    image = both(lines(7), scene(7)).transpose(Image.Transpose.ROTATE_90)
    image.save(joined / "turned.png", exif=exif)
    pairs = side_by_side(joined, SIDE, **options)
    assert pairs.paths[-1] == "turned.png"
    np.testing.assert_array_equal(pairs.target[-1], pixels(scene(7)))


def test_bad_pairs_are_named(joined, options):
    good = lines(0), scene(0)
    white = Image.new("RGB", (SIDE, SIDE), "white")
    bad = {
        "odd.png": (both(*good).crop((0, 0, 127, 64)), "an odd width: 127 x 64"),
        "flat.png": (both(*good).resize((128, 40)), "expected 80 x 40"),
        "one.png": (scene(0), "not two squares side by side: 64 x 64"),
        "blank.png": (both(white, good[1]), "an empty source"),
        "blank2.png": (both(good[0], white), "an empty target"),
        "turned.png": (both(*good[::-1]), 'pass direction="BtoA"'),
        "grey.png": (both(lines(0), scene(0).convert("L")), "a grey target"),
        "small.png": (both(*good).resize((40, 20)), "too small: 40 x 20"),
    }
    for name, (image, _) in bad.items():
        image.save(joined / name)
    (joined / "notes.txt").write_text("no picture")
    (joined / "cut.png").write_bytes(encode(both(*good), "PNG")[:300])
    pairs = side_by_side(joined, SIDE, **options)
    assert pairs.paths == ("0.png", "1.png", "2.png")
    found = reasons(pairs)
    assert found.keys() == bad.keys() | {"notes.txt", "cut.png"}
    for name, (_, text) in bad.items():
        assert text in found[name], name


def test_all_in_the_wrong_direction_are_refused(joined, options):
    with pytest.raises(ValueError, match=r"(?s)no pair that can.*direction=\"AtoB\""):
        side_by_side(joined, SIDE, direction="BtoA", **options)


def test_jpeg_and_yellow_paper_do_not_hide_the_direction(tmp_path, options):
    folder = tmp_path / "jpeg"
    folder.mkdir()
    for number in range(4):
        paper = np.asarray(lines(number), float)[..., None] / 255 * (250, 240, 205)
        sheet = Image.fromarray(paper.astype(np.uint8))
        image = both(scene(number), sheet if number % 2 else lines(number))
        image.save(folder / f"{number}.jpg", quality=40)
    with pytest.raises(ValueError, match="wrong direction"):
        side_by_side(folder, SIDE, **options)
    assert len(side_by_side(folder, SIDE, direction="BtoA", **options)) == 4


def test_colour_is_seen_in_what_has_some():
    drawn = np.full((64, 64, 3), 255, np.uint8)
    drawn[20:30, 20:30] = (40, 60, 220)  # one blue spot on white
    assert has_colour(drawn)
    assert has_colour(np.broadcast_to(np.uint8((200, 30, 30)), (64, 64, 3)))
    assert not has_colour(pixels(lines(0)))


def test_label_maps_are_resized_to_labels(tmp_path, options):
    labels = (
        np.random.default_rng(0).integers(0, 12, (2, 16, 16)).repeat(8, 1).repeat(8, 2)
    )
    painted = paint_labels(labels)
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in range(2):
        image = both(Image.fromarray(painted[number]), scene(number, 128, 128))
        image.save(folder / f"{number}.png")
    pairs = side_by_side(folder, 64, nearest=(True, False), **options)
    assert pairs.nearest == (True, False)
    np.testing.assert_array_equal(read_labels(pairs.source), labels[:, ::2, ::2])


def test_second_call_reads_the_cache(joined, options, monkeypatch):
    (joined / "x.txt").write_text("x")
    first = side_by_side(joined, SIDE, **options)

    def must_not_run(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(pair_folders, "decode_upright", must_not_run)
    again = side_by_side(joined, SIDE, **options)
    np.testing.assert_array_equal(again.source, first.source)
    assert (again.paths, again.skipped) == (first.paths, first.skipped)
    for other in (
        {"direction": "BtoA"},
        {"grey_targets": True},
        {"nearest": (True, False)},
    ):
        with pytest.raises(AssertionError, match="decoded again"):
            side_by_side(joined, SIDE, **other, **options)


def test_many_pairs_stay_on_disk(joined, options, monkeypatch):
    monkeypatch.setattr(picture_store, "_memory_limit", lambda: 1000)
    pairs = side_by_side(joined, SIDE, **options)
    assert isinstance(pairs.source, np.memmap)
    np.testing.assert_array_equal(pairs[1:].target[0], pixels(scene(1)))


@pytest.fixture
def apart(tmp_path):
    """Line art and colour in two folders, with names that match but for the suffix."""
    folders = tmp_path / "lines", tmp_path / "colour"
    for number in range(3):
        for folder, image, suffix in zip(
            folders, (lines(number), scene(number)), ("png", "webp"), strict=True
        ):
            (folder / "sub").mkdir(parents=True, exist_ok=True)
            options = {"lossless": True} if suffix == "webp" else {}
            image.convert("RGB").save(folder / "sub" / f"{number}.{suffix}", **options)
    return folders


def test_equal_names_belong_together(apart, options):
    pairs = two_folders(*apart, SIDE, **options)
    assert pairs.paths == ("sub/0.png", "sub/1.png", "sub/2.png")
    for number in range(3):
        np.testing.assert_array_equal(pairs.source[number], pixels(lines(number)))
        np.testing.assert_array_equal(pairs.target[number], pixels(scene(number)))


def test_of_wide_pictures_the_same_middle_is_taken(tmp_path, options):
    for name, image in (("a", lines(1, 192, 64)), ("b", scene(1, 96, 32))):
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "x.png")
    pairs = two_folders(tmp_path / "a", tmp_path / "b", 32, **options)
    np.testing.assert_array_equal(
        pairs.target[0], pixels(scene(1, 96, 32).crop((32, 0, 64, 32)))
    )
    middle = lines(1, 192, 64).crop((64, 0, 128, 64)).convert("RGB")
    np.testing.assert_array_equal(
        pairs.source[0], np.asarray(middle.resize((32, 32), Image.Resampling.LANCZOS))
    )


def test_what_has_no_partner_is_named(apart, options):
    ours, theirs = apart
    lines(9).save(ours / "lonely.png")
    scene(9).save(theirs / "other.png")
    for name in ("twice.png", "twice.gif"):
        lines(4).save(ours / name)
    scene(4).save(theirs / "twice.png")
    lines(5, 96, 64).save(ours / "wide.png")
    scene(5).save(theirs / "wide.png")
    scene(6).save(ours / "swapped.png")
    lines(6).save(theirs / "swapped.png")
    lines(7).save(ours / "broken.png")
    (theirs / "broken.png").write_bytes(b"no picture at all")
    pairs = two_folders(ours, theirs, SIDE, **options)
    assert len(pairs) == 3
    found = reasons(pairs)
    assert found["lonely.png"] == "no partner: no target is named lonely"
    assert found["other.png"] == "no partner: no source is named other"
    assert "twice.gif, twice.png" in found["twice.gif"]
    assert "twice.gif, twice.png" in found["twice.png"]
    assert "96 x 64 and 64 x 64 px" in found["wide.png"]
    assert "exchange the two folders" in found["swapped.png"]
    assert "not a picture" in found["broken.png"]


def test_two_folders_that_do_not_fit_are_refused(apart, options, tmp_path):
    ours, theirs = apart
    with pytest.raises(ValueError, match="exchange the two folders"):
        two_folders(theirs, ours, SIDE, **options)
    with pytest.raises(ValueError, match="Give two folders"):
        two_folders(ours, ours, SIDE, **options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no files"):
        two_folders(ours, tmp_path / "empty", SIDE, **options)
    scene(0).save(tmp_path / "empty" / "z.png")
    with pytest.raises(ValueError, match="rename the files"):
        two_folders(ours, tmp_path / "empty", SIDE, **options)
    with pytest.raises(FileNotFoundError, match="spelling mistake"):
        two_folders(ours, tmp_path / "nowhere", SIDE, **options)


def test_a_changed_partner_is_read_again(apart, options):
    first = two_folders(*apart, SIDE, **options)
    scene(8).save(apart[1] / "sub" / "1.webp", lossless=True)
    again = two_folders(*apart, SIDE, **options)
    np.testing.assert_array_equal(again.target[1], pixels(scene(8)))
    np.testing.assert_array_equal(again.target[0], first.target[0])


@pytest.mark.parametrize("kind", ["line", "labels"])
def test_saving_and_reading_gives_the_same(kind, folder, tmp_path, options):
    pairs = face_pairs(64, 4, kind=kind, cache_dir=folder, progress=False)
    files = save_side_by_side(pairs, tmp_path / "out")
    assert [file.name for file in files] == [f"{k:05d}.png" for k in range(4)]
    again = side_by_side(tmp_path / "out", 64, nearest=pairs.nearest, **options)
    np.testing.assert_array_equal(again.target, pairs.target)
    source = np.broadcast_to(pairs.source, again.source.shape)
    np.testing.assert_array_equal(again.source, source)


def test_saving_never_costs_a_file(tmp_path):
    part = Pairs(*(np.zeros((2, 8, 8, 3), np.uint8),) * 2, paths=("a/1.jpg", "2.png"))
    files = save_side_by_side(part, tmp_path)
    assert files == [tmp_path / "a" / "1.png", tmp_path / "2.png"]
    files[0].unlink()
    files[1].write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_side_by_side(part, tmp_path)
    assert files[1].read_bytes() == b"precious"
    assert not files[0].exists()
    save_side_by_side(part, tmp_path, overwrite=True)
    assert np.asarray(Image.open(files[1])).shape == (8, 16, 3)
    assert sorted(tmp_path.rglob("*.*")) == sorted(files)  # nothing half written
    for names in (("1.jpg", "1.png"), ("../1.png", "2.png")):
        with pytest.raises(ValueError, match="number the files"):
            save_side_by_side(Pairs(part.source, part.target, paths=names), tmp_path)
    with pytest.raises(ValueError, match="without hints"):
        save_side_by_side(
            Pairs(np.zeros((2, 8, 8, 5), np.uint8), part.target), tmp_path
        )


def test_errors_talk_like_a_teacher(joined, options):
    with pytest.raises(ValueError, match="BtoA"):
        side_by_side(joined, direction="A2B", **options)
    with pytest.raises(ValueError, match="8 to 4096"):
        side_by_side(joined, 4, **options)
    with pytest.raises(FileNotFoundError, match="spelling mistake"):
        side_by_side(joined / "nowhere", **options)
