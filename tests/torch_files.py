"""PyTorch weight files written without PyTorch, good ones and odd ones."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

HEADER = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
STORAGES = {"f": "FloatStorage", "i": "LongStorage"}


def body(value) -> bytes:
    """Pickled value without the protocol mark before and the stop after it."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(
    size=6, offset=0, shape=(2, 3), strides=(3, 1), *, key="0", kind="f", legacy=True
) -> bytes:
    """The pickle program PyTorch writes for one tensor in a storage of `size`."""
    storage = b"(" + body("storage") + f"ctorch\n{STORAGES[kind]}\n".encode()
    storage += body(key) + body("cpu") + body(size)
    storage += body(None) * legacy + b"tQ"
    arguments = body(offset) + body(shape) + body(strides) + body(False) + body(None)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + arguments + b"tR"


def table(programs: dict[str, bytes]) -> bytes:
    """A pickled state dict: names, tensors, and the versions that PyTorch adds."""
    items = b"".join(body(name) + program for name, program in programs.items())
    metadata = b"}" + body("_metadata") + body({"": {"version": 1}}) + b"sb"
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u" + metadata + b"."


def legacy_file(
    path: Path, program: bytes, storages: dict[str, np.ndarray], header: Sequence
) -> Path:
    content = b"".join(pickle.dumps(part, 2) for part in header) + program
    content += pickle.dumps(list(storages), 2)
    for numbers in storages.values():
        content += numbers.size.to_bytes(8, "little") + numbers.tobytes()
    path.write_bytes(content)
    return path


def zip_file(
    path: Path,
    program: bytes,
    storages: dict[str, np.ndarray],
    order: str = "little",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/byteorder", order)
        for key, numbers in storages.items():
            archive.writestr(f"archive/data/{key}", numbers.tobytes())
        archive.writestr("archive/version", "3\n")
    return path


def write_state_dict(
    path: Path, arrays: dict[str, np.ndarray], legacy: bool = False
) -> Path:
    """What `torch.save(state_dict, path)` writes, in the old format or the new."""
    programs, storages = {}, {}
    for number, (name, array) in enumerate(arrays.items()):
        dtype = "<i8" if array.dtype.kind == "i" else "<f4"
        key, array = str(number), np.ascontiguousarray(array, dtype)
        strides = tuple(step // array.itemsize for step in array.strides)
        # `ascontiguousarray` makes a number a row of one.
        shape = np.shape(arrays[name])
        programs[name] = tensor(
            array.size,
            shape=shape,
            strides=strides[: len(shape)],
            key=key,
            kind=array.dtype.kind,
            legacy=legacy,
        )
        storages[key] = array
    if legacy:
        return legacy_file(path, table(programs), storages, HEADER)
    return zip_file(path, table(programs), storages)
