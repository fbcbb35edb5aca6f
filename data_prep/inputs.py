"""What to fetch, read from whatever a user has: a folder, a zip, a list of URLs.

A list is a text with a URL in each line, a CSV table with a header, or JSON lines. The
columns `url, licence, attribution, rating, sha256` are known, all but the first may be
missing, and common other names of them are understood; a `manifest.csv` is a list too.
A line that cannot be used becomes a picture that is dropped, with the reason.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_prep.decode import Unusable
from data_prep.fetching import addresses, gallery
from data_prep.records import Source, source_id
from data_prep.scan import printable, scan_folder, scan_zip

LISTS = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson")
_NAMES = {
    "source": ("url", "source", "image_url", "file_url", "link", "src"),
    "licence": ("licence", "license", "license_name", "rights"),
    "attribution": ("attribution", "author", "artist", "creator", "credit"),
    "rating": ("rating",),
    "source_sha256": ("sha256", "source_sha256", "checksum"),
}
_LONGEST = 8_000  # characters of a URL; servers take no longer ones either


def read(
    source: str | Path, *, licence: str = "", attribution: str = "", rating: str = ""
) -> Iterator[Source]:
    """The pictures that an input names, for `Index.add`.

    Args:
        source: a folder (of pictures, or what gallery-dl downloaded), a zip file, a
            list (.txt, .csv, .tsv, .jsonl), or one http(s) URL.
        licence, attribution, rating: for pictures of which the input does not say it.
    Yields: `Source` rows with status "new", or "dropped" with a reason.
    Raises: FileNotFoundError if there is nothing; ValueError for another kind of file.
    """
    defaults = {"licence": licence, "attribution": attribution, "rating": rating}
    for found in _read(source):
        missing = {
            name: text for name, text in defaults.items() if not getattr(found, name)
        }
        yield found if not any(missing.values()) else replace(found, **missing)


def _read(source: str | Path) -> Iterator[Source]:
    if str(source).lower().startswith(("http://", "https://")):
        return from_rows([{"url": str(source)}])
    path = Path(source).expanduser()
    kind = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no {path}. Expected a folder, a zip file, a list of URLs "
            f"({', '.join(LISTS)}) or a URL that begins with http:// or https://."
        )
    if kind == ".zip":
        return _entries(path, *scan_zip(path))
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _json, ".ndjson": _json}
    if kind not in LISTS:
        raise ValueError(
            f"{path} is of no kind that can be read. Expected a folder, a zip file or "
            f"a list of URLs ({', '.join(LISTS)})."
        )
    return from_rows(readers.get(kind, _text)(path))


def from_rows(rows: Iterable[Mapping[str, Any]]) -> Iterator[Source]:
    """Pictures from dictionaries, such as the rows of a table; each URL once.

    Args:
        rows: with the keys `url` and, where known, `licence`, `attribution`, `rating`
            and `sha256`.
    """
    seen = set()
    for number, row in enumerate(rows, start=1):
        found = _row(number, row)
        if found.id not in seen:
            seen.add(found.id)
            yield found


def _row(number: int, row: Mapping[str, Any]) -> Source:
    values = _fields(row)
    url = values.pop("source")
    if not url:
        return _unusable(f"line {number}", row.get("") or "no URL in this line")
    if len(url) > _LONGEST:
        return _unusable(f"{url[:200]}...", f"a URL of {len(url)} characters")
    try:
        address = addresses.parse(url)
    except Unusable as error:
        return _unusable(_without_password(url), str(error))
    return Source(source_id(address.url), address.url, **values)


def _fields(row: Mapping[str, Any]) -> dict[str, str]:
    """What a row says under any of the names we know."""
    row = {str(name).strip().lower(): text for name, text in row.items()}
    values = {
        field: next((_plain(row[name]) for name in names if row.get(name)), "")
        for field, names in _NAMES.items()
    }
    return values | {"source_sha256": values["source_sha256"].lower()}


def _plain(value: object) -> str:
    """A cell as text; an apostrophe before it guards against formulas."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.strip().removeprefix("'")


def _unusable(name: str, reason: str) -> Source:
    name = printable(name)
    return Source(source_id(name), name, status="dropped", reason=reason)


def _without_password(url: str) -> str:
    before, at, after = url.partition("@")
    scheme, slashes, _ = before.partition("://")
    return f"{scheme}{slashes}{after}" if at and "/" not in before[8:] else url


def _text(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8-sig", errors="backslashreplace") as lines:
        for line in lines:
            if line.strip() and not line.lstrip().startswith("#"):
                yield {"url": line}


def _csv(path: Path) -> Iterator[dict]:
    with path.open(
        newline="", encoding="utf-8-sig", errors="backslashreplace"
    ) as lines:
        tabs = path.suffix.lower() == ".tsv"
        # A NUL would stop the reader, and with it the lines after it.
        cleaned = (line.replace("\0", "") for line in lines)
        rows = csv.reader(cleaned, delimiter="\t" if tabs else ",")
        header = [name.strip().lower() for name in next(rows, [])]
        if not set(header) & set(_NAMES["source"]):
            if not header or "://" not in header[0]:
                raise ValueError(
                    f"{path} has no column `url`, only: {', '.join(header)[:200]}. "
                    "Give the column of addresses this name in the first line."
                )
            yield {"url": header[0]}
            header = ["url"]
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield {"": f"not CSV: {error}"}
                continue
            if any(row):
                yield dict(zip(header, row, strict=False))


def _json(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8-sig", errors="backslashreplace") as lines:
        for line in filter(str.strip, lines):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                yield {"": "not JSON: each line must be an object with a `url`"}
                continue
            if isinstance(row, dict):
                yield row
            else:
                yield {"url": row} if isinstance(row, str) else {"": "no JSON object"}


def _folder(path: Path) -> Iterator[Source]:
    entries, skipped = scan_folder(path)
    sides = gallery.side_files(entry.path for entry in entries)
    used = {*sides, *sides.values()}
    seen: set[str] = set()
    for name, side in sides.items():
        values = _fields(gallery.row_of(path / side)) | {"source_sha256": ""}
        try:
            source = addresses.parse(values.pop("source")).url
        except Unusable:
            source = name  # no address is known, so it goes by its name
        source = name if source in seen else source
        seen.add(source)
        values |= {"origin": str(path.resolve()), "path": name}
        yield Source(source_id(source), source, **values)
    yield from _entries(path, [e for e in entries if e.path not in used], skipped)


def _entries(path: Path, entries, skipped) -> Iterator[Source]:
    origin = str(path.resolve())
    for entry in entries:
        yield Source(source_id(entry.path), entry.path, origin=origin, path=entry.path)
    for item in skipped:
        yield Source(
            source_id(item.path),
            item.path,
            origin=origin,
            status="dropped",
            reason=item.reason,
        )
