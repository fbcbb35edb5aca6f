"""BigGAN-deep: counts, both networks in NumPy, shortcuts, training, files."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from parameter_counts import count_trainable

from gan_lib import biggan_deep_networks
from gan_lib.models.biggan import BigGAN
from gan_lib.optimizers import Adam

# Tables 7 to 9, from the 4 x 4 map on.
MULTIPLES = {
    32: (4, 4, 4, 4),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
SMALL = {"width": 4, "attention": None}


def generator(attention=None, **arguments):
    settings = {"latent_dim": 6, "class_dim": 3} | arguments
    return biggan_deep_networks.build_generator(
        32, 4, width=4, attention=attention, **settings
    )


def conv_count(before, after, size=1):
    return before * after * size**2 + after


def attention_count(channels):
    return channels * (channels // 8 + channels // 8 + channels // 2 + channels // 2)


def generator_count(size, width, classes, latent_dim=128, class_dim=128, attention=64):
    first, *rest = (width * m for m in MULTIPLES[size])
    condition = latent_dim + class_dim
    total = classes * class_dim + conv_count(condition, 16 * first)
    before = first
    for stage, after in enumerate(rest):
        for filters in (before, after):
            inner = before // 4
            total += 2 * condition * (before + 3 * inner)
            total += conv_count(before, inner) + 2 * conv_count(inner, inner, 3)
            total += conv_count(inner, filters)
        if 8 << stage == attention:
            total += attention_count(after) + 1
        before = after
    return total + 2 * before + conv_count(before, 3, 3)


def discriminator_count(size, width, classes, attention=64):
    first, *rest = (width * m for m in MULTIPLES[size][::-1])
    total, before = conv_count(3, first, 3), first
    for stage, after in enumerate(rest):
        for entering in (before, after):
            inner = after // 4
            total += conv_count(entering, inner) + 2 * conv_count(inner, inner, 3)
            total += conv_count(inner, after)
            if entering != after:
                total += conv_count(entering, after - entering)
        if size >> stage + 1 == attention:
            total += attention_count(after) + 1
        before = after
    return total + before + 1 + classes * before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "millions"), [(128, (50.4, 34.6)), (256, (55.9,)), (512, (56.2,))]
)
def test_parameter_counts_are_those_published(size, millions, nothing_drawn):
    """128 px: appendix B; the others: the widely used port of the published weights.

    There the last convolution has 128 filters, not three.
    """
    drawer = biggan_deep_networks.build_generator(size)
    critic = biggan_deep_networks.build_discriminator(size)
    counts = count_trainable(drawer), count_trainable(critic)
    expected = generator_count(size, 128, 1000), discriminator_count(size, 128, 1000)
    assert counts == expected
    published = counts[0] + 125 * (9 * 128 + 1), counts[1]
    rounded = tuple(round(count / 1e6, 1) for count in published)
    assert rounded[: len(millions)] == millions


def test_a_small_one_has_the_count_of_its_layers():
    drawer = generator(attention=16)
    critic = biggan_deep_networks.build_discriminator(32, 4, width=4, attention=16)
    assert count_trainable(drawer) == generator_count(32, 4, 4, 6, 3, 16)
    assert count_trainable(critic) == discriminator_count(32, 4, 4, 16)


# The networks once more, in float64.


def kernel(layer):
    """W / sigma, sigma being what the u that is kept makes of it."""
    matrix = layer.kernel.numpy().astype("float64")
    rows = matrix.reshape(-1, matrix.shape[-1])
    return matrix / np.linalg.norm(rows @ layer.u.numpy())


def convolve(layer, x):
    weights, side = kernel(layer), x.shape[1]
    reach = len(weights) // 2
    x = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    taps = (
        x[:, i : i + side, j : j + side] @ weights[i, j]
        for i in range(len(weights))
        for j in range(len(weights))
    )
    return sum(taps) + layer.bias.numpy()


def dense(layer, x):
    return x @ kernel(layer) + (layer.bias.numpy() if layer.use_bias else 0)


def norm(layer, x, condition):
    inner = layer.normalization
    mean, variance = inner.moving_mean.numpy(), inner.moving_variance.numpy()
    gain = 1 + dense(layer.gain, condition)[:, None, None]
    bias = dense(layer.bias, condition)[:, None, None]
    return gain * (x - mean) / np.sqrt(variance + 1e-5) + bias


def relu(x):
    return np.maximum(x, 0)


def doubled(x):
    return x.repeat(2, 1).repeat(2, 2)


def halved(x):
    batch, side, _, channels = x.shape
    return x.reshape(batch, side // 2, 2, side // 2, 2, channels).mean((2, 4))


def generate(network, latents, classes):
    layer = network.get_layer
    embedding = classes @ layer("class_embedding").kernel.numpy()
    condition = np.concatenate([latents, embedding], 1)
    x = dense(layer("start"), condition).reshape(len(latents), 4, 4, -1)
    for size in (4, 8, 16):
        for name, grow in (
            (f"block_{size}", lambda x: x),
            (f"block_{size}_up", doubled),
        ):
            h = x
            for number in (1, 2, 3, 4):
                h = relu(norm(layer(f"{name}_norm_{number}"), h, condition))
                h = convolve(
                    layer(f"{name}_conv_{number}"), grow(h) if number == 2 else h
                )
            x = h + grow(x[..., : h.shape[-1]])
    last = layer("norm")
    x = (x - last.moving_mean.numpy()) / np.sqrt(last.moving_variance.numpy() + 1e-5)
    x = relu(x * last.gamma.numpy() + last.beta.numpy())
    return np.tanh(convolve(layer("to_rgb"), x))


def judge(network, images, classes):
    layer = network.get_layer
    names = {x.name for x in network.layers}
    x = convolve(layer("from_rgb"), images)
    for size in (16, 8, 4):
        for name, shrink in (
            (f"block_{size}_down", halved),
            (f"block_{size}", lambda x: x),
        ):
            h = x
            for number in (1, 2, 3):
                h = convolve(layer(f"{name}_conv_{number}"), relu(h))
            h = convolve(layer(f"{name}_conv_4"), shrink(relu(h)))
            x = shrink(x)
            if f"{name}_shortcut" in names:
                x = np.concatenate([x, convolve(layer(f"{name}_shortcut"), x)], -1)
            x = x + h
    h = relu(x).sum((1, 2))
    fits = dense(layer("class_embedding"), classes)
    return dense(layer("logits"), h) + (fits * h).sum(1, keepdims=True)


@pytest.fixture(scope="module")
def unequal():
    """Other multiples at each size, so that channels are dropped and added."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(biggan_deep_networks.GENERATOR, 32, (4, 4, 2, 1))
        networks = [
            generator(),
            biggan_deep_networks.build_discriminator(32, 4, **SMALL),
        ]
    rng = np.random.default_rng(0)
    for network in networks:
        for weight in network.weights:  # biases and averages begin at 0 or 1
            if weight.name in ("bias", "beta", "moving_mean"):
                weight.assign(rng.normal(0, 0.3, weight.shape))
            elif weight.name in ("gamma", "moving_variance"):
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return networks


