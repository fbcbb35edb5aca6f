"""CIFAR-10 from its published files, from .npz files and by TensorFlow Datasets."""

from __future__ import annotations

import os
import pickle
import sys
import types

import numpy as np
import pytest
import stylegan_files

from gan_lib.data.cifar10 import cifar10
from gan_lib.safe_pickle import UnsafePickleError


class Python2(stylegan_files.OldPickler):
    python2 = True


def batch(path, labels, pictures):
    """A file as Python 2 wrote it: a row holds all red, then green, then blue."""
    rows = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), -1)
    content = {"batch_label": "one of 5", "labels": labels, "data": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Python2(file, 2).dump(content | {"filenames": ["a.png"] * len(labels)})


@pytest.fixture
def photographs():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (10, 32, 32, 3), np.uint8), rng.permutation(10)


@pytest.mark.parametrize("order", ["C", "F"])
def test_published_files_are_read_as_data(tmp_path, photographs, order):
    images, labels = photographs
    folder = tmp_path / "cifar-10-batches-py"
    for k in range(5):
        part = slice(2 * k, 2 * k + 2)
        batch(folder / f"data_batch_{k + 1}", labels[part].tolist(), images[part])
    rows = np.asarray(images[:3].transpose(0, 3, 1, 2).reshape(3, -1), order=order)
    with (folder / "test_batch").open("wb") as file:
        Python2(file, 2).dump({"labels": [4, 9, 0], "data": rows})
    for place in (tmp_path, folder):
        data = cifar10(place)
        np.testing.assert_array_equal(data.images, images)
        assert data.labels.tolist() == labels.tolist()
        assert data.labels.dtype == np.int32
        assert data.class_names[3] == "cat"
        unseen = cifar10(place, split="test")
        np.testing.assert_array_equal(unseen.images, images[:3])
        assert unseen.labels.tolist() == [4, 9, 0]


class Command:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_a_program_in_a_file_is_not_run(tmp_path):
    path, mark = tmp_path / "test_batch", tmp_path / "run"
    path.write_bytes(pickle.dumps({b"labels": [1], b"data": Command(mark)}, 2))
    with pytest.raises(UnsafePickleError, match="Nothing was run"):
        cifar10(tmp_path, split="test")
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # the trap is a real one
    assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"labels": [1]},
        {"labels": [1, 2], "data": np.zeros((1, 3072), np.uint8)},
        {"labels": [1], "data": np.zeros((1, 3072), np.float32)},
        {"labels": [1], "data": "text"},
        [1, 2],
    ],
)
def test_files_of_another_kind_are_explained(tmp_path, content):
    with (tmp_path / "test_batch").open("wb") as file:
        Python2(file, 2).dump(content)
    with pytest.raises(ValueError, match="expected a file of cifar-10-batches-py"):
        cifar10(tmp_path, split="test")


def test_reads_arrays(tmp_path, photographs):
    images, labels = photographs
    path = tmp_path / "cifar10.npz"
    np.savez(path, x_train=images, y_train=labels[:, None], x_test=images[:2],
             y_test=labels[:2])  # fmt: skip
    data = cifar10(path)
    np.testing.assert_array_equal(data.images, images)
    assert data.labels.tolist() == labels.tolist()
    assert len(cifar10(path, split="test")) == 2


def test_errors_in_arrays(tmp_path, photographs):
    images, labels = photographs
    path = tmp_path / "cifar10.npz"
    np.savez(path, images=images, labels=labels)
    with pytest.raises(ValueError, match="x_train"):
        cifar10(path)
    np.savez(path, x_train=images[:, :8], y_train=labels)
    with pytest.raises(ValueError, match=r"\(n, 32, 32, 3\), got uint8 \(10, 8"):
        cifar10(path)
    np.savez(path, x_train=images, y_train=labels + 1)
    with pytest.raises(ValueError, match="from 0 to 9, got 1 to 10"):
        cifar10(path)
    np.savez(path, x_train=images, y_train=np.array([Command(tmp_path / "run")] * 10))
    with pytest.raises(ValueError, match="allow_pickle"):
        cifar10(path)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="split must be"):
        cifar10(path, split="validation")
    with pytest.raises(FileNotFoundError, match="there is no test_batch"):
        cifar10(tmp_path, split="test")


def test_fetches_with_tensorflow_datasets(monkeypatch, photographs, capsys):
    images, labels = photographs
    calls = []

    def load(name, split, batch_size):
        calls.append((name, split, batch_size))
        return {"image": images, "label": labels.astype(np.int64)}

    stub = types.SimpleNamespace(load=load, as_numpy=lambda data: data)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", stub)
    data = cifar10(split="test")
    assert calls == [("cifar10", "test", -1)]
    assert data.labels.tolist() == labels.tolist()
    assert "Krizhevsky" in capsys.readouterr().out

    def refuse(*arguments, **kwargs):
        raise OSError("no route to host")

    stub.load = refuse
    with pytest.raises(ConnectionError, match="no route to host"):
        cifar10()
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match="pip install tensorflow-datasets"):
        cifar10()
