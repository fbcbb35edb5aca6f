"""Labelled pictures from drawings and from folders."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

from gan_lib.data import classes
from gan_lib.data.cifar10 import CIFAR10
from gan_lib.data.classes import check_labels, folder_classes, style_classes
from gan_lib.data.faces import STYLES, faces


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    return {"cache_dir": folder, "workers": 1, "progress": False}


@pytest.fixture
def drawn_by_us(monkeypatch):
    """Two styles only: the others are checked by their package for a second each."""
    names = ("lorelei", "adventurer")
    monkeypatch.setattr(classes, "STYLES", {name: STYLES[name] for name in names})
    return names


def assert_faces_of(style, label, data, options):
    """Each face of that style is shown once, wherever it stands."""
    shown = data.images[data.labels == label]
    drawn = faces(16, len(shown), split="test", style=style, **options).images
    assert sorted(map(bytes, shown)) == sorted(map(bytes, drawn))


def test_styles_have_equal_shares_in_random_order(drawn_by_us, options):
    data = style_classes(16, 43, split="test", **options)
    assert data.images.shape == (43, 16, 16, 3)
    assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.int32)
    assert data.class_names == drawn_by_us
    assert np.bincount(data.labels).tolist() == [22, 21]
    assert 5 < data.labels[:22].sum() < 17
    for label, style in enumerate(drawn_by_us):
        assert_faces_of(style, label, data, options)


@pytest.mark.slow
def test_the_ten_styles_are_ten_classes(options):
    data = style_classes(16, 23, split="test", **options)
    assert data.class_names == tuple(STYLES)
    assert np.bincount(data.labels).tolist() == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    for label, style in enumerate(STYLES):
        assert_faces_of(style, label, data, options)


def test_one_seed_one_set(drawn_by_us, options):
    first, second, seed, split = (
        style_classes(16, 10, **kwargs, **options)
        for kwargs in ({}, {}, {"seed": -1}, {"split": "test"})
    )
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)
    pictures = [set(map(bytes, data.images)) for data in (first, seed, split)]
    assert len(set.union(*pictures)) == 30
    assert first.labels.tolist() != seed.labels.tolist()


def test_wrong_sizes_are_explained():
    with pytest.raises(ValueError, match="n must be at least 10"):
        style_classes(16, 9)
    with pytest.raises(ValueError, match="image_size must be at least 8"):
        style_classes(4, 100)
    with pytest.raises(TypeError, match="image_size must be a whole number"):
        style_classes("32", 100)
    with pytest.raises(ValueError, match="split expects one of train"):
        style_classes(16, 10, split="all")


def save(path, level, side=16):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (level, level, level)).save(path)


@pytest.fixture
def pets(tmp_path):
    """Three cats, two dogs, and what is neither."""
    root = tmp_path / "pets"
    for level in (1, 2, 3):
        save(root / "cats" / "kittens" / f"{level}.png", level)
    for level in (11, 12):
        save(root / "dogs" / f"{level}.png", level)
    save(root / "cover.png", 99)
    save(root / "dogs" / "small.png", 50, side=3)
    (root / "notes").mkdir()
    (root / "notes" / "readme.txt").write_text("hello")
    return root


def test_subfolders_are_classes_and_the_rest_is_named(pets, options, capsys):
    data = folder_classes(pets, 16, **options)
    assert data.class_names == ("cats", "dogs")
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.labels.dtype == np.int32
    assert data.images[:, 0, 0, 0].tolist() == [1, 2, 3, 11, 12]
    reasons = {item.path: item.reason for item in data.skipped}
    assert set(reasons) == {"cover.png", "dogs/small.png", "notes/readme.txt"}
    assert "no class" in reasons["cover.png"]
    assert len(data) == 5
    text = data.summary()
    assert text in capsys.readouterr().out
    assert "     3  cats" in text
    assert "3 files skipped" in text
    assert "cover.png" in text


def test_one_folder_around_all_is_passed_through(pets, options, tmp_path):
    (pets / "cover.png").unlink()
    outer = folder_classes(tmp_path, 16, **options)
    archive = tmp_path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(pets.rglob("*.png")):
            file.write(path, path.relative_to(tmp_path))
    zipped = folder_classes(archive, 16, **options)
    for data in (outer, zipped):
        assert data.class_names == ("cats", "dogs")
        assert data.images[:, 0, 0, 0].tolist() == [1, 2, 3, 11, 12]


def test_too_few_classes_are_explained(pets, options):
    with pytest.raises(ValueError, match=r"two classes or more, got none\. .*cats/1"):
        folder_classes(pets / "dogs", 16, **options)
    save(pets / "cats" / "one.png", 4)
    with pytest.raises(ValueError, match="two classes or more, got kittens"):
        folder_classes(pets / "cats", 16, **options)
    with pytest.raises(FileNotFoundError, match="no folder or zip file"):
        folder_classes(pets / "birds", 16, **options)


def test_reads_the_cifar_subset(shared_data, options):
    path = shared_data / "research_only" / "cifar10_train_subset.zip"
    if not path.exists():
        pytest.skip(f"needs the CIFAR-10 subset {path}, which is not here")
    data = folder_classes(path, 32, **options)
    assert data.class_names == CIFAR10
    assert np.bincount(data.labels).tolist() == [1000] * 10
    assert data.images.shape == (10_000, 32, 32, 3)
    assert not data.skipped


def test_labels_are_checked():
    assert check_labels([0, 2, 1], 3).dtype == np.int32
    with pytest.raises(ValueError, match="expected 4 whole numbers"):
        check_labels([0, 1, 2], 4)
    with pytest.raises(ValueError, match="argmax"):
        check_labels(np.eye(3), 3)
    with pytest.raises(ValueError, match="got float64"):
        check_labels([0.0, 1.0], 2)
    with pytest.raises(ValueError, match="got -1 to 1"):
        check_labels([-1, 1], 2)
