"""Your own pictures: any folder or zip file to one array, once, with a report."""

from __future__ import annotations

import collections
import concurrent.futures
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from tqdm.auto import tqdm

from data_prep.decode import (
    Unusable,
    decode_square,
    one_large_at_a_time,
    quiet_pillow,
)
from data_prep.scan import Entry, Skipped, printable, scan_folder, scan_zip, table
from gan_lib.data import cache

__all__ = ["Folder", "Skipped", "load_folder"]

_VERSION = 1  # raise it when the decoded bytes would change: old caches are then unused
_LARGE_FILE = 8_000_000
_PIXELS, _INDEX = "pixels.u8", "index.json"


@dataclass(frozen=True, eq=False)
class Folder:
    """Pictures read from a folder or a zip file.

    Attributes:
        images: uint8 (n, size, size, 3); an ``np.memmap`` when too large for memory.
        paths: n names, sorted, relative to the folder or inside the zip.
        skipped: what was left out, each with `.path` and `.reason`.
        source: the folder or zip file that was read.
    """

    images: np.ndarray
    paths: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    source: Path

    def __len__(self) -> int:
        return len(self.images)

    def summary(self) -> str:
        """A short table of what was used and what was not, printed and returned."""
        text = "\n".join(
            [
                f"{len(self)} pictures of {self.images.shape[1]} px from "
                f"{printable(str(self.source))}",
                *table(self.skipped),
            ]
        )
        print(text)
        return text


def load_folder(
    path: str | os.PathLike,
    size: int = 64,
    *,
    cache_dir: str | os.PathLike | None = None,
    min_side_px: int | None = None,
    max_pixels: int = 64_000_000,
    half: str | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Folder:
    """Read every picture of a folder or zip file as a square of `size` pixels.

    JPEG, PNG, WebP and GIF are used, whatever their suffix; of an animation the first
    frame.  Each picture is turned upright (EXIF), laid on white if transparent,
    cropped to its centre square, resized with antialiasing and kept in a cache on
    disk, so that the second call only reads one file.  The cache is keyed by all
    names, sizes and times: a changed folder is read again.  A file that cannot be
    used is skipped and listed in `.skipped`; it never stops the rest.

    Args:
        path: a folder (subfolders are searched, links followed) or a ``.zip``.
        size: side of the squares in pixels, 1 to 4096.
        cache_dir: where to keep the result; default ``$GAN_CACHE``, else the user's
            cache folder (on Linux ``~/.cache/gan_lib``).
        min_side_px: skip pictures whose shorter side is below; default size // 2,
            because a picture enlarged more than twice is only blur.
        max_pixels: skip pictures whose header states more (width x height).
        half: "left" or "right" for files that hold a pair side by side, as the
            pix2pix sets do: only that half is used.
        workers: decoding threads; default the number of processor cores, at most 8.
        progress: show a progress bar.

    Returns:
        `Folder`.

    Raises:
        FileNotFoundError: nothing is at `path`.
        ValueError: no usable picture (the message lists the reasons), or a file that
            is no zip.
        OSError: the disk is too full for the cache.
    """
    root = _existing(path)
    if not 1 <= size <= 4096:
        raise ValueError(f"size must be from 1 to 4096 pixels, but got {size}.")
    if half not in (None, "left", "right"):
        raise ValueError(f'half must be "left", "right" or None, but got {half!r}.')
    min_side_px = max(1, size // 2) if min_side_px is None else min_side_px
    entries, skipped = (scan_folder if root.is_dir() else scan_zip)(root)
    if not entries:
        raise ValueError(_nothing_usable(root, skipped))

    rules = {
        "size": size,
        "min_side_px": min_side_px,
        "max_pixels": max_pixels,
        "half": half,
    }
    store = cache.cache_dir(cache_dir) / "folders" / _key(root, entries, rules)
    index = _read_index(store, size)
    if index is None:
        _fill(store, root, entries, skipped, rules, workers, progress)
        index = cast(dict, _read_index(store, size))  # just written
    return Folder(
        images=_open_pixels(store / _PIXELS, len(index["paths"]), size),
        paths=tuple(index["paths"]),
        skipped=tuple(sorted(skipped + index["skipped"], key=lambda item: item.path)),
        source=root,
    )


def _existing(path: str | os.PathLike) -> Path:
    root = Path(path).expanduser()
    if not root.exists():
        raise FileNotFoundError(
            f"There is no folder or zip file at {printable(str(root))}. Expected the "
            f"path of your pictures; relative paths start at {Path.cwd()}. Look for a "
            "spelling mistake, and on Colab for a Drive that is not mounted."
        )
    if not (root.is_dir() or root.is_file()):  # opening a pipe would wait for ever
        raise ValueError(
            f"{printable(str(root))} is neither a folder nor a zip file but a pipe, a "
            "socket or a device. Expected the path of your pictures."
        )
    return root.resolve()


def _nothing_usable(root: Path | str, skipped: list[Skipped]) -> str:
    root = printable(str(root))
    if not skipped:
        return (
            f"{root} holds no files. Expected pictures (JPEG, PNG, WebP or GIF), "
            "directly or in subfolders: copy some there, or pass another path."
        )
    return "\n".join([f"{root} holds no picture that can be used.", *table(skipped)])


def _key(root: Path, entries: list[Entry], rules: dict) -> str:
    digest = hashlib.sha256(repr((_VERSION, rules, os.fsencode(root))).encode())
    if root.is_file():
        digest.update(repr((root.stat().st_size, root.stat().st_mtime_ns)).encode())
    for entry in entries:
        digest.update(repr((entry.path, entry.size, entry.stamp)).encode())
    return digest.hexdigest()[:32]


def _read_index(store: Path, size: int) -> dict | None:
    """The list of a finished cache, or None when there is none (or a damaged one)."""
    try:
        index = json.loads((store / _INDEX).read_text("utf-8"))
        bytes_expected = len(index["paths"]) * size * size * 3
        if (store / _PIXELS).stat().st_size != bytes_expected or not index["paths"]:
            return None
        index["skipped"] = [Skipped(**item) for item in index["skipped"]]
        return index
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fill(store, root, entries, scan_skipped, rules, workers, progress) -> None:
    """Decode everything into a temporary folder, then rename it to `store`."""
    size = rules["size"]
    store.parent.mkdir(parents=True, exist_ok=True)
    needed = len(entries) * size * size * 3
    free = shutil.disk_usage(store.parent).free
    if needed > free:
        raise OSError(
            f"The cache of {len(entries)} pictures at {size} px needs up to "
            f"{needed / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free at "
            f"{store.parent}. Free some space, choose a smaller size, or pass "
            "cache_dir= on a larger disk."
        )
    for stale in store.parent.glob(".part-*"):  # of runs that were killed
        if time.time() - stale.stat().st_mtime > 86_400:
            shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".part-", dir=store.parent))
    try:
        index = {"paths": [], "skipped": []}
        with open(work / _PIXELS, "wb") as out:
            for entry, result in _decode_all(entries, rules, workers, progress):
                if isinstance(result, str):
                    index["skipped"].append({"path": entry.path, "reason": result})
                else:
                    out.write(result)
                    index["paths"].append(entry.path)
            _sync(out)
        if not index["paths"]:
            skipped = [Skipped(**item) for item in index["skipped"]]
            raise ValueError(_nothing_usable(root, scan_skipped + skipped))
        with open(work / _INDEX, "w", encoding="utf-8") as out:
            json.dump(index, out)
            _sync(out)
        shutil.rmtree(store, ignore_errors=True)  # a damaged one, or none
        try:
            os.rename(work, store)
        except OSError:
            if _read_index(store, size) is None:  # else another process was first
                raise
    finally:  # also after Ctrl-C: no half cache stays behind
        shutil.rmtree(work, ignore_errors=True)


