"""The checks of notebook 08 know right answers, open ones and usual mistakes."""

import numpy as np
import pytest
import tensorflow as tf
from check_answers import each_mistake, hold_named, hold_right_and_open

from gan_lib import checks
from gan_lib.checks import machines
from gan_lib.layers import BatchNormalization


def one_by_one(k, cin, cout, height, width, batch):
    places = batch * height * width * cout
    return sum(2 for _ in range(places) for _ in range(k * k * cin))


def image_by_image(gradients, sizes):
    return np.mean(np.repeat(gradients, sizes.astype(int), axis=0), axis=0)


def by_moments(means, variances):
    squares = np.mean(variances + means**2, axis=0)
    return means.mean(0), squares - means.mean(0) ** 2


RIGHT = [
    (checks.conv_flops, one_by_one, machines.convolution_flops),
    (checks.accumulated_gradient, image_by_image, machines.weighted_mean),
    (checks.combine_statistics, by_moments, machines.total_statistics),
]
MISTAKES = each_mistake(
    {
        checks.conv_flops: machines._FLOPS_MISTAKES,
        checks.accumulated_gradient: machines._SLICE_MISTAKES,
        checks.combine_statistics: machines._STATISTICS_MISTAKES,
    }
)


@pytest.mark.parametrize(("check", "answer", "ours"), RIGHT)
def test_right_and_open_answers(check, answer, ours, monkeypatch):
    hold_right_and_open(check, answer, ours, monkeypatch)


@pytest.mark.parametrize(("check", "wrong", "text"), MISTAKES)
def test_mistakes_are_named(check, wrong, text):
    hold_named(check, wrong, text)


def test_a_number_that_is_no_usual_mistake_is_refused():
    with pytest.raises(AssertionError, match="expected 120960"):
        checks.conv_flops(lambda *sizes: 1.0)


def test_slices_have_the_gradient_of_the_batch():
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(16, 3)))
    w = tf.Variable(rng.normal(size=3))

    def gradient(rows):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softplus(tf.linalg.matvec(rows, w)))
        return tape.gradient(loss, w).numpy()

    parts = np.stack([gradient(x[a:b]) for a, b in ((0, 7), (7, 12), (12, 16))])
    found = machines.weighted_mean(parts, np.array([7, 5, 4]))
    np.testing.assert_allclose(found, gradient(x), rtol=1e-12)


def test_replicas_have_the_statistics_of_batch_normalization():
    rng = np.random.default_rng(1)
    maps = rng.normal(2, 3, (8, 4, 4, 5)).astype("float32")
    layer = BatchNormalization(momentum=0.0, epsilon=1e-6)
    layer(maps, training=True)  # its averages are now those of this batch
    parts = maps.reshape(4, -1, 5)
    mean, variance = machines.total_statistics(parts.mean(1), parts.var(1))
    np.testing.assert_allclose(mean, layer.moving_mean.numpy(), rtol=1e-4)
    np.testing.assert_allclose(variance, layer.moving_variance.numpy(), rtol=1e-2)
