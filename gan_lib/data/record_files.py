"""Records in TFRecord files, any of them by its number, none kept in memory."""

from __future__ import annotations

import array
import bisect
import functools
import itertools
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.packing.tfrecord import checksum

__all__ = ["RecordFiles"]

_HEADER, _AROUND = 12, 16  # bytes before a record's content; before and behind it
_AGAIN = "Copy or pack this file again, or leave it out."
_OPEN_FILES = 128  # below every system's limit (macOS allows 256)


class RecordFiles:
    """The records of many TFRecord files, counted through them.

    A file is a row of records, each with its length and two CRC-32C checksums; the
    layout stands in `data_prep.packing.tfrecord`. The lengths are read and checked
    once, here, so that any record is found at once: 8 bytes of memory for each. The
    checksum of its content is compared whenever a record is read.

    Args:
        source: a folder: its files ``train-*.tfrecord``, as pack names them, or, if
            there are none, all ``*.tfrecord*``; a pattern with * such as
            "data/faces-*-of-00010"; a file; or several files.

    Attributes:
        paths: the files, sorted unless several were given.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is empty, cut, damaged or no TFRecord, with the cure.
    """

    def __init__(self, source: str | os.PathLike | Sequence[str | os.PathLike]) -> None:
        self.paths = _files(source)
        self._ends = [_record_ends(path) for path in self.paths]
        self._first = [0, *itertools.accumulate(len(ends) - 1 for ends in self._ends)]
        self._opened = functools.lru_cache(_OPEN_FILES)(
            functools.partial(open, mode="rb", buffering=0)
        )

    def __len__(self) -> int:
        return self._first[-1]

    def where(self, number: int) -> tuple[int, int]:
        """Which of the `paths` record `number` is in, and its number there, from 0."""
        file = bisect.bisect_right(self._first, number) - 1
        return file, number - self._first[file]

    def content(self, number: int) -> bytes:
        """Record `number` as it was written. Raises: ValueError if it is damaged."""
        file, record = self.where(number)
        start, end = map(int, self._ends[file][record : record + 2])
        data = self._read(self.paths[file], start, end - start)
        content = data[_HEADER:-4]
        if len(data) != end - start or checksum(content) != data[-4:]:
            raise self.fault(
                number, "is damaged: its checksum is that of other bytes", _AGAIN
            )
        return content

    def fault(self, number: int, what: str, cure: str) -> ValueError:
        """An error that names the file of record `number` and its number there."""
        file, record = self.where(number)
        return ValueError(f"Record {record} of {self.paths[file]} {what}. {cure}")

    def _read(self, path: Path, start: int, size: int) -> bytes:
        if hasattr(os, "pread"):  # threads share a file, as it moves no position
            file = self._opened(path)  # held: what nobody holds is closed, at any time
            return os.pread(file.fileno(), size, start)
        with path.open("rb") as own:  # Windows
            own.seek(start)
            return own.read(size)


def _files(source) -> list[Path]:
    missing: list[Path] = []
    if not isinstance(source, (str, os.PathLike)):
        found = [Path(path) for path in source]
        missing = [path for path in found if not path.is_file()]
    elif (path := Path(source).expanduser()).is_dir():
        patterns = ("train-*.tfrecord", "*.tfrecord*")
        several = (sorted(path.glob(pattern)) for pattern in patterns)
        found = next((files for files in several if files), [])
    else:
        found = [path] if path.is_file() else sorted(path.parent.glob(path.name))
    if missing or not found:
        raise FileNotFoundError(
            f"No TFRecord files at {missing[0] if missing else source}. Expected a "
            "folder with *.tfrecord files, such as OUTPUT/tfrecord after `python -m "
            "data_prep pack`, a pattern with *, or paths of files; relative paths "
            f"start at {Path.cwd()}."
        )
    return found


def _record_ends(path: Path) -> np.ndarray:
    """int64 (n + 1,): where each of a file's n records begins, and the last ends."""
    size, ends = path.stat().st_size, array.array("q", [0])
    if not size:
        raise ValueError(f"{path} is empty (0 bytes). {_AGAIN}")
    with path.open("rb", buffering=0) as file:
        while ends[-1] < size:
            file.seek(ends[-1])
            header, record = file.read(_HEADER), len(ends) - 1
            if len(header) == _HEADER:
                if checksum(header[:8]) != header[8:]:
                    raise ValueError(_no_record(path, record, header))
                ends.append(ends[-1] + struct.unpack("<Q", header[:8])[0] + _AROUND)
            if len(header) < _HEADER or ends[-1] > size:
                raise ValueError(
                    f"Record {record} of {path} is cut short: the file ends after "
                    f"{size} bytes, in the middle of it. {_AGAIN}"
                )
    return np.frombuffer(ends, np.int64)


def _no_record(path: Path, record: int, header: bytes) -> str:
    if record:
        return f"Record {record} of {path} is damaged: no record begins there. {_AGAIN}"
    packed = header.startswith(b"\x1f\x8b")
    cure = "Unpack it with gunzip" if packed else "Pass files that pack wrote"
    return (
        f"{path} is not a TFRecord file: it begins with {header!r}, where a length and "
        f"its checksum were expected. {cure}."
    )
