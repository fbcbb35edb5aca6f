"""Our layers against Keras's own: same values, gradients, statistics and files."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    UpsampleConv2D,
    convolution,
    cpu_kernels,
)

PADDINGS = ("same", "valid")
CASES = [
    *itertools.product(
        (Conv2D, Conv2DTranspose),
        (3, 4, 5),
        (1, 2),
        PADDINGS,
        ((7, 5), (8, 8)),
    ),
    *(
        (layer, 2, 3, p, (8, 8))
        for layer in (Conv2D, Conv2DTranspose)
        for p in PADDINGS
    ),
]
each_case = pytest.mark.parametrize(
    ("layer_class", "size", "strides", "padding", "map_size"),
    CASES,
    ids=lambda v: getattr(v, "__name__", None) or str(v),
)


def _images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _pair(layer_class, inputs, *args, **kwargs):
    """Our layer and the stock one with the same weights."""
    ours = layer_class(*args, **kwargs)
    if layer_class is UpsampleConv2D:
        stock = layer_class.stock(ours.get_config())
    else:  # Keras 3.13 forgets `output_padding` in the configuration
        stock = layer_class.__bases__[0](*args, **kwargs)
    ours.build(inputs.shape)
    stock.build(inputs.shape)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=w.shape) * 0.3 for w in stock.get_weights()]
    if layer_class is BatchNormalization:
        weights[-1] = np.abs(weights[-1]) + 0.5  # a variance
    ours.set_weights(weights)
    stock.set_weights(weights)
    return ours, stock


def _outputs_and_gradients(layer, inputs, **call_arguments):
    """Outputs, input gradient, weight gradients of a loss with uneven weights."""
    inputs = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, **call_arguments)
        factors = tf.constant(_images(*outputs.shape, seed=5))
        loss = tf.reduce_sum(tf.cast(outputs, "float32") * factors)
    variables = [v.value for v in layer.trainable_variables]
    gradients = tape.gradient(loss, [inputs, *variables])
    return [outputs, *gradients]


def _assert_near(actual, expected, tolerance):
    """Relative to the largest value: a shifted or transposed result is off by ~1."""
    actual = np.asarray(tf.cast(actual, "float32"))
    expected = np.asarray(tf.cast(expected, "float32"))
    assert actual.shape == expected.shape
    error = np.abs(actual - expected).max()
    assert error <= tolerance * np.abs(expected).max() + 1e-6


@pytest.fixture
def matmul_calls(monkeypatch):
    """Counts how often the matrix-product gradient is computed."""
    calls = []
    original = cpu_kernels._kernel_gradient

    def counted(*args):
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(cpu_kernels, "_kernel_gradient", counted)
    return calls


@each_case
def test_float32_convolutions_are_the_stock_ones(
    layer_class, size, strides, padding, map_size, matmul_calls
):
    inputs = _images(2, *map_size, 3)
    pair = _pair(layer_class, inputs, 4, size, strides=strides, padding=padding)
    ours, stock = (_outputs_and_gradients(layer, inputs) for layer in pair)
    for a, b in zip(ours, stock, strict=True):
        _assert_near(a, b, 1e-6)
    assert not matmul_calls


@each_case
def test_bfloat16_convolutions_match_float32(
    layer_class, size, strides, padding, map_size, matmul_calls
):
    inputs = _images(2, *map_size, 3)
    arguments = {"strides": strides, "padding": padding}
    ours, _ = _pair(layer_class, inputs, 4, size, dtype="mixed_bfloat16", **arguments)
    _, stock = _pair(layer_class, inputs, 4, size, **arguments)
    actual = _outputs_and_gradients(ours, inputs)
    expected = _outputs_and_gradients(stock, inputs)
    for a, b in zip(actual, expected, strict=True):
        _assert_near(a, b, 0.03)
    assert actual[0].dtype == tf.bfloat16
    assert len(matmul_calls) == cpu_kernels.on_cpu()


@each_case
@pytest.mark.parametrize("largest_tiny_map", [0, 99])
def test_the_matrix_products_are_exact_in_float32(
    layer_class, size, strides, padding, map_size, largest_tiny_map, monkeypatch
):
    """The same code without rounding: no wrong padding hides in a tolerance."""
    monkeypatch.setattr(cpu_kernels, "largest_tiny_map", lambda: largest_tiny_map)
    inputs = tf.constant(_images(2, *map_size, 3))
    _, stock = _pair(layer_class, inputs, 4, size, strides=strides, padding=padding)
    stock.bias.assign(stock.bias * 0)
    *expected, _ = _outputs_and_gradients(stock, inputs)
    kernel, steps = stock.kernel.value, (strides, strides)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        if layer_class is Conv2D:
            outputs = cpu_kernels.conv2d(inputs, kernel, steps, padding)
        else:
            map_shape = tuple(expected[0].shape[1:3])
            outputs = cpu_kernels.conv2d_transpose(
                inputs, kernel, map_shape, steps, padding
            )
        loss = tf.reduce_sum(outputs * _images(*outputs.shape, seed=5))
    actual = [outputs, *tape.gradient(loss, [inputs, kernel])]
    for a, b in zip(actual, expected, strict=True):
        _assert_near(a, b, 1e-5)


@pytest.mark.parametrize("layer_class", [Conv2D, Conv2DTranspose])
def test_large_maps_and_unusual_convolutions_take_the_stock_path(
    layer_class, matmul_calls
):
    if layer_class is Conv2D:
        unusual = {"dilation_rate": 2}
    else:
        unusual = {"strides": 2, "output_padding": 1}
    for side, arguments in [(24, {"strides": 2}), (6, unusual)]:
        inputs = _images(1, side, side, 3)
        mixed = {"dtype": "mixed_bfloat16", **arguments}
        ours, _ = _pair(layer_class, inputs, 2, 3, **mixed)
        _, stock = _pair(layer_class, inputs, 2, 3, **arguments)
        actual = _outputs_and_gradients(ours, inputs)
        expected = _outputs_and_gradients(stock, inputs)
        for a, b in zip(actual, expected, strict=True):
            _assert_near(a, b, 0.03)
    assert not matmul_calls


@pytest.mark.parametrize("layer_class", [Conv2D, Conv2DTranspose])
def test_a_side_of_unknown_length_works(layer_class):
    """Height known, width not: the matrix product needs both."""
    layer = layer_class(2, 3, padding="same", dtype="mixed_bfloat16")
    layer.build((None, 8, None, 3))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, None, 3))])
    def gradient(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs))
        return tape.gradient(loss, layer.kernel.value)

    assert np.isfinite(gradient(_images(1, 8, 6, 3))).all()


@pytest.mark.parametrize("layer_class", [Conv2D, Conv2DTranspose])
def test_bias_gradients_in_bfloat16_are_true_sums(layer_class):
    """TensorFlow's own kernel stops adding at 256 times the terms."""
    inputs = _images(8, 48, 48, 2)
    arguments = {"padding": "same", "dtype": "mixed_bfloat16"}
    layer, _ = _pair(layer_class, inputs, 3, 3, **arguments)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.cast(layer(inputs), "float32"))
    gradient = tape.gradient(total, layer.bias.value)
    np.testing.assert_allclose(gradient, np.full(3, 8 * 48 * 48), rtol=0.005)


