"""Decoded pictures kept on disk: complete or not there, open as one array."""

from __future__ import annotations

import collections
import concurrent.futures
import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from tqdm.auto import tqdm

from data_prep.decode import Unusable, one_large_at_a_time, quiet_pillow
from data_prep.scan import Entry, Skipped, printable, table

_VERSION = 1  # raise it when the decoded bytes would change: old caches are then unused
_LARGE_FILE = 8_000_000
_PIXELS, _INDEX = "pixels.u8", "index.json"


class Item(Protocol):
    """What becomes one row of pixels: a file, or the two files of a pair."""

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int: ...


def stored(
    store: Path,
    items: Sequence,
    decode: Callable[..., np.ndarray],
    shape: tuple[int, ...],
    skipped: Sequence[Skipped],
    source: Path,
    *,
    what: str = "picture",
    workers: int | None = None,
    progress: bool = True,
) -> tuple[np.ndarray, tuple[str, ...], list[Skipped]]:
    """The pixels of all items, from the cache `store`, which is filled if need be.

    Args:
        store: folder of the cache, named by `key`; it appears complete or not at all.
        items: `Item` objects, in the order of the result.
        decode: item -> uint8 array of `shape`, or raises `Unusable`; runs in threads.
        shape: of one item's pixels.
        skipped: what was left out before.
        source, what: named in errors.
        workers, progress: see `load_folder`.
    Returns: uint8 (n, *shape), a memmap when large; n paths; all that was skipped.
    Raises: ValueError if nothing is usable, OSError if the disk is too full.
    """
    index = _read_index(store, shape)
    if index is None:
        decoded = _decode_all(items, decode, what, workers, progress)
        _fill(store, decoded, len(items), shape, skipped, source, what)
        index = cast(dict, _read_index(store, shape))  # just written
    left_out = sorted([*skipped, *index["skipped"]], key=lambda item: item.path)
    pixels = _open_pixels(store / _PIXELS, (len(index["paths"]), *shape))
    return pixels, tuple(index["paths"]), left_out


def nothing_usable(root: Path | str, skipped: list[Skipped], what="picture") -> str:
    root = printable(str(root))
    if not skipped:
        return (
            f"{root} holds no files. Expected pictures (JPEG, PNG, WebP or GIF), "
            "directly or in subfolders: copy some there, or pass another path."
        )
    return "\n".join([f"{root} holds no {what} that can be used.", *table(skipped)])


def key(root: Path, entries: list[Entry], rules: dict) -> str:
    """A name for what `rules` make of these files: other files, another name."""
    digest = hashlib.sha256(repr((_VERSION, rules, os.fsencode(root))).encode())
    if root.is_file():
        digest.update(repr((root.stat().st_size, root.stat().st_mtime_ns)).encode())
    for entry in entries:
        digest.update(repr((entry.path, entry.size, entry.stamp)).encode())
    return digest.hexdigest()[:32]


def _read_index(store: Path, shape: tuple[int, ...]) -> dict | None:
    """The list of a finished cache, or None when there is none (or a damaged one)."""
    try:
        index = json.loads((store / _INDEX).read_text("utf-8"))
        bytes_expected = len(index["paths"]) * math.prod(shape)
        if (store / _PIXELS).stat().st_size != bytes_expected or not index["paths"]:
            return None
        index["skipped"] = [Skipped(**item) for item in index["skipped"]]
        return index
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fill(store, decoded, count, shape, scan_skipped, source, what) -> None:
    """Write all pixels into a temporary folder, then rename it to `store`."""
    store.parent.mkdir(parents=True, exist_ok=True)
    needed = count * math.prod(shape)
    free = shutil.disk_usage(store.parent).free
    if needed > free:
        raise OSError(
            f"The cache of {count} {what}s at {shape[-2]} px needs up to "
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
            for item, result in decoded:
                if isinstance(result, str):
                    index["skipped"].append({"path": item.path, "reason": result})
                else:
                    out.write(result)
                    index["paths"].append(item.path)
            _sync(out)
        if not index["paths"]:
            skipped = [Skipped(**item) for item in index["skipped"]]
            raise ValueError(nothing_usable(source, [*scan_skipped, *skipped], what))
        with open(work / _INDEX, "w", encoding="utf-8") as out:
            json.dump(index, out)
            _sync(out)
        shutil.rmtree(store, ignore_errors=True)  # a damaged one, or none
        try:
            os.rename(work, store)
        except OSError:
            if _read_index(store, shape) is None:  # else another process was first
                raise
    finally:  # also after Ctrl-C: no half cache stays behind
        shutil.rmtree(work, ignore_errors=True)


def _sync(out) -> None:
    out.flush()
    os.fsync(out.fileno())


def _decode_all(items, decode, what, workers, progress) -> Iterator[tuple]:
    """Each item with its pixels (bytes) or the reason why not (str), in order."""
    workers = workers or min(os.cpu_count() or 1, 8)

    def attempt(item: Item) -> bytes | str:
        # A large file takes its turn, so that memory holds the bytes of one at most.
        turn = one_large_at_a_time if item.size > _LARGE_FILE else nullcontext()
        try:
            with turn:
                return decode(item).tobytes()
        except Unusable as reason:
            return str(reason)

    waiting = collections.deque()  # bounded, so that results never pile up
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    bar = tqdm(total=len(items), desc=f"reading {what}s", disable=not progress)
    try:
        with quiet_pillow(), bar:
            for item in items:
                waiting.append((item, pool.submit(attempt, item)))
                if len(waiting) >= 4 * workers:
                    yield _next(waiting, bar)
            while waiting:
                yield _next(waiting, bar)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: collections.deque, bar: tqdm) -> tuple[Item, bytes | str]:
    item, future = waiting.popleft()
    result = future.result()
    bar.update()
    return item, result


def _memory_limit() -> int:
    """Bytes above which the pictures stay on disk: a quarter of this machine's."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 2**31


def _open_pixels(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    if np.prod(shape, dtype=np.int64) > _memory_limit():
        return np.memmap(path, np.uint8, mode="r", shape=shape)
    return np.fromfile(path, np.uint8).reshape(shape)
