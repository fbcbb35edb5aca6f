"""U-GAT-IT's step against one in the authors' order of work; a cut in the middle."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import keras
import numpy as np
import pytest
import tensorflow as tf
from unpaired_fits import fit, l1, random_pairs

from gan_lib import translation
from gan_lib.models.ugatit import ugatit
from gan_lib.session import state

SIZE = 32


@pytest.fixture(scope="module")
def pairs():
    return random_pairs(SIZE, 2)


def small(**arguments):
    arguments = {"ema_half_life_kimg": 0, "width": 2, "blocks": 1} | arguments
    return ugatit(SIZE, seed=3, **arguments)


def cross_entropy(logits, label):
    labels = tf.fill(tf.shape(logits), label)
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    )


def verdicts(judge, images):
    """The four maps of logits of one domain's discriminators, without training."""
    found = judge(images)
    kinds = ("logits", "cam_logits")
    return [found[judge][kind] for judge in ("global", "local") for kind in kinds]


def losses_by_hand(model, a, b):
    """Equations 2 to 6, one picture a call and no pass used twice."""
    a_to_b, b_to_a = translation.parts(model.generator)
    judge_a, judge_b = translation.parts(model.discriminator)

    def one_by_one(network, images):
        parts = [network(images[i : i + 1]) for i in range(len(images))]
        return tf.nest.map_structure(lambda *x: tf.concat(x, 0), *parts)

    there, back = one_by_one(a_to_b, a), one_by_one(b_to_a, b)
    fake_b, fake_a = there["images"], back["images"]
    same_b, same_a = one_by_one(a_to_b, b), one_by_one(b_to_a, a)
    cycle = l1(b_to_a(fake_b)["images"], a) + l1(a_to_b(fake_a)["images"], b)
    identity = l1(same_b["images"], b) + l1(same_a["images"], a)
    cam = cross_entropy(there["cam_logits"], 1.0)
    cam += cross_entropy(back["cam_logits"], 1.0)
    cam += cross_entropy(same_b["cam_logits"], 0.0)
    cam += cross_entropy(same_a["cam_logits"], 0.0)
    adversarial, judged = 0.0, 0.0
    for judge, real, fake in ((judge_a, a, fake_a), (judge_b, b, fake_b)):
        both = zip(verdicts(judge, real), verdicts(judge, fake), strict=True)
        for one, other in both:
            adversarial += tf.reduce_mean((other - 1) ** 2)
            judged += tf.reduce_mean((one - 1) ** 2) + tf.reduce_mean(other**2)
    return {
        "discriminator_loss": judged,
        "adversarial_loss": adversarial,
        "cycle_loss": cycle,
        "identity_loss": identity,
        "cam_loss": cam,
        "generator_loss": adversarial + 10 * cycle + 10 * identity + 1000 * cam,
    }


def settle(model):
    """Many power iterations, so that a training call changes no spectral norm."""
    images = [tf.zeros((1, SIZE, SIZE, 3))] * 2
    for _ in range(60):
        model.discriminator(images, training=True)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_losses_are_the_papers(simultaneous, pairs):
    """Shared calls change no loss; the discriminators stand still, to compare."""
    model = small(discriminator_rate=0.0, simultaneous=simultaneous)
    settle(model)
    expected = losses_by_hand(model, *(tf.constant(x) for x in pairs[0]))
    history = fit(model, pairs, 1)
    for name, value in expected.items():
        assert history[name][0] == pytest.approx(float(value), rel=2e-4), name


def test_generator_moves_by_the_papers_gradient(pairs):
    rate = 1e-4
    sgd = [keras.optimizers.SGD(rate) for _ in range(2)]
    optimizers = {
        "generator_optimizer": sgd[0], "discriminator_optimizer": sgd[1],
        "simultaneous": True,
    }  # fmt: skip
    model, old = small(**optimizers), small()
    settle(model)
    settle(old)
    with tf.GradientTape(persistent=True) as tape:
        losses = losses_by_hand(old, *(tf.constant(x) for x in pairs[0]))
    fit(model, pairs, 1)
    for player in ("generator", "discriminator"):
        before = getattr(old, player).trainable_variables
        after = getattr(model, player).trainable_variables
        gradients = tape.gradient(losses[f"{player}_loss"], before)
        for old_weight, new, slope in zip(before, after, gradients, strict=True):
            moved = old_weight - rate * slope
            if "rho" in old_weight.name:
                moved = tf.clip_by_value(moved, 0, 1)
            np.testing.assert_allclose(
                new, moved, atol=3e-5, rtol=2e-3, err_msg=new.path
            )


def test_rho_stays_a_proportion(pairs):
    model = small(generator_rate=0.3)
    fit(model, pairs, 2)
    rhos = [w.numpy() for w in model.generator.trainable_variables if w.name == "rho"]
    values = np.concatenate(rhos)
    assert np.all((values >= 0) & (values <= 1))
    assert np.any(values == 0) or np.any(values == 1)  # some were pushed to an end


def trained(pairs, steps, folder):
    model = small(ema_half_life_kimg=0.01)
    fit(model, pairs, steps, folder)
    return state(model)


@pytest.mark.slow
def test_cut_and_resumed(pairs, tmp_path):
    """Each sitting in a process of its own, as when Colab has cut one off."""
    alone = ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1)
    with alone:
        straight = alone.submit(trained, pairs, 2, None)
        alone.submit(trained, pairs, 1, tmp_path)
        resumed = alone.submit(trained, pairs, 2, tmp_path)
    expected, actual = straight.result(), resumed.result()
    assert any(tmp_path.iterdir())
    apart = {
        name: float(np.abs(actual[name] - expected[name]).max())
        for name in expected
        if np.any(actual[name] != expected[name])
    }
    assert not apart


def test_power_iteration_vectors_are_kept():
    model = small()
    vectors = [w for w in model.discriminator.non_trainable_weights if w.name == "u"]
    kept = state(model).values()
    assert vectors
    for vector in vectors:
        assert any(np.array_equal(vector.numpy(), array) for array in kept)


def test_pictures_heat_maps_and_export(pairs, tmp_path):
    model = small()
    images = np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    there = model.generate(images)
    assert there.shape == images.shape
    np.testing.assert_allclose(model.generate(images[1:2])[0], there[1], atol=1e-5)
    maps = model.attend(images, "b_to_a")
    assert {k: v.shape for k, v in maps.items()} == {
        "generator": (3, 8, 8), "global": (3, 7, 7), "local": (3, 15, 15),
    }  # fmt: skip
    assert maps["generator"].min() >= 0
    model.export(tmp_path)
    opened = keras.saving.load_model(tmp_path / "a_to_b.keras")
    pictures = images / np.float32(127.5) - 1
    again = opened.predict(pictures, verbose=0)["images"]
    np.testing.assert_allclose(again, there, atol=1e-5)


def test_what_cannot_be_is_explained():
    with pytest.raises(ValueError, match="spectral norm"):
        small(penalty="r1")
    model = small(attention=False)
    with pytest.raises(ValueError, match="attention=False"):
        model.attend(np.zeros((1, SIZE, SIZE, 3), "uint8"))


def test_without_attention_no_cam_loss(pairs):
    history = fit(small(attention=False, normalization="instance"), pairs, 1)
    assert history["cam_loss"] == [0.0]
