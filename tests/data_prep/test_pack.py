"""Packing: what is written, when it is written again, and what a kill leaves."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from work_folders import add_picture, fill, tree

from data_prep import atomic, pack
from data_prep.index import Index
from data_prep.pack import PackSettings
from data_prep.packing.packed import verify
from data_prep.records import split_of

ALL = PackSettings(formats=pack.FORMATS, shard_size=5)
HERE = Path(__file__).parent
# Packs in a new process that ends itself as a kill would, at the n-th rename.
KILLED_PACK = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from data_prep import pack
from data_prep.index import Index
from test_pack import ALL
left, real = int(sys.argv[2]), os.replace
def replace(*arguments):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*arguments)
os.replace = replace
with Index(sys.argv[1]) as index:
    pack.run(index, ALL, workers=1, progress=False)
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    return fill(tmp_path / "work")


@pytest.fixture
def no_report(monkeypatch):
    """Without the report, which takes the most time; test_report.py has its tests."""
    monkeypatch.setattr(pack, "write_report", lambda *_, **__: None)


def run(folder: Path, settings: PackSettings = ALL, **arguments) -> dict[str, int]:
    with Index(folder, read_only=arguments.get("dry_run", False)) as index:
        return pack.run(index, settings, workers=1, progress=False, **arguments)


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in tree(folder)}


def test_what_is_written(folder):
    counts = run(folder)
    assert counts["train"] + counts["validation"] == 24
    assert counts["left out"] == 0
    files = tree(folder)
    images = [name for name in files if name.startswith("images/")]
    assert len(images) == 24
    assert all(files[name] == files[f"crops/{Path(name).name}"] for name in images)
    about = json.loads(files["dataset.json"])
    assert about["counts"]["faces"] == 24
    assert about["counts"]["pictures"] == 12
    assert about["licences"] == {"CC0-1.0": 6, "unknown": 6}
    assert about["attributions"][0] == {
        "attribution": "Painter 0", "licence": "CC0-1.0", "pictures": 1,
    }  # fmt: skip
    assert about["image"] == [
        {"width": 16, "height": 16, "channels": 3, "format": "png", "faces": 24}
    ]
    assert about["stages"]["dropped faces"] == {"too blurred": 12}
    assert about["settings"]["pack"]["shard_size"] == 5
    assert sum(f.get("images", 0) for f in about["files"].values()) == 3 * 24
    assert files["report.html"].startswith(b"<!DOCTYPE html>")
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 36
    assert verify(folder) == []
    subprocess.run(["sha256sum", "--check", "--quiet", "images.sha256"], cwd=folder,
                   check=True)  # fmt: skip


@pytest.mark.usefixtures("no_report")
def test_all_faces_of_a_picture_are_on_one_side(tmp_path):
    counts = run(fill(tmp_path / "w", pictures=60, faces=2), PackSettings(("folder",)))
    sides: dict[str, set[str]] = {}
    for path in (tmp_path / "w/images").rglob("*.png"):
        sides.setdefault(path.name[:16], set()).add(path.parent.name)
    assert len(sides) == 60
    assert all(len(side) == 1 for side in sides.values())
    assert counts["validation"] > 0


def test_split_is_the_share_and_grows_without_change():
    ids = [f"{k:016x}" for k in range(5_000)]
    small = {id for id in ids if split_of(id, 0.1) == "validation"}
    large = {id for id in ids if split_of(id, 0.2) == "validation"}
    assert 430 < len(small) < 570  # binomial, sigma = 21
    assert small < large
    assert all(split_of(id, 0) == "train" for id in ids)


@pytest.mark.usefixtures("no_report")
def test_same_bytes_in_any_order(folder, tmp_path):
    run(folder)
    other = tmp_path / "other"
    fill(other, pictures=0)
    with Index(other) as index:
        for k in reversed(range(12)):
            url = f"https://{'abc'[k % 3]}.example.org/{k}.png"
            add_picture(index, url, k)
    run(other)
    assert tree(folder) == tree(other)


@pytest.mark.usefixtures("no_report")
def test_only_what_changed_is_written(folder):
    run(folder)
    before = times(folder)
    run(folder)
    after = times(folder)
    lists = {"dataset.json", "manifest.csv", "images.sha256"}
    assert {name for name in before if before[name] != after[name]} <= lists

    id = sorted((folder / "images/train").iterdir())[-1].name[:16]
    with Index(folder) as index:
        index.update(id, licence="CC-BY-4.0")
    run(folder)
    changed = {name for name in before if after[name] != times(folder)[name]} - lists
    last = "train-00003"
    assert changed == {f"tfrecord/{last}.tfrecord", f"webdataset/{last}.tar"}


@pytest.mark.usefixtures("no_report")
def test_what_is_no_longer_wanted_goes(folder):
    run(folder)
    mine = folder / "images/train/notes.txt"
    mine.write_text("mine")
    (folder / "images/train/unfinished-1-x.png").touch()
    face = Index(folder, read_only=True).faces(status="kept")[0]
    with Index(folder) as index:
        index.update_face(face, status="dropped", reason="too small")
    run(folder, PackSettings(("folder",)))
    files = tree(folder)
    assert not [name for name in files if name.split("/")[0] in pack.FORMATS[1:]]
    assert not [name for name in files if face.output[6:] in name[6:] and "im" in name]
    assert not [name for name in files if "unfinished" in name]
    assert mine.exists()
    assert verify(folder) == []


@pytest.mark.usefixtures("no_report")
def test_damaged_crops_are_left_out_aloud_and_made_anew(folder):
    faces = Index(folder, read_only=True).faces(status="kept")
    (folder / faces[0].output).unlink()
    data = bytearray((folder / faces[5].output).read_bytes())
    data[-20] ^= 1
    (folder / faces[5].output).write_bytes(data)
    with pytest.warns(UserWarning, match="2 crops are missing .* Run crop again"):
        counts = run(folder)
    assert counts["left out"] == 2
    assert counts["train"] + counts["validation"] == 22
    pending = Index(folder, read_only=True).faces(crop_key="")
    assert [face.output for face in pending] == [faces[0].output, faces[5].output]
    assert verify(folder) == []


@pytest.mark.usefixtures("no_report")
def test_verify_names_the_file_and_pack_mends_it(folder):
    run(folder)
    good = tree(folder)
    shard = folder / "tfrecord/train-00001.tfrecord"
    data = bytearray(shard.read_bytes())
    data[100] ^= 4
    shard.write_bytes(data)
    image = next((folder / "images/train").iterdir())
    image.write_bytes(b"")
    (folder / "stylegan/train.zip").unlink()
    problems = "\n".join(verify(folder))
    assert "tfrecord/train-00001.tfrecord: damaged" in problems
    assert f"images/train/{image.name}: damaged" in problems
    assert "stylegan/train.zip: missing" in problems
    assert problems.count("Run pack again") == 3
    run(folder)
    assert tree(folder) == good
    (folder / "dataset.json").write_text("{")
    with pytest.raises(FileNotFoundError, match="Run pack"):
        verify(folder)
    run(folder)
    assert tree(folder) == good


def test_dry_run_writes_nothing(folder):
    before = tree(folder)
    assert run(folder, dry_run=True) == {"train": 20, "validation": 4, "left out": 0}
    assert tree(folder) == before


def test_nothing_kept(tmp_path):
    assert run(folder := fill(tmp_path / "w", pictures=0)) == {
        "train": 0,
        "validation": 0,
        "left out": 0,
    }
    assert json.loads((folder / "dataset.json").read_text())["counts"]["faces"] == 0
    assert verify(folder) == []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_any_write_ends_the_same(folder, tmp_path):
    whole = fill(tmp_path / "whole")
    run(whole)
    kills, ended = 0, -signal.SIGKILL
    while ended:
        assert ended == -signal.SIGKILL
        ended = subprocess.run(
            [sys.executable, "-c", KILLED_PACK, folder, "9", HERE],
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        ).returncode
        kills += 1
        if (folder / "dataset.json").exists():
            assert verify(folder) == []
    # 24 images, 12 shards each with its note, four lists: 52 renames
    assert kills >= 6
    assert tree(folder) == tree(whole)


@pytest.mark.usefixtures("no_report")
def test_shards_that_a_killed_run_finished_are_kept(folder, monkeypatch):
    real, left = os.replace, [24 + 2 * 3]

    def replace(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        run(folder)
    monkeypatch.setattr(os, "replace", real)
    before = times(folder)
    done = [name for name in before if name.startswith("tfrecord/")]
    assert len(done) == 3
    run(folder)
    assert all(before[name] == times(folder)[name] for name in done)


@pytest.mark.usefixtures("no_report")
def test_full_disk_leaves_what_was_there(folder, monkeypatch):
    run(folder)
    good = tree(folder)
    with Index(folder) as index:
        add_picture(index, "https://d.example.org/new.png", 99)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="no room for .*tfrecord.* Free some space"):
        run(folder)
    monkeypatch.undo()
    now = tree(folder)
    assert all(now[name] == good[name] for name in good)
    assert not [name for name in now if "unfinished" in name]
    monkeypatch.setattr(pack, "write_report", lambda *_, **__: None)
    run(folder)
    assert verify(folder) == []
    assert json.loads((folder / "dataset.json").read_text())["counts"]["faces"] == 26


def test_pack_loads_no_tensorflow(run_python):
    program = (
        "import sys, data_prep.pack, data_prep.purge\n"
        "print({'tensorflow', 'keras', 'gan_lib', 'torch', 'scipy'} & set(sys.modules))"
    )
    assert run_python(program).strip() == "set()"
