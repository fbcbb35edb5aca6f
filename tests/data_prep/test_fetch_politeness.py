"""When a host is asked, and when not: with a clock on paper."""

import math
from email.utils import formatdate

import pytest

from data_prep.fetching.politeness import (
    Hosts,
    Request,
    Rules,
    again,
    backoff_s,
    opts_out,
    retry_after_s,
)
from data_prep.fetching.settings import FetchSettings


def _request(url: str) -> Request:
    return Request(url, url, url)


def _hosts(**values) -> Hosts:
    return Hosts(**{"per_host_s": 1.0, "per_host": 1, "now": 0.0} | values)


def _ask(hosts: Hosts, seconds: float, robots: str = "") -> list[tuple[float, str]]:
    """Take what is due in steps of 0.1 s; each answer comes at once."""
    taken = []
    for step in range(int(seconds * 10) + 1):
        now = step / 10
        while request := hosts.take(now):
            taken.append((now, request.url))
            hosts.done(request)
            if request.robots_for:
                hosts.set_rules(request.robots_for, Rules(robots, now))
    return taken


def test_one_request_a_second_for_each_host():
    hosts = _hosts()
    for number in range(5):
        hosts.add(_request(f"http://a.org/{number}"))
        hosts.add(_request(f"http://b.org/{number}"))
    taken = _ask(hosts, 10)
    for name in ("a.org", "b.org"):
        times = [now for now, url in taken if name in url]
        assert times == [1, 2, 3, 4, 5, 6]
        assert [url for _, url in taken if name in url][0].endswith("/robots.txt")


def test_ports_and_schemes_of_one_host_share_its_turn():
    hosts = _hosts()
    for url in ("http://a.org/1", "https://a.org/2", "http://a.org:8080/3"):
        hosts.add(_request(url))
    times = [now for now, _ in _ask(hosts, 20)]
    assert len(times) == 6  # three robots.txt
    assert min(b - a for a, b in zip(times, times[1:], strict=False)) >= 1


def test_one_connection_at_a_time():
    hosts = _hosts(per_host_s=0.0)
    hosts.set_rules("http://a.org", Rules("", 0.0))
    hosts.add(_request("http://a.org/1"))
    hosts.add(_request("http://a.org/2"))
    first = hosts.take(1.0)
    assert hosts.take(5.0) is None
    assert hosts.next_time() == math.inf
    hosts.done(first)
    assert hosts.take(5.0).url == "http://a.org/2"


@pytest.mark.parametrize(
    ("robots", "gap"),
    [
        ("User-agent: *\nCrawl-delay: 2.5", 2.5),
        ("User-agent: gan-data-prep\nCrawl-delay: 3\n\nUser-agent: *\nDisallow: /", 3),
        ("User-agent: *\nRequest-rate: 1/4", 4),
        ("User-agent: *\nCrawl-delay: 0.1", 1),
        ("User-agent: other\nCrawl-delay: 9", 1),
        ("<html>not a robots file \0 \xff</html>", 1),
    ],
)
def test_crawl_delay(robots, gap):
    hosts = _hosts()
    for number in range(3):
        hosts.add(_request(f"http://a.org/{number}"))
    times = [now for now, _ in _ask(hosts, 30, robots)]
    assert len(times) == 4
    assert times[-1] - times[-2] == pytest.approx(gap)


def test_robots_rules():
    hosts = _hosts()
    rules = "User-agent: *\nDisallow: /*?tags=\nDisallow: /p/\nAllow: /p/open"
    for path in ("p/1", "p/open/1", "posts?tags=a", "posts"):
        hosts.add(_request(f"http://a.org/{path}"))
    urls = {url for _, url in _ask(hosts, 30, rules)}
    assert urls == {f"http://a.org/{p}" for p in ("robots.txt", "p/open/1", "posts")}
    assert {r.url[13:] for r in hosts.refused} == {"p/1", "posts?tags=a"}


def test_rules_are_asked_for_again_after_a_day():
    hosts = _hosts()
    hosts.set_rules("http://a.org", Rules("", 0.0))
    hosts.add(_request("http://a.org/1"))
    request = hosts.take(24 * 3600.0 + 1)
    assert request.robots_for == "http://a.org"


def test_paused_host_waits_and_others_do_not():
    hosts = _hosts()
    for name in "ab":
        hosts.set_rules(f"http://{name}.org", Rules("", 0.0))
        hosts.add(_request(f"http://{name}.org/1"))
    hosts.pause("http://a.org/", 30.0)
    assert _ask(hosts, 40) == [(1, "http://b.org/1"), (30, "http://a.org/1")]


def test_give_up_returns_what_waits():
    hosts = _hosts()
    for number in range(3):
        hosts.add(_request(f"http://a.org/{number}"))
    assert len(hosts.give_up("http://a.org/")) == 3
    assert [url for _, url in _ask(hosts, 9)] in ([], ["http://a.org/robots.txt"])


def test_a_thousand_hosts_take_no_longer_than_their_turns():
    hosts = _hosts()
    for number in range(1000):
        hosts.set_rules(f"http://h{number}.org", Rules("", 0.0))
        for page in range(3):
            hosts.add(_request(f"http://h{number}.org/{page}"))
    assert len(_ask(hosts, 3)) == 3000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120), (" 0 ", 0), ("", None), ("soon", None), ("-5", None),
        ("1" * 5000, 1e9), (formatdate(1060, usegmt=True), 60),
        (formatdate(10, usegmt=True), 0), ("Fri, 99 Foo 2020 00:00:00 GMT", None),
        ("\u0661", None),
    ],
)  # fmt: skip
def test_retry_after(text, seconds):
    assert retry_after_s(text, 1000.0) == seconds


def test_backoff_grows_is_limited_and_repeats():
    request, waits = _request("http://a.org/1"), []
    for _ in range(12):
        request = again(request)
        waits.append(backoff_s(request, 2.0))
        assert waits[-1] == backoff_s(request, 2.0)
    for number, wait in enumerate(waits):
        assert 0.5 * min(60, 2 * 2**number) <= wait <= 1.5 * min(60, 2 * 2**number)
    assert backoff_s(again(_request("http://a.org/2")), 2.0) != waits[0]


@pytest.mark.parametrize(
    ("headers", "out"),
    [
        ({"X-Robots-Tag": "noai"}, True),
        ({"X-Robots-Tag": "noindex, NoImageAI"}, True),
        ({"X-Robots-Tag": "gan-data-prep: noai"}, True),
        ({"X-Robots-Tag": "otherbot: noai"}, False),
        ({"X-Robots-Tag": "noindex"}, False),
        ({"tdm-reservation": "1"}, True),
        ({"tdm-reservation": "0"}, False),
        ({}, False),
    ],
)
def test_opting_out(headers, out):
    assert bool(opts_out(headers)) is out


@pytest.mark.parametrize(
    "values",
    [
        {"contact": "a\r\nX-Evil: 1"},
        {"attempts": 0},
        {"per_host_seconds": -1.0},
        {"per_host_seconds": float("nan")},
        {"allow_hosts": "localhost:80"},
    ],
)
def test_settings_out_of_range(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        FetchSettings(**values)
