"""Taking pictures out, for good and from everywhere, whatever is killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from work_folders import add_picture, fill, png, tree

from data_prep import pack
from data_prep.index import Index
from data_prep.packing.packed import verify
from data_prep.purge import purge
from data_prep.records import Source, host_of, marks, source_id

URL = "https://a.example.org/0.png"
ALL = pack.PackSettings(formats=pack.FORMATS, shard_size=5)
HERE = Path(__file__).parent
# Purges in a new process that ends itself, as a kill would, at the n-th change of a
# file.
KILLED_PURGE = """
import os, signal, sys
from pathlib import Path
from data_prep.purge import purge
left = int(sys.argv[2])
def counted(real):
    def change(*arguments, **keywords):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **keywords)
    return change
os.replace, Path.unlink = counted(os.replace), counted(Path.unlink)
purge(sys.argv[1], host="a.example.org")
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    folder = fill(tmp_path_factory.mktemp("packed") / "w")
    with Index(folder) as index:
        pack.run(index, ALL, workers=1, progress=False)
    return folder


@pytest.fixture
def no_report(monkeypatch):
    """Without the report, which takes the most time."""
    for module in ("pack", "purge"):
        monkeypatch.setattr(f"data_prep.{module}.write_report", lambda *_, **__: None)


@pytest.fixture
def folder(packed, tmp_path) -> Path:
    subprocess.run(["cp", "-r", packed, tmp_path / "w"], check=True)
    return tmp_path / "w"


def traces(folder: Path, urls: list[str]) -> list[str]:
    """Files that hold a name or the pixels of these pictures."""
    found = []
    crops = [png(1000 * int(url.split("/")[-1][:-4]) + k + 1) for url in urls
             for k in range(3)]  # fmt: skip
    needles = [url.encode() for url in urls] + [source_id(u).encode() for u in urls]
    needles += [crop[-60:-12] for crop in crops]  # the end of the compressed pixels
    for name, data in tree(folder).items():
        if any(needle in data or needle in name.encode() for needle in needles):
            found.append(name)
    return found


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(
    "request_",
    [
        {"url": URL},
        {"source_id": source_id(URL)},
        {"sha256": hashlib.sha256(png(0, 64)).hexdigest()},
        {"sha256": hashlib.sha256(png(1)).hexdigest().upper()},  # of its first crop
    ],
)
def test_one_picture(folder, request_):
    assert traces(folder, [URL])
    removed = purge(folder, **request_)
    assert removed.sources == (URL,)
    assert removed.faces == 3
    assert f"crops/{source_id(URL)}_0.png" in removed.files
    assert "will not come back" in removed.message
    assert traces(folder, [URL]) == []
    assert verify(folder) == []
    with Index(folder) as index:
        assert len(index.sources()) == 11
        assert index.add([Source(source_id(URL), URL)]) == 0
        assert len(index.sources()) == 11


def test_a_host_and_those_below_it(folder):
    removed = purge(folder, host="A.example.org")
    urls = [f"https://a.example.org/{k}.png" for k in (0, 3, 6, 9)]
    assert sorted(removed.sources) == urls
    assert traces(folder, urls) == []
    assert len(purge(folder, host="example.org").sources) == 8
    assert purge(folder, host="example.org").sources == ()


@pytest.mark.usefixtures("no_report")
def test_copies_of_the_same_bytes_go_too(folder):
    with Index(folder) as index:
        add_picture(index, "https://mirror.example.net/0.png", 0)
    both = [URL, "https://mirror.example.net/0.png"]
    assert sorted(purge(folder, url=URL, dry_run=True).sources) == both
    assert sorted(purge(folder, url=URL).sources) == both


@pytest.mark.usefixtures("no_report")
def test_half_loaded_files_go_too(folder):
    part = folder / f"parts/{source_id(URL)}.part"
    part.parent.mkdir()
    part.write_bytes(b"half")
    half = folder / f"images/train/unfinished-7-{source_id(URL)}_0.png"
    half.write_bytes(b"half")
    purge(folder, url=URL)
    assert not part.exists()
    assert not half.exists()


def test_before_anything_is_packed(tmp_path):
    folder = fill(tmp_path / "w")
    purge(folder, url=URL)
    assert traces(folder, [URL]) == []
    assert (folder / "manifest.csv").exists()
    assert not (folder / "dataset.json").exists()


@pytest.mark.usefixtures("no_report")
def test_the_users_own_folder_is_not_touched(folder, tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    (own / "a.png").write_bytes(png(5, 64))
    id = source_id("a.png")
    with Index(folder) as index:
        index.add([Source(id, "a.png", str(own), "a.png", status="fetched")])
    assert purge(folder, url="a.png").sources == ("a.png",)
    assert (own / "a.png").exists()


@pytest.mark.usefixtures("no_report")
def test_dry_run_changes_nothing(folder):
    before = tree(folder)
    would = purge(folder, url=URL, dry_run=True)
    assert "would be removed" in would.message
    assert tree(folder) == before
    did = purge(folder, url=URL)
    assert (would.sources, would.faces, would.files) == (
        did.sources, did.faces, did.files,
    )  # fmt: skip


@pytest.mark.usefixtures("no_report")
def test_nothing_matches_but_the_request_is_kept(folder):
    before = tree(folder)
    nothing = purge(folder, url="https://a.example.org/other.png")
    assert nothing.sources == ()
    assert "No picture here matches" in nothing.message
    assert "will not be taken later" in nothing.message
    assert tree(folder) == before
    with Index(folder) as index:
        url = "https://a.example.org/other.png"
        assert index.add([Source(source_id(url), url)]) == 0


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, "exactly one"),
        ({"url": URL, "host": "a.org"}, "exactly one"),
        ({"url": ""}, "exactly one"),
        ({"host": "https://a.example.org/"}, "without https"),
        ({"host": "."}, "a name such as"),
    ],
)
def test_bad_requests(folder, request_, text):
    with pytest.raises(ValueError, match=text):
        purge(folder, **request_)


def test_a_wrong_folder_is_told_and_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="index"):
        purge(tmp_path / "nowhere", url=URL)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("changes", [0, 12, 30])
def test_killed_purge_is_completed_by_the_next_run(folder, changes):
    urls = [f"https://a.example.org/{k}.png" for k in (0, 3, 6, 9)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_PURGE, folder, str(changes)],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    assert killed.returncode == -signal.SIGKILL
    with Index(folder) as index:
        pack.run(index, ALL, workers=1, progress=False)
    assert traces(folder, urls) == []
    assert verify(folder) == []


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("https://user@WWW.Example.org.:8080/a", "www.example.org"),
        ("http://[::1]/a", "::1"),
        ("http://[::1/a", ""),
        ("ftp://example.org/a", ""),
        ("folder/example.org/a.png", ""),
    ],
)
def test_host_of(source, host):
    assert host_of(source) == host


def test_marks_name_all_domains_above():
    found = marks(Source("f" * 16, "https://i.a.example.org/x", source_sha256="5a"))
    assert found == {
        "f" * 16, "https://i.a.example.org/x", "5a", "host:i.a.example.org",
        "host:a.example.org", "host:example.org", "host:org",
    }  # fmt: skip
