"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_UNFINISHED = "unfinished-"


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` when the block ends well.

    Args:
        path: its folder is made if there is none.
        durable: wait until the disk has it, so that it outlives a power cut.
    Raises: OSError in plain words when the disk is full; what was at `path` stays.
    """
    unfinished = path.with_name(f"{_UNFINISHED}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(error.errno, _full(path)) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _full(path: Path) -> str:
    return (
        f"The disk has no room for {path}. The file of that name, if there was one, is "
        "as it was. Free some space and run the same command again: it goes on from "
        "here"
    )


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written in `folder`.

    Only for the process that holds the index, which is the only one to write there.
    """
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Of a file's content, read in pieces; "" when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
