"""report.html: what was found, kept and dropped, to be looked at.

One file without scripts that loads nothing: the pictures are inside. All texts that
came from elsewhere (names, addresses, reasons) are escaped, and only http(s) addresses
become links. The same index gives the same file.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from data_prep.atomic import replacing
from data_prep.index import Index
from data_prep.records import NO_FACE, Face, Source, host_of
from data_prep.reporting.page import PAGE
from data_prep.reporting.stats import reason_kind, stats, without_face
from data_prep.reporting.thumbnails import KEPT_COLOR, OTHER_COLOR, Thumbnail, draw
from data_prep.scan import printable

FILE_NAME = "report.html"
_VERSION = 1  # raise it when the same index would give another page
SHEET_SIZE = 48  # thumbnails in one contact sheet
DETECTIONS = 24
TABLE_ROWS = 200
_GROUPS = 40  # contact sheets; the tables still name all reasons
_IMAGE_BYTES = 3_000_000  # base64 adds a third: with the tables about 5 MB
_SIZE_EDGES = (0, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: `count` pictures are so, and `images` show some of them."""

    title: str
    count: int
    wanted: tuple[Thumbnail, ...]
    images: tuple[tuple[str, str], ...] = ()  # (data URI, text for those who hear it)


def write_report(index: Index, *, workers: int | str = 0) -> Path:
    """Write OUTPUT/report.html, about 5 MB at most, unless it is there already.

    Args:
        workers: processes that draw thumbnails; 0: one for each core.
    Returns: its path.
    """
    sources, faces = index.sources(), index.faces()
    key = _key(sources, faces)
    path = index.folder / FILE_NAME
    if _is_current(path, key):
        return path
    sheets = _sheets(sources, faces)
    detections = Sheet("Detections", 0, _detections(sources, faces))
    drawn = draw(
        index.folder,
        [wanted for sheet in [detections, *sheets] for wanted in sheet.wanted],
        workers,
    )
    budget = _IMAGE_BYTES // (len(sheets) + 2)
    kept = [face for face in faces if face.status == "kept"]
    page = _template().render(
        key=key,
        stats=stats(index),
        kept=len(kept),
        sheets=[_filled(sheet, drawn, budget) for sheet in sheets],
        detections=_filled(detections, drawn, 2 * budget),
        colors={"kept": KEPT_COLOR, "other": OTHER_COLOR},
        histograms=_histograms(faces),
        licences=_licences(sources, kept),
        credits=_credits(sources, kept),
        troubles={
            status: [source for source in sources if source.status == status]
            for status in ("failed", "dropped")
        },
        rows=TABLE_ROWS,
    )
    with replacing(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    return path


def _key(sources: Sequence[Source], faces: Sequence[Face]) -> str:
    digest = hashlib.sha256(str(_VERSION).encode())
    for row in [*sources, *faces]:
        digest.update(repr(row).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _is_current(path: Path, key: str) -> bool:
    try:
        with path.open("rb") as file:
            return key.encode() in file.read(2_000)
    except OSError:
        return False


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["text"] = _text
    environment.tests["web_address"] = lambda text: bool(host_of(text))
    return environment.from_string(PAGE)


def _text(text: str, limit: int = 160) -> str:
    """Without control characters, and not longer than a line or two."""
    text = printable(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"


def _sheets(sources: list[Source], faces: list[Face]) -> list[Sheet]:
    """One for what is kept, then one for each reason, the most frequent first."""
    of = {source.id: source for source in sources}
    groups: dict[str, list[Thumbnail]] = {}
    for face in faces:
        thumbnail = Thumbnail(of[face.source_id], face.output)
        if face.status == "kept":
            groups.setdefault("", []).append(thumbnail)
        elif face.status == "dropped":
            kind = f"Faces dropped: {reason_kind(face.reason)}"
            groups.setdefault(kind, []).append(thumbnail)
    for source in sources:
        if source.status == "dropped":
            kind = f"Pictures dropped: {reason_kind(source.reason)}"
            groups.setdefault(kind, []).append(Thumbnail(source))
    if empty := without_face(sources, faces):
        groups[f"Pictures: {NO_FACE}"] = [Thumbnail(s) for s in empty]
    kept = groups.pop("", [])
    order = sorted(groups, key=lambda kind: (-len(groups[kind]), kind))[:_GROUPS]
    return [_sheet("Kept", kept), *(_sheet(kind, groups[kind]) for kind in order)]


def _sheet(title: str, thumbnails: list[Thumbnail]) -> Sheet:
    shown = [one for one in thumbnails if one.crop or one.source.path]
    return Sheet(title, len(thumbnails), tuple(_sample(shown, SHEET_SIZE)))


def _sample(thumbnails: list[Thumbnail], count: int) -> list[Thumbnail]:
    """The first by a hash of their names: as good as drawn by lot, always the same."""

    def lot(thumbnail: Thumbnail) -> bytes:
        name = f"{thumbnail.source.id} {thumbnail.crop}"
        return hashlib.sha256(name.encode()).digest()

    return sorted(thumbnails, key=lot)[:count]


def _detections(sources: list[Source], faces: list[Face]) -> tuple[Thumbnail, ...]:
    """Pictures with their faces framed."""
    found: dict[str, list[Face]] = {}
    for face in faces:
        found.setdefault(face.source_id, []).append(face)
    pictures = [
        Thumbnail(source, boxes=tuple(found[source.id]), side=320)
        for source in sources
        if source.id in found
    ]
    return tuple(_sample(pictures, DETECTIONS))


def _filled(sheet: Sheet, drawn: dict[Thumbnail, bytes], budget: int) -> Sheet:
    """With as many of its pictures as have room."""
    images = []
    for wanted in sheet.wanted:
        data = drawn.get(wanted, b"")
        budget -= len(data)
        if data and budget >= 0:
            uri = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
            images.append((uri, _text(wanted.source.source)))
    return Sheet(sheet.title, sheet.count, sheet.wanted, tuple(images))


def _histograms(faces: list[Face]) -> list[dict]:
    """For score and size: in each bin how many faces, and how many of them kept."""
    kept = np.array([face.status == "kept" for face in faces], bool)
    sizes = np.array([face.w for face in faces], float)
    scores = np.array([face.score for face in faces], float)
    pixels = (*_SIZE_EDGES, max([*sizes, 2048]) + 1)
    return [
        _histogram(
            "Score of the detector", scores.clip(0, 1), kept, np.arange(21) / 20
        ),
        _histogram("Width of the face in its picture (px)", sizes, kept, pixels),
    ]


def _histogram(title: str, values, kept, edges: Sequence[float]) -> dict:
    all_counts = np.histogram(values, edges)[0]
    kept_counts = np.histogram(values[kept], edges)[0]
    highest = max(1, all_counts.max())
    return {
        "title": title,
        "median": f"{np.median(values):.3g}" if len(values) else "none",
        "bars": [
            {
                "label": f"{low:g}",
                "all": int(total),
                "kept": int(part),
                "all_height": round(100 * float(total / highest), 2),
                "kept_height": round(100 * float(part / highest), 2),
            }
            for low, total, part in zip(edges, all_counts, kept_counts, strict=False)
        ],
    }


def _licences(sources: list[Source], kept: list[Face]) -> list[tuple[str, int, int]]:
    """(licence, pictures, faces) of what is kept, the most frequent first."""
    of = {source.id: source.licence for source in sources}
    faces = Counter(of[face.source_id] for face in kept)
    pictures = Counter(of[name] for name in {face.source_id for face in kept})
    rows = [(licence, pictures[licence], count) for licence, count in faces.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def _credits(sources: list[Source], kept: list[Face]) -> list[tuple[str, str, int]]:
    """(attribution, licence, pictures) of what is kept, by name."""
    used = {face.source_id for face in kept}
    counts = Counter(
        (source.attribution, source.licence)
        for source in sources
        if source.id in used and source.attribution
    )
    return [(*names, count) for names, count in sorted(counts.items())]
