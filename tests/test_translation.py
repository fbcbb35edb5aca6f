"""What CycleGAN and U-GAT-IT have in common."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib import translation
from gan_lib.data.unpaired import Unpaired
from gan_lib.data.unpaired_batches import UnpairedBatches
from gan_lib.models import cyclegan, ugatit

SIZE = 32


@pytest.fixture(scope="module")
def batches():
    """Pictures of 4 x 4 squares, each black or white: easy to hand through."""
    squares = 255 * np.random.default_rng(0).integers(0, 2, (2, 8, 4, 4, 1), np.uint8)
    pictures = squares.repeat(SIZE // 4, 2).repeat(SIZE // 4, 3).repeat(3, 4)
    return UnpairedBatches(Unpaired(*pictures), 2, jitter=0)


def _cyclegan():
    return cyclegan.cyclegan(SIZE, width=4, blocks=1, normalization="none")


def _ugatit():
    return ugatit.ugatit(SIZE, width=4, blocks=1)


@pytest.mark.parametrize("build", [_cyclegan, _ugatit])
def test_both_generators_learn_to_hand_pictures_through(build, batches):
    model = build()
    judged = [np.array(w) for w in model.discriminator.weights]

    def distances():
        a, b = next(iter(batches.dataset()))
        outputs = model.generator((a, b))
        images = [x["images"] if isinstance(x, dict) else x for x in outputs]
        return [
            float(np.abs(x - y).mean()) for x, y in zip(images, (a, b), strict=True)
        ]

    before = distances()
    translation.start_as_identity(model, batches, 25, rate=3e-3, verbose=0)
    for after, former in zip(distances(), before, strict=True):
        assert after < 0.9 * former
    weights = model.generator.get_weights(), model.ema_generator.get_weights()
    for weight, average in zip(*weights, strict=True):
        np.testing.assert_array_equal(weight, average)
    assert model.kimg == 0
    assert not int(model.generator_optimizer.iterations)
    for weight, former in zip(model.discriminator.weights, judged, strict=True):
        np.testing.assert_array_equal(weight, former)


def test_the_same_seed_gives_the_same_start(batches):
    ends = []
    for _ in range(2):
        model = _cyclegan()
        translation.start_as_identity(model, batches, 2, verbose=0)
        ends.append(model.generator.get_weights())
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("steps", [0, 2.5])
def test_steps_are_whole_and_positive(steps, batches):
    with pytest.raises((TypeError, ValueError), match="steps must be"):
        translation.start_as_identity(_cyclegan(), batches, steps)
