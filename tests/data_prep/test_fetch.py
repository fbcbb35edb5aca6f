"""The fetch stage against a server that misbehaves."""

import socket

import numpy as np
import pytest
from fetching_steps import QUICK, closed_port, fetch_paths
from hostile_server import HostileServer, picture
from PIL import Image

from data_prep import fetch, inputs
from data_prep.decode import decode_upright
from data_prep.fetching.settings import FetchSettings
from data_prep.index import Index
from data_prep.records import Source, source_id


@pytest.fixture(autouse=True)
def no_noise(monkeypatch):
    """The bomb is made here, and Pillow warns of it."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)


@pytest.fixture
def server():
    with HostileServer() as server:
        yield server


GOOD = {
    "good/1.jpg": 1,
    "good/2.png": 1,
    "burst/4": 3,  # 503, 503, 200
    "limited/6": 2,
    "dated/7": 2,
    "short/8": 2,
    "norange/9": 2,
    "liar/11": 3,  # the wrong part is thrown away and all of it asked for
    "redirect/17": 1,
    "otherbot/3": 1,
}
DROPPED = {
    "private/3.jpg": "robots.txt",
    "huge/sized/1": "too large",
    "huge/chunked/2": "too large",
    "loop/1": "redirected more than 5 times",
    "html.jpg": "not a picture",
    "svg": "not a picture",
    "empty": "empty file",
    "small": "too small",
    "bomb": "too large",
    "torn/18": "broken",
    "gzip": "compressed",
    "noai/1": "noai",
    "noimageai/2": "noimageai",
    "gone": "410",
    "missing": "404",
}
FAILED = {
    "broken/5": "500",
    "cut/12": "cut",
    "unsized/13": "no length was stated",
    "drip/14": "too slow",
    "slowhead/15": "too slow",
    "hang/16": "silent",
    "garbage/1": "broken answer",
}


def test_hostile_server(tmp_path, server):
    settings = {"attempts": 3, "connections": 24, "per_host_connections": 24}
    # What answers at all may take its time: on a busy machine, so may this process.
    patient = settings | {"deadline_s": 120.0}
    rows, counts = fetch_paths(tmp_path, server, *GOOD, *DROPPED, settings=patient)
    assert counts == {"fetched": len(GOOD), "dropped": len(DROPPED)}
    for path, tries in GOOD.items():
        assert rows[path].status == "fetched", rows[path]
        assert rows[path].attempts == tries
        assert (rows[path].width, rows[path].height) == (96, 96)
    failed, _ = fetch_paths(tmp_path, server, *FAILED, settings=settings)
    _hold_reasons(rows, DROPPED, "dropped")
    _hold_reasons(failed, FAILED, "failed")
    assert server.asked["/private/3.jpg"] == 0
    assert server.asked["/robots.txt"] == 1
    assert server.sent < 100_000_000  # hung up on 800 MB
    files = {path.name for path in (tmp_path / "sources").glob("*.png")}
    assert files == {f"{rows[path].id}.png" for path in GOOD}


def _hold_reasons(rows, reasons, status):
    for path, reason in reasons.items():
        assert rows[path].status == status, rows[path]
        assert reason in rows[path].reason or "trouble" in rows[path].reason


def test_pixels_are_kept_and_nothing_else(tmp_path, server):
    rows, _ = fetch_paths(tmp_path, server, "good/2.png")
    with Image.open(tmp_path / rows["good/2.png"].path) as image:
        assert not image.info
        np.testing.assert_array_equal(image, decode_upright(picture(2, "PNG")))


def test_resume_asks_for_the_rest_only(tmp_path, server):
    rows, _ = fetch_paths(tmp_path, server, "short/8")
    resumed = [hit for hit in server.log if hit.path == "/short/8"][1]
    assert resumed.headers["Range"] == f"bytes={len(picture(8)) // 2}-"
    assert resumed.headers["If-Range"] == '"same"'
    with Image.open(tmp_path / rows["short/8"].path) as image:
        np.testing.assert_array_equal(image, decode_upright(picture(8)))


@pytest.mark.parametrize("path", ["changed/10", "norange/1010", "liar/1010"])
def test_resume_of_another_file_starts_anew(tmp_path, server, path):
    rows, _ = fetch_paths(tmp_path, server, path)
    with Image.open(tmp_path / rows[path].path) as image:
        np.testing.assert_array_equal(image, decode_upright(picture(1010)))


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("inner", "forbidden address"),
        ("http://169.254.169.254/latest/meta-data", "forbidden address"),
        ("http://[::ffff:127.0.0.1]:80/", "forbidden address"),
        ("http://2130706433/", "forbidden address"),
        ("file:///etc/hostname", "not http or https"),
        ("ftp://example.org/a.png", "not http or https"),
        ("http://name:word@example.org/", "password"),
    ],
)
def test_redirects_to_inner_addresses(tmp_path, server, target, reason):
    with HostileServer() as inner:
        server.targets = [inner.url("internal/1") if target == "inner" else target]
        rows, _ = fetch_paths(tmp_path, server, "to/0")
        assert inner.log == []
    assert rows["to/0"].status == "dropped"
    assert reason in rows["to/0"].reason


def test_address_is_checked_once_and_used(tmp_path, server, monkeypatch):
    """A name that resolves to another address the second time gains nothing."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1", "127.0.0.1"])
    connected = []

    def resolve(host, port, *args, **kinds):
        ip = host if host[0].isdigit() else next(answers)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    def connect(address, *args, **kinds):
        connected.append(address[0])
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    with Index(tmp_path) as index:
        index.add(inputs.from_rows([{"url": "http://rebinding.example/a.png"}]))
        settings = FetchSettings(**QUICK | {"attempts": 2})
        fetch.run(index, settings, workers=1, progress=False)
        (row,) = index.sources()
    assert set(connected) == {"93.184.216.34"}
    assert "forbidden address" in row.reason


