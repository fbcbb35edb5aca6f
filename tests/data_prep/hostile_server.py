"""A real HTTP server on loopback that misbehaves in every way a test asks for.

What a path does is told by the method `on_...` that its first part names. The first
number in a path chooses the picture, which is always the same. What was asked for, when
and under which name, is in `HostileServer.log`.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import re
import threading
import time
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = 96


class Hit(NamedTuple):
    """One request: when it came, the name it was sent to, and what it asked for."""

    time: float
    host: str
    path: str
    headers: dict


@functools.cache
def picture(number: int, kind: str = "JPEG", side: int = SIDE) -> bytes:
    """Bytes of the picture of this number, about 5 kB."""
    rng = np.random.default_rng(number)
    small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, kind, quality=95)
    return file.getvalue()


@functools.cache
def bomb() -> bytes:
    """A PNG of 169 million pixels in 21 kB."""
    file = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(file, "PNG")
    return file.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HostileServer

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        hit = Hit(time.time(), self.headers["Host"], self.path, dict(self.headers))
        with self.server.lock:
            self.server.log.append(hit)
            self.server.asked[self.path] += 1
            self.first = self.server.asked[self.path] == 1
        found = re.search(r"(\d+)", self.path)
        self.number = int(found[1]) if found else 0
        kind = self.path.split("/")[1].split(".")[0]
        with contextlib.suppress(OSError):
            getattr(self, f"on_{kind.replace('-', '_')}", self.on_nothing)()

    def answer(self, data: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        headers = {"Content_Length": str(len(data))} | headers
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)

    def cut(self, data: bytes, length: int, **headers: str) -> None:
        """Send `data`, promise more, and hang up."""
        self.close_connection = True
        self.answer(data, Content_Length=str(length), **headers)

    def drip(self, data: bytes) -> None:
        self.close_connection = True
        for k in range(len(data)):
            if self.server.closing.wait(self.server.drip_s):
                return
            self.wfile.write(data[k : k + 1])

    def on_robots(self) -> None:
        if self.server.robots_status == 302:
            self.answer(status=302, Location="/loop/1")
        else:
            self.answer(self.server.robots.encode(), self.server.robots_status)

    def on_good(self) -> None:
        kind = "PNG" if self.path.endswith(".png") else "JPEG"
        self.answer(picture(self.number, kind), Content_Type="text/html")

    on_private = on_internal = on_good

    def on_large(self) -> None:
        self.answer(picture(self.number % 32, side=512))

    def on_burst(self) -> None:
        """503 twice, then well."""
        self.on_good() if self.server.asked[self.path] > 2 else self.answer(status=503)

    def on_broken(self) -> None:
        self.answer(status=500)

    def on_limited(self) -> None:
        if self.first:
            self.answer(status=429, Retry_After=self.server.retry_after)
        else:
            self.on_good()

    def on_dated(self) -> None:
        if self.first:
            when = formatdate(time.time() + 2, usegmt=True)
            self.answer(status=503, Retry_After=when)
        else:
            self.on_good()

    def on_short(self) -> None:
        """Half of it, then whatever Range asks for."""
        self.resume(picture(self.number), '"same"', ranges=True)

    def on_norange(self) -> None:
        self.resume(picture(self.number), '"same"', ranges=False)

    def on_changed(self) -> None:
        """Another picture after the first request."""
        number = self.number + (0 if self.first else 1000)
        self.resume(picture(number), f'"{number}"', ranges=True)

    def on_liar(self) -> None:
        """Answers a Range with the wrong part."""
        if "Range" in self.headers:
            data = picture(self.number)
            where = f"bytes 0-{len(data) - 1}/{len(data)}"
            self.answer(data, 206, Content_Range=where, ETag='"same"')
        else:
            self.resume(picture(self.number), '"same"', ranges=False)

    def resume(self, data: bytes, etag: str, *, ranges: bool) -> None:
        start = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if self.first:
            self.cut(data[: len(data) // 2], len(data), ETag=etag)
        elif ranges and start and self.headers.get("If-Range") == etag:
            where = f"bytes {start[1]}-{len(data) - 1}/{len(data)}"
            self.answer(data[int(start[1]) :], 206, Content_Range=where, ETag=etag)
        else:
            self.answer(data, ETag=etag)

    def on_cut(self) -> None:
        data = picture(self.number)
        self.cut(data[: len(data) // 2], len(data))

    def on_unsized(self) -> None:
        """Half a picture, without saying how long it is."""
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        self.wfile.write(picture(self.number)[:2000])

    def on_etag(self) -> None:
        same = f'"{self.server.edition}"'
        if self.headers.get("If-None-Match") == same:
            self.answer(status=304)
        else:
            self.answer(picture(self.number + self.server.edition), ETag=same)

    def on_drip(self) -> None:
        data = picture(self.number)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.drip(data)

    def on_slowhead(self) -> None:
        self.drip(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1000)

    def on_hang(self) -> None:
        self.close_connection = True
        self.server.closing.wait(60)

    def on_huge(self) -> None:
        self.send_response(200)
        if "sized" in self.path:
            self.send_header("Content-Length", str(400_000_000))
        self.end_headers()
        self.close_connection = True
        block = picture(1) + bytes(1_000_000)
        for _ in range(400):
            self.wfile.write(block)
            self.server.sent += len(block)

    def on_redirect(self) -> None:
        self.answer(status=302, Location=f"/good/{self.number}.jpg")

    def on_loop(self) -> None:
        self.answer(status=302, Location=f"/loop/{self.number + 1}")

    def on_to(self) -> None:
        self.answer(status=307, Location=self.server.targets[self.number])

    def on_html(self) -> None:
        self.answer(
            b"<!DOCTYPE html><html>Please log in</html>", Content_Type="image/jpeg"
        )

    def on_svg(self) -> None:
        self.answer(b'<svg xmlns="http://www.w3.org/2000/svg"/>')

    on_empty = answer

    def on_small(self) -> None:
        self.answer(picture(1, side=8))

    def on_bomb(self) -> None:
        self.answer(bomb())

    def on_torn(self) -> None:
        """A picture that lacks its end, told as if it were whole."""
        self.answer(picture(self.number)[:2000])

    def on_gzip(self) -> None:
        data = gzip.compress(bytes(1_000_000))
        self.answer(data, Content_Encoding="gzip")

    def on_noai(self) -> None:
        self.answer(picture(self.number), X_Robots_Tag="noindex, noai")

    def on_noimageai(self) -> None:
        tag = "gan-data-prep: noimageai"
        self.answer(picture(self.number), X_Robots_Tag=tag)

    def on_otherbot(self) -> None:
        self.answer(picture(self.number), X_Robots_Tag="otherbot: noai")

    def on_gone(self) -> None:
        self.answer(status=410)

    def on_nothing(self) -> None:
        self.answer(b"no such thing", 404)

    def on_garbage(self) -> None:
        self.close_connection = True
        self.wfile.write(b"\0\1\2 this is not HTTP\r\n\r\n")


class HostileServer(ThreadingHTTPServer):
    """To be used in `with`; serves until the block ends.

    Attributes:
        log: every request. asked: how often each path was. sent: bytes of /huge.
        robots, robots_status: what /robots.txt answers.
        targets: where /to/0, /to/1 ... redirect.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.log: list[Hit] = []
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.sent, self.edition = 0, 1
        self.robots, self.robots_status = "User-agent: *\nDisallow: /private\n", 200
        self.retry_after, self.drip_s = "1", 0.2
        self.targets: list[str] = []

    def handle_error(self, *_) -> None:
        pass

    @property
    def port(self) -> int:
        return self.server_address[1]

    def url(self, path: str, name: str = "127.0.0.1") -> str:
        return f"http://{name}:{self.port}/{path}"

    def hosts(self, *names: str) -> tuple[str, ...]:
        return tuple(f"{name}:{self.port}" for name in names or ["127.0.0.1"])

    def times(self, host: str) -> list[float]:
        return sorted(hit.time for hit in self.log if hit.host.startswith(host))

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
