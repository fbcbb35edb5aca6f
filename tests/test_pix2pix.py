"""pix2pix: sizes and counts of the paper, its losses, its two ways of drawing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameter_counts import count_trainable

from gan_lib import losses, patchgan
from gan_lib.models.pix2pix import PUBLISHED, build_generator, pix2pix

SIZE = 32


def _pair(count=4, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    source = rng.uniform(-1, 1, (count, SIZE, SIZE, channels)).astype("float32")
    target = rng.uniform(-1, 1, (count, SIZE, SIZE, 3)).astype("float32")
    return source, target


def _endless(pair):
    return tf.data.Dataset.from_tensors(pair).repeat()


def _small(**changes):
    options = {"width": 4, "source_channels": 1, "receptive_field": 34, "seed": 3}
    return pix2pix(SIZE, **{**options, **changes})


@pytest.mark.parametrize(
    ("name", "generator"),
    [("unet_256", 54_413_955), ("unet_128", 41_828_995)],
)
def test_published_counts(name, generator):
    networks = PUBLISHED[f"pix2pix/{name}"]()
    assert count_trainable(networks["generator"]) == generator
    assert count_trainable(networks["discriminator"]) == 2_768_705


@pytest.mark.parametrize(("width", "count"), [(64, 29_244_035), (32, 7_314_755)])
def test_64_px_counts(width, count):
    assert count_trainable(build_generator(64, width=width)) == count


@pytest.mark.parametrize(
    ("field", "size", "side"),
    [(70, 256, 30), (70, 128, 14), (70, 64, 6), (34, 64, 14), (16, 64, 30), (1, 64, 64),
     (286, 256, 6)],
)  # fmt: skip
def test_patch_maps(field, size, side):
    judge = patchgan.build_discriminator(size, receptive_field=field, width=2)
    assert judge.output_shape == (None, side, side, 1)


@pytest.mark.parametrize("field", [1, 16, 34, 70])
def test_one_logit_sees_its_field_and_nothing_else(field):
    size = 96
    judge = patchgan.build_discriminator(
        size, receptive_field=field, width=2, channels=3, normalization="none"
    )
    image = tf.Variable(np.random.default_rng(0).normal(size=(1, size, size, 3)))
    middle = judge.output_shape[1] // 2
    with tf.GradientTape() as tape:
        logit = judge(tf.cast(image, tf.float32))[0, middle, middle, 0]
    seen = np.abs(tape.gradient(logit, image).numpy()).sum(-1)[0] > 0
    for axis in (0, 1):
        assert seen.any(axis).sum() == field


@pytest.mark.parametrize("skips", [True, False])
def test_channels_on_the_way_back(skips):
    network = build_generator(64, width=4, skips=skips)
    entering = [network.get_layer(f"up{n}").input.shape[-1] for n in range(6, 0, -1)]
    own = [32, 32, 32, 16, 8, 4]
    assert entering == [own[0], *(c * (1 + skips) for c in own[1:])]


@pytest.mark.parametrize(
    ("size", "maps"), [(256, [4, 8, 16]), (128, [4, 8]), (64, [4]), (32, [4])]
)
def test_where_the_dropout_sits(size, maps):
    drops = [
        layer.output.shape[1]
        for layer in build_generator(size, width=2).layers
        if isinstance(layer, keras.layers.Dropout)
    ]
    assert drops == maps


def test_bias_only_where_no_batch_norm_follows():
    def biased(network):
        convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        layers = [x for x in network.layers if isinstance(x, convolutions)]
        return [layer.name for layer in layers if layer.use_bias]

    assert biased(build_generator(64, width=2)) == ["up1"]
    judge = patchgan.build_discriminator(64, width=2)
    assert biased(judge) == ["conv1", "conv5"]
    assert len(biased(build_generator(64, width=2, normalization="instance"))) == 12


def _objectives(model, pair, fake):
    judge, judge_logs = model.discriminator_objective(pair, fake, None)
    drawer, logs = model.generator_objective(pair, fake, None)
    return float(judge), float(drawer), judge_logs | logs


@pytest.mark.parametrize("conditional", [True, False])
def test_objectives_are_the_equations(conditional):
    model = _small(conditional=conditional, normalization="none", l1_weight=7.0)
    (source, target), (_, fake) = _pair(), _pair(seed=1)

    def logits(images):
        shown = np.concatenate([source, images], -1) if conditional else images
        return model.discriminator(shown).numpy().astype("float64")

    real, false = logits(target), logits(fake)
    softplus = lambda x: np.logaddexp(0, x)  # noqa: E731
    judge, drawer, logs = _objectives(model, (source, target), fake)
    expected = 0.5 * (softplus(-real).mean() + softplus(false).mean())
    assert judge == pytest.approx(expected, rel=1e-5)
    l1 = np.abs(target - fake).mean()
    expected = softplus(-false).mean() + 7 * l1
    assert drawer == pytest.approx(expected, rel=1e-5)
    assert float(logs["l1_loss"]) == pytest.approx(l1, rel=1e-5)


def test_l1_alone_asks_no_judge():
    model = _small(gan_weight=0.0)
    before = [w.numpy() for w in model.discriminator.weights]
    learner = [w.numpy() for w in model.generator.trainable_weights]
    model.fit(_endless(_pair()), kimg=0.016, verbose=0)
    for old, new in zip(before, model.discriminator.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    assert any(
        np.abs(old - new.numpy()).max() > 0
        for old, new in zip(learner, model.generator.trainable_weights, strict=True)
    )
    assert model.history_rows[-1]["l1_loss"] > 0


def test_it_learns_one_pair_by_heart():
    pair = _pair(count=1)
    model = _small(width=16, normalization="instance", dropout_rate=0.0,
                   ema_half_life_kimg=0)  # fmt: skip
    rows = model.fit(_endless(pair), kimg=0.2, verbose=0).history
    assert rows["l1_loss"][-1] < 0.7 * rows["l1_loss"][0]


def test_a_wrong_source_is_noticed_only_if_shown():
    (source, target), (other, _) = _pair(), _pair(seed=5)
    for conditional in (True, False):
        model = _small(conditional=conditional)
        apart = np.abs(model.judge(source, target) - model.judge(other, target)).max()
        assert (apart > 1e-4) == conditional


@pytest.mark.parametrize("normalization", ["batch", "instance"])
def test_drawing_with_noise(normalization):
    model = _small(normalization=normalization)
    model.fit(_endless(_pair()), kimg=0.032, verbose=0)
    source, _ = _pair(count=3)
    kept = [v.numpy() for v in model.ema_generator.variables]
    plain, again = model.generate(source), model.generate(source)
    np.testing.assert_array_equal(plain, again)
    first, same = (model.generate(source, noise=True, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - model.generate(source, noise=True, seed=2)).max() > 1e-3
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1
    for old, variable in zip(kept, model.ema_generator.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


@pytest.mark.parametrize("normalization", ["batch", "instance"])
def test_a_picture_with_noise_does_not_depend_on_its_neighbours(normalization):
    model = _small(normalization=normalization, dropout_rate=0.0)
    source, _ = _pair(count=4)
    together = model.generate(source, noise=True)
    alone = model.generate(source[:1], noise=True)
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)


def test_uint8_sources_are_taken_too():
    model = _small()
    source, _ = _pair(count=2)
    levels = np.rint((source + 1) * 127.5).astype("uint8")
    np.testing.assert_allclose(
        model.generate(levels), model.generate(levels / 127.5 - 1), atol=1e-5
    )


def test_resumed_equals_unbroken(tmp_path):
    rng = np.random.default_rng(0)
    sources = rng.uniform(-1, 1, (6, 4, SIZE, SIZE, 1)).astype("float32")
    targets = rng.uniform(-1, 1, (6, 4, SIZE, SIZE, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((sources, targets))
    unbroken = _small(width=2)
    unbroken.fit(data, kimg=0.032, tick_kimg=0.008, verbose=0)
    _small(width=2).fit(data, kimg=0.016, tick_kimg=0.008, resume=tmp_path, verbose=0)
    second = _small(width=2)
    second.fit(data, kimg=0.032, tick_kimg=0.008, resume=tmp_path, verbose=0)
    for one, other in zip(unbroken.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert second.kimg == 0.032


def test_export_opens_again(tmp_path):
    model = _small(normalization="instance")
    model.export(tmp_path)
    source, _ = _pair(count=2)
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    np.testing.assert_allclose(
        loaded(source).numpy(), model.generate(source), atol=1e-5
    )


def test_other_losses_and_penalties_fit_in():
    model = _small(loss="least_squares", penalty="r1", normalization="none")
    rows = model.fit(_endless(_pair()), kimg=0.008, verbose=0).history
    assert np.isfinite(rows["discriminator_loss"][-1])
    assert model.losses_of == losses.get("least_squares")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: build_generator(100), "power of two"),
        (lambda: build_generator(64, normalization="layer"), "normalization"),
        (lambda: patchgan.build_discriminator(64, receptive_field=50), "286"),
        (lambda: patchgan.build_discriminator(64, receptive_field=286), "at least 96"),
        (lambda: _small(l1_weight=0.0, gan_weight=0.0), "not both 0"),
        (lambda: _small(l1_weight=-1.0), "at least 0"),
        (lambda: _small().generate(np.zeros((2, SIZE, SIZE, 3))), "32, 32, 1"),
        (lambda: _small().generate(np.zeros((SIZE, SIZE, 1))), "32, 32, 1"),
        (lambda: _small().generate(np.zeros((0, SIZE, SIZE, 1))), "32, 32, 1"),
    ],
)
def test_errors_teach(call, words):
    with pytest.raises(ValueError, match=words):
        call()
