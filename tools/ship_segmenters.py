"""Train the segmenters that come with the package and put their weights into it.

    python tools/ship_segmenters.py

Needed after a change of the drawn faces or of the recipe in
`gan_lib/metrics/segmenter_training.py`; a test fails until then. A few minutes.
"""

from __future__ import annotations

import numpy as np

from gan_lib.data import cache
from gan_lib.metrics import segmentation

SIZES = (32, 64)


def main() -> None:
    segmentation.SHIPPED.mkdir(exist_ok=True)
    for old in segmentation.SHIPPED.glob("*.npy"):
        old.unlink()
    for size in SIZES:
        network = segmentation.segmenter("lorelei", size).network
        flat = np.concatenate([weight.ravel() for weight in network.get_weights()])
        path = segmentation.SHIPPED / segmentation.file_name("lorelei", size, network)
        cache.save(path, flat.astype("float16"))
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
