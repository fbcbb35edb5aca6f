"""Has a training step become slower? The last two runs of `bench.py`, ratio by ratio.

    python benchmarks/gate.py

Reads `results.csv`. A ratio (ours against Keras's kernels, a tutorial, PyTorch) of the
newest run is compared with the same one of the run before on the same device and
versions of the other side: seconds would change with the machine, ratios do not. One
that is more than 5 % larger, and further away than both runs' middle halves reach, is
named, and the exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from record import RESULTS, rows

ALLOWED = 1.05


def pairs(table: Iterable[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """{ratio and device: its last two rows}; a ratio measured once has one row."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in table:
        if row["benchmark"] == "bench ratio":
            name = f"{row['what']} ({row['device']}, {row['versions']})"
            found[name] = [*found.get(name, [])[-1:], row]
    return found


def slower(before: dict[str, str], now: dict[str, str]) -> bool:
    """Is the ratio worse by more than 5 % and by more than the rounds' spread?"""
    ratio = float(now["value"]) / float(before["value"])
    return ratio > ALLOWED and spread(now)[0] > spread(before)[1]


def spread(row: dict[str, str]) -> tuple[float, float]:
    """The middle half of a run's ratios, noted as "0.61 to 0.64; 12 rounds"."""
    low, _, high = row["note"].partition(";")[0].partition(" to ")
    return float(low), float(high)


def main(path: Path = RESULTS) -> int:
    found = pairs(rows(path))
    bad = 0
    for name, runs in found.items():
        before, now = runs[0], runs[-1]
        change = 100 * (float(now["value"]) / float(before["value"]) - 1)
        verdict = "measured once" if len(runs) == 1 else f"{change:+.1f} %"
        if len(runs) == 2 and slower(before, now):
            verdict, bad = f"{verdict}  SLOWER", bad + 1
        print(f"{float(now['value']):7.3f}  {verdict:16}  {name}")
    if bad:
        print(
            f"{bad} of {len(found)} ratios became worse. If the machine was busy, run "
            "benchmarks/bench.py again; if it is meant, say why in CHANGELOG.md."
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
