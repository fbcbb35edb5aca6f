"""CycleGAN's step against one written by hand, its pool, and a cut in the middle."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from unpaired_fits import fit, l1, random_pairs

from gan_lib import translation
from gan_lib.image_pool import ImagePool
from gan_lib.models.cyclegan import cyclegan
from gan_lib.session import state

SIZE = 8


@pytest.fixture(scope="module")
def pairs():
    return random_pairs(SIZE, 4)


def small(**arguments):
    arguments = {"pool_size": 0, "ema_half_life_kimg": 0.01} | arguments
    return cyclegan(SIZE, blocks=1, width=2, receptive_field=1, seed=3, **arguments)


def step_by_hand(networks, optimizers, a, b):
    """Both generators, then both discriminators, every pass in a call of its own."""
    a_to_b, b_to_a, judge_a, judge_b = networks
    with tf.GradientTape() as tape:
        fake_b, fake_a = a_to_b(a), b_to_a(b)
        adversarial = tf.reduce_mean((judge_b(fake_b) - 1) ** 2)
        adversarial += tf.reduce_mean((judge_a(fake_a) - 1) ** 2)
        cycle = l1(b_to_a(fake_b), a) + l1(a_to_b(fake_a), b)
        identity = l1(b_to_a(a), a) + l1(a_to_b(b), b)
        drawn = adversarial + 10 * cycle + 5 * identity
    weights = [*a_to_b.trainable_variables, *b_to_a.trainable_variables]
    gradients = tape.gradient(drawn, weights)
    with tf.GradientTape() as tape:
        judged = 0.0
        for judge, real, fake in ((judge_a, a, fake_a), (judge_b, b, fake_b)):
            judged += tf.reduce_mean((judge(real) - 1) ** 2) / 2
            judged += tf.reduce_mean(judge(tf.stop_gradient(fake)) ** 2) / 2
    optimizers[0].apply(gradients, weights)
    weights = [*judge_a.trainable_variables, *judge_b.trainable_variables]
    optimizers[1].apply(tape.gradient(judged, weights), weights)
    return float(drawn), float(judged)


def test_the_step_is_the_papers(pairs):
    model, twin = small(), small()
    networks = [
        *translation.parts(twin.generator),
        *translation.parts(twin.discriminator),
    ]
    optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]
    expected = [step_by_hand(networks, optimizers, *pair) for pair in pairs[:3]]
    history = fit(model, pairs, 3)
    ours = [history["generator_loss"], history["discriminator_loss"]]
    np.testing.assert_allclose(np.transpose(ours), expected, rtol=1e-5)
    for player in ("generator", "discriminator"):
        theirs = getattr(twin, player).weights
        for one, other in zip(getattr(model, player).weights, theirs, strict=True):
            if one.name != "bias":  # before a norm its gradient is rounding alone
                np.testing.assert_allclose(one.numpy(), other.numpy(), atol=2e-5)


def test_cut_and_resumed_with_the_pool(pairs, tmp_path):
    settings = {"pool_size": 3}
    straight, cut, resumed = (small(**settings) for _ in range(3))
    fit(straight, pairs, 4)
    fit(cut, pairs, 2, tmp_path)
    fit(resumed, pairs, 4, tmp_path)
    expected, actual = state(straight), state(resumed)
    assert np.any(expected["pool_a/0000"])
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def pool_by_hand(size, images, numbers):
    """The rule in plain Python."""
    kept, given = [], []
    for image, (coin, which) in zip(images, numbers, strict=True):
        if len(kept) < size:
            kept.append(image)
            given.append(image)
        elif coin < 0.5:
            place = int(which * size)
            given.append(kept[place])
            kept[place] = image
        else:
            given.append(image)
    return given, kept


def test_pool_follows_the_rule():
    rng = np.random.default_rng(1)
    images = rng.normal(size=(40, 2, 2, 3)).astype("f4")
    numbers = rng.uniform(size=(40, 2)).astype("f4")
    pool = ImagePool(5, (2, 2, 3))
    call = tf.function(pool)
    given = [call(images[i : i + 4], numbers[i : i + 4]) for i in range(0, 40, 4)]
    expected, kept = pool_by_hand(5, images, numbers)
    np.testing.assert_array_equal(np.concatenate(given), expected)
    np.testing.assert_array_equal(pool.images.numpy(), kept)
    assert 5 < len({x.tobytes() for x in np.concatenate(given)}) < 40


def test_pool_keeps_no_broken_picture():
    pool = ImagePool(2, (1, 1, 1))
    broken = np.full((1, 1, 1, 1), np.nan, "f4")
    assert np.isnan(pool(broken, np.zeros((1, 2), "f4"))).all()
    assert int(pool.count) == 0
    with pytest.raises(ValueError, match="pool_size=0"):
        ImagePool(0, (1, 1, 1))


def test_without_identity_two_passes_less(pairs):
    model = small(identity_weight=0.0)
    history = fit(model, pairs, 1)
    assert history["identity_loss"] == [0.0]
    expected = history["adversarial_loss"][0] + 10 * history["cycle_loss"][0]
    assert history["generator_loss"][0] == pytest.approx(expected, rel=1e-6)


def test_r1_of_each_domain_by_its_own_discriminator(pairs):
    plain = fit(small(), pairs, 1)["discriminator_loss"][0]
    model = small(penalty="r1", penalty_weight=2.0)
    value = 0.0
    for judge, images in zip(
        translation.parts(model.discriminator), pairs[0], strict=True
    ):
        images = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(images)
            score = tf.reduce_sum(judge(images))
        slope = tape.gradient(score, images)
        value += tf.reduce_mean(tf.reduce_sum(slope**2, [1, 2, 3])) / 2
    assert float(value) > 0
    ours = fit(model, pairs, 1)["discriminator_loss"][0]
    # The loss of both discriminators is halved, the penalty with it.
    assert ours - plain == pytest.approx(float(value), rel=1e-4)


def test_generate_and_export_both_directions(pairs, tmp_path):
    model = small()
    fit(model, pairs, 1)
    images = np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    there, back = model.generate(images), model.generate(images, "b_to_a")
    assert there.shape == images.shape
    assert np.any(there != back)
    one = model.generate(images[:1], batch_size=1)
    np.testing.assert_allclose(one[0], there[0], atol=1e-5)
    names = {path.name for path in model.export(tmp_path)}
    assert {"a_to_b.keras", "b_to_a.keras", "b_to_a.weights.h5"} <= names
    opened = keras.saving.load_model(tmp_path / "b_to_a.keras")
    pictures = images / np.float32(127.5) - 1
    np.testing.assert_allclose(opened.predict(pictures, verbose=0), back, atol=1e-5)
    with pytest.raises(ValueError, match="a_to_b"):
        model.generate(images, "A2B")


def test_translate_is_two_calls_in_one(pairs):
    network = translation.parts(small().generator)[0]
    a, b = pairs[0]
    first, second = translation.translate(network, a, b)
    np.testing.assert_allclose(first, network(a), atol=1e-6)
    np.testing.assert_allclose(second, network(b), atol=1e-6)
    alone, nothing = translation.translate(network, a)
    np.testing.assert_array_equal(alone, network(a))
    assert nothing is None
    with pytest.raises(ValueError, match="two names"):
        translation.both([network, network], "twice")
