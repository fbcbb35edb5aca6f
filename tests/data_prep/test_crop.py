"""The stage that crops: which faces, what it writes, and what a kill may cost."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from drawn import add, fill, noise, page, state
from PIL import Image

from data_prep import crop
from data_prep.crop import CropSettings, choose
from data_prep.index import Index
from data_prep.records import Face, source_id

ROOT = Path(__file__).parents[2]
QUICK = {"workers": 1, "progress": False}


@pytest.mark.parametrize(
    "values", [{"size": 4}, {"margin": -0.6}, {"which": "both"}, {"min_face_px": -1}]
)
def test_settings_are_checked(values):
    with pytest.raises(ValueError, match="Expected"):
        CropSettings(**values)


def found(*faces):
    return [Face("s", k, 0, 0, side, side, p, "t") for k, (side, p) in enumerate(faces)]


def test_which_faces_are_taken():
    faces = found((100, 0.9), (300, 0.5), (20, 0.99), (300, 0.6))
    small = (
        "too small: 22 px of the picture for a crop of 128 px, at least 64 are wanted"
    )
    none, largest = "", "not the largest face"
    assert choose(faces, CropSettings()) == [none, none, small, none]
    assert choose(faces, CropSettings(which="largest")) == [
        largest,
        largest,
        small,
        none,
    ]
    best = choose(faces, CropSettings(which="best"))
    assert best == [none, "not the best face", small, "not the best face"]
    tie = choose(found((99, 0.5), (99, 0.5)), CropSettings(which="largest"))
    assert tie == [none, largest]
    assert choose(faces, CropSettings(min_face_px=300))[0].startswith(
        "too small: 110 px"
    )


def test_the_stage_and_what_it_writes(tmp_path):
    out = fill(tmp_path, pictures=3)
    with Index(out) as index:
        before = index.faces()
        dry = crop.run(index, dry_run=True, **QUICK)
        assert index.faces() == before
        assert not (out / "crops").exists()
        counts = crop.run(index, **QUICK)
        assert counts == dry == {"cropped": 6, "dropped": 0, "unchanged": 0}
        again = crop.run(index, **QUICK)
        assert again == {"cropped": 0, "dropped": 0, "unchanged": 6}
        for one in index.faces():
            data = (out / one.output).read_bytes()
            assert one.output == f"crops/{one.source_id}_{one.face_index}.png"
            assert one.output_sha256 == hashlib.sha256(data).hexdigest()
            assert (one.status, len(one.phash)) == ("cropped", 16)
            with Image.open(io.BytesIO(data)) as image:
                assert (image.size, image.mode, image.info) == ((128, 128), "RGB", {})
            assert json.loads(one.measures)["face_px"] == 176


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path):
    states = []
    for workers in (1, 2):
        out = fill(tmp_path / str(workers), pictures=5)
        with Index(out) as index:
            crop.run(index, workers=workers, progress=False)
        states.append(state(out))
        states[-1].pop("sources")  # they name the folder
    assert states[0] == states[1]


def test_other_settings_make_all_anew_and_remove_what_is_not_wanted(tmp_path):
    out = fill(tmp_path, pictures=2)
    with Index(out) as index:
        crop.run(index, **QUICK)
        (out / "crops" / "unfinished-1-x.png").write_bytes(b"")
        counts = crop.run(index, CropSettings(64, which="largest"), **QUICK)
        assert counts == {"cropped": 2, "dropped": 2, "unchanged": 0}
        dropped = index.faces(status="dropped")
        assert {one.reason for one in dropped} == {"not the largest face"}
        assert not any(one.output or one.measures for one in dropped)
        kept = {one.output for one in index.faces(status="cropped")}
        assert {f"crops/{path.name}" for path in (out / "crops").iterdir()} == kept


def test_a_crop_that_is_gone_is_made_again(tmp_path):
    out = fill(tmp_path, pictures=2)
    with Index(out) as index:
        crop.run(index, **QUICK)
        first = index.faces()[0]
        before = (out / first.output).read_bytes()
        (out / first.output).unlink()
        assert crop.run(index, **QUICK)["cropped"] == 2
        assert (out / first.output).read_bytes() == before
        # Found elsewhere: the old crops belong to nobody.
        index.set_faces(first.source_id, [], "d2")
        crop.run(index, **QUICK)
        assert not (out / first.output).exists()


def test_an_unreadable_picture_costs_only_itself_and_is_tried_again(tmp_path):
    out = fill(tmp_path, pictures=3)
    whole = (tmp_path / "in" / "001.png").read_bytes()
    (tmp_path / "in" / "001.png").write_bytes(whole[:500])
    with Index(out) as index:
        counts = crop.run(index, **QUICK)
        assert counts == {"cropped": 4, "dropped": 2, "unchanged": 0}
        bad = index.faces(source_id=source_id("001.png"))
        assert all(one.reason.startswith("broken: ") for one in bad)
        (tmp_path / "in" / "001.png").write_bytes(whole)
        counts = crop.run(index, **QUICK)
        assert counts == {"cropped": 2, "dropped": 0, "unchanged": 4}


def test_a_box_without_size_is_dropped_with_a_reason(tmp_path):
    (tmp_path / "in").mkdir()
    with Index(tmp_path / "out") as index:
        add(
            index, tmp_path / "in", "a.png", page([1]), [(0, 0, 0, 0), (0, 0, 160, 160)]
        )
        counts = crop.run(index, **QUICK)
        assert (counts["cropped"], counts["dropped"]) == (1, 1)
        assert index.faces()[0].reason.startswith("no square: Expected a box")


def test_landmarks_are_used_when_asked_for(tmp_path):
    (tmp_path / "in").mkdir()
    with Index(tmp_path / "out") as index:
        add(index, tmp_path / "in", "a.png", page([1]), [(0, 0, 160, 160)])
        one = index.faces()[0]
        points = [["left_eye", 60, 70], ["right_eye", 110, 90]]
        index.update_face(one, landmarks=json.dumps(points))
        hashes = []
        for align in (False, True):
            crop.run(index, CropSettings(align=align), **QUICK)
            hashes.append(index.faces()[0].output_sha256)
        assert hashes[0] != hashes[1]


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    out = fill(tmp_path, pictures=1)
    with Index(out) as index:
        source, faces = index.sources()[0], tuple(index.faces())

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="Free some space"):
        crop.crop(crop.Task(str(out), source, faces, (), CropSettings()))
    assert list((out / "crops").iterdir()) == []


PROGRAM = """
import sys
from data_prep import crop
from data_prep.index import Index
if __name__ == "__main__":
    with Index(sys.argv[1]) as index:
        crop.run(index, crop.CropSettings(int(sys.argv[2])), workers=2, progress=False)
