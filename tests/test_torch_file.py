"""PyTorch weight files: both formats are read, nothing in them is run."""

from __future__ import annotations

import os
import pickle
import time
import zipfile

import numpy as np
import pytest
from torch_files import (
    HEADER,
    body,
    legacy_file,
    table,
    tensor,
    write_state_dict,
    zip_file,
)

from gan_lib.torch_file import UnsafePickleError, read_torch_file

NUMBERS = np.arange(6, dtype="<f4")
both_formats = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])


def one_tensor(path, program: bytes, legacy=True, key="0"):
    """A file that holds {"w": program} and six numbers."""
    storages = {key: NUMBERS}
    if legacy:
        return legacy_file(path, table({"w": program}), storages, HEADER)
    return zip_file(path, table({"w": program}), storages)


@both_formats
def test_reads_shape_strides_and_offset(tmp_path, legacy):
    for arguments, wanted in (
        ((), [[0, 1, 2], [3, 4, 5]]),
        ((6, 1, (2, 2), (1, 2)), [[1, 3], [2, 4]]),
        ((6, 5, (), ()), 5),
    ):
        path = one_tensor(tmp_path / "a", tensor(*arguments, legacy=legacy), legacy)
        np.testing.assert_array_equal(read_torch_file(path)["w"], wanted)


@both_formats
def test_reads_what_a_network_saves(tmp_path, legacy):
    rng = np.random.default_rng(0)
    arrays = {
        "module.0.weight": rng.normal(size=(2, 3, 4, 4)).astype("float32"),
        "module.1.running_var": rng.uniform(size=7).astype("float32"),
        "module.1.num_batches_tracked": np.array(12345, "int64"),
    }
    opened = read_torch_file(write_state_dict(tmp_path / "a.pth", arrays, legacy))
    assert list(opened) == list(arrays)
    for name, array in arrays.items():
        assert opened[name].dtype == array.dtype
        np.testing.assert_array_equal(opened[name], array)


def test_reads_the_call_of_the_first_pytorch_versions(tmp_path):
    program = tensor().replace(b"_rebuild_tensor_v2", b"_rebuild_tensor")
    program = program.removesuffix(body(False) + body(None) + b"tR") + b"tR"
    path = one_tensor(tmp_path / "a.pth", program)
    np.testing.assert_array_equal(read_torch_file(path)["w"], NUMBERS.reshape(2, 3))


