"""Kills, full disks and damaged files against a training: what is lost, what is not.

    python -m benchmarks.reliability                      # 50 and 30 kills
    GAN_KILLS=5 GAN_SAVE_KILLS=5 python -m benchmarks.reliability

Every trial is a process of its own, forked from this one after TensorFlow has been
imported but before it has computed anything, which saves its start-up time. Needs a
system with fork and SIGKILL (Linux, macOS). Prints a table and writes it to
benchmarks/reliability.csv (or to the file given as an argument).
"""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import platform
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import keras
import numpy as np

from gan_lib.checkpoints import CheckpointError, Checkpoints
from gan_lib.data.pipeline import Batches
from gan_lib.layers import BatchNormalization, Conv2D, Conv2DTranspose
from gan_lib.session import state
from gan_lib.training import GAN

BATCH, STEPS_PER_SAVE = 4, 5
# Raw values of this context have no lock that a killed process could keep.
fork = multiprocessing.get_context("fork")


def build_gan() -> GAN:
    """Small networks with everything that has state: batch norm, dropout, Adam."""
    keras.utils.set_random_seed(0)
    latents = keras.Input((5,))
    x = keras.layers.Reshape((4, 4, 6))(keras.layers.Dense(96)(latents))
    x = keras.layers.Dropout(0.2)(keras.layers.ReLU()(BatchNormalization()(x)))
    x = Conv2DTranspose(3, 4, 2, "same", activation="tanh")(x)
    images = keras.Input((8, 8, 3))
    y = keras.layers.LeakyReLU(0.2)(Conv2D(6, 4, 2, "same")(images))
    y = keras.layers.Dense(1)(keras.layers.Flatten()(keras.layers.Dropout(0.3)(y)))
    gan = GAN(keras.Model(latents, x), keras.Model(images, y), seed=1)
    gan.compile(real_labels=(0.8, 1.0), fake_labels=(0.0, 0.2))
    return gan


class Count(keras.callbacks.Callback):
    """Tells the parent process how many steps have been done."""

    def __init__(self, done):
        super().__init__()
        self.done = done

    def on_train_batch_end(self, batch, logs=None):
        self.done.value += 1


