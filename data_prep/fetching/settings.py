"""The limits and manners of fetching."""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass

from data_prep.fetching.politeness import AGENT

CONTACT = "https://github.com/gan-notebooks/gan-notebooks"
GENERAL = ("", "general", "g", "safe")


@dataclass(frozen=True)
class FetchSettings:
    """Limits and manners. robots.txt is always honoured.

    Attributes:
        contact: URL or mail address at which the owner of a host reaches you; part of
            the User-Agent.
        per_host_seconds: from one request to a host to the next, at least; more where
            its robots.txt asks for more.
        per_host_connections: requests to one host at a time.
        connections: requests at a time altogether.
        deadline_s: seconds for one download, redirects included.
        max_wait_s: a host that asks for a longer pause is left for another run.
        attempts: times a picture is asked for in one run, if it fails in a way that may
            pass.
        backoff_seconds: pause before the second attempt; doubled for each further one.
        max_bytes: of one file.
        max_pixels: width x height.
        min_side_px: of the shorter side.
        ratings: those to take, in lower case; "" is one that is not known.
        allow_hosts: "name:port" pairs that may lie in a private network, for tests.
        again: ask once more for what was dropped, too.
        refresh: ask whether pictures have changed since they were fetched.
    Raises: ValueError for a setting out of its range.
    """

    contact: str = CONTACT
    per_host_seconds: float = 1.0
    per_host_connections: int = 1
    connections: int = 16
    deadline_s: float = 60.0
    max_wait_s: float = 300.0
    attempts: int = 4
    backoff_seconds: float = 2.0
    max_bytes: int = 25_000_000
    max_pixels: int = 40_000_000
    min_side_px: int = 64
    ratings: tuple[str, ...] = GENERAL
    allow_hosts: tuple[str, ...] = ()
    again: bool = False
    refresh: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", self.contact):
            raise ValueError(
                "contact must be a URL or a mail address without spaces, but is "
                f"{self.contact!r}."
            )
        for name in ("per_host_seconds", "backoff_seconds", "max_wait_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more.")
        for name in (
            "per_host_connections", "connections", "deadline_s", "attempts",
            "max_bytes", "max_pixels", "min_side_px",
        ):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0.")
        if isinstance(self.ratings, str) or isinstance(self.allow_hosts, str):
            raise ValueError("ratings and allow_hosts are tuples of texts, not texts.")

    def user_agent(self) -> str:
        """Who we are and where to complain."""
        try:
            version = importlib.metadata.version("gan_lib")
        except importlib.metadata.PackageNotFoundError:
            version = "0"
        return f"{AGENT}/{version} (+{self.contact})"


DEFAULTS = FetchSettings()
