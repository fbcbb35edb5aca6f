"""Memory and time of a large batch in slices: BigGAN's step at 32 px.

    python benchmarks/accumulation.py
    python benchmarks/accumulation.py --no-record     (prints, keeps nothing)

The lesson's BigGAN with 10 classes: a batch of 512 whole, in 4 and in 16 slices; a
batch of 64 in 2 slices, which are as large as 16 of 512, so the two should need the
same; and one of these, 32, alone. Each in a process of its own: the most memory it ever
held minus what it held before its first step (traced by then), and the median of its
steps after the first.
"""

from __future__ import annotations

import argparse
import json

import peak_memory

WAYS = ((512, 1), (512, 4), (512, 16), (64, 2), (32, 1))
STEPS = 4


def measure(batch: int, slices: int) -> dict:
    """MB above those before the first step, and seconds of a step, in this process."""
    import tensorflow as tf
    from biggan_speed import lesson, pictures

    from gan_lib import profiles

    policy = profiles.profile("cpu").policy
    data = tuple(tf.constant(x) for x in pictures(batch))
    found = peak_memory.of_steps(lesson(policy, accumulate=slices), data, STEPS)
    return found | {"policy": policy}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-record", action="store_true", help="only print")
    parser.add_argument("--only", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(*arguments.only)))
        return
    from record import record

    for batch, slices in WAYS:
        found = peak_memory.in_own_process(__file__, (batch, slices))
        what = f"batch {batch} in {slices} slice(s)"
        note = f"32 px, {found['policy']}"
        for name, unit in (("memory", "MB"), ("seconds", "s a step")):
            record("accumulation", f"{what}, {name}", found[name], unit, note,
                   keep=not arguments.no_record)  # fmt: skip


if __name__ == "__main__":
    main()
