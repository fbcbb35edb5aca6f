"""StyleGAN: counts, styles at every size of the growing network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from parameter_counts import count_trainable

from gan_lib import styles
from gan_lib.growing import Stage, grow
from gan_lib.latents import sample
from gan_lib.models.stylegan import PUBLISHED, stylegan
from gan_lib.progan_networks import build_discriminator
from gan_lib.randomness import Draws
from gan_lib.session import state
from gan_lib.stylegan_networks import build_generator

SMALL = {
    "latent_dim": 5,
    "style_dim": 6,
    "mapping_layers": 1,
    "width": 4,
    "widest": 8,
}
QUIET = {"tick_kimg": 0.008, "checkpoint_minutes": 0, "verbose": 0}
STAGES = [Stage(8, 4, 0, 0.016), Stage(16, 4, 0.016, 0.008)]


def test_parameter_counts_are_the_published_ones():
    networks = PUBLISHED["stylegan/1024"]()
    assert [count_trainable(x) for x in networks.values()] == [26_219_627, 23_087_249]
    mapping = networks["generator"].get_layer("mapping")
    assert count_trainable(mapping) == 2_101_248


def test_a_small_one_has_the_count_of_its_layers():
    narrow = {"width": 64, "widest": 64}
    generator = build_generator(
        32, latent_dim=64, style_dim=64, mapping_layers=4, **narrow
    )
    judge = build_discriminator(32, blur=True, **narrow)
    assert (count_trainable(generator), count_trainable(judge)) == (344_076, 325_761)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_pictures_of_each_size(size):
    gan = stylegan(16, **SMALL)
    gan.set_stage(size)
    images = gan.generate(3)
    assert images.shape == (3, 16, 16, 3)
    assert np.abs(images).max() <= 1
    expected = np.clip(gan(sample(3, 5)), -1, 1)
    np.testing.assert_allclose(
        images[:, :: 16 // size, :: 16 // size], expected, atol=1e-5
    )
    same = gan.generate(3, truncation=0)
    np.testing.assert_allclose(same, same[:1].repeat(3, 0), atol=1e-5)


def test_styles_change_within_the_layers_there_are():
    gan = stylegan(16, **SMALL)
    drawn = styles.draw(gan.generator, 200, 1.0, Draws((1, 2)), active=4).numpy()
    changes = np.any(np.diff(drawn, axis=1) != 0, axis=-1)  # (B, layers - 1)
    assert changes[:, :3].sum(1).tolist() == [1] * 200
    assert not changes[:, 3:].any()


def test_growing_moves_and_resumes(tiny_images, tmp_path):
    images = tiny_images.repeat(2, 1).repeat(2, 2)
    before = {w.path: w.numpy() for w in stylegan(16, **SMALL).generator.weights}
    unbroken = stylegan(16, **SMALL)
    grow(unbroken, images, STAGES[:1], **QUIET)
    moved = {
        w.path.split("/")[-2]
        for w in unbroken.generator.trainable_weights
        if np.any(before[w.path] != w.numpy())
    }
    assert {"dense_0", "constant", "layer_0_style", "layer_3_noise"} <= moved
    assert not moved & {"layer_4", "to_rgb_16", "layer_5_style"}
    grow(unbroken, images, STAGES, **QUIET)

    class Cut(keras.callbacks.Callback):
        def on_epoch_end(self, tick, logs=None):
            if self.model.kimg >= 0.024 - 1e-9:  # in the fade
                raise KeyboardInterrupt

    first = stylegan(16, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        grow(first, images, STAGES, resume=tmp_path, callbacks=[Cut()], **QUIET)
    second = stylegan(16, **SMALL)
    grow(second, images, STAGES, resume=tmp_path, **QUIET)
    found = state(second)
    for name, value in state(unbroken).items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
