"""Every model trains alike whether its maps are kept or computed again."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from trained_alike import PLAYERS, STEPS, assert_trained_alike, images, plain

from gan_lib.models.biggan import biggan
from gan_lib.models.cyclegan import cyclegan
from gan_lib.models.dcgan import dcgan
from gan_lib.models.pix2pix import pix2pix
from gan_lib.models.progan import progan
from gan_lib.models.stylegan2 import stylegan2
from gan_lib.models.ugatit import ugatit
from gan_lib.session import state


def test_dcgan():
    def build(rematerialize):
        return dcgan(
            image_size=16, width=4, seed=1, rematerialize=rematerialize, **plain(0.05)
        )

    assert_trained_alike(build, images(8, 16), PLAYERS)


def test_pix2pix_with_dropout():
    """The second mask is the first one, and the next step's another one."""

    def build(rematerialize):
        return pix2pix(
            32, width=4, receptive_field=16, dropout_rate=0.5, seed=2, l1_weight=1.0,
            rematerialize=rematerialize, **plain(0.05),
        )  # fmt: skip

    batch = images(4, 32), images(4, 32, 1)
    before, after = assert_trained_alike(build, batch, PLAYERS)
    variables = build(rematerialize=True).generator.variables
    seeds = [n for n, x in enumerate(variables) if "seed" in x.path]
    assert seeds
    for number in seeds:
        name = f"generator/{number:04d}"
        np.testing.assert_array_equal(after[name] - before[name], [0, STEPS])


@pytest.mark.slow
def test_stylegan2_with_second_gradients():
    """R1 and path length, each in one of two steps only, so inside a condition."""

    def build(rematerialize):
        return stylegan2(
            8, latent_dim=8, style_dim=8, mapping_layers=2, width=4, widest=8,
            r1_every=2, path_length_weight=2.0, path_length_every=2, seed=3,
            rematerialize=rematerialize, **plain(0.02),
        )  # fmt: skip

    assert_trained_alike(build, images(4, 8), PLAYERS)


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_biggan_with_spectral_norm(accumulate):
    """u takes one step a call, and the second pass has the first one's."""

    def build(rematerialize):
        return biggan(
            32, 4, latent_dim=8, class_dim=3, width=2, attention=16, seed=5,
            rematerialize=rematerialize, accumulate=accumulate, loss="hinge",
            **plain(0.02),
        )  # fmt: skip

    assert_trained_alike(build, (images(8, 32), np.arange(8) % 4), PLAYERS)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ugatit", "cyclegan"])
def test_translations_without_pairs(model):
    """Networks of networks, dicts of outputs, adaptive norms, pools of pictures."""
    others = {"receptive_field": 16, "pool_size": 3} if model == "cyclegan" else {}

    def build(rematerialize):
        make = {"ugatit": ugatit, "cyclegan": cyclegan}[model]
        return make(
            32, width=4, blocks=1, seed=6, rematerialize=rematerialize,
            **plain(0.002), **others,
        )  # fmt: skip

    assert_trained_alike(build, (images(2, 32), images(2, 32, 1)), PLAYERS, atol=2e-5)


@pytest.mark.slow
def test_a_network_that_grows():
    """Each size has networks of its own, and `fit` finds them."""
    data = tf.data.Dataset.from_tensor_slices(images(8, 8)).batch(4, True)
    gans = []
    for rematerialize in (False, True):
        gan = progan(
            8, latent_dim=4, width=2, widest=4, rematerialize=rematerialize,
            **plain(0.01),
        )  # fmt: skip
        gan.set_stage(4)
        small = data.map(lambda x: x[:, ::2, ::2])
        gan.fit(small, kimg=0.004, tick_kimg=0.004, verbose=0)
        gan.set_stage(8, 0.004, 0.008)
        gan.fit(data, kimg=0.012, tick_kimg=0.004, verbose=0)
        gans.append(gan)
    assert "call" in vars(gans[1].stage_discriminator)
    assert "call" not in vars(gans[0].stage_discriminator)
    expected, found = map(state, gans)
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, rtol=1e-4, atol=1e-5, err_msg=name
        )
