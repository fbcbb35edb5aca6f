"""Every public equation against a float64 NumPy writing of it, term by term.

The right-hand sides follow the line below the summary of each docstring and use
probabilities and logarithms, not the softplus forms of the code.
"""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
import tensorflow as tf

from gan_lib import ema, latents, losses, penalties

SHAPES = [(16,), (16, 1), (2, 30, 30, 1)]  # the last is a 70x70 PatchGAN at 256 px


def log_sigmoid(x):
    # float64 keeps sigmoid(-60) = 9e-27 apart from 0, so the log can be taken as is.
    return np.log(1.0 / (1.0 + np.exp(-x)))


def log_one_minus_sigmoid(x):
    return np.log(1.0 / (1.0 + np.exp(x)))


def cross_entropy(logits, labels):
    positive, negative = log_sigmoid(logits), log_one_minus_sigmoid(logits)
    return -np.mean(labels * positive + (1 - labels) * negative)


DISCRIMINATOR = {
    "non_saturating": lambda r, f: (
        -np.mean(log_sigmoid(r)) - np.mean(log_one_minus_sigmoid(f))
    ),
    "least_squares": lambda r, f: np.mean((r - 1) ** 2) + np.mean(f**2),
    "hinge": lambda r, f: np.mean(np.maximum(0, 1 - r)) + np.mean(np.maximum(0, 1 + f)),
    "wasserstein": lambda r, f: np.mean(f) - np.mean(r),
}
GENERATOR = {
    "non_saturating": lambda f: -np.mean(log_sigmoid(f)),
    "minimax": lambda f: np.mean(log_one_minus_sigmoid(f)),
    "least_squares": lambda f: np.mean((f - 1) ** 2),
    "hinge": lambda f: -np.mean(f),
    "wasserstein": lambda f: -np.mean(f),
}
# The functions held to their equation below, by module.
TESTED = {
    losses: {f"{name}_discriminator_loss" for name in DISCRIMINATOR}
    | {f"{name}_generator_loss" for name in GENERATOR}
    | {"l1_loss", "optimal_discriminator"},
    penalties: {"gradient_penalty", "r1_penalty", "r2_penalty", "path_lengths"}
    | {"orthogonal_penalty"},
    ema: {"ema_decay", "ema_update"},
    latents: {"lerp", "slerp"},
}
WITHOUT_EQUATION = {losses: {"get"}, latents: {"sample", "truncated", "walk"}}


def _logits(shape, scale, seed):
    return np.random.default_rng(seed).normal(0.0, scale, shape).astype("float32")


def _extremes(shape, seed):
    signs = np.random.default_rng(seed).choice([-60.0, 60.0], shape)
    return signs.astype("float32")


def _batches(shape):
    yield _logits(shape, 0.1, 1), _logits(shape, 0.1, 2)
    yield _logits(shape, 5.0, 3), _logits(shape, 5.0, 4)
    yield _extremes(shape, 5), _extremes(shape, 6)


def _double(*arrays):
    return [np.asarray(array, "float64") for array in arrays]


def test_no_public_function_is_left_out():
    for module, tested in TESTED.items():
        public = {
            name
            for name, member in vars(module).items()
            if inspect.isfunction(member)
            and member.__module__ == module.__name__
            and not name.startswith("_")
        }
        assert public == tested | WITHOUT_EQUATION.get(module, set())


