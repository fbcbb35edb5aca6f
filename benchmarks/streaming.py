"""From files to batches: images a second, memory, and what a T4 would ask for.

    python benchmarks/streaming.py                (10 minutes)
    python benchmarks/streaming.py --no-record    (prints, keeps nothing)

Speed: shuffled float32 batches of 64 from PNG shards, raw shards and the cache of a
folder, and from `tf.data.TFRecordDataset`, which reads shards in sequence through a
shuffle buffer of 1,024; in turn, each time with a fresh start. The files were read
before and are in the system's cache, except where "from the disk" stands. The pictures
are smooth colours with noise: as hard for PNG as photographs are, two thirds of the raw
bytes.

What is asked for, in images/s, is (a) what the fastest recipe here trains on, measured
in the same run, and (b) an estimate for an NVIDIA T4, on which nothing was run:

    peak x share reached / GFLOP of a training step for each picture

with peaks of 8.1 TFLOP/s in float32 and 65 in float16, of which a training is taken to
reach 50 % and 30 %, more than most do, so that the bar is high; 145.6 GFLOP / 64 for
DCGAN at 64 px and 86.9 GFLOP for pix2pix at 256 px, one multiply-add being two. The
goal is five times as many.

Memory: the most a process of its own held in pages that no file backs, above what
it held after its imports, while 80,000 pictures were drawn, whatever there are.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from peak_memory import in_own_process, resident

BATCH = 64
DISTINCT = 1_000
T4_GFLOPS = {"float32": 0.5 * 8_100, "float16": 0.3 * 65_000}
STEP_GFLOP = {64: ("DCGAN", 145.6 / 64), 256: ("pix2pix", 86.9)}


def pictures(count: int, side: int) -> Iterator:
    """uint8 (side, side, 3), the same again after `DISTINCT`."""
    import numpy as np
    from PIL import Image

    rng, kept = np.random.default_rng(0), []
    for _ in range(min(count, DISTINCT)):
        corners = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        smooth = np.asarray(corners.resize((side, side), Image.Resampling.BICUBIC))
        noisy = smooth + rng.integers(-6, 7, smooth.shape)
        kept.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return itertools.islice(itertools.cycle(kept), count)


def make(place: Path, count: int, side: int) -> None:
    """The same pictures as PNG shards, raw shards and a folder with its cache."""
    from PIL import Image

    from gan_lib.data.shards import write_shards

    for encoding in ("png", "raw"):
        write_shards(pictures(count, side), place / encoding, encoding=encoding)
    folder = place / "folder"
    folder.mkdir()
    for number, picture in enumerate(pictures(min(count, DISTINCT), side)):
        Image.fromarray(picture).save(folder / f"{number:06d}.png")
    for number in range(DISTINCT, count):
        os.link(folder / f"{number % DISTINCT:06d}.png", folder / f"{number:06d}.png")
    opened("folder cache", place)


def opened(kind: str, place: Path):
    """Batches of what `make` left; the cache as where it does not fit into memory."""
    from gan_lib.data import picture_store
    from gan_lib.data.folders import load_folder
    from gan_lib.data.pipeline import Batches
    from gan_lib.data.shard_batches import ShardBatches
    from gan_lib.data.shards import Shards

    if kind != "folder cache":
        return ShardBatches(Shards(place / kind.split()[0].lower()), BATCH)
    picture_store._memory_limit = lambda: 0
    side = Shards(place / "raw").image_shape[0]
    folder = load_folder(
        place / "folder", side, cache_dir=place / "cache", progress=False
    )
    return Batches(folder.images, BATCH)


KINDS = ("PNG shards", "raw shards", "folder cache")


def in_sequence(folder: Path, side: int, raw: bool):
    """The usual `tf.data` way, without checks of what a record holds."""
    import tensorflow as tf

    from gan_lib.data.pipeline import to_float

    spec = {"image/encoded": tf.io.FixedLenFeature((), tf.string)}
    shape, auto = (side, side, 3), tf.data.AUTOTUNE

    def pixels(record):
        data = tf.io.parse_single_example(record, spec)["image/encoded"]
        if raw:
            return tf.reshape(tf.io.decode_raw(data, tf.uint8), shape)
        return tf.ensure_shape(tf.io.decode_png(data, channels=3), shape)

    files = sorted(map(str, folder.glob("*.tfrecord")))
    records = tf.data.TFRecordDataset(files).repeat().shuffle(1024, seed=0)
    batches = records.map(pixels, auto).batch(BATCH, drop_remainder=True)
    return batches.map(to_float).prefetch(4)


def trained_on(steps: int = 8) -> float:
    """Images/s of the fastest recipe on this machine."""
    import numpy as np
    import tensorflow as tf

    from gan_lib import profiles
    from gan_lib.models.dcgan import dcgan

    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (BATCH, 64, 64, 3)))
    step = tf.function(dcgan("laptop", dtype=profiles.profile("cpu").policy).train_step)
    seconds = []
    for _ in range(2 + steps):
        begin = time.perf_counter()
        float(step(tf.cast(images, tf.float32))["generator_loss"])
        seconds.append(time.perf_counter() - begin)
    return BATCH / float(np.median(seconds[2:]))


def draw(stream, forgotten: Path | None = None) -> Callable:
    """A function that goes through `stream`, out of the system's cache if asked for."""

    def through():
        for path in forgotten.rglob("*.tfrecord") if forgotten else ():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        collections.deque(stream, maxlen=0)

    return through


