"""What a preference study shows: sources, and what each model made of them."""

from __future__ import annotations

import collections
import functools
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from data_prep import atomic
from data_prep.decode import Unusable, decode_upright
from data_prep.scan import printable, scan_folder
from gan_lib.plot.pixels import as_batch

MODELS = (2, 6)  # fewest and most
SOURCE = "source"
_LARGEST_PX = 1024  # of a side on the page; larger files only make phones wait
_LISTED = 5


@dataclass(frozen=True, eq=False)
class Pictures:
    """Sources and candidates, each model with one candidate for each source.

    Attributes:
        names: one for each source, all different.
        sources: uint8 (H, W, 3) each, of any size.
        candidates: model name -> as many pictures, which have one size for each source.
    Raises: ValueError that says which picture or model is wrong and what to do.
    """

    names: tuple[str, ...]
    sources: Sequence[np.ndarray]
    candidates: Mapping[str, Sequence[np.ndarray]]

    def __post_init__(self) -> None:
        _check_models(list(self.candidates))
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(
                f"names: expected different names, at least one, got {self.names!r}."
            )
        for model, images in {SOURCE: self.sources, **self.candidates}.items():
            if len(images) != len(self.names):
                raise ValueError(
                    f"{model}: expected {len(self.names)} pictures, one for each "
                    f"source, got {len(images)}. Translate the same sources, in the "
                    "same order, with every model."
                )
        for number, name in enumerate(self.names):
            sizes = {m: images[number].shape for m, images in self.candidates.items()}
            if len(set(sizes.values())) > 1:
                listed = ", ".join(
                    f"{model} {shape[1]}x{shape[0]}" for model, shape in sizes.items()
                )
                raise ValueError(
                    f"{printable(name)}: expected one size for all models, because a "
                    f"sharper picture would win, got {listed}. Resize all to the "
                    "smallest."
                )

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self.candidates)

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any name or pixel."""
        digest = hashlib.sha256(repr((self.names, self.models)).encode())
        for images in (self.sources, *self.candidates.values()):
            for image in images:
                digest.update(repr(image.shape).encode() + image.tobytes())
        return digest.hexdigest()[:16]


def from_arrays(
    sources, candidates: Mapping[str, Sequence], names: Sequence[str] | None = None
) -> Pictures:
    """The pictures of a study from arrays of a notebook.

    Args:
        sources: (n, H, W, C), or a list of (H, W, C); uint8, or float in [-1, 1].
        candidates: model name -> as many pictures, in the order of `sources`.
        names: of the sources; default their numbers, "000", "001" ...
    Raises: ValueError as `Pictures`; TypeError, ValueError for what is no picture.
    """
    if names is None:
        names = [f"{number:03d}" for number in range(len(sources))]
    return Pictures(
        tuple(names),
        _pixels(sources),
        {str(model): _pixels(images) for model, images in candidates.items()},
    )


def read_folder(folder: str | os.PathLike) -> Pictures:
    """The pictures of a study from a folder of folders.

    ``source/`` holds what was translated, every other folder is a model, named as
    in the results. Files belong together by name, without the suffix: source/a.jpg,
    CycleGAN/a.png. Sides above 1024 pixels are made smaller.

    Args:
        folder: with ``source/`` and 2 to 6 folders of models.
    Raises: FileNotFoundError without the folder; ValueError for a missing or
        superfluous file, one that cannot be read, and as `Pictures`.
    """
    root = Path(folder).expanduser()
    if not (root / SOURCE).is_dir():
        raise FileNotFoundError(
            f"There is no folder {printable(str(root / SOURCE))}. Expected one with "
            "the pictures that were translated, and beside it a folder for each model; "
            f"relative paths start at {Path.cwd()}."
        )
    models = sorted(
        item.name
        for item in root.iterdir()
        if item.is_dir()
        and item.name != SOURCE
        and not item.name.startswith((".", "_"))
    )
    _check_models(models, f" in {printable(str(root))}")
    found = {name: _files(root / name) for name in (SOURCE, *models)}
    _check_partners(found)
    names = tuple(sorted(found[SOURCE]))
    read = {
        model: [_read(files[name], f"{model}/{name}") for name in names]
        for model, files in found.items()
    }
    sources = read.pop(SOURCE)
    return Pictures(names, sources, read)


def write_folder(pictures: Pictures, folder: str | os.PathLike) -> Path:
    """Write PNG files that `read_folder` reads; each appears complete or not at all.

    Args:
        folder: made if there is none.
    Returns: the folder.
    Raises: FileExistsError, before anything is written, if it holds something already;
        ValueError for a name that is no plain file name.
    """
    root = Path(folder).expanduser()
    if root.exists() and any(root.iterdir()):
        raise FileExistsError(
            f"{root} is not empty. Choose a new folder, so that no old picture is "
            "taken for one of this study."
        )
    for name in (*pictures.names, *pictures.models):
        if name in ("", ".", "..", SOURCE) or PurePosixPath(name).name != name:
            raise ValueError(
                f"Expected names that can be files, got {name!r}. Use letters and "
                f"digits, and not the word {SOURCE}."
            )
    for model, images in {SOURCE: pictures.sources, **pictures.candidates}.items():
        for name, image in zip(pictures.names, images, strict=True):
            path = root / model / f"{name}.png"
            with atomic.replacing(path, durable=False) as file:
                file.write(png(image))
    return root


def png(image: np.ndarray) -> bytes:
    """A picture as a file without any text in it that could name its model."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _pixels(images) -> list[np.ndarray]:
    return [np.ascontiguousarray(as_batch(image)[0]) for image in images]