@pytest.mark.parametrize("name", sorted(TESTED[losses]))
def test_every_loss_names_its_source(name):
    assert re.search(r"arXiv:\d{4}\.\d{4,5}", inspect.getdoc(getattr(losses, name)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", DISCRIMINATOR)
def test_discriminator_loss(name, shape):
    loss = getattr(losses, f"{name}_discriminator_loss")
    for real, fake in _batches(shape):
        expected = DISCRIMINATOR[name](*_double(real, fake))
        np.testing.assert_allclose(float(loss(real, fake)), expected, 1e-5, 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", GENERATOR)
def test_generator_loss(name, shape):
    loss = getattr(losses, f"{name}_generator_loss")
    for _, fake in _batches(shape):
        expected = GENERATOR[name](*_double(fake))
        np.testing.assert_allclose(float(loss(fake)), expected, 1e-5, 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_noisy_labels(shape):
    rng = np.random.default_rng(7)
    real_labels = rng.uniform(0.8, 1.0, shape).astype("float32")
    fake_labels = rng.uniform(0.0, 0.2, shape).astype("float32")
    for real, fake in _batches(shape):
        expected = cross_entropy(*_double(real, real_labels)) + cross_entropy(
            *_double(fake, fake_labels)
        )
        value = losses.non_saturating_discriminator_loss(
            real, fake, real_labels, fake_labels
        )
        np.testing.assert_allclose(float(value), expected, 1e-5, 1e-6)
        expected = cross_entropy(*_double(fake, real_labels))
        value = losses.non_saturating_generator_loss(fake, real_labels)
        np.testing.assert_allclose(float(value), expected, 1e-5, 1e-6)


def test_optimal_discriminator():
    rng = np.random.default_rng(8)
    p, q = rng.uniform(0, 3, (2, 50)).astype("float32")
    expected = np.divide(*_double(p, p + q))
    np.testing.assert_allclose(losses.optimal_discriminator(p, q), expected, 1e-6)


def _quadratic_critic(a, matrix):
    """D(x) = a . x + x^T M x / 2 with M symmetric, whose gradient is a + M x."""

    def critic(images):
        flat = tf.reshape(images, (tf.shape(images)[0], -1))
        bent = tf.reduce_sum((flat @ matrix) * flat, axis=1)
        return (tf.linalg.matvec(flat, a) + 0.5 * bent)[:, None]

    return critic


def _quadratic(seed):
    rng = np.random.default_rng(seed)
    a, matrix = rng.normal(size=12), rng.normal(size=(12, 12))
    matrix = 0.5 * (matrix + matrix.T)
    real, fake = rng.uniform(-1, 1, (2, 5, 2, 2, 3))
    return a, matrix, real, fake, rng.uniform(0, 1, (5, 1, 1, 1))


def test_gradient_penalty():
    a, matrix, real, fake, eps = _quadratic(seed=9)
    mixed = (eps * real + (1 - eps) * fake).reshape(5, 12)
    norms = np.linalg.norm(a + mixed @ matrix, axis=1)
    critic = _quadratic_critic(a.astype("float32"), matrix.astype("float32"))
    for target in (1.0, 0.0, 5.0):
        value = penalties.gradient_penalty(critic, real, fake, eps, target)
        expected = np.mean((norms - target) ** 2)
        np.testing.assert_allclose(float(value), expected, rtol=1e-5)


@pytest.mark.parametrize("penalty", [penalties.r1_penalty, penalties.r2_penalty])
def test_r1_and_r2_penalty(penalty):
    a, matrix, images, _, _ = _quadratic(seed=10)
    gradients = a + images.reshape(5, 12) @ matrix
    critic = _quadratic_critic(a.astype("float32"), matrix.astype("float32"))
    expected = 0.5 * np.mean(np.sum(gradients**2, axis=1))
    np.testing.assert_allclose(float(penalty(critic, images)), expected, rtol=1e-5)


def test_path_lengths_of_a_linear_map():
    rng = np.random.default_rng(0)
    matrix = np.linalg.qr(rng.normal(size=(12, 12)))[0].astype("float32")

    def linear(styles):
        return tf.reshape(tf.reduce_sum(styles, 1) @ matrix, (-1, 2, 2, 3))

    styles, y = np.ones((5, 4, 12), "float32"), rng.normal(size=(5, 2, 2, 3))
    found = penalties.path_lengths(linear, styles, y.astype("float32"))
    # each of the 4 layers has the gradient matrix @ y / 2, as long as y / 2
    expected = np.sqrt((y**2).sum((1, 2, 3))) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    with pytest.raises(ValueError, match="do not depend"):
        penalties.path_lengths(lambda w: tf.zeros((5, 2, 2, 3)), styles, y)


def test_orthogonal_penalty():
    rng = np.random.default_rng(4)
    kernels = [rng.normal(size=shape) for shape in ((3, 3, 4, 5), (7, 6), (3, 8))]
    expected = 0.0
    for kernel in kernels:
        w = kernel.reshape(-1, kernel.shape[-1]).T
        expected += np.sum((w @ w.T * (1 - np.eye(len(w)))) ** 2)
    found = penalties.orthogonal_penalty([k.astype("float32") for k in kernels])
    np.testing.assert_allclose(float(found), expected, rtol=1e-5)
    square = np.linalg.qr(rng.normal(size=(6, 6)))[0] * rng.uniform(1, 9, 6)
    tensor = tf.constant(square.astype("float32"))  # right angles, any lengths
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = penalties.orthogonal_penalty([tensor])
    np.testing.assert_allclose(float(value), 0, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(value, tensor), 0, atol=1e-3)


@pytest.mark.parametrize("half_life_kimg", [0.5, 10.0, 500.0])
@pytest.mark.parametrize("images", [1, 64, 1000])
def test_ema(half_life_kimg, images):
    decay = np.exp2(-images / (1000 * half_life_kimg))
    assert ema.ema_decay(half_life_kimg, images) == pytest.approx(decay, rel=1e-12)
    average, value = np.array([2.0, -1.0]), np.array([0.5, 3.0])
    np.testing.assert_allclose(
        ema.ema_update(average, value, half_life_kimg, images),
        decay * average + (1 - decay) * value,
        rtol=1e-12,
    )


@pytest.mark.parametrize("t", [0.0, 0.2, 0.5, 1.0])
def test_lerp_and_slerp(t):
    start, end = np.random.default_rng(11).normal(size=(2, 100))
    np.testing.assert_allclose(
        latents.lerp(start, end, t), (1 - t) * start + t * end, atol=1e-6
    )
    cosine = start @ end / np.sqrt((start @ start) * (end @ end))
    omega = np.arccos(cosine)
    arc = np.sin((1 - t) * omega) * start + np.sin(t * omega) * end
    np.testing.assert_allclose(
        latents.slerp(start, end, t), arc / np.sin(omega), atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_l1_loss(dtype):
    rng = np.random.default_rng(0)
    images, targets = rng.uniform(-1, 1, (2, 3, 4, 5, 3))
    images, targets = (tf.cast(x, dtype) for x in (images, targets))
    expected = 0.0
    for picture, wanted in zip(images.numpy(), targets.numpy(), strict=True):
        expected += np.abs(wanted.astype("float64") - picture.astype("float64")).sum()
    value = losses.l1_loss(images, targets)
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, expected / (3 * 4 * 5 * 3), rtol=1e-5)


def test_l1_loss_by_hand_and_its_gradient():
    images = tf.Variable(tf.zeros((1, 1, 2, 1)))
    targets = tf.constant([[[[0.5], [-1.0]]]])
    with tf.GradientTape() as tape:
        value = losses.l1_loss(images, targets)
    assert float(value) == 0.75
    # Up where the target is above, down where it is below, however far.
    np.testing.assert_allclose(tape.gradient(value, images), [[[[-0.5], [0.5]]]])
    with pytest.raises(ValueError, match="one shape"):
        losses.l1_loss(tf.zeros((1, 4, 4, 3)), tf.zeros((1, 4, 4, 1)))
