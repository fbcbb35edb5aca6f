"""The chance of augmentation: its rule, what is shown to whom, resuming."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from gan_lib import penalties
from gan_lib.adaptive import Augmentation
from gan_lib.augmentation import augment
from gan_lib.data.pipeline import Batches
from gan_lib.growing import fade_real
from gan_lib.models.dcgan import dcgan
from gan_lib.models.pix2pix import pix2pix
from gan_lib.models.progan import progan
from gan_lib.models.stylegan2 import stylegan2
from gan_lib.randomness import Draws
from gan_lib.session import state
from gan_lib.training import GAN

BATCH = 4  # of the fixture `tiny_batches`
TICK = {"tick_kimg": 2 * BATCH / 1000, "checkpoint_minutes": 0, "verbose": 0}
DRAWS = Draws([1, 2])
LOGS = {"augment_probability", "augment_sign"}


def _quick(target=-0.9, **arguments):
    """Adapts within a few steps of 4 images, nearly always upwards."""
    return Augmentation(target=target, speed_kimg=0.08, every=2, **arguments)


def _fit(gan, batches, steps, **arguments):
    return gan.fit(batches, kimg=steps * BATCH / 1000, **TICK | arguments).history


class TestRule:
    """The layer alone."""

    def test_all_called_real_gives_1_after_500_kimg(self):
        """The oracle: sign +1 throughout, batches of 64, a change every 4 steps."""
        layer = Augmentation(target=0.6)

        @tf.function
        def follow(steps):
            for _ in tf.range(steps):
                layer.follow(tf.ones((64, 1)))

        follow(3)
        assert float(layer.adaptive_probability) == 0
        follow(1)
        assert float(layer.adaptive_probability) == pytest.approx(256 / 500_000)
        follow(3904)  # 3908 steps: 250.1 kimg
        assert float(layer.adaptive_probability) == pytest.approx(0.500224, abs=1e-5)
        follow(3904)  # 7812 steps: 499.97 kimg
        assert float(layer.adaptive_probability) == pytest.approx(0.999936, abs=1e-5)
        follow(8)
        assert float(layer.adaptive_probability) == 1

    @pytest.mark.parametrize("shape", [(8, 1), (8, 3, 3, 1)])
    def test_the_rule_of_the_docstring(self, shape):
        layer = Augmentation(0.1, target=0.3, speed_kimg=0.4, every=3)
        rng = np.random.default_rng(0)
        p, signs, found, expected = 0.1, [], [], []
        for _ in range(60):
            logits = rng.normal(rng.uniform(-0.5, 1.5), 1, shape)
            signs.append(np.mean(np.sign(logits - 0.2)))
            if len(signs) % 3 == 0:
                r = np.mean(signs[-3:])
                p = np.clip(p + np.sign(r - 0.3) * 3 * 8 / 400, 0, 1)
            logs = layer.follow(tf.constant(logits, "float32"), 0.2)
            found.append([float(logs[name]) for name in layer.log_names])
            expected.append([p, signs[-1]])
        np.testing.assert_allclose(found, expected, atol=1e-5)
        chances = np.array(expected)[:, 0]
        assert chances.min() == 0  # held there
        assert chances.max() > 0.15

    def test_replicas_count(self):
        layer = Augmentation(target=0.0, speed_kimg=1.0, every=1)
        layer.follow(tf.ones((5, 1)), replicas=3)
        assert float(layer.adaptive_probability) == pytest.approx(15 / 1000)

    def test_a_bad_number_does_not_stay(self):
        layer = Augmentation(0.5, target=0.6, every=1)
        layer.follow(tf.fill((4, 1), np.nan))
        assert 0 < float(layer.adaptive_probability) < 0.5

    def test_a_fixed_chance_has_no_state(self):
        layer = Augmentation(0.3)
        assert not layer.variables
        assert not layer.log_names
        assert layer.follow(tf.ones((4, 1))) == {}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"probability": 1.1}, "probability"),
            ({"probability": -0.1}, "probability"),
            ({"target": 1}, "target"),
            ({"target": -1.0}, "target"),
            ({"speed_kimg": 0}, "speed_kimg"),
            ({"every": 0}, "every"),
            ({"transforms": ("flop",)}, "transforms"),
        ],
    )
    def test_wrong_arguments_are_explained(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Augmentation(**arguments)


class TestWhatIsShown:
    """The objectives alone, outside the loop."""

    @pytest.fixture
    def images(self, tiny_batches):
        return list(tiny_batches.dataset().take(2))

    def _shown(self, images, occasion):
        return augment(images, 0.9, DRAWS, name=f"augment_{occasion}")

    def test_each_occasion_has_changes_of_its_own(self, tiny_gan, images):
        gan = tiny_gan(batch_norm=False, augment=0.9, penalty="r1", penalty_weight=3)
        real, fake = images
        judge = gan.discriminator
        real_logits = judge(self._shown(real, "real"))
        fake_logits = judge(self._shown(fake, "fake"))
        slope = penalties.r1_penalty(lambda x: judge(self._shown(x, "penalty")), real)
        expected = gan.losses_of.discriminator(real_logits, fake_logits) + 3 * slope
        found, logs = gan.discriminator_objective(real, fake, DRAWS)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)
        assert float(logs["real_logits"]) == pytest.approx(np.mean(real_logits))
        logits = judge(self._shown(fake, "generator"))
        found, _ = gan.generator_objective(real, fake, DRAWS)
        expected = gan.losses_of.generator(logits)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)
        assert np.abs(np.subtract(logits, fake_logits)).min() > 1e-6

    def test_a_penalty_of_ones_own_sees_them_too(self, tiny_gan, images):
        seen = []

        def penalty(discriminator, real_images, fake_images, draws):
            seen.append(discriminator(real_images, training=True))
            return tf.reduce_mean(seen[-1])

        gan = tiny_gan(batch_norm=False, augment=0.9, penalty=penalty)
        gan.discriminator_objective(*images, DRAWS)
        expected = gan.discriminator(self._shown(images[0], "penalty"))
        np.testing.assert_allclose(seen[0], expected, rtol=1e-5)

    def test_the_middle_of_the_loss_parts_real_from_fake(self, tiny_gan, images):
        gan = tiny_gan(loss="least_squares", augment="ada")
        gan.discriminator.layers[-2].bias.assign([0.3])  # between 0 and 1/2
        gan.discriminator.layers[-2].kernel.assign(
            tf.zeros_like(gan.discriminator.layers[-2].kernel)
        )
        _, logs = gan.discriminator_objective(*images, DRAWS)
        assert float(logs["augment_sign"]) == -1


def test_a_generators_gradient_comes_through_it(tiny_gan, tiny_batches):
    plain, gan = tiny_gan(), tiny_gan(augment=1.0)
    histories = [_fit(x, tiny_batches, 2) for x in (plain, gan)]
    norms = [x["generator_gradient_norm"] for x in histories]
    assert np.all(np.isfinite(norms))
    assert np.all(np.greater(norms, 0))
    assert not np.allclose(*norms)


def test_a_chance_of_0_and_none_train_alike(tiny_gan, tiny_batches):
    expected, found = tiny_gan(), tiny_gan(augment=0.0)
    for gan in (expected, found):
        _fit(gan, tiny_batches, 4)
    assert set(expected.history_rows[0]) == {"kimg", "seconds", *GAN.log_names}
    theirs = state(found)
    for name, value in state(expected).items():
        np.testing.assert_allclose(theirs[name], value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_chance_moves_and_is_logged(simultaneous, tiny_gan, tiny_batches):
    gan = tiny_gan(augment=_quick(), simultaneous=simultaneous)
    assert not gan.memory["augmentation"].trainable_variables
    history = _fit(gan, tiny_batches, 6)
    signs = np.array(history["augment_sign"])
    change = np.where(signs > -0.9, 8 / 80, 0)
    assert change.any()
    p = float(gan.memory["augmentation"].adaptive_probability)
    assert p == pytest.approx(np.sum(change), rel=1e-5)
    ticks = np.cumsum(change)  # a mean of a tick: before the change and after it
    before = np.concatenate([[0], ticks[:-1]])
    np.testing.assert_allclose(
        history["augment_probability"], (before + ticks) / 2, rtol=1e-5
    )
    latents = np.ones((3, 5), "float32")
    expected = gan.ema_generator(latents, training=False)
    np.testing.assert_allclose(gan.generate(latents), expected, atol=1e-6)
    gan.compile()
    assert gan.augmentation is None
    assert set(gan.trackers) == set(GAN.log_names)
    assert "augmentation/0000" not in state(gan)


SMALL = {"width": 4, "latent_dim": 6}
MODELS = {
    "dcgan": lambda **kwargs: dcgan("anime", image_size=16, **SMALL, **kwargs),
    "stylegan2": lambda **kwargs: stylegan2(
        16, style_dim=7, mapping_layers=2, widest=8, r1_every=2, **SMALL, **kwargs
    ),
}


@pytest.mark.parametrize(
    "model", ["dcgan", pytest.param("stylegan2", marks=pytest.mark.slow)]
)
def test_a_resumed_run_equals_an_unbroken_one(model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), "uint8")
    batches = Batches(images, BATCH, seed=3)

    def newborn():
        return MODELS[model](augment=_quick(transforms=("flip", "scaling", "hue")))

    unbroken = newborn()
    _fit(unbroken, batches, 6)
    _fit(newborn(), batches, 4, resume=tmp_path)
    second = newborn()
    _fit(second, batches, 6, resume=tmp_path)
    expected, found = state(unbroken), state(second)
    assert 0.1 < expected["augmentation/0000"] < 1
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    for a, b in zip(unbroken.history_rows, second.history_rows, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_reals_are_softened_before_they_are_changed():
    """A real image that is softened after a turn would be known by its squares."""
    gan = progan(8, latent_dim=6, width=4, widest=8, penalty=None, augment=1.0)
    gan.set_stage(8, 0.0, 1.0)
    rng = np.random.default_rng(0)
    real, fake = (rng.uniform(-1, 1, (4, 8, 8, 3)).astype("float32") for _ in range(2))
    _, logs = gan.discriminator_objective(real, fake, DRAWS)
    soft = augment(fade_real(real, 0.0), 1.0, DRAWS, name="augment_real")
    expected = np.mean(gan.playing("discriminator")(soft, training=True))
    assert float(logs["real_logits"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_xla_trains_with_it(tiny_gan, tiny_batches):
    gan = tiny_gan(
        augment=Augmentation(0.5, target=0.0, every=2), penalty="r1", penalty_every=2,
        batch_norm=False, jit_compile=True,
    )  # fmt: skip
    history = _fit(gan, tiny_batches, 4)
    assert np.isfinite([history[name] for name in (*GAN.log_names, *LOGS)]).all()
    assert float(gan.augmentation.adaptive_probability) != 0.5


@pytest.mark.parametrize("augment", ["add", 1.5, True, ["flip"]])
def test_wrong_words_are_explained(augment, tiny_gan):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        tiny_gan(augment=augment)


def test_pairs_are_left_alone():
    with pytest.raises(ValueError, match="source and target"):
        pix2pix(image_size=32, width=2, augment="ada")


PROGRAM = """
import json
import keras, numpy as np, tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from gan_lib.adaptive import Augmentation
from gan_lib.models.dcgan import dcgan
from gan_lib.training import GAN


