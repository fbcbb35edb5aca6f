"""The stage `crop`: the faces that were found, cut out as squares of one size."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from data_prep import atomic, measure
from data_prep.cut import MARGIN, Square, place, sample
from data_prep.index import Index
from data_prep.pixels import read_pixels
from data_prep.records import Face, Source
from data_prep.workers import Failure, batches
from data_prep.workers import run as work_off

FOLDER = "crops"
_VERSION = 1  # raised when the same settings would give other crops or measures
_VIEW_PX = 256  # letters are looked for at the size they have in the picture, up to it
_UNTAKEN = {"largest": "not the largest face", "best": "not the best face"}


@dataclass(frozen=True)
class CropSettings:
    """How faces are cut out.

    Attributes:
        size: side of a crop in pixels.
        margin: added on each side of the head, as a fraction of its side; negative
            cuts closer.
        which: all faces of a picture, the largest one, or the best (most certain) one.
        align: turn and scale until the eyes are level, where the detector knows them.
        min_face_px: least side of the square in its picture; a smaller one is dropped
            before anything is enlarged. 0: half of the size, which widens edges to
            about 0.8 px (less than what filter calls blurred).
    """

    size: int = 128
    margin: float = MARGIN
    which: str = "all"
    align: bool = False
    min_face_px: int = 0

    def __post_init__(self) -> None:
        if self.size < 8:
            raise ValueError(f"Expected a size of at least 8 px, got {self.size}.")
        if not -0.4 <= self.margin <= 2:
            raise ValueError(
                f"Expected a margin from -0.4 to 2, got {self.margin}. It is a "
                "fraction of the head's side: 0.05 fills the frame with the face, 0.5 "
                "shows the shoulders."
            )
        if self.which not in ("all", *_UNTAKEN):
            raise ValueError(f"Expected all, largest or best, got {self.which!r}.")
        if self.min_face_px < 0:
            raise ValueError(f"Expected min_face_px from 0, got {self.min_face_px}.")

    def key(self, detect_key: str) -> str:
        """Short hash of what decides how the crops of a picture look."""
        text = json.dumps([_VERSION, detect_key, dataclasses.asdict(self)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Task:
    """A picture, the work folder it belongs to, and its faces to be cut out.

    `dropped` are its other faces, with the reason.
    """

    folder: str
    source: Source
    faces: tuple[Face, ...]
    dropped: tuple[tuple[Face, str], ...]
    settings: CropSettings


def run(
    index: Index,
    settings: CropSettings = CropSettings(),
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> dict[str, int]:
    """Cut out the faces that these settings have not cut out yet.

    Also those whose file is gone. Files of faces that are not in the index any more
    are removed. A picture that cannot be read is tried again in the next run.

    Args:
        index: of the work folder; faces become "cropped" or "dropped".
        settings: other settings make every crop anew.
        workers: processes; 0: one for each core.
        progress: show a bar.
        dry_run: write nothing.
    Returns: how many faces were "cropped" and "dropped", and how many are "unchanged".
    Raises: OSError when the disk is full; run it again when there is room.
    """
    sources = index.sources(status="fetched")
    counts = Counter({"cropped": 0, "dropped": 0, "unchanged": 0})
    bar = tqdm(sources, "crop", unit="picture", disable=not progress)
    tasks = _pending(index, bar, settings, counts)
    if dry_run:
        for task in tasks:
            counts.update(cropped=len(task.faces), dropped=len(task.dropped))
        return dict(counts)
    for batch in batches(work_off(crop, tasks, workers=workers)):
        counts.update(_store(index, batch))
    _remove_stale(index)
    return dict(counts)


def _pending(
    index: Index, sources, settings: CropSettings, counts: Counter
) -> Iterator[Task]:
    for source in sources:
        faces = index.faces(source_id=source.id)
        key = settings.key(source.detect_key)
        if all(face.crop_key == key and _is_there(index, face) for face in faces):
            counts["unchanged"] += len(faces)
            continue
        reasons = choose(faces, settings)
        yield Task(
            str(index.folder),
            source,
            tuple(f for f, why in zip(faces, reasons, strict=True) if not why),
            tuple((f, why) for f, why in zip(faces, reasons, strict=True) if why),
            settings,
        )


def _is_there(index: Index, face: Face) -> bool:
    return not face.output or (index.folder / face.output).is_file()


def choose(faces: list[Face], settings: CropSettings) -> list[str]:
    """For each face of a picture why it is not taken; "" for those that are.

    The largest by area, the best by score; ties go to the higher score or the larger
    area, then to the lower index. Faces that are too small do not count.
    """
    least = settings.min_face_px or (settings.size + 1) // 2
    reasons = []
    for face in faces:
        try:
            side = round(square_of(face, settings).side)
        except ValueError as error:
            reasons.append(f"no square: {error}")
            continue
        reasons.append(
            f"too small: {side} px of the picture for a crop of {settings.size} px, "
            f"at least {least} are wanted"
            if side < least
            else ""
        )
    if settings.which == "all":
        return reasons

    def rank(k: int) -> tuple:
        area, score = faces[k].w * faces[k].h, faces[k].score
        first = (area, score) if settings.which == "largest" else (score, area)
        return *first, -faces[k].face_index

    taken = [k for k, reason in enumerate(reasons) if not reason]
    for k in sorted(taken, key=rank)[:-1]:
        reasons[k] = _UNTAKEN[settings.which]
    return reasons


def square_of(face: Face, settings: CropSettings) -> Square:
    landmarks = json.loads(face.landmarks or "[]") if settings.align else None
    return place((face.x, face.y, face.w, face.h), settings.margin, landmarks)


def crop(task: Task) -> list[dict[str, Any]]:
    """Cut out the faces of one picture and write them.

    The same bytes for the same task, in whatever process.

    Returns: the columns of the index for each face of the task.
    Raises: Unusable when the picture cannot be read; OSError when the disk is full.
    """
    if not task.faces:
        return []
    image = read_pixels(Path(task.folder), task.source)
    return [_crop_one(image, face, task) for face in task.faces]


def _crop_one(image: np.ndarray, face: Face, task: Task) -> dict[str, Any]:
    square = square_of(face, task.settings)
    pixels = sample(image, square, task.settings.size)
    data = encode(pixels)
    output = f"{FOLDER}/{face.source_id}_{face.face_index}.png"
    with atomic.replacing(Path(task.folder) / output) as file:
        file.write(data)
    return {
        "status": "cropped",
        "reason": "",
        "output": output,
        "output_sha256": hashlib.sha256(data).hexdigest(),
        "phash": measure.phash(pixels),
        "measures": json.dumps(measures(image, face, square, pixels)),
        "crop_key": task.settings.key(task.source.detect_key),
    }


def encode(pixels: np.ndarray) -> bytes:
    """A picture as PNG, without any metadata; the same bytes every time."""
    buffer = io.BytesIO()
    # Level 2 takes half the time of the usual 6 and gives files 6 % larger.
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def measures(
    image: np.ndarray, face: Face, square: Square, pixels: np.ndarray
) -> dict[str, Any]:
    """What filter and dedupe go by, one JSON object.

    face_px: side of the square in the picture. aspect: longer by shorter side of the
    box. padding: part of the crop outside the picture. blur_px, contrast, colour,
    text, moved, thumbnail: see `data_prep.measure`. flipped: hash of the mirror image.
    """
    height, width = image.shape[:2]
    side = round(square.side)
    view = sample(image, square, max(64, min(_VIEW_PX, side)))
    return {
        "face_px": side,
        "aspect": round(max(face.w, face.h) / min(face.w, face.h), 3),
        "padding": round(square.padding(width, height), 4),
        "blur_px": round(measure.blur_px(pixels), 3),
        "contrast": round(measure.contrast(pixels), 2),
        "colour": round(measure.colour(pixels), 4),
        "text": round(measure.text(view), 3),
        "moved": measure.moved_hashes(pixels),
        "flipped": measure.phash(pixels[:, ::-1]),
        "thumbnail": measure.thumbnail(pixels),
    }


_NOTHING = {"output": "", "output_sha256": "", "phash": "", "measures": ""}


def _store(index: Index, batch: list) -> Counter:
    counts: Counter = Counter()
    with index.transaction():
        for task, result in batch:
            dropped, key = list(task.dropped), task.settings.key(task.source.detect_key)
            if isinstance(result, Failure):
                dropped += [(face, result.reason) for face in task.faces]
                key, result = "", []  # without a key it is tried again
            for face, values in zip(task.faces, result, strict=False):
                index.update_face(face, **values)
            for face, reason in dropped:
                nothing = {**_NOTHING, "crop_key": key}
                index.update_face(face, status="dropped", reason=reason, **nothing)
            counts.update(cropped=len(result), dropped=len(dropped))
    return counts


def _remove_stale(index: Index) -> None:
    """Remove files of no face, and those that a killed run left unfinished."""
    wanted = {face.output for face in index.faces()}
    for path in (index.folder / FOLDER).glob("*.png"):
        if f"{FOLDER}/{path.name}" not in wanted:
            path.unlink(missing_ok=True)
