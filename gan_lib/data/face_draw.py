"""Draw many faces, on one core or several, always the same bytes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import numpy as np
from tqdm.auto import tqdm

from gan_lib.data import face_law, face_render

CHUNK = 32  # faces a request
SERIAL_BELOW = 200  # so few faces are drawn before a second process has started


def draw_range(
    kind: str, style: str, split: str, seed: int, size: int, start: int, stop: int
) -> np.ndarray:
    """Faces start .. stop - 1 as uint8 (stop - start, size, size, channels)."""
    shape = (stop - start, size, size, face_render.CHANNELS[kind])
    faces = np.empty(shape, np.uint8)
    for index in range(start, stop):
        row = face_law.sample(style, split, seed, index)
        faces[index - start] = face_render.draw(kind, style, row, size)
    return faces


def draw_all(
    kind: str, style: str, split: str, seed: int, size: int, n: int,
    *, workers: int | None = None, progress: bool = True,
) -> np.ndarray:  # fmt: skip
    """Faces 0 .. n - 1, drawn by `workers` processes (None: one a core).

    Returns: uint8 (n, size, size, channels of `kind`); the number of workers does
        not change a byte.
    Raises: RuntimeError if a worker process dies.
    """
    if workers is None:
        workers = 1 if n < SERIAL_BELOW else min(len(_cores()), 16)
    faces = np.empty((n, size, size, face_render.CHANNELS[kind]), np.uint8)
    chunks = [(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    what = {"images": "faces", "line": "line art", "labels": "label maps"}[kind]
    with tqdm(
        total=n, desc=f"drawing {what}", unit="img", disable=not progress, leave=False
    ) as bar:
        if workers == 1:
            for start, stop in chunks:
                part = draw_range(kind, style, split, seed, size, start, stop)
                faces[start:stop] = part
                bar.update(stop - start)
        else:
            arguments = (kind, style, split, str(seed), str(size))
            _draw_parallel(faces, chunks, arguments, workers, bar)
    return faces


def _cores() -> range | set[int]:
    if hasattr(os, "sched_getaffinity"):  # Linux: the cores this program may use
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _draw_parallel(
    faces: np.ndarray, chunks: list, arguments: tuple, workers: int, bar: tqdm
) -> None:
    """Hand out chunks to worker processes, one thread each, and collect them."""
    todo, failures = iter(chunks), []
    lock = threading.Lock()  # guards `todo` and the bar

    def serve(process: subprocess.Popen) -> None:
        requests = cast(io.BufferedWriter, process.stdin)
        try:
            while not failures:
                with lock:
                    start, stop = next(todo, (0, 0))
                if start == stop:
                    return
                requests.write(b"%d %d\n" % (start, stop))
                requests.flush()
                _receive(process, faces[start:stop])
                with lock:
                    bar.update(stop - start)
        except (OSError, RuntimeError) as error:
            failures.append(error)

    worker = str(Path(__file__).with_name("face_worker.py"))
    command, pipe = [sys.executable, worker, *arguments], subprocess.PIPE
    processes = []
    try:
        for _ in range(min(workers, len(chunks))):
            processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe))
        threads = [threading.Thread(target=serve, args=(p,)) for p in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    if failures:
        raise RuntimeError(
            "A process that draws faces stopped early; its own message stands above. "
            "Try workers=1 to draw in this process."
        ) from failures[0]


def _receive(process: subprocess.Popen, part: np.ndarray) -> None:
    pixels = cast(io.BufferedReader, process.stdout)
    view = memoryview(part).cast("B")
    done = 0
    while done < len(view):
        count = pixels.readinto(view[done:])
        if not count:
            raise RuntimeError("the worker closed its output")
        done += count
