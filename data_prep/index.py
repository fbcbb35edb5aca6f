"""The index of a work folder: what is known of each picture and each face in it.

One SQLite file, `index.sqlite`, written by one process. Each change is a transaction,
so a kill at any moment leaves the index as it was after the last whole batch, and the
next run goes on from there. `manifest.csv` is a copy of it for people.

    with Index(folder) as index:
        index.add([Source(id="3f2a", source="https://example.org/a.png")])
        for source in index.sources(status="new"):
            index.update(source.id, status="dropped", reason="404 Not Found")
"""

from __future__ import annotations

import csv
import dataclasses
import io
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_prep.atomic import replacing
from data_prep.records import Face, Source, marks

FILE_NAME = "index.sqlite"
COLUMNS = (
    "source", "source_sha256", "licence", "attribution", "width", "height",
    "face_index", "x", "y", "w", "h", "score", "detector", "status", "reason", "output",
)  # fmt: skip


class Index:
    """The index of the work folder `folder`, made if there is none.

    Args:
        folder: the work folder; made unless `read_only`.
        read_only: for `--dry-run`: nothing is written, not even a file.
    Raises: FileNotFoundError when `read_only` and there is no index;
        RuntimeError when another process is writing this index.
    """

    def __init__(self, folder: str | Path, *, read_only: bool = False):
        self.folder = Path(folder)
        path = self.folder / FILE_NAME
        if read_only and not path.is_file():
            raise FileNotFoundError(
                f"Expected an index at {path}. Run an earlier stage first."
            )
        if not read_only:
            self.folder.mkdir(parents=True, exist_ok=True)
        mode = "?mode=ro" if read_only else ""
        self._database = sqlite3.connect(
            f"{path.resolve().as_uri()}{mode}",
            uri=True,
            timeout=1,
            isolation_level=None,
        )
        self._database.row_factory = sqlite3.Row
        if not read_only:
            self._lock()
            for record, key in ((Source, "id"), (Face, "source_id, face_index")):
                self._create(record, key)
            self._run("CREATE TABLE IF NOT EXISTS purged (what TEXT PRIMARY KEY)")

    def _lock(self) -> None:
        try:
            # One writer: a second one is told at once instead of waiting for ever.
            self._run("PRAGMA locking_mode = EXCLUSIVE")
            self._run("PRAGMA synchronous = FULL")
            self._run("PRAGMA secure_delete = ON")  # what is purged is overwritten
            self._run("BEGIN IMMEDIATE")
            self._run("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise RuntimeError(
                f"{self.folder} is in use by another run. Wait for it to end, or name "
                "another output folder."
            ) from None

    def _create(self, record: type, key: str) -> None:
        kinds = {"int": "INTEGER", "float": "REAL", "str": "TEXT"}
        columns = ", ".join(
            f"{field.name} {kinds[str(field.type)]} NOT NULL"
            for field in dataclasses.fields(record)
        )
        table = _table(record)
        self._run(
            f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({key}))"
        )

    def _run(self, text: str, values: Sequence = ()) -> sqlite3.Cursor:
        return self._database.execute(text, values)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *error) -> None:
        self._database.close()

    def add(self, sources: Iterable[Source]) -> int:
        """Add pictures that are not known yet and were not purged; returns how many.

        A folder or zip that was moved is found again: its pictures are known by their
        paths inside it.
        Raises: ValueError when another folder, which still exists, has a picture of the
            same path here.
        """
        sources, purged = list(sources), self.purged()
        self._move({source.origin for source in sources} - {""}, sources)
        before = self._database.total_changes
        with self.transaction():
            self._insert(
                "INSERT OR IGNORE",
                (source for source in sources if not purged & marks(source)),
            )
        return self._database.total_changes - before

    def _move(self, origins: set[str], sources: Sequence[Source]) -> None:
        """Replace origins that are gone by the one their pictures come from now."""
        known = {row[0] for row in self._run("SELECT DISTINCT origin FROM sources")}
        if not (origins - known and known - {""}):
            return
        before = {source.id: source.origin for source in self.sources()}
        for source in sources:
            old = before.get(source.id, source.origin)
            if old == source.origin or not old:
                continue
            if Path(old).exists():
                raise ValueError(
                    f"{self.folder} already holds {source.source} of {old}, and "
                    f"{source.origin} has a file of the same path. Use another output "
                    "folder, or put both inputs into one folder and start from that."
                )
            self.update(source.id, origin=source.origin)

    def sources(self, **equal: str | int) -> list[Source]:
        """Pictures in the order of their id, those whose columns have these values."""
        return [Source(**dict(row)) for row in self._select(Source, "id", equal)]

    def faces(self, **equal: str | int) -> list[Face]:
        """Faces in the order of source and face index."""
        return [
            Face(**dict(row))
            for row in self._select(Face, "source_id, face_index", equal)
        ]

    def _select(self, record: type, order: str, equal: dict) -> sqlite3.Cursor:
        where = " AND ".join(f"{name} = ?" for name in equal) or "1"
        return self._run(
            f"SELECT * FROM {_table(record)} WHERE {where} ORDER BY {order}",
            list(equal.values()),
        )

    def update(self, source: str, **values: str | int) -> None:
        """Change columns of one picture, at once and for good."""
        self._update("sources", "id = ?", [source], values)

    def update_face(self, face: Face, **values: str | int | float) -> None:
        """Change columns of one face, at once and for good."""
        key = [face.source_id, face.face_index]
        self._update("faces", "source_id = ? AND face_index = ?", key, values)

    def _update(self, table: str, where: str, key: list, values: dict) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._run(f"UPDATE {table} SET {names} WHERE {where}", [*values.values(), *key])

    def judge(self, verdicts: Iterable[tuple[Face, str]]) -> None:
        """Drop each face for its reason, keep it where that is ""; all or nothing."""
        with self.transaction():
            for face, reason in verdicts:
                status = "dropped" if reason else "kept"
                if (face.status, face.reason) != (status, reason):
                    self.update_face(face, status=status, reason=reason)

    def set_faces(self, source: str, faces: Sequence[Face], detect_key: str) -> None:
        """Replace what was found in one picture; its crops are made anew."""
        with self.transaction():
            self._run("DELETE FROM faces WHERE source_id = ?", [source])
            self._insert("INSERT", faces)
            self._run(
                "UPDATE sources SET detect_key = ? WHERE id = ?", [detect_key, source]
            )

    def remove(self, source: str) -> None:
        """Forget one picture and its faces (their files are the caller's to delete)."""
        with self.transaction():
            self._run("DELETE FROM faces WHERE source_id = ?", [source])
            self._run("DELETE FROM sources WHERE id = ?", [source])

    def purge(self, what: str) -> None:
        """Never take a picture with this source, id or SHA-256 again."""
        self._run("INSERT OR IGNORE INTO purged VALUES (?)", [what])

    def purged(self) -> set[str]:
        return {row[0] for row in self._run("SELECT what FROM purged")}

    def _insert(self, verb: str, records: Iterable) -> None:
        records = list(records)
        if not records:
            return
        marks = ", ".join("?" for _ in dataclasses.fields(records[0]))
        self._database.executemany(
            f"{verb} INTO {_table(type(records[0]))} VALUES ({marks})",
            (dataclasses.astuple(record) for record in records),
        )

    def transaction(self):
        """`with index.transaction():` all changes inside, or none of them."""
        return _Transaction(self._database)

    def export(self, path: str | Path | None = None) -> Path:
        """Write `manifest.csv`: a row for each face, and one for each file without.

        A text that a spreadsheet would take for a formula gets an apostrophe.
        """
        path = Path(path or self.folder / "manifest.csv")
        with replacing(path) as file:
            text = io.TextIOWrapper(file, "utf-8", newline="")
            table = csv.DictWriter(text, COLUMNS)
            table.writeheader()
            table.writerows(self._rows())
            text.detach()  # writes the rest, and leaves the file open
        return path

    def _rows(self) -> Iterable[dict]:
        found: dict[str, list[Face | None]] = {}
        for face in self.faces():
            found.setdefault(face.source_id, []).append(face)
        for source in sorted(self.sources(), key=lambda source: source.source):
            row = vars(source)
            for one in found.get(source.id) or [None]:
                both = row | (vars(one) if one else {})
                yield {name: _shown(both.get(name, "")) for name in COLUMNS}


class _Transaction:
    """Nested use is one transaction, the outermost."""

    def __init__(self, database: sqlite3.Connection):
        self.database, self.outermost = database, not database.in_transaction

    def __enter__(self) -> None:
        if self.outermost:
            self.database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind, *_) -> None:
        if self.outermost:
            self.database.execute("COMMIT" if kind is None else "ROLLBACK")


def _table(record: type) -> str:
    return {Source: "sources", Face: "faces"}[record]


def _shown(value):
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
