"""Generators written as modules: pictures, interpolation, names, half-written files."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib import biggan_networks, hub, hub_export
from gan_lib.conditions import class_rows
from gan_lib.latents import sample, truncated
from gan_lib.models.biggan import standing_statistics

LATENT_DIM, CLASSES = 8, 4
GRID = (0.1, 0.14, 1.0)
NAMES = ["golden retriever", "hen", "kitchen", "œil"]
FEW = {"passes": 2, "batch_size": 8, "seed": 3}
FOLDER = "ours"
CLOSE = 1e-5  # of pictures in [-1, 1]; a grey level is 800 times as much


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(1)
    network = biggan_networks.build_generator(
        32, CLASSES, latent_dim=LATENT_DIM, class_dim=3, width=2, attention=16
    )
    latents, classes = sample(16, LATENT_DIM), class_rows(np.arange(16) % 4, 4)
    for _ in range(5):  # spectral norms settle, running averages move
        network([latents, classes], training=True)
    network.get_layer("norm").gamma.assign([0.2] * 8)  # away from the ends of tanh
    network.get_layer("attention").gamma.assign(0.5)
    return network


def small() -> keras.Model:
    """The smallest that can be written, for what happens to files."""
    latents, classes = keras.Input((3,)), keras.Input((CLASSES,))
    x = keras.layers.Dense(27)(keras.layers.Concatenate()([latents, classes]))
    x = keras.layers.BatchNormalization()(keras.layers.Reshape((3, 3, 3))(x))
    return keras.Model([latents, classes], keras.ops.tanh(x))


@pytest.fixture(scope="module", autouse=True)
def kernels_of_keras():
    """A module has no others, and standing variances near 0 would magnify rounding."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_TUNED", "0")
        yield


@pytest.fixture(scope="module")
def folder(generator, tmp_path_factory):
    place = tmp_path_factory.mktemp("modules") / FOLDER
    assert hub_export.save(generator, place, GRID, class_names=NAMES, **FEW) == place
    return place


@pytest.fixture(scope="module")
def module(folder):
    return hub.load(folder, truncation_range=(0.1, 1.0))


@pytest.fixture(scope="module")
def standing(generator):
    """The Keras models whose statistics the module should have, by truncation."""
    labels = np.random.default_rng(3).permutation(np.arange(16) % CLASSES)
    rows = class_rows(labels, CLASSES)
    return {
        truncation: standing_statistics(
            generator, truncated(16, LATENT_DIM, truncation, seed=3), rows, 8
        )
        for truncation in GRID
    }


def moments(network):
    return [w for w in network.variables if w.name.startswith("moving_")]


Z, Y = sample(5, LATENT_DIM, seed=9), class_rows([0, 1, 2, 3, 0], CLASSES)


@pytest.mark.parametrize("truncation", GRID)
def test_pictures_are_those_of_standing_statistics(module, standing, truncation):
    found = module.call(Z, Y, truncation)
    assert found.shape == (5, 32, 32, 3)
    expected = standing[truncation]([Z, Y])
    np.testing.assert_allclose(found, expected, atol=CLOSE)
    others = [standing[other]([Z, Y]) for other in GRID if other != truncation]
    assert min(np.abs(found - other).max() for other in others) > 1e-3
    assert np.abs(found).mean() < 0.9


def test_between_two_truncations_statistics_are_mixed(module, standing, generator):
    mixed = keras.models.clone_model(generator)
    mixed.set_weights(generator.get_weights())
    share = (0.4 - 0.14) / (1.0 - 0.14)
    ends = moments(standing[0.14]), moments(standing[1.0])
    for ours, below, above in zip(moments(mixed), *ends, strict=True):
        ours.assign((1 - share) * below.numpy() + share * above.numpy())
    found = module.call(Z, Y, 0.4)
    np.testing.assert_allclose(found, mixed([Z, Y]), atol=CLOSE)
    assert np.abs(found - standing[0.14]([Z, Y])).max() > 1e-3


def test_rows_of_a_fine_grid_are_hit_exactly():
    """In floats 0.58 / 0.02 is less than 29, the row it must have."""
    grid = np.float32([round(0.02 * step, 2) for step in range(51)])
    table = np.random.default_rng(0).normal(size=(51, 3)).astype("float32")
    for row, truncation in enumerate(grid):
        (found,) = hub_export._interpolated(
            tf.constant(grid), [tf.constant(table)], tf.constant(truncation)
        )
        np.testing.assert_array_equal(found, table[row])
    for truncation in np.random.default_rng(1).uniform(0, 1, 30):
        (found,) = hub_export._interpolated(
            tf.constant(grid), [tf.constant(table)], tf.constant(truncation, "float32")
        )
        expected = [np.interp(truncation, grid, column) for column in table.T]
        np.testing.assert_allclose(found, expected, atol=CLOSE)


