"""How far can attribute agreement be trusted, and what does an unpaired batch cost?

Scores what must be near one (the same people drawn in the other style), what must be at
chance (one face for all, the right faces in another order) and what lies between
(pictures handed through, moved, blurred, paler). Faces of the test split; nothing is
trained. With --record the numbers go into `results.csv`.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from record import record
from scipy.ndimage import gaussian_filter

from gan_lib.data.pipeline import to_float, to_uint8
from gan_lib.data.two_styles import counterparts, two_styles
from gan_lib.data.unpaired_batches import UnpairedBatches
from gan_lib.metrics import segmenter
from gan_lib.metrics.agreement import attribute_agreement


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--faces", type=int, default=300)
    parser.add_argument("--styles", nargs=2, default=["toon-head", "lorelei"])
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    people = two_styles(
        options.size, options.faces, styles=tuple(options.styles), split="test"
    )
    target = options.styles[1]
    ideal = counterparts(people.attributes_a, target, options.size)
    finder = segmenter(target, options.size)
    keep = record if options.record else _show
    for name, images in _answers(people.domain_a, ideal).items():
        scores = attribute_agreement(finder, images, people.attributes_a)
        for score in scores.values():
            note = f"{options.size} px, {score}"
            what = f"agreement {score.attribute}, {name}"
            keep("attribute_agreement", what, score.share, "of faces", note)
    for batch_size in (1, 4, 8):
        cost = _cpu_ms(UnpairedBatches(people, batch_size))
        note = f"{options.size} px, flip and jitter"
        keep(
            "attribute_agreement",
            f"unpaired batch of {batch_size}",
            cost,
            "CPU ms",
            note,
        )


def _answers(sources: np.ndarray, ideal: np.ndarray) -> dict[str, np.ndarray]:
    """Pictures a translation could give, by name."""
    rng, floats = np.random.default_rng(0), to_float(ideal)
    step = ideal.shape[1] // 16
    noise = rng.normal(0, 0.05, ideal.shape)
    return {
        "the same people in the style": ideal,
        "sources handed through": sources,
        "one face for all": np.repeat(ideal[:1], len(ideal), 0),
        "right faces in another order": ideal[rng.permutation(len(ideal))],
        "moved by 1/16 and mirrored": np.roll(ideal, (step, -step), (1, 2))[:, :, ::-1],
        "blurred by 1 px, with noise": to_uint8(
            gaussian_filter(floats, (0, 1, 1, 0)) + noise
        ),
        "paler by a quarter": to_uint8(floats * 0.75),
    }


def _cpu_ms(batches: UnpairedBatches, steps: int = 400) -> float:
    """Processor time of one batch, without the conversion to floats."""
    batches.collect(0)
    begin = time.process_time()
    for step in range(steps):
        batches.collect(step)
    return 1000 * (time.process_time() - begin) / steps


def _show(_: str, what: str, value: float, unit: str, note: str) -> None:
    print(f"{what}: {value:.4g} {unit} ({note})", flush=True)


if __name__ == "__main__":
    main()
