"""Downloads that arrived, looked at by child processes while others still come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from data_prep import workers
from data_prep.fetching import verify

_IDLE_S = 0.2


class Arrivals:
    """To be used in `with`; each task that was put in becomes an event.

    Args:
        events: gets (task, Picture or Failure, 0.0), or (None, exception, 0.0) when
            nothing more can be done.
        workers: child processes; 0: one for each core.
    """

    def __init__(self, events: queue.SimpleQueue, workers: int = 0):
        self._events, self._workers = events, workers
        self._tasks: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._closed = False
        self.open = 0  # tasks whose event was not taken yet; for the main thread

    def __enter__(self) -> Arrivals:
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._closed = True  # after Ctrl-C what waits is left for the next run
        self._tasks.put(None)
        self._thread.join()

    def put(self, task: verify.Task) -> None:
        self.open += 1
        self._tasks.put(task)

    def _run(self) -> None:
        try:
            for task, result in workers.run(
                verify.download, self._wait(), workers=self._workers
            ):
                if task is not None:
                    self._events.put((task, result, 0.0))
        except BaseException as error:
            self._events.put((None, error, 0.0))

    def _wait(self) -> Iterator[verify.Task | None]:
        while True:
            try:
                task = self._tasks.get(timeout=_IDLE_S)
            except queue.Empty:
                # Results come in order and some stay behind until more tasks follow:
                # a task without work pushes them on.
                if self.open:
                    yield None
                continue
            if task is None or self._closed:
                return
            yield task
