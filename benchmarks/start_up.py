"""Time from `import gan_lib` to the first step, peak memory, seconds per kimg.

python benchmarks/start_up.py
"""

from __future__ import annotations

import resource
import time

started = time.perf_counter()

from record import record  # noqa: E402

from gan_lib import profiles  # noqa: E402
from gan_lib.data.pipeline import Batches  # noqa: E402
from gan_lib.models.dcgan import dcgan  # noqa: E402

imported = time.perf_counter()


def main():
    import numpy as np

    p = profiles.profile("cpu")
    images = np.random.default_rng(0).integers(0, 256, (2_000, 64, 64, 3), np.uint8)
    batches = Batches(images, p.batch_size)
    gan = dcgan("laptop", width=p.width, dtype=p.policy)
    one = p.batch_size / 1000
    gan.fit(batches, kimg=one, tick_kimg=one, verbose=0)
    record("start-up", "import gan_lib", imported - started, "s")
    record("start-up", "import to first step", time.perf_counter() - started, "s")
    gan.fit(batches, kimg=3, tick_kimg=20 * one, verbose=0)
    rows = gan.history_rows[1:]
    speed = np.median([row["seconds"] for row in rows]) / (20 * one)
    record("start-up", "laptop recipe", speed, "s per kimg", f"{p.policy}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    record("start-up", "peak memory", peak, "GB")


if __name__ == "__main__":
    main()
