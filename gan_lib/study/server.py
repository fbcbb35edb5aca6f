"""The server of a preference study: one process, one file of votes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import threading

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from gan_lib.study.plan import Study
from gan_lib.study.votes import Votes
from gan_lib.study.web import application

_LARGEST_REQUEST = 10_000  # bytes; a vote has a hundred
_NO_TUNNEL = (
    "A public link goes through Gradio's server, and Gradio is not installed (Colab "
    'has it). Install it (pip install "gan_lib[demo]", in an environment of its own), '
    "or leave `share` away and use `network=True` in the classroom."
)


class Server:
    """A running study, in a thread of its own. Made by `serve`; also a context manager.

    Attributes:
        addresses: where the page is; the first one works on this computer.
    """

    def __init__(self, study: Study, votes: Votes, sockets: list, title: str) -> None:
        self._votes = votes
        self._loop = asyncio.new_event_loop()
        self.port = sockets[0].getsockname()[1]
        self.addresses = [f"http://127.0.0.1:{self.port}"]
        ready: list[HTTPServer] = []
        started = threading.Event()

        async def start() -> None:
            server = HTTPServer(
                application(study, votes, title), max_body_size=_LARGEST_REQUEST,
                idle_connection_timeout=60, body_timeout=20,
            )  # fmt: skip
            server.add_sockets(sockets)
            ready.append(server)
            started.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, name="study", daemon=True)
        self._thread.start()
        started.wait()
        self._server = ready[0]

    def stop(self) -> None:
        """End the page; all votes are in the file. Twice does no harm."""
        if not self._thread.is_alive():
            return

        async def close() -> None:
            self._server.stop()
            await self._server.close_all_connections()
            self._votes.close()
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(close(), self._loop)
        self._thread.join(10)

    def wait(self) -> None:
        """Until Ctrl+C."""
        with contextlib.suppress(KeyboardInterrupt):
            while self._thread.is_alive():
                self._thread.join(1)
        self.stop()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Vote at {' or '.join(self.addresses)}"


def serve(
    study: Study,
    votes: str | os.PathLike = "votes.sqlite",
    *,
    title: str = "Which picture is best?",
    port: int = 8000,
    network: bool = False,
    share: bool = False,
) -> Server:
    """Open the page of a study; returns at once, the page runs until `.stop()`.

    In Colab it appears below the cell, for you alone: Colab's proxy knows only the
    owner of the notebook. A class votes there through `share`.

    Args:
        study: pictures and settings.
        votes: SQLite file; one that holds votes of this study is continued.
        title: above the page.
        port: 0 for any that is free.
        network: open to other devices of the same network (anyone there may vote);
            otherwise this computer only.
        share: make a public link with Gradio, where that is installed. Anyone with the
            link may vote, and all that voters see passes through Gradio's server.
    Returns: Server.
    Raises: OSError when the port is taken, the file cannot be written or there is no
        public link; ValueError when the file holds other votes; NotInstalled for
        `share` without Gradio.
    """
    sockets = _sockets(port, "0.0.0.0" if network else "127.0.0.1")
    try:
        server = Server(study, Votes(votes, study), sockets, title)
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    try:
        if network:
            server.addresses.append(f"http://{_own_address()}:{server.port}")
        if share:
            server.addresses.append(_public_link(server.port))
    except BaseException:
        server.stop()
        raise
    print(server, flush=True)
    if "google.colab" in sys.modules:
        from google.colab import output

        output.serve_kernel_port_as_iframe(server.port, height=900)
    return server


class NotInstalled(Exception):
    """Gradio is missing; the text says what to do."""


def _sockets(port: int, host: str) -> list:
    try:
        return bind_sockets(port, host, family=socket.AF_INET)
    except OSError as error:
        raise OSError(
            f"Port {port} is taken by another program or not allowed. Choose another "
            "one, for instance 8001, or 0 for any that is free. A study that still "
            "runs in this notebook ends with `.stop()`."
        ) from error


def _own_address() -> str:
    """This computer's address in the local network; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostname()


def _public_link(port: int) -> str:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "0"  # read when Gradio is imported
    try:
        from gradio.networking import setup_tunnel
    except ImportError as error:
        raise NotInstalled(_NO_TUNNEL) from error
    try:
        return setup_tunnel("127.0.0.1", port, secrets.token_urlsafe(32), None, None)
    except Exception as error:  # whatever the network does
        raise OSError(
            f"Gradio's server gave no public link ({error}). Try again, or leave "
            "`share` away and use `network=True` in the classroom."
        ) from error
