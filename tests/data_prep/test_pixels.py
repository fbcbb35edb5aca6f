"""The pixels behind a row of the index, in a folder, a zip file or the work folder."""

from __future__ import annotations

import os
import time
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from odd_pictures import encode, quarters

from data_prep import pixels
from data_prep.decode import Unusable
from data_prep.pixels import read_bytes, read_pixels
from data_prep.records import Source
from data_prep.scan import scan_folder, scan_zip

FOUR = np.asarray(quarters(40, 20))


def row(origin: Path | str, path: str) -> Source:
    return Source("0", path, origin=str(origin), path=path)


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def opened(monkeypatch):
    """The zip files whose directories were read, in order; and those still open."""
    read, alive = [], weakref.WeakSet()
    contents = zipfile.ZipFile._RealGetContents

    def counted(archive):
        read.append(archive.filename)
        alive.add(archive)
        contents(archive)

    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", counted)
    pixels._opened.cache_clear()
    yield read, alive
    pixels._opened.cache_clear()


def test_pixels_are_read_from_folder_zip_and_work_folder(tmp_path):
    data = encode(quarters(40, 20))
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.png").write_bytes(data)
    pack(tmp_path / "in.zip", {"deep/a.png": data})
    (tmp_path / "work" / "sources").mkdir(parents=True)
    (tmp_path / "work" / "sources" / "a.png").write_bytes(data)
    for origin, path in (
        (tmp_path / "in", "deep/a.png"),
        (tmp_path / "in.zip", "deep/a.png"),
        ("", "sources/a.png"),
    ):
        found = read_pixels(tmp_path / "work", row(origin, path))
        np.testing.assert_array_equal(found, FOUR)
    for origin, why in (
        (tmp_path / "in", "cannot be read: No such file"),
        (tmp_path / "in.zip", "broken in the zip file: .*no item named 'b.png'"),
        (tmp_path / "gone.zip", "cannot be read: No such file"),
    ):
        with pytest.raises(Unusable, match=why):
            read_pixels(tmp_path, row(origin, "b.png"))


def test_odd_names_are_found_as_scan_shows_them(tmp_path):
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/\xff\x07.png", "wb") as file:
        file.write(encode(quarters(40, 20)))
    (entry,) = scan_folder(tmp_path / "in")[0]
    found = read_pixels(tmp_path, row(tmp_path / "in", entry.path))
    np.testing.assert_array_equal(found, FOUR)
    names = ("a\tb.png", "a\\tb.png", "c\n.png", "名前/d.png")  # two are shown alike
    origin = pack(tmp_path / "in.zip", {name: name.encode() for name in names})
    shown = [entry.path for entry in scan_zip(origin)[0]]
    assert sorted(set(shown)) == sorted({"a\\tb.png", "c\\n.png", "名前/d.png"})
    assert read_bytes(tmp_path, row(origin, "a\\tb.png")) == b"a\\tb.png"
    assert read_bytes(tmp_path, row(origin, "c\\n.png")) == b"c\n.png"


def test_a_member_past_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels, "MAX_BYTES", 9)
    origin = pack(tmp_path / "in.zip", {"a": bytes(9), "b": bytes(10)})
    assert read_bytes(tmp_path, row(origin, "a")) == bytes(9)
    with pytest.raises(Unusable, match="too large"):
        read_bytes(tmp_path, row(origin, "b"))


def test_the_directory_of_a_zip_file_is_read_once(tmp_path, opened):
    files = {f"{number}.png": b"%d" % number for number in range(50)}
    origin = pack(tmp_path / "in.zip", files)
    for name, data in files.items():
        assert read_bytes(tmp_path, row(origin, name)) == data
    assert opened[0] == [str(origin)]


def test_a_zip_file_that_was_replaced_is_read_anew(tmp_path, opened):
    origin = pack(tmp_path / "in.zip", {"a": b"one"})
    assert read_bytes(tmp_path, row(origin, "a")) == b"one"
    before = origin.stat()
    os.replace(pack(tmp_path / "new.zip", {"a": b"two"}), origin)
    os.utime(origin, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert origin.stat().st_size == before.st_size
    assert read_bytes(tmp_path, row(origin, "a")) == b"two"
    pack(origin, {"a": b"six"})  # in place: as long, but later
    os.utime(origin, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert read_bytes(tmp_path, row(origin, "a")) == b"six"
    pack(origin, {"a": b"three", "b": b"four"})
    os.utime(origin, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert read_bytes(tmp_path, row(origin, "a")) == b"three"
    assert read_bytes(tmp_path, row(origin, "b")) == b"four"
    origin.unlink()
    with pytest.raises(Unusable, match="No such file"):
        read_bytes(tmp_path, row(origin, "a"))


def test_few_zip_files_stay_open(tmp_path, opened):
    origins = [pack(tmp_path / f"{k}.zip", {"a": b"%d" % k}) for k in range(12)]
    for number, origin in enumerate(origins):
        assert read_bytes(tmp_path, row(origin, "a")) == b"%d" % number
    assert len(opened[1]) == pixels._opened.cache_info().maxsize == 8
    pixels._opened.cache_clear()
    assert len(opened[1]) == 0


def test_threads_share_a_zip_file(tmp_path, monkeypatch):
    files = {str(number): b"%d" % number for number in range(20)}
    origin = pack(tmp_path / "in.zip", files)
    within, most, whole = [], [], zipfile.ZipFile.open

    def slow(archive, name):
        # ZipFile's count of its open members goes wrong when two come at once.
        within.append(name)
        most.append(len(within))
        time.sleep(0.001)
        within.remove(name)
        return whole(archive, name)

    read_bytes(tmp_path, row(origin, "0"))  # or the first threads open one each
    monkeypatch.setattr(zipfile.ZipFile, "open", slow)
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda name: read_bytes(tmp_path, row(origin, name)), files)
        assert list(read) == list(files.values())
    assert max(most) == 1


def test_a_file_that_failed_once_is_opened_again(tmp_path, monkeypatch, opened):
    origin = pack(tmp_path / "in.zip", {"a": b"one"})

    def stale(self, name):
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as broken:
        broken.setattr(zipfile.ZipFile, "open", stale)
        with pytest.raises(Unusable, match="Stale"):
            read_bytes(tmp_path, row(origin, "a"))
    assert read_bytes(tmp_path, row(origin, "a")) == b"one"
    assert opened[0] == [str(origin)] * 2


def test_a_forked_process_opens_its_own(tmp_path, monkeypatch, opened):
    origin = pack(tmp_path / "in.zip", {"a": b"one"})
    read_bytes(tmp_path, row(origin, "a"))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    read_bytes(tmp_path, row(origin, "a"))
    assert len(opened[0]) == 2
