"""Two replicas on loopback against two single trainings side by side.

    python benchmarks/replicas.py
    python benchmarks/replicas.py --batch 128     (64 images each)
    python benchmarks/replicas.py --no-record     (prints, keeps nothing)

The lesson's DCGAN ("laptop", 64 px). Together: two workers, one core each, share every
batch. Alone: two trainings that know nothing of each other, one core each, with half
the batch. Both pairs stay alive and take turns, so a machine that is slow for a
while is so for both; the processes of a pair run at the same time. A throughput is the
batch over the median seconds of a step; the ratio is the median of the ratios
inside rounds. What keeps it below 1 is the talking, and waiting for the slower one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import numpy as np

STEPS = 20
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def work(batch: int, synchronized: bool) -> None:
    """Train at each line that comes in; print seconds a step, worst of this process."""
    from gan_lib import devices, profiles
    from gan_lib.data.faces import faces
    from gan_lib.data.pipeline import Batches
    from gan_lib.models.dcgan import dcgan

    policy = profiles.profile("cpu").policy
    with devices.strategy().scope():
        gan = dcgan("laptop", dtype=policy)
    if synchronized:
        devices.synchronize_batch_norm(gan)
    data = Batches(faces(64, 1024, progress=False).images, batch)
    tick = STEPS * batch / 1000
    for number, _ in enumerate(sys.stdin, 1):
        # Two ticks, of which the first also starts the data.
        rows = gan.fit(data, kimg=2 * number * tick, tick_kimg=tick, verbose=0).history
        print(json.dumps(rows["seconds"][-1] / STEPS), flush=True)


def start(core: int, batch: int, synchronized=False, **cluster) -> subprocess.Popen:
    """A process on a core of its own that works when told to."""
    cores = sorted(os.sched_getaffinity(0))
    environment = os.environ | dict.fromkeys(THREADS, "1") | cluster
    command = [sys.executable, __file__, "--work", str(batch), str(int(synchronized))]
    return subprocess.Popen(
        command,
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {cores[core % len(cores)]}),
    )


def start_together(batch: int, synchronized: bool) -> list[subprocess.Popen]:
    from gan_lib import devices

    addresses = devices.free_addresses(2)
    return [
        start(i, batch, synchronized, TF_CONFIG=devices.cluster(addresses, i))
        for i in range(2)
    ]


def turn(pair: list[subprocess.Popen]) -> float:
    """Seconds a step of two processes at once: those of the slower one."""
    for process in pair:
        print(file=process.stdin, flush=True)
    return max(json.loads(process.stdout.readline()) for process in pair)


def measure(batch: int, rounds: int) -> dict[str, np.ndarray]:
    """{way: seconds a step in each round}, after one that is not counted."""
    from gan_lib.data.faces import faces

    faces(64, 1024)  # drawn once, before they are asked for by all
    pairs = {
        "two single trainings": [start(i, batch // 2) for i in range(2)],
        "two replicas": start_together(batch, False),
        "two replicas, synchronized batch norm": start_together(batch, True),
    }
    times = {name: [] for name in pairs}
    order = np.random.default_rng(0)
    for number in range(rounds + 1):
        for name in order.permutation(list(pairs)):
            seconds = turn(pairs[name])
            if number:
                times[name].append(seconds)
    for process in (x for pair in pairs.values() for x in pair):
        process.stdin.close()
        process.wait()
    return {name: np.array(seconds) for name, seconds in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-record", action="store_true", help="only print")
    parser.add_argument("--rounds", type=int, default=7, help="default 7")
    parser.add_argument("--batch", type=int, default=64, help="images in all")
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], bool(arguments.work[1]))
        return
    from record import record

    times = measure(arguments.batch, arguments.rounds)
    base = times["two single trainings"]
    for name, seconds in times.items():
        ratios = base / seconds
        spread = f"{ratios.min():.2f} to {ratios.max():.2f}"
        note = (
            f"batch {arguments.batch} in all, 1 core each; {np.median(ratios):.2f} x "
            f"two single trainings ({spread} in {len(ratios)} rounds)"
        )
        value = arguments.batch / float(np.median(seconds))
        record("replicas", name, value, "images/s", note, not arguments.no_record)


if __name__ == "__main__":
    main()
