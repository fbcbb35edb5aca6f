"""A checkpoint is whole or it is not there, and damage never goes unnoticed."""

from __future__ import annotations

import errno
import os
import random
import shutil

import numpy as np
import pytest

from gan_lib import checkpoints as module
from gan_lib.checkpoints import CheckpointError, Checkpoints


def _arrays(number):
    rng = np.random.default_rng(number)
    return {
        "a/kernel": rng.normal(size=(3, 4)).astype("float32"),
        "seed": rng.integers(0, 2**32, 2).astype("uint32"),
        "counter": np.asarray(number, "int64"),
        "flags": np.array([], "bool"),
    }


def _save(checkpoints, number):
    return checkpoints.save(number, _arrays(number), {"number": number, "x": 0.1})


def _assert_holds(checkpoints, number):
    arrays, metadata = checkpoints.load_newest()
    expected = _arrays(number)
    assert metadata == {"number": number, "x": 0.1}
    assert arrays.keys() == expected.keys()
    for name, value in arrays.items():
        assert value.dtype == expected[name].dtype
        np.testing.assert_array_equal(value, expected[name])


def test_round_trip_and_how_many_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new" / "folder")
    assert checkpoints.load_newest() is None
    for number in (4, 8, 1_000_000):
        path = _save(checkpoints, number)
        assert checkpoints.paths()[0] == path
    assert len(list(checkpoints.directory.iterdir())) == 2
    _assert_holds(checkpoints, 1_000_000)
    _assert_holds(Checkpoints(checkpoints.directory), 1_000_000)
    four = Checkpoints(tmp_path / "four", keep=4)
    for number in range(6):
        _save(four, number)
    assert len(four.paths()) == 4
    with pytest.raises(ValueError, match="keep"):
        Checkpoints(tmp_path, keep=1)


@pytest.mark.parametrize("kind", ["flip", "cut", "empty", "zeros"])
def test_damage_is_noticed_and_the_one_before_is_used(kind, tmp_path):
    rng = random.Random(kind)
    for trial in range(40 if kind in ("flip", "cut") else 1):
        checkpoints = Checkpoints(tmp_path / str(trial))
        for number in (1, 2):
            newest = _save(checkpoints, number)
        content = bytearray(newest.read_bytes())
        place = rng.randrange(len(content))
        if kind == "flip":
            content[place] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del content[place:]
        else:
            content = bytearray(len(content) if kind == "zeros" else 0)
        newest.write_bytes(content)
        with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
            _assert_holds(checkpoints, 1)
        assert newest.with_name(newest.name + ".damaged").exists()
        _save(checkpoints, 3)  # and life goes on
        _assert_holds(checkpoints, 3)


