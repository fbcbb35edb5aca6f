"""A folder of drawings, coloured at once."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from PIL import Image
from tqdm.auto import tqdm

from data_prep.atomic import replacing
from data_prep.decode import Unusable, decode_upright
from data_prep.scan import Entry, Skipped, scan_folder
from gan_lib.data.folders import existing
from gan_lib.demo.colouring import LEAST_SIDE, colour_drawing, source_of

_MAX_BYTES = 100_000_000


class Coloured(NamedTuple):
    """What became of a folder: files written, and files left out with the reason."""

    written: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def colour_folder(
    generate: Any,
    drawings: str | os.PathLike,
    output: str | os.PathLike,
    *,
    force: bool = False,
    line_width: float = 1.0,
    trim: bool = False,
    progress: bool = True,
) -> Coloured:
    """Colour every drawing of a folder, ``a/b.jpg`` into ``output/a/b.png``.

    A file that cannot be used is left out and named; it never stops the rest. Every
    picture appears whole or not at all, and no file is replaced unless asked for.

    Args:
        generate: a `Pix2Pix`, or a Keras generator as `load_generator` opens it.
        drawings: folder of JPEG, PNG, WebP or GIF files; subfolders are searched.
        output: folder to write to, made if missing; not inside `drawings`.
        force: replace pictures that are there already.
        line_width, trim: see `colour_drawing`.
        progress: show a bar.
    Raises: FileNotFoundError, ValueError for impossible folders; OSError when the disk
        is full; see `source_of`.
    """
    source_of(generate)
    root, output = existing(drawings), Path(output).expanduser()
    if not root.is_dir():
        raise ValueError(
            f"Expected a folder of drawings, but {root} is a file: put it into one."
        )
    if output.exists() and not output.is_dir():
        raise ValueError(
            f"Expected a folder to write to, but {output} is a file. Name another one."
        )
    if output.resolve().is_relative_to(root):
        raise ValueError(
            f"The output folder {output} lies in the folder of drawings, and the next "
            "run would take its pictures for drawings. Name a folder outside of it."
        )
    entries, skipped = scan_folder(root)
    taken: dict[Path, str] = {}
    for entry in tqdm(entries, unit="drawing", disable=not progress):
        path = output / PurePosixPath(entry.path).with_suffix(".png")
        try:
            if path in taken:
                raise Unusable(f"{taken[path]} has the same name: rename one of them")
            if path.exists() and not force:
                raise Unusable(f"{path} is there already: --force replaces it")
            picture = _coloured(generate, entry, line_width, trim)
        except (Unusable, ValueError) as reason:
            skipped.append(Skipped(entry.path, str(reason)))
            continue
        with replacing(path) as file:
            picture.save(file, format="png")
        taken[path] = entry.path
    return Coloured(tuple(taken), tuple(skipped))


def _coloured(
    generate: Any, entry: Entry, line_width: float, trim: bool
) -> Image.Image:
    pixels = decode_upright(entry.read(_MAX_BYTES), min_side_px=LEAST_SIDE)
    return Image.fromarray(
        colour_drawing(generate, pixels, line_width=line_width, trim=trim)
    )
