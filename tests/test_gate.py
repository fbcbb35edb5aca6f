"""The gate that compares ratios of two runs of `benchmarks/bench.py`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import gate
from record import COLUMNS


@pytest.fixture
def table(tmp_path):
    """Writes runs, each a {what: (ratio, low, high)}, and returns the file."""

    def write(*runs, devices=("one machine",) * 9):
        path = tmp_path / "results.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            for run, device in zip(runs, devices, strict=False):
                for what, (value, low, high) in run.items():
                    writer.writerow({
                        "benchmark": "bench ratio", "what": what, "value": value,
                        "note": f"{low:.3f} to {high:.3f}; 12 rounds", "device": device,
                    })  # fmt: skip
        return path

    return write


STEADY = {"pix2pix": (0.70, 0.69, 0.71), "DCGAN": (0.80, 0.79, 0.82)}


def test_equal_runs_pass(table, capsys):
    assert gate.main(table(STEADY, STEADY)) == 0
    assert "SLOWER" not in capsys.readouterr().out


def test_a_slower_step_is_named(table, capsys):
    path = table(STEADY, STEADY | {"pix2pix": (0.76, 0.75, 0.77)})
    assert gate.main(path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "SLOWER" in line] == [lines[0]]
    assert "+8.6 %" in lines[0]
    assert "pix2pix" in lines[0]


@pytest.mark.parametrize(
    "now", [(0.73, 0.72, 0.74), (0.76, 0.705, 0.80), (0.60, 0.59, 0.61)]
)
def test_small_noisy_and_faster_changes_pass(table, now):
    """Below 5 %; spreads that overlap; an improvement."""
    assert gate.main(table(STEADY, {"pix2pix": now})) == 0


def test_only_the_run_before_counts(table):
    slow = {"pix2pix": (0.9, 0.89, 0.91)}
    assert gate.main(table(STEADY, slow, slow)) == 0


def test_other_devices_are_not_compared(table, capsys):
    slow = {"pix2pix": (0.9, 0.89, 0.91)}
    assert gate.main(table(STEADY, slow, devices=("one machine", "another"))) == 0
    assert capsys.readouterr().out.count("measured once") == 3
