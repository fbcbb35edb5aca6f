"""Maps that are forgotten and computed again: gradients, cuts, own networks."""

from __future__ import annotations

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from trained_alike import PLAYERS, STEPS, assert_trained_alike, images, plain

from gan_lib import rematerialization
from gan_lib.export import portable_copy
from gan_lib.layers import BatchNormalization, SpectralDense
from gan_lib.session import state
from gan_lib.training import GAN


def cube(inputs, weights):
    CALLS.append(1)
    return [weights[0] * inputs[0] ** 3]


CALLS: list[int] = []


@pytest.mark.parametrize("inside", ["eager", "graph", "condition"])
def test_gradients_of_gradients(inside):
    """y = v h^3, h = w x^3 at x = 2, w = 3, v = 5: by hand.

    dy/dx = 9 v w^3 x^8; of p = (dy/dx)^2: dp/dw = 6 p / w, dp/dv = 2 p / v,
    dp/dx = 16 p / x.
    """
    w, v = tf.Variable(3.0), tf.Variable(5.0)

    def square_of_slope(x):
        weights = [tf.convert_to_tensor(a) for a in (w, v)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            (h,) = rematerialization.forgetful(cube)([x], weights[:1])
            (y,) = rematerialization.forgetful(cube)([h], weights[1:])
        return tape.gradient(y, x) ** 2

    def gradients():
        x = tf.constant(2.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            p = square_of_slope(x)
            if inside == "condition":
                p = tf.cond(w > 0, lambda: square_of_slope(x), lambda: 0.0)
        return p, tape.gradient(p, [w, v, x])

    CALLS.clear()
    p, found = (gradients if inside == "eager" else tf.function(gradients))()
    expected = (9 * 5 * 3**3 * 2**8) ** 2
    assert float(p) == pytest.approx(expected)
    by_hand = 6 * expected / 3, 2 * expected / 5, 16 * expected / 2
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)
    assert len(CALLS) >= 6  # twice forward, twice for the slope, again for its slope


def test_cuts_are_the_best_there_are():
    """Against all ways to cut random small networks with skips."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        x = keras.Input((4, 4, 3))
        maps = [x]
        for _ in range(4):
            filters = int(rng.integers(1, 20))
            y = keras.layers.Conv2D(filters, 1)(maps[rng.integers(len(maps))])
            maps.append(keras.layers.Concatenate()([maps[-1], y]))
        network = keras.Model(x, maps[-1])
        _, blocks = rematerialization._plan(network)
        nodes = [node for block in blocks for node in block.nodes]
        assert len(nodes) == 8
        found = cost(nodes, network.outputs, np.cumsum([0, *map(length, blocks)]))
        ways = (
            (0, *inner, 8)
            for count in range(8)
            for inner in itertools.combinations(range(1, 8), count)
        )
        best = min(cost(nodes, network.outputs, way) for way in ways)
        assert found <= 1.1 * best  # sizes of the largest block are tried, not all


def length(block):
    return len(block.nodes)


def cost(nodes, outputs, borders):
    """Numbers that cross a border, and numbers in the largest block."""

    def numbers(tensors):
        return sum(np.prod(x.shape[1:]) for x in tensors)

    made = [node.outputs[0] for node in nodes]
    kept = set()
    for border in borders[1:]:
        wanted = {id(x) for node in nodes[border:] for x in node.input_tensors}
        wanted |= {id(x) for x in outputs}
        kept |= {n for n, x in enumerate(made[:border]) if id(x) in wanted}
    largest = max(numbers(made[a:b]) for a, b in itertools.pairwise(borders))
    return numbers(made[n] for n in kept) + largest


def test_a_chain_is_cut_into_the_root_of_its_length():
    x = inputs = keras.Input((4, 4, 8))
    for _ in range(36):
        x = keras.layers.Activation("tanh")(x)
    _, blocks = rematerialization._plan(keras.Model(inputs, x))
    assert len(blocks) + max(map(length, blocks)) == 12  # 6 and 6; Chen et al.


# Networks of one's own.


class Told(keras.layers.Layer):
    """Has no `training` of its own, but a norm inside that asks for it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = BatchNormalization()

    def call(self, inputs):
        return self.norm(inputs)


def own(rematerialize, **arguments):
    """A Sequential generator; a discriminator whose head is in float32 for good."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(48),
            layers.Reshape((4, 4, 3)),
            Told(),
            layers.GaussianNoise(0.1, seed=1),
            layers.Activation("tanh", dtype="float32"),
        ]
    )
    x = inputs = keras.Input((4, 4, 3))
    x = layers.LeakyReLU()(layers.Conv2D(4, 3)(x))
    x = SpectralDense(6)(layers.Flatten()(x))
    x = layers.Dense(1, dtype="float32")(layers.Activation("tanh", dtype="float32")(x))
    gan = GAN(generator, keras.Model(inputs, x), seed=1)
    gan.compile(**{**plain(0.1), **arguments}, rematerialize=rematerialize)
    return gan


def test_own_networks():
    assert_trained_alike(own, images(8, 4), (*PLAYERS, "ema_generator/"))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    """The head computes in float32 inside a network of half precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        assert_trained_alike(own, images(8, 4), PLAYERS, rtol=1e-2, atol=1e-3)
    finally:
        keras.config.set_dtype_policy(before)


def test_off_again_and_copies():
    gan, other = own(rematerialize=True), own(rematerialize=False)
    latents = keras.random.normal((6, 5), seed=3)
    expected = other.generator(latents, training=False)
    np.testing.assert_array_equal(gan.generator(latents, training=False), expected)
    copy = portable_copy(gan.generator)
    np.testing.assert_allclose(copy(latents), expected, rtol=1e-5, atol=1e-6)
    assert "call" not in vars(copy)
    assert "call" in vars(gan.generator)
    gan.compile(**plain(0.1))
    assert "call" not in vars(gan.generator)


class Closed(keras.Model):
    """A network whose layers are called in a function."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, inputs):
        return self.dense(keras.ops.reshape(inputs, (-1, 48)))


def test_networks_that_cannot_be_cut_are_explained():
    network = Closed()
    network(np.zeros((1, 4, 4, 3), "float32"))
    gan = GAN(own(rematerialize=False).generator, network)
    with pytest.raises(ValueError, match=r"rematerialize=True.*Closed.*keras\.remat"):
        gan.compile(rematerialize=True)
    gan.compile()


@pytest.mark.slow
def test_xla_trains_alike():
    """Not bit by bit: XLA draws other numbers, but the same ones both times."""

    def train_compiled(gan):
        step = tf.function(gan.train_step, jit_compile=True)
        for _ in range(STEPS):
            step(tf.constant(images(8, 4)))
        return state(gan)

    expected, found = (train_compiled(own(x, penalty="r1")) for x in (False, True))
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, rtol=1e-4, atol=1e-5, err_msg=name
        )


REPLICAS = """
import json, sys
import keras, numpy as np, tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
sys.path.insert(0, "tests")
from test_rematerialization import images, own

results = []
for rematerialize in (False, True):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        gan = own(rematerialize, penalty="r1", penalty_every=2)
        data = tf.data.Dataset.from_tensor_slices(images(32, 4)).batch(8, True)
        gan.fit(data, kimg=0.032, tick_kimg=0.008, verbose=0)
        networks = gan.generator, gan.discriminator
    results.append([w.numpy().ravel().tolist() for n in networks for w in n.weights])
print(json.dumps(results))
"""


@pytest.mark.slow
def test_two_replicas(run_python):
    expected, found = json.loads(run_python(REPLICAS).splitlines()[-1])
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


MEMORY = """
import sys
import keras, numpy as np
sys.path.insert(0, "benchmarks")
from peak_memory import of_steps
from gan_lib.training import GAN

keras.utils.set_random_seed(0)
x = latents = keras.Input((64, 64, 16))
for _ in range(25):
    x = keras.layers.Conv2D(16, 1, activation="tanh")(x)
images = keras.Input((64, 64, 16))
y = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(images))


class Chain(GAN):
    def forward(self, real_images, draws):
        return self.generator(real_images, training=True)


gan = Chain(keras.Model(latents, x), keras.Model(images, y), ema_half_life_kimg=0)
gan.compile(rematerialize=sys.argv[1] == "True")
images = np.random.default_rng(0).uniform(-1, 1, (32, 64, 64, 16)).astype("float32")
import tensorflow as tf
print(of_steps(gan, tf.constant(images), 0)["memory"])
"""


@pytest.mark.slow
def test_memory_falls(run_python):
    """25 maps of 8 MB each: 5 blocks of 5, so about 10 instead of 25 at once."""
    whole, forgotten = (
        float(run_python(MEMORY.replace("sys.argv[1]", repr(str(x)))).splitlines()[-1])
        for x in (False, True)
    )
    assert whole > 25 * 8
    assert forgotten < 0.7 * whole