def train(folder: Path, steps: int, done, started) -> None:
    """Train up to `steps`, from the newest checkpoint in `folder`; then leave."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    gan = build_gan()
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), "uint8")
    batches = Batches(images, BATCH, flip=True)
    tick = STEPS_PER_SAVE * BATCH / 1000

    class Start(Count):
        def on_train_begin(self, logs=None):
            self.done.value = int(self.model.images_seen.numpy()) // BATCH
            started.value = self.done.value

    gan.fit(
        batches, kimg=steps * BATCH / 1000, tick_kimg=tick, resume=folder,
        checkpoint_minutes=0, callbacks=[Start(done)], verbose=0,
    )  # fmt: skip
    if started.value < 0:  # killed after its last save: it resumed with nothing to do
        done.value = started.value = int(gan.images_seen.numpy()) // BATCH
    rows = [{**row, "seconds": 0} for row in gan.history_rows]
    digest = hashlib.sha256(repr(rows).encode())
    for name, value in sorted(state(gan).items()):
        digest.update(name.encode() + value.tobytes())
    result = folder / "result.txt"
    result.with_suffix(".part").write_text(digest.hexdigest())
    os.replace(result.with_suffix(".part"), result)  # a kill leaves no half of it
    os._exit(0)


def kill(process) -> None:
    process.kill()  # SIGKILL; no fault if it has just ended by itself
    process.join()


def kills_in_training(kills: int, folder: Path, seed: int = 0) -> dict:
    """One training killed again and again at random moments, and resumed each time.

    The moment is a random step plus a random part of a step's time. Afterwards the
    weights, averages, optimizers, seeds and history must be those of a training
    nobody touched.
    """
    rng = random.Random(seed)
    steps = 8 * kills
    straight = folder / "straight"
    done, started = fork.RawValue("q", 0), fork.RawValue("q", -1)
    process = fork.Process(target=train, args=(straight, steps, done, started))
    process.start()
    process.join()
    killed, lost, failed = folder / "killed", [], 0
    killed.mkdir()
    happened = reached = 0
    while not (killed / "result.txt").exists():
        done.value, started.value = 0, -1
        process = fork.Process(target=train, args=(killed, steps, done, started))
        process.start()
        while started.value < 0 and process.is_alive():
            time.sleep(0.002)
        if started.value < 0:
            failed += 1
            break
        if happened:
            lost.append(reached - started.value)
        if happened < kills:
            ahead = rng.randint(0, 2 * (steps - started.value) // (kills - happened))
            moment = min(started.value + ahead, steps - 1)
            while done.value < moment and process.is_alive():
                time.sleep(0.0005)
            time.sleep(rng.random() * 0.02)
            kill(process)
            reached = done.value
            happened += 1
        else:
            process.join()
    results = [
        path.read_text() if path.exists() else str(path)
        for path in (straight / "result.txt", killed / "result.txt")
    ]
    return {
        "test": "SIGKILL in training",
        "trials": happened,
        "unrecoverable": failed,
        "most lost": f"{max(lost, default=0)} steps (interval {STEPS_PER_SAVE})",
        "exact": results[0] == results[1],
    }


def numbered_arrays(number: int) -> dict[str, np.ndarray]:
    """About 4 MB that can be told from those of any other number."""
    rng = np.random.default_rng(number)
    return {f"w/{i}": rng.random((512, 256), "float32") for i in range(8)}


def save_again_and_again(folder: Path, first: int, done) -> None:
    checkpoints, number = Checkpoints(folder), first
    while True:
        checkpoints.save(number, numbered_arrays(number), {"number": number})
        done.value = number
        number += 1


def kills_in_saving(kills: int, folder: Path, seed: int = 0) -> dict:
    """Saves back to back, killed at random; the newest save must open."""
    rng = random.Random(seed)
    done = fork.RawValue("q", 0)
    failed = inexact = most_lost = unfinished = 0
    for _ in range(kills):
        before = done.value
        arguments = (folder, before + 1, done)
        process = fork.Process(target=save_again_and_again, args=arguments)
        process.start()
        while done.value == before:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.2)
        kill(process)
        unfinished += any(folder.glob("unfinished-*"))
        try:
            arrays, metadata = Checkpoints(folder).load_newest()
        except (CheckpointError, TypeError, OSError, ValueError):
            failed += 1
            continue
        number = metadata["number"]
        most_lost = max(most_lost, done.value - number)
        expected = numbered_arrays(number)
        inexact += any(np.any(arrays[k] != expected[k]) for k in expected)
        done.value = number
    return {
        "test": "SIGKILL in back-to-back saves",
        "trials": f"{kills} ({unfinished} in mid-file)",
        "unrecoverable": failed,
        "most lost": f"{most_lost} finished saves",
        "exact": inexact == 0,
    }


def damage(trials: int, folder: Path, seed: int = 0) -> dict:
    """Flip one bit of, or cut, the newest of two checkpoints, at random places."""
    rng = random.Random(seed)
    failed = unnoticed = 0
    for trial in range(trials):
        checkpoints = Checkpoints(folder / str(trial))
        for number in (1, 2):
            value = np.full(300, number, "float32")
            newest = checkpoints.save(number, {"w": value}, {"number": number})
        content = bytearray(newest.read_bytes())
        place = rng.randrange(len(content))
        if trial % 2:
            content[place] ^= 1 << rng.randrange(8)
        else:
            del content[place:]
        newest.write_bytes(content)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                arrays, metadata = checkpoints.load_newest()
            except (CheckpointError, OSError, ValueError):
                failed += 1
                continue
        noticed = any("damaged" in str(w.message) for w in said)
        right = metadata["number"] == 1 and np.all(arrays["w"] == 1)
        unnoticed += not (noticed and right)
    return {
        "test": "one bit flipped or file cut",
        "trials": trials,
        "unrecoverable": failed,
        "most lost": "1 interval",
        "exact": unnoticed == 0,
    }


def _fill_disk(folder: Path, answer) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    checkpoints = Checkpoints(folder)
    checkpoints.save(1, numbered_arrays(1), {"number": 1})
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, unlimited[1]))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        refused = checkpoints.save(2, numbered_arrays(2), {"number": 2})
    loud = any("CHECKPOINT NOT SAVED" in str(w.message) for w in said)
    _, metadata = checkpoints.load_newest()
    intact = metadata["number"] == 1 and not any(folder.glob("unfinished-*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    later = checkpoints.save(3, numbered_arrays(3), {"number": 3})
    answer.value = refused is None and loud and intact and later is not None


def full_disk(folder: Path) -> dict:
    """The disk takes 1 of 4 MB: a warning, the old file intact, the next save works."""
    answer = fork.RawValue("b", 0)
    process = fork.Process(target=_fill_disk, args=(folder, answer))
    process.start()
    process.join()
    return {
        "test": "disk full in mid-file",
        "trials": 1,
        "unrecoverable": int(not answer.value),
        "most lost": "1 interval",
        "exact": bool(answer.value),
    }


def main() -> int:
    kills = int(os.environ.get("GAN_KILLS", 50))
    save_kills = int(os.environ.get("GAN_SAVE_KILLS", 30))
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "benchmarks/reliability.csv")
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for run, *arguments in (
            (kills_in_training, kills),
            (kills_in_saving, save_kills),
            (damage, 100),
            (full_disk,),
        ):
            folder = Path(root) / run.__name__
            folder.mkdir()
            start = time.perf_counter()
            row = run(*arguments, folder)
            row["seconds"] = round(time.perf_counter() - start)
            rows.append(row)
            print(row, flush=True)
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Keras {keras.__version__}")
    return sum(not row["exact"] or row["unrecoverable"] > 0 for row in rows)


if __name__ == "__main__":
    sys.exit(main())
