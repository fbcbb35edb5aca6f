"""Which addresses may be asked: public ones, over http and https.

A list of URLs comes from strangers, and so does every redirect. Without this check a
URL could make the program ask the router, a neighbour or the cloud's metadata service
and store what they answer. The name is resolved here, once, and the caller connects to
the very address that was checked: a name that changes its address in between (DNS
rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urljoin

import urllib3.exceptions
from urllib3.util import parse_url

from data_prep.decode import Unusable

_PORTS = {"http": 80, "https": 443}
# Addresses of this kind carry an IPv4 address in their last 32 bits.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
# Not for everyone, and not known as such to every Python that this must run on.
_INNER = [
    ipaddress.ip_network(block)
    for block in ("64:ff9b:1::/48", "3fff::/20", "5f00::/16", "192.0.0.0/24")
]


@dataclass(frozen=True)
class Address:
    """A URL taken apart: `url` is written in one way only, so that equals compare."""

    url: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The name and port as they stand in the Host header."""
        return (
            self.host
            if self.port == _PORTS[self.scheme]
            else f"{self.host}:{self.port}"
        )

    @property
    def origin(self) -> str:
        """Whose robots.txt counts."""
        return f"{self.scheme}://{self.authority}"


def parse(url: str, base: str = "") -> Address:
    """Take a URL apart.

    Args:
        url: as written in a list or in a Location header; spaces and letters beyond
            ASCII are encoded, the part after # is left out.
        base: the URL that a relative one starts from.
    Raises: Unusable unless it is http or https, with a host and no password.
    """
    url = url.strip()
    try:
        parts = parse_url(urljoin(base, url) if base else url)
    except (urllib3.exceptions.LocationParseError, ValueError, UnicodeError):
        raise Unusable(f"not a URL: {url[:200]!r}") from None
    if " " in (parts.host or ""):  # which older releases of urllib3 let through
        raise Unusable(f"not a URL: {url[:200]!r}")
    if parts.scheme not in _PORTS:
        raise Unusable(f"not http or https: {url[:200]!r}")
    if not parts.host:
        raise Unusable(f"a URL without a host: {url[:200]!r}")
    if parts.auth:
        raise Unusable(
            "a URL with a user name or password: these are never sent; remove them"
        )
    scheme, host = parts.scheme, parts.host
    port = parts.port or _PORTS[scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    made = Address("", scheme, host, port, target)
    return Address(f"{made.origin}{target}", scheme, host, port, target)


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the public internet."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and (int(address) < 1 << 32 or address in _TRANSLATED):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    if any(address in block for block in _INNER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def resolve(address: Address, allow_hosts: Collection[str] = ()) -> list[str]:
    """The IP addresses of a host, every one of them checked.

    Args:
        address: what is to be asked.
        allow_hosts: "name:port" pairs that may lie anywhere, for tests.
    Raises: Unusable when any of them is not public; OSError when there is none.
    """
    host = address.host.strip("[]")
    found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
    texts = list(dict.fromkeys(str(item[4][0]) for item in found))
    if f"{address.host}:{address.port}" in allow_hosts:
        return texts
    # One inner address is enough: which of several is used must not be left to luck.
    for text in texts:
        if not is_public(text):
            raise Unusable(
                f"forbidden address: {address.host}:{address.port} is {text}, which is "
                "not on the public internet"
            )
    return texts
