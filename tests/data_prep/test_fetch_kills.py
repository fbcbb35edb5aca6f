"""Kills, a full disk and Ctrl-C: the next run goes on and ends with the same files."""

import signal
import time

import pytest
from hostile_server import HostileServer
from killed_fetches import (
    NAMES,
    files,
    finished,
    killed,
    most_in_a_window,
    prepared,
    start,
)

from data_prep import fetch, inputs
from data_prep.fetching.settings import FetchSettings
from data_prep.index import Index

COUNT = 100
PACE_S = 0.02


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What a run ends with that nothing disturbs."""
    folder = tmp_path_factory.mktemp("fetch") / "unbroken"
    with prepared(folder, COUNT) as (server, _):
        finished(start(folder, server))
        return files(folder, server)


@pytest.mark.slow
def test_the_unbroken_run_has_all_good_ones(unbroken):
    assert len(unbroken) == COUNT
    assert not any("private" in name or "internal" in name for name in unbroken)


def _robots_txt_is_remembered(server):
    """A run killed before it has kept the answer asks again, but none does so once it
    has gone on to pictures."""
    for name in NAMES:
        paths = [hit.path for hit in server.log if hit.host.startswith(name)]
        first_picture = next(i for i, path in enumerate(paths) if "robots" not in path)
        assert first_picture > 0
        assert "/robots.txt" not in paths[first_picture:]


@pytest.mark.slow
def test_killed_five_times(tmp_path, unbroken):
    folder = tmp_path / "killed"
    with prepared(folder, COUNT) as (server, inner):
        killed(folder, server, 5, PACE_S)
        assert files(folder, server) == unbroken
        assert inner.log == []
        assert not any("private" in path for path in server.asked)
        _robots_txt_is_remembered(server)
        good = sum(n for path, n in server.asked.items() if path.startswith("/good"))
        assert good <= COUNT + 5 * 8 * len(NAMES)  # under way when it was killed
        for name in NAMES:
            assert most_in_a_window(server, name, 0.5) <= 0.5 / PACE_S + 4
    left = {path.name for path in (folder / "sources").iterdir() if path.is_file()}
    assert all(name.endswith(".png") and len(name) == 20 for name in left)


@pytest.mark.slow
def test_ctrl_c(tmp_path, unbroken):
    folder = tmp_path / "stopped"
    with prepared(folder, COUNT) as (server, _):
        process = start(folder, server, PACE_S)
        while len(server.log) < 40 or not list(folder.glob("sources/parts/*.whole")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.wait(timeout=20)
        assert time.monotonic() - began < 10
        assert "KeyboardInterrupt" in process.communicate()[1]
        asked = len([hit for hit in server.log if hit.path.startswith("/good")])
        finished(start(folder, server))
        assert files(folder, server) == unbroken
        again = len([hit for hit in server.log if hit.path.startswith("/good")])
        assert again <= COUNT + 16  # nothing that had come was asked for again
        assert asked > 0


@pytest.mark.slow
@pytest.mark.parametrize("limit", [3_000, 17_000])
def test_full_disk(tmp_path, unbroken, limit):
    """Stands in for a full disk: no file may be longer than the limit, and the system
    refuses to write more just as it does when there is no room."""
    folder = tmp_path / "full"
    with prepared(folder, COUNT) as (server, _):
        finished_early = start(folder, server, file_limit=limit)
        errors = finished_early.communicate()[1]
        assert finished_early.returncode != 0
        assert "no room" in errors.strip().splitlines()[-1]
        finished(start(folder, server))
        assert files(folder, server) == unbroken


def test_full_disk_while_downloading(tmp_path, monkeypatch):
    with HostileServer() as server, Index(tmp_path) as index:
        settings = FetchSettings(per_host_seconds=0.0, allow_hosts=server.hosts())
        index.add(inputs.from_rows([{"url": server.url("good/1.jpg")}]))

        def full(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("data_prep.fetching.partial.Partial.finish", full)
            with pytest.raises(OSError, match="no room"):
                fetch.run(index, settings, workers=1, progress=False)
        assert [source.status for source in index.sources()] == ["new"]
        counts = fetch.run(index, settings, workers=1, progress=False)
        assert counts == {"fetched": 1}
