"""KID in the article's protocol: against NumPy, and what it promises."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from gan_lib.study import kid_protocol


@pytest.fixture(scope="module")
def sets():
    """Features: target, translated half way, source."""
    rng = np.random.default_rng(0)
    target = rng.normal(0, 1, (100, 32))
    source = rng.normal(1, 1, (100, 32))
    return target, rng.normal(0.4, 1, (100, 32)), source


def by_hand(x, y, seed=0, block_size=10):
    """The estimate, pair by pair."""
    rng = np.random.default_rng(seed)
    blocks = -(-max(len(x), len(y)) // block_size)
    in_x = np.array_split(rng.permutation(len(x)), blocks)
    in_y = np.array_split(rng.permutation(len(y)), blocks)

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    values = []
    for rows_x, rows_y in zip(in_x, in_y, strict=True):
        a, b = x[rows_x], y[rows_y]
        aa = [k(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j]
        bb = [k(b[i], b[j]) for i in range(len(b)) for j in range(len(b)) if i != j]
        ab = [k(p, q) for p in a for q in b]
        values.append(np.mean(aa) + np.mean(bb) - 2 * np.mean(ab))
    return np.mean(values), np.std(values, ddof=1) / np.sqrt(blocks)


@pytest.mark.parametrize("n_fake", [100, 73])
def test_the_equation_against_numpy(sets, n_fake):
    target, fake, _ = sets
    found = kid_protocol(target, fake[:n_fake], seed=5)
    assert found.blocks == 10
    expected = by_hand(target, fake[:n_fake], seed=5)
    np.testing.assert_allclose((found.value, found.standard_error), expected, rtol=1e-9)


def test_one_distribution_gives_about_zero():
    rng = np.random.default_rng(3)
    scores = [
        kid_protocol(*rng.normal(0, 1, (2, 200, 16)), seed=seed) for seed in range(30)
    ]
    values = np.array([score.value for score in scores])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean()) < 3 * error  # no bias, at blocks of ten
    # What is printed behind +- is how much the score varies from sample to sample.
    printed = np.mean([score.standard_error for score in scores])
    assert 0.7 < printed / values.std(ddof=1) < 1.4


def test_a_generator_that_changes_nothing_wins_the_mixed_score(sets):
    target, fake, source = sets
    rng = np.random.default_rng(1)
    unchanged = source + 1e-3 * rng.normal(size=source.shape)
    lazy = kid_protocol(target, unchanged, source=source)
    working = kid_protocol(target, fake, source=source)
    assert working.value < lazy.value
    assert lazy.mixed < working.mixed
    assert working.mixed == pytest.approx(
        0.01 * working.value + 0.49 * working.source_value
    )


def test_the_second_number_is_the_distance_to_the_source(sets):
    target, fake, source = sets
    found = kid_protocol(target, fake, source=source)
    expected = by_hand(source, fake)
    np.testing.assert_allclose(
        (found.source_value, found.source_standard_error), expected, rtol=1e-9
    )
    assert kid_protocol(target, fake).mixed is None


def test_images_and_a_network_of_ones_own():
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.AveragePooling2D(4)(inputs)
    network = keras.Model(inputs, keras.layers.Flatten()(outputs), name="averages")
    found = kid_protocol(
        images, 255 - images, source=images, network=network, split="test"
    )
    assert (found.blocks, found.network, found.n_fake) == (4, "averages", 40)
    words = str(found)
    for word in ("x100", "averages", "4 blocks of at most 10", "test split", "source"):
        assert word in words
    assert found == kid_protocol(
        images, 255 - images, source=images, network=network, split="test"
    )


def test_what_cannot_be_blocks_is_said(sets):
    target, fake, _ = sets
    with pytest.raises(ValueError, match=r"100 and 15.*about one size"):
        kid_protocol(target, fake[:15])
    with pytest.raises(ValueError, match="two blocks"):
        kid_protocol(target[:9], fake[:9])
    with pytest.raises(ValueError, match="block_size: expected 2"):
        kid_protocol(target, fake, block_size=1)
