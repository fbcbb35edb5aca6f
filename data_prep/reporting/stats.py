"""How many pictures and faces came how far, and why the others did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from data_prep.index import Index
from data_prep.records import NO_FACE, Face, Source


def reason_kind(reason: str) -> str:
    """A reason without its details: the text before the first colon."""
    return reason.split(":")[0].strip() or "no reason given"


def without_face(sources: Sequence[Source], faces: Sequence[Face]) -> list[Source]:
    """Pictures that were searched, and nothing was found."""
    found = {face.source_id for face in faces}
    return [
        source
        for source in sources
        if source.status == "fetched" and source.detect_key and source.id not in found
    ]


def stats(index: Index) -> dict[str, dict[str, int]]:
    """Counts, each part sorted from the most to the least.

    Returns: "pictures" and "faces" by status, "dropped pictures", "failed pictures"
        and "dropped faces" by kind of reason.
    """
    sources, faces = index.sources(), index.faces()
    dropped = Counter(_kinds(sources, "dropped"))
    if empty := len(without_face(sources, faces)):
        dropped[NO_FACE] += empty
    return {
        "pictures": _sorted(Counter(source.status for source in sources)),
        "faces": _sorted(Counter(face.status for face in faces)),
        "dropped pictures": _sorted(dropped),
        "failed pictures": _sorted(Counter(_kinds(sources, "failed"))),
        "dropped faces": _sorted(Counter(_kinds(faces, "dropped"))),
    }


def _kinds(rows: Sequence[Source] | Sequence[Face], status: str) -> list[str]:
    return [reason_kind(row.reason) for row in rows if row.status == status]


def _sorted(counts: Counter) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
