"""Blur, doubling, halving, and the statistic of a batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import (
    Blur2D,
    Downsample2D,
    MinibatchStdDev,
    Upsample2D,
    resampling,
)

RNG = np.random.default_rng(0)
LAYERS = (Blur2D, Upsample2D, Downsample2D)


def _normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def _filtered(image, taps, up=1, down=1, before=0, after=0):
    """Zeros between the pixels, padding, a filter, every `down`th: by NumPy."""
    size = len(image) * up
    large = np.zeros((size, size))
    large[::up, ::up] = image
    large = np.pad(large, (before, after))
    taps = np.array(taps) / sum(taps) * up
    for axis in (0, 1):
        large = np.apply_along_axis(np.convolve, axis, large, taps, "valid")
    return large[::down, ::down]


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (Blur2D, {"taps": (1, 2, 1), "before": 1, "after": 1}),
        (Upsample2D, {"taps": (1, 3, 3, 1), "up": 2, "before": 2, "after": 1}),
        (Downsample2D, {"taps": (1, 3, 3, 1), "down": 2, "before": 1, "after": 1}),
    ],
)
def test_filters_are_those_of_the_papers(layer, arguments):
    x = _normal(2, 8, 8, 3)
    y = layer()(x)
    expected = np.stack(
        [
            np.stack([_filtered(x[b, ..., c], **arguments) for c in range(3)], -1)
            for b in range(2)
        ]
    )
    assert y.shape == expected.shape == layer().compute_output_shape(x.shape)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layer", LAYERS)
def test_inside_a_constant_stays_what_it_is(layer):
    y = np.array(layer()(np.full((1, 8, 8, 2), 0.7, "float32")))
    np.testing.assert_allclose(y[:, 1:-1, 1:-1], 0.7, rtol=1e-6)


def test_a_point_keeps_its_light():
    point = np.zeros((1, 8, 8, 1), "float32")
    point[0, 4, 4] = 1
    assert np.sum(Blur2D()(point)) == pytest.approx(1)
    assert np.sum(Upsample2D()(point)) == pytest.approx(4)
    assert np.sum(Downsample2D()(point)) == pytest.approx(0.25)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_gradient_of_the_box_is_that_of_its_pools(times):
    x = tf.constant(_normal(2, 6, 7, 3))
    factors = _normal(2, 6 - times, 7 - times, 3)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = tf.reduce_sum(resampling.box(x, times) * factors)
        y = x
        for _ in range(times):
            y = tf.nn.avg_pool2d(y, 2, 1, "VALID")
        expected = tf.reduce_sum(y * factors)
    np.testing.assert_allclose(
        tape.gradient(ours, x), tape.gradient(expected, x), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_a_penalty_can_differentiate_twice(layer):
    x, layer = tf.constant(_normal(1, 4, 4, 2)), layer()
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(layer(x) ** 3)
        slope = tf.reduce_sum(inner.gradient(y, x) ** 2)
    assert np.any(outer.gradient(slope, x))


@pytest.mark.parametrize("features", [1, 2])
def test_the_statistic_of_a_batch_follows_its_equation(features):
    x = _normal(8, 4, 4, 6)
    y = np.array(MinibatchStdDev(4, features)(x))
    np.testing.assert_array_equal(y[..., :6], x)
    for start in (0, 1):  # images 0, 2, 4, 6 are one group, 1, 3, 5, 7 the other
        group = x[start::2]
        deviation = np.sqrt(group.var(0) + 1e-8).reshape(4, 4, features, -1)
        expected = deviation.mean((0, 1, 3))
        found = y[start::2, ..., 6:]
        np.testing.assert_allclose(
            found, np.broadcast_to(expected, found.shape), rtol=1e-5
        )
    order = [4, 1, 0, 3, 6, 5, 2, 7]  # within the groups
    np.testing.assert_allclose(
        MinibatchStdDev(4, features)(x[order])[..., 6:], y[order][..., 6:], rtol=1e-5
    )


def test_a_generator_that_repeats_itself_is_given_away():
    same = np.repeat(_normal(1, 4, 4, 3), 8, 0)
    np.testing.assert_allclose(MinibatchStdDev()(same)[..., 3], 1e-4, rtol=1e-3)


def test_the_statistic_of_a_batch_of_unknown_size():
    images = keras.Input((4, 4, 6))
    network = keras.Model(images, MinibatchStdDev(4)(images))
    x = _normal(8, 4, 4, 6)
    np.testing.assert_allclose(
        network.predict(x, verbose=0), MinibatchStdDev(4)(x), rtol=1e-5
    )
    assert network.predict(x[:3], verbose=0).shape == (3, 4, 4, 7)


def test_what_cannot_be_grouped_is_refused():
    with pytest.raises(ValueError, match="multiple of the group of 4"):
        MinibatchStdDev(4)(_normal(6, 2, 2, 3))
    with pytest.raises(ValueError, match="2 equal parts"):
        MinibatchStdDev(4, 2)(_normal(4, 2, 2, 3))
    with pytest.raises(ValueError, match="group_size"):
        MinibatchStdDev(0)
