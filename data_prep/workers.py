"""The same function for many tasks, in child processes that may fail one at a time.

Pictures from strangers are opened here: a child has a limit on its memory and each
task one on its time, so a file that crashes a decoder, fills the memory or hangs costs
that file and nothing else. Results come in the order of the tasks, whatever the number
of workers, and only a few tasks wait at a time, so memory stays flat.
"""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pebble

from data_prep.decode import Unusable

DEADLINE_S = 60.0
MEMORY_MB = 3_000
BATCH, BATCH_S = 32, 2.0  # results and seconds between two writings of the index
_WAITING = 4  # tasks in hand for each worker


@dataclass(frozen=True)
class Failure:
    """Why a task gave no result, in words for the manifest."""

    reason: str


def run(
    work: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    workers: int | str = 0,
    deadline_s: float = DEADLINE_S,
    memory_mb: int = MEMORY_MB,
) -> Iterator[tuple[Any, Any]]:
    """(task, result) for each task, in their order.

    A script that calls this (or a stage) does so below `if __name__ == "__main__":`,
    because each child reads the script again. A notebook needs no such line.

    Args:
        work: a function at the top level of a module, pure: its result depends on the
            task alone.
        tasks: whatever pickle can carry; taken only as fast as they are worked off.
        workers: child processes; 0: one for each core. The address of a Dask scheduler
            ("tcp://..."): that cluster does the work, see `data_prep.cluster`; the
            limits below are then its own.
        deadline_s: seconds for one task.
        memory_mb: address space of a child (where the system can limit it).
    Yields: the task and what `work` returned, or a `Failure` when it raised `Unusable`,
        ran out of time or memory, or took its process down. Any other exception of
        `work` is a fault of ours and is raised.
    """
    if isinstance(workers, str):
        from data_prep import cluster

        yield from cluster.run(work, tasks, workers)
        return
    workers = workers or cores()
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else None)
    pool = pebble.ProcessPool(
        workers, initializer=_limit, initargs=[memory_mb], context=context
    )
    waiting: collections.deque = collections.deque()
    try:
        for task in tasks:
            waiting.append((task, pool.schedule(work, [task], timeout=deadline_s)))
            if len(waiting) >= _WAITING * workers:
                task, future = waiting.popleft()
                yield task, _result(future, deadline_s)
        while waiting:
            task, future = waiting.popleft()
            yield task, _result(future, deadline_s)
        pool.close()
    finally:
        pool.stop()
        pool.join()


def batches(results: Iterable[Any]) -> Iterator[list]:
    """Results in lists to be written at once: few enough that a kill loses little."""
    batch: list = []
    last = time.monotonic()
    for result in results:
        batch.append(result)
        if len(batch) >= BATCH or time.monotonic() - last > BATCH_S:
            yield batch
            batch, last = [], time.monotonic()
    yield batch


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limit(memory_mb: int) -> None:
    """In the child: bound its memory; leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _result(future: concurrent.futures.Future, deadline_s: float) -> Any:
    try:
        return future.result()
    except Unusable as error:
        return Failure(str(error))
    except concurrent.futures.TimeoutError:
        return Failure(f"too slow: it took more than {deadline_s:g} s")
    except MemoryError:
        return Failure("too large: not enough memory to work on it")
    except pebble.ProcessExpired as error:
        return Failure(f"crashed the decoder (exit code {error.exitcode})")
