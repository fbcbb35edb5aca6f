"""A cache that is stale, damaged or interrupted, a full disk, files that fail."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from odd_pictures import encode, quarters
from PIL import Image

from data_prep.decode import decode_square
from gan_lib.data import folders, picture_store
from gan_lib.data.folders import load_folder


def small_folder(path: Path, count: int = 3) -> Path:
    path.mkdir(exist_ok=True)
    for number in range(count):
        image = Image.new("RGB", (40, 40), (number, 10, 20))
        image.save(path / f"{number:03d}.png")
    return path


def test_changed_file_is_read_again(tmp_path):
    root = small_folder(tmp_path / "in")
    load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    Image.new("RGB", (41, 40), (99, 0, 0)).save(root / "001.png")
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert loaded.images[1, 0, 0].tolist() == [99, 0, 0]


@pytest.mark.parametrize("damage", ["cut", "index", "missing"])
def test_damaged_cache_is_made_again(tmp_path, damage):
    root = small_folder(tmp_path / "in")
    first = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    (store,) = (tmp_path / "c" / "folders").iterdir()
    pixels, index = store / "pixels.u8", store / "index.json"
    if damage == "cut":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    elif damage == "index":
        index.write_text('{"paths": [')
    else:
        pixels.unlink()
    again = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    np.testing.assert_array_equal(first.images, again.images)


def test_ctrl_c_leaves_nothing_behind(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in", 30)
    calls = []

    def interrupted(data, size, **limits):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return decode_square(data, size, **limits)

    monkeypatch.setattr(folders, "decode_square", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_folder(root, 32, cache_dir=tmp_path / "c", progress=False, workers=1)
    assert not list((tmp_path / "c" / "folders").iterdir())


def test_large_result_stays_on_disk(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in")
    monkeypatch.setattr(picture_store, "_memory_limit", lambda: 1000)
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert isinstance(loaded.images, np.memmap)
    assert loaded.images[2, 5, 5].tolist() == [2, 10, 20]


def test_full_disk_is_told_before_work(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(OSError, match="Free some space"):
        load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)


def test_no_permission_is_a_reason(tmp_path):
    root = small_folder(tmp_path / "in")
    (root / "000.png").chmod(0)
    if os.access(root / "000.png", os.R_OK):
        pytest.skip("this user (root) may read everything")
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert loaded.skipped[0].reason == "cannot be read: Permission denied"


def test_read_error_is_a_reason(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in")
    real = open

    def refuse(path, *args, **kwargs):
        if str(path).endswith("000.png"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr("data_prep.scan.open", refuse, raising=False)
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert loaded.skipped[0].reason == "cannot be read: Permission denied"
    assert len(loaded) == 2


def test_name_that_is_not_text(tmp_path):
    root = os.fsencode(small_folder(tmp_path / "in"))
    try:
        with open(root + b"/\xff\xfe.png", "wb") as out:
            out.write(encode(quarters(), "PNG"))
    except OSError:
        pytest.skip("this file system takes only valid names")
    loaded = load_folder(tmp_path / "in", 32, cache_dir=tmp_path / "c", progress=False)
    assert len(loaded) == 4
    json.dumps(loaded.paths)
    loaded.summary()