class Attack:
    """Runs a shell command when an ordinary unpickler loads it."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["header", "tensor", "zip"])
def test_malicious_pickle_is_refused_and_not_run(tmp_path, protocol, place):
    trace = tmp_path / "was_run"
    attack = pickle.dumps(Attack(f"touch '{trace}'"), protocol)
    path = tmp_path / "evil.pth"
    header = b"".join(pickle.dumps(part, 2) for part in HEADER)
    path.write_bytes(attack if place == "header" else header + attack)
    if place == "zip":
        zip_file(path, attack, {})
    with pytest.raises(UnsafePickleError, match=r"system.*Nothing was run"):
        read_torch_file(path)
    assert not trace.exists()
    pickle.loads(attack)  # the test is only worth something if the attack works
    assert trace.exists()


@both_formats
@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(" + body("1/0") + b"tR",
        b"cnumpy\nload\n",
        b"ccollections\nOrderedDict.fromkeys\n",
        b"ctorch\nnn\n",
        b"ctorch._utils\n_rebuild_parameter\n",
        b"(" + body("file") + body("/etc/passwd") + b"tQ",
        tensor().replace(body("cpu") + body(6), body("cpu") + body(-6)),
        tensor().replace(body("cpu") + body(6), body("cpu") + body(True)),
    ],
)
def test_every_other_name_is_refused(tmp_path, program, legacy):
    with pytest.raises(UnsafePickleError):
        read_torch_file(one_tensor(tmp_path / "odd.pth", program, legacy))


@both_formats
@pytest.mark.parametrize(
    "program",
    [
        tensor(6, 1),  # one past the end
        tensor(6, -1),
        tensor(6, 0, (2, 3), (-3, 1)),
        tensor(6, 0, (2, 3), (3,)),
        tensor(6, 0, 6, 1),
        tensor(6, 0, (1 << 40, 1), (1, 1)),
        tensor(6, 0, (1 << 40, 6), (0, 1)),  # six numbers, over and over
        tensor(6, 0, (0, 6), (6, 1)),
        tensor(1 << 40),
        tensor(7),
        body("no tensor"),
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + body("0")
        + body(0)
        + b")" * 2
        + b"tR",
    ],
)
def test_tensor_that_does_not_fit_its_storage_is_an_error(tmp_path, program, legacy):
    with pytest.raises(ValueError, match="state dict, but"):
        read_torch_file(one_tensor(tmp_path / "odd.pth", program, legacy))


@pytest.mark.parametrize("name", ["items", "values", "keys", "__iter__"])
def test_a_dictionary_cannot_replace_its_own_methods(tmp_path, name):
    program = table({"w": tensor()}).replace(body("_metadata"), body(name))
    path = legacy_file(tmp_path / "a.pth", program, {"0": NUMBERS}, HEADER)
    assert list(read_torch_file(path)) == ["w"]


def test_damaged_or_foreign_file_is_an_error(tmp_path):
    whole = one_tensor(tmp_path / "whole.pth", tensor()).read_bytes()
    zipped = one_tensor(tmp_path / "whole.zip", tensor(), False).read_bytes()
    path = tmp_path / "cut.pth"
    contents = [file[:n] for file in (whole, zipped) for n in range(0, len(file), 7)]
    foreign = (b"PK\x03\x04" + whole, b"\x80\x02K\x01.", b"<html>Not found</html>")
    for content in [*contents, *foreign]:
        path.write_bytes(content)
        # A name cut in two is one that is not allowed.
        with pytest.raises((ValueError, UnsafePickleError), match="^Expected a"):
            read_torch_file(path)
    with pytest.raises(ValueError, match="do not match"):
        read_torch_file(one_tensor(path, tensor(), key="1"))
    with pytest.raises(ValueError, match="no entry.*data/0"):
        read_torch_file(one_tensor(path, tensor(), legacy=False, key="1"))


def test_another_byte_order_is_an_error(tmp_path):
    program, storages = table({"w": tensor()}), {"0": NUMBERS}
    big = [*HEADER[:2], {"little_endian": False}]
    for path in (
        legacy_file(tmp_path / "a.pth", program, storages, big),
        zip_file(tmp_path / "b.pth", program, storages, order="big"),
    ):
        with pytest.raises(ValueError, match="byte order"):
            read_torch_file(path)


def test_an_archive_that_could_swell_is_not_unpacked(tmp_path):
    storages = {"0": np.zeros(1 << 20, "<f4")}
    program = table({"w": tensor(1 << 20, 0, (1 << 20,), (1,))})
    path = tmp_path / "packed.pth"
    zip_file(path, program, storages, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match="no entry"):
        read_torch_file(path)


def test_a_short_file_cannot_fill_the_memory(tmp_path):
    path = tmp_path / "a.pth"
    reserve = b"r" + (1 << 30).to_bytes(4, "little")  # "remember as number 2^30"
    path.write_bytes(b"\x80\x02N" + reserve + b".")
    start = time.process_time()
    with pytest.raises(ValueError, match="state dict, but"):
        read_torch_file(path)
    assert time.process_time() - start < 1  # filling 16 GB takes longer


@both_formats
def test_any_changed_byte_gives_an_array_or_an_error(tmp_path, legacy):
    """Nothing else: no other exception, no other kind of value."""
    path = one_tensor(tmp_path / "a.pth", tensor(legacy=legacy), legacy)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    read, refused = 0, 0
    for _ in range(600):
        content = bytearray(whole)
        content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content)
        try:
            arrays = read_torch_file(path)
        except (ValueError, UnsafePickleError):
            refused += 1
            continue
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
        read += 1
    assert min(read, refused) > 30  # both happen, so both are tested
