"""Up to which size a map's convolutions are faster as matrix products, on this CPU.

    python benchmarks/tiny_maps.py

Times a step of each model in mixed_bfloat16 with other values of
`gan_lib.layers.cpu_kernels.largest_tiny_map`, in turns in one process.
"""

from __future__ import annotations

import argparse

import tensorflow as tf
from alternating import compare
from cases import CASES

from gan_lib.layers import cpu_kernels

SIZES = (0, 2, 4)


def step(case, size: int):
    """A traced step, whose kernels were chosen with `size` as the limit."""
    cpu_kernels.largest_tiny_map = lambda: size
    gan, batch = case.build("mixed_bfloat16"), next(iter(case.batches().dataset()))
    traced = tf.function(gan.train_step).get_concrete_function(batch)

    def run(gan=gan):  # which owns the variables
        for _ in range(case.steps):
            logs = traced(batch)
        float(logs["generator_loss"])  # waits for the last step

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[
        "DCGAN 64 px", "pix2pix 64 px", "StyleGAN2 64 px", "BigGAN 32 px"
    ])  # fmt: skip
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    for name in arguments.cases:
        case = CASES[name]
        ways = {f"{name}: maps up to {size} px": step(case, size) for size in SIZES}
        base = f"{name}: maps up to {SIZES[-1]} px"
        notes = f"median of {arguments.rounds} rounds in turns"
        compare("tiny maps", ways, (base,), arguments.rounds, case.steps, notes)


if __name__ == "__main__":
    main()
