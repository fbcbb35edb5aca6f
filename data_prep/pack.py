"""The last stage: from kept faces to a set of files that a GAN reads.

    OUTPUT/images/train/<source id>_<face index>.png     for people, and load_folder
    OUTPUT/tfrecord/train-00000.tfrecord                 for tf.data
    OUTPUT/webdataset/train-00000.tar, stylegan/train.zip  if asked for
    OUTPUT/dataset.json                                  counts, licences, checksums
    OUTPUT/manifest.csv, report.html

All faces of a picture go to the same split, which a hash of its id decides, so that a
picture stays where it is when others come or go. The same kept faces give the same
bytes, whatever was killed in between. Only files whose content changes are written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from tqdm.auto import tqdm

from data_prep.atomic import replacing, sha256, sweep
from data_prep.index import Index
from data_prep.packing import shards
from data_prep.packing.packed import FILE_NAME, SUMS, describe, read_json
from data_prep.packing.shards import Item, Shard
from data_prep.purged import remove_purged
from data_prep.records import Face, Source, split_of
from data_prep.report import write_report

FORMATS = ("folder", "tfrecord", "webdataset", "stylegan")
_JOURNAL = "packing.json"  # shards that are done, until dataset.json says so
_OURS = {
    "images": re.compile(r"(train|validation)/[^/]+_\d+\.png"),
    "tfrecord": re.compile(r"(train|validation)-\d{5}\.tfrecord"),
    "webdataset": re.compile(r"(train|validation)-\d{5}\.tar"),
    "stylegan": re.compile(r"(train|validation)\.zip"),
}


@dataclass(frozen=True)
class PackSettings:
    """What is written.

    Attributes:
        formats: any of "folder" (PNG files), "tfrecord", "webdataset" (tar) and
            "stylegan" (zip). Files of the others are removed.
        validation: share of the pictures held back for validation, 0 to 0.9.
        shard_size: faces in one TFRecord or tar file.
    """

    formats: tuple[str, ...] = ("folder", "tfrecord")
    validation: float = 0.1
    shard_size: int = 512

    def __post_init__(self):
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown or isinstance(self.formats, str):
            raise ValueError(
                f"formats must be some of {', '.join(FORMATS)}, as a tuple, but got "
                f"{self.formats!r}."
            )
        if not 0 <= self.validation <= 0.9:
            raise ValueError(
                "validation is the share of pictures held back, from 0 to 0.9, but got "
                f"{self.validation!r}. For 10 % write 0.1."
            )
        if self.shard_size < 1:
            raise ValueError(
                f"shard_size must be at least 1 face, but got {self.shard_size!r}."
            )


def run(
    index: Index,
    settings: PackSettings = PackSettings(),
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> dict[str, int]:
    """Pack all faces of status "kept", and write manifest, report and dataset.json.

    A crop that is missing or not as it was written is left out, with a warning, and
    marked so that crop makes it anew. dataset.json is written when all else is there.

    Args:
        workers: processes that draw the report's thumbnails; 0: one for each core.
            Packing itself waits for the disk, and takes one.
    Returns: number of faces in "train" and "validation", and "left out".
    Raises: OSError when the disk is full; files from before are then whole.
    """
    folder = index.folder
    if not dry_run:
        remove_purged(index)
        for name in ("", "images/train", "images/validation", *FORMATS[1:]):
            sweep(folder / name)
    copies = "folder" in settings.formats and not dry_run
    items, damaged = _items(index, settings, copies, progress)
    counts = {
        "train": sum(item.split == "train" for item in items),
        "validation": sum(item.split == "validation" for item in items),
        "left out": len(damaged),
    }
    if damaged:
        _warn(damaged)
    if dry_run:
        return counts
    with index.transaction():
        for face in damaged:
            index.update_face(face, crop_key="")
    _finish(index, settings, items, progress)
    write_report(index, workers=workers)
    return counts


def last_settings(folder: Path) -> PackSettings | None:
    """Those of the last pack in this work folder, finished or not; else None."""
    for name in (_JOURNAL, FILE_NAME):
        if settings := read_json(folder / name).get("settings", {}).get("pack"):
            return PackSettings(**settings | {"formats": tuple(settings["formats"])})
    return None


def _items(
    index: Index, settings: PackSettings, copies: bool, progress: bool
) -> tuple[list[Item], list[Face]]:
    """The faces whose crop is as it should be, and those whose is not."""
    sources = {source.id: source for source in index.sources()}
    items, damaged, copied = [], [], False
    bar = tqdm(index.faces(status="kept"), desc="packing faces", disable=not progress)
    for face in bar:
        checked = _check(index.folder, sources[face.source_id], face, settings)
        if checked is None:
            damaged.append(face)
            continue
        item, data = checked
        items.append(item)
        if copies:
            copied |= _copy(index.folder / _image(item), data)
    if copied and hasattr(os, "sync"):
        os.sync()
    return items, damaged


def _check(
    folder: Path, source: Source, face: Face, settings: PackSettings
) -> tuple[Item, bytes] | None:
    crop = folder / face.output
    try:
        data = crop.read_bytes()
        if hashlib.sha256(data).hexdigest() != face.output_sha256:
            return None
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            (width, height), channels = image.size, len(image.getbands())
    except (OSError, UnidentifiedImageError):
        return None
    split = split_of(source.id, settings.validation)
    return Item(source, face, crop, split, width, height, channels), data


def _copy(path: Path, data: bytes) -> bool:
    """Make a file of the set, unless it is there; returns whether it was made."""
    # A copy, no link: whoever paints in images/ must not change the crop behind it.
    try:
        if path.read_bytes() == data:
            return False
    except OSError:
        pass
    # To wait for the disk once, at the end, is ten times as fast as after each file.
    with replacing(path, durable=False) as file:
        file.write(data)
    return True


def _image(item: Item) -> str:
    return f"images/{item.split}/{item.name}.png"


def _warn(damaged: Sequence[Face]) -> None:
    some = ", ".join(face.output or face.source_id for face in damaged[:3])
    more = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
    warnings.warn(
        f"{len(damaged)} crops are missing or not as they were written, and were left "
        f"out: {some}{more}. Run crop again, then the stages after it.",
        stacklevel=3,
    )


def _finish(
    index: Index, settings: PackSettings, items: list[Item], progress: bool
) -> None:
    """Everything but the images: shards, then the lists of what there is."""
    folder = index.folder
    images = {_image(item): item.face.output_sha256 for item in items}
    if "folder" not in settings.formats:
        images = {}
    _remove_stale(folder, "images", set(images))
    planned = [
        shard
        for format in settings.formats
        if format != "folder"
        for shard in shards.plan(items, format, settings.shard_size)
    ]
    done = _write_shards(folder, settings, planned, progress)
    for format in FORMATS[1:]:
        _remove_stale(folder, format, set(done))
    index.export()
    lines = "".join(f"{sha}  {path}\n" for path, sha in images.items())
    with replacing(folder / SUMS) as file:
        file.write(lines.encode())
    about = describe(index, items, dataclasses.asdict(settings), done)
    with replacing(folder / FILE_NAME) as file:
        file.write(json.dumps(about, indent=1).encode())
    (folder / _JOURNAL).unlink(missing_ok=True)


def _write_shards(
    folder: Path, settings: PackSettings, planned: list[Shard], progress: bool
) -> dict[str, dict]:
    """Write what is not there yet; returns what dataset.json says of each shard."""
    known = {}
    for name in (FILE_NAME, _JOURNAL):
        known |= read_json(folder / name).get("files", {})
    done = {}
    for shard in tqdm(planned, desc="writing shards", disable=not progress):
        about, path = known.get(shard.path, {}), folder / shard.path
        if about.get("key") != shard.key or about.get("sha256") != sha256(path):
            shard.write(folder)
            about = {
                "images": len(shard.items),
                "bytes": path.stat().st_size,
                "sha256": sha256(path),
                "key": shard.key,
            }
            known[shard.path] = about
            journal = {
                "settings": {"pack": dataclasses.asdict(settings)},
                "files": known,
            }
            with replacing(folder / _JOURNAL) as file:
                file.write(json.dumps(journal).encode())
        done[shard.path] = about
    return done


def _remove_stale(folder: Path, part: str, wanted: set[str]) -> None:
    """Delete our own files below `part` that the set no longer has."""
    for path in list((folder / part).rglob("*")):
        name = path.relative_to(folder / part).as_posix()
        if f"{part}/{name}" not in wanted and _OURS[part].fullmatch(name):
            path.unlink()
    for empty in (folder / part / "train", folder / part / "validation", folder / part):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()
