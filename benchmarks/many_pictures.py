"""Does memory stay flat over 10,000 pictures? Fetch and detect, on drawn pages.

    python benchmarks/many_pictures.py --pictures 10000

Prints the memory of all processes together early and late in the run (medians of the
second tenth and of the last but one), in MB: the sum of their proportional shares
(PSS), which counts a shared page once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from process_tree import Watch
from record import record

from gan_lib.data.faces import faces

ROOT = Path(__file__).resolve().parents[1]


def draw(folder: Path, pictures: int) -> None:
    """Pages of 320 x 240 px with one face; a hundred different ones, by hard links."""
    folder.mkdir()
    for number, face in enumerate(faces(128, 100, progress=False).images):
        page = np.full((240, 320, 3), 30 + 2 * number, np.uint8)
        page[56:184, 96:224] = face
        Image.fromarray(page).save(folder / f"{number:05d}.jpg", quality=90)
    for number in range(100, pictures):
        os.link(folder / f"{number % 100:05d}.jpg", folder / f"{number:05d}.jpg")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    pictures = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as place:
        source, output = Path(place) / "in", Path(place) / "out"
        draw(source, pictures)
        for name, words in {"fetch": [source, output], "detect": [output]}.items():
            command = [sys.executable, "-m", "data_prep", name, *words, "--quiet"]
            start = time.monotonic()
            run = subprocess.Popen(map(str, command), cwd=ROOT)
            watch = Watch(run)
            run.wait()
            samples = watch.history
            tenth = len(samples) // 10
            early = statistics.median(samples[tenth : 2 * tenth])
            late = statistics.median(samples[-2 * tenth : -tenth])
            seconds = time.monotonic() - start
            note = f"early; late {late:.0f}, most {max(samples):.0f}; "
            note += f"{pictures} pictures in {seconds:.0f} s"
            record("many pictures", f"memory, {name}", early, "MB", note)


if __name__ == "__main__":
    main()
