"""The order of training batches is a pure function of (seed, position)."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow as tf

from gan_lib.data.pipeline import Batches, to_float, to_uint8


def numbered(count: int, side: int = 4) -> np.ndarray:
    """Picture k carries k in its first two bytes, so a batch tells what it shows."""
    images = np.zeros((count, side, side, 3), np.uint8)
    images[:, :, :, 0] = (np.arange(count) // 256)[:, None, None]
    images[:, :, :, 1] = (np.arange(count) % 256)[:, None, None]
    images[:, :, 0, 2] = 200  # a bright left edge, which a flip moves to the right
    return images


def shown(batches: Batches, steps: int, start: int = 0) -> np.ndarray:
    drawn = batches.dataset(start).take(steps)
    pixels = np.concatenate([to_uint8(batch.numpy()) for batch in drawn]).astype(int)
    return pixels[:, 1, 1, 0] * 256 + pixels[:, 1, 1, 1]


@pytest.mark.parametrize(("count", "size"), [(1, 3), (2, 8), (10, 4), (1000, 64)])
def test_every_epoch_is_a_permutation(count, size):
    epochs = 4
    steps = -(-epochs * count // size)
    order = shown(Batches(numbered(count), size, seed=5), steps)[: epochs * count]
    for epoch in order.reshape(epochs, count):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(count))


def test_order_is_the_documented_one():
    batches = Batches(numbered(100), 32, seed=9)
    orders = [np.random.default_rng([9, epoch, 0]).permutation(100) for epoch in (0, 1)]
    np.testing.assert_array_equal(shown(batches, 6), np.concatenate(orders)[: 6 * 32])


def test_epochs_seeds_and_neighbours_are_independent():
    count = 500
    images = numbered(count)
    first, second = shown(Batches(images, count, seed=1), 2).reshape(2, count)
    other = shown(Batches(images, count, seed=2), 1)
    limit = 5 / np.sqrt(count)  # five standard deviations
    for a, b in ((first, second), (first, other), (first[1:], first[:-1])):
        assert abs(np.corrcoef(a, b)[0, 1]) < limit


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("start", [0, 1, 7, 23])
def test_starting_late_equals_skipping(flip, start):
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 6, 3), np.uint8)
    batches = Batches(images, 16, seed=3, flip=flip)
    skipped = batches.dataset().skip(start).take(5)
    late = Batches(images, 16, seed=3, flip=flip).dataset(start).take(5)
    for a, b in zip(skipped, late, strict=True):
        np.testing.assert_array_equal(a, b)


def test_starting_late_is_free():
    batches = Batches(numbered(100), 64, seed=3)
    begin = time.perf_counter()
    far = next(iter(batches.dataset(10**12)))
    assert time.perf_counter() - begin < 5
    assert far.shape == (64, 4, 4, 3)


def test_position_counts_not_the_batch_size():
    images = numbered(90)
    a = Batches(images, 8, seed=4, flip=True)
    b = Batches(images, 20, seed=4, flip=True)
    for field in (0, 1):
        np.testing.assert_array_equal(
            np.concatenate([a.samples(step)[field] for step in range(50)]),
            np.concatenate([b.samples(step)[field] for step in range(20)]),
        )


def test_flips_mirror_half_of_the_pictures():
    images = numbered(40)
    batches = Batches(images, 100, seed=0, flip=True)
    flags = np.concatenate([batches.samples(step)[1] for step in range(100)])
    assert abs(flags.mean() - 0.5) < 0.025  # five standard deviations of 10,000
    indices, mirrored = batches.samples(0)
    expected = images[indices]
    expected[mirrored] = expected[mirrored][:, :, ::-1]
    batch = next(iter(batches.dataset()))
    np.testing.assert_array_equal(to_uint8(batch.numpy()), expected)
    np.testing.assert_array_equal(images, numbered(40))  # the source is untouched


def test_dataset_is_endless_float_and_shaped():
    dataset = Batches(numbered(10, 8), 64).dataset()
    assert dataset.cardinality().numpy() == tf.data.INFINITE_CARDINALITY
    assert dataset.element_spec == tf.TensorSpec((64, 8, 8, 3), tf.float32)
    batch = next(iter(dataset)).numpy()
    assert batch.min() == -1.0
    assert batch.max() <= 1.0


def test_memmap_is_read_in_pieces(tmp_path):
    images = numbered(300)
    path = tmp_path / "pixels"
    images.tofile(path)
    mapped = np.memmap(path, np.uint8, mode="r", shape=images.shape)
    a, b = Batches(images, 32, seed=1), Batches(mapped, 32, seed=1)
    assert b.images is mapped
    np.testing.assert_array_equal(shown(a, 12), shown(b, 12))


@pytest.mark.slow
def test_more_than_two_gigabytes():
    images = np.zeros((180_000, 64, 64, 3), np.uint8)  # 2.2 GB, pages not touched
    images[-1] = 255
    batches = Batches(images, 64)
    step = int(np.flatnonzero(batches._epoch(0)[0] == 179_999)[0]) // 64
    assert next(iter(batches.dataset(step))).numpy().max() == 1.0


def test_attributes():
    batches = Batches(numbered(100), 32)
    assert batches.num_images == 100
    assert batches.image_shape == (4, 4, 3)
    assert batches.batch_size == 32
    assert batches.steps_per_epoch == 4
    assert "100 pictures" in repr(batches)


def test_round_trip_is_exact_for_every_byte():
    values = np.arange(256, dtype=np.uint8)
    for kind in (np.asarray, tf.constant):
        floats = to_float(kind(values))
        np.testing.assert_array_equal(np.asarray(to_uint8(floats)), values)
    assert to_float(values)[[0, 255]].tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_to_uint8_rounds_and_clips(kind):
    values = kind(np.array([-7.0, -1.0, 0.001, 0.0, 1.0, 1.001, 9.0], np.float32))
    assert np.asarray(to_uint8(values)).tolist() == [0, 0, 128, 128, 255, 255, 255]
    half = tf.cast(tf.constant([-1.0, 1.0]), tf.bfloat16)
    assert to_uint8(half).numpy().tolist() == [0, 255]


def test_errors_talk_like_a_teacher():
    images = numbered(4)
    for bad, error, words in (
        (images.astype(np.float32), TypeError, "to_uint8"),
        (images[..., 0], ValueError, "channel axis"),
        (images[0, 0], ValueError, "np.stack"),
        (images[:0], ValueError, "at least one picture"),
        (list(images), TypeError, "NumPy array"),
    ):
        with pytest.raises(error, match=words):
            Batches(bad, 2)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        Batches(images, 0)
    with pytest.raises(TypeError, match="whole number"):
        Batches(images, 2.5)
    with pytest.raises(ValueError, match="seed"):
        Batches(images, 2, seed=-1)
    with pytest.raises(ValueError, match="start_step"):
        Batches(images, 2).dataset(-1)
    with pytest.raises(TypeError, match="expects uint8"):
        to_float(np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="expects float"):
        to_uint8(np.zeros(3, np.uint8))


@pytest.mark.slow
def test_fast_enough_for_any_step_here():
    images = np.random.default_rng(0).integers(0, 256, (5000, 64, 64, 3), np.uint8)
    drawn = iter(Batches(images, 64).dataset())
    next(drawn)
    begin = time.perf_counter()
    for _ in range(500):
        next(drawn)
    # 50,000 to 80,000 images/s on two free cores; the bar allows for busy ones.
    assert 500 * 64 / (time.perf_counter() - begin) > 5000


@pytest.mark.slow
def test_python_ends_while_batches_are_made(run_python):
    """An iterator that is alive at the end must not keep the program from ending."""
    program = """
import time
import numpy as np
from gan_lib.data.pipeline import Batches
class Slow(Batches):
    def collect(self, step):
        time.sleep(0.05)
        return super().collect(step)
batches = iter(Slow(np.zeros((9, 64, 64, 3), np.uint8), 256, flip=True).dataset())
print(next(batches).shape)
"""
    assert "(256, 64, 64, 3)" in run_python(program, timeout=90)
