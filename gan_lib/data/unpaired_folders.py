"""Two domains from your own files: trainA, trainB, testA, testB, or plain folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.decode import Unusable, decode_square
from data_prep.measure import colour
from data_prep.scan import Entry, Skipped, printable, scan_folder, scan_zip
from gan_lib.data import cache
from gan_lib.data.folders import existing
from gan_lib.data.pairs import LEAST_COLOUR
from gan_lib.data.picture_store import key, nothing_usable, stored
from gan_lib.data.unpaired import Unpaired

__all__ = ["SPLITS", "two_domains", "unpaired_folders"]

SPLITS = ("train", "test")
_VERSION = 1  # raise it when the same files would give other pictures
_PathLike = str | os.PathLike
Paths = _PathLike | Sequence[_PathLike]


@dataclass(frozen=True)
class _Item:
    """A file under the name it has among all folders of its domain."""

    path: str
    size: int
    entry: Entry


def unpaired_folders(
    root: _PathLike,
    size: int = 64,
    *,
    split: str = "train",
    names: tuple[str, str] = ("A", "B"),
    keep_grey: bool = False,
    max_pixels: int = 64_000_000,
    cache_dir: _PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Unpaired:
    """Read a set laid out as those of CycleGAN and U-GAT-IT are.

    ``root`` holds the folders trainA, trainB, testA and testB; files have any names,
    and A and B any numbers of them. Each picture is read as by `two_domains`.

    Args:
        root: the folder with the four folders.
        size: side of the squares in pixels, 8 to 4096.
        split: "train", the folders trainA and trainB, or "test".
        names, keep_grey, max_pixels, cache_dir, workers, progress: see `two_domains`.
    Returns: `Unpaired`.
    Raises: as `two_domains`; FileNotFoundError names the folders that are there.
    """
    _check_split(split)
    root = existing(root)
    folders = [root / f"{split}{letter}" for letter in "AB"]
    missing = [folder.name for folder in folders if not folder.is_dir()]
    if missing:
        raise FileNotFoundError(_what_is_there(root, split, missing))
    read = _Reading(size, keep_grey, max_pixels, cache_dir, workers, progress)
    return _two(read, [[folder] for folder in folders], names, None)


def two_domains(
    path_a: Paths,
    path_b: Paths,
    size: int = 64,
    *,
    split: str = "train",
    test_share: float = 0.1,
    names: tuple[str, str] = ("A", "B"),
    keep_grey: bool = False,
    max_pixels: int = 64_000_000,
    cache_dir: _PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Unpaired:
    """Read two domains from plain folders, some of each kept apart for tests.

    Whether a picture is for tests follows from its name alone, the first 8 bytes of
    SHA-256(name) below test_share * 2^64: it stays where it is when others are added
    or taken away, on every machine. Each picture is turned upright and cut to its
    centre square, bad files are named in `.skipped`, and results are cached, all as by
    `load_folder`. Grey pictures among coloured ones are left out too: beside them a
    network learns that greyness is a part of the domain.

    Args:
        path_a, path_b: folder or ``.zip`` of each domain, or a list of several.
        size: side of the squares in pixels, 8 to 4096.
        split: "train" or "test".
        test_share: expected share of pictures in "test", 0 to below 1; with 0 all are
            for training.
        names: what the two show, for figures and messages.
        keep_grey: keep pictures without colour, as sketches or old photographs are.
        max_pixels, cache_dir, workers, progress: see `load_folder`.
    Returns: `Unpaired`.
    Raises: FileNotFoundError, OSError as `load_folder`; ValueError if a domain has no
        usable picture (the reasons are listed), or shares pictures with the other.
    """
    _check_split(split)
    if not 0 <= test_share < 1:
        raise ValueError(
            "test_share must be at least 0 and below 1, the share of pictures kept "
            f"for tests, but got {test_share}. Try test_share=0.1."
        )
    if split == "test" and not test_share:
        raise ValueError(
            'split="test" needs a test_share above 0, since that many pictures are '
            "kept from training. Give the same test_share to both splits."
        )
    roots = []
    for given in (path_a, path_b):
        several = [given] if isinstance(given, str | os.PathLike) else list(given)
        roots.append([existing(path) for path in several])
    if set(roots[0]) & set(roots[1]):
        shared = ", ".join(str(root) for root in set(roots[0]) & set(roots[1]))
        raise ValueError(
            f"Both domains read {printable(shared)}. Expected two kinds of pictures, "
            "each from folders of its own."
        )
    read = _Reading(size, keep_grey, max_pixels, cache_dir, workers, progress)
    return _two(read, roots, names, (split, test_share))


@dataclass(frozen=True)
class _Reading:
    """How the pictures of a domain are read."""

    size: int
    keep_grey: bool
    max_pixels: int
    cache_dir: _PathLike | None
    workers: int | None
    progress: bool

    def domain(self, roots: list[Path], part: tuple[str, float] | None):
        """Pixels, paths and skipped files of one domain."""
        if not 8 <= self.size <= 4096:
            raise ValueError(
                f"size must be from 8 to 4096 pixels, but got {self.size}."
            )
        items, skipped, found = _items(roots, part)
        if not items:
            raise ValueError(_no_items(roots, skipped, found, part))
        # Whatever decides on the pixels is part of the cache's name.
        rules: dict[str, Any] = {"size": self.size, "grey": self.keep_grey}
        rules |= {"max": self.max_pixels, "version": _VERSION}
        rules |= {"also": [os.fsencode(root) for root in roots[1:]]}
        name = key(roots[0], [item.entry for item in items], rules)
        store = cache.cache_dir(self.cache_dir) / "unpaired" / name
        options = {"workers": self.workers, "progress": self.progress}
        shape = (self.size, self.size, 3)
        return stored(store, items, self._decode, shape, skipped, roots[0], **options)

    def _decode(self, item: _Item) -> np.ndarray:
        limits = {"min_side_px": self.size // 2, "max_pixels": self.max_pixels}
        data = item.entry.read(4 * self.max_pixels)
        pixels = decode_square(data, self.size, **limits)
        if not self.keep_grey and colour(pixels) < LEAST_COLOUR:
            raise Unusable(
                "grey: no picture of a coloured domain. If grey is wanted, pass "
                "keep_grey=True"
            )
        return pixels


def _two(
    read: _Reading,
    roots: list[list[Path]],
    names: tuple[str, str],
    part: tuple[str, float] | None,
) -> Unpaired:
    (domain_a, paths_a, skipped_a), (domain_b, paths_b, skipped_b) = (
        read.domain(folders, part) for folders in roots
    )
    _check_apart(domain_a, domain_b, paths_a, paths_b)
    skipped = (*skipped_a, *skipped_b)
    return Unpaired(domain_a, domain_b, tuple(names), paths_a, paths_b, skipped)


def _scan(root: Path) -> tuple[list[Entry], list[Skipped]]:
    return (scan_folder if root.is_dir() else scan_zip)(root)


def _items(
    roots: list[Path], part: tuple[str, float] | None
) -> tuple[list[_Item], list[Skipped], int]:
    """The files of one part, what cannot be read, and how many files there are."""
    items, skipped, found = [], [], 0
    for number, root in enumerate(roots):
        # Folders of equal names are told apart by their place in the list.
        prefix = f"{number}-{root.name}/" if len(roots) > 1 else ""
        entries, unread = _scan(root)
        found += len(entries)
        skipped += [Skipped(prefix + item.path, item.reason) for item in unread]
        for entry in entries:
            if part is None or _part(entry.path, part[1]) == part[0]:
                items.append(_Item(prefix + entry.path, entry.size, entry))
    return items, skipped, found


def _part(path: str, test_share: float) -> str:
    """ "test" for about `test_share` of all names, "train" for the others."""
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
    return SPLITS[int.from_bytes(digest[:8]) < test_share * 2**64]


def _check_apart(domain_a, domain_b, paths_a, paths_b) -> None:
    """Refuse the same pictures on both sides, under whatever names."""
    in_a = {
        _digest(picture): path for picture, path in zip(domain_a, paths_a, strict=True)
    }
    both = [
        f"{printable(in_a[digest])} = {printable(path)}"
        for picture, path in zip(domain_b, paths_b, strict=True)
        if (digest := _digest(picture)) in in_a
    ]
    if both:
        raise ValueError(
            f"{len(both)} pictures of B are also in A ({', '.join(both[:3])}"
            f"{', ...' if len(both) > 3 else ''}), so there is nothing to translate "
            "between. Expected two kinds of pictures: check whether one folder was "
            "copied twice, and take these files out of one of them."
        )


def _digest(picture: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(picture), digest_size=16).digest()


def _no_items(
    roots: list[Path],
    skipped: list[Skipped],
    found: int,
    part: tuple[str, float] | None,
) -> str:
    where = " and ".join(printable(str(root)) for root in roots)
    if part is None or not found:
        return nothing_usable(where, skipped)
    return (
        f"None of the {found} files of {where} falls into the split {part[0]!r} with "
        f"test_share={part[1]}. Give more pictures or another test_share, the same "
        "for both splits."
    )


def _what_is_there(root: Path, split: str, missing: list[str]) -> str:
    if not root.is_dir():
        return (
            f"{printable(str(root))} is a file. Expected a folder that holds "
            f"{split}A and {split}B: unpack the archive first."
        )
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    there = ", ".join(map(printable, folders)) or "no folder"
    deeper = sorted(root.glob(f"*/{split}A"))
    hint = f" Did you mean {printable(str(deeper[0].parent))}?" if deeper else ""
    return (
        f"{printable(str(root))} has no {' and no '.join(missing)}; it holds {there}."
        f"{hint} Expected trainA, trainB, testA and testB; rename the folders, or read "
        "two plain folders with `two_domains(path_a, path_b)`, which splits them."
    )


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise ValueError(f'split must be "train" or "test", but got {split!r}.')
