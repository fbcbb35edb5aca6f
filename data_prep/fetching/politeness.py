"""How a host is asked: rarely, one request at a time, and only for what it allows.

`Hosts` is a waiting line for each host. It gives out a request when its time has come
and knows nothing of sockets, threads or files, so it can be tested with a clock on
paper.
"""

from __future__ import annotations

import collections
import datetime
import email.utils
import heapq
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from protego import Protego

from data_prep.fetching import addresses

AGENT = "gan-data-prep"
ROBOTS_TTL_S = 24 * 3600.0
ROBOTS_BYTES = 512_000
_MAX_BACKOFF_S = 60.0


@dataclass(frozen=True)
class Request:
    """One URL to ask for.

    Attributes:
        id: of the picture; the origin itself where robots.txt is asked for.
        url: what to ask for now, `first` or what it redirected to.
        first: where a new attempt begins.
        hops: redirects so far.
        tries: attempts of this run that failed.
        spent_s: seconds that earlier hops took.
        robots_for: the origin whose robots.txt this is; "" for a picture.
    """

    id: str
    url: str
    first: str
    hops: int = 0
    tries: int = 0
    spent_s: float = 0.0
    robots_for: str = ""


@dataclass
class Rules:
    """What robots.txt of one origin says, and until when that may be relied on."""

    text: str
    fetched: float
    parsed: Protego = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.parsed = Protego.parse(self.text)

    def allow(self, url: str) -> bool:
        return bool(self.parsed.can_fetch(url, AGENT))

    def interval_s(self) -> float:
        """Seconds between requests that the host asks for."""
        rate = self.parsed.request_rate(AGENT)
        between = rate.seconds / rate.requests if rate and rate.requests else 0.0
        return max(float(self.parsed.crawl_delay(AGENT) or 0.0), between)


@dataclass
class _Host:
    interval_s: float
    last: float
    paused_until: float = 0.0
    active: int = 0
    failures: float = 0.0
    entry: float = math.inf  # when this host stands in the line of hosts
    robots_pending: bool = False
    urgent: collections.deque = field(default_factory=collections.deque)
    waiting: list = field(default_factory=list)  # heap of (time, number, Request)


