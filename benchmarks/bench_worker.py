"""One way of training, in a process of its own, which `bench.py` asks for rounds.

    python benchmarks/bench_worker.py "DCGAN 64 px" "ours, float32"

Says what it is on one line of JSON once its first step is done. Answers each line "run"
with the seconds of a round, and the end of its input with one more line of JSON.
"""

from __future__ import annotations

import json
import sys

from alternating import seconds
from cases import CASES, RIVALS, Case
from peak_memory import resident

WAITS = 40  # batches taken without training between them


def main():
    case, way = CASES[sys.argv[1]], sys.argv[2]
    if way.startswith("PyTorch"):
        run, about, ask = with_torch(case, way)
    else:
        run, about, ask = with_keras(case, way)
    say(about)
    for line in sys.stdin:
        if line.strip() == "run":
            say({"seconds": seconds(run)})
    say(ask() | {"memory": resident("VmHWM") / 1000})


def say(about: dict) -> None:
    print(json.dumps(about), flush=True)


def with_keras(case: Case, way: str):
    """Ours in a dtype, ours on Keras's own kernels, or the tutorial."""
    import tensorflow as tf

    if way.endswith("1 thread an operation"):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    stream = iter(case.batches().dataset())
    batch = next(stream)
    if case.rival and way == case.rival:
        step = RIVALS[way](case, batch)

        def run():
            for _ in range(case.steps):
                step()

        return run, {"compile": seconds(run)}, dict
    step = tf.function(case.build(way.split(", ")[1]).train_step)

    def run():
        for _ in range(case.steps):
            logs = step(batch)
        return float(logs["generator_loss"])  # waits for the last step

    def ask():
        waiting = seconds(lambda: [next(stream) for _ in range(WAITS)]) / WAITS
        return {"waiting": waiting}

    return run, {"compile": seconds(run)}, ask


def with_torch(case: Case, way: str):
    from torch_steps import flops, training

    run = training(case, way.removeprefix("PyTorch, "))
    return run, {"compile": seconds(run), "flops": flops(run)}, dict


if __name__ == "__main__":
    main()
