"""Read a PyTorch weight file with NumPy alone, and without trusting it.

A `.pth` file is a pickle, and loading one from a stranger can run anything; here
`gan_lib.safe_pickle` reads it, with the names that a table of float tensors needs.
"""

from __future__ import annotations

import math
import os
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from gan_lib.safe_pickle import Unpickler, UnsafePickleError

_MAGIC = 0x1950A86A20F9469CFC6C  # first object of the format used before PyTorch 1.6
_PROTOCOL = 1001
_ZIP_START = b"PK\x03\x04"
_STORAGE_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


class _Storage(NamedTuple):
    key: str
    dtype: type
    size: int


class _Tensor(NamedTuple):
    """A tensor before its numbers are read; the fields follow the pickled call."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool = False
    backward_hooks: Any = None


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Tensor,  # before PyTorch 0.4
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{("torch", name): dtype for name, dtype in _STORAGE_DTYPES.items()},
}


class _TensorUnpickler(Unpickler):
    ALLOWED = _ALLOWED
    EXPECTED = "a file of float tensors"
    ADVICE = (
        "Use the published weight file, unchanged, and do not load this one with "
        "pickle. A file of your own: save `model.state_dict()`, not the model."
    )

    def persistent_load(self, pid: Any) -> _Storage:
        # The fields after the kind, and what they may be; old files have a sixth.
        if not (isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage"):
            raise UnsafePickleError(f"Expected a tensor storage, got {pid!r}.")
        dtype, key, _, size, *view = pid[1:]
        known = any(dtype is known for known in _STORAGE_DTYPES.values())
        if not known or type(size) is not int or size < 0 or view not in ([], [None]):
            raise UnsafePickleError(f"Expected a plain tensor storage, got {pid!r}.")
        return _Storage(str(key), dtype, size)


def read_torch_file(
    path: str | os.PathLike[str], part: str | None = None
) -> dict[str, np.ndarray]:
    """Tensors of a PyTorch state dict, by name, as NumPy arrays.

    Only dictionaries of float32 and int64 tensors are read (a state dict), from both
    formats: the zip archive of PyTorch 1.6 and later, and the bare pickles before it.
    No PyTorch is needed and no code in the file is run.

    Args:
        path: file written by `torch.save(model.state_dict(), path)`.
        part: of a file with several state dicts in a dictionary, the one to read, by
            its name there; only its numbers are brought into memory.
    Returns: dict, tensor name -> array of the stored shape.
    Raises: UnsafePickleError if the file names anything but tensors; ValueError if
        it is of another format, cut short or inconsistent, or has no such part.
    """
    with Path(path).open("rb") as file:
        zipped = file.read(len(_ZIP_START)) == _ZIP_START
        file.seek(0)
        tensors, numbers = (_read_zip if zipped else _read_legacy)(file, path, part)
    return {
        str(name): _view(numbers[tensor.storage.key], tensor, str(name), path)
        for name, tensor in tensors.items()
    }


def _read_legacy(file: BinaryIO, path: Any, part: str | None):
    """Tensors by name and numbers by storage, of a file of pickles one by one."""
    header = [_load(file, path) for _ in range(3)]
    if header[:2] != [_MAGIC, _PROTOCOL] or not isinstance(header[2], dict):
        raise _unreadable(path, "it does not start like one")
    if header[2].get("little_endian") is not (sys.byteorder == "little"):
        raise _unreadable(path, "it was written with another byte order")
    tensors, storages = _load_tensors(file, path, part)
    listed = _load(file, path)
    keys = [str(key) for key in listed] if isinstance(listed, list) else []
    if sorted(keys) != sorted(storages):
        raise _unreadable(path, "its tensors and its storages do not match")
    wanted = {tensor.storage.key for tensor in tensors.values()}
    read = {
        key: _read_storage(file, storages[key], path, key in wanted) for key in keys
    }
    return tensors, read


def _read_storage(
    file: BinaryIO, storage: _Storage, path: Any, wanted: bool
) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little", signed=True)
    wanted_bytes = storage.size * np.dtype(storage.dtype).itemsize
    left_bytes = os.fstat(file.fileno()).st_size - file.tell()
    if size != storage.size or wanted_bytes > left_bytes:
        raise _unreadable(path, f"storage {storage.key} is cut short or changed")
    if not wanted:
        file.seek(wanted_bytes, os.SEEK_CUR)
        return np.empty(0, storage.dtype)
    return np.frombuffer(file.read(wanted_bytes), storage.dtype)


def _read_zip(file: BinaryIO, path: Any, part: str | None):
    """As `_read_legacy`, of an archive NAME/data.pkl, NAME/data/0, NAME/data/1 ..."""
    try:
        with zipfile.ZipFile(file) as archive:
            # PyTorch packs none, and an unpacked one is no larger than the file.
            names = {
                entry.filename.partition("/")[2]: entry
                for entry in archive.infolist()
                if entry.compress_type == zipfile.ZIP_STORED
            }
            order = archive.read(names["byteorder"]) if "byteorder" in names else None
            if order not in (None, sys.byteorder.encode()):
                raise _unreadable(path, "it was written with another byte order")
            with archive.open(names["data.pkl"]) as program:
                tensors, _ = _load_tensors(program, path, part)
            numbers = {}
            for key, storage in {
                t.storage.key: t.storage for t in tensors.values()
            }.items():
                content = archive.read(names[f"data/{key}"])
                if len(content) != storage.size * np.dtype(storage.dtype).itemsize:
                    raise _unreadable(path, f"storage {key} has another size")
                numbers[key] = np.frombuffer(content, storage.dtype)
    except KeyError as error:
        raise _unreadable(path, f"its archive has no entry {error}") from error
    except (UnsafePickleError, ValueError):
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    return tensors, numbers


def _load_tensors(file: Any, path: Any, part: str | None):
    """The table of tensors, and the storages that the whole file has, by key."""
    tables = {None: _load(file, path)}
    if part is not None:
        tables = _items(tables[None], path)
        if part not in tables:
            raise _unreadable(path, f"it has no part {part!r} among {list(tables)[:9]}")
    tables = {name: _items(table, path) for name, table in tables.items()}
    storages = {}
    for table in tables.values():
        for name, value in table.items():
            if not isinstance(value, _Tensor) or not isinstance(
                value.storage, _Storage
            ):
                raise _unreadable(path, f"{name!r} is not a tensor")
            storages[value.storage.key] = value.storage
    return tables[part], storages


def _items(table: Any, path: Any) -> dict:
    if not isinstance(table, dict):
        raise _unreadable(path, "it holds no dictionary of tensors")
    # The file may have put something else in place of the dictionary's methods.
    return dict(dict.items(table))


def _load(file: Any, path: Any) -> Any:
    return _TensorUnpickler(file).load_or(lambda reason: _unreadable(path, reason))


def _view(numbers: np.ndarray, tensor: _Tensor, name: str, path: Any) -> np.ndarray:
    """Copy of `numbers` seen through the tensor's offset, shape and strides."""
    shape, strides, offset = tensor.shape, tensor.strides, tensor.offset
    if not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise _unreadable(path, f"tensor {name!r} has shape {shape!r}")
    counts = [*shape, *strides, offset]
    if len(shape) != len(strides) or any(type(c) is not int or c < 0 for c in counts):
        raise _unreadable(path, f"tensor {name!r} has shape {shape!r}")
    if 0 in shape:
        raise _unreadable(path, f"tensor {name!r} is empty: shape {shape!r}")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    # Strides of 0 would let a few numbers fill any amount of memory.
    if last >= numbers.size or math.prod(shape) > numbers.size:
        raise _unreadable(path, f"tensor {name!r} reaches past its storage")
    byte_strides = [stride * numbers.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, byte_strides)
    return view.copy()


def _unreadable(path: Any, reason: str) -> ValueError:
    return ValueError(
        f"Expected a PyTorch state dict, but {reason}: {path}. Fetch or install the "
        "file again, or check where it came from."
    )