@pytest.mark.parametrize("layer_class", [Conv2D, Conv2DTranspose])
@pytest.mark.parametrize("in_graph", [False, True])
def test_second_order_gradients(layer_class, in_graph, matmul_calls):
    """R1 differentiates a gradient; that must pass through our own gradient."""
    inputs = tf.constant(_images(2, 6, 6, 3))
    ours, _ = _pair(layer_class, inputs, 4, 4, strides=2, dtype="mixed_bfloat16")
    _, stock = _pair(layer_class, inputs, 4, 4, strides=2)

    def r1(layer):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                total = tf.reduce_sum(tf.tanh(tf.cast(layer(inputs), "float32")))
            slope = inner.gradient(total, inputs)
            penalty = tf.reduce_sum(tf.square(tf.cast(slope, "float32")))
        return penalty, outer.gradient(penalty, layer.kernel.value)

    run = tf.function(r1) if in_graph else r1
    actual, expected = run(ours), r1(stock)
    for a, b in zip(actual, expected, strict=True):
        _assert_near(a, b, 0.06)
    assert matmul_calls


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(3, 5, 7, 4), (2, 1, 1, 4), (6, 4)])
@pytest.mark.parametrize("training", [False, True])
def test_batch_normalization_is_the_stock_one(dtype, shape, training):
    inputs = _images(*shape) * 3 + 1
    arguments = {"momentum": 0.7, "epsilon": 1e-2, "dtype": dtype}
    pair = _pair(BatchNormalization, inputs, **arguments)
    ours, stock = (
        _outputs_and_gradients(layer, inputs, training=training) for layer in pair
    )
    tolerance = 1e-5 if dtype == "float32" else 0.02
    for a, b in zip(ours, stock, strict=True):
        _assert_near(a, b, tolerance)
    for a, b in zip(pair[0].weights, pair[1].weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=a.name)


