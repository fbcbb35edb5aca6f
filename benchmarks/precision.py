"""Does bfloat16 learn as float32 does? DCGAN's KID after equal kimg from one seed.

    python benchmarks/precision.py --kimg 16 --seeds 0 1

The laptop recipe with each dtype policy, same seed, same order of pictures; scores
1,000 samples against 1,000 held-out faces. Two float32 runs of other seeds differ by
luck: bfloat16 may differ from float32 by about as much.
"""

from __future__ import annotations

import argparse

from recipe import train_and_score
from record import record

from gan_lib.data.faces import faces
from gan_lib.data.pipeline import Batches
from gan_lib.metrics import Lite0Features
from gan_lib.models.dcgan import dcgan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kimg", type=float, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments = parser.parse_args()
    images = faces(64, 10_000).images
    features = Lite0Features()
    real = features(faces(64, 4_000, split="test").images[:1_000])
    for seed in arguments.seeds:
        for policy in ("float32", "mixed_bfloat16"):
            gan = dcgan("laptop", dtype=policy, seed=seed)
            batches = Batches(images, 64, seed=seed)
            found = train_and_score(gan, batches, arguments.kimg, features, real)
            what = f"KID x1000, DCGAN, {policy}, seed {seed}"
            record("precision", what, found[0], "", f"{gan.kimg:g} kimg; {found[1]}")


if __name__ == "__main__":
    main()
