"""An array in the cache is complete and correct, or it is not there."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gan_lib.data import cache

# loads gan_lib.data without running gan_lib/__init__, which takes seconds
LIGHT = """
import sys, types
package = types.ModuleType("gan_lib")
package.__path__ = [sys.argv[1]]
sys.modules["gan_lib"] = package
"""
PACKAGE = str(Path(cache.__file__).parents[1])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.zeros((0, 8, 8, 3), np.uint8),
        np.linspace(0, 1, 7, dtype=np.float32),
        np.array(["a", "bcd"]),
        np.arange(6).reshape(2, 3).T,
        np.float64(3.5).reshape(()),
    ],
)
def test_round_trip(tmp_path, array):
    path = tmp_path / "a.npy"
    cache.save(path, array)
    back = cache.load(path)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(np.load(path), array)  # an ordinary .npy too
    assert os.listdir(tmp_path) == ["a.npy"]


def test_missing_file_is_none(tmp_path):
    assert cache.load(tmp_path / "no.npy") is None


def test_every_flipped_byte_and_every_cut_is_noticed(tmp_path):
    path = tmp_path / "a.npy"
    cache.save(path, np.arange(40, dtype=np.uint8))
    good = path.read_bytes()
    damaged = [good[:k] for k in range(0, len(good), 7)] + [good + b"x"]
    for k in range(0, len(good), 5):
        damaged.append(good[:k] + bytes([good[k] ^ 1]) + good[k + 1 :])
    for data in damaged:
        path.write_bytes(data)
        with pytest.warns(UserWarning, match="damaged"):
            assert cache.load(path) is None
        assert not path.exists()


def test_cached_builds_once_and_again_after_damage(tmp_path):
    path, calls = tmp_path / "a.npy", []

    def build():
        calls.append(1)
        return np.full(5, 7, np.uint8)

    for _ in range(3):
        np.testing.assert_array_equal(cache.cached(path, build), [7] * 5)
    assert len(calls) == 1
    data = bytearray(path.read_bytes())
    data[-40] ^= 4
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="damaged"):
        np.testing.assert_array_equal(cache.cached(path, build), [7] * 5)
    assert len(calls) == 2


def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    cache.save(path, np.zeros(3))

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        cache.save(path, np.ones(3))
    monkeypatch.undo()
    np.testing.assert_array_equal(cache.load(path), np.zeros(3))
    assert os.listdir(tmp_path) == ["a.npy"]


def test_python_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="astype"):
        cache.save(tmp_path / "a.npy", np.array([None, 1], dtype=object))


def test_abandoned_temporary_files_are_swept(tmp_path):
    path = tmp_path / "a.npy"
    old, young = tmp_path / ".a.npy.x.tmp", tmp_path / ".a.npy.y.tmp"
    old.write_bytes(b"1")
    young.write_bytes(b"1")
    os.utime(old, (time.time() - 1e5,) * 2)
    cache.save(path, np.zeros(1))
    assert not old.exists()
    assert young.exists()  # another program may be writing it now


def test_folder_from_the_environment_and_errors(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_CACHE", str(tmp_path / "from_env"))
    assert cache.cache_dir() == tmp_path / "from_env"
    assert cache.cache_dir(tmp_path / "given") == tmp_path / "given"
    monkeypatch.delenv("GAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache.cache_dir().name == "gan_lib"
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="GAN_CACHE"):
        cache.cache_dir(tmp_path / "file" / "below")


def test_killed_while_writing_leaves_old_or_new_never_half(tmp_path):
    script = LIGHT + (
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from gan_lib.data import cache\n"
        "path = Path(sys.argv[2])\n"
        "print('go', flush=True)\n"
        "for value in range(1, 250):\n"
        "    cache.save(path, np.full(4_000_000, value, np.uint8))\n"
    )
    path = tmp_path / "a.npy"
    cache.save(path, np.zeros(4_000_000, np.uint8))
    delays = np.random.default_rng(0).uniform(0.0, 0.15, 5)
    for delay in delays:
        command = [sys.executable, "-c", script, PACKAGE, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout.readline().strip() == b"go"
            time.sleep(delay)
            child.kill()
        array = cache.load(path)
        assert array.shape == (4_000_000,)
        assert (array == array[0]).all()
