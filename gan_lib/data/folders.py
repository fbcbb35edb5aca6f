"""Your own pictures: any folder or zip file to one array, once, with a report."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.decode import decode_square
from data_prep.scan import Entry, Skipped, printable, scan_folder, scan_zip, table
from gan_lib.data import cache
from gan_lib.data.picture_store import key, nothing_usable, stored

__all__ = ["Folder", "Skipped", "existing", "load_folder"]


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
    root = existing(path)
    if not 1 <= size <= 4096:
        raise ValueError(f"size must be from 1 to 4096 pixels, but got {size}.")
    if half not in (None, "left", "right"):
        raise ValueError(f'half must be "left", "right" or None, but got {half!r}.')
    min_side_px = max(1, size // 2) if min_side_px is None else min_side_px
    entries, skipped = (scan_folder if root.is_dir() else scan_zip)(root)
    if not entries:
        raise ValueError(nothing_usable(root, skipped))

    rules = {
        "size": size,
        "min_side_px": min_side_px,
        "max_pixels": max_pixels,
        "half": half,
    }

    def decode(entry: Entry) -> np.ndarray:
        # No format needs more bytes than raw RGBA has.
        return decode_square(entry.read(4 * max_pixels), **rules)

    images, paths, skipped = stored(
        cache.cache_dir(cache_dir) / "folders" / key(root, entries, rules),
        entries,
        decode,
        (size, size, 3),
        skipped,
        root,
        workers=workers,
        progress=progress,
    )
    return Folder(images, paths, tuple(skipped), root)


def existing(path: str | os.PathLike) -> Path:
    """The folder or file at `path`, or an error that says what to look for."""
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
