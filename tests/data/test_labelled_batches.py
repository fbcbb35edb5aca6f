"""Every picture keeps its label, and every batch follows from its number alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from gan_lib.data.labelled_batches import LabelledBatches
from gan_lib.data.pipeline import Batches, to_uint8


@pytest.fixture(scope="module")
def data():
    """Pictures of one level each, with labels that follow from the level."""
    images = np.zeros((13, 4, 6, 3), np.uint8)
    images[:] = np.arange(13, dtype=np.uint8)[:, None, None, None]
    images[:, :, 0] = 255  # shows a mirrored one
    return images, np.arange(13) * 7 % 5


def test_dataset_is_endless_and_shaped(data):
    batches = LabelledBatches(*data, 4)
    dataset = batches.dataset()
    assert dataset.cardinality().numpy() == tf.data.INFINITE_CARDINALITY
    assert dataset.element_spec == (
        tf.TensorSpec((4, 4, 6, 3), tf.float32),
        tf.TensorSpec((4,), tf.int32),
    )
    images, _ = next(iter(dataset))
    assert -1 <= images.numpy().min() < images.numpy().max() <= 1
    assert (batches.num_images, batches.steps_per_epoch) == (13, 4)
    assert (batches.batch_size, batches.image_shape) == (4, (4, 6, 3))
    assert "13 pictures of shape (4, 6, 3) in 5 classes" in repr(batches)


def test_order_is_that_of_batches_and_labels_stay(data):
    options = {"seed": 3, "flip": True}
    labelled = LabelledBatches(*data, 5, **options)
    plain = Batches(data[0], 5, **options).dataset()
    mirrored = []
    for (images, labels), other in zip(labelled.dataset().take(9), plain, strict=False):
        np.testing.assert_array_equal(images, other)
        levels = to_uint8(images.numpy())[:, 0, 3, 0].astype(int)
        np.testing.assert_array_equal(labels, levels * 7 % 5)
        mirrored += (images.numpy()[:, 0, 0, 0] < 1).tolist()
    assert 0 < np.mean(mirrored) < 1


@pytest.mark.parametrize("start", [0, 1, 11])
def test_starting_late_equals_skipping(data, start):
    batches = LabelledBatches(*data, 4, seed=5, flip=True)
    skipped = batches.dataset().skip(start).take(5)
    late = LabelledBatches(*data, 4, seed=5, flip=True).dataset(start).take(5)
    for number, (one, other) in enumerate(zip(skipped, late, strict=True)):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        images, labels = batches.collect(start + number)
        np.testing.assert_array_equal(to_uint8(one[0].numpy()), images)
        np.testing.assert_array_equal(one[1], labels)


def test_an_epoch_has_each_label_as_often_as_the_data(data):
    batches = LabelledBatches(*data, 13, seed=1)
    for step in range(3):
        _, labels = batches.collect(step)
        assert sorted(labels) == sorted(data[1])
    assert (batches.collect(0)[1] != batches.collect(1)[1]).any()


def test_errors_talk_like_a_teacher(data):
    images, labels = data
    with pytest.raises(ValueError, match="expected 13 whole numbers"):
        LabelledBatches(images, labels[:9], 4)
    with pytest.raises(ValueError, match="got float64"):
        LabelledBatches(images, labels / 2, 4)
    with pytest.raises(ValueError, match="batch_size"):
        LabelledBatches(images, labels, 0)
    with pytest.raises(TypeError, match="expects uint8"):
        LabelledBatches(images / 255, labels, 4)
    with pytest.raises(ValueError, match="start_step"):
        LabelledBatches(images, labels, 4).dataset(-1)
