"""Training steps side by side: ours, Keras's own kernels, tutorials' loops and PyTorch.

    python benchmarks/bench.py
    python benchmarks/bench.py --cases "DCGAN 64 px" --rounds 20 --no-torch

Each way of training is a process of its own. In every round each one does the same
number of steps, one after the other in random order; a ratio is the median over the
rounds of the ratio inside a round, so that a machine whose speed drifts favours none.
Recorded for each: milliseconds a step (and the middle half of the rounds), images a
second, the multiplications' GFLOP/s and their share of what the machine can do, the
most memory a TensorFlow process held, seconds of the first round with all that comes
once, and how long the step would wait for the next batch if none were prepared while it
trains. PyTorch, where it is installed, counts the multiplications.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from cases import CASES, Case
from peak import peaks
from record import record

OURS = (
    "ours, float32",
    "ours, float32, 1 thread an operation",
    "ours, mixed_bfloat16",
    "ours, mixed_bfloat16, 1 thread an operation",
)
KERAS = "Keras's kernels, float32"
TORCH = (
    "PyTorch, float32, contiguous",
    "PyTorch, float32, channels last",
    "PyTorch, bfloat16, contiguous",
    "PyTorch, bfloat16, channels last",
)
COMPILED = (  # with a C++ compiler, minutes a model
    "PyTorch, float32, channels last, compiled",
    "PyTorch, bfloat16, channels last, compiled",
)


class Worker:
    """A way of training in its own process, and what it says of itself."""

    def __init__(self, name: str, way: str, **settings: str):
        """`settings`: of the environment."""
        program = Path(__file__).with_name("bench_worker.py")
        settings |= {"GAN_TUNED": "0" if way == KERAS else "1"}
        self.printed: list[str] = []  # by libraries, since it was last asked
        self.process = subprocess.Popen(
            [sys.executable, program, name, way],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=os.environ | settings,
        )  # fmt: skip
        self.about = self._read()

    def run(self) -> float:
        """Seconds of one round."""
        self.printed.clear()
        self._stdin.write("run\n")
        self._stdin.flush()
        return self._read()["seconds"]

    def end(self) -> None:
        self._stdin.close()
        self.about |= self._read()
        self.process.wait()

    @property
    def _stdin(self):
        return self.process.stdin

    def _read(self) -> dict:
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
            self.printed.append(line)
        command = " ".join(map(repr, map(str, self.process.args)))
        raise RuntimeError(
            f"A way of training ended before its time. Run it by hand to see why:\n"
            f"{command}"
        )


def measure(name: str, case: Case, ways: list[str], rounds: int):
    """{way: seconds of a step in each round}, {way: what it said of itself}."""
    workers = {}
    for way in ways:
        try:
            workers[way] = Worker(name, way)
        except RuntimeError as error:
            print(f"{name}: {way}, left out. {error}", flush=True)
    times = {way: np.empty(rounds) for way in workers}
    order = np.random.default_rng(0)
    for number in range(rounds):
        for way in order.permutation(list(workers)):
            times[way][number] = workers[way].run() / case.steps
    for worker in workers.values():
        worker.end()
    return times, {way: worker.about for way, worker in workers.items()}


def report(name: str, case: Case, times: dict, abouts: dict, peak: dict) -> None:
    flops = max(about.get("flops", 0) for about in abouts.values()) / case.steps
    for way, seconds in times.items():
        about, step = abouts[way], float(np.median(seconds))
        low, high = 1000 * np.quantile(seconds, (0.25, 0.75))
        notes = [f"{low:.4g} to {high:.4g}", f"{case.batch / step:.4g} images/s"]
        if flops:
            fastest = peak["bfloat16" if "bfloat16" in way else "float32"]
            speed = flops / step / 1e9
            notes.append(f"{speed:.4g} GFLOP/s, {100 * speed / fastest:.3g} % of peak")
        if not way.startswith("PyTorch"):  # whose process holds TensorFlow as well
            notes.append(f"{about['memory']:.2f} GB")
        notes.append(f"first round {about['compile']:.3g} s")
        if "waiting" in about:
            share = 100 * about["waiting"] / step
            notes.append(f"at most {share:.2g} % waiting for data")
        record("bench", f"{name}: {way}", 1000 * step, "ms", "; ".join(notes))
    for base in bases(case, times):
        for way in times:
            if way.startswith("ours"):
                ratios = times[way] / times[base]
                low, high = np.quantile(ratios, (0.25, 0.75))
                note = f"{low:.3f} to {high:.3f}; {len(ratios)} rounds"
                what = f"{name}: {way} / {kind(base)}"
                record("bench ratio", what, float(np.median(ratios)), "", note)


def bases(case: Case, times: dict) -> list[str]:
    """What ours is compared with: Keras's kernels, the tutorial, the best PyTorch."""
    torch = [way for way in times if way.startswith("PyTorch")]
    fastest = sorted(torch, key=lambda way: np.median(times[way]))[:1]
    return [way for way in (KERAS, case.rival, *fastest) if way in times]


def kind(base: str) -> str:
    """PyTorch's fastest way may be another one in the next run: one name for it."""
    return "the fastest PyTorch" if base.startswith("PyTorch") else base


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--ways", nargs="+", help="only these")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--no-torch", action="store_true")
    arguments = parser.parse_args()
    peak = peaks()
    torch = importlib.util.find_spec("torch") and not arguments.no_torch
    for name in arguments.cases:
        case = CASES[name]
        ways = [*OURS, KERAS, *([case.rival] if case.rival else [])]
        ways += TORCH if torch else ()
        ways += COMPILED if torch and arguments.compiled else ()
        ways = [way for way in ways if way in (arguments.ways or ways)]
        times, abouts = measure(name, case, ways, arguments.rounds)
        report(name, case, times, abouts, peak)


if __name__ == "__main__":
    main()
