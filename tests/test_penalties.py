"""Known slopes, the gradient of the gradient, and the shapes that go wrong."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.penalties import gradient_penalty, r1_penalty, r2_penalty


def _images(seed, shape=(4, 8, 8, 3)):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def _eps(seed=2, batch=4):
    eps = np.random.default_rng(seed).uniform(0, 1, (batch, 1, 1, 1))
    return eps.astype("float32")


def _linear(weight):
    """D(x) = a . x, whose gradient is a everywhere."""
    return lambda images: tf.tensordot(images, weight, axes=3)[:, None]


def _weight(length, shape=(8, 8, 3)):
    weight = np.random.default_rng(0).normal(size=shape)
    return tf.constant(weight * (length / np.linalg.norm(weight)), "float32")


def _network(dtype="float32"):
    """A small smooth critic; smooth, so that finite differences are exact enough."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(
                6, 4, strides=2, padding="same", activation="softplus", dtype=dtype
            ),
            keras.layers.Flatten(dtype=dtype),
            keras.layers.Dense(1, dtype=dtype),
        ]
    )


PENALTIES = {
    "gradient_penalty": lambda d, x: gradient_penalty(d, x, _images(1), _eps()),
    "r1_penalty": r1_penalty,
    "r2_penalty": r2_penalty,
}
each_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


@pytest.mark.parametrize(
    ("length", "target", "expected"),
    [(1.0, 1.0, 0.0), (3.0, 1.0, 4.0), (3.0, 0.0, 9.0), (0.5, 1.0, 0.25)],
)
def test_gradient_penalty_of_a_linear_critic(length, target, expected):
    critic = _linear(_weight(length))
    value = gradient_penalty(critic, _images(0), _images(1), _eps(), target)
    assert value.dtype == "float32"
    assert value.shape == ()
    assert float(value) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("penalty", [r1_penalty, r2_penalty])
def test_r1_and_r2_of_a_linear_discriminator_are_half_its_squared_slope(penalty):
    value = penalty(_linear(_weight(3.0)), _images(0))
    assert value.dtype == "float32"
    assert value.shape == ()
    assert float(value) == pytest.approx(4.5, abs=1e-5)


def test_eps_1_measures_at_the_real_images_and_0_at_the_fakes():
    def critic(images):  # D(x) = |x|^2 / 2 has the gradient x
        return 0.5 * tf.reduce_sum(tf.square(images), axis=[1, 2, 3])

    real, fake = _images(0), _images(1)
    for eps, images in [(1.0, real), (0.0, fake)]:
        value = gradient_penalty(critic, real, fake, np.full((4, 1, 1, 1), eps), 0.0)
        expected = np.mean(np.sum(images.astype("float64") ** 2, axis=(1, 2, 3)))
        assert float(value) == pytest.approx(expected, rel=1e-5)


def test_a_patch_map_counts_as_the_sum_of_its_logits():
    weight = _weight(1.0)

    def patches(images):  # (B, 2, 2, 1): four equal logits, whose sum is 4 a . x
        return tf.tile(_linear(weight)(images)[:, :, None, None], (1, 2, 2, 1))

    assert float(r1_penalty(patches, _images(0))) == pytest.approx(8.0, abs=1e-4)
    value = gradient_penalty(patches, _images(0), _images(1), _eps())
    assert float(value) == pytest.approx(9.0, abs=1e-4)


@each_penalty
def test_the_gradient_of_the_penalty_against_finite_differences(penalty):
    network = _network()
    with tf.GradientTape() as tape:
        value = penalty(network, _images(0))
    gradients = tape.gradient(value, network.trainable_variables[:-1])
    rng, step = np.random.default_rng(4), 1e-2
    for weight, gradient in zip(network.trainable_variables, gradients, strict=False):
        direction = rng.normal(size=weight.shape).astype("float32")
        direction /= np.linalg.norm(direction)
        start = weight.numpy()
        weight.assign(start + step * direction)
        above = float(penalty(network, _images(0)))
        weight.assign(start - step * direction)
        below = float(penalty(network, _images(0)))
        weight.assign(start)
        measured = (above - below) / (2 * step)
        analytic = float(np.sum(gradient.numpy() * direction))
        assert analytic == pytest.approx(measured, rel=2e-2, abs=1e-4), weight.path


