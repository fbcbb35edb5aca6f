"""Our fused Adam against the one of Keras."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.optimizers import Adam, LinearDecay

HERE = Path(__file__).parent
SHAPES = [(), (7,), (3, 4), (3, 3, 2, 5)]
SETTINGS = {
    "plain": {},
    "dcgan": {"learning_rate": 2e-4, "beta_1": 0.5},
    "no momentum": {"beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-3},
    "schedule": {
        "learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    },
    "weight decay": {"weight_decay": 0.1, "learning_rate": 0.05},
    "clip by norm": {"clipnorm": 0.3},
    "clip by global norm": {"global_clipnorm": 0.3},
    "average": {"use_ema": True, "ema_momentum": 0.5},
    "accumulation": {"gradient_accumulation_steps": 2},
    "amsgrad": {"amsgrad": True},
}


def _variables():
    rng = np.random.default_rng(0)
    return [keras.Variable(rng.normal(size=shape), dtype="float32") for shape in SHAPES]


def _gradients(step):
    rng = np.random.default_rng([1, step])
    values = [rng.normal(size=shape) * 10.0 ** (step % 3) for shape in SHAPES]
    return [tf.constant(value, "float32") for value in values]


def _train(optimizer, variables, steps=range(10), in_graph=False):
    optimizer.build(variables)

    def move(*gradients):
        optimizer.apply(list(gradients), variables)

    move = tf.function(move) if in_graph else move
    for step in steps:
        move(*_gradients(step))
    return [np.asarray(v) for v in (*variables, *optimizer.variables)]


def _assert_near(ours, stock):
    assert len(ours) == len(stock)
    for a, b in zip(ours, stock, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=5e-6)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_ten_steps_equal_those_of_keras(settings, in_graph):
    ours = _train(Adam(**settings), _variables(), in_graph=in_graph)
    stock = _train(keras.optimizers.Adam(**settings), _variables())
    _assert_near(ours, stock)


ON_TWO_DEVICES = """
import keras, tensorflow as tf
import test_optimizers as here
import replica_cases
from gan_lib.optimizers import Adam

replica_cases.two_virtual_devices()
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def train(cls, settings):
    with strategy.scope():
        variables, optimizer = here._variables(), cls(**settings)
        optimizer.build(variables)

    @tf.function
    def move(gradients):
        strategy.run(lambda: optimizer.apply([1.0 * g for g in gradients], variables))

    for step in range(5):
        move(here._gradients(step))
    graph = move.get_concrete_function(here._gradients(0)).graph
    kinds = {operation.type for operation in graph.get_operations()}
    return [v.numpy() for v in (*variables, *optimizer.variables)], kinds

for name, settings in here.SETTINGS.items():
    if name == "accumulation":  # Keras cannot under a strategy
        continue
    ours, kinds = train(Adam, settings)
    stock, stock_kinds = train(keras.optimizers.Adam, settings)
    here._assert_near(ours, stock)
    fused = "ResourceApplyAdam" in kinds
    assert fused == (not settings.get("amsgrad")), (name, kinds)
    assert "ResourceApplyAdam" not in stock_kinds
print("equal")
"""


def test_on_two_devices_too(run_python):
    program = f"import sys; sys.path.insert(0, {str(HERE)!r})\n{ON_TWO_DEVICES}"
    assert run_python(program).endswith("equal\n")


def test_under_loss_scaling_a_bad_step_is_skipped():
    results = []
    for adam in (Adam, keras.optimizers.Adam):
        optimizer = keras.optimizers.LossScaleOptimizer(adam(0.1), initial_scale=8.0)
        variables = _variables()
        optimizer.build(variables)
        for step in range(4):
            gradients = [g * optimizer.scale_loss(1.0) for g in _gradients(step)]
            if step == 2:
                gradients[1] *= np.inf
            optimizer.apply(gradients, variables)
        assert float(optimizer.scale_loss(1.0)) == 4.0
        assert int(optimizer.iterations) == 3
        results.append([np.asarray(v) for v in (*variables, *optimizer.variables)])
    _assert_near(*results)


def test_training_goes_on_from_saved_state():
    straight = _train(Adam(0.1), _variables())
    variables, optimizer = _variables(), Adam(0.1)
    cut = _train(optimizer, variables, range(4))
    fresh, other = _variables(), Adam(0.1)
    other.build(fresh)
    for variable, value in zip((*fresh, *other.variables), cut, strict=True):
        variable.assign(value)
    resumed = _train(other, fresh, range(4, 10))
    for a, b in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_file_round_trip():
    optimizer = Adam(3e-4, beta_1=0.5, epsilon=1e-6)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(copy) is Adam
    assert copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize("amsgrad", [False, True])
def test_l2_is_a_term_of_the_gradient(amsgrad):
    """Equal to the stock Adam on the loss f(w) + 0.05 |w|^2."""
    ours, stock = _variables(), _variables()
    one = Adam(0.01, l2=0.1, amsgrad=amsgrad)
    other = keras.optimizers.Adam(0.01, amsgrad=amsgrad)
    for step in range(5):
        gradients = _gradients(step)
        one.apply(gradients, ours)
        pairs = zip(gradients, stock, strict=True)
        other.apply([g + 0.1 * w for g, w in pairs], stock)
    for a, b in zip(ours, stock, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=5e-6)
    assert Adam.from_config(one.get_config()).l2 == 0.1


def test_linear_decay():
    rate = LinearDecay(2e-4, start_kimg=1.0, end_kimg=3.0, batch_size=10)
    steps = [0, 50, 100, 150, 200, 250, 300, 900]
    expected = np.array([2, 2, 2, 1.5, 1, 0.5, 0, 0]) * 1e-4
    found = [float(rate(step)) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-12)
    config = keras.optimizers.schedules.serialize(rate)
    again = keras.optimizers.schedules.deserialize(config)
    assert float(again(250)) == found[5]
    with pytest.raises(ValueError, match="end_kimg"):
        LinearDecay(2e-4, 3.0, 3.0, 10)


def test_linear_decay_drives_the_optimizer():
    optimizer = Adam(LinearDecay(0.5, 0.0, 0.002, batch_size=1))
    weight = keras.Variable(1.0)
    values = []
    for _ in range(4):  # Adam moves by the rate where the gradient stays the same
        optimizer.apply([tf.constant(1.0)], [weight])
        values.append(float(weight))
    np.testing.assert_allclose(values, [0.5, 0.25, 0.25, 0.25], atol=1e-5)
