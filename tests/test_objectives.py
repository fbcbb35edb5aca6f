"""What each player is asked for: losses, noisy labels, penalties, turns."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib import losses, penalties
from gan_lib.randomness import Draws
from gan_lib.training import GAN

BATCH = 4  # of the fixture `tiny_batches`


def _fit(gan, batches, steps, **arguments):
    arguments = {"tick_kimg": BATCH / 1000, "verbose": 0, **arguments}
    return gan.fit(batches, kimg=steps * BATCH / 1000, **arguments).history


@pytest.mark.parametrize("loss", ["least_squares", "hinge", "wasserstein", "minimax"])
def test_every_loss_trains(loss, tiny_gan, tiny_batches):
    gan = tiny_gan(loss=loss, batch_norm=False)
    kernels = [
        weight
        for weight in (*gan.generator.weights, *gan.discriminator.weights)
        if weight.name == "kernel"
    ]
    before = [w.numpy() for w in kernels]
    history = _fit(gan, tiny_batches, 3)
    after = [w.numpy() for w in kernels]
    assert all(np.any(a != b) for a, b in zip(before, after, strict=True))
    assert np.isfinite([history[name] for name in GAN.log_names]).all()
    real, fake = history["real_logits"], history["fake_logits"]
    if loss == "wasserstein":
        expected = np.subtract(fake, real)
        np.testing.assert_allclose(history["discriminator_loss"], expected, atol=1e-5)


class TestObjectives:
    """The hooks alone, outside the loop."""

    draws = Draws([1, 2])

    @pytest.fixture
    def images(self, tiny_batches):
        return list(tiny_batches.dataset().take(2))

    def _loss(self, gan, images):
        return float(gan.discriminator_objective(*images, self.draws)[0])

    def test_penalties(self, tiny_gan, images):
        def own_penalty(discriminator, real_images, fake_images, draws):
            assert draws is self.draws
            return tf.reduce_mean(tf.square(discriminator(fake_images)))

        plain = self._loss(tiny_gan(batch_norm=False), images)
        gan = tiny_gan(batch_norm=False)
        eps = self.draws.uniform("eps", (BATCH, 1, 1, 1))
        for penalty, expected in (
            ("r1", penalties.r1_penalty(gan.discriminator, images[0])),
            (
                "gradient_penalty",
                penalties.gradient_penalty(gan.discriminator, *images, eps),
            ),
            (own_penalty, own_penalty(gan.discriminator, *images, self.draws)),
        ):
            gan.compile(penalty=penalty, penalty_weight=7.0)
            value = self._loss(gan, images)
            assert float(expected) > 0
            assert value == pytest.approx(plain + 7.0 * float(expected), rel=1e-5)

    def test_noisy_labels(self, tiny_gan, images):
        asked = {}

        def discriminator_loss(real_logits, fake_logits, real_labels, fake_labels):
            asked.update(real=real_labels, fake=fake_labels)
            return tf.reduce_mean(real_logits)

        def generator_loss(fake_logits, labels):
            asked.update(generator=labels)
            return tf.reduce_mean(fake_logits)

        gan = tiny_gan(
            loss=losses.LossPair(discriminator_loss, generator_loss),
            real_labels=(0.8, 1.0),
            fake_labels=(0.0, 0.2),
        )
        many = [tf.tile(batch, (50, 1, 1, 1)) for batch in images]
        gan.discriminator_objective(*many, self.draws)
        gan.generator_objective(*many, self.draws)
        for name, low in (("real", 0.8), ("fake", 0.0), ("generator", 0.8)):
            labels = asked[name].numpy()
            assert labels.shape == (200, 1)
            assert low <= labels.min() < low + 0.01
            assert low + 0.19 < labels.max() <= low + 0.2001
        assert not np.allclose(asked["real"], asked["generator"])

    def test_accuracies(self, tiny_gan, images):
        gan = tiny_gan(batch_norm=False)
        logs = gan.discriminator_objective(*images, self.draws)[1]
        real, fake = (gan.discriminator(batch).numpy() for batch in images)
        assert float(logs["real_accuracy"]) == np.mean(real > 0)
        assert float(logs["fake_accuracy"]) == np.mean(fake < 0)


def test_lazy_penalty_comes_every_fourth_step_four_times_as_large(
    tiny_gan, tiny_batches
):
    def penalty(discriminator, real_images, fake_images, draws):
        return tf.constant(1.0)

    plain = _fit(tiny_gan(), tiny_batches, 6)["discriminator_loss"]
    gan = tiny_gan(penalty=penalty, penalty_weight=2.0, penalty_every=4)
    lazy = _fit(gan, tiny_batches, 6)["discriminator_loss"]
    difference = np.subtract(lazy, plain)
    np.testing.assert_allclose(difference, [8, 0, 0, 0, 8, 0], atol=1e-5)


def test_five_discriminator_steps_for_one_of_the_generator(tiny_gan, tiny_batches):
    gan = tiny_gan(
        discriminator_steps=5,
        loss="wasserstein",
        penalty="gradient_penalty",
        batch_norm=False,
    )
    moves = {"generator": [], "ema_generator": [], "discriminator": []}

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.last = self.weights()

        def weights(self):
            return {n: getattr(gan, n).get_weights()[0].copy() for n in moves}

        def on_epoch_end(self, epoch, logs=None):
            now = self.weights()
            for name in moves:
                moves[name].append(bool(np.any(now[name] != self.last[name])))
            self.last = now

    _fit(gan, tiny_batches, 11, callbacks=[Watch()])
    every_fifth = [False] * 4 + [True] + [False] * 4 + [True, False]
    assert moves["generator"] == moves["ema_generator"] == every_fifth
    assert moves["discriminator"] == [True] * 11
    assert int(gan.generator_optimizer.iterations) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "hing"}, "hinge"),
        ({"penalty": "r2"}, "gradient_penalty"),
        ({"penalty_every": 0}, "penalty_every"),
        ({"discriminator_steps": -1}, "discriminator_steps"),
        ({"discriminator_steps": 2, "simultaneous": True}, "discriminator_steps=1"),
        ({"loss": "hinge", "real_labels": (0.8, 1)}, "no labels"),
        ({"loss": "minimax", "fake_labels": (0, 0.2)}, "no labels"),
    ],
)
def test_wrong_compile_arguments_are_explained(arguments, message, tiny_gan):
    with pytest.raises(ValueError, match=message):
        tiny_gan(**arguments)
