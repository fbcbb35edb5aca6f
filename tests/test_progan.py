"""ProGAN: counts, stages, fading, the critic's loss, growing and resuming."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameter_counts import count_trainable

from gan_lib import growing
from gan_lib.growing import Stage, grow, schedule, shrink
from gan_lib.latents import sample
from gan_lib.models.progan import PUBLISHED, progan
from gan_lib.progan_networks import build_discriminator, build_generator
from gan_lib.randomness import Draws
from gan_lib.session import state
from gan_lib.sizes import all_sizes

SMALL = {"latent_dim": 5, "width": 4, "widest": 8}
QUIET = {"tick_kimg": 0.008, "checkpoint_minutes": 0, "verbose": 0}
STAGES = [Stage(4, 8, 0, 0.016), Stage(8, 4, 0.016, 0.016)]


def _of_size(network, number):
    inputs = network.inputs[number if len(network.inputs) > 1 else 0]
    return keras.Model(inputs, network.outputs[number])


def test_parameter_counts_are_those_of_the_authors_code():
    networks = PUBLISHED["progan/1024"]()
    assert [count_trainable(x) for x in networks.values()] == [23_079_115, 23_087_249]
    last = [count_trainable(_of_size(x, -1)) for x in networks.values()]
    # the last size while it fades in: with the one before, without the rest
    assert 23_071_507 < last[0] < 23_079_115
    assert 23_077_137 < last[1] < 23_087_249


def test_a_small_one_has_the_count_of_its_layers():
    narrow = {"width": 64, "widest": 64}
    generator = build_generator(32, latent_dim=64, **narrow)
    judge = build_discriminator(32, **narrow)
    assert (count_trainable(generator), count_trainable(judge)) == (324_876, 325_761)


def test_each_size_has_its_pictures_and_its_logits():
    assert all_sizes(32) == [4, 8, 16, 32]
    generator, judge = build_generator(16, **SMALL), None
    judge = build_discriminator(16, width=4, widest=8)
    pictures = generator(sample(4, 5))
    assert [tuple(x.shape) for x in pictures] == [(4, s, s, 3) for s in (4, 8, 16)]
    assert [tuple(x.shape) for x in judge(pictures)] == [(4, 1)] * 3


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_a_new_size_fades_in_on_both_sides(alpha):
    generator = build_generator(8, **SMALL)
    generator.get_layer("fade_8").alpha.assign(alpha)
    small, large = generator(sample(4, 5))
    parts = keras.Model(generator.input, generator.get_layer("fade_8").input)
    old, new = parts(sample(4, 5))
    np.testing.assert_array_equal(old, np.repeat(np.repeat(small, 2, 1), 2, 2))
    mixed = (1 - alpha) * np.array(old) + alpha * np.array(new)
    np.testing.assert_allclose(large, mixed, atol=1e-6)
    judge = build_discriminator(8, width=4, widest=8)
    judge.get_layer("fade_8").alpha.assign(alpha)
    images = tf.random.stateless_normal((4, 8, 8, 3), (1, 2))
    halved = tf.nn.avg_pool2d(images, 2, 2, "VALID")
    logits = [_of_size(judge, 0)(halved), _of_size(judge, 1)(images)]
    if alpha == 0:  # the new block has no say
        np.testing.assert_allclose(*logits, atol=1e-5)
    else:
        assert np.abs(logits[0] - logits[1]).max() > 1e-4


def test_real_images_fade_as_the_fakes_do():
    images = tf.random.stateless_normal((2, 8, 8, 3), (1, 2))
    soft = growing.fade_real(images, 0.0).numpy()
    blocks = soft.reshape(2, 4, 2, 4, 2, 3)
    assert np.all(blocks == blocks[:, :, :1, :, :1])  # constant 2 x 2 squares
    means = images.numpy().reshape(2, 4, 2, 4, 2, 3).mean((2, 4))
    np.testing.assert_allclose(blocks[:, :, 0, :, 0], means, atol=1e-6)
    np.testing.assert_allclose(growing.fade_real(images, 1.0), images, atol=1e-6)
    half = growing.fade_real(images, 0.5)
    np.testing.assert_allclose(half, (soft + images) / 2, atol=1e-6)


def test_the_critics_loss_follows_its_equation():
    gan = progan(8, **SMALL, drift=0.1, penalty=None)
    gan.set_stage(8, 0, 0.008)
    gan.images_seen.assign(2)  # alpha is a quarter
    draws = Draws((1, 2))
    real = tf.random.stateless_normal((4, 8, 8, 3), (3, 4))
    fakes = gan.forward(real, draws)
    alphas = [
        float(network.get_layer("fade_8").alpha.value)
        for network in (gan.generator, gan.ema_generator, gan.discriminator)
    ]
    assert alphas == [0.25] * 3
    found, logs = gan.discriminator_objective(real, fakes, draws)
    soft = growing.fade_real(real, 0.25)
    real_scores = gan.stage_discriminator(soft, training=True).numpy()
    fake_scores = gan.stage_discriminator(fakes, training=True).numpy()
    expected = fake_scores.mean() - real_scores.mean() + 0.1 * (real_scores**2).mean()
    assert float(found) == pytest.approx(expected, abs=1e-5)
    assert float(logs["real_logits"]) == pytest.approx(real_scores.mean(), abs=1e-5)


def test_a_stage_moves_its_own_layers_only(tiny_images):
    gan = progan(16, **SMALL)
    before = {w.path: w.numpy() for w in gan.generator.weights}
    grow(gan, tiny_images.repeat(2, 1).repeat(2, 2), STAGES, verbose=0)
    moved = {
        w.path for w in gan.generator.weights if np.any(before[w.path] != w.numpy())
    }
    assert any("conv_8_1" in path for path in moved)
    assert not any("16" in path for path in moved)
    assert gan.size == 8
    images = gan.generate(3)
    assert images.shape == (3, 16, 16, 3)
    np.testing.assert_array_equal(images[:, ::2, ::2], images[:, 1::2, 1::2])


def test_a_schedule_has_whole_batches():
    stages = schedule(32, 2, 1.5, batch_sizes={4: 64, 8: 32, 16: 32, 32: 16})
    assert [(s.size, s.batch_size) for s in stages] == [
        (4, 64), (8, 32), (16, 32), (32, 16),
    ]  # fmt: skip
    assert stages[0].fade_kimg == 0
    assert stages[1].fade_kimg == pytest.approx(1.984)  # 31 batches of 64
    assert stages[1].stable_kimg == pytest.approx(1.472)
    assert [s.size for s in schedule(32, 1, 1, start=8)] == [8, 16, 32]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"start": 64}, "`start` <="),
        ({"batch_sizes": {4: 8}}, "Missing"),
        ({"batch_sizes": {4: 8, 8: 6, 16: 4}}, "divide the largest"),
    ],
)
def test_an_impossible_schedule_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        schedule(16, 1, 1, **arguments)


def test_shrinking_takes_means():
    images = np.arange(2 * 4 * 4 * 3, dtype="uint8").reshape(2, 4, 4, 3)
    assert shrink(images, 4) is images
    small = shrink(images, 2)
    assert small.shape == (2, 2, 2, 3)
    assert small[0, 0, 0, 0] == round(images[0, :2, :2, 0].mean())
    with pytest.raises(ValueError, match="multiple of 3"):
        shrink(images, 3)


def test_a_size_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"\[4, 8, 16\]"):
        progan(16, **SMALL).set_stage(32)


class _Recorder:
    """Stands for a model: notes what `grow` asks, and "trains" at once."""

    def __init__(self, seen=0):
        self.images_seen, self.asked = tf.Variable(seen), []

    def set_stage(self, size, start_kimg, fade_kimg):
        self.asked.append((size, start_kimg))

    def fit(self, data, *, kimg, **options):
        self.images_seen.assign(max(int(self.images_seen), round(1000 * kimg)))
        self.asked[-1] += (kimg,)


def test_many_stages_end_at_whole_numbers(tiny_images):
    stages = [Stage(4, 4, 0, 0.1), Stage(8, 4, 0.1, 0.1), Stage(8, 4, 0.4, 0.1)]
    gan = _Recorder()
    grow(gan, tiny_images, stages)  # 0.1 + 0.2 is 0.30000000000000004
    assert gan.asked == [(4, 0.0, 0.1), (8, 0.1, 0.3), (8, 0.3, 0.8)]


def test_stages_behind_a_checkpoint_are_passed_over(tiny_images):
    stages = [Stage(4, 4, 0, 0.1), Stage(8, 4, 0.1, 0.1)]
    gan = _Recorder(seen=200)
    grow(gan, tiny_images, stages)
    assert gan.asked == [(8, 0.1, 0.3)]
    gan = _Recorder(seen=400)
    grow(gan, tiny_images, stages)
    assert gan.asked == [(8, 0.1, 0.3)]


@pytest.fixture(scope="module")
def unbroken(tiny_images):
    gan = progan(8, **SMALL)
    grow(gan, tiny_images, STAGES, **QUIET)
    assert gan.kimg == pytest.approx(0.048)
    return state(gan)


@pytest.mark.parametrize("cut", [0.016, 0.024], ids=["between sizes", "in a fade"])
def test_growing_goes_on_where_it_was_cut(cut, unbroken, tiny_images, tmp_path):
    class Cut(keras.callbacks.Callback):
        def on_epoch_end(self, tick, logs=None):
            if self.model.kimg >= cut - 1e-9:
                raise KeyboardInterrupt

    arguments = {"resume": tmp_path, **QUIET}
    with pytest.raises(KeyboardInterrupt):
        grow(progan(8, **SMALL), tiny_images, STAGES, callbacks=[Cut()], **arguments)
    second = progan(8, **SMALL)
    grow(second, tiny_images, STAGES, **arguments)
    found = state(second)
    for name, value in unbroken.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_the_last_size_is_saved(tmp_path):
    gan = progan(8, **SMALL)
    gan.export(tmp_path)
    network = keras.saving.load_model(tmp_path / "generator.keras")
    z = sample(3, 5)
    np.testing.assert_allclose(network(z), gan.generate(z), atol=1e-5)
