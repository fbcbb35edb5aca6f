"""The PyTorch steps that ours are timed against are the same steps."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gan_lib import convert_ugatit, translation
from gan_lib.models import cyclegan, dcgan, pix2pix, ugatit

torch = pytest.importorskip("torch", reason="PyTorch is not a requirement")
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import torch_cyclegan  # noqa: E402
import torch_dcgan  # noqa: E402
import torch_pix2pix  # noqa: E402
import torch_steps  # noqa: E402
import torch_ugatit  # noqa: E402
from cases import CASES  # noqa: E402
from torch_variants import Variant  # noqa: E402

LAYOUTS = [torch.contiguous_format, torch.channels_last]
each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=["contiguous", "last"])
# Labels that are not drawn, so that both sides have the same.
RECIPE = dataclasses.replace(
    torch_dcgan.ANIME, width=4, real_labels=(0.9, 0.9), fake_labels=(0.2, 0.2)
)


def pictures(seed, size, count=3):
    draw = np.random.default_rng(seed).uniform
    return draw(-1, 1, (count, size, size, 3)).astype("float32")


def as_torch(images):
    return torch.tensor(images.transpose(0, 3, 1, 2).copy())


@torch.no_grad()
def copy_weights(gan, training):
    """Give PyTorch's players the weights of ours, which have the same order.

    A kernel's pixels stand in front here and behind there; a dense layer after a map
    sees the channels last here and first there. Biases, which start at 0, are drawn.
    """
    rng = np.random.default_rng(0)
    for player in ("generator", "discriminator"):
        weights = getattr(gan, player).trainable_weights
        targets = list(getattr(training, player).parameters())
        for weight, target in zip(weights, targets, strict=True):
            if weight.name in ("bias", "beta"):
                weight.assign(0.1 * rng.normal(size=weight.shape))
            value = weight.numpy()
            if value.ndim == 4:
                value = value.transpose(3, 2, 0, 1)
            elif value.ndim == 2:
                value = value.reshape(4, 4, -1).transpose(2, 0, 1).reshape(1, -1)
            assert target.shape == value.shape, weight.path
            target.copy_(torch.tensor(value.copy()))


def step_losses(gan, *batch):
    """Both losses of one step of ours, the discriminator's first."""
    for tracker in gan.trackers.values():
        tracker.reset_state()
    logs = gan.train_step(batch if len(batch) > 1 else batch[0])
    return [float(logs[f"{x}_loss"]) for x in ("discriminator", "generator")]


def same_average(gan, training, number):
    """Whether weight `number`, of a convolution, is the same in both averages."""
    weight = gan.generator.trainable_weights[number]
    index = [w is weight for w in gan.generator.weights].index(True)
    expected = gan.ema_generator.weights[index].numpy()
    found = list(training.average.parameters())[number].permute(2, 3, 1, 0)
    rate = training.optimizers[0].param_groups[0]["lr"]
    return np.median(np.abs(found.numpy() - expected)) < 0.01 * rate


@each_layout
def test_dcgan(layout, monkeypatch):
    monkeypatch.setitem(dcgan.RECIPES, "anime", RECIPE)
    gan = dcgan.dcgan("anime", 32, latent_dim=8)
    training = torch_dcgan.Training(32, layout, RECIPE, latent_dim=8)
    copy_weights(gan, training)
    latents = np.random.default_rng(1).normal(size=(6, 8)).astype("float32")
    gan.forward = lambda real_images, draws: gan.generator(latents, training=True)
    training.draw = lambda batch: torch.tensor(latents)
    real_images = pictures(2, 32, 6)
    expected = step_losses(gan, tf.constant(real_images))
    found = training(as_torch(real_images))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert same_average(gan, training, 4)
    # The second step stands on what both optimizers did in the first.
    expected = step_losses(gan, tf.constant(real_images))
    np.testing.assert_allclose(training(as_torch(real_images)), expected, rtol=2e-3)


@each_layout
def test_pix2pix(layout):
    gan = pix2pix.pix2pix(32, width=4, dropout_rate=0.0)
    training = torch_pix2pix.Training(32, layout, width=4, dropout=0.0)
    copy_weights(gan, training)
    pair = pictures(3, 32), pictures(4, 32)
    expected = step_losses(gan, *map(tf.constant, pair))
    found = training(*map(as_torch, pair))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert same_average(gan, training, 0)
    expected = step_losses(gan, *map(tf.constant, pair))
    found = training(*map(as_torch, pair))
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_dropout_stands_where_ours_does():
    for size in (16, 32, 64, 256):
        network = pix2pix.build_generator(size, width=1)
        expected = [
            layer.output.shape[1] for layer in network.layers if "dropout" in layer.name
        ]
        found = torch_pix2pix.Generator(size, width=1).up
        sizes = [
            2 << number
            for number, part in enumerate(found)
            if any(isinstance(layer, torch.nn.Dropout) for layer in part)
        ]
        assert sizes == expected


@each_layout
def test_cyclegan(layout):
    """Two steps: the pools give all fakes back as long as they have room."""
    gan = cyclegan.cyclegan(32, blocks=1, width=4)
    training = torch_cyclegan.Training(32, layout, blocks=1, width=4)
    copy_weights(gan, training)
    for seed, tolerance in ((5, 1e-4), (6, 2e-3)):
        pair = pictures(seed, 32, 2), pictures(seed + 10, 32, 2)
        expected = step_losses(gan, *map(tf.constant, pair))
        found = training(*map(as_torch, pair))
        np.testing.assert_allclose(found, expected, rtol=tolerance)
    assert same_average(gan, training, 0)


