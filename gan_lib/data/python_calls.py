"""Calls of TensorFlow's threads into Python, and how a program ends in spite of them.

A Python that ends during such a call never ends: TensorFlow waits for its thread, the
thread for Python. So at exit we wait until the prefetched batches are made; then nobody
asks for another.
"""

from __future__ import annotations

import atexit
import functools
import threading
import time
from collections.abc import Callable

__all__ = ["counted", "wait"]

_lock = threading.Lock()
_running = 0
_last: float | None = None  # when a call began or ended


def counted(function: Callable) -> Callable:
    """`function`, whose calls are waited for when the program ends."""

    @functools.wraps(function)
    def call(*arguments):
        _count(1)
        try:
            return function(*arguments)
        finally:
            _count(-1)

    return call


def wait(quiet_s: float = 0.2, at_most_s: float = 10.0) -> None:
    """Return when no call ran for `quiet_s` seconds, at once if there never was one."""
    end = time.monotonic() + at_most_s
    while _last is not None and time.monotonic() < end:
        if not _running and time.monotonic() - _last > quiet_s:
            return
        time.sleep(0.02)


def _count(more: int) -> None:
    global _running, _last
    with _lock:
        _running += more
        _last = time.monotonic()


atexit.register(wait)
