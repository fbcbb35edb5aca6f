"""Steps that several tests of fetching share."""

import socket

from data_prep import fetch, inputs
from data_prep.fetching.settings import FetchSettings
from data_prep.index import Index

QUICK = {
    "per_host_seconds": 0.0,
    "per_host_connections": 8,
    "deadline_s": 1.5,
    "backoff_seconds": 0.02,
}


def fetch_paths(folder, server, *paths, columns=(), settings=None, runs=1):
    """Fetch paths of the server; the index's rows by path, and the last counts."""
    values = QUICK | {"allow_hosts": server.hosts()} | (settings or {})
    rows = [{"url": server.url(path)} | dict(columns) for path in paths]
    with Index(folder) as index:
        index.add(inputs.from_rows(rows))
        for _ in range(runs):
            counts = fetch.run(
                index, FetchSettings(**values), workers=1, progress=False
            )
        found = {s.source.split("/", 3)[-1]: s for s in index.sources()}
    return found, counts


def closed_port() -> int:
    """A port on which nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
