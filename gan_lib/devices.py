"""Several devices or machines: what a user writes, and a command that shows it.

    strategy = gan_lib.devices.strategy()
    with strategy.scope():
        gan = dcgan(...)
    gan.fit(data, kimg=100, resume="runs/dcgan")

The same lines train on one device, on all graphics cards of a machine (data parallel,
`tf.distribute.MirroredStrategy`) and on several machines
(`tf.distribute.MultiWorkerMirroredStrategy`). `batch_size` is that of all together:
replica r of R gets its R-th part of each batch, and the losses are those that one
device would have, to about 1e-6. A checkpoint made on any number of replicas goes on
with any other; the chief (worker 0) alone reads and writes it.

On several machines the same program runs on each, told who takes part and which one it
is, by `join` or by the environment variable TF_CONFIG, before TensorFlow is used:
    gan_lib.devices.join(["10.0.0.1:2222", "10.0.0.2:2222"], index=0)  # 1 on the other
    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
                "task": {"type": "worker", "index": 0}}' python train.py
When one of them dies the others stop with an error after some seconds; start all again,
and they go on from the last checkpoint.

What is not as on one device, in every model:
- Batch normalization takes each replica's own statistics, and the mean over the
  replicas for its running averages; `synchronize_batch_norm` makes them the batch's.
- `MinibatchStdDev` and StyleGAN2's path length compare the images of a replica.
- Dropout draws other numbers on each replica.
- No `jit_compile=True`, no pool of earlier fakes (CycleGAN: `pool_size=0`).
Keras 3 has no parameter servers (github.com/keras-team/keras/issues/18624), and its
`keras.distribution` is for JAX. TPUs and several graphics cards were not tried.

    python -m gan_lib.devices --workers 2
trains a small DCGAN with two workers on this machine and compares their losses with
those of one device.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

BATCH = 32  # of the command's training, all workers together
PLAYERS = "discriminator", "generator"
TOLERANCE = 1e-5  # relative


def cluster(workers: Sequence[str], index: int) -> str:
    """The text of TF_CONFIG for one of the workers.

    Args:
        workers: "host:port" of each, the same list everywhere; the first is the chief.
            Ports must be free and reachable from the others.
        index: this process's place in the list.
    Raises: ValueError on an index that is none, or an address without a port.
    """
    for address in workers:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(
                'Expected addresses such as "10.0.0.1:2222", a host and a port. '
                f"Received: {address!r}"
            )
    if not 0 <= index < len(workers):
        raise ValueError(
            f"Expected `index` from 0 to {len(workers) - 1}, the place of this machine "
            f"in the list of workers. Received: {index}"
        )
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": list(workers)}, "task": task})


def join(workers: Sequence[str], index: int) -> None:
    """Say who trains together and which one this process is, as `cluster` has them.

    Sets TF_CONFIG, so it comes before anything of TensorFlow is used.
    """
    os.environ["TF_CONFIG"] = cluster(workers, index)


@functools.cache  # two in one process would mix up their messages
def strategy():
    """The `tf.distribute` strategy for what there is: workers, graphics cards, or one.

    Call it first of all: TensorFlow must not have been used before workers meet. It
    waits until all of them are there.
    Returns: a MultiWorkerMirroredStrategy where TF_CONFIG names several workers, a
        MirroredStrategy with several graphics cards, else TensorFlow's default. The
        same one at every call, because a second one in a process hangs at times.
    """
    import tensorflow as tf

    found = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    if sum(len(addresses) for addresses in found.values()) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def synchronize_batch_norm(model) -> int:
    """Have batch normalization take the statistics of the global batch.

    All its layers in the model's networks become `synchronized`: they ask the other
    replicas for their sums, two messages a layer, forth and back. For replicas with few
    images each. It works with one device too, without the fused kernel.

    Args:
        model: a `GAN` or a keras.Model, before its first `fit`.
    Returns: the number of layers it found; 0: there was nothing to do.
    """
    import keras

    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for layer in layers:
        layer.synchronized = True
    return len({id(layer) for layer in layers})


def free_addresses(count: int) -> list[str]:
    """So many "host:port" on this machine that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]


def _train(steps: int) -> dict[str, list[float]]:
    """The losses of a small DCGAN, by step, on what `strategy` finds."""
    from gan_lib.data.pipeline import Batches
    from gan_lib.models.dcgan import dcgan

    with strategy().scope():
        gan = dcgan("laptop", image_size=32, width=8)
    synchronize_batch_norm(gan)
    data = Batches(_pictures(), BATCH)
    kimg = BATCH / 1000
    rows = gan.fit(data, kimg=steps * kimg, tick_kimg=kimg, verbose=0).history
    return {name: rows[f"{name}_loss"] for name in PLAYERS}


def _pictures():
    from gan_lib.data.faces import faces

    return faces(32, 256, progress=False).images


def _start(steps: int, **environment: str) -> subprocess.Popen:
    """A process that trains, with others if the environment says so."""
    command = [sys.executable, "-m", "gan_lib.devices", "--train", str(steps)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.Popen(
        command, env=os.environ | quiet | environment, stdout=subprocess.PIPE, text=True
    )


def _losses(process: subprocess.Popen) -> dict[str, list[float]]:
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit("A worker failed; what it said stands above.")
    return json.loads(output.splitlines()[-1])


def _compare(workers: int, steps: int) -> float:
    """Print both losses of each step; the largest difference, relative."""
    _pictures()  # drawn once, not by all at the same time
    addresses = free_addresses(workers)
    started = [_start(steps, TF_CONFIG=cluster(addresses, i)) for i in range(workers)]
    several = [_losses(process) for process in started][0]
    alone = _losses(_start(steps))
    print(f"{'step':>4}  {'player':13}  {f'{workers} workers':>12}  {'one device':>12}")
    worst = 0.0
    for name in PLAYERS:
        for step, (ours, theirs) in enumerate(
            zip(several[name], alone[name], strict=True), 1
        ):
            print(f"{step:4}  {name:13}  {ours:12.8f}  {theirs:12.8f}")
            worst = max(worst, abs(ours / theirs - 1))
    return worst


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gan_lib.devices",
        description="Train a small DCGAN with several workers on this machine and "
        "compare their losses with those of one device.",
        epilog="On machines of your own: gan_lib.devices.join; see the module's text.",
    )
    parser.add_argument("--workers", type=int, default=2, help="how many (default 2)")
    parser.add_argument("--steps", type=int, default=8, help="default 8")
    parser.add_argument("--train", type=int, metavar="STEPS", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.train:
        print(json.dumps(_train(args.train)))
        return 0
    if args.workers < 2 or BATCH % args.workers:
        parser.error(
            f"Expected --workers of at least 2 that share {BATCH} pictures equally. "
            f"Received: {args.workers}"
        )
    worst = _compare(args.workers, args.steps)
    equal = worst <= TOLERANCE
    print(
        f"Largest relative difference: {worst:.1e}; "
        + ("equal" if equal else "NOT equal")
        + f" within {TOLERANCE:g}."
    )
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
