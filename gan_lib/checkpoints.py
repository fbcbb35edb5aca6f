"""Checkpoints that a kill, a full disk or a flipped bit cannot cost you.

A checkpoint is one file of named arrays. It is written under another name, flushed
to the disk and only then renamed, so a file with the final name is complete. The
name carries the SHA-256 of the content, so damage that comes later is noticed before
anything is loaded, and the checkpoint before it is used instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_NAME = re.compile(r"checkpoint-(\d{12})-([0-9a-f]{16})\.npz")
_METADATA = "metadata.json"


class CheckpointError(RuntimeError):
    """No checkpoint in a folder can be used though there are some."""


class Checkpoints:
    """The newest `keep` checkpoints in a folder.

    Args:
        directory: made if missing. On a mounted Google Drive, files are first
            written to the local disk, then copied, checked and renamed, with retries.
        keep: how many are kept, at least 2, so that one is left if the newest is
            damaged.
    """

    def __init__(self, directory: str | Path, keep: int = 2):
        if keep < 2:
            raise ValueError(
                "Expected `keep` >= 2, so that a damaged checkpoint leaves one to "
                f"fall back to. Received: {keep}"
            )
        self.directory, self.keep = Path(directory), keep
        self.directory.mkdir(parents=True, exist_ok=True)
        self.is_remote = str(self.directory.absolute()).startswith("/content/drive")
        for leftover in self.directory.glob("unfinished-*"):
            leftover.unlink(missing_ok=True)

    def paths(self) -> list[Path]:
        """Complete checkpoints, newest first."""
        found = [p for p in self.directory.iterdir() if _NAME.fullmatch(p.name)]
        return sorted(found, reverse=True)

    def save(
        self, number: int, arrays: dict[str, np.ndarray], metadata: dict[str, Any]
    ) -> Path | None:
        """Write checkpoint `number` (images seen) and drop the oldest.

        Returns: its path, or None when the disk refused. That is said in a warning
            and does not stop the training; the checkpoint before stays as it was.
        """
        for attempt in range(3):
            try:
                path = self._write(number, arrays, metadata)
                break
            except OSError as error:
                problem = error
                if not self.is_remote:
                    attempt = 2
                if attempt == 2:
                    warnings.warn(
                        f"CHECKPOINT NOT SAVED to {self.directory}: {problem}. The "
                        "training goes on and the earlier checkpoint is intact. Free "
                        "some space or reconnect the drive; the next checkpoint is "
                        "tried as usual.",
                        stacklevel=2,
                    )
                    return None
                time.sleep(2**attempt)
        with contextlib.suppress(OSError):  # a drive that is gone; next time then
            for old in self.paths()[self.keep :]:
                old.unlink(missing_ok=True)
        return path

    def _write(self, number, arrays, metadata) -> Path:
        unfinished = self.directory / f"unfinished-{os.getpid()}.npz"
        try:
            if self.is_remote:
                with tempfile.TemporaryDirectory() as local:
                    digest = _write_arrays(Path(local) / "c.npz", arrays, metadata)
                    shutil.copyfile(Path(local) / "c.npz", unfinished)
                if _digest(unfinished) != digest:
                    raise OSError("the copy on the drive differs from the original")
            else:
                digest = _write_arrays(unfinished, arrays, metadata)
            path = self.directory / f"checkpoint-{number:012d}-{digest}.npz"
            os.replace(unfinished, path)
            _flush_folder(self.directory)
        finally:
            unfinished.unlink(missing_ok=True)
        return path

    def load_newest(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Arrays and metadata of the newest sound checkpoint; None if there is none.

        A damaged file is named in a warning and set aside as `*.damaged`; one that the
        drive cannot read is named and left alone.
        Raises: CheckpointError when there are checkpoints and none is sound.
        """
        paths = self.paths()
        for path in paths:
            named = _NAME.fullmatch(path.name)
            try:
                if named and _digest(path) == named[2]:
                    return unpack(path)
            except OSError as error:  # the drive's fault, perhaps for a moment only
                warnings.warn(
                    f"{path.name} cannot be read ({error}); it stays as it is, and "
                    "the checkpoint before it is used.",
                    stacklevel=2,
                )
                continue
            damaged = path.with_name(path.name + ".damaged")
            os.replace(path, damaged)
            warnings.warn(
                f"{path.name} is damaged (its SHA-256 is not the one in its name). "
                f"It is kept as {damaged.name}; the checkpoint before it is used.",
                stacklevel=2,
            )
        if paths or list(self.directory.glob("checkpoint-*.damaged")):
            raise CheckpointError(
                f"Expected a sound checkpoint in {self.directory}, but every one is "
                "damaged or cannot be read. If it is a drive, reconnect it and try "
                "again. To start anew, use another folder or empty this one."
            )
        return None


def pack(file: BinaryIO, arrays, metadata) -> None:
    """Write named arrays and what is said of them, as a checkpoint has them."""
    text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    np.savez(file, **{_METADATA: text}, **arrays)


def unpack(file: BinaryIO | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and metadata of `pack`."""
    with np.load(file, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    return arrays, json.loads(arrays.pop(_METADATA).tobytes())


def _write_arrays(path: Path, arrays, metadata) -> str:
    with path.open("wb") as file:
        pack(file, arrays, metadata)
        file.flush()
        os.fsync(file.fileno())
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _flush_folder(directory: Path) -> None:
    """Make the renaming itself durable, where the system allows it."""
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError:  # some network drives cannot
            pass
        finally:
            os.close(handle)
