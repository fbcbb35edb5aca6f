"""The pixels of a picture in the index, wherever they lie."""

from __future__ import annotations

import functools
import os
import threading
import zipfile
from pathlib import Path

import numpy as np

from data_prep.decode import Unusable, decode_upright
from data_prep.records import Source
from data_prep.scan import explain, printable

MAX_BYTES = 100_000_000


def read_bytes(folder: Path, source: Source) -> bytes:
    """The bytes of a source's file.

    Args:
        folder: the work folder, where fetched pictures lie.
        source: from the index, with its `path`.
    Raises: Unusable when it cannot be read or has more than 100 MB.
    """
    origin = Path(source.origin) if source.origin else Path(folder)
    try:
        if source.origin and origin.is_file():
            data = _from_zip(origin, source.path)
        else:
            with open(_on_disk(origin, source.path), "rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unusable(explain(error)) from None
    except Exception as error:  # zlib.error, BadZipFile, KeyError, NotImplementedError
        raise Unusable(f"broken in the zip file: {error}") from None
    if len(data) > MAX_BYTES:
        raise Unusable(f"too large: more than {MAX_BYTES / 1e6:,.0f} MB")
    return data


class _Archive:
    """A zip file that stays open; several threads may read from it."""

    def __init__(self, path: Path):
        self._file = zipfile.ZipFile(path)  # closes itself when nobody has it any more
        names = self._file.namelist()
        odd = {printable(n): n for n in reversed(names) if not n.isprintable()}
        self._names = odd | {name: name for name in names}
        # ZipFile counts its open members without one.
        self._lock = threading.Lock()

    def read(self, path: str) -> bytes:
        """The member that `scan` listed as `path`; no more than tells it is too large.

        Raises: KeyError if there is none.
        """
        name = self._names.get(path, path)
        with self._lock, self._file.open(name) as file:
            return file.read(MAX_BYTES + 1)


@functools.lru_cache(maxsize=8)  # pictures of several zip files come in turns
def _opened(path: Path, *state: int) -> _Archive:
    """Opened once in each process for each state of the file at `path`.

    Finding one member means reading the list of all, which is long in a large file.
    """
    return _Archive(path)


def _from_zip(path: Path, member: str) -> bytes:
    now = path.stat()
    # A forked process shares the position in its parent's file, so it opens its own.
    state = (now.st_mtime_ns, now.st_size, now.st_ino, os.getpid())
    try:
        return _opened(path, *state).read(member)
    except OSError:  # of a network disk, say: the next picture opens it anew
        _opened.cache_clear()
        raise


def _on_disk(folder: Path, path: str) -> Path:
    """The file that `scan` listed as `path`, whose odd characters it made visible."""
    found = folder / path
    if not found.exists():
        found = folder
        for part in Path(path).parts:
            found = found / _named(part, os.listdir(found))
    return found


def _named(shown: str, names: list[str]) -> str:
    """The name that is shown like this; itself if there is none."""
    if shown in names:
        return shown
    return next((name for name in names if printable(name) == shown), shown)


def read_pixels(folder: Path, source: Source) -> np.ndarray:
    """A source's upright sRGB pixels, uint8 (H, W, 3); raises Unusable."""
    return decode_upright(read_bytes(folder, source))
