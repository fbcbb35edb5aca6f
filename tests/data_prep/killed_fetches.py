"""Fetches in a process of their own that is killed at random moments.

Used by the tests with a hundred pictures and by `benchmarks/fetching.py` with two
thousand.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hostile_server import HostileServer

from data_prep.index import Index

ROOT = Path(__file__).parents[2]
NAMES = ("127.0.0.1", "localhost")
_FETCH = """
import signal, sys
# Whoever is started in the background ignores Ctrl+C, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
from data_prep import fetch, inputs
from data_prep.fetching.settings import FetchSettings
from data_prep.index import Index

folder, urls, pace, limit, *hosts = sys.argv[1:]
with Index(folder) as index:
    index.add(inputs.read(urls))
    if int(limit):
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    settings = FetchSettings(
        per_host_seconds=float(pace), per_host_connections=8, deadline_s=2.0,
        backoff_seconds=0.05, attempts=3, allow_hosts=tuple(hosts),
    )
    print(fetch.run(index, settings, progress=False), flush=True)
"""
# Of a hundred URLs some misbehave; the others are good.
_ODD = (
    "burst", "burst", "limited", "short", "short", "norange", "changed", "changed",
    "liar", "redirect", "redirect",
)  # fmt: skip
_BAD = (
    "to", "to", "html", "empty", "bomb", "torn", "noai", "private", "gone", "loop",
    "huge", "gzip",
)  # fmt: skip
_BAD_ONCE = ("cut", "broken", "garbage")
_SLOW = (
    "drip",
    "hang",
    "slowhead",
)  # cost all their deadlines: in long runs only


def urls(server: HostileServer, count: int) -> list[str]:
    """So many good URLs among bad ones."""
    paths = []
    for number in range(count):
        odd = number % 100 < len(_ODD)
        paths.append(f"{_ODD[number % 100] if odd else 'good'}/{number}.jpg")
        if number % 100 < len(_BAD):
            paths.append(f"{_BAD[number % 100]}/{number % 2}/{number}")
    paths += [f"{name}/1" for name in _BAD_ONCE + _SLOW * (count > 1000)]
    rng = random.Random(1)
    rng.shuffle(paths)
    return [server.url(path, rng.choice(NAMES)) for path in paths]


def start(
    folder: Path, server: HostileServer, pace: float = 0.0, file_limit: int = 0
) -> subprocess.Popen:
    """A process that fetches `folder`/urls.txt, which must be there."""
    command = [
        sys.executable, "-c", _FETCH, str(folder), str(folder / "urls.txt"), str(pace),
        str(file_limit), *server.hosts(*NAMES),
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@contextlib.contextmanager
def prepared(folder: Path, count: int) -> Iterator[tuple[HostileServer, HostileServer]]:
    """A server with a list of its URLs in `folder`, and one that is not to be asked."""
    folder.mkdir()
    with HostileServer() as server, HostileServer() as inner:
        server.targets = [inner.url("internal/1"), "http://169.254.169.254/internal"]
        server.retry_after = "1"
        (folder / "urls.txt").write_text("\n".join(urls(server, count)))
        yield server, inner


def killed(
    folder: Path, server: HostileServer, kills: int, pace: float, seed: int = 1
) -> str:
    """Kill a fetch so many times, then let it end; what it printed."""
    rng = random.Random(seed)
    for _ in range(kills):
        process = start(folder, server, pace)
        before = len(server.log)
        moment = time.monotonic() + rng.uniform(0.2, 1.0)
        # From the first request on, so that no kill meets a process that only starts.
        while len(server.log) == before and process.poll() is None:
            time.sleep(0.01)
            moment += 0.01
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return finished(start(folder, server, pace))


def finished(process: subprocess.Popen) -> str:
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    return out


def files(folder: Path, server: HostileServer) -> dict[str, str]:
    """{path of a URL: SHA-256 of its picture} for all that are there."""
    with Index(folder) as index:
        rows = {source.id: source for source in index.sources()}
    found = {}
    for path in (folder / "sources").iterdir():
        if path.is_file():
            source = rows[path.stem]
            assert source.status == "fetched", source
            name = source.source.split("/", 3)[-1]
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(found) == sum(row.status == "fetched" for row in rows.values())
    return found


def most_in_a_window(server: HostileServer, name: str, seconds: float) -> int:
    """Most requests that came to this name within so many seconds."""
    times, most, first = server.times(name), 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] > seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