def test_ratings_are_left_out_unless_asked_for(tmp_path, server):
    columns = {"rating": "explicit"}
    rows, counts = fetch_paths(tmp_path, server, "good/1.jpg", columns=columns)
    assert counts == {"dropped": 1}
    assert rows["good/1.jpg"].reason == "rating: explicit"
    assert not server.log
    more = {"ratings": ("explicit",)}
    rows, counts = fetch_paths(tmp_path, server, "good/1.jpg", settings=more)
    assert counts == {"fetched": 1}
    rows, counts = fetch_paths(tmp_path, server, "good/1.jpg")
    assert counts == {"dropped": 1}
    assert not list((tmp_path / "sources").iterdir())


def test_checksums(tmp_path, server):
    import hashlib

    right = hashlib.sha256(picture(1)).hexdigest()
    rows, _ = fetch_paths(tmp_path, server, "good/1.jpg", columns={"sha256": right})
    assert rows["good/1.jpg"].source_sha256 == right
    rows, _ = fetch_paths(tmp_path, server, "good/2.jpg", columns={"sha256": "0" * 64})
    assert rows["good/2.jpg"].status == "dropped"
    assert "SHA-256" in rows["good/2.jpg"].reason


def test_refresh_asks_conditionally(tmp_path, server):
    rows, _ = fetch_paths(tmp_path, server, "etag/1")
    before = rows["etag/1"]
    rows, counts = fetch_paths(tmp_path, server, "etag/1", settings={"refresh": True})
    assert counts == {"unchanged": 1}
    assert rows["etag/1"] == before
    with Index(tmp_path) as index:
        index.update(before.id, detect_key="looked")
    server.edition = 2
    rows, counts = fetch_paths(tmp_path, server, "etag/1", settings={"refresh": True})
    assert counts == {"fetched": 1}
    assert rows["etag/1"].source_sha256 != before.source_sha256
    assert rows["etag/1"].detect_key == ""


def test_a_lost_picture_is_fetched_again(tmp_path, server):
    rows, _ = fetch_paths(tmp_path, server, "etag/1", "good/1.jpg")
    before = (tmp_path / rows["etag/1"].path).read_bytes()
    (tmp_path / rows["etag/1"].path).unlink()
    rows, counts = fetch_paths(tmp_path, server, "etag/1", "good/1.jpg")
    assert counts == {"fetched": 1}
    assert (tmp_path / rows["etag/1"].path).read_bytes() == before


