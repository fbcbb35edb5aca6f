"""Many downloads at a time: who is asked next, and what follows from each answer.

One thread decides, some threads wait for the network, and child processes look at what
came. A picture is done when one of the four words of `Outcome` is known for it.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from data_prep.decode import Unusable
from data_prep.fetching import addresses, verify
from data_prep.fetching.answers import Answer, Outcome
from data_prep.fetching.arrivals import Arrivals
from data_prep.fetching.http import Client
from data_prep.fetching.notes import Notes
from data_prep.fetching.partial import Partial
from data_prep.fetching.politeness import (
    ROBOTS_BYTES,
    ROBOTS_TTL_S,
    Hosts,
    Request,
    Rules,
    again,
    backoff_s,
    retry_after_s,
)
from data_prep.fetching.settings import FetchSettings
from data_prep.records import Source

MAX_HOPS = 5
_BREAK_AFTER = 10  # failures of one host in a row
_SLOWED = 1 / 3  # of a failure: what "too many requests" counts for
_UNSEEN = 64  # downloads that wait to be looked at, at most
_IDLE_S = 0.5


Results = Generator[tuple[Source, Outcome] | None, None, None]


class Downloads:
    """Downloads into the work folder `folder`.

    Args:
        folder: the work folder.
        settings: limits and manners.
        notes: what hosts said before.
        workers: child processes; 0: one for each core.
    """

    def __init__(
        self, folder: Path, settings: FetchSettings, notes: Notes, workers: int = 0
    ):
        self.folder, self.settings, self.notes = folder, settings, notes
        self._open: dict[str, Source] = {}  # no outcome yet
        self._tries: dict[str, int] = {}
        self._busy = 0  # requests under way
        self._events: queue.SimpleQueue = queue.SimpleQueue()
        self._arrivals = Arrivals(self._events, workers)
        self._hosts = Hosts(
            per_host_s=settings.per_host_seconds,
            per_host=settings.per_host_connections,
            now=time.time(),
        )

    def run(self, sources: Iterable[Source]) -> Results:
        """Each picture with its outcome, in the order in which they come; None when
        nothing has come for a while.

        Raises: OSError when the disk is full.
        """
        settings = self.settings
        client = Client(
            settings.user_agent(),
            settings.deadline_s,
            settings.max_bytes,
            settings.allow_hosts,
            settings.connections,
        )
        threads = ThreadPoolExecutor(settings.connections)
        try:
            with self._arrivals, client:
                yield from self._begin(sources)
                while self._open:
                    yield from self._start_due(client, threads)
                    patience = self._patience() if self._may_start() else _IDLE_S
                    try:
                        event = self._events.get(timeout=patience)
                    except queue.Empty:
                        yield None
                        continue
                    yield from self._handle(*event)
        finally:
            threads.shutdown(cancel_futures=True)

    def _begin(self, sources: Iterable[Source]) -> Iterator[tuple[Source, Outcome]]:
        now = time.time()
        pauses = self.notes.pauses(now)
        origins = set()
        for source in sources:
            self._open[source.id] = source
            try:
                address = addresses.parse(source.source)
            except Unusable as error:
                yield self._close(source.id, Outcome("dropped", str(error)))
                continue
            if address.origin not in origins:
                origins.add(address.origin)
                self._remember(address, pauses, now)
            if Partial(self.folder, source.id).whole.exists():
                self._arrived(source.id)
            else:
                self._hosts.add(Request(source.id, address.url, address.url))
        for origin in sorted(origins):
            yield from self._too_long(origin)

    def _remember(self, address: addresses.Address, pauses: dict, now: float) -> None:
        known = self.notes.robots(address.origin, now - ROBOTS_TTL_S)
        if known:
            self._hosts.set_rules(address.origin, Rules(*known))
        if address.host in pauses:
            self._hosts.pause(address.url, pauses[address.host])

    def _start_due(
        self, client: Client, threads: ThreadPoolExecutor
    ) -> Iterator[tuple[Source, Outcome]]:
        while self._may_start():
            request = self._hosts.take(time.time())
            while self._hosts.refused:
                name = self._hosts.refused.pop().id
                yield self._close(name, Outcome("dropped", "forbidden by robots.txt"))
            if request is None:
                return
            self._busy += 1
            conditions = {}
            if not request.robots_for and self._open[request.id].status == "fetched":
                conditions = self.notes.conditions(request.id)
            threads.submit(self._ask, client, request, conditions)

    def _ask(self, client: Client, request: Request, conditions: dict) -> None:
        """In a thread: one request, and its answer as an event."""
        began = time.monotonic()
        try:
            if request.robots_for:
                answer = client.text(request.url, ROBOTS_BYTES, request.spent_s)
            else:
                partial = Partial(self.folder, request.id)
                answer = client.download(
                    request.url, partial, conditions, request.spent_s
                )
            spent = request.spent_s + time.monotonic() - began
            self._events.put((request, answer, spent))
        except BaseException as error:
            self._events.put((request, error, 0.0))

    def _may_start(self) -> bool:
        return self._busy < self.settings.connections and self._arrivals.open < _UNSEEN

    def _patience(self) -> float:
        return min(max(self._hosts.next_time() - time.time(), 0.001), _IDLE_S)

    def _handle(self, task, result, spent: float) -> Iterator[tuple[Source, Outcome]]:
        if isinstance(result, BaseException):
            raise result
        if isinstance(task, verify.Task):
            yield self._seen(task.source.id, result)
            return
        self._busy -= 1
        request = replace(task, spent_s=spent)
        blame = 0.0
        if result.kind == "failed":
            blame = _SLOWED if result.status in (429, 503) else 1.0
        failures = self._hosts.done(task, blame)
        if request.robots_for:
            yield from self._robots(request, result)
        else:
            yield from self._answered(request, result)
        if failures >= _BREAK_AFTER:
            why = f"host in trouble: many failures in a row, last {result.reason}"
            yield from self._give_up(request.url, why)

    def _answered(
        self, request: Request, answer: Answer
    ) -> Iterator[tuple[Source, Outcome]]:
        if answer.kind != "redirect":
            self._tries[request.id] = request.tries + 1
        if answer.kind == "body":
            self._arrived(request.id)
        elif answer.kind == "unchanged":
            yield self._close(request.id, Outcome("unchanged"))
        elif answer.kind == "redirect" and request.hops < MAX_HOPS:
            following = replace(request, url=answer.location, hops=request.hops + 1)
            self._hosts.add(following, at=-1.0)  # before others: such URLs may expire
            yield from self._too_long(following.url)
        elif answer.kind == "failed":
            yield from self._failed(request, answer)
        else:
            reason = answer.reason or f"redirected more than {MAX_HOPS} times"
            yield self._close(request.id, Outcome("dropped", reason))

    def _failed(
        self, request: Request, answer: Answer
    ) -> Iterator[tuple[Source, Outcome]]:
        request_url, following = request.url, again(request)
        wait = self._wait(request_url, following, answer)
        if following.tries >= self.settings.attempts:
            yield self._close(request.id, Outcome("failed", answer.reason))
        else:
            self._hosts.add(following, at=time.time() + wait)
        yield from self._too_long(request_url)

    def _wait(self, url: str, following: Request, answer: Answer) -> float:
        """Seconds before the next attempt; the host is left alone if it asks for it."""
        now = time.time()
        asked = retry_after_s(answer.retry_after, now)
        wait = backoff_s(following, self.settings.backoff_seconds)
        if asked is not None:
            wait = max(asked, self.settings.per_host_seconds)
            self.notes.set_pause(addresses.parse(url).host, now + wait)
        if asked is not None or answer.status in (429, 503):
            self._hosts.pause(url, now + wait)
        return wait

    def _robots(
        self, request: Request, answer: Answer
    ) -> Iterator[tuple[Source, Outcome]]:
        origin = request.robots_for
        if answer.kind == "redirect" and request.hops < MAX_HOPS:
            self._hosts.add(
                replace(request, url=answer.location, hops=request.hops + 1)
            )
        elif answer.kind == "failed":
            following = again(request)
            wait = self._wait(request.url, following, answer)
            if following.tries < self.settings.attempts:
                self._hosts.pause(following.url, time.time() + wait)
                self._hosts.add(following)
                yield from self._too_long(following.url)
            else:
                self._hosts.robots_done(origin)
                why = f"robots.txt cannot be read: {answer.reason}; not asked further"
                yield from self._give_up(origin, why)
        else:
            # No such file (4xx) means that nothing is forbidden, RFC 9309.
            text = answer.text.decode("utf-8", "replace")
            now = time.time()
            self._hosts.set_rules(origin, Rules(text, now))
            if answer.status:
                self.notes.set_robots(origin, text, now)
            yield from self._too_long(origin)

    def _too_long(self, url: str) -> Iterator[tuple[Source, Outcome]]:
        """Do not sit out a pause that is longer than the user's patience."""
        wait = self._hosts.wait_s(url, time.time())
        if wait > self.settings.max_wait_s:
            why = f"host asks to wait: {wait:.0f} s; run again after that"
            yield from self._give_up(url, why)

    def _give_up(self, url: str, why: str) -> Iterator[tuple[Source, Outcome]]:
        for request in self._hosts.give_up(url):
            yield self._close(request.id, Outcome("failed", why))

    def _arrived(self, name: str) -> None:
        settings, source = self.settings, self._open[name]
        expected = source.source_sha256 if source.status != "fetched" else ""
        self._arrivals.put(
            verify.Task(
                self.folder,
                source,
                expected,
                settings.min_side_px,
                settings.max_pixels,
            )
        )

    def _seen(self, name: str, result) -> tuple[Source, Outcome]:
        self._arrivals.open -= 1
        if isinstance(result, verify.Picture):
            return self._close(name, Outcome("fetched", picture=result))
        origin = Partial(self.folder, name).origin()
        if origin and not origin.sized and result.reason.startswith("broken"):
            Partial(self.folder, name).remove()
            reason = f"{result.reason}; it may have been cut: no length was stated"
            return self._close(name, Outcome("failed", reason))
        return self._close(name, Outcome("dropped", result.reason))

    def _close(self, name: str, outcome: Outcome) -> tuple[Source, Outcome]:
        tries = self._tries.get(name, 0)
        return self._open.pop(name), replace(outcome, tries=tries)
