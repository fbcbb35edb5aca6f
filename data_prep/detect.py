"""The stage `detect`: the faces in every picture that was fetched."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from data_prep import detectors
from data_prep.index import Index
from data_prep.pixels import read_pixels
from data_prep.records import NO_FACE, Face, Source
from data_prep.workers import Failure, batches
from data_prep.workers import run as run_in_processes

_VERSION = 1  # raised when the same settings would find other faces


@dataclass(frozen=True)
class DetectSettings:
    """How faces are looked for.

    Attributes:
        detector: default (a network of our own, needs nothing), lbp or yunet
            (need a download), animeface, or several joined by +.
        min_score: least certainty of a face, 0 to 1; 0: the detector's own limit.
            Higher: fewer false faces, more missed ones.
        max_faces: faces of a picture that are kept, the most certain ones.
        models: folder with the files of lbp and yunet; default: the user's cache.
    """

    detector: str = "default"
    min_score: float = 0.0
    max_faces: int = 50
    models: str = ""

    def __post_init__(self) -> None:
        detectors.names_in(self.detector)
        if not 0 <= self.min_score < 1:
            raise ValueError(
                f"Expected min_score from 0 to below 1, got {self.min_score}. It is a "
                "certainty: 0.3 keeps most faces, 0.8 only the clear ones."
            )
        if self.max_faces < 1:
            raise ValueError(
                f"Expected max_faces of at least 1, got {self.max_faces}. To choose "
                "among the faces of a picture, see the settings of crop."
            )

    def key(self) -> str:
        """Short hash of what decides which faces are found."""
        values = dataclasses.asdict(self) | {
            "models": detectors.fingerprint(self.detector),
            "version": _VERSION,
        }
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Task:
    """A picture, the work folder it belongs to, and how to look."""

    folder: str
    source: Source
    settings: DetectSettings


@dataclass(frozen=True)
class Found:
    """What is in a picture: its size in pixels and its faces."""

    width: int
    height: int
    faces: tuple[Face, ...]


def run(
    index: Index,
    settings: DetectSettings = DetectSettings(),
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> dict[str, int]:
    """Look for faces in every fetched picture that these settings have not seen.

    Args:
        index: of the work folder; gets the faces, and pictures that cannot be read
            become "dropped".
        settings: other settings look at every picture again.
        workers: processes; 0: one for each core.
        progress: show a bar.
        dry_run: write nothing.
    Returns: pictures "with faces", "without face" and "dropped", and "faces" in all;
        with `dry_run` how many are "to do".
    Raises: what `detectors.load` raises when the detector does not work here.
    """
    key = settings.key()
    pending = [s for s in index.sources(status="fetched") if s.detect_key != key]
    if dry_run:
        return {"to do": len(pending)}
    counts = Counter({"with faces": 0, "without face": 0, "dropped": 0, "faces": 0})
    if not pending:
        return dict(counts)
    _detector(settings)  # complains here, once, and fetches what it needs
    tasks = (Task(str(index.folder), source, settings) for source in pending)
    results = run_in_processes(find, tasks, workers=workers)
    bar = tqdm(results, "detect", len(pending), unit="picture", disable=not progress)
    for batch in batches(bar):
        counts.update(_store(index, batch, key))
    return dict(counts)


def find(task: Task) -> Found:
    """The faces in one picture; the same for the same task, in whatever process.

    Raises: Unusable when it cannot be read.
    """
    image = read_pixels(Path(task.folder), task.source)
    boxes, scores = _detector(task.settings)(image)
    most = task.settings.max_faces
    faces = []
    for box, score in zip(boxes[:most], scores[:most], strict=True):
        side = max(1, round(float(box[2:].mean())))
        x, y = np.rint(box[:2] + (box[2:] - side) / 2).astype(int).tolist()
        faces.append(
            Face(
                source_id=task.source.id,
                face_index=len(faces),
                x=x,
                y=y,
                w=side,
                h=side,
                score=round(float(score), 4),
                detector=task.settings.detector,
            )
        )
    return Found(image.shape[1], image.shape[0], tuple(faces))


@functools.lru_cache(maxsize=2)
def _detector(settings: DetectSettings) -> detectors.Detector:
    """Loaded once in each process."""
    return detectors.load(
        settings.detector,
        min_score=settings.min_score or None,
        models=settings.models or None,
    )


def _store(index: Index, batch, key: str) -> Counter:
    counts: Counter = Counter()
    with index.transaction():
        for task, result in batch:
            source = task.source.id
            if isinstance(result, Failure):
                index.set_faces(source, [], key)
                index.update(source, status="dropped", reason=result.reason)
                counts["dropped"] += 1
                continue
            index.set_faces(source, result.faces, key)
            index.update(
                source,
                width=result.width,
                height=result.height,
                reason="" if result.faces else NO_FACE,
            )
            counts["with faces" if result.faces else "without face"] += 1
            counts["faces"] += len(result.faces)
    return counts
