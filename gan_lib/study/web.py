"""What the server answers: the page, its state, pictures, and votes taken."""

from __future__ import annotations

import functools
import json
import sys

from tornado.web import Application, HTTPError, RequestHandler

from gan_lib.study.page import page
from gan_lib.study.pictures import png
from gan_lib.study.plan import Item, Study
from gan_lib.study.votes import Votes

_KEPT_PICTURES = 512  # encoded, in memory
_SECURITY = {
    # The browser itself refuses anything from or to another host.
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; "
    "connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class _Handler(RequestHandler):
    """What all requests share: no cache, no other host, nobody's address in a log."""

    @property
    def study(self) -> Study:
        return self.settings["study"]

    @property
    def votes(self) -> Votes:
        return self.settings["votes"]

    def set_default_headers(self) -> None:
        for name, value in _SECURITY.items():
            self.set_header(name, value)

    def log_exception(self, typ, value, tb) -> None:
        if not isinstance(value, HTTPError):  # Tornado's own line names the address
            print(f"A request failed: {value}", file=sys.stderr, flush=True)

    def items(self, study: str, voter: str) -> tuple[Item, ...]:
        if study != self.study.fingerprint:
            raise HTTPError(409)
        try:
            return self.study.plan(voter)
        except ValueError as error:
            raise HTTPError(400) from error


class _Page(_Handler):
    def get(self) -> None:
        self.finish(self.settings["text"])


class _State(_Handler):
    def get(self) -> None:
        voter = self.get_query_argument("voter")
        items = self.items(self.get_query_argument("study"), voter)
        done = self.votes.answered(voter)
        names = self.study.pictures.names
        self.finish(
            {
                "items": [
                    {
                        "words": self.study.words(item),
                        "answered": (item.kind, names[item.question]) in done,
                    }
                    for item in items
                ]
            }
        )


class _Vote(_Handler):
    def post(self) -> None:
        # A page of another site cannot send this type without being asked first.
        if self.request.headers.get("Content-Type") != "application/json":
            raise HTTPError(415)
        try:
            vote = json.loads(self.request.body)
            voter, place, slot = vote["voter"], vote["place"], vote["slot"]
            study = vote["study"]
            numbers = all(type(number) is int for number in (place, slot))
        except (ValueError, KeyError, TypeError) as error:
            raise HTTPError(400) from error
        items = self.items(study, voter)
        if not numbers or not 0 <= place < len(items):
            raise HTTPError(400)
        if not 0 <= slot < len(items[place].order):
            raise HTTPError(400)
        self.votes.save(voter, items[place], slot)
        self.finish({"saved": True})  # only now: the disk has it


class _Picture(_Handler):
    def get(self, study: str, voter: str, place: str, slot: str) -> None:
        items = self.items(study, voter)
        if int(place) >= len(items):
            raise HTTPError(404)
        item = items[int(place)]
        if slot != "source" and int(slot) >= len(item.order):
            raise HTTPError(404)
        self.set_header("Content-Type", "image/png")
        # The same address always shows the same picture.
        self.set_header("Cache-Control", "private, max-age=86400")
        number = None if slot == "source" else item.order[int(slot)]
        self.finish(self.settings["encoded"](item.question, number))

    def compute_etag(self) -> None:
        return None  # it would tell equal pictures apart from different ones


def application(study: Study, votes: Votes, title: str) -> Application:
    """All addresses of a study.

    Args:
        study: what is shown.
        votes: where answers go.
        title: above the page.
    """

    @functools.lru_cache(_KEPT_PICTURES)
    def encoded(question: int, number: int | None) -> bytes:
        return png(study.picture(question, number))

    picture = r"/picture/([0-9a-f]{16})/([0-9a-f]{16})/(\d{1,6})/(source|\d)\.png"
    return Application(
        [("/", _Page), ("/state", _State), ("/vote", _Vote), (picture, _Picture)],
        study=study,
        votes=votes,
        text=page(title, study.fingerprint, len(study.pictures.models)),
        encoded=encoded,
        log_function=lambda handler: None,  # nobody's address is written down
    )
