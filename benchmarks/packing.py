"""Packing: MB/s written and read for each format, a second run, memory.

python benchmarks/packing.py --faces 10000
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from record import record

from data_prep import pack
from data_prep.index import Index
from data_prep.records import Face, Source, source_id
from data_prep.report import write_report

MEMORY = """
import sys
from data_prep import pack
from data_prep.index import Index
with Index(sys.argv[1]) as index:
    pack.run(index, pack.PackSettings(formats=pack.FORMATS), progress=False)
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print(line.split()[1])
"""


def fill(folder: Path, faces: int) -> int:
    """A work folder with `faces` kept crops of 128 px; returns their bytes."""
    (folder / "crops").mkdir(parents=True)
    rng = np.random.default_rng(0)
    total = 0
    with Index(folder) as index, index.transaction():
        for k in range(faces):
            url = f"https://example.org/{k}.png"
            id = source_id(url)
            # Smooth with a little grain: about as large as a drawn face.
            small = rng.integers(0, 256, (12, 12, 3), np.uint8)
            image = Image.fromarray(small).resize((128, 128), Image.Resampling.BICUBIC)
            grain = rng.integers(0, 3, (128, 128, 3), np.uint8)
            pixels = np.clip(np.asarray(image).astype(int) + grain, 0, 255)
            out = io.BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
            path, sha = f"crops/{id}_0.png", hashlib.sha256(out.getvalue()).hexdigest()
            (folder / path).write_bytes(out.getvalue())
            total += len(out.getvalue())
            index.add([Source(id, url, licence="CC0-1.0", status="fetched")])
            face = Face(
                id, 0, 0, 0, 64, 64, 0.9, "test", "", "c", "kept", "", path, sha
            )
            index.set_faces(id, [face], "d")
    return total


def timed(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def read_tfrecord(folder: Path) -> int:
    import tensorflow as tf

    files = sorted(str(path) for path in (folder / "tfrecord").iterdir())
    return sum(1 for _ in tf.data.TFRecordDataset(files))


def read_folder(folder: Path) -> int:
    return sum(1 for p in (folder / "images").rglob("*.png") if p.read_bytes())


def read_tar(folder: Path) -> int:
    count = 0
    for path in sorted((folder / "webdataset").iterdir()):
        with tarfile.open(path) as archive:
            count += sum(1 for member in archive if archive.extractfile(member).read())
    return count // 2


def read_zip(folder: Path) -> int:
    count = 0
    for path in sorted((folder / "stylegan").iterdir()):
        with zipfile.ZipFile(path) as archive:
            count += sum(1 for name in archive.namelist() if archive.read(name)) - 1
    return count


READERS = {
    "folder": read_folder,
    "tfrecord": read_tfrecord,
    "webdataset": read_tar,
    "stylegan": read_zip,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=10_000)
    faces = parser.parse_args().faces
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "work"
        megabytes = fill(folder, faces) / 1e6
        note = f"{faces} faces of 128 px, {megabytes:.0f} MB"

        def run(*formats):
            with Index(folder) as index:
                pack.run(index, pack.PackSettings(formats=formats), progress=False)

        run()
        for name, read in READERS.items():
            run()  # so that nothing is there
            record("packing", f"write {name}", megabytes / timed(lambda: run(name)),  # noqa: B023
                   "MB/s", note)  # fmt: skip
            counted = []
            seconds = timed(lambda: counted.append(read(folder)))  # noqa: B023
            assert counted == [faces], counted
            record("packing", f"read {name}", megabytes / seconds, "MB/s", note)
        run("folder", "tfrecord")
        record("packing", "second run", timed(lambda: run("folder", "tfrecord")), "s",
               note)  # fmt: skip
        (folder / "report.html").unlink()
        with Index(folder) as index:
            record("packing", "report", timed(lambda: write_report(index)), "s", note)
        command = [sys.executable, "-c", MEMORY, folder]
        peak = subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout
        record("packing", "peak memory", int(peak) / 1e3, "MB", f"{note}, all formats")


if __name__ == "__main__":
    main()
