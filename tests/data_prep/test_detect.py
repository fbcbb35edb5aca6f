"""The stage `detect`: rows of faces, bad pictures, restarts."""

from __future__ import annotations

import dataclasses
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import detect, detectors
from data_prep.detect import DetectSettings, Task
from data_prep.index import Index
from data_prep.records import Source, source_id

ROOT = Path(__file__).parents[2]


def picture(places) -> Image.Image:
    face = Image.fromarray(detectors.canary())
    image = Image.new("RGB", (600, 400), (223, 232, 242))
    for x, y, side in places:
        image.paste(face.resize((side, side)), (x, y))
    return image


def fill(folder: Path, copies: int = 1) -> Path:
    """A folder with one picture of two faces, one of none and one that is broken."""
    pictures = folder / "pictures"
    pictures.mkdir()
    for k in range(copies):
        picture([(10, 10, 250), (300, 80, 300)]).save(pictures / f"two{k}.png")
        picture([]).save(pictures / f"none{k}.png")
        (pictures / f"broken{k}.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    with Index(folder / "work") as index:
        add(index, pictures)
    return folder / "work"


def add(index: Index, pictures: Path) -> None:
    index.add(
        Source(
            source_id(path.name),
            path.name,
            str(pictures),
            path.name,
            status="fetched",
        )
        for path in sorted(pictures.iterdir())
    )


def rows(folder: Path) -> tuple[list, list]:
    with Index(folder, read_only=True) as index:
        return index.sources(), index.faces()


@pytest.fixture
def work(tmp_path) -> Path:
    return fill(tmp_path)


def run(folder: Path, settings: DetectSettings | None = None, **options) -> dict:
    options = {"workers": 1, "progress": False} | options
    with Index(folder, read_only=options.get("dry_run", False)) as index:
        return detect.run(index, settings or DetectSettings(), **options)


def test_faces_become_rows_and_bad_pictures_reasons(work):
    counts = run(work)
    assert counts == {"with faces": 1, "without face": 1, "dropped": 1, "faces": 2}
    sources, faces = rows(work)
    by_name = {source.source: source for source in sources}
    two, none = by_name["two0.png"], by_name["none0.png"]
    assert (two.width, two.height, two.status, two.reason) == (600, 400, "fetched", "")
    assert (none.status, none.reason) == ("fetched", "no face found")
    assert by_name["broken0.png"].status == "dropped"
    assert by_name["broken0.png"].reason != ""
    assert {source.detect_key for source in sources} == {DetectSettings().key()}
    assert [face.face_index for face in faces] == [0, 1]
    assert faces[0].score >= faces[1].score > 0
    for face in faces:
        assert face.source_id == two.id
        assert face.w == face.h
        assert (face.detector, face.status) == ("default", "found")
    lefts = sorted(face.x for face in faces)
    assert abs(lefts[0] - (10 + 48 * 250 / 272)) < 40
    assert abs(lefts[1] - (300 + 48 * 300 / 272)) < 40


def test_a_second_run_has_nothing_to_do(work):
    run(work)
    before = rows(work)
    assert not any(run(work).values())
    assert rows(work) == before


def test_other_settings_look_again(work):
    run(work)
    counts = run(work, DetectSettings(max_faces=1))
    assert counts["faces"] == 1
    assert counts["dropped"] == 0  # dropped ones stay dropped
    assert len(rows(work)[1]) == 1
    assert run(work)["faces"] == 2


def test_a_face_found_later_takes_the_reason_back(work):
    with Index(work) as index:
        for source in index.sources():
            index.update(source.id, reason=detect.NO_FACE)
    run(work)
    reasons = {source.source: source.reason for source in rows(work)[0]}
    assert reasons["two0.png"] == ""


def test_a_dry_run_writes_nothing(work):
    before = (work / "index.sqlite").read_bytes()
    assert run(work, dry_run=True) == {"to do": 3}
    assert (work / "index.sqlite").read_bytes() == before


def test_the_number_of_workers_changes_nothing(work):
    run(work, workers=1)
    one = rows(work)
    with Index(work) as index:
        for source in index.sources():
            index.update(source.id, detect_key="", status="fetched", reason="")
    run(work, workers=2)
    assert rows(work) == one


def test_a_task_is_pure_and_can_be_pickled(work):
    source = next(s for s in rows(work)[0] if s.source == "two0.png")
    task = Task(str(work), source, DetectSettings())
    again = pickle.loads(pickle.dumps(task))
    assert detect.find(again) == detect.find(task)


def test_a_missing_file_is_a_reason(work):
    (work.parent / "pictures" / "two0.png").unlink()
    counts = run(work)
    assert counts["dropped"] == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"detector": "cascade"}, "default, lbp"),
        ({"min_score": 1.5}, "certainty"),
        ({"min_score": -0.1}, "certainty"),
        ({"max_faces": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_are_explained(values, words):
    with pytest.raises(ValueError, match=words):
        DetectSettings(**values)


def test_the_key_follows_the_settings_but_not_where_models_lie():
    keys = {
        DetectSettings().key(),
        DetectSettings(detector="lbp").key(),
        DetectSettings(min_score=0.5).key(),
        DetectSettings(max_faces=3).key(),
    }
    assert len(keys) == 4
    assert DetectSettings(models="/tmp/m").key() == DetectSettings().key()


def test_a_detector_that_does_not_work_stops_before_any_picture(work, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "lbpcascade_animeface.xml").write_text("<x/>")
    before = rows(work)
    with pytest.raises(OSError, match="not the file expected"):
        run(work, DetectSettings(detector="lbp", models=str(tmp_path / "m")))
    assert rows(work) == before


@pytest.mark.slow
def test_killed_runs_end_like_an_unbroken_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, broken = fill(tmp_path / "a", 30), fill(tmp_path / "b", 30)
    run(whole, workers=2)
    code = (
        "import sys; from data_prep import detect; from data_prep.index import Index\n"
        "if __name__ == '__main__':\n"
        f"    with Index({str(broken)!r}) as index:\n"
        "        detect.run(index, workers=2, progress=False)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    for seconds in (1.5, 2.5, 3.5):
        child = subprocess.Popen(
            [sys.executable, str(script)],
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.wait()
        time.sleep(0.5)
    run(broken, workers=2)

    def plain(folder: Path):
        sources, faces = rows(folder)
        return [dataclasses.replace(s, origin="") for s in sources], faces

    assert plain(broken) == plain(whole)
    assert np.unique([face.source_id for face in plain(whole)[1]]).size == 30
