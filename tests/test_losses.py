"""Values worked out by hand, gradients and limits, shapes and dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from gan_lib import losses

LN2 = math.log(2.0)
NAMES = ["non_saturating", "least_squares", "hinge", "wasserstein", "minimax"]


def _slope(loss, logits):
    logits = tf.constant(logits, "float32")
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits)
    return tape.gradient(value, logits).numpy()


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("non_saturating", 2 * LN2, LN2),
        ("minimax", 2 * LN2, -LN2),
        ("least_squares", 1.0, 1.0),
        ("hinge", 2.0, 0.0),
        ("wasserstein", 0.0, 0.0),
    ],
)
def test_values_at_logits_zero(name, discriminator, generator):
    pair, zeros = losses.get(name), np.zeros((4, 1), "float32")
    assert float(pair.discriminator(zeros, zeros)) == pytest.approx(
        discriminator, abs=1e-6
    )
    assert float(pair.generator(zeros)) == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        # sigmoid(ln 3) = 3/4, so D(real) = 3/4 and D(fake) = 1/4.
        ("non_saturating", 2 * math.log(4 / 3), math.log(4)),
        ("minimax", 2 * math.log(4 / 3), math.log(3 / 4)),
        (
            "least_squares",
            (math.log(3) - 1) ** 2 + math.log(3) ** 2,
            (math.log(3) + 1) ** 2,
        ),
        ("hinge", 0.0, math.log(3)),
        ("wasserstein", -2 * math.log(3), math.log(3)),
    ],
)
def test_values_worked_out_by_hand(name, discriminator, generator):
    pair = losses.get(name)
    real = np.full((2, 1), math.log(3), "float32")
    assert float(pair.discriminator(real, -real)) == pytest.approx(
        discriminator, abs=1e-6
    )
    assert float(pair.generator(-real)) == pytest.approx(generator, abs=1e-6)


def test_soft_labels_worked_out_by_hand():
    zeros = np.zeros((3, 1), "float32")
    # At logit 0 both logs are -ln 2, whatever the label.
    value = losses.non_saturating_discriminator_loss(zeros, zeros, 0.9, 0.2)
    assert float(value) == pytest.approx(2 * LN2, abs=1e-6)
    # The label 3/4 at D = 3/4: the entropy of a 3:1 coin.
    logits = np.full((3, 1), math.log(3), "float32")
    entropy = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    value = losses.non_saturating_generator_loss(logits, labels=0.75)
    assert float(value) == pytest.approx(entropy, abs=1e-6)


def test_the_best_logit_for_a_soft_label_is_its_log_odds():
    best = _slope(
        lambda x: losses.non_saturating_generator_loss(x, labels=0.75), [math.log(3)]
    )
    np.testing.assert_allclose(best, 0.0, atol=1e-6)


def test_the_label_of_each_image_reaches_its_own_logit():
    labels = np.array([[1.0], [0.0]], "float32")
    slopes = _slope(
        lambda x: losses.non_saturating_generator_loss(x, labels), [[0.0], [0.0]]
    )
    np.testing.assert_allclose(slopes, [[-0.25], [0.25]], atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "logits"), [((8,), (8, 1)), ((8, 1, 1), (8, 1)), ((3, 1), (8, 1))]
)
def test_labels_that_would_broadcast_the_logits_are_refused(labels, logits):
    logits = np.zeros(logits, "float32")
    labels = np.ones(labels, "float32")
    with pytest.raises(ValueError, match=r"Labels of shape .* do not fit logits"):
        losses.non_saturating_discriminator_loss(logits, logits, real_labels=labels)


def test_labels_of_a_batch_whose_size_is_not_known_yet():
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 1], "float32"),
            tf.TensorSpec([None, 1], "float32"),
        ]
    )
    def known_rank(logits, labels):
        return losses.non_saturating_generator_loss(logits, labels)

    value = known_rank(tf.zeros((4, 1)), tf.ones((4, 1)))
    assert float(value) == pytest.approx(LN2, abs=1e-6)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 1], "float32"),
            tf.TensorSpec([None], "float32"),
        ]
    )
    def trap(logits, labels):
        return losses.non_saturating_generator_loss(logits, labels)

    with pytest.raises(ValueError, match="do not fit"):
        trap(tf.zeros((4, 1)), tf.ones((4,)))


@pytest.mark.parametrize("name", NAMES)
def test_the_discriminator_is_pushed_up_on_real_and_down_on_fake(name):
    # Logits between the two targets of every loss, also 0 and 1 of least squares.
    loss, other = losses.get(name).discriminator, tf.constant([[0.3]])
    assert np.all(_slope(lambda x: loss(x, other), [[0.2], [0.8]]) < 0)
    assert np.all(_slope(lambda x: loss(other, x), [[0.2], [0.8]]) > 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_is_pushed_up(name):
    assert np.all(_slope(losses.get(name).generator, [[-0.5], [0.5]]) < 0)


def test_the_minimax_generator_stops_learning_where_the_other_learns_most():
    far = [[-20.0]]
    saturated = _slope(losses.minimax_generator_loss, far)
    alive = _slope(losses.non_saturating_generator_loss, far)
    np.testing.assert_allclose(saturated, [[-math.exp(-20)]], rtol=1e-4)
    np.testing.assert_allclose(alive, [[-1.0]], rtol=1e-6)


def test_hinge_asks_for_no_more_than_its_margin():
    beyond, sure = [[1.5], [9.0]], tf.constant([[-2.0], [-1.5]])
    loss = losses.hinge_discriminator_loss
    assert float(loss(tf.constant(beyond), sure)) == 0.0
    np.testing.assert_array_equal(_slope(lambda x: loss(x, sure), beyond), [[0], [0]])


def test_least_squares_punishes_real_logits_that_are_too_high():
    loss = losses.least_squares_discriminator_loss
    slope = _slope(lambda x: loss(x, tf.zeros((1, 1))), [[3.0]])
    np.testing.assert_allclose(slope, [[4.0]])


def test_wasserstein_is_unmoved_by_a_shift_of_all_scores():
    loss = losses.wasserstein_discriminator_loss
    real, fake = np.array([[1.0], [2.0]]), np.array([[0.0], [-4.0]])
    assert float(loss(real, fake)) == pytest.approx(-3.5, abs=1e-6)
    assert float(loss(real + 7, fake + 7)) == pytest.approx(-3.5, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 30, 30, 1)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_float32_scalar_for_every_shape_and_dtype(name, shape, dtype):
    logits = tf.cast(tf.random.normal(shape), dtype)
    pair = losses.get(name)
    for value in (pair.discriminator(logits, logits), pair.generator(logits)):
        assert value.shape == ()
        assert value.dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_low_precision_logits_are_cast_up_before_the_arithmetic(name):
    # The mean of 4096 numbers near 1 is far off when summed up in bfloat16.
    logits = tf.cast(np.linspace(0.5, 1.5, 4096).reshape(4, 32, 32, 1), "bfloat16")
    exact = tf.cast(logits, "float32")
    pair = losses.get(name)
    assert float(pair.generator(logits)) == float(pair.generator(exact))
    assert float(pair.discriminator(logits, logits)) == float(
        pair.discriminator(exact, exact)
    )


@pytest.mark.parametrize("name", NAMES)
def test_finite_values_and_gradients_for_any_certainty(name):
    pair = losses.get(name)
    for extreme in (60.0, 1e4):
        logits = [[-extreme], [extreme]]
        for loss in (pair.generator, lambda x: pair.discriminator(x, x)):
            assert np.isfinite(float(loss(tf.constant(logits))))
            assert np.all(np.isfinite(_slope(loss, logits)))


@pytest.mark.parametrize("name", NAMES)
def test_real_and_fake_batches_may_differ_in_size(name):
    loss = losses.get(name).discriminator
    real = np.array([[1.0], [3.0]], "float32")
    fake = np.array([[-0.5]], "float32")
    doubled = np.repeat(fake, 2, axis=0)
    assert float(loss(real, fake)) == pytest.approx(float(loss(real, doubled)), 1e-6)


def test_get_knows_the_names_and_lists_them_when_asked_for_another():
    assert losses.get("hinge")[:2] == (
        losses.hinge_discriminator_loss,
        losses.hinge_generator_loss,
    )
    assert losses.get("least_squares").middle == 0.5
    with pytest.raises(ValueError, match="'hinged'") as error:
        losses.get("hinged")
    assert all(name in str(error.value) for name in NAMES)


def test_get_returns_a_pair_of_your_own_as_it_is():
    pair = losses.LossPair(lambda real, fake: 0.0, lambda fake: 0.0)
    assert losses.get(pair) is pair


def test_optimal_discriminator():
    p, q = [0.4, 0.0, 0.3, 0.0], [0.1, 0.2, 0.3, 0.0]
    value = losses.optimal_discriminator(p, q)
    assert value.dtype == "float32"
    np.testing.assert_allclose(value, [0.8, 0.0, 0.5, 0.5], atol=1e-7)


def test_the_optimal_discriminator_minimises_the_discriminator_loss():
    # On a finite set of points the loss is p H(1, l) + q H(0, l): its slope at the
    # logit of D* is zero.
    p, q = 0.6, 0.2
    best = float(losses.optimal_discriminator(p, q))
    logit = math.log(best / (1 - best))

    def loss(x):
        real = losses.non_saturating_generator_loss(x, labels=1.0)
        fake = losses.non_saturating_generator_loss(x, labels=0.0)
        return p * real + q * fake

    np.testing.assert_allclose(_slope(loss, [logit]), 0.0, atol=1e-6)
    assert abs(_slope(loss, [logit + 0.5])[0]) > 1e-2
