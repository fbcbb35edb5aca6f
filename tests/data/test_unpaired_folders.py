"""Folders of two kinds of pictures; whatever is wrong is named."""

from __future__ import annotations

import functools
import shutil

import numpy as np
import pytest
from PIL import Image

from gan_lib.data import unpaired_folders as module

two_domains = functools.partial(module.two_domains, progress=False)
unpaired_folders = functools.partial(module.unpaired_folders, progress=False)


def fill(folder, count: int, seed: int, *, grey: bool = False, side: int = 24):
    """`count` coloured or grey pictures, different for each seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8)
        image = Image.fromarray(pixels).resize((side, side + 4), 0)
        image = image.convert("L") if grey else image
        image.save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def root(tmp_path):
    for seed, (name, count) in enumerate(
        {"trainA": 5, "trainB": 8, "testA": 2, "testB": 3}.items()
    ):
        fill(tmp_path / "set" / name, count, seed)
    return tmp_path / "set"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_four_folders_are_two_splits(root, cache):
    train = unpaired_folders(root, 16, names=("horse", "zebra"))
    test = unpaired_folders(root, 16, split="test")
    assert train.domain_a.shape == (5, 16, 16, 3)
    assert train.domain_b.shape == (8, 16, 16, 3)
    assert (len(test.domain_a), len(test.domain_b)) == (2, 3)
    assert train.paths_a == tuple(f"{k:03d}.png" for k in range(5))
    assert "5 horse, 8 zebra" in repr(train)
    kept = sorted(path.name for path in (cache / "unpaired").iterdir())
    again = unpaired_folders(root, 16, names=("horse", "zebra"))
    np.testing.assert_array_equal(again.domain_b, train.domain_b)
    assert sorted(path.name for path in (cache / "unpaired").iterdir()) == kept
    fill(root / "trainA", 6, 9)
    assert len(unpaired_folders(root, 16).domain_a) == 6  # changed, so read again


def test_bad_pictures_are_named_and_left_out(root):
    (root / "trainA" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    fill(root / "trainB" / "old", 2, 20, grey=True)
    Image.new("RGB", (5, 90)).save(root / "trainB" / "thin.png")
    data = unpaired_folders(root, 16)
    assert (len(data.domain_a), len(data.domain_b)) == (5, 8)
    reasons = {item.path: item.reason for item in data.skipped}
    assert set(reasons) == {"broken.jpg", "old/000.png", "old/001.png", "thin.png"}
    assert "keep_grey=True" in reasons["old/000.png"]
    assert len(unpaired_folders(root, 16, keep_grey=True).domain_b) == 10


def test_missing_folders_name_what_is_there(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="Did you mean .*set"):
        unpaired_folders(tmp_path, 16)
    (root / "trainB").rename(root / "B")
    with pytest.raises(FileNotFoundError, match="no trainB; it holds B, testA, testB"):
        unpaired_folders(root, 16)
    shutil.make_archive(str(tmp_path / "all"), "zip", root)
    with pytest.raises(FileNotFoundError, match="unpack"):
        unpaired_folders(tmp_path / "all.zip", 16)
    with pytest.raises(ValueError, match="split"):
        unpaired_folders(root, 16, split="validation")


def test_an_empty_side_and_a_side_given_twice(root, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no files"):
        two_domains(root / "trainA", tmp_path / "empty", 16)
    with pytest.raises(ValueError, match="Both domains read"):
        two_domains(root / "trainA", root / "trainA", 16)
    for path in (root / "trainA").iterdir():
        shutil.copy(path, root / "trainB" / f"copy-{path.name}")
    with pytest.raises(ValueError, match=r"5 pictures of B are also in A \(000.png ="):
        unpaired_folders(root, 16)
    fill(tmp_path / "drawings", 6, 30, grey=True)
    with pytest.raises(ValueError, match="keep_grey"):
        two_domains(root / "trainA", tmp_path / "drawings", 16, test_share=0)
    with pytest.raises(ValueError, match="size"):
        two_domains(root / "testA", root / "testB", 4)


def test_the_split_of_plain_folders_is_whole_apart_and_stays(tmp_path):
    a, b = fill(tmp_path / "a", 60, 1), fill(tmp_path / "b", 80, 2)
    options = {"size": 16, "test_share": 0.25}
    train, test = (two_domains(a, b, split=s, **options) for s in ("train", "test"))
    for name, count in (("paths_a", 60), ("paths_b", 80)):
        ours, theirs = set(getattr(train, name)), set(getattr(test, name))
        assert not ours & theirs
        assert len(ours | theirs) == count
        assert 0.1 < len(theirs) / count < 0.45
    fill(a, 70, 3)
    later = two_domains(a, b, split="test", **options)
    assert set(test.paths_a) == {p for p in later.paths_a if p < "060.png"}
    assert len(two_domains(a, b, 16, test_share=0).domain_b) == 80


def test_bad_shares_are_explained(tmp_path):
    a, b = fill(tmp_path / "a", 3, 1), fill(tmp_path / "b", 3, 2)
    for share in (-0.1, 1, float("nan")):
        with pytest.raises(ValueError, match="test_share"):
            two_domains(a, b, 16, test_share=share)
    with pytest.raises(ValueError, match="above 0"):
        two_domains(a, b, 16, split="test", test_share=0)
    with pytest.raises(ValueError, match="None of the 3 files"):
        two_domains(a, b, 16, split="test", test_share=1e-9)


def test_a_domain_may_be_several_folders_or_zips(tmp_path):
    first, second = (
        fill(tmp_path / "one" / "x", 3, 1),
        fill(tmp_path / "two" / "x", 4, 2),
    )
    shutil.make_archive(str(tmp_path / "b"), "zip", fill(tmp_path / "b", 5, 3))
    data = two_domains([first, second], tmp_path / "b.zip", 16, test_share=0)
    assert len(data.domain_a) == 7
    assert len(data.domain_b) == 5
    assert data.paths_a[0] == "0-x/000.png"
    assert data.paths_a[3] == "1-x/000.png"
    turned = two_domains([second, first], tmp_path / "b.zip", 16, test_share=0)
    np.testing.assert_array_equal(turned.domain_a[:4], data.domain_a[3:])


def test_photographs_and_drawings(shared_data, tmp_path):
    """The sets a learner is likeliest to bring: two folders of faces, one of anime."""
    photos, anime = tmp_path / "photos", tmp_path / "anime"
    for target, source in (
        (photos, shared_data / "faces_congress_pd"),
        (anime, shared_data / "anime_faces_128" / "train" / "color"),
    ):
        if not source.is_dir():
            pytest.skip(f"needs the pictures in {source}")
        target.mkdir()
        for path in sorted(source.glob("*.jpg"))[:80]:
            shutil.copy(path, target)
    options = {"size": 32, "names": ("photo", "anime")}
    train = two_domains(photos, anime, **options)
    test = two_domains(photos, anime, split="test", **options)
    grey = [item for item in train.skipped + test.skipped if "grey" in item.reason]
    assert len(train.domain_a) + len(test.domain_a) == 80 - len(grey)
    assert len(train.domain_b) + len(test.domain_b) == 80
    assert 0 < len(grey) < 20
    assert not set(train.paths_a) & set(test.paths_a)
