"""Which addresses may be asked."""

import socket

import pytest

from data_prep.decode import Unusable
from data_prep.fetching import addresses

INNER = [
    "127.0.0.1",
    "127.255.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:0:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
]
PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::",
]


@pytest.mark.parametrize("ip", INNER)
def test_inner_addresses_are_refused(ip):
    assert not addresses.is_public(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses_are_allowed(ip):
    assert addresses.is_public(ip)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://0/",
        "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/",
        "http://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/",
    ],
)  # fmt: skip
def test_spellings_of_inner_hosts(url):
    with pytest.raises((Unusable, OSError)):
        addresses.resolve(addresses.parse(url))


def test_one_inner_address_among_public_ones_is_enough(monkeypatch):
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80))
        for ip in ("8.8.8.8", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Unusable, match=r"10\.0\.0\.1, which is not on the public"):
        addresses.resolve(addresses.parse("http://two.example/"))


def test_allowed_host_holds_for_its_port_only():
    allowed = ("127.0.0.1:8001",)
    ask = addresses.parse("http://127.0.0.1:8001/a")
    assert addresses.resolve(ask, allowed) == ["127.0.0.1"]
    for url in (
        "http://127.0.0.1:8002/a",
        "http://127.0.0.1/",
        "http://localhost:8001",
    ):
        with pytest.raises(Unusable, match="forbidden address"):
            addresses.resolve(addresses.parse(url), allowed)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("HTTP://Example.ORG:80/a b?x=1#top", "http://example.org/a%20b?x=1"),
        ("https://example.org:443", "https://example.org/"),
        (" http://bücher.example/ä ", "http://xn--bcher-kva.example/%C3%A4"),
        ("http://h.org/a/../b", "http://h.org/b"),
        ("http://h.org:8080/%7Ea", "http://h.org:8080/~a"),
    ],
)
def test_urls_are_written_in_one_way(url, same):
    once = addresses.parse(url).url
    assert addresses.parse(once).url == once
    assert once.replace("%7E", "~") == same


@pytest.mark.parametrize(
    "url",
    [
        "", "a.png", "file:///etc/passwd", "ftp://h.org/a", "javascript:alert(1)",
        "data:image/png;base64,AAAA", "http://", "http:///a", "http://a b/",
        "http://h.org:99999/", "http://name:word@h.org/", "http://[::1/", "//h.org/a",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused(url):
    with pytest.raises(Unusable):
        addresses.parse(url)


def test_redirects_are_relative_to_where_they_are():
    base = "https://h.org/a/b.png"
    assert addresses.parse("../c.png", base).url == "https://h.org/c.png"
    assert addresses.parse("//g.org/c", base).url == "https://g.org/c"
    with pytest.raises(Unusable):
        addresses.parse("file:///etc/passwd", base)
