"""One request for one file: the only place that talks to the network.

The client believes nothing. It connects to the address that was checked, under a total
deadline, stops at the limit of bytes whatever length was promised, looks at the first
bytes instead of the Content-Type, and does not follow redirects: a redirect is an
answer, and asking on is up to the caller, who checks the new address and its rules.
Proxies, cookies and stored passwords play no part.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import certifi
import urllib3
import urllib3.connection
import urllib3.exceptions
import urllib3.util

from data_prep.decode import Unusable, check_signature
from data_prep.fetching import addresses
from data_prep.fetching.answers import Answer, explain, goes_on, is_full, judged
from data_prep.fetching.partial import Origin, Partial

CONNECT_S = 10.0
READ_S = 30.0
_CHUNK = 1 << 16
_TICK_S = 0.25
_HEAD = 16  # bytes that tell what a file is
_COMPRESSED = "sent compressed, although plain bytes were asked for"
_local = threading.local()


@dataclass(eq=False)
class _Watch:
    """One request under way, and when it has to be over."""

    ends: float
    sock: socket.socket | None = None
    over: bool = False

    def takes(self, sock: socket.socket | None) -> None:
        self.sock = sock
        self.check()

    def check(self) -> None:
        if self.over:
            raise TimeoutError

    def cut(self) -> None:
        self.over = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                # Past any TLS layer, which belongs to the thread that reads from it.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class _Watched:
    """A connection that tells the watchdog of its thread which socket it uses."""

    def connect(self):
        super().connect()
        _local.watch.takes(self.sock)

    def request(self, *args, **values):
        _local.watch.takes(self.sock)
        super().request(*args, **values)


class _Connection(_Watched, urllib3.connection.HTTPConnection):
    pass


class _SecureConnection(_Watched, urllib3.connection.HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


@dataclass
class Client:
    """Asks for files; to be used in `with`. Its methods may be called by any thread.

    Args:
        user_agent: who asks.
        deadline_s: seconds for one request, from the first byte to the last.
        max_bytes: a longer body is refused.
        allow_hosts: see `addresses.resolve`.
    """

    user_agent: str
    deadline_s: float = 60.0
    max_bytes: int = 25_000_000
    allow_hosts: Collection[str] = ()
    connections: int = 16
    _watches: list[_Watch] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Client:
        context = urllib3.util.create_urllib3_context()
        context.load_default_certs()
        context.load_verify_locations(certifi.where())
        self._secure = {"ssl_context": context, "cert_reqs": ssl.CERT_REQUIRED}
        self._pools = urllib3.PoolManager(
            num_pools=2 * self.connections, maxsize=self.connections
        )
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        threading.Thread(target=self._watchdog, daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self._stop.set()
        for watch in list(self._watches):
            watch.cut()
        self._pools.clear()

    def _watchdog(self) -> None:
        # A time-out on the socket starts anew with every byte, so a server that sends
        # one byte a second would never meet it.
        while not self._stop.wait(_TICK_S):
            now = time.monotonic()
            for watch in list(self._watches):
                if now > watch.ends:
                    watch.cut()

    def text(self, url: str, limit: int, spent_s: float = 0.0) -> Answer:
        """Ask for a small text; what is longer than `limit` bytes is cut."""

        def body(response, address) -> Answer:
            if _compressed(response.headers):
                return Answer("failed", _COMPRESSED)
            data = b""
            for chunk in _pieces(response):
                data += chunk
                if len(data) > limit:
                    break
            _local.watch.check()
            return Answer("body", status=response.status, text=data[:limit])

        return self._ask(url, {"Accept-Encoding": "identity"}, body, spent_s, False)

    def download(
        self,
        url: str,
        partial: Partial,
        conditions: Mapping[str, str] | None = None,
        spent_s: float = 0.0,
    ) -> Answer:
        """Ask for a picture and store it, going on where it was cut.

        Args:
            url: http or https.
            partial: where the bytes go; whole when the answer is a "body".
            conditions: If-None-Match, If-Modified-Since; {} to get it in any case.
            spent_s: of the deadline, by earlier redirects.
        Raises: OSError when the disk is full.
        """
        # Compressed bytes could grow without end, and pictures gain nothing from it.
        headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
        origin, have = partial.resumable()
        if origin is not None and origin.url == url and have < self.max_bytes:
            headers |= {"Range": f"bytes={have}-", "If-Range": origin.validator}
        else:
            have = 0
            headers |= conditions or {}

        def body(response, address) -> Answer:
            return self._store(response, address.url, partial, have, origin)

        answer = self._ask(url, headers, body, spent_s, True)
        if answer.status == 416:  # the file there has become shorter than our part
            partial.remove()
        return answer

    def _ask(
        self, url: str, headers: dict, body, spent_s: float, picture: bool
    ) -> Answer:
        ends = time.monotonic() + self.deadline_s - spent_s
        watch = _local.watch = _Watch(ends)
        self._watches.append(watch)
        try:
            address = addresses.parse(url)
            with contextlib.closing(self._open(address, headers)) as response:
                watch.check()
                return judged(response, url, picture=picture) or body(response, address)
        except Unusable as error:
            if watch.over:  # it was cut, so it is no wonder that it looks wrong
                return Answer("failed", self._late(watch))
            return Answer("refused", str(error))
        except (urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
            return Answer("failed", self._late(watch) or explain(error))
        except (OSError, ValueError) as error:
            if is_full(error):
                raise
            return Answer("failed", self._late(watch) or explain(error))
        finally:
            self._watches.remove(watch)

    def _late(self, watch: _Watch) -> str:
        return f"too slow: not done after {self.deadline_s:g} s" if watch.over else ""

    def _open(self, address: addresses.Address, headers: dict):
        name = address.host.strip("[]")
        secure = self._secure | {"server_hostname": name, "assert_hostname": name}
        found = addresses.resolve(address, self.allow_hosts)
        for number, ip in enumerate(found[:3], start=1):
            pool = self._pools.connection_from_host(
                ip, address.port, address.scheme,
                pool_kwargs=secure if address.scheme == "https" else None,
            )  # fmt: skip
            try:
                return pool.urlopen(
                    "GET",
                    address.target,
                    headers={"Host": address.authority, "User-Agent": self.user_agent}
                    | headers,
                    timeout=urllib3.Timeout(
                        connect=min(CONNECT_S, self.deadline_s),
                        read=min(READ_S, self.deadline_s),
                    ),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
            except (
                urllib3.exceptions.NewConnectionError,
                urllib3.exceptions.ConnectTimeoutError,
            ):
                if number == len(found[:3]):
                    raise
        raise AssertionError("resolve gives at least one address")

    def _store(
        self, response, url: str, partial: Partial, have: int, origin: Origin | None
    ) -> Answer:
        headers = response.headers
        if _compressed(headers):
            raise Unusable(_COMPRESSED)
        if response.status == 206:
            if not goes_on(headers, have, origin):
                partial.remove()
                return Answer("failed", "sent another part of the file than asked for")
            file = partial.go_on()
        else:
            have, sized = 0, "Content-Length" in headers or response.chunked
            marks = (headers.get("ETag", ""), headers.get("Last-Modified", ""))
            file = partial.start(Origin(url, *marks, bool(sized)))
        with file:
            for chunk in self._limited(response, have):
                file.write(chunk)
        _local.watch.check()  # when it is cut, a body of unknown length seems to end
        partial.finish()
        return Answer("body", status=response.status)

    def _limited(self, response, have: int) -> Iterator[bytes]:
        """The body in pieces; Unusable as soon as it cannot become a picture."""
        if have + int(response.length_remaining or 0) > self.max_bytes:
            raise Unusable(self._too_large())
        head, looked = b"", have > 0
        for chunk in _pieces(response):
            have += len(chunk)
            if have > self.max_bytes:
                raise Unusable(self._too_large())
            head += b"" if looked else chunk[:_HEAD]
            if not looked and len(head) >= _HEAD:
                check_signature(head)
                looked = True
            yield chunk
        if not looked:
            check_signature(head)

    def _too_large(self) -> str:
        return f"too large: more than {self.max_bytes / 1e6:,.3g} MB"


def _pieces(response) -> Iterator[bytes]:
    """The body as it comes: what came before a cut must not be lost with it."""
    while data := response.read1(_CHUNK, decode_content=False):
        yield data


def _compressed(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Encoding", "identity").lower() != "identity"
