"""Exported generators open elsewhere and draw the same pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from gan_lib import export
from gan_lib.layers import BatchNormalization, Conv2D, Conv2DTranspose
from gan_lib.models.dcgan import dcgan

NAMES = ["generator.keras", "generator.weights.h5", "generator.json"]
LATENTS = np.random.default_rng(0).normal(size=(4, 100)).astype("float32")

# What the README tells users of a program without gan_lib.
ELSEWHERE = """
import sys
import keras
import numpy as np

folder, latents, images = sys.argv[1:]
sys.modules["gan_lib"] = None  # importing it would now be an error
model = keras.models.model_from_json(open(f"{folder}/generator.json").read())
model.load_weights(f"{folder}/generator.weights.h5")
np.save(images, model.predict(np.load(latents), verbose=0))
print(keras.__version__)
"""


@pytest.fixture(scope="module")
def gan():
    gan = dcgan("anime", width=4, dtype="mixed_bfloat16")
    rng = np.random.default_rng(1)  # as after training, not the initial zeros and ones
    for weight in gan.ema_generator.weights:
        noise = np.abs(rng.normal(size=weight.shape)).astype("float32")
        weight.assign(weight + 0.1 * noise)
    return gan


@pytest.fixture(scope="module")
def exported(gan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    paths = gan.export(folder / "new")
    assert [path.name for path in paths] == NAMES
    assert sorted(p.name for p in (folder / "new").iterdir()) == sorted(NAMES)
    return folder / "new"


def _check_images(images, gan):
    assert images.shape == (4, 64, 64, 3)
    assert images.dtype == np.float32
    assert np.abs(images).max() <= 1
    assert images.std() > 0.01
    np.testing.assert_allclose(images, gan.generate(LATENTS), atol=1e-5)


def test_one_file(gan, exported):
    model = keras.saving.load_model(exported / "generator.keras")
    _check_images(model.predict(LATENTS, verbose=0), gan)


def test_pair(gan, exported):
    model = keras.models.model_from_json((exported / "generator.json").read_text())
    model.load_weights(exported / "generator.weights.h5")
    _check_images(model.predict(LATENTS, verbose=0), gan)


def test_nothing_in_it_is_ours_or_of_low_precision(gan, exported):
    text = (exported / "generator.json").read_text()
    assert "gan_lib" not in text
    assert "bfloat16" not in text
    for layer in json.loads(text)["config"]["layers"]:
        assert layer["module"] == "keras.layers"
        assert "quantization_config" not in layer["config"]


@pytest.mark.slow
def test_pair_in_another_python_without_gan_lib(gan, exported, tmp_path, run_python):
    """GAN_OTHER_PYTHON: an interpreter with another version of Keras 3."""
    python = os.environ.get("GAN_OTHER_PYTHON")
    if python is None or not Path(python).exists():
        pytest.skip("set GAN_OTHER_PYTHON to a Python with another Keras version")
    np.save(tmp_path / "latents.npy", LATENTS)
    run_python(
        ELSEWHERE,
        exported,
        tmp_path / "latents.npy",
        tmp_path / "images.npy",
        python=python,
    )
    _check_images(np.load(tmp_path / "images.npy"), gan)


def test_writing_again_replaces_whole_files(gan, tmp_path, monkeypatch):
    gan.export(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in NAMES}

    def interrupted(path):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(gan.ema_generator, "save_weights", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gan.export(tmp_path)
    weights = (tmp_path / "generator.weights.h5").read_bytes()
    assert weights == before["generator.weights.h5"]
    keras.saving.load_model(tmp_path / "generator.keras")


def test_portable_copy_has_stock_layers_and_equal_outputs():
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            Conv2D(3, 3, padding="same"),
            BatchNormalization(),
            Conv2DTranspose(2, 4, 2, "same"),
            keras.layers.Dropout(0.5),
        ],
        name="some",
    )
    copy = export.portable_copy(network)
    assert all(type(x).__module__.startswith("keras") for x in copy.layers)
    assert copy.name == "some"
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype("float32")
    np.testing.assert_allclose(copy(images), network(images), rtol=1e-5, atol=1e-6)
    network.layers[0].kernel.assign(network.layers[0].kernel * 2)
    assert np.any(copy.get_weights()[0] != network.get_weights()[0])  # not shared


def test_without_an_average_the_generator_itself_is_exported(tiny_gan, tmp_path):
    gan = tiny_gan(ema_half_life_kimg=0)
    assert gan.ema_generator is gan.generator
    gan.export(tmp_path)
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    latents = np.random.default_rng(0).normal(size=(3, gan.latent_dim))
    np.testing.assert_allclose(
        loaded(latents.astype("float32")), gan.generate(latents), atol=1e-5
    )