"""


def start(folder: Path, out: Path, size: int = 128, limit_bytes: int = 0):
    program = folder / "cropping.py"
    program.write_text(PROGRAM)

    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, program, out, str(size)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit if limit_bytes else None,
    )


@pytest.mark.skipif(os.name != "posix", reason="the limit is a POSIX one")
def test_the_next_run_goes_on_after_a_full_disk(tmp_path):
    (tmp_path / "in").mkdir()
    with Index(tmp_path / "out") as index:
        # A crop of noise is larger than the limit, one of a drawing is not.
        add(index, tmp_path / "in", "a.png", page([1], 400), [(0, 0, 400, 400)])
        loud = Image.fromarray(noise(400, 400))
        add(index, tmp_path / "in", "b.png", loud, [(0, 0, 400, 400)])
    process = start(tmp_path, tmp_path / "out", 400, limit_bytes=300_000)
    assert "The disk has no room for" in process.communicate()[1]
    assert process.returncode == 1
    with Index(tmp_path / "out") as index:
        crop.run(index, CropSettings(400), **QUICK)
        assert [one.status for one in index.faces()] == ["cropped", "cropped"]
        names = {f"crops/{path.name}" for path in (tmp_path / "out/crops").iterdir()}
        assert names == {one.output for one in index.faces()}


@pytest.mark.slow
def test_killed_runs_end_with_the_same_folder(tmp_path):
    whole = fill(tmp_path / "a", pictures=60)
    with Index(whole) as index:
        crop.run(index, workers=2, progress=False)
    expected = state(whole)
    out = fill(tmp_path / "b", pictures=60)
    chance = random.Random(5)
    for _ in range(6):
        process = start(tmp_path, out)
        time.sleep(chance.uniform(0.5, 2.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = start(tmp_path, out)
    assert process.wait() == 0, process.stderr.read()
    assert state(out)["crops"] == expected["crops"]
    assert state(out)["faces"] == expected["faces"]
