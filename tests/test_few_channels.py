"""Convolutions to and from pictures against TensorFlow's own, second order included."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import Conv2D, Conv2DTranspose, few_channels

CASES = [
    *itertools.product((4, 3), (1, 2), ("same", "valid"), ((8, 8), (9, 7))),
    (7, 1, "valid", (10, 10)),
    (2, 3, "same", (8, 8)),
]
each_case = pytest.mark.parametrize(("side", "stride", "padding", "size"), CASES)


def _random(*shape, seed):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def _values(operation, inputs, kernel):
    """What it gives, its gradients, and those of the size of its inputs' gradient."""

    @tf.function
    def compute():
        with tf.GradientTape() as outer:
            outer.watch([inputs, kernel])
            with tf.GradientTape() as tape:
                tape.watch([inputs, kernel])
                outputs = operation(inputs, kernel)
                loss = tf.reduce_sum(outputs * tf.cos(outputs))
            first = tape.gradient(loss, [inputs, kernel])
            slope = tf.reduce_sum(first[0] ** 2)
        return outputs, *first, *outer.gradient(slope, [inputs, kernel])

    return compute()


def _assert_equal(ours, stock):
    for one, other in zip(ours, stock, strict=True):
        scale = np.abs(other.numpy()).max()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * scale)


@each_case
def test_convolutions_of_pictures_are_tensorflows(side, stride, padding, size):
    images = _random(2, *size, 3, seed=0)
    kernel = _random(side, side, 3, 5, seed=1)
    strides = (stride, stride)
    ours = _values(
        lambda x, w: few_channels.conv2d(x, w, strides, padding), images, kernel
    )
    stock = _values(
        lambda x, w: tf.nn.conv2d(x, w, strides, padding.upper()), images, kernel
    )
    _assert_equal(ours, stock)


@each_case
def test_transposed_convolutions_to_pictures_are_tensorflows(
    side, stride, padding, size
):
    strides, name = (stride, stride), padding.upper()
    kernel = _random(side, side, 3, 5, seed=1)
    maps = tf.nn.conv2d(tf.zeros((2, *size, 3)), kernel, strides, name)
    maps = _random(*maps.shape, seed=2)
    ours = _values(
        lambda x, w: few_channels.conv2d_transpose(x, w, size, strides, padding),
        maps,
        kernel,
    )
    stock = _values(
        lambda x, w: tf.nn.conv2d_transpose(x, w, (2, *size, 3), strides, name),
        maps,
        kernel,
    )
    _assert_equal(ours, stock)


@pytest.fixture
def compiled(monkeypatch):
    """The geometries that were asked for."""
    asked, original = [], few_channels._compiled

    def counted(*geometry):
        asked.append(geometry)
        return original(*geometry)

    monkeypatch.setattr(few_channels, "_compiled", counted)
    return asked


@pytest.mark.parametrize(
    ("layer", "channels", "expected"),
    [
        (Conv2DTranspose(3, 4, 2, "same"), 16, True),
        (Conv2DTranspose(16, 4, 2, "same"), 16, False),
        (Conv2DTranspose(3, 1), 16, False),
        (Conv2D(16, 4, 2, "same"), 6, True),
        (Conv2D(3, 4, 2, "same"), 16, False),
        (Conv2D(16, 4, 2, "same", dtype="mixed_bfloat16"), 3, False),
    ],
)
def test_layers_take_them_where_a_side_has_few_channels(
    layer, channels, expected, compiled
):
    layer.build((None, 16, 16, channels))

    @tf.function
    def slope(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(layer(inputs))
        return tape.gradient(loss, inputs)

    slope(_random(2, 16, 16, channels, seed=0))
    assert bool(compiled) == expected


def test_one_call_without_a_graph_compiles_nothing(compiled):
    Conv2DTranspose(3, 4, 2, "same")(_random(2, 4, 4, 16, seed=0))
    assert not compiled


def test_batches_of_any_size_go_through(compiled):
    layer = Conv2DTranspose(3, 4, 2, "same")
    layer.build((None, 4, 4, 16))
    call = tf.function(layer, input_signature=[tf.TensorSpec((None, 4, 4, 16))])
    maps = _random(5, 4, 4, 16, seed=0)
    np.testing.assert_allclose(call(maps[:2]), call(maps)[:2], rtol=1e-5, atol=1e-6)
    assert compiled


def test_the_slope_can_be_asked_for_inside_a_condition():
    """A lazy penalty's gradient: the second order, built in another graph."""
    images, kernel = _random(2, 8, 8, 3, seed=0), _random(4, 4, 3, 5, seed=1)

    @tf.function
    def gradient(now, convolve):
        def penalty():
            scaled = kernel * 1.5  # a kernel computed inside the branch
            with tf.GradientTape() as tape:
                tape.watch(images)
                score = tf.reduce_sum(tf.tanh(convolve(images, scaled)))
            return tf.reduce_sum(tape.gradient(score, images) ** 2)

        with tf.GradientTape() as outer:
            outer.watch(kernel)
            loss = tf.cond(now, penalty, lambda: tf.reduce_sum(kernel))
        return outer.gradient(loss, kernel)

    def ours(x, w):
        return few_channels.conv2d(x, w, (2, 2), "same")

    def stock(x, w):
        return tf.nn.conv2d(x, w, 2, "SAME")

    for now in (tf.constant(True), tf.constant(False)):
        np.testing.assert_allclose(
            gradient(now, ours), gradient(now, stock), rtol=1e-4, atol=1e-4
        )
