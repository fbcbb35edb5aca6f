"""The pixels of a picture in the index, wherever they lie."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from data_prep.decode import Unusable, decode_upright
from data_prep.records import Source
from data_prep.scan import explain, printable

MAX_BYTES = 100_000_000


def read_bytes(folder: Path, source: Source) -> bytes:
    """The bytes of a source's file.

    Args:
        folder: the work folder, where fetched pictures lie.
        source: from the index, with its `path`.
    Raises: Unusable when it cannot be read or has more than 100 MB.
    """
    origin = Path(source.origin) if source.origin else Path(folder)
    try:
        if source.origin and origin.is_file():
            with zipfile.ZipFile(origin) as archive:
                member = _named(source.path, archive.namelist())
                with archive.open(member) as file:
                    data = file.read(MAX_BYTES + 1)
        else:
            with open(_on_disk(origin, source.path), "rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unusable(explain(error)) from None
    except Exception as error:  # zlib.error, BadZipFile, KeyError, NotImplementedError
        raise Unusable(f"broken in the zip file: {error}") from None
    if len(data) > MAX_BYTES:
        raise Unusable(f"too large: more than {MAX_BYTES / 1e6:,.0f} MB")
    return data


def _on_disk(folder: Path, path: str) -> Path:
    """The file that `scan` listed as `path`, whose odd characters it made visible."""
    found = folder / path
    if not found.exists():
        found = folder
        for part in Path(path).parts:
            found = found / _named(part, os.listdir(found))
    return found


def _named(shown: str, names: list[str]) -> str:
    """The name that is shown like this; itself if there is none."""
    if shown in names:
        return shown
    return next((name for name in names if printable(name) == shown), shown)


def read_pixels(folder: Path, source: Source) -> np.ndarray:
    """A source's upright sRGB pixels, uint8 (H, W, 3); raises Unusable."""
    return decode_upright(read_bytes(folder, source))