def inputs(seed, *shape):
    rng = np.random.default_rng(seed)
    classes = rng.uniform(0, 1, (3, 4))  # a mixture is one too
    return [rng.uniform(-1, 1, shape).astype("float32"), classes.astype("float32")]


def test_generator_is_its_equation(unequal):
    drawer, _ = unequal
    latents, classes = inputs(1, 3, 6)
    expected = generate(drawer, latents, classes)
    assert expected.shape == (3, 32, 32, 3)
    assert expected.std() > 1e-2
    np.testing.assert_allclose(drawer([latents, classes]), expected, atol=1e-5)


def test_discriminator_is_its_equation(unequal):
    _, critic = unequal
    images, classes = inputs(2, 3, 32, 32, 3)
    expected = judge(critic, images, classes)
    assert expected.shape == (3, 1)
    np.testing.assert_allclose(
        critic([images, classes]),
        expected,
        rtol=1e-5,
        atol=1e-5 * np.abs(expected).max(),
    )


def test_latents_and_class_reach_every_normalization():
    drawer = generator(latent_dim=6, class_dim=3)
    gains = [x.gain.kernel for x in drawer.layers if hasattr(x, "gain")]
    assert len(gains) == 3 * 2 * 4
    assert {gain.shape[0] for gain in gains} == {9}


def test_attention_stands_where_it_was_asked_for():
    networks = (
        generator(attention=16),
        biggan_deep_networks.build_discriminator(32, 4, width=4, attention=16),
    )
    for network in networks:
        assert network.get_layer("attention").input.shape[1:] == (16, 16, 16)


def test_biggan_trains_them_and_files_open(tmp_path):
    keras.utils.set_random_seed(0)
    critic = biggan_deep_networks.build_discriminator(32, 4, **SMALL)
    gan = BigGAN(generator(), critic, orthogonal_weight=1e-4, seed=1)
    rates = [Adam(1e-3, beta_1=0.0) for _ in range(2)]
    gan.compile(*rates, loss="hinge")
    before = {w.path: w.numpy() for w in gan.trainable_weights}
    images = tf.constant(np.random.default_rng(3).uniform(-1, 1, (4, 32, 32, 3)))
    logs = gan.train_step((tf.cast(images, "float32"), tf.constant([0, 1, 2, 3])))
    assert all(np.isfinite(float(value)) for value in logs.values())
    after = {w.path: w.numpy() for w in gan.trainable_weights}
    still = {path for path in after if np.all(after[path] == before[path])}
    assert still <= {"logits/bias"}  # reals and fakes may pull it equally hard
    opened = keras.saving.load_model(gan.export(tmp_path)[0])
    latents = [gan.draw_latents(4), np.eye(4, dtype="float32")]
    np.testing.assert_allclose(opened(latents), gan(latents), atol=1e-5)


def test_mixed_precision_ends_in_float32():
    policy = "mixed_bfloat16"
    drawer = generator(attention=8, dtype=policy)
    critic = biggan_deep_networks.build_discriminator(
        32, 4, width=4, attention=8, dtype=policy
    )
    classes = tf.eye(4)
    images = drawer([tf.ones((4, 6)), classes])
    logits = critic([images, classes])
    assert images.dtype == logits.dtype == "float32"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 48}, "one of 32, 64, 128, 256, 512"),
        ({"width": 6}, "multiple of 4.*Near it: 4"),
        ({"attention": 64}, "size of a map"),
    ],
)
def test_what_cannot_be_is_explained(arguments, message):
    arguments = {"image_size": 32, "num_classes": 4} | SMALL | arguments
    for build in (
        biggan_deep_networks.build_generator,
        biggan_deep_networks.build_discriminator,
    ):
        with pytest.raises(ValueError, match=message):
            build(**arguments)