def test_the_last_bias_does_not_change_the_slope():
    network = _network()
    with tf.GradientTape() as tape:
        value = r1_penalty(network, _images(0))
    assert tape.gradient(value, network.trainable_variables[-1]) is None


def test_a_flat_critic_has_a_finite_penalty_and_gradient():
    weight = tf.Variable(tf.zeros((8, 8, 3)))
    with tf.GradientTape() as tape:
        value = gradient_penalty(_linear(weight), _images(0), _images(1), _eps())
    assert float(value) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(tape.gradient(value, weight), np.zeros((8, 8, 3)))


def test_one_step_down_the_penalty_brings_the_slope_nearer_to_1():
    weight = tf.Variable(_weight(3.0))
    with tf.GradientTape() as tape:
        value = gradient_penalty(_linear(weight), _images(0), _images(1), _eps())
    weight.assign_sub(0.25 * tape.gradient(value, weight))
    assert float(tf.norm(weight)) == pytest.approx(2.0, abs=1e-4)  # 3 - .25 * 2 * 2


def test_r2_sends_nothing_back_to_the_generator():
    fakes = tf.Variable(_images(0))
    network = _network()
    with tf.GradientTape() as tape:
        value = r2_penalty(network, fakes)
    assert tape.gradient(value, fakes) is None


@each_penalty
@pytest.mark.parametrize("images", ["float16", "bfloat16", "float64"])
def test_images_of_every_dtype_give_float32(penalty, images):
    value = penalty(_linear(_weight(2.0)), tf.cast(_images(0), images))
    assert value.dtype == "float32"
    assert np.isfinite(float(value))


@each_penalty
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_mixed_precision_network_comes_near_to_float32(penalty, policy):
    exact = float(penalty(_network(), _images(0)))
    value = penalty(_network(dtype=policy), _images(0))
    assert value.dtype == "float32"
    assert float(value) == pytest.approx(exact, rel=0.05)


@each_penalty
def test_inside_a_graph_of_unknown_batch_size(penalty):
    network = _network()
    spec = tf.TensorSpec([None, 8, 8, 3], "float32")
    graph = tf.function(lambda images: penalty(network, images), input_signature=[spec])
    eager = float(penalty(network, _images(0)))
    assert float(graph(_images(0))) == pytest.approx(eager, rel=1e-4)


@pytest.mark.slow
@each_penalty
def test_double_backprop_under_xla(penalty):
    # Dense layers only: XLA's convolutions stalled once on a busy two-core CPU,
    # and what is tested here is the gradient of the gradient.
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="softplus"),
            keras.layers.Dense(1),
        ]
    )

    def step(images):
        with tf.GradientTape() as tape:
            value = penalty(network, images)
        return value, tape.gradient(value, network.trainable_variables[:-1])

    value, gradients = step(tf.constant(_images(0)))
    compiled = tf.function(step, jit_compile=True)
    compiled_value, compiled_gradients = compiled(tf.constant(_images(0)))
    assert float(compiled_value) == pytest.approx(float(value), rel=1e-3)
    for ours, theirs in zip(gradients, compiled_gradients, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-5)


def test_batches_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 8, 8, 3\) and \(1, 8, 8, 3\)"):
        gradient_penalty(_linear(_weight(1.0)), _images(0), _images(1)[:1], _eps())


@pytest.mark.parametrize("shape", [(8,), (4, 1), (3, 1, 1, 1), (4, 8, 8, 3)])
def test_eps_that_is_not_one_number_for_each_image_is_refused(shape):
    images = _images(0)
    with pytest.raises(ValueError, match=r"expected \(4, 1, 1, 1\), got"):
        gradient_penalty(_linear(_weight(1.0)), images, images, np.ones(shape))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_one_eps_for_all_images(shape):
    critic, real, fake = _network(), _images(0), _images(1)
    value = gradient_penalty(critic, real, fake, np.full(shape, 0.25))
    each = gradient_penalty(critic, real, fake, np.full((4, 1, 1, 1), 0.25))
    assert float(value) == pytest.approx(float(each), rel=1e-6)


@each_penalty
def test_a_critic_that_ignores_its_input_is_refused(penalty):
    with pytest.raises(ValueError, match="does not depend on the images"):
        penalty(lambda images: tf.ones((4, 1)), _images(0))
