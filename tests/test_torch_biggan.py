"""The PyTorch BigGAN that ours is timed against is the same one."""

import numpy as np
import pytest
import tensorflow as tf

from gan_lib.models import biggan

torch = pytest.importorskip("torch", reason="PyTorch is not a requirement")

from torch_biggan import Training  # noqa: E402

SETTINGS = biggan.LAPTOP | {"latent_dim": 16, "class_dim": 6, "width": 4}
NUM_CLASSES = 5


def theirs(layer, value):
    """A weight of a Keras layer as PyTorch has it."""
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    if layer == "start":  # of a map: pixels come last there
        value = value.reshape(-1, 4, 4, value.shape[-1] // 16)
        value = value.transpose(0, 3, 1, 2).reshape(len(value), -1).squeeze()
    return value.T if value.ndim == 2 else value


def counterpart(path):
    """Layer and name there of the Keras weight `path`."""
    layer, *inner, part = path.split("/")
    renamed = {
        "kernel": "weight", "gamma": "weight", "beta": "bias",
        "moving_mean": "running_mean", "moving_variance": "running_var",
    }  # fmt: skip
    return layer, ".".join(["parts", layer, *inner, renamed.get(part, part)])


def copy_weights(network, player):
    """Give a PyTorch player the weights and the memory of a Keras network."""
    targets = player.state_dict()
    for weight in network.weights:
        layer, name = counterpart(weight.path)
        value, target = theirs(layer, weight.numpy()), targets.pop(name)
        assert target.shape == value.shape, name
        target.copy_(torch.tensor(value.copy()))
    assert not targets  # nothing there is without a counterpart here


def network_inputs(seed, *shape):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (6, *shape)).astype("float32")
    return values, np.eye(NUM_CLASSES, dtype="float32")[np.arange(6) % NUM_CLASSES]


def as_torch(value):
    if value.ndim == 4:
        value = value.transpose(0, 3, 1, 2)
    return torch.tensor(value.copy())


@pytest.fixture(params=["contiguous_format", "channels_last"])
def both(request):
    gan = biggan.biggan(32, NUM_CLASSES, **SETTINGS)
    rng = np.random.default_rng(0)
    for network in (gan.generator, gan.discriminator):
        for weight in network.trainable_weights:
            if weight.name in ("bias", "beta"):  # they start at 0
                weight.assign(0.3 * rng.normal(size=weight.shape))
    training = Training(NUM_CLASSES, SETTINGS, getattr(torch, request.param))
    copy_weights(gan.generator, training.generator)
    copy_weights(gan.discriminator, training.discriminator)
    return gan, training


def test_networks_are_equal_in_training(both):
    """Twice each: the second call stands on the u that the first one left."""
    gan, training = both
    latents = network_inputs(1, SETTINGS["latent_dim"])
    pictures = network_inputs(2, 32, 32, 3)
    for _ in range(2):
        wanted = gan.generator(list(latents), training=True)
        found = training.generator(*map(as_torch, latents)).detach()
        assert np.std(wanted) > 1e-2
        np.testing.assert_allclose(found.permute(0, 2, 3, 1), wanted, atol=1e-5)
        wanted = gan.discriminator(list(pictures), training=True).numpy()
        found = training.discriminator(*map(as_torch, pictures)).detach()
        tolerance = {"rtol": 1e-5, "atol": 1e-5 * np.abs(wanted).max()}
        np.testing.assert_allclose(found, wanted, **tolerance)


def test_two_steps_have_the_same_losses(both):
    """In the second all weights but idle biases have been moved by Adam."""
    gan, training = both
    latents, classes = network_inputs(3, SETTINGS["latent_dim"])
    images, _ = network_inputs(4, 32, 32, 3)
    labels = np.arange(6) % NUM_CLASSES
    gan.forward = lambda real_images, draws: [
        gan.generator([latents, classes], training=True),
        tf.constant(classes),
    ]
    training.draw = lambda batch: (as_torch(latents), as_torch(classes))
    kernel = gan.discriminator.get_layer("block_1_conv_1").kernel
    before = kernel.numpy()
    for _ in range(2):
        for tracker in gan.trackers.values():  # means of one step
            tracker.reset_state()
        logs = gan.train_step((tf.constant(images), tf.constant(labels)))
        wanted = [float(logs[f"{x}_loss"]) for x in ("discriminator", "generator")]
        found = training(as_torch(images), torch.tensor(labels))
        np.testing.assert_allclose(found, wanted, rtol=3e-5)
    moved = training.discriminator.parts["block_1_conv_1"].weight.detach()
    moved = moved.permute(2, 3, 1, 0).numpy() - before
    rate = SETTINGS["rates"][1]
    assert np.mean(np.abs(moved) > rate) > 0.5
    apart = np.abs(moved - (kernel.numpy() - before))
    assert np.mean(apart > 0.05 * rate) < 0.02  # Adam blows up rounded-off gradients
    average = gan.ema_generator.get_layer("to_rgb").kernel.numpy()
    found = training.average.parts["to_rgb"].weight.permute(2, 3, 1, 0)
    np.testing.assert_allclose(found, average, atol=0.1 * rate)


def test_a_step_moves_both_players():
    torch.manual_seed(0)
    training = Training(NUM_CLASSES, SETTINGS, torch.contiguous_format)
    players = training.generator, training.discriminator
    before = [[w.detach().clone() for w in p.parameters()] for p in players]
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    losses = training(images, torch.arange(8) % NUM_CLASSES)
    assert all(torch.isfinite(loss) for loss in losses)
    for weights, player in zip(before, players, strict=True):
        for old, new in zip(weights, player.parameters(), strict=True):
            assert not torch.equal(old, new)
