"""What lies in a folder or a zip file, found without opening any picture."""

from __future__ import annotations

import collections
import os
import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_prep.decode import Unusable, check_signature

# Left behind by desktops and tools; no learner put them there, so no word about them.
_JUNK_FILES = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_JUNK_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "lost+found"}
_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and the reason in plain words."""

    path: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """A file that may be a picture.

    Attributes:
        path: name relative to the folder or inside the zip, with ``/``.
        size: bytes (unpacked, as the zip file states).
        stamp: modification time or checksum, which changes when the content does.
        read: called with a limit in bytes, gives the content or raises `Unusable`.
    """

    path: str
    size: int
    stamp: int
    read: Callable[[int], bytes]


def printable(name: str) -> str:
    """`name` with undecodable bytes and control characters made visible."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def explain(error: OSError) -> str:
    """The system's own words for an error, without its number and path."""
    return f"cannot be read: {error.strerror or type(error).__name__}"


def table(skipped: Sequence[Skipped], names: int = 3) -> list[str]:
    """Lines of a table: how often each kind of reason, with a few file names."""
    groups = collections.defaultdict(list)
    for item in skipped:
        groups[item.reason.split(":")[0]].append(item)
    lines = [f"{len(skipped)} files skipped"] if skipped else []
    for kind, items in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines.append(f"  {len(items):6d}  {kind}")
        for item in items[:names]:
            detail = item.reason[len(kind) :].lstrip(": ")
            lines.append(f"          {item.path}" + (f" ({detail})" if detail else ""))
        if len(items) > names:
            lines.append(f"          ... and {len(items) - names} more (see .skipped)")
    return lines


def scan_folder(root: Path) -> tuple[list[Entry], list[Skipped]]:
    """All files below `root`, sorted by path; links followed, but never in a circle."""
    entries, skipped, seen = [], [], set()
    # Real folders are taken from the left, links to folders wait on the right, so
    # that a folder is read under its own name when both exist.
    waiting = collections.deque([(str(root), "")])
    while waiting:
        folder, prefix = waiting.popleft()
        try:
            items = _list_new(folder, seen)
        except (OSError, Unusable) as error:
            skipped.append(_skip(prefix or ".", error))
            continue
        for item in items:
            path = f"{prefix}/{item.name}" if prefix else item.name
            try:
                status = item.stat()  # of what a link points to
                if not stat.S_ISDIR(status.st_mode):
                    if not _is_junk_file(item.name):
                        entries.append(_file_entry(item.path, path, status))
                elif item.is_symlink():
                    waiting.append((item.path, path))
                elif not _is_junk_folder(item.name):
                    waiting.appendleft((item.path, path))
            except (OSError, Unusable) as error:
                skipped.append(_skip(path, error))
    return sorted(entries, key=lambda entry: entry.path), skipped


def _list_new(folder: str, seen: set) -> list[os.DirEntry]:
    """The items of a folder that was not listed before."""
    status = os.stat(folder)
    if (status.st_dev, status.st_ino) in seen:
        raise Unusable("a link to a folder that is read already")
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as listing:
        items = list(listing)
    if not items and folder.lower().endswith(_PICTURE_SUFFIXES):
        raise Unusable("an empty folder, although named like a picture")
    return items


def _skip(path: str, error: Exception) -> Skipped:
    if isinstance(error, FileNotFoundError):
        return Skipped(printable(path), "a link that leads nowhere")
    reason = explain(error) if isinstance(error, OSError) else str(error)
    return Skipped(printable(path), reason)


def scan_zip(path: Path) -> tuple[list[Entry], list[Skipped]]:
    """All members of a zip file, sorted by name; nothing is ever unpacked to disk."""
    try:
        archive = zipfile.ZipFile(path)  # stays open for the readers below
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(
            f"{path} is not a zip file that can be read ({error}). Expected a folder "
            "or a .zip of pictures. Other archives (tar, rar, 7z): unpack them first. "
            "A single picture: put it into a folder."
        ) from error
    entries, skipped = [], []
    for member in archive.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if member.is_dir() or not parts or _is_junk_file(parts[-1]):
            continue
        if any(_is_junk_folder(part) for part in parts[:-1]):
            continue
        name = printable(member.filename)
        if ".." in parts or parts[0] == "/" or parts[0].endswith(":"):
            skipped.append(Skipped(name, "a name that points outside the zip file"))
        elif member.flag_bits & 0x1:
            skipped.append(Skipped(name, "encrypted: unpack it with its password"))
        else:
            entries.append(_zip_entry(archive, member, name))
    return sorted(entries, key=lambda entry: entry.path), skipped


def _is_junk_file(name: str) -> bool:
    return name.startswith("._") or name.lower() in _JUNK_FILES


def _is_junk_folder(name: str) -> bool:
    # Hidden folders hold a tool's own files (.git, .thumbnails, .ipynb_checkpoints).
    hidden = name.startswith(".") and name not in (".", "..")
    return hidden or name.lower() in _JUNK_FOLDERS


def _file_entry(path: str, shown: str, status: os.stat_result) -> Entry:
    # A pipe or a device would block for ever on open, so ask before.
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("not a regular file (a pipe, a socket or a device)")

    def read(limit: int) -> bytes:
        try:
            with open(path, "rb", buffering=0) as stream:
                return _bounded(stream, limit, status.st_size)
        except OSError as error:
            raise Unusable(explain(error)) from None

    return Entry(printable(shown), status.st_size, status.st_mtime_ns, read)


def _zip_entry(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Entry:
    def read(limit: int) -> bytes:
        try:
            with archive.open(member) as stream:
                return _bounded(stream, limit, member.file_size)
        except Unusable:
            raise
        except NotImplementedError:
            raise Unusable("a compression method that Python cannot undo") from None
        except Exception as error:  # zlib.error, BadZipFile, EOFError, OSError ...
            raise Unusable(f"broken in the zip file: {error}") from None

    return Entry(name, member.file_size, member.CRC, read)


def _bounded(stream, limit: int, size: int) -> bytes:
    """Content of `stream`; nothing past the first bytes if they are no picture's."""
    head = stream.read(16)
    check_signature(head)
    # The stated size may lie, so what really comes is limited as well.
    body = stream.read(limit - len(head) + 1) if size <= limit else b""
    if size > limit or len(head) + len(body) > limit:
        raise Unusable(f"too large: more than {limit / 1e6:,.0f} MB")
    return head + body
