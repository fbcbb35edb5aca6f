"""Is it a picture? The part of fetching that runs in child processes.

Kept apart from the network code, so that a child loads Pillow and NumPy alone.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from data_prep.atomic import replacing
from data_prep.decode import Unusable, decode_upright
from data_prep.fetching.partial import Origin, Partial
from data_prep.pixels import read_bytes
from data_prep.records import Source

FOLDER = "sources"
# Lossless at any level; this one takes a fifth of the time for a sixth more bytes.
_FAST = {"compress_level": 1, "compress_type": zlib.Z_RLE}


@dataclass(frozen=True)
class Task:
    """One file to be looked at.

    Attributes:
        folder: the work folder.
        source: a local picture, or one whose download is complete.
        sha256: that the bytes must have; "" for any.
        min_side_px, max_pixels: limits, see `decode_upright`.
    """

    folder: Path
    source: Source
    sha256: str
    min_side_px: int
    max_pixels: int


@dataclass(frozen=True)
class Picture:
    """What was found: SHA-256 of the bytes as they came, size upright in pixels."""

    sha256: str
    width: int
    height: int
    origin: Origin | None = None


def local(task: Task) -> Picture:
    """Decode a picture where it lies; raises Unusable."""
    return _look(task, read_bytes(task.folder, task.source), None)[0]


def download(task: Task | None) -> Picture | None:
    """Decode a complete download and write its pixels to `sources/<id>.png`.

    Nothing but pixels is written: no EXIF, no position, no second file hidden behind
    the picture. The same bytes give the same file.

    Args:
        task: None is a task that takes no time (see `fetch`).
    Raises: Unusable; OSError when the disk is full.
    """
    if task is None:
        return None
    origin, data = Partial(task.folder, task.source.id).read()
    picture, pixels = _look(task, data, origin)
    with replacing(task.folder / FOLDER / f"{task.source.id}.png") as file:
        Image.fromarray(pixels).save(file, "PNG", **_FAST)
    return picture


def _look(task: Task, data: bytes, origin: Origin | None):
    sha256 = hashlib.sha256(data).hexdigest()
    if task.sha256 and task.sha256 != sha256:
        raise Unusable(f"not the file of the list: its SHA-256 is {sha256}")
    pixels = decode_upright(
        data, min_side_px=task.min_side_px, max_pixels=task.max_pixels
    )
    height, width = pixels.shape[:2]  # (H, W, 3)
    return Picture(sha256, width, height, origin), pixels
