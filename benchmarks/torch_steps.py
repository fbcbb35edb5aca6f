"""The training steps of our models in plain PyTorch, each computed in several ways.

    python benchmarks/torch_steps.py "DCGAN 64 px" --rounds 10

Needs PyTorch. Networks, losses, optimizers, penalties, averages and the order of moves
are ours: the numbers of parameters are compared here before anything is timed, the
losses in `tests/test_torch_steps.py`. This file times the ways against each other, in
alternating rounds in one process; `training` gives one to a benchmark that times ours
beside it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from alternating import alternating
from cases import CASES, NUM_CLASSES, Case
from record import record

FORMATS = {"contiguous": "contiguous_format", "channels last": "channels_last"}
# How a step is computed: words that can be combined, dtype and memory format first.
# "first writing" is what comes to mind first: Adam in a loop over the weights, and
# gradients of the discriminator that nobody reads.
VARIANTS = (
    "float32, contiguous, first writing",
    "float32, contiguous",
    "float32, channels last",
    "bfloat16, contiguous",
    "bfloat16, channels last",
    "float32, contiguous, compiled",
    "float32, channels last, compiled",
    "bfloat16, contiguous, compiled",
    "bfloat16, channels last, compiled",
)
PAIRED = ("pix2pix", "cyclegan", "ugatit")  # these see two pictures at a time


def training(case: Case, way: str) -> Callable[[], float]:
    """A function that does `case.steps` training steps and returns a loss.

    The loss is the generator's in the last step, read once, at the end. Weights are
    drawn from seed 0, and the pictures are the same for each way. The first call of a
    compiled way compiles.

    Args:
        way: one of `VARIANTS`.
    Raises: ValueError on another way; RuntimeError where it cannot be compiled;
        ModuleNotFoundError without PyTorch.
    """
    steps = players(case, way)
    data = [steps.variant.maps(x) if x.ndim == 4 else x for x in batch(case)]

    def run():
        for _ in range(case.steps):
            _, loss = steps(*data)
        return float(loss)

    return run


def players(case: Case, way: str):
    """The `Training` of `tests/torch_*.py` behind `training`; arguments as there."""
    if way not in VARIANTS:
        raise ValueError(f"Expected a way of {VARIANTS}. Received: {way!r}")
    dtype, layout, *more = way.split(", ")
    switches = {"bfloat16": dtype == "bfloat16", "compiled": "compiled" in more}
    if "first writing" in more:
        switches |= {"fused": False, "frozen": False}
    if switches["compiled"] and (reason := compiler_missing()):
        raise RuntimeError(reason)
    folder = str(Path(__file__).parents[1] / "tests")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import importlib

    import torch

    torch.manual_seed(0)
    make = importlib.import_module(f"torch_{case.model}").Training
    memory_format, settings = getattr(torch, FORMATS[layout]), case.arguments()
    if case.model == "stylegan2":
        arguments = case.size, settings["width"], settings, memory_format
        return make(*arguments, **switches)
    if case.model == "biggan":
        return make(NUM_CLASSES, settings, memory_format, **switches)
    return make(case.size, memory_format, **settings, **switches)


def batch(case: Case) -> list:
    """What a step takes: random pictures (B, 3, S, S) in [-1, 1], BigGAN's labels."""
    import torch

    rng = np.random.default_rng(0)
    shape = (1 + (case.model in PAIRED), case.batch, 3, case.size, case.size)
    images = list(torch.tensor(rng.uniform(-1, 1, shape).astype("float32")))
    if case.model == "biggan":
        images.append(torch.tensor(rng.integers(0, NUM_CLASSES, case.batch)))
    return images


def flops(run: Callable[[], object]) -> int:
    """Operations of the products and convolutions in one call, 2 for each addition.

    Counted outside of what `torch.compile` made, which hides them.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    # PyTorch's own `FlopCounterMode` also follows modules, and cannot do so through
    # the second derivative of R1.
    class Counter(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            count = flop_registry.get(function.overloadpacket)
            if count is not None:
                self.total += count(*args, **(kwargs or {}), out_val=result)
            return result

    with torch.compiler.set_stance("force_eager"), Counter() as counter:
        run()
    return counter.total


def counts(steps) -> tuple[int, int]:
    """How many numbers generator and discriminator learn, of ours or in PyTorch."""

    def learned(player):
        theirs = hasattr(player, "parameters")
        weights = player.parameters() if theirs else player.trainable_weights
        return sum(int(np.prod(weight.shape)) for weight in weights)

    return learned(steps.generator), learned(steps.discriminator)


def check_counts(case: Case) -> tuple[int, int]:
    """Numbers that both sides learn; RuntimeError when the two are not the same."""
    expected = counts(case.build("float32"))
    found = counts(players(case, "float32, contiguous"))
    if found != expected:
        raise RuntimeError(
            f"Expected the networks of {case.model} at {case.size} px to learn "
            f"{expected} numbers in PyTorch, as ours do. Received: {found}. A layer or "
            f"a bias differs between gan_lib and tests/torch_{case.model}.py."
        )
    return found


def compiler_missing() -> str:
    """Why `torch.compile` cannot work here; "" when it can."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler):
        return ""
    return f"torch.compile needs a C++ compiler, and there is no {compiler!r}"


def ways(case: Case, variants: Iterable[str] = VARIANTS) -> dict[str, Callable]:
    """{way: `training` of it}; a line on the standard error for each left out."""
    check_counts(case)
    found = {}
    for way in variants:
        try:
            found[way] = training(case, way)
        except RuntimeError as error:
            print(f"{way}, skipped: {error}", file=sys.stderr)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--ways", nargs="+", default=VARIANTS, choices=VARIANTS)
    arguments = parser.parse_args()
    case = CASES[arguments.case]
    times = alternating(ways(case, arguments.ways), arguments.rounds)
    base = arguments.ways[0]
    for way, seconds in times.items():
        low, high = 1000 * np.quantile(seconds, (0.25, 0.75)) / case.steps
        ratio = np.median(times[base] / seconds)
        note = f"{low:.4g} to {high:.4g}; {ratio:.2f} x {base}"
        value = 1000 * float(np.median(seconds)) / case.steps
        record("step in PyTorch", f"{arguments.case}: {way}", value, "ms", note)


if __name__ == "__main__":
    main()
