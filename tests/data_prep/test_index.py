"""The index: what was said last stands, after a kill as well."""

import csv
import subprocess
import sys

import pytest

from data_prep.index import COLUMNS, Index
from data_prep.records import Face, Source, source_id


def source(name, **values):
    return Source(id=source_id(name), source=name, **values)


def face(name, index=0, score=0.5, **values):
    return Face(source_id(name), index, 1, 2, 30, 30, score, "lbp", **values)


def test_what_was_written_is_read_back(tmp_path):
    with Index(tmp_path) as index:
        assert index.add([source("b.png", licence="CC0-1.0"), source("a.png")]) == 2
        assert index.add([source("b.png")]) == 0  # known already
        index.update(source_id("a.png"), status="fetched", width=640, height=480)
        index.set_faces(source_id("a.png"), [face("a.png"), face("a.png", 1)], "key")
        index.update_face(face("a.png", 1), status="dropped", reason="too small")
    with Index(tmp_path) as index:
        (fetched,) = index.sources(status="fetched")
        assert (fetched.source, fetched.width, fetched.detect_key) == (
            "a.png",
            640,
            "key",
        )
        assert [found.reason for found in index.faces()] == ["", "too small"]
        assert index.sources(source="b.png")[0].licence == "CC0-1.0"


def test_new_faces_replace_old_ones(tmp_path):
    with Index(tmp_path) as index:
        index.add([source("a.png")])
        index.set_faces(source_id("a.png"), [face("a.png", 0), face("a.png", 1)], "k")
        index.set_faces(source_id("a.png"), [face("a.png", 0, score=0.9)], "l")
        assert [found.score for found in index.faces()] == [0.9]
        index.remove(source_id("a.png"))
        assert not index.faces()
        assert not index.sources()


def test_purged_sources_do_not_come_back(tmp_path):
    with Index(tmp_path) as index:
        index.purge("a.png")
        index.purge("5" * 64)
        again = [source("a.png"), source("copy.png", source_sha256="5" * 64)]
        assert index.add([*again, source("b.png")]) == 1
        assert index.sources()[0].source == "b.png"


def test_a_moved_input_is_known_and_a_second_one_is_refused(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with Index(tmp_path / "work") as index:
        index.add([source("a.png", origin=str(first), status="fetched")])
        with pytest.raises(ValueError, match="already holds a.png of .*first"):
            index.add([source("a.png", origin=str(second))])
        index.add([source("b.png", origin=str(second))])
        first.rename(tmp_path / "moved")
        assert index.add([source("a.png", origin=str(tmp_path / "moved"))]) == 0
        (moved,) = index.sources(status="fetched")
        assert moved.origin == str(tmp_path / "moved")


def add_and_fail(index):
    with index.transaction():
        index.add([source("a.png")])
        raise ZeroDivisionError


def test_a_failed_transaction_changes_nothing(tmp_path):
    with Index(tmp_path) as index:
        with pytest.raises(ZeroDivisionError):
            add_and_fail(index)
        assert not index.sources()


def test_a_second_writer_is_told_at_once(tmp_path):
    with Index(tmp_path), pytest.raises(RuntimeError, match="in use by another run"):
        Index(tmp_path)


def test_reading_only_makes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="Run an earlier stage"):
        Index(tmp_path / "none", read_only=True)
    assert not list(tmp_path.iterdir())


WRITER = """
import sys
from data_prep.index import Index
from data_prep.records import Source, source_id
with Index(sys.argv[1]) as index:
    index.add([Source(id=source_id(str(n)), source=str(n)) for n in range(500)])
    print("ready", flush=True)
    for number in range(10**9):
        with index.transaction():
            for n in (2 * number % 500, (2 * number + 1) % 500):
                index.update(source_id(str(n)), attempts=number + 1)
"""


def test_a_kill_leaves_whole_batches(tmp_path):
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait()
        with Index(tmp_path) as index:
            tries = {int(row.source): row.attempts for row in index.sources()}
        assert len(tries) == 500
        assert all(tries[n] == tries[n + 1] for n in range(0, 500, 2))


def test_manifest_has_a_row_for_each_face_and_each_file_without(tmp_path):
    with Index(tmp_path) as index:
        index.add([source("two.png"), source("none.png", reason="no face found")])
        index.add([source("=HYPERLINK(1)", licence="CC BY 4.0, by \u1f638\nme")])
        index.set_faces(source_id("two.png"), [face("two.png"), face("two.png", 1)], "")
        path = index.export()
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    by_source = {}
    for row in rows:
        by_source.setdefault(row["source"], []).append(row)
    assert [row["face_index"] for row in by_source["two.png"]] == ["0", "1"]
    assert by_source["none.png"][0]["reason"] == "no face found"
    assert by_source["'=HYPERLINK(1)"][0]["licence"] == "CC BY 4.0, by \u1f638\nme"
    assert [path.name for path in tmp_path.glob("*.csv")] == ["manifest.csv"]
