"""Memory and processor time of a process and all below it (Linux)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path


class Watch:
    """What a process and all below it take, looked at 20 times a second.

    Attributes:
        resident: most memory in MB; pages that processes share count once for each.
        history: at every look MB, where such pages count once.
    """

    def __init__(self, process: subprocess.Popen):
        self.resident = 0.0
        self.history: list[float] = []
        self._ticks: dict[int, int] = {}
        self._process = process
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self._process.poll() is None:
            sums = {"Rss:": 0, "Pss:": 0}
            for number in _tree(self._process.pid):
                try:
                    stat = Path(f"/proc/{number}/stat").read_text()
                    own = stat.rpartition(")")[2].split()[11:13]
                    self._ticks[number] = sum(map(int, own))
                    lines = Path(f"/proc/{number}/smaps_rollup").read_text()
                except OSError:  # it has just ended
                    continue
                for line in lines.splitlines():
                    name, size, *_ = line.split()
                    if name in sums:
                        sums[name] += int(size)
            self.resident = max(self.resident, sums["Rss:"] / 1024)
            self.history.append(sums["Pss:"] / 1024)
            time.sleep(0.05)

    @property
    def proportional(self) -> float:
        """Most memory in MB; pages that processes share count once."""
        return max(self.history, default=0.0)

    def cpu_s(self) -> float:
        """Seconds of processor time, which other work on the machine hardly changes."""
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")


def _tree(root: int) -> list[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(
                path.read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            continue
    found = [root]
    for number in found:
        found += [child for child, parent in parents.items() if parent == number]
    return found
