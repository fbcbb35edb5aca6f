"""Pictures of a study, from arrays and folders; bad ones are named with a cure."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from gan_lib.study import Pictures, from_arrays, read_folder, write_folder
from gan_lib.study.pictures import png


def test_a_folder_gives_back_what_was_written(pictures, tmp_path):
    write_folder(pictures, tmp_path / "class")
    back = read_folder(tmp_path / "class")
    assert back.names == pictures.names
    assert set(back.models) == set(pictures.models)
    np.testing.assert_array_equal(back.sources, pictures.sources)
    for model in pictures.models:
        np.testing.assert_array_equal(
            back.candidates[model], pictures.candidates[model]
        )
    with pytest.raises(FileExistsError, match="not empty"):
        write_folder(pictures, tmp_path / "class")


def test_floats_grey_and_names(pictures):
    images = np.linspace(-1, 1, 2 * 4 * 4).reshape(2, 4, 4, 1)
    found = from_arrays(images, {"a": images, "b": -images}, names=["x", "y"])
    assert found.sources[0].shape == (4, 4, 3)
    assert found.sources[0][0, 0, 0] == 0
    assert found.candidates["b"][0][0, 0, 0] == 255
    assert found.names == ("x", "y")
    assert found.fingerprint != pictures.fingerprint
    same = from_arrays(images, {"a": images, "b": -images}, names=["x", "y"])
    assert found.fingerprint == same.fingerprint
    other = from_arrays(images, {"a": images, "c": -images}, names=["x", "y"])
    assert found.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("names", "candidates", "words"),
    [
        ("ab", {"one": 2}, "2 to 6 models.*got 1: one"),
        ("ab", {str(n): 2 for n in range(7)}, "got 7"),
        ("ab", {"one": 2, "two": 1}, "two: expected 2 pictures.*got 1"),
        ("aa", {"one": 2, "two": 2}, "different names"),
    ],
)
def test_arrays_that_do_not_fit(names, candidates, words):
    image = np.zeros((4, 4, 3), "uint8")
    with pytest.raises(ValueError, match=words):
        Pictures(
            tuple(names),
            [image] * 2,
            {model: [image] * count for model, count in candidates.items()},
        )


def test_different_sizes_would_betray_a_model(pictures):
    small = [image[::2, ::2] for image in pictures.sources]
    with pytest.raises(ValueError, match=r"000: .*one size.*a 12x12, b 6x6.*Resize"):
        from_arrays(pictures.sources, {"a": pictures.sources, "b": small})
    # The source may have another one: it is the same for all.
    from_arrays(small, {"a": pictures.sources, "b": pictures.sources})


@pytest.fixture
def folder(pictures, tmp_path):
    return write_folder(pictures, tmp_path / "class")


def test_suffixes_may_differ_and_junk_is_ignored(folder):
    (folder / "model-red" / "000.png").rename(folder / "model-red" / "000.jpg")
    (folder / "source" / ".DS_Store").write_bytes(b"junk")
    (folder / ".git").mkdir()
    assert len(read_folder(folder).names) == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "model-red/001.png").unlink(), "model-red has no file for 001"),
        (lambda f: (f / "source/001.png").unlink(), "without a source: 001"),
        (
            lambda f: (f / "source/001.jpg").write_bytes(
                (f / "source/001.png").read_bytes()
            ),
            "source has two files named 001",
        ),
        (
            lambda f: (f / "model-red/001.png").write_bytes(b"\x89PNG\r\n\x1a\ncut"),
            "model-red/001 cannot be read",
        ),
        (
            lambda f: (f / "model-red/notes.txt").write_text("no picture at all"),
            "notes.txt.*not a picture|notes cannot be read|without a source: notes",
        ),
    ],
)
def test_a_bad_folder_is_named_with_a_cure(folder, change, words):
    change(folder)
    with pytest.raises(ValueError, match=words):
        read_folder(folder)


def test_one_model_or_no_source(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="source"):
        read_folder(tmp_path / "nowhere")
    for model in ("model-red", "model-green"):
        for file in (folder / model).iterdir():
            file.unlink()
        (folder / model).rmdir()
    with pytest.raises(ValueError, match="got 1: model-blue"):
        read_folder(folder)


def test_large_files_are_made_smaller_and_say_nothing(folder):
    for name in ("source", "model-red", "model-green", "model-blue"):
        Image.new("RGB", (2000, 1000), "red").save(folder / name / "000.png")
    assert read_folder(folder).sources[0].shape == (512, 1024, 3)
    file = Image.open(io.BytesIO(png(np.zeros((4, 4, 3), "uint8"))))
    assert file.info == {}


def test_names_that_are_no_file_names(pictures, tmp_path):
    images = pictures.sources
    odd = from_arrays(images, {"../a": images, "b": images})
    with pytest.raises(ValueError, match=r"\.\./a"):
        write_folder(odd, tmp_path / "class")
    assert not (tmp_path / "class").exists()
