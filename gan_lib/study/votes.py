"""The file with the votes: SQLite, safe to kill at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_prep.scan import printable
from gan_lib.study.plan import CHECK, Item, Study

_FORMAT = 1
PASSED, FAILED = "passed", "failed"
_TABLES = """
CREATE TABLE IF NOT EXISTS study (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS votes (
    voter TEXT NOT NULL, kind TEXT NOT NULL, question TEXT NOT NULL,
    choice TEXT NOT NULL, PRIMARY KEY (voter, kind, question)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Vote:
    """One answer.

    Attributes:
        voter: 16 hexadecimal digits, drawn at random by the voter's browser.
        kind: "vote", "check" or "repeat".
        question: name of the source.
        choice: name of the model; for a check "passed" or "failed".
    """

    voter: str
    kind: str
    question: str
    choice: str


class Votes:
    """Answers written while a study runs.

    Write-ahead log and `synchronous=FULL`: an answer that `save` has taken outlives a
    killed process and a power cut. One answer for each voter and question; a second
    one replaces the first.

    Args:
        path: the SQLite file, made if there is none. On a disk of this machine: a
            mounted network drive does not keep SQLite's promises.
        study: what is voted on.
    Raises: ValueError if the file holds votes on something else, or no votes at all;
        OSError if it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike, study: Study) -> None:
        self.path = Path(path).expanduser()
        self._study = study
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _explained(self.path):
            # Used by the server's thread only, but opened in the caller's.
            self._file = sqlite3.connect(
                self.path, timeout=20, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._file.close()
                raise

    def save(self, voter: str, item: Item, slot: int) -> None:
        """Keep one answer for good; a second one to the same question replaces it.

        Raises: OSError if the disk does not take it.
        """
        if item.kind == CHECK:
            choice = PASSED if self._study.passed(item, slot) else FAILED
        else:
            choice = self._study.pictures.models[item.order[slot]]
        question = self._study.pictures.names[item.question]
        with _explained(self.path):
            self._file.execute(
                "INSERT INTO votes VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET choice = excluded.choice",
                (voter, item.kind, question, choice),
            )

    def answered(self, voter: str) -> set[tuple[str, str]]:
        """(kind, question) of what a voter has answered."""
        with _explained(self.path):
            rows = self._file.execute(
                "SELECT kind, question FROM votes WHERE voter = ?", (voter,)
            )
            return set(rows)

    def close(self) -> None:
        self._file.close()

    def _prepare(self) -> None:
        tables = self._file.execute("SELECT name FROM sqlite_master").fetchall()
        if tables and ("study",) not in tables:
            raise ValueError(
                f"{printable(str(self.path))} is an SQLite file of another program. "
                "Choose a new name for the votes; this file was not changed."
            )
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.executescript(_TABLES)
        study = self._study
        about = {
            "format": _FORMAT,
            "fingerprint": study.fingerprint,
            "models": study.pictures.models,
            "target": study.target,
            "check": study.check,
            "asked": [study.count, study.checks, study.repeats],
        }
        self._file.execute(
            "INSERT OR IGNORE INTO study VALUES ('about', ?)", (json.dumps(about),)
        )
        if _about(self._file)["fingerprint"] != study.fingerprint:
            raise ValueError(
                f"{printable(str(self.path))} holds votes on other pictures or with "
                "other settings, and the two must not be mixed. Choose a new file for "
                "the votes, or go back to the pictures and settings of before."
            )


def read_votes(path: str | os.PathLike) -> tuple[dict, list[Vote]]:
    """What a study was about, and its votes, also while it runs.

    Args:
        path: the SQLite file.
    Returns: settings ("models", "target", "asked": votes, checks and repeats for each
        voter, ...), and the votes sorted by voter.
    Raises: FileNotFoundError, OSError, ValueError if it holds no votes of a study.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {printable(str(path))}. Expected the one that the page "
            f"wrote its votes to; relative paths start at {Path.cwd()}."
        )
    with _explained(path):
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=20)) as file:
            about = _about(file)
            rows = file.execute(
                "SELECT voter, kind, question, choice FROM votes "
                "ORDER BY voter, kind, question"
            ).fetchall()
    return about, [Vote(*row) for row in rows]


def _about(file: sqlite3.Connection) -> dict:
    rows = file.execute("SELECT value FROM study WHERE key = 'about'").fetchall()
    about = json.loads(rows[0][0]) if rows else {}
    if about.get("format") != _FORMAT:
        raise ValueError(
            f"Expected votes in format {_FORMAT}, got {about.get('format')}. The file "
            "was begun by another version: read it with that one."
        )
    return about


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors in words that say what to do."""
    name = printable(str(path))
    try:
        yield
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            raise ValueError(f"{name} is an SQLite file without votes.") from error
        raise OSError(
            f"{name} cannot be used ({error}). Expected a file on a disk of this "
            "machine with room left; not on a mounted network drive."
        ) from error
    except sqlite3.DatabaseError as error:
        raise ValueError(
            f"{name} is not a file with votes ({error}). Choose another name; this "
            "file was not changed."
        ) from error
