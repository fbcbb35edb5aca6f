"""A and B are drawn apart, and every batch follows from its number alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan_lib.data.pipeline import to_uint8
from gan_lib.data.unpaired import Unpaired
from gan_lib.data.unpaired_batches import UnpairedBatches


def smooth(count: int, seed: int, side: int = 16) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(c).resize((side, side), 2)) for c in coarse]
    )


def numbered(count: int, side: int = 8) -> np.ndarray:
    """Picture k has the level k everywhere; its left column tells it mirrored."""
    images = np.empty((count, side, side, 3), np.uint8)
    images[:] = np.arange(count, dtype=np.uint8)[:, None, None, None]
    images[:, :, 0] = 255
    return images


@pytest.fixture(scope="module")
def data():
    return Unpaired(smooth(7, 1), smooth(12, 2))


def shown(batches: UnpairedBatches, steps: int, start: int = 0):
    return [
        tuple(to_uint8(side.numpy()) for side in batch)
        for batch in batches.dataset(start).take(steps)
    ]


def seen(batches: UnpairedBatches, steps: range):
    """Numbers and mirrorings of all samples, of A and of B."""
    sides = zip(*(batches.collect(step) for step in steps), strict=True)
    samples = [np.concatenate(side) for side in sides]
    numbers = [side[:, 0, 4, 0].astype(int) for side in samples]
    return numbers, [side[:, 0, 0, 0] != 255 for side in samples]


def test_dataset_is_endless_float_and_shaped(data):
    batches = UnpairedBatches(data, 4)
    dataset = batches.dataset()
    assert dataset.cardinality().numpy() == tf.data.INFINITE_CARDINALITY
    assert dataset.element_spec == (tf.TensorSpec((4, 16, 16, 3), tf.float32),) * 2
    domain_a, domain_b = next(iter(dataset))
    assert min(domain_a.numpy().min(), domain_b.numpy().min()) >= -1
    assert max(domain_a.numpy().max(), domain_b.numpy().max()) <= 1
    assert (batches.num_a, batches.num_b, batches.num_images) == (7, 12, 12)
    assert (batches.steps_per_epoch, batches.image_shape) == (3, (16, 16, 3))
    assert batches.jitter == 2  # 16 * 30 / 256
    assert "7 A, 12 B" in repr(batches)
    assert UnpairedBatches(data.swapped(), 5).steps_per_epoch == 3


@pytest.mark.parametrize("start", [0, 1, 9])
def test_starting_late_equals_skipping(data, start):
    skipped = UnpairedBatches(data, 4, seed=3).dataset().skip(start).take(5)
    late = UnpairedBatches(data, 4, seed=3).dataset(start).take(5)
    for one, other in zip(skipped, late, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_position_counts_not_the_batch_size(data):
    few, many = UnpairedBatches(data, 3, seed=3), UnpairedBatches(data, 12, seed=3)
    for side in range(2):
        np.testing.assert_array_equal(
            np.concatenate([few.collect(step)[side] for step in range(8)]),
            np.concatenate([many.collect(step)[side] for step in range(2)]),
        )


def test_each_domain_is_shown_whole_in_its_own_epochs():
    data = Unpaired(numbered(5), numbered(20))
    batches = UnpairedBatches(data, 5, flip=False, jitter=0)
    (numbers_a, numbers_b), _ = seen(batches, range(8))
    for epoch in range(8):
        assert sorted(numbers_a[5 * epoch : 5 * epoch + 5]) == list(range(5))
    for epoch in range(2):
        assert sorted(numbers_b[20 * epoch : 20 * epoch + 20]) == list(range(20))


def test_order_and_mirroring_of_a_say_nothing_of_b():
    """With equal lengths and one seed, nothing falls together but by chance."""
    a = numbered(200)
    b = a.copy()
    b[..., 1] = 7  # the same numbers, other pictures
    batches = UnpairedBatches(Unpaired(a, b), 50, seed=4, jitter=0)
    (numbers_a, numbers_b), (mirrored_a, mirrored_b) = seen(batches, range(40))
    together = (numbers_a == numbers_b).mean()
    assert together < 0.02  # chance: 0.005
    assert abs(np.corrcoef(numbers_a, numbers_b)[0, 1]) < 0.08
    assert 0.45 < mirrored_a.mean() < 0.55
    assert 0.45 < mirrored_b.mean() < 0.55
    assert 0.45 < (mirrored_a == mirrored_b).mean() < 0.55


def test_windows_differ_between_domains_images_and_steps():
    ramp = np.broadcast_to(np.arange(0, 256, 8, dtype=np.uint8)[:, None], (32, 32))
    plane = np.stack([ramp, ramp.T, ramp], axis=-1)[None]
    other = plane.copy()
    other[..., 2] = 0
    data = Unpaired(plane, other)
    batches = UnpairedBatches(data, 32, flip=False, jitter=6, seed=2)
    first, second = batches.collect(0), batches.collect(1)
    places = [side[:, 16, 16, :2].astype(int) for side in (*first, *second)]
    for side in places:
        assert len(np.unique(side, axis=0)) > 12  # of 49 windows
    assert (places[0] != places[1]).any(axis=1).mean() > 0.9  # A and B
    assert (places[0] != places[2]).any(axis=1).mean() > 0.9  # two steps
    for one, two in ((0, 1), (0, 2)):
        assert abs(np.corrcoef(places[one][:, 0], places[two][:, 0])[0, 1]) < 0.6


def test_another_seed_shows_others_and_no_options_show_the_pictures():
    data = Unpaired(smooth(9, 1), smooth(9, 2))
    plain = UnpairedBatches(data, 9, seed=1, flip=False, jitter=0)
    for images, batch in zip(
        (data.domain_a, data.domain_b), plain.collect(0), strict=True
    ):
        assert sorted(map(bytes, images)) == sorted(map(bytes, batch))
    for side in range(2):
        other = UnpairedBatches(data, 9, seed=2, flip=False, jitter=0).collect(0)
        assert (plain.collect(0)[side] != other[side]).any()


def test_memmaps_give_the_same_and_stay_untouched(data, tmp_path):
    data.domain_a.tofile(tmp_path / "a")
    mapped = np.memmap(tmp_path / "a", np.uint8, mode="r", shape=data.domain_a.shape)
    before = data.domain_b.copy()
    one = UnpairedBatches(Unpaired(mapped, data.domain_b), 8).collect(2)
    two = UnpairedBatches(data, 8).collect(2)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    np.testing.assert_array_equal(data.domain_b, before)


def test_errors_talk_like_a_teacher(data):
    with pytest.raises(TypeError, match="two_styles"):
        UnpairedBatches((data.domain_a, data.domain_b), 4)
    with pytest.raises(ValueError, match="jitter"):
        UnpairedBatches(data, 4, jitter=-1)
    with pytest.raises(ValueError, match="batch_size"):
        UnpairedBatches(data, 0)
    with pytest.raises(TypeError, match="seed"):
        UnpairedBatches(data, 4, seed=1.5)
    with pytest.raises(ValueError, match="start_step"):
        UnpairedBatches(data, 4).dataset(-1)