class Hosts:
    """Who is to be asked for what, and when.

    Args:
        per_host_s: seconds from the start of one request to the start of the next;
            more if robots.txt asks for more.
        per_host: requests to one host at a time.
        now: the time, in seconds since 1970 like all times here. The first request to
            a host waits as well, in case another run has only just ended.
    """

    def __init__(self, *, per_host_s: float, per_host: int, now: float):
        self._per_host_s, self._per_host, self._start = per_host_s, per_host, now
        self._hosts: dict[str, _Host] = {}
        self._line: list[tuple[float, str]] = []
        self._number = itertools.count()
        self._rules: dict[str, Rules] = {}
        self.refused: list[Request] = []  # by robots.txt; the caller empties it

    def add(self, request: Request, at: float = 0.0) -> None:
        """Let a request wait for its turn, not before the time `at`."""
        name, host = self._host(request.url)
        if request.robots_for:
            host.urgent.append(request)
        else:
            heapq.heappush(host.waiting, (at, next(self._number), request))
        self._stand(name, host)

    def take(self, now: float) -> Request | None:
        """A request that may be made now; `done` has to follow."""
        while self._line and self._line[0][0] <= now:
            at, name = heapq.heappop(self._line)
            host = self._hosts[name]
            if at != host.entry:
                continue  # this host came to stand elsewhere
            host.entry = math.inf
            if self._ready(host) <= now:
                request = self._next(host, now)
                if request:
                    host.active += 1
                    host.last = now
                    self._stand(name, host)
                    return request
            self._stand(name, host)
        return None

    def done(self, request: Request, blame: float = 0.0) -> float:
        """Its answer came; returns the blame in a row that this host has now."""
        name, host = self._host(request.url)
        host.active -= 1
        host.failures = host.failures + blame if blame else 0.0
        self._stand(name, host)
        return host.failures

    def pause(self, url: str, until: float) -> None:
        """Ask the host of this URL for nothing before the time `until`."""
        host = self._host(url)[1]
        host.paused_until = max(host.paused_until, until)

    def give_up(self, url: str) -> list[Request]:
        """Everything that waits for the host of this URL, which no longer waits."""
        host = self._host(url)[1]
        left = [request for _, _, request in host.waiting]
        host.waiting.clear()
        host.failures = 0.0
        return left

    def set_rules(self, origin: str, rules: Rules) -> None:
        """What robots.txt of `origin` says."""
        self._rules[origin] = rules
        name, host = self._host(origin)
        host.interval_s = max(self._per_host_s, rules.interval_s())
        self.robots_done(origin)

    def robots_done(self, origin: str) -> None:
        """The answer about robots.txt came, whatever it was."""
        name, host = self._host(origin)
        host.robots_pending = False
        self._stand(name, host)

    def wait_s(self, url: str, now: float) -> float:
        """Seconds until the host of this URL may be asked again."""
        return max(0.0, self._free(self._host(url)[1]) - now)

    def next_time(self) -> float:
        """When `take` may have something; infinity when all wait for an answer."""
        return self._line[0][0] if self._line else math.inf

    def _host(self, url: str) -> tuple[str, _Host]:
        name = addresses.parse(url).host
        if name not in self._hosts:
            self._hosts[name] = _Host(self._per_host_s, self._start)
        return name, self._hosts[name]

    def _free(self, host: _Host) -> float:
        return max(host.last + host.interval_s, host.paused_until)

    def _ready(self, host: _Host) -> float:
        if host.active >= self._per_host:
            return math.inf
        if host.urgent:
            return self._free(host)
        if host.robots_pending or not host.waiting:
            return math.inf
        return max(self._free(host), host.waiting[0][0])

    def _stand(self, name: str, host: _Host) -> None:
        ready = self._ready(host)
        if ready < host.entry:
            host.entry = ready
            heapq.heappush(self._line, (ready, name))

    def _next(self, host: _Host, now: float) -> Request | None:
        if host.urgent:
            return host.urgent.popleft()
        while host.waiting and host.waiting[0][0] <= now:
            request = host.waiting[0][2]
            origin = addresses.parse(request.url).origin
            rules = self._rules.get(origin)
            if rules is None or now - rules.fetched > ROBOTS_TTL_S:
                host.robots_pending = True
                url = f"{origin}/robots.txt"
                return Request(origin, url, url, robots_for=origin)
            heapq.heappop(host.waiting)
            if rules.allow(request.url):
                return request
            self.refused.append(request)
        return None


def again(request: Request) -> Request:
    """The same picture from its first URL, with one more failed attempt."""
    return replace(
        request, url=request.first, hops=0, spent_s=0.0, tries=request.tries + 1
    )


def backoff_s(request: Request, base_s: float) -> float:
    """Seconds before attempt number `tries` + 1: base 2^(tries - 1), at most a minute,
    times a number from [0.5, 1.5) that depends on the picture, so that many do not come
    back at once."""
    jitter = 0.5 + random.Random(f"{request.id} {request.tries}").random()
    return min(_MAX_BACKOFF_S, base_s * 2.0 ** (request.tries - 1)) * jitter


def retry_after_s(text: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, given as such or as a date."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), 10**9))
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, moment.timestamp() - now)


def opts_out(headers: Mapping[str, str]) -> str:
    """The header by which an owner keeps a file from machine learning; "" without.

    X-Robots-Tag: noai or noimageai, for everyone or for us by name; tdm-reservation: 1
    (the W3C community's TDM Reservation Protocol).
    """
    for value in _values(headers, "X-Robots-Tag"):
        agent, colon, rule = value.rpartition(":")
        if colon and agent.strip().lower() not in (AGENT, "*"):
            continue
        if rule.strip().lower() in ("noai", "noimageai"):
            return f"X-Robots-Tag {rule.strip().lower()}"
    if any(value.strip() == "1" for value in _values(headers, "tdm-reservation")):
        return "tdm-reservation"
    return ""


def _values(headers: Mapping[str, str], name: str) -> Iterator[str]:
    # A name that stands several times is one text with commas here.
    yield from headers.get(name, "").split(",")
