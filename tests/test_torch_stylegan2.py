"""The PyTorch StyleGAN2 that ours is timed against is the same one."""

import numpy as np
import pytest
import tensorflow as tf

from gan_lib.models import stylegan2
from gan_lib.randomness import Draws

torch = pytest.importorskip("torch", reason="PyTorch is not a requirement")

from torch_stylegan2 import Training  # noqa: E402

SETTINGS = stylegan2.LAPTOP | {"widest": 16, "latent_dim": 8, "style_dim": 12}


def picture_tensor(images):
    return torch.tensor(np.asarray(images).transpose(0, 3, 1, 2).copy())


def theirs(layer, value):
    """A weight of a Keras layer as PyTorch has it."""
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    if layer == "dense" and value.ndim == 2:  # of a map: pixels come last there
        value = value.reshape(4, 4, -1, value.shape[1]).transpose(2, 0, 1, 3)
        value = value.reshape(-1, value.shape[3])
    return value.T if value.ndim == 2 else value


def copy_weights(network, player):
    """Give a PyTorch player the weights of a Keras network."""
    targets = dict(player.named_parameters())
    for weight in network.trainable_weights:
        layer, part = weight.path.split("/")[-2:]
        if part == "constant":
            name, value = part, weight.numpy().transpose(2, 0, 1)
        elif part == "strength":
            name, value = f"strengths.{layer}", weight.numpy()
        else:
            in_mapping = layer.startswith("dense_")
            where = layer.replace("dense_", "mapping.")
            where = where if in_mapping else f"parts.{layer}"
            name = f"{where}.{'bias' if part == 'bias' else 'weight'}"
            value = theirs(layer, weight.numpy())
        target = targets.pop(name)
        assert target.shape == value.shape, name
        target.data.copy_(torch.tensor(value.copy()))
    assert not targets  # nothing there is without a counterpart here


@pytest.fixture(scope="module")
def both():
    gan = stylegan2.stylegan2(32, width=4, **SETTINGS)
    rng = np.random.default_rng(0)
    for network in (gan.generator, gan.discriminator):
        for weight in network.trainable_weights:  # biases and strengths start at 0
            if weight.path.endswith(("bias", "strength")):
                weight.assign(weight + rng.normal(size=weight.shape))
    training = Training(32, 4, SETTINGS, torch.contiguous_format)
    copy_weights(gan.generator, training.generator)
    copy_weights(gan.discriminator, training.discriminator)
    return gan, training


def test_generators_are_equal(both):
    gan, training = both
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(4, 8)).astype("float32")
    found = training.generator.styles(torch.tensor(latents))
    styles = gan.generator.get_layer("mapping")(latents)
    np.testing.assert_allclose(found.detach(), styles, rtol=1e-4, atol=1e-5)
    network = gan.generator.get_layer("synthesis")
    shapes = [(4, *x.shape[1:]) for x in network.inputs]
    styles, *noises = (rng.normal(size=shape).astype("float32") for shape in shapes)
    noises = [100 * x for x in noises]  # or a noise rate of 0.01 hides a mistake
    maps = map(picture_tensor, noises)
    found = training.generator(torch.tensor(styles), maps).detach()
    wanted = network([styles, *noises])
    np.testing.assert_allclose(
        found.permute(0, 2, 3, 1), wanted, rtol=1e-4, atol=1e-4 * np.std(wanted)
    )


@pytest.mark.parametrize("number", [0, 1])
def test_discriminator_losses_and_their_gradients_are_equal(both, number):
    gan, training = both
    rng = np.random.default_rng(2)
    real, fake = rng.uniform(-1, 1, (2, 8, 32, 32, 3)).astype("float32")
    gan.images_seen.assign(8 * number)  # R1 comes in step 0, not in step 1
    with tf.GradientTape() as tape:
        draws = Draws(gan.seed_generator.next())
        wanted, _ = gan.discriminator_objective(tf.constant(real), fake, draws)
    gan.images_seen.assign(0)
    weight = gan.discriminator.get_layer("conv_16_1")._kernel
    slope = tape.gradient(wanted, weight.value)
    training.discriminator.zero_grad()
    found = training.discriminator_loss(
        picture_tensor(real), picture_tensor(fake), number == 0
    )
    found.backward()
    np.testing.assert_allclose(found.detach(), wanted, rtol=1e-4)
    gradient = training.discriminator.parts["conv_16_1"].weight.grad
    tolerance = {"rtol": 1e-3, "atol": 1e-4 * np.abs(slope).max()}
    np.testing.assert_allclose(gradient.permute(2, 3, 1, 0), slope, **tolerance)


@pytest.mark.parametrize("layout", ["contiguous_format", "channels_last"])
def test_a_step_moves_both_players_and_the_averages(layout):
    training = Training(32, 4, SETTINGS, getattr(torch, layout))
    players = training.generator, training.discriminator
    before = [[w.detach().clone() for w in p.parameters()] for p in players]
    losses = training(torch.rand(8, 3, 32, 32) * 2 - 1)
    assert all(torch.isfinite(loss) for loss in losses)
    for weights, player in zip(before, players, strict=True):
        for old, new in zip(weights, player.parameters(), strict=True):
            assert not torch.equal(old, new)
    half = 0.5 ** (8 / (1000 * 0.05 * 0.008))  # the half-life of the first step
    old, new = before[0][0], training.generator.constant.detach()
    wanted = half * old + (1 - half) * new
    np.testing.assert_allclose(training.average.constant, wanted, rtol=1e-4)
    assert training.generator.average.abs().sum() > 0