def test_dropped_ones_rest_until_asked_for_again(tmp_path, server):
    fetch_paths(tmp_path, server, "missing", runs=2)
    assert server.asked["/missing"] == 1
    fetch_paths(tmp_path, server, "missing", settings={"again": True})
    assert server.asked["/missing"] == 2


def test_dry_run_changes_nothing(tmp_path, server):
    with Index(tmp_path) as index:
        index.add(inputs.from_rows([{"url": server.url("good/1.jpg")}]))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with Index(tmp_path, read_only=True) as index:
        counts = fetch.run(index, progress=False, dry_run=True)
    assert counts == {"to download": 1}
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert not server.log


@pytest.mark.parametrize("by", ["sha", "url", "host"])
def test_purged_ones_never_come_back(tmp_path, server, by):
    rows, _ = fetch_paths(tmp_path, server, "good/1.jpg", "good/2.jpg")
    row = rows["good/1.jpg"]
    mark = {"sha": row.source_sha256, "url": row.source, "host": "host:127.0.0.1"}[by]
    with Index(tmp_path) as index:
        index.purge(mark)
    rows, counts = fetch_paths(tmp_path, server)
    assert counts["purged"] == (2 if by == "host" else 1)
    assert "good/1.jpg" not in rows
    rows, _ = fetch_paths(tmp_path, server, "good/1.jpg")
    assert "good/1.jpg" not in rows
    assert not (tmp_path / row.path).exists()


def test_refused_connections_and_unknown_names(tmp_path):
    port = closed_port()
    with Index(tmp_path) as index:
        urls = [f"http://127.0.0.1:{port}/a.png", "http://name.invalid/a.png"]
        index.add(inputs.from_rows({"url": url} for url in urls))
        settings = FetchSettings(
            **QUICK | {"attempts": 2, "allow_hosts": (f"127.0.0.1:{port}",)}
        )
        counts = fetch.run(index, settings, workers=1, progress=False)
        reasons = [source.reason for source in index.sources()]
    assert counts == {"failed": 2}
    assert all("robots.txt cannot be read" in reason for reason in reasons)


def test_folder_and_zip_stay_where_they_are(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(picture(1))
    (folder / "b.jpg").write_bytes(picture(2)[:1000])
    (folder / "c.txt").write_bytes(b"")
    (folder / "d.jpg").symlink_to("nowhere")
    with Index(tmp_path / "out") as index:
        index.add(inputs.read(folder))
        counts = fetch.run(index, workers=1, progress=False)
        rows = {source.path or source.source: source for source in index.sources()}
    assert counts == {"fetched": 1, "dropped": 2}
    assert (rows["a.jpg"].width, rows["a.jpg"].origin) == (96, str(folder))
    assert rows["b.jpg"].status == rows["c.txt"].status == "dropped"
    assert rows["d.jpg"].reason == "a link that leads nowhere"


def test_user_agent_is_honest(tmp_path, server):
    fetch_paths(
        tmp_path, server, "good/1.jpg", settings={"contact": "mailto:me@here.org"}
    )
    agents = {hit.headers["User-Agent"] for hit in server.log}
    assert len(agents) == 1
    assert agents.pop().startswith("gan-data-prep/")
    assert all("(+mailto:me@here.org)" in h.headers["User-Agent"] for h in server.log)
    assert not any("Cookie" in hit.headers for hit in server.log)


def test_proxies_of_the_environment_are_ignored(tmp_path, server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    _, counts = fetch_paths(tmp_path, server, "good/1.jpg")
    assert counts == {"fetched": 1}


def test_source_id_is_that_of_the_url(tmp_path, server):
    rows, _ = fetch_paths(tmp_path, server, "good/1.jpg", "good/1.jpg#part")
    assert list(rows) == ["good/1.jpg"]
    assert rows["good/1.jpg"].id == source_id(server.url("good/1.jpg"))
    assert isinstance(rows["good/1.jpg"], Source)