def test_when_all_are_damaged_it_says_so_every_time(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for number in (1, 2):
        _save(checkpoints, number).write_bytes(b"PK")
    every = pytest.raises(CheckpointError, match="every one")
    with pytest.warns(UserWarning, match="is damaged"), every:
        checkpoints.load_newest()
    with pytest.raises(CheckpointError, match="empty this one"):
        Checkpoints(tmp_path).load_newest()


def test_a_file_the_drive_cannot_read_is_left_alone(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    _save(checkpoints, 1)
    newest, digest = _save(checkpoints, 2), module._digest

    def unreadable(path):
        if path == newest:
            raise OSError(errno.EIO, "Input/output error")
        return digest(path)

    monkeypatch.setattr(module, "_digest", unreadable)
    with pytest.warns(UserWarning, match="cannot be read .*Input/output error"):
        _assert_holds(checkpoints, 1)
    monkeypatch.undo()
    _assert_holds(checkpoints, 2)


def test_leftovers_of_a_kill_are_swept_and_other_files_are_not(tmp_path):
    _save(Checkpoints(tmp_path), 5)
    (tmp_path / "unfinished-123.npz").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    _assert_holds(Checkpoints(tmp_path), 5)
    names = {path.name for path in tmp_path.iterdir()}
    assert "notes.txt" in names
    assert not any(name.startswith("unfinished") for name in names)


@pytest.mark.parametrize("place", ["savez", "fsync", "replace"])
def test_a_full_disk_is_loud_and_costs_one_save(place, tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    _save(checkpoints, 1)

    def full(*arguments, **_):
        if place == "savez":
            arguments[0].write(b"part of the file")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np if place == "savez" else os, place, full)
        with pytest.warns(UserWarning, match="NOT SAVED.*No space left"):
            assert _save(checkpoints, 2) is None
    assert len(list(tmp_path.iterdir())) == 1
    _assert_holds(checkpoints, 1)
    _save(checkpoints, 3)
    _assert_holds(checkpoints, 3)


LIMITED = """
import resource, signal, sys, warnings
import numpy as np
from gan_lib.checkpoints import Checkpoints

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
checkpoints = Checkpoints(sys.argv[1])
checkpoints.save(1, {"w": np.ones(10)}, {})
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    assert checkpoints.save(2, {"w": np.ones(100_000)}, {}) is None
assert "NOT SAVED" in str(said[0].message)
assert checkpoints.load_newest()[0]["w"].sum() == 10
assert checkpoints.save(3, {"w": np.ones(20)}, {})
assert checkpoints.load_newest()[0]["w"].sum() == 20
print("went on")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs file size limits")
def test_a_file_the_system_cuts_off(tmp_path, run_python):
    assert run_python(LIMITED, tmp_path).endswith("went on\n")


class TestDrive:
    """A mounted network drive: copied, compared, tried again."""

    @pytest.fixture
    def drive(self, tmp_path, monkeypatch):
        waits = []
        monkeypatch.setattr(module.time, "sleep", waits.append)
        checkpoints = Checkpoints(tmp_path)
        checkpoints.is_remote = True
        checkpoints.waits = waits
        return checkpoints

    def _copy(self, monkeypatch, failures, spoil):
        original, calls = shutil.copyfile, []

        def copyfile(source, target):
            calls.append(target)
            original(source, target)
            if len(calls) <= failures:
                spoil(target)

        monkeypatch.setattr(module.shutil, "copyfile", copyfile)
        return calls

    def _disconnect(self, path):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def _cut(self, path):
        os.truncate(path, 100)

    def test_normally(self, drive):
        _save(drive, 1)
        _assert_holds(drive, 1)
        assert not drive.waits

    @pytest.mark.parametrize("fault", ["_disconnect", "_cut"])
    def test_two_faults_are_survived(self, fault, drive, monkeypatch):
        calls = self._copy(monkeypatch, 2, getattr(self, fault))
        _save(drive, 1)
        assert len(calls) == 3
        assert drive.waits == [1, 2]
        _assert_holds(drive, 1)

    @pytest.mark.parametrize("fault", ["_disconnect", "_cut"])
    def test_three_are_said_aloud(self, fault, drive, monkeypatch):
        _save(drive, 1)
        self._copy(monkeypatch, 99, getattr(self, fault))
        with pytest.warns(UserWarning, match="NOT SAVED"):
            assert _save(drive, 2) is None
        _assert_holds(drive, 1)
        assert len(list(drive.directory.iterdir())) == 1

    def test_known_by_its_path(self, monkeypatch, tmp_path):
        monkeypatch.setattr(module.Path, "mkdir", lambda *_, **__: None)
        on_drive = Checkpoints("/content/drive/MyDrive/gan_runs/x")
        assert on_drive.is_remote
        assert not Checkpoints(tmp_path).is_remote


def test_the_drive_goes_away_while_old_files_are_dropped(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    for number in (1, 2):
        _save(checkpoints, number)

    def gone(self, missing_ok=False):
        if self.name.startswith("checkpoint"):
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    with monkeypatch.context() as patch:
        patch.setattr(module.Path, "unlink", gone)
        assert _save(checkpoints, 3)
    _assert_holds(checkpoints, 3)
    _save(checkpoints, 4)
    assert len(checkpoints.paths()) == 2
