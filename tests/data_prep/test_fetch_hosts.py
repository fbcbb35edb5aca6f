"""What hosts ask for, in robots.txt and by their answers, is done."""

import pytest
from fetching_steps import fetch_paths
from hostile_server import HostileServer


@pytest.fixture
def server():
    with HostileServer() as server:
        yield server


def test_robots_that_cannot_be_read_mean_not_now(tmp_path, server):
    server.robots_status = 500
    rows, counts = fetch_paths(tmp_path, server, "good/1.jpg", settings={"attempts": 2})
    assert counts == {"failed": 1}
    assert "robots.txt cannot be read: HTTP 500" in rows["good/1.jpg"].reason
    assert server.asked["/good/1.jpg"] == 0
    server.robots_status = 200
    _, counts = fetch_paths(tmp_path, server, "good/1.jpg")
    assert counts == {"fetched": 1}


@pytest.mark.parametrize("status", [302, 404, 403])
def test_no_robots_forbid_nothing(tmp_path, server, status):
    server.robots_status = status
    _, counts = fetch_paths(tmp_path, server, "private/1.jpg")
    assert counts == {"fetched": 1}


def test_robots_are_kept_for_the_next_run(tmp_path, server):
    fetch_paths(tmp_path, server, "good/1.jpg")
    fetch_paths(tmp_path, server, "good/2.jpg", "private/3.jpg")
    assert server.asked["/robots.txt"] == 1
    assert server.asked["/private/3.jpg"] == 0


def test_long_retry_after_is_left_for_another_run(tmp_path, server):
    server.retry_after = "3600"
    rows, counts = fetch_paths(tmp_path, server, "limited/1", "limited/2")
    assert counts == {"failed": 2}
    assert "asks to wait: 3600 s" in rows["limited/1"].reason or (
        "asks to wait: 3600 s" in rows["limited/2"].reason
    )
    asked = len(server.log)
    rows, counts = fetch_paths(tmp_path, server)
    assert counts == {"failed": 2}
    assert len(server.log) == asked  # the wish is remembered


def test_retry_after_pauses_the_whole_host(tmp_path, server):
    paths = ["limited/1", *(f"good/{n}.jpg" for n in range(8))]
    one = {"per_host_connections": 1}
    _, counts = fetch_paths(tmp_path, server, *paths, settings=one)
    assert counts == {"fetched": 9}
    refused = next(hit.time for hit in server.log if hit.path == "/limited/1")
    later = [hit.time for hit in server.log if hit.time > refused]
    assert min(later) - refused > 0.95


def test_a_host_in_trouble_is_left_alone(tmp_path, server):
    paths = [f"broken/{n}" for n in range(40)]
    rows, counts = fetch_paths(tmp_path, server, *paths)
    assert counts == {"failed": 40}
    assert len(server.log) < 60  # of 160 attempts
    assert any("host in trouble" in row.reason for row in rows.values())


def test_what_may_have_been_cut_is_asked_for_anew(tmp_path, server):
    fetch_paths(tmp_path, server, "unsized/1", runs=2)
    assert server.asked["/unsized/1"] == 2
