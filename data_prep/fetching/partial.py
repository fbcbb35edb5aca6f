"""A download that may be cut at any moment and go on later.

`sources/parts/<id>.part` is a line of JSON, by which a server can tell whether its file
is still the same, and then the bytes that came so far. Once the last byte is there it
is renamed to `<id>.whole`, so a name says what can be trusted.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

FOLDER = "sources/parts"


@dataclass(frozen=True)
class Origin:
    """Where bytes came from and by what they can be recognised.

    Attributes:
        url: of the answer itself, after redirects.
        etag, last_modified: as the server sent them; "" without.
        sized: whether the server said how long the file is.
    """

    url: str
    etag: str = ""
    last_modified: str = ""
    sized: bool = False

    @property
    def validator(self) -> str:
        """What If-Range may carry: only a strong one promises the same bytes."""
        return self.last_modified if self.etag[:2] in ("", "W/") else self.etag


class Partial:
    """The partial download of the picture `name` in the work folder `folder`."""

    def __init__(self, folder: Path, name: str):
        self.path = folder / FOLDER / f"{name}.part"
        self.whole = self.path.with_suffix(".whole")

    def resumable(self) -> tuple[Origin | None, int]:
        """Where it came from and how many bytes are there; (None, 0): start anew."""
        with (
            contextlib.suppress(OSError, ValueError, TypeError),
            self.path.open("rb") as file,
        ):
            origin = Origin(**json.loads(file.readline(10_000)))
            size = os.fstat(file.fileno()).st_size - file.tell()
            if size > 0 and origin.validator:
                return origin, size
        return None, 0

    def start(self, origin: Origin) -> BinaryIO:
        """Forget what is there; a file for the bytes from the first on."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("wb")
        file.write(json.dumps(asdict(origin)).encode() + b"\n")
        return file

    def go_on(self) -> BinaryIO:
        """A file for the bytes after those that are there."""
        return self.path.open("ab")

    def finish(self) -> None:
        """The last byte came."""
        os.replace(self.path, self.whole)

    def origin(self) -> Origin | None:
        """Where a whole download came from; None when there is none."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return self.read()[0]
        return None

    def read(self) -> tuple[Origin, bytes]:
        """The whole download."""
        with self.whole.open("rb") as file:
            return Origin(**json.loads(file.readline())), file.read()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.whole.unlink(missing_ok=True)
