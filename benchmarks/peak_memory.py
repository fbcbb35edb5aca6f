"""The most memory a training step takes, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def resident(kind: str = "VmRSS") -> float:
    """MB of memory this process holds now; "VmHWM": at most; "RssAnon": without files.

    Not `resource.getrusage`: its maximum is that of the parent, where that was larger.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[kind].split()[0]) * 1024 / 1e6


def of_steps(gan, batch, steps: int) -> dict[str, float]:
    """What training takes, in this process.

    Args:
        gan: compiled; nothing of it has been traced.
        batch: as its `train_step` takes it.
        steps: after the first, which is not timed.
    Returns: "memory": the most MB this process held in the steps minus what it held
        before the first, which was traced by then; "seconds": the median of the later
        steps; "state": MB of all that a checkpoint holds.
    """
    import tensorflow as tf

    from gan_lib.session import state

    step = tf.function(gan.train_step).get_concrete_function(batch)
    Path("/proc/self/clear_refs").write_text("5")  # forget what building took
    before = resident()
    seconds = []
    for _ in range(1 + steps):
        begin = time.perf_counter()
        float(step(batch)["generator_loss"])  # waits for the step
        seconds.append(time.perf_counter() - begin)
    return {
        "memory": resident("VmHWM") - before,
        "seconds": float(np.median(seconds[1:] or seconds)),
        "state": sum(x.nbytes for x in state(gan).values()) / 1e6,
    }


def in_own_process(file: str, arguments: Sequence) -> dict:
    """The last line, JSON, of what `python FILE --only ARGUMENTS` prints.

    Raises: MemoryError when the process was denied memory, by a limit of its own or by
        the system; RuntimeError with its last words when it failed otherwise.
    """
    command = [sys.executable, file, "--only", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode == 0:
        return json.loads(ended.stdout.splitlines()[-1])
    denied = ("MemoryError", "ResourceExhausted", "bad_alloc", "Resource exhausted")
    if ended.returncode == -9 or any(word in ended.stderr for word in denied):
        raise MemoryError(" ".join(command))
    raise RuntimeError(f"{' '.join(command)} failed: {ended.stderr[-2000:]}")