def test_it_is_sampled_like_a_published_one(module, standing):
    sizes = (module.latent_dim, module.num_classes, module.image_size)
    assert sizes == (LATENT_DIM, CLASSES, 32)
    found = module.sample([2, 0, 1], truncation=0.14, seed=5, progress=False)
    z = truncated(3, LATENT_DIM, 0.14, seed=5)
    x = standing[0.14]([z, class_rows([2, 0, 1], CLASSES)]).numpy()
    expected = np.clip((x + 1) / 2 * 256, 0, 255)
    assert found.dtype == np.uint8
    assert np.abs(found + 0.5 - expected).max() < 0.51
    assert module.class_names() == NAMES
    assert module.find_classes("retriever") == {0: NAMES[0]}


def test_a_truncation_without_statistics_is_refused(module):
    for truncation in (0.09, 1.01, float("nan")):
        with pytest.raises(tf.errors.InvalidArgumentError, match="truncation from"):
            module.call(Z, Y, truncation)


def test_weights_are_there_once(folder, generator):
    """And a table for each statistic."""
    prefix = str(folder / "variables" / "variables")
    sizes = sum(
        np.prod(shape, dtype=int)
        for name, shape in tf.train.list_variables(prefix)
        if name.endswith("VARIABLE_VALUE")
    )
    statistics = sum(w.numpy().size for w in moments(generator))
    weights = sum(w.numpy().size for w in generator.variables)
    assert sizes == weights + (len(GRID) - 1) * statistics + len(GRID)


@pytest.mark.parametrize("name", ["save", "os.replace"])
def test_what_fails_leaves_the_old_module(tmp_path, monkeypatch, name):
    """Cut while files are written, and when the new folder is to be moved."""
    folder, calls = tmp_path / FOLDER, (sample(2, 3), Y[:2], 1.0)
    hub_export.save(small(), folder, (0.5, 1.0), **FEW)
    before = hub.load(folder).call(*calls)
    files = sorted(folder.rglob("*"))
    replace = os.replace

    def cut_short(module, place, **kwargs):
        Path(place).mkdir()
        (Path(place) / "saved_model.pb").write_bytes(b"half of")
        raise RuntimeError("no space left")

    def refuse(source, target):
        if source.name.startswith(".unfinished"):
            raise RuntimeError("no space left")
        replace(source, target)

    if name == "save":
        monkeypatch.setattr(tf.saved_model, "save", cut_short)
    else:
        monkeypatch.setattr(os, "replace", refuse)
    for directory in (folder, tmp_path / "new"):
        with pytest.raises(RuntimeError, match="no space"):
            hub_export.save(small(), directory, (0.5, 1.0), **FEW)
    assert sorted(folder.rglob("*")) == files
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]
    np.testing.assert_array_equal(hub.load(folder).call(*calls), before)


def test_a_new_module_takes_the_place_of_the_old(tmp_path):
    place = tmp_path / "deeper" / "module"
    leftover = place.with_name(".unfinished.module")
    leftover.mkdir(parents=True)  # of a process that was killed
    (leftover / "part").write_bytes(b"1")
    for grid, names in (((0.5, 1.0), NAMES), ((0.2, 0.6), None)):
        hub_export.save(small(), place, grid, class_names=names, **FEW)
    assert [path.name for path in place.parent.iterdir()] == ["module"]
    again = hub.load(place)
    np.testing.assert_array_equal(again.module.grid, np.float32([0.2, 0.6]))
    with pytest.raises(ValueError, match="4 classes are not known"):
        again.class_names()


def test_a_folder_of_something_else_stays(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="holds something else"):
        hub_export.save(small(), tmp_path, **FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"truncations": (0.5,)}, "at least two numbers that rise"),
        ({"truncations": (0.5, 0.5)}, "rise"),
        ({"truncations": (-0.1, 0.5)}, "at least 0"),
        ({"truncations": (0.1, float("nan"))}, "rise"),
        ({"class_names": ["hen"]}, "4 `class_names`.* Received: 1"),
        ({"class_names": [*NAMES[:3], "two\nlines"]}, r"not one line: \['two"),
        ({"class_names": [*NAMES[:3], ""]}, "one line of text"),
        ({"passes": 0}, "at least one pass"),
        ({"rule": "none"}, "Expected the rule"),
    ],
)
def test_mistakes_are_explained(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        hub_export.save(small(), tmp_path / "module", **{**FEW, **wrong})
    assert not list(tmp_path.iterdir())


def test_another_kind_of_network_is_refused(tmp_path, tiny_networks):
    with pytest.raises(ValueError, match="Expected a generator"):
        hub_export.save(tiny_networks()[0], tmp_path / "module")
