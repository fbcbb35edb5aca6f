"""The work of `data_prep.workers`, done by the machines of a Dask cluster.

Optional: `pip install distributed`. The work folder and the input must be on a disk
that all machines see under the same path. On one machine, to try it:

    from distributed import LocalCluster
    with LocalCluster(n_workers=2, host="127.0.0.1") as cluster:
        detect.run(index, workers=cluster.scheduler_address)
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from data_prep.decode import Unusable
from data_prep.workers import Failure

SHARD = 16  # tasks sent together
_WAITING = 4  # shards in hand for each worker


def run(
    work: Callable[[Any], Any], tasks: Iterable[Any], address: str
) -> Iterator[tuple[Any, Any]]:
    """(task, result) for each task, in their order, as `workers.run` yields them.

    A worker that dies is replaced by Dask and its tasks are done again; a task that
    takes workers down every time ends as a `Failure`.

    Args:
        work, tasks: see `workers.run`.
        address: of the scheduler, e.g. "tcp://127.0.0.1:8786".
    Raises: ModuleNotFoundError without `distributed`; OSError when no scheduler
        answers at `address`.
    """
    client = _connect(address)
    try:
        shards = iter(_cut(tasks, SHARD))
        window = _WAITING * max(1, len(client.scheduler_info()["workers"]))
        waiting: collections.deque = collections.deque()
        while True:
            for shard in itertools.islice(shards, window - len(waiting)):
                waiting.append((shard, _submit(client, work, shard)))
            if not waiting:
                return
            yield from _collect(client, work, *waiting.popleft())
    finally:
        client.close()


def _connect(address: str):
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Work on a cluster needs Dask: pip install distributed. Without it, give "
            "`workers` a number: that many processes of this machine are used."
        ) from error
    return Client(address, set_as_default=False)


def _cut(tasks: Iterable[Any], size: int) -> Iterator[list]:
    tasks = iter(tasks)
    while shard := list(itertools.islice(tasks, size)):
        yield shard


def _submit(client, work, shard: list):
    # Equal tasks are separate tasks: a result may be a file that was deleted since.
    return client.submit(_do_shard, work, shard, pure=False)


def _do_shard(work: Callable[[Any], Any], shard: list) -> list:
    return [_do(work, task) for task in shard]


def _do(work: Callable[[Any], Any], task: Any) -> Any:
    try:
        return work(task)
    except Unusable as error:
        return Failure(str(error))
    except MemoryError:
        return Failure("too large: not enough memory to work on it")


def _collect(client, work, shard: list, future) -> Iterator[tuple[Any, Any]]:
    from distributed.scheduler import KilledWorker

    try:
        yield from zip(shard, future.result(), strict=True)
    except KilledWorker:
        if len(shard) == 1:
            yield shard[0], Failure("crashed the decoder on several machines")
            return
        for task in shard:  # one of them is to blame: each on its own
            yield from _collect(client, work, [task], _submit(client, work, [task]))
