"""Source and target are cut and mirrored alike, and all follows from the position."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan_lib.data.hints import PATCH
from gan_lib.data.pair_batches import PairBatches
from gan_lib.data.pairs import LABEL_COLOURS, Pairs, paint_labels
from gan_lib.data.pipeline import Batches, to_uint8


def smooth(count: int, side: int = 16, channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(2).integers(
        0, 256, (count, 4, 4, channels), np.uint8
    )
    planes = [
        [Image.fromarray(i[..., c]).resize((side, side), 2) for c in range(channels)]
        for i in coarse
    ]
    return np.stack([np.stack([np.asarray(p) for p in row], -1) for row in planes])


@pytest.fixture(scope="module")
def same():
    """Source and target show the same, in one channel and in three."""
    grey = smooth(20, channels=1)
    return Pairs(grey, np.repeat(grey, 3, -1))


def shown(batches: PairBatches, steps: int, start: int = 0):
    return [
        tuple(to_uint8(side.numpy()) for side in batch)
        for batch in batches.dataset(start).take(steps)
    ]


@pytest.mark.parametrize("jitter", [0, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_both_sides_are_treated_alike(same, jitter, flip):
    batches = PairBatches(same, 7, seed=1, flip=flip, jitter=jitter)
    for source, target in shown(batches, 9):
        np.testing.assert_array_equal(np.repeat(source, 3, -1), target)


def test_without_jitter_it_is_the_order_of_batches(same):
    single = Batches(same.target, 6, seed=5, flip=True)
    double = PairBatches(same, 6, seed=5, flip=True)
    for a, (_, b) in zip(single.dataset().take(8), shown(double, 8), strict=True):
        np.testing.assert_array_equal(to_uint8(a.numpy()), b)


@pytest.mark.parametrize("start", [0, 1, 9])
def test_starting_late_equals_skipping(start):
    pairs = Pairs(smooth(11, channels=1), smooth(11))
    options = {"seed": 3, "flip": True, "jitter": 4, "hints": True}
    skipped = PairBatches(pairs, 4, **options).dataset().skip(start).take(5)
    late = PairBatches(pairs, 4, **options).dataset(start).take(5)
    for a, b in zip(skipped, late, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_position_counts_not_the_batch_size():
    pairs = Pairs(smooth(9, channels=1), smooth(9))
    options = {"seed": 3, "flip": True, "jitter": 4, "hints": True}
    few, many = PairBatches(pairs, 3, **options), PairBatches(pairs, 12, **options)
    for side in (0, 1):
        np.testing.assert_array_equal(
            np.concatenate([few.collect(step)[side] for step in range(8)]),
            np.concatenate([many.collect(step)[side] for step in range(2)]),
        )


def test_another_seed_and_another_epoch_cut_elsewhere():
    pairs = Pairs(smooth(1, channels=1), smooth(1))
    a = PairBatches(pairs, 40, seed=0, jitter=6)
    b = PairBatches(pairs, 40, seed=1, jitter=6)
    assert len(np.unique(a.collect(0)[1], axis=0)) > 20  # of 49 windows
    assert (a.collect(0)[1] != b.collect(0)[1]).any()
    assert (a.collect(0)[1] != a.collect(1)[1]).any()


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("jitter", [1, 4, 5])
def test_jitter_is_a_window_of_the_enlarged_picture(nearest, jitter):
    """Every sample equals one of the (jitter + 1)^2 windows, and all of them come."""
    picture = smooth(1, side=12)
    size, middles = 12 + jitter, (np.arange(12 + jitter) + 0.5) * 12 / (12 + jitter)
    places = np.floor(middles + 1e-9).astype(int)
    large = picture[0][np.ix_(places, places)]
    if not nearest:
        large = np.asarray(Image.fromarray(picture[0]).resize((size, size), 2))
    elif jitter == 4:  # no ties, which Pillow decides in its own way
        pillow = Image.fromarray(picture[0]).resize((size, size), 0)
        np.testing.assert_array_equal(large, np.asarray(pillow))
    steps = range(jitter + 1)
    windows = np.stack(
        [large[y : y + 12, x : x + 12] for y in steps for x in steps]
    ).astype(int)
    pairs = Pairs(picture, picture, (nearest, nearest))
    source, target = PairBatches(pairs, 400, jitter=jitter).collect(0)
    np.testing.assert_array_equal(source, target)
    apart = np.abs(source[:, None].astype(int) - windows[None]).max((2, 3, 4))
    assert apart.min(1).max() <= (0 if nearest else 1)  # one level of rounding
    assert len(np.unique(apart.argmin(1))) == len(windows)


def test_labels_stay_labels():
    labels = np.random.default_rng(0).integers(0, 12, (4, 16, 16))
    pairs = Pairs(paint_labels(labels), smooth(4), (True, False))
    source, _ = PairBatches(pairs, 30, jitter=5, flip=True).collect(0)
    allowed = {tuple(colour) for colour in LABEL_COLOURS.tolist()}
    assert {tuple(c) for c in source.reshape(-1, 3).tolist()} <= allowed
    mixed, _ = PairBatches(Pairs(pairs.source, pairs.target), 30, jitter=5).collect(0)
    assert not {tuple(c) for c in mixed.reshape(-1, 3).tolist()} <= allowed


def test_hints_are_the_colours_of_the_cut_target():
    pairs = Pairs(smooth(6, channels=1), smooth(6))
    batches = PairBatches(pairs, 64, seed=2, flip=True, jitter=4, hints=True)
    source, target = batches.collect(0)
    assert source.shape == (64, 16, 16, 5)
    mask = source[..., 4] == 255
    assert 0 < mask.any((1, 2)).mean() < 1
    far = np.abs(source[..., 1:4].astype(int) - target).max(-1)[mask]
    assert np.median(far) < 80  # the pictures are smooth, so a local mean is near
    elsewhere = np.abs(source[..., 1:4].astype(int) - np.roll(target, 1, 0)).max(-1)
    assert np.median(far) < 0.7 * np.median(elsewhere[mask])
    assert mask.sum((1, 2)).max() <= 8 * PATCH**2
    again, _ = batches.collect(3)
    assert (again[..., 4] != source[..., 4]).any()


def test_dataset_is_endless_float_and_shaped(same):
    batches = PairBatches(same, 4, jitter=2, hints=True)
    dataset = batches.dataset()
    assert dataset.cardinality().numpy() == tf.data.INFINITE_CARDINALITY
    assert dataset.element_spec == (
        tf.TensorSpec((4, 16, 16, 5), tf.float32),
        tf.TensorSpec((4, 16, 16, 3), tf.float32),
    )
    source, target = next(iter(dataset))
    assert source.numpy().min() >= -1
    assert target.numpy().max() <= 1
    assert (batches.batch_size, batches.num_pairs, batches.steps_per_epoch) == (
        4,
        20,
        5,
    )
    assert "jitter=2" in repr(batches)


def test_sources_with_other_channels_and_memmaps(tmp_path):
    source = smooth(5, channels=4)
    source.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", np.uint8, mode="r", shape=source.shape)
    target = smooth(5)
    a = PairBatches(Pairs(mapped, target), 8, jitter=3, flip=True).collect(1)
    b = PairBatches(Pairs(source, target), 8, jitter=3, flip=True).collect(1)
    np.testing.assert_array_equal(a[0], b[0])
    plane = Pairs(source[..., 3:], target)
    c = PairBatches(plane, 8, jitter=3, flip=True).collect(1)
    np.testing.assert_array_equal(b[0][..., 3:], c[0])
    np.testing.assert_array_equal(source, smooth(5, channels=4))  # untouched


def test_errors_talk_like_a_teacher(same):
    with pytest.raises(TypeError, match="face_pairs"):
        PairBatches((same.source, same.target), 4)
    with pytest.raises(ValueError, match="at least one picture"):
        PairBatches(same[:0], 4)
    with pytest.raises(ValueError, match="jitter"):
        PairBatches(same, 4, jitter=-1)
    with pytest.raises(ValueError, match="reversed"):
        PairBatches(same.reversed(), 4, hints=True)
    with pytest.raises(ValueError, match="start_step"):
        PairBatches(same, 4).dataset(-1)
