"""Does the search for copies grow with the number of faces, or with its square?

python benchmarks/dedupe.py

Random hashes stand for faces by many hands. Faces by one hand take longer, since each
has many near ones that have to be looked at.
"""

from __future__ import annotations

import time

import numpy as np
from record import record

from data_prep.dedupe import Crops, DedupeSettings, find_copies


def main():
    rng = np.random.default_rng(0)
    for count in (10_000, 100_000):
        crops = faces(rng, count)
        started = time.perf_counter()
        found = sum(copy is not None for copy in find_copies(crops, DedupeSettings()))
        seconds = time.perf_counter() - started
        assert found == count // 10, found
        record("dedupe", f"{count} faces", 1e3 * seconds / count, "ms per face")


def faces(rng: np.random.Generator, count: int) -> Crops:
    """Random faces, of which every tenth is a copy of the one before."""
    hashes = rng.integers(0, 2**64, (count, 11), np.uint64)
    hashes[1::10, 0] = hashes[::10, 0]
    thumbnails = rng.integers(0, 256, (count, 16, 16, 3), np.uint8)
    thumbnails[1::10] = thumbnails[::10]
    return Crops(hashes, hashes[:, 0], thumbnails, [str(k) for k in range(count)])


if __name__ == "__main__":
    main()
