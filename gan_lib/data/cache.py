"""Arrays on disk that are either complete and correct or not there.

A file is an ordinary ``.npy`` array followed by 32 bytes, the SHA-256 of all
bytes before them. It is written under a temporary name, forced to the disk
and then renamed, so that a killed program leaves no half file under the final
name; whatever is damaged later is noticed when it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import platformdirs

_DIGEST_BYTES = 32
_ABANDONED_S = 3600.0  # a temporary file this old belongs to a dead program


def cache_dir(path: str | os.PathLike | None = None) -> Path:
    """Folder for cached arrays, made if it is missing.

    Args:
        path: a folder, or None for the environment variable GAN_CACHE and, if
            that is unset, the user's cache folder (Linux: ~/.cache/gan_lib).
    Returns: the folder.
    Raises: OSError if the folder cannot be made.
    """
    chosen = path or os.environ.get("GAN_CACHE") or platformdirs.user_cache_dir(
        "gan_lib", appauthor=False
    )  # fmt: skip
    folder = Path(chosen).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"The cache needs a folder it can write, but {folder} cannot be made "
            f"({error.strerror}). Pass cache_dir= or set GAN_CACHE to another folder."
        ) from error
    return folder


def save(path: Path, array: np.ndarray) -> None:
    """Write `array` to `path` at once or not at all.

    Args:
        path: final name, ending in .npy; an existing file is replaced.
        array: any array without Python objects.
    Raises: OSError if the disk is full or the folder cannot be written.
    """
    _sweep(path)
    handle, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
    )
    try:
        with os.fdopen(handle, "wb") as file:
            _write(file, np.ascontiguousarray(array))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def load(path: Path) -> np.ndarray | None:
    """Read an array written by `save`.

    Returns: the array, or None if there is no file or it is damaged; a damaged
        file is removed with a warning, so that the caller builds it again.
    """
    try:
        array = _read(path)
    except FileNotFoundError:
        return None
    if array is None:
        warnings.warn(
            f"The cached file {path.name} is damaged; it is made again.", stacklevel=2
        )
        path.unlink(missing_ok=True)
    return array


def cached(path: Path, build: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in `path`, or, if there is no sound one, `build()`, kept there."""
    array = load(path)
    if array is None:
        array = build()
        save(path, array)
    return array


def _header(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, np.lib.format.header_data_from_array_1_0(array)
    )
    return buffer.getvalue()


def _write(file: io.BufferedWriter, array: np.ndarray) -> None:
    if array.dtype.hasobject:
        raise TypeError(
            f"The cache keeps plain numbers and text, but got dtype {array.dtype}. "
            "Convert the array first, for example with array.astype(str)."
        )
    header, body = _header(array), array.reshape(-1).view(np.uint8).data
    digest = hashlib.sha256(header)
    digest.update(body)
    file.write(header)
    file.write(body)
    file.write(digest.digest())


def _read(path: Path) -> np.ndarray | None:
    """The array, or None if the bytes are not what `save` wrote."""
    with path.open("rb") as file:
        data = np.fromfile(file, np.uint8)
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(body.data).digest() != digest.tobytes():
        return None
    buffer = io.BytesIO(body[:4096].tobytes())
    np.lib.format.read_magic(buffer)
    shape, _, dtype = np.lib.format.read_array_header_1_0(buffer)
    return body[buffer.tell() :].view(dtype).reshape(shape)


def _sweep(path: Path) -> None:
    """Remove temporary files that a killed program left for this name."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        try:
            if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
                leftover.unlink()
        except OSError:
            continue  # another program was faster


def _sync_folder(folder: Path) -> None:
    """Force the new name to the disk where the system allows it (not Windows)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network folders cannot; the file itself is already safe
    finally:
        os.close(handle)
