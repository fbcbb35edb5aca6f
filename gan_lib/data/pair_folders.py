"""Aligned pairs from your own files: A and B side by side, or in two folders."""

from __future__ import annotations

import collections
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from data_prep import atomic
from data_prep.decode import decode_upright
from data_prep.scan import Entry, Skipped, scan_folder, scan_zip
from gan_lib.data import cache
from gan_lib.data.folders import existing
from gan_lib.data.pair_checks import check_aspects, check_sides, halves
from gan_lib.data.pairs import Pairs
from gan_lib.data.picture_store import key, nothing_usable, stored

__all__ = ["DIRECTIONS", "save_side_by_side", "side_by_side", "two_folders"]

DIRECTIONS = ("AtoB", "BtoA")
_VERSION = 1  # raise it when the same files would give other pairs


@dataclass(frozen=True)
class _PairEntry:
    """Two files that are one pair."""

    path: str
    size: int
    source: Entry
    target: Entry


def side_by_side(
    path: str | os.PathLike,
    size: int = 256,
    *,
    direction: str = "AtoB",
    nearest: tuple[bool, bool] = (False, False),
    grey_targets: bool = False,
    max_pixels: int = 64_000_000,
    cache_dir: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Pairs:
    """Read pairs of which each file holds A on the left and B on the right.

    So are the sets of the pix2pix paper stored (Isola et al. 2017, arXiv:1611.07004).
    Each file is turned upright, cut in the middle and each half resized to a square.
    What cannot be a pair is left out and named in `.skipped`: an odd width, halves that
    are not square (5 % are tolerated), less than `size` / 2 pixels high, a half of one
    colour, a target without colour, a file that cannot be read. Results are cached as
    by `load_folder`.

    Args:
        path: a folder (with subfolders) or a ``.zip``.
        size: side of the squares in pixels, 8 to 4096.
        direction: "AtoB", the left half is the source, or "BtoA", the right one.
        nearest: for (source, target), whether it is a label map in colours, resized by
            nearest neighbour; see `Pairs`.
        grey_targets: keep pairs whose target has no colour. Without it they are left
            out: mostly the direction is the wrong one.
        max_pixels, cache_dir, workers, progress: see `load_folder`.
    Returns: `Pairs`, 3 channels each.
    Raises: FileNotFoundError, OSError, ValueError as `load_folder`; the reasons of a
        refusal say what to do.
    """
    _check_size(size)
    if direction not in DIRECTIONS:
        raise ValueError(
            'direction must be "AtoB" (from left to right) or "BtoA", but got '
            f"{direction!r}."
        )
    root = existing(path)
    entries, skipped = (scan_folder if root.is_dir() else scan_zip)(root)
    if not entries:
        raise ValueError(nothing_usable(root, skipped))

    opposite = DIRECTIONS[direction == "AtoB"]

    def decode(entry: Entry) -> np.ndarray:
        pixels = decode_upright(entry.read(4 * max_pixels), max_pixels=max_pixels)
        left, right = halves(pixels, size)
        sides = (left, right) if direction == "AtoB" else (right, left)
        check_sides(*sides, grey_targets, f'pass direction="{opposite}"')
        return _squares(sides, size, nearest)

    rules = {"direction": direction, "grey": grey_targets, "max": max_pixels}
    return _read(
        root, entries, entries, decode, skipped, rules, size=size, nearest=nearest,
        cache_dir=cache_dir, workers=workers, progress=progress,
    )  # fmt: skip


def two_folders(
    source_path: str | os.PathLike,
    target_path: str | os.PathLike,
    size: int = 256,
    *,
    nearest: tuple[bool, bool] = (False, False),
    grey_targets: bool = False,
    max_pixels: int = 64_000_000,
    cache_dir: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Pairs:
    """Read pairs from two folders, where files with equal names belong together.

    ``photos/a/1.jpg`` belongs to ``drawings/a/1.png``: subfolders and names must be
    equal, suffixes need not. Of both, the centre square is taken and resized. Left out
    and named in `.skipped` are files without a partner, two files of one name, pictures
    of different aspect ratios (2 % are tolerated), and what `side_by_side` leaves out.

    Args:
        source_path, target_path: folders or ``.zip`` files: what is shown, and the
            wanted answers.
        size: side of the squares in pixels, 8 to 4096.
        nearest, grey_targets, max_pixels, cache_dir, workers, progress: see
            `side_by_side`.
    Returns: `Pairs`, 3 channels each; `paths` are those of the sources.
    Raises: see `side_by_side`.
    """
    _check_size(size)
    roots = existing(source_path), existing(target_path)
    if roots[0] == roots[1]:
        raise ValueError(
            f"Source and target are the same, {roots[0]}. Give two folders, or read "
            "files that hold both with `side_by_side`."
        )
    scans = [(scan_folder if root.is_dir() else scan_zip)(root) for root in roots]
    for root, (entries, unread) in zip(roots, scans, strict=True):
        if not entries:
            raise ValueError(nothing_usable(root, unread))
    items, skipped = _partners(scans[0][0], scans[1][0])
    skipped += scans[0][1] + scans[1][1]
    if not items:
        raise ValueError(
            f"No file of {roots[0]} has the name of one of {roots[1]}. Expected a.png "
            "and a.jpg to be a pair: rename the files of one folder.\n"
            + nothing_usable(roots[0], skipped, "pair")
        )

    def decode(item: _PairEntry) -> np.ndarray:
        source, target = (
            decode_upright(entry.read(4 * max_pixels), max_pixels=max_pixels)
            for entry in (item.source, item.target)
        )
        check_aspects(source, target, size)
        source, target = _centre(source), _centre(target)
        check_sides(source, target, grey_targets, "exchange the two folders")
        return _squares((source, target), size, nearest)

    partner = key(roots[1], scans[1][0], {})
    rules = {"target": partner, "grey": grey_targets, "max": max_pixels}
    return _read(
        roots[0], scans[0][0], items, decode, skipped, rules, size=size,
        nearest=nearest, cache_dir=cache_dir, workers=workers, progress=progress,
    )  # fmt: skip


def save_side_by_side(
    pairs: Pairs, folder: str | os.PathLike, *, overwrite: bool = False
) -> list[Path]:
    """Write each pair as one PNG, source left, target right; undoes `side_by_side`.

    Files are named by `pairs.paths`, with the suffix .png, or 00000.png, 00001.png ...
    Each appears complete or not at all.

    Args:
        pairs: of 1 or 3 channels a side; 1 channel is repeated.
        folder: made if there is none.
        overwrite: replace files that are there.
    Returns: the files.
    Raises: FileExistsError, before anything is written, if a file is there already;
        ValueError for other channels, or names that are equal or lead elsewhere.
    """
    for name, side in (("source", pairs.source), ("target", pairs.target)):
        if side.shape[-1] not in (1, 3):
            raise ValueError(
                f"Expected 1 or 3 channels to save, but the {name} has "
                f"{side.shape[-1]}. Save the pairs without hints."
            )
    files = _file_names(pairs, Path(folder).expanduser())
    there = [file for file in files if file.exists()]
    if there and not overwrite:
        raise FileExistsError(
            f"{len(there)} of {len(files)} files are there already, the first is "
            f"{there[0]}. Choose an empty folder, or pass overwrite=True."
        )
    for file, source, target in zip(files, pairs.source, pairs.target, strict=True):
        shape = (*source.shape[:2], 3)
        both = [np.broadcast_to(side, shape) for side in (source, target)]
        with atomic.replacing(file, durable=False) as stream:
            Image.fromarray(np.hstack(both)).save(stream, "PNG")
    return files


def _read(
    root, entries, items, decode, skipped, rules, *, size, nearest, cache_dir, **options
) -> Pairs:
    """The pairs that `decode` makes of all items; cached by files and `rules`."""
    rules = rules | {"size": size, "nearest": tuple(nearest), "version": _VERSION}
    store = cache.cache_dir(cache_dir) / "pairs" / key(root, entries, rules)
    pixels, paths, skipped = stored(
        store, items, decode, (2, size, size, 3), skipped, root, what="pair", **options
    )
    return Pairs(pixels[:, 0], pixels[:, 1], tuple(nearest), paths, tuple(skipped))


def _file_names(pairs: Pairs, folder: Path) -> list[Path]:
    names = pairs.paths or [f"{number:05d}" for number in range(len(pairs))]
    files = [folder / PurePosixPath(name).with_suffix(".png") for name in names]
    odd = [file for file in files if ".." in file.relative_to(folder).parts]
    if odd or len(set(files)) < len(files):
        raise ValueError(
            "Expected names that differ without their suffix and stay in the folder, "
            f"but got {odd[0] if odd else 'two files of one name'}. Leave `paths` away "
            "to number the files."
        )
    return files


def _partners(
    sources: list[Entry], targets: list[Entry]
) -> tuple[list[_PairEntry], list[Skipped]]:
    """Pairs of files of one name, and what has no partner or more than one."""
    tables: list[dict[str, list[Entry]]] = []
    for entries in (sources, targets):
        named = collections.defaultdict(list)
        for entry in entries:
            named[str(PurePosixPath(entry.path).with_suffix(""))].append(entry)
        tables.append(named)
    items, skipped = [], []
    for stem in sorted(tables[0].keys() | tables[1].keys()):
        ours, theirs = (table.get(stem, []) for table in tables)
        if len(ours) == len(theirs) == 1:
            size = ours[0].size + theirs[0].size
            items.append(_PairEntry(ours[0].path, size, ours[0], theirs[0]))
            continue
        for entry in ours + theirs:
            side, other = ("target", ours) if entry in ours else ("source", theirs)
            if len(ours) > 1 or len(theirs) > 1:
                names = ", ".join(item.path for item in ours + theirs)
                reason = f"two files of one name: keep one a folder of {names}"
            else:
                reason = f"no partner: no {side} is named {stem}"
            skipped.append(Skipped(entry.path, reason))
    return items, skipped


def _centre(pixels: np.ndarray) -> np.ndarray:
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side]


def _squares(sides, size: int, nearest: tuple[bool, bool]) -> np.ndarray:
    """uint8 (2, size, size, 3)."""
    methods = [
        Image.Resampling.NEAREST if flag else Image.Resampling.LANCZOS
        for flag in nearest
    ]
    resized = [
        Image.fromarray(np.ascontiguousarray(side)).resize((size, size), method)
        for side, method in zip(sides, methods, strict=True)
    ]
    return np.stack([np.asarray(image) for image in resized])


def _check_size(size: int) -> None:
    if not 8 <= size <= 4096:
        raise ValueError(f"size must be from 8 to 4096 pixels, but got {size}.")
