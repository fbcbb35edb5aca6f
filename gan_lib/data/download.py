"""Fetching archives so that a broken connection costs only what is missing."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import requests
from tqdm.auto import tqdm

_TIMEOUT_S = (20, 60)  # to connect, between two pieces
_PIECE = 1 << 14  # a cut loses the piece under way, so keep it small


class Offline(ConnectionError):
    """A server could not be reached; the text says what can be done without it."""


def fetch(url: str, target: Path, *, sha256: str | None = None, progress=True) -> Path:
    """Download `url` to `target`, continuing an earlier attempt.

    Bytes arrive in ``target.part``; after a cut the next call asks the server for the
    rest only (HTTP Range).  The file gets its final name when it is whole and its
    SHA-256 is right.  Without a known `sha256` the sum of this first download is
    trusted and written to ``target.sha256``; later downloads must repeat it.

    Args:
        url: http or https address.
        target: final name.
        sha256: expected sum in hexadecimal, if a reliable source states one.
        progress: show a progress bar.

    Returns:
        `target`.

    Raises:
        Offline: the server cannot be reached, or the connection broke.
        OSError: the server refuses, the disk is too full, or the sum is wrong.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        _receive(url, part, progress)
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,  # cut in the middle of the body
    ) as error:
        raise Offline(
            f"{url} cannot be reached ({type(error).__name__}). Check the internet "
            "connection and call again: what has arrived is kept. Without internet, "
            "use the drawn faces of gan_lib.data.faces or load_folder on pictures "
            "of your own."
        ) from error
    _verify(part, target, sha256)
    os.replace(part, target)
    return target


def _receive(url: str, part: Path, progress: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # or Range would count packed bytes
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as reply:
        if reply.status_code == 416:  # nothing after what we have: whole, or stale
            if reply.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise OSError(f"The file at {url} has changed. Call again to start afresh.")
        if reply.status_code >= 400:
            raise OSError(
                f"The server answered {reply.status_code} ({reply.reason}) for {url}. "
                "The file may have moved: look for it on the project's page and load "
                "it by hand with load_folder."
            )
        if reply.status_code != 206:  # a server without Range sends all of it again
            have = 0
        missing = int(reply.headers.get("Content-Length", 0))
        _check_disk(part.parent, missing, url)
        with (
            open(part, "ab" if have else "wb") as out,
            tqdm(total=have + missing or None, initial=have, unit="B", unit_scale=True,
                 desc=f"fetching {part.stem}", disable=not progress) as bar,
        ):  # fmt: skip
            for piece in reply.iter_content(_PIECE):
                out.write(piece)
                bar.update(len(piece))
            out.flush()
            os.fsync(out.fileno())
    if missing and part.stat().st_size < have + missing:
        raise requests.ConnectionError("the connection closed early")


def _check_disk(folder: Path, needed: int, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{what} needs {needed / 1e6:,.0f} MB, but only {free / 1e6:,.0f} MB are "
            f"free at {folder}. Free some space or pass cache_dir= on a larger disk."
        )


def _verify(part: Path, target: Path, sha256: str | None) -> None:
    with open(part, "rb") as data:
        found = hashlib.file_digest(data, "sha256").hexdigest()
    record = target.with_name(target.name + ".sha256")
    first_time = sha256 is None and not record.exists()
    expected = found if first_time else sha256 or record.read_text("ascii").strip()
    if found != expected:
        part.unlink()
        raise OSError(
            f"{target.name} arrived damaged or was changed: its SHA-256 is {found}, "
            f"expected {expected}. It was deleted; call again to load it anew."
        )
    if first_time:
        record.write_text(found + "\n", "ascii")
        print(
            f"No published checksum is known for {target.name}. This download is "
            f"trusted and its SHA-256 kept for the next one: {found}"
        )


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar archive into `folder`, whole or not at all.

    Members that would land outside, devices and absolute links are refused
    (Python's ``data`` filter for tar files).

    Raises:
        OSError: the archive is damaged or refused, or the disk is too full.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Pictures do not shrink when packed, so the archive's size is a fair estimate.
    _check_disk(folder.parent, archive.stat().st_size, f"Unpacking {archive.name}")
    work = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        with tarfile.open(archive) as members:
            members.extractall(work, filter="data")
        os.rename(work, folder)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise OSError(
            f"{archive.name} cannot be unpacked ({error}). Delete {archive} and call "
            "again to load it anew."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder
