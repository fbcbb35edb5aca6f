"""Fetching from a server that misbehaves: kills, memory and speed.

    python benchmarks/fetching.py  # 2,000 pictures, 30 kills, then the speed
    python benchmarks/fetching.py --peers DIR  # with gallery-dl, img2dataset in DIR/bin

Everything runs on loopback. The kills are real (SIGKILL), the memory is that of the
whole process tree, and the speed is measured with the limits for hosts switched off.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "data_prep")]

import killed_fetches  # noqa: E402
from process_tree import Watch  # noqa: E402
from record import record  # noqa: E402

PACE_S = 0.01
_SERVE = """
import sys
from hostile_server import HostileServer, picture
for number in range(32):
    picture(number, side=512)
with HostileServer() as server:
    server.robots = ""
    print(server.port, flush=True)
    sys.stdin.read()
"""
_FETCH = """
import sys
from data_prep import fetch, inputs
from data_prep.fetching.settings import FetchSettings
from data_prep.index import Index
with Index(sys.argv[1]) as index:
    index.add(inputs.read(sys.argv[2]))
    print(fetch.run(index, FetchSettings(
        per_host_seconds=0.0, per_host_connections=32, connections=32,
        allow_hosts=(sys.argv[3],)), progress=False))
"""


def kills(count: int, times: int) -> None:
    """The same list fetched without and with kills."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "unbroken"
        with killed_fetches.prepared(folder, count) as (server, _):
            began = time.monotonic()
            process = killed_fetches.start(folder, server, PACE_S)
            watch = Watch(process)
            print(killed_fetches.finished(process))
            record("fetching", "unbroken run", time.monotonic() - began, "s")
            unbroken = killed_fetches.files(folder, server)
        record("fetching", "peak memory, sum of resident", watch.resident, "MB")
        record("fetching", "peak memory, shared once", watch.proportional, "MB")
        folder = Path(place) / "killed"
        with killed_fetches.prepared(folder, count) as (server, inner):
            killed_fetches.killed(folder, server, times, PACE_S)
            found = killed_fetches.files(folder, server)
        note = f"{count} good ones, {times} kills"
        same = sum(found.get(name) == digest for name, digest in unbroken.items())
        record("fetching", "files as in the unbroken run", same, "files", note)
        record("fetching", "files beyond them", len(found) - same, "files", note)
        forbidden = len(inner.log) + sum("private" in p for p in server.asked)
        record("fetching", "forbidden requests", forbidden, "requests", note)
        robots = server.asked["/robots.txt"]
        record("fetching", "robots.txt asked for", robots, "times", "2 hosts")
        most = max(
            killed_fetches.most_in_a_window(server, name, 1.0)
            for name in killed_fetches.NAMES
        )
        limit = f"limit {1 / PACE_S:g}"
        record("fetching", "most requests to a host in a second", most, "", limit)


def speed(count: int, peers: Path | None) -> None:
    """Pictures per second of 512 px, ours and other programs', start included."""
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE], cwd=ROOT / "tests" / "data_prep",
        env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdout
    host = f"127.0.0.1:{server.stdout.readline().strip()}"
    with tempfile.TemporaryDirectory() as place:
        urls = Path(place) / "urls.txt"
        urls.write_text("".join(f"http://{host}/large/{k}.jpg\n" for k in range(count)))
        ours = [sys.executable, "-c", _FETCH, f"{place}/ours", str(urls), host]
        _timed("pictures per second, data_prep", count, ours, f"{place}/ours")
        if peers:
            one = [f"{peers}/bin/gallery-dl", "-q", "-D", f"{place}/g", "-i", str(urls)]
            _timed("pictures per second, gallery-dl", count, one, f"{place}/g")
            two = [
                f"{peers}/bin/img2dataset", "--url_list", str(urls),
                "--output_folder", f"{place}/i", "--processes_count", "2",
                "--thread_count", "16", "--resize_mode", "no",
                "--output_format", "files",
                "--number_sample_per_shard", "250",
            ]  # fmt: skip
            _timed("pictures per second, img2dataset", count, two, f"{place}/i")
    server.communicate("")


def _timed(what: str, count: int, command: list[str], folder: str) -> None:
    if not Path(command[0]).exists():
        print(f"{what}: {command[0]} is not installed, left out")
        return
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    watch = Watch(process)
    out = process.communicate()[0]
    seconds = time.monotonic() - began
    got = sum(p.suffix in (".png", ".jpg") for p in Path(folder).rglob("*.*"))
    if got != count:
        print(f"{what}: {got} of {count} pictures came\n{out[-2000:]}")
    note = f"{got} of 512 px in {seconds:.1f} s, {watch.resident:.0f} MB"
    record("fetching", what, got / seconds, "1/s", note)
    each = what.replace("pictures per second", "processor time for a picture")
    record("fetching", each, 1000 * watch.cpu_s() / got, "ms", note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--only", choices=["kills", "speed"])
    parser.add_argument("--peers", type=Path, help="venv with the other programs")
    arguments = parser.parse_args()
    if arguments.only != "speed":
        kills(arguments.count, arguments.kills)
    if arguments.only != "kills":
        speed(arguments.count, arguments.peers)


if __name__ == "__main__":
    main()
