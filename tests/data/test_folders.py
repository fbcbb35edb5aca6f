"""More than a hundred odd files: the good ones used, the bad ones reported."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from odd_pictures import (
    EXPECTED,
    bad_files,
    corners,
    encode,
    good_files,
    png,
    quarters,
)
from PIL import Image

from data_prep.decode import EXIF_ORIENTATION, Unusable, decode_square
from gan_lib.data import folders
from gan_lib.data.folders import load_folder

LIMITS = {"min_side_px": 8, "max_pixels": 64_000_000}


def write_all(folder: Path, files: dict[str, tuple[bytes, str]]) -> None:
    for name, (data, _) in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def shown(name: str) -> str:
    return name.replace("\n", "\\n")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    root = tmp_path_factory.mktemp("zoo")
    good, bad = good_files(), bad_files()
    write_all(root, good)
    write_all(root, bad)
    (root / "empty.png").mkdir()
    (root / "to_nowhere.png").symlink_to(root / "missing.png")
    (root / "circle.png").symlink_to(root / "circle.png")
    (root / "up").symlink_to(root)
    os.mkfifo(root / "pipe.jpg")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(root)  # socket names are limited to about 100 characters
    listener.bind("socket.jpg")
    os.chdir(here)
    listener.close()
    for junk in (".DS_Store", "Thumbs.db", "._plain.jpg", "__MACOSX/._a.png"):
        (root / junk).parent.mkdir(exist_ok=True)
        (root / junk).write_bytes(b"junk")
    reasons = {name: word for name, (_, word) in bad.items()} | {
        "empty.png": "empty folder", "to_nowhere.png": "nowhere",
        "circle.png": "cannot be read", "up": "read already",
        "pipe.jpg": "pipe", "socket.jpg": "pipe",
    }  # fmt: skip
    loaded = load_folder(root, 64, cache_dir=root.parent / "cache", progress=False)
    return root, good, reasons, loaded


def test_more_than_100_odd_files_all_accounted_for(zoo):
    _, good, reasons, loaded = zoo
    assert len(good) + len(reasons) >= 130
    assert set(loaded.paths) == {shown(name) for name in good}
    assert {item.path for item in loaded.skipped} == set(reasons)
    assert loaded.images.shape == (len(good), 64, 64, 3)
    assert loaded.images.dtype == np.uint8


def test_good_files_look_right(zoo):
    _, good, _, loaded = zoo
    by_name = dict(zip(loaded.paths, loaded.images, strict=True))
    wrong = {}
    for name, (_, look) in good.items():
        if look is None:
            continue
        error = np.abs(corners(by_name[shown(name)]) - EXPECTED[look]).max()
        if error > 24:  # lossy formats and the 216 colours of a palette
            wrong[name] = error
    assert not wrong


def test_bad_files_have_the_right_reason(zoo):
    _, _, reasons, loaded = zoo
    for item in loaded.skipped:
        assert item.reason
        assert reasons[item.path] in item.reason, item


def test_summary_counts_and_names(zoo, capsys):
    _, good, reasons, loaded = zoo
    text = loaded.summary()
    assert capsys.readouterr().out.strip() == text
    assert f"{len(good)} pictures of 64 px" in text
    assert f"{len(reasons)} files skipped" in text
    assert "too large" in text


def test_second_call_reads_the_cache(zoo, monkeypatch):
    root, _, _, loaded = zoo

    def must_not_run(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(folders, "decode_square", must_not_run)
    again = load_folder(root, 64, cache_dir=root.parent / "cache", progress=False)
    np.testing.assert_array_equal(again.images, loaded.images)
    assert again.paths == loaded.paths
    assert again.skipped == loaded.skipped


def test_errors_talk_like_a_teacher(tmp_path):
    with pytest.raises(FileNotFoundError, match="spelling mistake"):
        load_folder(tmp_path / "nothing", cache_dir=tmp_path / "c")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no files"):
        load_folder(tmp_path / "empty", cache_dir=tmp_path / "c")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    (tmp_path / "bad" / "b.txt").write_bytes(b"notes")
    with pytest.raises(ValueError, match=r"(?s)no picture.*empty file.*a\.png.*b\.txt"):
        load_folder(tmp_path / "bad", cache_dir=tmp_path / "c", progress=False)
    with pytest.raises(ValueError, match="not a zip file"):
        load_folder(tmp_path / "bad" / "b.txt", cache_dir=tmp_path / "c")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe"):
        load_folder(tmp_path / "pipe", cache_dir=tmp_path / "c")
    with pytest.raises(ValueError, match="size must be"):
        load_folder(tmp_path / "bad", 0, cache_dir=tmp_path / "c")


def test_zip_of_odd_members(tmp_path):
    data = encode(quarters(), "PNG")
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b/顔.png", data)
        archive.writestr("second.jpg", data)
        archive.writestr("locked.png", data)
        archive.writestr("checksum.png", data, zipfile.ZIP_STORED)
        archive.writestr("../escape.png", data)
        archive.writestr("/absolute.png", data)
        archive.writestr("C:\\windows.png", data)
        archive.writestr("__MACOSX/._second.jpg", b"junk")
        archive.writestr("a/", b"")
        archive.writestr("inner.zip", b"PK\x03\x04" + bytes(50))
        archive.writestr("bomb.bin", bytes(20_000_000))
        archive.writestr("bomb.png", data + bytes(20_000_000))
    raw = bytearray(path.read_bytes())
    raw[raw.rfind(b"checksum.png", 0, raw.find(b"PK\x01\x02")) + 60] ^= 1
    member = raw.find(b"PK\x01\x02")
    while raw[member + 46 : member + 56] != b"locked.png":
        member = raw.find(b"PK\x01\x02", member + 4)
    raw[member + 8] |= 1  # the flag "encrypted"
    path.write_bytes(raw)
    loaded = load_folder(
        path, 64, cache_dir=tmp_path / "c", max_pixels=4_000_000, progress=False
    )
    assert loaded.paths == ("a/b/顔.png", "second.jpg")
    assert np.abs(corners(loaded.images[0]) - EXPECTED["colour"]).max() < 3
    reasons = {item.path: item.reason for item in loaded.skipped}
    assert {name: reasons[name].split(":")[0] for name in reasons} == {
        "../escape.png": "a name that points outside the zip file",
        "/absolute.png": "a name that points outside the zip file",
        "C:\\windows.png": "a name that points outside the zip file",
        "locked.png": "encrypted",
        "checksum.png": "broken in the zip file",
        "inner.zip": "an archive inside",
        "bomb.bin": "not a picture (no JPEG, PNG, WebP or GIF header)",
        "bomb.png": "too large",
    }
    assert not list(tmp_path.glob("**/escape.png"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_random_byte_changes_never_crash(kind):
    """Each result is a picture or `Unusable`; nothing else may come out."""
    rng = np.random.default_rng(7)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    options = {} if kind == "GIF" else {"exif": exif}
    whole = encode(quarters(48), kind, **options)
    used = 0
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = rng.integers(0, 256)
        if rng.random() < 0.3:
            data = data[: rng.integers(0, len(data))]
        with contextlib.suppress(Unusable):
            pixels = decode_square(bytes(data), 16, **LIMITS)
            assert pixels.shape == (16, 16, 3)
            used += 1
    assert used < 150


def test_antialiasing_matches_the_mean_of_each_block():
    """A fine checkerboard becomes its mean; picked pixels would be black or white."""
    board = (np.indices((512, 512)).sum(0) % 2 * 255).astype(np.uint8)
    for kind in ("PNG", "JPEG"):
        pixels = decode_square(encode(Image.fromarray(board), kind), 32, **LIMITS)
        assert np.abs(pixels.astype(int) - 127.5).max() < 3


MEMORY_PROBE = """
import resource, sys
from gan_lib.data.folders import load_folder
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loaded = load_folder(sys.argv[1], 64, cache_dir=sys.argv[2], progress=False, workers=4)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(loaded), (after - before) // 1024)
"""


@pytest.mark.slow
def test_memory_stays_bounded(tmp_path):
    """Bombs, four 25-megapixel PNGs and a file of 3 GB: one picture at a time."""
    root = tmp_path / "in"
    root.mkdir()
    big = png(5000, 5000, zlib.compress(bytes(5001 * 5000), 1))
    for number in range(4):
        (root / f"big{number}.png").write_bytes(big)
        (root / f"bomb{number}.png").write_bytes(
            png(40_000, 40_000, zlib.compress(bytes(10**6)))
        )
    with open(root / "huge.png", "wb") as out:  # a sparse file of 3 GB
        out.write(big)
        out.truncate(3 * 10**9)
    run = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE, root, tmp_path / "c"],
        capture_output=True, text=True, timeout=500, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    count, grown_mb = map(int, run.stdout.split())
    assert count == 4
    assert grown_mb < 500