def test_a_full_pool_exchanges_half_of_the_fakes():
    pool = torch_cyclegan.Pool(10)
    fakes = torch.arange(2010.0)[:, None, None, None]
    given = torch.cat([pool(fakes[i : i + 2]) for i in range(0, 2010, 2)])
    old = (given != fakes).float().mean()
    assert 0.4 < old < 0.6
    assert torch.equal(given[:10], fakes[:10])
    assert len(pool.images) == 10
    seen = [*given.flatten().tolist(), *(float(x) for x in pool.images)]
    assert set(seen) == set(range(2010))  # none is lost


@each_layout
def test_ugatit(layout, tmp_path):
    """Ours reads the weights, and the spectral norms' u, as from a published file."""
    gan = ugatit.ugatit(32, width=4, blocks=1)
    training = torch_ugatit.Training(32, layout, width=4, blocks=1)
    names = "genA2B", "genB2A", "disGA", "disLA", "disGB", "disLB"
    networks = itertools.chain(training.generator, *training.discriminator)
    file = tmp_path / "model.pt"
    states = {n: x.state_dict() for n, x in zip(names, networks, strict=True)}
    torch.save(states, file)
    for name, network in zip(
        translation.DIRECTIONS, translation.parts(gan.generator), strict=True
    ):
        source = convert_ugatit.load_generator(file, name, image_size=32)
        network.set_weights(source.get_weights())
    for letter, pair in zip("ab", translation.parts(gan.discriminator), strict=True):
        for name in ("global", "local"):
            source = convert_ugatit.load_discriminator(
                file, f"{name}_{letter}", image_size=32
            )
            pair.get_layer(name).set_weights(source.get_weights())
    for seed, tolerance in ((7, 1e-4), (8, 5e-3)):
        pair = pictures(seed, 32, 2), pictures(seed + 10, 32, 2)
        expected = step_losses(gan, *map(tf.constant, pair))
        found = training(*map(as_torch, pair))
        np.testing.assert_allclose(found, expected, rtol=tolerance)
    proportions = torch.cat([w.detach().flatten() for w in training.proportions])
    assert proportions.min() >= 0
    assert proportions.max() <= 1


@pytest.mark.parametrize("name", CASES)
def test_networks_learn_as_many_numbers_as_ours(name):
    assert min(torch_steps.check_counts(CASES[name])) > 100_000


def test_another_network_is_an_error(monkeypatch):
    case = dataclasses.replace(CASES["BigGAN 32 px"])
    wider = dataclasses.replace(case, settings=case.settings | {"width": 17})
    theirs = torch_steps.players(wider, "float32, contiguous")
    monkeypatch.setattr(torch_steps, "players", lambda case, way: theirs)
    with pytest.raises(RuntimeError, match="biggan at 32 px"):
        torch_steps.check_counts(case)


@pytest.mark.parametrize("name", ["StyleGAN2 64 px", "BigGAN 32 px"])
def test_ways_differ_in_rounding_only(name):
    """One step each way from the same seed; weights stay float32."""
    case = dataclasses.replace(CASES[name], batch=4)

    def losses(way):
        steps = torch_steps.players(case, way)
        torch.manual_seed(1)
        found = steps(*torch_steps.batch(case))
        assert all(w.dtype == torch.float32 for w in steps.generator.parameters())
        return np.array([float(x) for x in found])

    expected = losses("float32, contiguous")
    first = losses("float32, contiguous, first writing")
    np.testing.assert_allclose(first, expected, rtol=1e-3)
    short = losses("bfloat16, channels last")
    np.testing.assert_allclose(short, expected, rtol=0.1, atol=0.1)
    assert not np.array_equal(short, expected)


def test_training_runs_a_cases_steps(monkeypatch):
    case = dataclasses.replace(CASES["StyleGAN2 64 px"], size=8, batch=4, steps=2)
    made, players = [], torch_steps.players

    def remember(*arguments):
        made.append(players(*arguments))
        return made[-1]

    monkeypatch.setattr(torch_steps, "players", remember)
    run = torch_steps.training(case, "bfloat16, channels last")
    assert np.isfinite(run())
    assert made[0].steps == 2
    assert made[0].variant == Variant(torch.channels_last, bfloat16=True)
    run = torch_steps.training(case, "float32, contiguous, first writing")
    assert made[1].variant == Variant(fused=False, frozen=False)
    one, other = (torch_steps.flops(run) for _ in range(2))
    assert one > other  # R1 comes in the first of eight steps


def test_operations_are_counted_by_hand():
    weight = torch.ones(5, 3)
    assert torch_steps.flops(lambda: torch.ones(7, 5) @ weight) == 2 * 7 * 5 * 3


def test_without_a_compiler_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setenv("CXX", "no-such-compiler")
    way = "float32, contiguous"
    found = torch_steps.ways(CASES["BigGAN 32 px"], [way, f"{way}, compiled"])
    assert list(found) == [way]
    assert "no-such-compiler" in capsys.readouterr().err


def test_an_unknown_way_is_an_error():
    with pytest.raises(ValueError, match="sideways"):
        torch_steps.training(CASES["DCGAN 64 px"], "sideways")


@pytest.mark.slow
def test_compiled_networks_have_the_same_losses():
    if reason := torch_steps.compiler_missing():
        pytest.skip(reason)
    images = as_torch(pictures(9, 8, 4))
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        training = torch_dcgan.Training(
            8, torch.contiguous_format, RECIPE, latent_dim=8, compiled=compiled
        )
        torch.manual_seed(1)
        losses.append([float(x) for x in training(images)])
    np.testing.assert_allclose(*losses, rtol=1e-4)