def _sync(out) -> None:
    out.flush()
    os.fsync(out.fileno())


def _decode_all(entries, rules, workers, progress) -> Iterator[tuple[Entry, object]]:
    """Each entry with its pixels (bytes) or the reason why not (str), in order."""
    workers = workers or min(os.cpu_count() or 1, 8)
    max_bytes = 4 * rules["max_pixels"]  # no format needs more than raw RGBA

    def decode(entry: Entry) -> bytes | str:
        # A large file takes its turn, so that memory holds the bytes of one at most.
        turn = one_large_at_a_time if entry.size > _LARGE_FILE else nullcontext()
        try:
            with turn:
                return decode_square(entry.read(max_bytes), **rules).tobytes()
        except Unusable as reason:
            return str(reason)

    waiting = collections.deque()  # bounded, so that results never pile up
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    bar = tqdm(total=len(entries), desc="reading pictures", disable=not progress)
    try:
        with quiet_pillow(), bar:
            for entry in entries:
                waiting.append((entry, pool.submit(decode, entry)))
                if len(waiting) >= 4 * workers:
                    yield _next(waiting, bar)
            while waiting:
                yield _next(waiting, bar)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: collections.deque, bar: tqdm) -> tuple[Entry, object]:
    entry, future = waiting.popleft()
    result = future.result()
    bar.update()
    return entry, result


def _memory_limit() -> int:
    """Bytes above which the pictures stay on disk: a quarter of this machine's."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 2**31


def _open_pixels(path: Path, count: int, size: int) -> np.ndarray:
    shape = (count, size, size, 3)
    if np.prod(shape, dtype=np.int64) > _memory_limit():
        return np.memmap(path, np.uint8, mode="r", shape=shape)
    return np.fromfile(path, np.uint8).reshape(shape)
