"""Where a training step's time goes: what oneDNN, the CPU library of both, says of it.

    python benchmarks/step_profile.py --cases "DCGAN 64 px" "CycleGAN 64 px"

TensorFlow and PyTorch both hand convolutions, matrix products and batch normalization
to oneDNN, which prints what it ran and for how long (ONEDNN_VERBOSE=1). Each way of
training is the process that `bench.py` times; here its steps are added up by kind, and
TensorFlow runs one operation at a time (which costs it some percent), so that a sum is
not more than the step. What a step spends beside the multiplications is the most that
anything but faster multiplications could gain.
"""

from __future__ import annotations

import argparse

import numpy as np
from bench import Worker
from cases import CASES
from record import record

WAYS = (
    "ours, float32",
    "ours, mixed_bfloat16",
    "PyTorch, bfloat16, contiguous",
    "PyTorch, bfloat16, channels last",
)
KINDS = {  # oneDNN's name of a primitive: ours
    "convolution": "multiplications",
    "deconvolution": "multiplications",
    "matmul": "multiplications",
    "inner_product": "multiplications",
    "batch_normalization": "normalization",
    "reorder": "reordering",
}


def kinds(lines: list[str]) -> dict[str, float]:
    """{kind: milliseconds} of lines such as
    `onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv:avx512_core,...,0.52`."""
    found = dict.fromkeys([*KINDS.values(), "other"], 0.0)
    for line in lines:
        words = line.rstrip().split(",")
        if "exec" in words:
            primitive = words[words.index("exec") + 2]
            found[KINDS.get(primitive, "other")] += float(words[-1])
    return found


def profile(name: str, way: str, rounds: int) -> tuple[float, dict[str, float]]:
    """Milliseconds of a step, and those of each kind: the medians of the rounds."""
    alone = {"ONEDNN_VERBOSE": "1", "TF_NUM_INTEROP_THREADS": "1"}
    worker, steps = Worker(name, way, **alone), CASES[name].steps
    walls, parts = [], []
    for _ in range(rounds):
        walls.append(1000 * worker.run() / steps)
        parts.append({key: x / steps for key, x in kinds(worker.printed).items()})
    worker.end()
    keys = parts[0]
    return float(np.median(walls)), {
        key: float(np.median([part[key] for part in parts])) for key in keys
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["DCGAN 64 px"])
    parser.add_argument("--ways", nargs="+", default=WAYS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-record", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.cases:
        for way in arguments.ways:
            wall, parts = profile(name, way, arguments.rounds)
            rest = max(wall - sum(parts.values()), 0)
            shares = {**parts, "outside oneDNN": rest}
            note = "; ".join(f"{key} {x:.4g} ms" for key, x in shares.items() if x)
            keep = not arguments.no_record
            record("step profile", f"{name}: {way}", wall, "ms", note, keep)


if __name__ == "__main__":
    main()
