"""Pictures that were asked to be left out: how they are known, and their removal."""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.index import Index
from data_prep.records import Face, Source, marks

_FOLDERS = ("parts", "sources", "crops", "images")
_ID = re.compile(r"[0-9a-f]{16}")


def listed(index: Index, wanted: set[str]) -> list[Source]:
    """Pictures known by one of `wanted`, and all copies of them.

    A copy is a picture of the same bytes from elsewhere. `wanted` may also hold the
    SHA-256 of a crop, for somebody who found it in a set.
    """
    if not wanted:
        return []
    crops = {face.source_id for face in index.faces() if face.output_sha256 in wanted}
    sources = index.sources()
    found = {s.id for s in sources if s.id in crops or marks(s) & wanted}
    bytes_of = {s.source_sha256 for s in sources if s.id in found} - {""}
    return [s for s in sources if s.id in found or s.source_sha256 in bytes_of]


def files_of(folder: Path, ids: set[str]) -> list[str]:
    """All files of these pictures, half written ones too, relative to `folder`."""
    if not ids:
        return []
    return sorted(
        path.relative_to(folder).as_posix()
        for name in _FOLDERS
        for path in (folder / name).rglob("*")
        if ids.intersection(_ID.findall(path.name)) and path.is_file()
    )


def remove_purged(index: Index) -> tuple[list[Source], list[Face], list[str]]:
    """Delete files and rows of all pictures on the purged list.

    Files go before rows, so a killed run is completed by the next one.
    Returns: the pictures, their faces, and the files, relative to the work folder.
    """
    sources = listed(index, index.purged())
    ids = {source.id for source in sources}
    faces = [face for face in index.faces() if face.source_id in ids] if ids else []
    files = files_of(index.folder, ids)
    if ids:  # the report shows them; it is written again after a pack
        (index.folder / "report.html").unlink(missing_ok=True)
    for name in files:
        (index.folder / name).unlink(missing_ok=True)
    with index.transaction():
        for source in sources:
            index.remove(source.id)
    return sources, faces, files
