"""What each choice in the laptop recipe is worth: KID after equal kimg, one at a time.

    python benchmarks/recipe.py --kimg 16

Takes one choice back (or further) in each run and leaves the others. Scores 1,000
samples against 1,000 held-out faces. Runs of one seed differ by luck too: believe large
differences, and repeat with `--seed`.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics

from record import record

from gan_lib import profiles
from gan_lib.data.faces import faces
from gan_lib.data.pipeline import Batches
from gan_lib.latents import sample
from gan_lib.metrics import Lite0Features, kid
from gan_lib.models.dcgan import RECIPES, dcgan

CHANGES = {
    "laptop": {},
    "transposed convolutions": {"upsampling": "transposed"},
    "batch norm in the discriminator": {"normalized_discriminator": True},
    "R1 weight 0.5": {"r1_weight": 0.5},
    "R1 weight 10": {"r1_weight": 10.0},
    "no R1": {"r1_weight": 0.0},
    "R1 in every 2nd step": {"r1_every": 2},
    "discriminator rate 4e-4": {"discriminator_rate": 4e-4},
    "the tutorial's rates": {"generator_rate": 1.5e-4, "discriminator_rate": 2e-4},
    "exact labels": {"real_labels": (1, 1), "fake_labels": (0, 0)},
}


def train_and_score(gan, batches, kimg: float, features, real) -> tuple[float, str]:
    """KID x 1000 of 1,000 samples against `real`, and its error and s/kimg in words."""
    history = gan.fit(batches, kimg=kimg, tick_kimg=0.64, verbose=0)
    score = kid(real, features(gan.generate(sample(1_000, 100, seed=7))))
    pace = statistics.median(history.history["seconds"]) / 0.64
    error = f"+- {1000 * score.standard_error:.2g}; {pace:.3g} s/kimg"
    return 1000 * score.value, error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kimg", type=float, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=list(CHANGES), choices=CHANGES)
    arguments = parser.parse_args()
    batches = Batches(faces(64, 10_000).images, 64, seed=arguments.seed)
    features = Lite0Features()
    real = features(faces(64, 4_000, split="test").images[:1_000])
    laptop = RECIPES["laptop"]
    for name in arguments.only:
        RECIPES["laptop"] = dataclasses.replace(laptop, **CHANGES[name])
        gan = dcgan("laptop", dtype=profiles.profile("cpu").policy, seed=arguments.seed)
        score, note = train_and_score(gan, batches, arguments.kimg, features, real)
        note = f"{arguments.kimg:g} kimg, seed {arguments.seed}; {note}"
        record("recipe", f"KID x1000, {name}", score, "", note)


if __name__ == "__main__":
    main()