def build():
    keras.utils.set_random_seed(0)
    latents = keras.Input((5,))
    x = keras.layers.Reshape((4, 4, 2))(keras.layers.Dense(32)(latents))
    x = keras.layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(x)
    images = keras.Input((8, 8, 3))
    y = keras.layers.Dense(1)(keras.layers.Flatten()(images))
    gan = GAN(keras.Model(latents, x), keras.Model(images, y), seed=3)
    sgd = keras.optimizers.SGD
    augment = Augmentation(0.5, target=0.0, speed_kimg=0.1, every=1)
    gan.compile(sgd(0.01), sgd(0.01), augment=augment)
    return gan


def train(replicas):
    if replicas == 2:
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            gan = build()
    else:
        gan = build()
    images = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 3)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8, drop_remainder=True)
    history = gan.fit(dataset, kimg=0.064, tick_kimg=0.008, verbose=0).history
    return [history[x] for x in ("augment_probability", "augment_sign",
                                 "discriminator_loss", "generator_loss")]


print(json.dumps([train(1), train(2)]))
"""


@pytest.mark.slow
def test_two_replicas_equal_one_device(run_python):
    """Their signs differ; the chance follows the mean of both."""
    one, two = json.loads(run_python(PROGRAM).splitlines()[-1])
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    assert len(np.unique(np.round(one[0], 4))) > 2
