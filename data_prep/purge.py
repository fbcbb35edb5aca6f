"""Taking pictures out of a set for people who ask to be left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_prep import pack
from data_prep.index import Index
from data_prep.purged import files_of, listed, remove_purged
from data_prep.records import HOST, source_id
from data_prep.report import write_report


@dataclass(frozen=True)
class Purged:
    """What was removed, or would be.

    Attributes:
        sources: the pictures' addresses or paths.
        faces: number of their faces.
        files: relative to the work folder.
        message: the same in words.
    """

    sources: tuple[str, ...]
    faces: int
    files: tuple[str, ...]
    message: str


def purge(
    folder: str | Path,
    *,
    url: str | None = None,
    host: str | None = None,
    sha256: str | None = None,
    source_id: str | None = None,
    dry_run: bool = False,
) -> Purged:
    """Remove pictures from a work folder for good, with all copies of the same bytes.

    Files, rows, shards, dataset.json, manifest and report are cleared of them, and the
    request is noted first, so that they are never taken again and a run that was
    killed is completed by the next purge or pack. Of an address only a hash is noted.
    A folder or zip that pictures were read from is yours, and stays as it is; so do
    copies made elsewhere, such as load_folder's cache or a trained model.

    Args:
        folder: the work folder.
        url: address of a picture; or its path in the folder or zip it came from.
        host: all pictures of a host and the hosts below it, such as "example.org".
        sha256: of a picture's bytes as they came, or of a crop.
        source_id: as in the names of images/ and in manifest.csv.
        dry_run: only say what would be removed.
    Raises: FileNotFoundError without an index; ValueError unless exactly one of the
        four is given.
    """
    wanted = _wanted(url=url, host=host, sha256=sha256, source_id=source_id)
    with Index(folder, read_only=True):
        pass  # a wrong folder is not turned into an empty work folder
    with Index(folder, read_only=dry_run) as index:
        sources = listed(index, {wanted})
        ids = {source.id for source in sources}
        if dry_run:
            faces = sum(face.source_id in ids for face in index.faces())
            files = files_of(index.folder, ids)
        else:
            with index.transaction():
                index.purge(wanted)
                for source in sources:
                    for mark in {source.id, source.source_sha256} - {""}:
                        index.purge(mark)
            sources, removed, files = remove_purged(index)
            faces = len(removed)
            _renew(index)
    names = tuple(source.source for source in sources)
    message = _message(wanted, len(names), faces, len(files), dry_run)
    return Purged(names, faces, tuple(files), message)


def _wanted(**one: str | None) -> str:
    """What to look for, as the purged list spells it."""
    given = {name: value.strip() for name, value in one.items() if value}
    if len(given) != 1 or not all(given.values()):
        raise ValueError(
            "purge needs exactly one of url, host, sha256 and source_id, but got "
            f"{', '.join(given) or 'none'}. Call it once for each request."
        )
    ((name, value),) = given.items()
    if name == "url":
        return source_id(value)
    return f"{HOST}{_host(value)}" if name == "host" else value.lower()


def _host(text: str) -> str:
    host = text.lower().strip(".")
    if not host or set(host) & set("/:@? "):
        raise ValueError(
            f"host must be a name such as example.org, without https:// and without a "
            f"path, but got {text!r}. For one picture use url."
        )
    return host


def _renew(index: Index) -> None:
    """Write again whatever may show what is gone."""
    settings = pack.last_settings(index.folder)
    if settings:
        pack.run(index, settings, progress=False)
    else:  # nothing was packed yet
        index.export()
        write_report(index)


def _message(wanted: str, pictures: int, faces: int, files: int, dry_run: bool) -> str:
    if not pictures:
        noted = "" if dry_run else " The request is noted: it will not be taken later."
        return (
            f"No picture here matches {wanted}.{noted} Expected the address exactly as "
            "in manifest.csv, a host such as example.org, a SHA-256 of 64 digits or an "
            "id of 16."
        )
    verb = "would be removed" if dry_run else "are removed and will not come back"
    return f"{pictures} pictures, {faces} faces and {files} files {verb}."