def speeds(place: Path, side: int, rounds: int, steps: int, keep: Callable) -> None:
    import numpy as np
    from alternating import alternating

    model, gflop = STEP_GFLOP[side]
    asked = {f"T4 {name}": peak / gflop for name, peak in T4_GFLOPS.items()}
    for name, rate in asked.items():
        keep(f"{side} px, {model} on a {name}, estimated", rate, "images/s")
    if side == 64:
        asked["this machine"] = trained_on()
        keep("64 px, DCGAN laptop recipe here", asked["this machine"], "images/s")
    streams = {kind: opened(kind, place).dataset() for kind in KINDS}
    for kind in ("PNG", "raw"):
        folder = place / kind.lower()
        streams[f"{kind}, in sequence"] = in_sequence(folder, side, kind == "raw")
    ways = {name: draw(stream.take(steps)) for name, stream in streams.items()}
    for kind in KINDS[:2]:
        ways[f"{kind}, from the disk"] = draw(streams[kind].take(steps), place)
    for name, seconds in alternating(ways, rounds).items():
        rate = BATCH * steps / float(np.median(seconds))
        best = BATCH * steps / float(min(seconds))
        ratios = [f"{rate / value:.1f} x {what}" for what, value in asked.items()]
        note = "; ".join([*ratios, f"best of {rounds}: {best:.0f}"])
        keep(f"{side} px, {name}", rate, "images/s", note)


def measure(kind: str, place: Path) -> dict[str, float]:
    """In a process of its own: seconds to open, and MB while pictures are drawn."""
    import tensorflow as tf

    next(iter(tf.data.Dataset.range(1).map(lambda x: x + 1)))  # its threads and pools
    before = resident("RssAnon")
    begin = time.perf_counter()
    batches = opened(kind, place)
    seconds, most = time.perf_counter() - begin, before
    for number, _ in enumerate(batches.dataset().take(80_000 // BATCH)):
        if number % 8 == 0:
            most = max(most, resident("RssAnon"))
    return {"memory": most - before, "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="+", default=[10_000, 40_000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-record", action="store_true", help="only print")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only[0], Path(arguments.only[1]))))
        return
    from record import record

    def keep(what: str, value: float, unit: str, note: str = "") -> None:
        record("streaming", what, value, unit, note, not arguments.no_record)

    for side, count, steps in ((64, 10_000, 150), (256, 1_500, 15)):
        with tempfile.TemporaryDirectory() as place:
            make(Path(place), count, side)
            speeds(Path(place), side, arguments.rounds, steps, keep)
    for count in arguments.pictures:
        with tempfile.TemporaryDirectory() as place:
            make(Path(place), count, 64)
            for kind in KINDS:
                found = in_own_process(__file__, (kind, place))
                note = f"opened in {found['seconds']:.2f} s"
                keep(f"memory, {kind}, {count} pictures", found["memory"], "MB", note)


if __name__ == "__main__":
    main()
