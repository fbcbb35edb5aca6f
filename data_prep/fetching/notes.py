"""What hosts have told us, kept from run to run in `fetch.sqlite`.

The rules of robots.txt (for a day), how long a host wants to be left alone, and by
what a file can be recognised when it is asked for anew. It may be deleted: it only
spares the hosts questions they have answered before.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

FILE_NAME = "fetch.sqlite"
_TABLES = (
    "robots (origin TEXT PRIMARY KEY, text TEXT, fetched REAL)",
    "pauses (host TEXT PRIMARY KEY, until REAL)",
    "files (id TEXT PRIMARY KEY, etag TEXT, last_modified TEXT)",
)


class Notes:
    """The notes of the work folder `folder`; times are seconds since 1970."""

    def __init__(self, folder: Path):
        self._database = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        for table in _TABLES:
            self._database.execute(f"CREATE TABLE IF NOT EXISTS {table}")

    def __enter__(self) -> Notes:
        return self

    def __exit__(self, *error) -> None:
        self._database.close()

    def robots(self, origin: str, since: float) -> tuple[str, float] | None:
        """The robots.txt of an origin and when it came, if that is after `since`."""
        return self._database.execute(
            "SELECT text, fetched FROM robots WHERE origin = ? AND fetched > ?",
            (origin, since),
        ).fetchone()

    def set_robots(self, origin: str, text: str, fetched: float) -> None:
        self._put("robots", origin, text, fetched)

    def pauses(self, now: float) -> dict[str, float]:
        """Hosts that want to be left alone, each with the time until which."""
        rows = self._database.execute("SELECT * FROM pauses WHERE until > ?", (now,))
        return dict(rows.fetchall())

    def set_pause(self, host: str, until: float) -> None:
        self._put("pauses", host, until)

    def conditions(self, source: str) -> dict[str, str]:
        """Headers that ask for a file only if it is another one than last time."""
        row = self._database.execute(
            "SELECT etag, last_modified FROM files WHERE id = ?", (source,)
        ).fetchone()
        names = ("If-None-Match", "If-Modified-Since")
        return {
            name: text for name, text in zip(names, row or (), strict=False) if text
        }

    def set_file(self, source: str, etag: str, last_modified: str) -> None:
        self._put("files", source, etag, last_modified)

    def _put(self, table: str, *values: str | float) -> None:
        marks = ", ".join("?" for _ in values)
        self._database.execute(
            f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values
        )