def test_batch_normalization_sums_large_bfloat16_maps_like_float32():
    inputs = _images(8, 48, 48, 3) + 0.5
    ours, _ = _pair(BatchNormalization, inputs, dtype="mixed_bfloat16")
    _, stock = _pair(BatchNormalization, inputs)
    actual = _outputs_and_gradients(ours, inputs, training=True)
    expected = _outputs_and_gradients(stock, inputs, training=True)
    for a, b in zip(actual, expected, strict=True):
        _assert_near(a, b, 0.03)


def test_frozen_batch_normalization_uses_its_averages():
    inputs = _images(4, 3, 3, 2)
    ours, stock = _pair(BatchNormalization, inputs)
    ours.trainable = stock.trainable = False
    before = ours.get_weights()
    np.testing.assert_allclose(
        ours(inputs, training=True), stock(inputs, training=True), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(before, ours.get_weights())


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_configuration_and_file_round_trip(dtype, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            Conv2D(4, 3, 2, "same", use_bias=False, dtype=dtype),
            BatchNormalization(momentum=0.5, dtype=dtype),
            Conv2DTranspose(2, 4, 2, "same", activation="tanh", dtype=dtype),
        ]
    )
    for layer in model.layers:
        copy = type(layer).from_config(layer.get_config())
        assert copy.get_config() == layer.get_config()
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(a) for a in opened.layers] == [type(a) for a in model.layers]
    inputs = _images(2, 6, 6, 3)
    np.testing.assert_array_equal(opened(inputs), model(inputs))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("size", [1, 3, 5, (3, 1)])
@pytest.mark.parametrize("map_size", [(3, 2), (8, 8), (10, 9)])
def test_upsampling_and_convolution_in_one(size, map_size, dtype):
    inputs = _images(2, *map_size, 3)
    # The reference is in float32: the stock gradient of a bfloat16 bias is wrong.
    _, stock = _pair(UpsampleConv2D, inputs, 4, size, activation="tanh")
    ours = UpsampleConv2D(4, size, activation="tanh", dtype=dtype)
    ours.build(inputs.shape)
    ours.set_weights(stock.get_weights())
    assert ours.compute_output_shape(inputs.shape) == stock(inputs).shape
    for actual, expected in zip(
        _outputs_and_gradients(ours, inputs),
        _outputs_and_gradients(stock, inputs),
        strict=True,
    ):
        _assert_near(actual, expected, 1e-5 if dtype == "float32" else 0.04)


def test_upsampling_of_maps_whose_size_comes_later():
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, UpsampleConv2D(4, 3)(inputs))
    assert model.output.shape == (None, None, None, 4)
    assert model(_images(1, 5, 6, 2)).shape == (1, 10, 12, 4)


@pytest.mark.parametrize(
    "wrong", [{"strides": 2}, {"padding": "valid"}, {"groups": 2}, {"kernel_size": 4}]
)
def test_upsampling_that_is_not_by_two(wrong):
    with pytest.raises(ValueError, match=f"Expected.*{next(iter(wrong))}"):
        UpsampleConv2D(**{"filters": 4, "kernel_size": 3, **wrong})


def test_stock_layers_are_of_keras():
    """`gan_lib.export` builds them from our configuration."""
    for layer in (
        Conv2D(3, 3),
        Conv2DTranspose(3, 4),
        BatchNormalization(),
        UpsampleConv2D(3, 3),
    ):
        stock = layer.stock(layer.get_config())
        for part in getattr(stock, "layers", [stock]):
            assert type(part).__module__.startswith("keras.")
        assert stock.name == layer.name
        assert type(layer).__module__.startswith(convolution.__package__)
