"""Pickles of TensorFlow networks: every format is read, nothing in them is run."""

from __future__ import annotations

import os
import pickle
import sys

import numpy as np
import pytest
import stylegan_files as files
from torch_files import body

from gan_lib import convert_stylegan
from gan_lib.safe_pickle import UnsafePickleError
from gan_lib.tensorflow_pickle import read_networks


@pytest.mark.parametrize(
    "how",
    [{"protocol": 2, "python2": True}, {"protocol": 2}, {"old": False}],
    ids=["python 2", "NumPy 1", "NumPy 2"],
)
@pytest.mark.parametrize("cls", [files.DNNLIB, "tfutil.Network"])
def test_every_way_to_write_a_file_reads_alike(tmp_path, how, cls):
    values = files.numbers(files.progan_generator())
    values["4x4/Conv/weight"] = np.asfortranarray(values["4x4/Conv/weight"])
    values["4x4/Conv/bias"] = values["4x4/Conv/bias"].astype(">f8")
    options = {"resolution": 16, "blur_filter": (1, 2, 1), "x": np.float32(0.5)}
    path = files.write(
        tmp_path / "a.pkl", {"Gs": values}, cls=cls, options=options, **how
    )
    found = read_networks(path)["Gs"]
    assert found.variables.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(found.variables[name], value)
    assert found.options == {"resolution": 16, "blur_filter": [1, 2, 1], "x": 0.5}
    assert "dnnlib" not in sys.modules


class _Command:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("place", ["network", "options", "variable"])
def test_a_file_that_is_a_program_is_not_run(tmp_path, place):
    mark, path = tmp_path / "run", tmp_path / "evil.pkl"
    command = _Command(mark)
    if place == "network":
        path.write_bytes(pickle.dumps((command, command, command)))
    else:
        options = {"resolution": command} if place == "options" else {}
        values = {"lod": command} if place == "variable" else {}
        files.write(path, {"Gs": values}, options=options)
    with pytest.raises(UnsafePickleError, match=r"posix\.system'|nt\.system'"):
        convert_stylegan.load_generator(path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(command))  # the trap is a real one
    assert mark.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR.",
        b"cnumpy\nload\n(X\x01\x00\x00\x00atR.",
        b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00hextR.",
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8tR.",
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4tR(K\x03X\x01\x00\x00\x00?tb.",
    ],
)
def test_other_names_and_values_are_refused(tmp_path, program):
    path = tmp_path / "odd.pkl"
    path.write_bytes(b"\x80\x02" + program)
    with pytest.raises(UnsafePickleError):
        read_networks(path)


def test_a_file_cannot_change_the_reader(tmp_path):
    good = files.write(tmp_path / "good.pkl", {"Gs": {"lod": np.float32(1)}})
    state = body((None, {"__setstate__": None, "value": 1}))
    for name in (
        "tfutil\nNetwork",
        "numpy\nndarray",
        "numpy\ndtype",
        "_codecs\nencode",
    ):
        path = tmp_path / "odd.pkl"
        path.write_bytes(b"\x80\x02c" + name.encode() + b"\n" + state + b"b.")
        with pytest.raises(ValueError, match="Expected a file of TensorFlow networks"):
            read_networks(path)
    assert read_networks(good)["Gs"].variables


def test_an_array_is_no_larger_than_its_bytes(tmp_path):
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\ntR(K\x01"
    dtype = b"cnumpy\ndtype\n" + body(("f4",)) + b"R"
    for shape, raw in (((10**12,), "abcd"), ((0,), ""), ((-1, -1), "abcd")):
        path = tmp_path / "large.pkl"
        middle = body(shape) + dtype + body(False) + body(raw)
        path.write_bytes(b"\x80\x02" + start + middle + b"tb.")
        with pytest.raises(ValueError, match=r"an array of shape .* bytes"):
            read_networks(path)


def test_cut_and_foreign_files_are_errors(tmp_path):
    values = files.numbers(files.stylegan2_generator())
    path = files.write(tmp_path / "cut.pkl", {"Gs": values})
    content = path.read_bytes()
    for length in (0, 1, 40, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="Expected a file of TensorFlow networks"):
            convert_stylegan.load_generator(path)
    for other in ({"a": 1}, (1, 2, 3), [], "text"):
        path.write_bytes(pickle.dumps(other))
        with pytest.raises(ValueError, match=r"three networks \(G, D, Gs\)"):
            convert_stylegan.load_generator(path)
    files.write(path, {"Gs": {"lod": np.float32(0), "text": "abc"}})
    with pytest.raises(ValueError, match=r"no arrays of numbers: \['text'\]"):
        convert_stylegan.load_generator(path)
