"""Read a PyTorch weight file with NumPy alone, and without trusting it.

A `.pth` file is a pickle, and a pickle is a program: loading one from a stranger
can run anything. The unpickler here knows the four names that a plain table of
float tensors needs and refuses every other one before it is imported.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C  # first object of the format used before PyTorch 1.6
_PROTOCOL = 1001
_STORAGE_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


class UnsafePickleError(pickle.UnpicklingError):
    """The file names something else than tensors in a dictionary."""


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
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{("torch", name): dtype for name, dtype in _STORAGE_DTYPES.items()},
}


class _TensorUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise UnsafePickleError(
                f"Expected a file of float tensors, got one that asks for "
                f"'{module}.{name}'. Nothing was run. Use the weight file of the "
                "package, unchanged, and do not load this one with pickle."
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        if not (isinstance(pid, tuple) and len(pid) == 6 and pid[0] == "storage"):
            raise UnsafePickleError(f"Expected a tensor storage, got {pid!r}.")
        _, dtype, key, _, size, view = pid
        known = any(dtype is known for known in _STORAGE_DTYPES.values())
        if not known or not isinstance(size, int) or size < 0 or view is not None:
            raise UnsafePickleError(f"Expected a plain tensor storage, got {pid!r}.")
        return _Storage(str(key), dtype, size)


def read_torch_file(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Tensors of a legacy PyTorch state dict, by name, as NumPy arrays.

    Only dictionaries of float32 and int64 tensors are read (a state dict). No
    PyTorch is needed and no code in the file is run.

    Args:
        path: file written by `torch.save(model.state_dict(), path)` of PyTorch
            before 1.6, or later with `_use_new_zipfile_serialization=False`.
    Returns: dict, tensor name -> array of the stored shape.
    Raises: UnsafePickleError if the file names anything but tensors; ValueError if
        it is of another format, cut short or inconsistent.
    """
    with Path(path).open("rb") as file:
        header = [_load(file, path) for _ in range(3)]
        if header[:2] != [_MAGIC, _PROTOCOL] or not isinstance(header[2], dict):
            raise _unreadable(path, "it does not start like a legacy PyTorch file")
        if header[2].get("little_endian") is not (sys.byteorder == "little"):
            raise _unreadable(path, "it was written with another byte order")
        tensors, keys = _load(file, path), _load(file, path)
        if not isinstance(tensors, dict) or not isinstance(keys, list):
            raise _unreadable(path, "it holds no dictionary of tensors")
        wrong = [n for n, t in tensors.items() if not isinstance(t, _Tensor)]
        if wrong:
            raise _unreadable(path, f"{wrong[0]!r} is not a tensor")
        storages = {t.storage.key: t.storage for t in tensors.values()}
        if sorted(storages) != sorted(keys):
            raise _unreadable(path, "its tensors and its storages do not match")
        numbers = {key: _read_storage(file, storages[key], path) for key in keys}
    return {
        str(name): _view(numbers[tensor.storage.key], tensor, str(name), path)
        for name, tensor in tensors.items()
    }


def _load(file: BinaryIO, path: Any) -> Any:
    try:
        return _TensorUnpickler(file).load()
    except UnsafePickleError:
        raise
    except Exception as error:  # a damaged pickle fails in many ways
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def _read_storage(file: BinaryIO, storage: _Storage, path: Any) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little", signed=True)
    wanted_bytes = storage.size * np.dtype(storage.dtype).itemsize
    left_bytes = os.fstat(file.fileno()).st_size - file.tell()
    if size != storage.size or wanted_bytes > left_bytes:
        raise _unreadable(path, f"storage {storage.key} is cut short or changed")
    return np.frombuffer(file.read(wanted_bytes), storage.dtype)


def _view(numbers: np.ndarray, tensor: _Tensor, name: str, path: Any) -> np.ndarray:
    """Copy of `numbers` seen through the tensor's offset, shape and strides."""
    shape, strides, offset = tensor.shape, tensor.strides, tensor.offset
    counts = [*shape, *strides, offset]
    if len(shape) != len(strides) or any(type(c) is not int or c < 0 for c in counts):
        raise _unreadable(path, f"tensor {name!r} has shape {shape!r}")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if 0 not in shape and last >= numbers.size:
        raise _unreadable(path, f"tensor {name!r} reaches past its storage")
    byte_strides = [stride * numbers.itemsize for stride in strides]
    if 0 in shape:
        return np.zeros(shape, numbers.dtype)
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, byte_strides)
    return view.copy()


def _unreadable(path: Any, reason: str) -> ValueError:
    return ValueError(
        f"Expected a PyTorch state dict in the legacy format, but {reason}: {path}. "
        "Install the package that ships the file again, or check where it came from."
    )