def _check_models(models: Sequence[str], where: str = "") -> None:
    if not MODELS[0] <= len(models) <= MODELS[1]:
        named = f": {printable(', '.join(models))}" if models else ""
        raise ValueError(
            f"Expected {MODELS[0]} to {MODELS[1]} models to choose from{where}, got "
            f"{len(models)}{named}. A preference needs at least two, and more than six "
            "do not fit on a phone."
        )


def _files(folder: Path) -> dict[str, list]:
    """Name without suffix -> the files of that name."""
    entries, skipped = scan_folder(folder)
    if skipped:
        raise ValueError(
            f"{printable(str(folder / skipped[0].path))}: {skipped[0].reason}. Mend or "
            "remove the file, in the folder of every model."
        )
    files = collections.defaultdict(list)
    for entry in entries:
        files[str(PurePosixPath(entry.path).with_suffix(""))].append(entry)
    return files


def _check_partners(found: Mapping[str, Mapping[str, list]]) -> None:
    """Every folder has each name exactly once."""
    sources = found[SOURCE].keys()
    if not sources:
        raise ValueError(f"The folder {SOURCE} holds no pictures: copy some there.")
    for model, files in found.items():
        for problem, names, cure in (
            ("no file for", sources - files.keys(), "translate these with this model, "
             "or remove them from all folders"),
            ("files without a source:", files.keys() - sources, "remove them, or add "
             f"their originals to {SOURCE}"),
            ("two files named", {n for n in files if len(files[n]) > 1}, "keep one"),
        ):  # fmt: skip
            if names:
                listed = printable(", ".join(sorted(names)[:_LISTED]))
                more = f" and {len(names) - _LISTED} more" * (len(names) > _LISTED)
                raise ValueError(
                    f"{printable(model)} has {problem} {listed}{more}. Expected equal "
                    f"names in all folders: {cure}."
                )


def _read(entries: list, shown: str) -> np.ndarray:
    try:
        pixels = decode_upright(entries[0].read(100_000_000))
    except Unusable as reason:
        raise ValueError(
            f"{printable(shown)} cannot be read: {reason}. Mend it, or remove that "
            "picture from all folders."
        ) from reason
    if max(pixels.shape[:2]) <= _LARGEST_PX:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((_LARGEST_PX, _LARGEST_PX), Image.Resampling.LANCZOS)
    return np.asarray(image)
