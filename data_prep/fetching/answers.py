"""What an HTTP answer means: a picture, a redirect, ask later, or never ask again."""

from __future__ import annotations

import errno
import http.client
import socket
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3.exceptions

from data_prep.decode import Unusable
from data_prep.fetching import addresses
from data_prep.fetching.partial import Origin
from data_prep.fetching.politeness import opts_out
from data_prep.fetching.verify import Picture

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Answer:
    """What came of one request.

    Attributes:
        kind: "body" (complete), "redirect", "unchanged" (304), "refused" (asking again
            is of no use) or "failed" (it may work later).
        reason: why there is no body.
        status: of HTTP; 0 when none came.
        location: where a redirect leads.
        retry_after: this header as it came.
        text: the body, where it was asked for as a text.
    """

    kind: str
    reason: str = ""
    status: int = 0
    location: str = ""
    retry_after: str = ""
    text: bytes = b""


@dataclass(frozen=True)
class Outcome:
    """What became of one picture in this run.

    Attributes:
        status: "fetched", "unchanged", "failed" (may work later) or "dropped".
        reason: why it is not there.
        picture: what was found, when fetched.
        tries: attempts made.
    """

    status: str
    reason: str = ""
    picture: Picture | None = None
    tries: int = 0


def judged(response, url: str, *, picture: bool) -> Answer | None:
    """The answer that needs no body; None for a body that is to be read."""
    status, headers = response.status, response.headers
    phrase = http.client.responses.get(status, "unknown status")
    reason = f"HTTP {status} {phrase}"
    if picture and opts_out(headers):
        return Answer("refused", f"opted out: {opts_out(headers)}", status)
    if status in (301, 302, 303, 307, 308):
        location = headers.get("Location", "")
        if not location:
            return Answer("refused", "a redirect that leads nowhere", status)
        try:
            location = addresses.parse(location, url).url
        except Unusable as error:
            return Answer("refused", f"bad redirect: {error}", status)
        return Answer("redirect", status=status, location=location)
    if status == 304:
        return Answer("unchanged", status=status)
    if status in (408, 416, 425, 429) or status >= 500:
        after = headers.get("Retry-After", "")
        return Answer("failed", reason, status, retry_after=after)
    if status not in (200, 206):
        return Answer("refused", reason, status)
    return None


def goes_on(headers: Mapping[str, str], have: int, origin: Origin | None) -> bool:
    """Whether a part of a file is what follows on the first `have` bytes of it."""
    part = headers.get("Content-Range", "").replace(" ", "").lower()
    same = origin is not None and headers.get("ETag", origin.etag) == origin.etag
    return have > 0 and same and part.startswith(f"bytes{have}-")


def explain(error: Exception) -> str:
    kinds = (
        (socket.gaierror, "the host's name is not known"),
        (urllib3.exceptions.ConnectTimeoutError, "no answer: cannot connect in time"),
        (urllib3.exceptions.ReadTimeoutError, "no answer: the server fell silent"),
        (urllib3.exceptions.NewConnectionError, "cannot connect"),
        (urllib3.exceptions.SSLError, "no trusted connection (TLS)"),
        (urllib3.exceptions.IncompleteRead, "cut: fewer bytes came than promised"),
        (urllib3.exceptions.InvalidChunkLength, "cut: the body broke off"),
    )
    cause: BaseException | None = error
    while cause is not None:
        for kind, text in kinds:
            if isinstance(cause, kind):
                return text
        cause = cause.__cause__ or cause.__context__
    return f"broken answer: {' '.join(str(error).split())[:150]}"


def is_full(error: BaseException) -> bool:
    """Whether an error says that nothing more can be written."""
    if isinstance(error, sqlite3.OperationalError):
        return "full" in str(error) or "disk I/O" in str(error)
    return isinstance(error, OSError) and error.errno in _FULL
