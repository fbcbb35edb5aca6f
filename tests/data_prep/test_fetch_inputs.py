"""Lists, folders and zips as they come from users."""

import json
import zipfile

import pytest
from hostile_server import picture

from data_prep import inputs
from data_prep.fetching import gallery
from data_prep.fetching.settings import FetchSettings
from data_prep.index import Index
from data_prep.records import source_id

URL = "http://h.org/a.png"


def _read(path, text, **values):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(inputs.read(path, **values))


def test_text(tmp_path):
    text = f"\ufeff{URL}\r\n\n# a comment\n  http://h.org/b.png \n{URL}#x\nnot a url\n"
    first, second, bad = _read(tmp_path / "a.txt", text, licence="CC0-1.0")
    assert (first.source, first.id, first.status) == (URL, source_id(URL), "new")
    assert first.licence == "CC0-1.0"
    assert second.source == "http://h.org/b.png"
    assert (bad.source, bad.status) == ("not a url", "dropped")


def test_csv_with_other_names_of_columns(tmp_path):
    text = f'Image_URL,License,Artist,Rating,SHA256\n{URL},MIT,"Ann, B.",g,{"A" * 64}\n'
    (row,) = _read(tmp_path / "a.csv", text, licence="CC0-1.0")
    assert (row.licence, row.attribution, row.rating) == ("MIT", "Ann, B.", "g")
    assert row.source_sha256 == "a" * 64


def test_csv_without_header(tmp_path):
    assert [row.source for row in _read(tmp_path / "a.csv", f"{URL}\n")] == [URL]


def test_csv_of_something_else(tmp_path):
    with pytest.raises(ValueError, match="no column `url`"):
        _read(tmp_path / "a.csv", "name,age\nann,3\n")


def test_bad_lines_of_a_csv_cost_only_themselves(tmp_path):
    text = b"url,licence\n,\n\xff\xfe\0,x\n" + b"a" * 200_000 + b",\n" + URL.encode()
    rows = _read(tmp_path / "a.csv", text)
    assert [row.source for row in rows if row.status == "new"] == [URL]
    assert all(row.reason for row in rows if row.status == "dropped")


def test_json_lines(tmp_path):
    lines = [
        json.dumps({"url": URL, "license": "MIT", "author": ["A", "B"]}),
        json.dumps("http://h.org/b.png"),
        "{broken", "[" * 100_000, "3", json.dumps({"licence": "MIT"}),
    ]  # fmt: skip
    first, second, *bad = _read(tmp_path / "a.jsonl", "\n".join(lines))
    assert (first.licence, first.attribution) == ("MIT", "A, B")
    assert second.status == "new"
    assert [row.status for row in bad] == ["dropped"] * 4


def test_a_manifest_is_a_list(tmp_path):
    with Index(tmp_path) as index:
        index.add(inputs.from_rows([{"url": URL, "licence": "MIT"}]))
        rows = list(inputs.read(index.export()))
    assert [(row.source, row.licence) for row in rows] == [(URL, "MIT")]


def test_passwords_are_not_kept(tmp_path):
    (row,) = _read(tmp_path / "a.txt", "https://ann:secret@h.org/a.png\n")
    assert row.status == "dropped"
    assert "secret" not in f"{row.source} {row.reason}"


def test_one_url():
    assert [row.source for row in inputs.read(URL)] == [URL]


def test_folder_and_zip_name_the_same_pictures(tmp_path):
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(picture(1))
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(folder / "a.jpg", "deep/a.jpg")
        archive.writestr("../slip.jpg", picture(2))
    (row,) = inputs.read(tmp_path / "in", rating="g")
    assert (row.source, row.path, row.rating) == ("deep/a.jpg", "deep/a.jpg", "g")
    same, slip = inputs.read(tmp_path / "in.zip")
    assert (same.id, same.origin) == (row.id, str(tmp_path / "in.zip"))
    assert "points outside" in slip.reason


@pytest.mark.parametrize("name", ["nothing", "a.rar"])
def test_what_is_no_input(tmp_path, name):
    (tmp_path / "a.rar").write_bytes(b"")
    with pytest.raises((FileNotFoundError, ValueError), match="Expected a folder"):
        list(inputs.read(tmp_path / name))


def _gallery(folder, **sides):
    folder.mkdir()
    for name, side in sides.items():
        (folder / f"{name}.jpg").write_bytes(picture(len(name)))
        text = side if isinstance(side, str) else json.dumps(side)
        (folder / f"{name}.jpg.json").write_text(text)
    return {row.path: row for row in inputs.read(folder)}


def test_gallery_folder(tmp_path):
    rows = _gallery(
        tmp_path / "g",
        a={"file_url": URL, "rating": "g", "license": "CC-BY", "artist": ["A", "B"]},
        bb={"url": "http://h.org/b", "is_mature": True, "user": {"name": "ann"}},
        ccc="{broken",
        dddd={"file_url": URL, "rating": None, "nsfw": False},
    )
    assert rows["a.jpg"].source == URL
    assert rows["a.jpg"].origin == str(tmp_path / "g")
    assert (rows["a.jpg"].licence, rows["a.jpg"].attribution) == ("CC-BY", "A, B")
    assert (rows["bb.jpg"].rating, rows["bb.jpg"].attribution) == ("mature", "ann")
    assert rows["ccc.jpg"].source == "ccc.jpg"
    assert rows["dddd.jpg"].source == "dddd.jpg"  # its URL is taken, it is not lost
    assert len(rows) == 4
    assert {row.status for row in rows.values()} == {"new"}


def test_gallery_dl_is_called_politely(tmp_path, monkeypatch):
    program = tmp_path / "gallery-dl"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.said"\nexit ${CODE:-0}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    settings = FetchSettings(contact="mailto:me@h.org", per_host_seconds=2.0)
    gallery.download(URL, tmp_path / "out", settings=settings)
    said = (tmp_path / "gallery-dl.said").read_text().splitlines()
    assert said[-2:] == ["--", URL]
    assert said[said.index("--sleep") + 1] == "2.0"
    assert "mailto:me@h.org" in said[said.index("--user-agent") + 1]
    monkeypatch.setenv("CODE", "4")
    with pytest.raises(RuntimeError, match="code 4"):
        gallery.download(URL, tmp_path / "out")
    with pytest.raises(ValueError, match="http"):
        gallery.download("--exec=rm", tmp_path / "out")


def test_gallery_dl_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="pip install gallery-dl"):
        gallery.download(URL, tmp_path)
