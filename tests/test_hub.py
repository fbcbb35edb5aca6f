"""BigGAN modules: loading, sampling, truncation, names of classes."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import hub_modules
import numpy as np
import pytest
from hub_modules import CLASSES, LATENT_DIM, SIZE, STEPS
from keras.src.applications import imagenet_utils
from keras.src.utils import file_utils

from gan_lib import hub, hub_handles, latents
from gan_lib.conditions import class_rows
from gan_lib.data.download import Offline
from gan_lib.latents import lerp

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def modules(tmp_path_factory, run_python):
    """The folder with all modules, written by another process."""
    folder = tmp_path_factory.mktemp("modules")
    run_python(Path(hub_modules.__file__).read_text("utf-8"), folder)
    return folder


@pytest.fixture(scope="module")
def generator(modules):
    return hub.load(modules / "tf1")


def published_as(monkeypatch, **changed):
    """The first published module, but as small as those written here."""
    small = {"latent_dim": LATENT_DIM, "image_size": SIZE, **changed}
    row = hub_handles.Published("biggan-128", 2, **small, truncation_range=(0.02, 1.0))
    monkeypatch.setitem(hub_handles.PUBLISHED, "biggan-128", row)


def float_images(z, y, truncation):
    """The module's pictures in float64, as its docstring has the equation."""
    w = {name: value.astype("float64") for name, value in hub_modules.weights().items()}
    row = round(truncation * STEPS)
    x = np.concatenate([z, y], 1).astype("float64") @ w["kernel"]
    x = np.tanh((x - w["mean"][row]) / np.sqrt(w["variance"][row]))
    return x.reshape(-1, SIZE, SIZE, 3)


def assert_pictures(found, z, y, truncation):
    """uint8 as the published notebook makes it; a value may fall on an edge."""
    exact = np.clip((float_images(z, y, truncation) + 1) / 2 * 256, 0, 255)
    assert found.dtype == np.uint8
    assert found.shape == exact.shape
    off = exact - found  # in [0, 1): rounded down
    assert off.min() > -1e-3
    assert off.max() < 1 + 1e-3


# Loading.


@pytest.mark.parametrize("name", ["tf1", "tf2", "thousand", "of_unknown_shape"])
def test_sizes_are_those_of_the_signature(modules, name):
    loaded = hub.load(str(modules / name))
    classes = 1000 if name == "thousand" else CLASSES
    sizes = (loaded.latent_dim, loaded.num_classes, loaded.image_size)
    assert sizes == (LATENT_DIM, classes, SIZE)
    assert loaded.truncation_range == (0, 1)


@pytest.mark.parametrize("name", ["tf1", "tf2", "stale"])
@pytest.mark.parametrize("truncation", [0.1, 0.5, 1.0])
def test_pictures_are_those_of_the_equation(modules, name, truncation):
    loaded = hub.load(modules / name)
    gc.collect()
    ids = [0, 3, 1, 1, 2]
    found = loaded.sample(ids, truncation=truncation, seed=9, batch_size=2, **QUIET)
    z = latents.truncated(5, LATENT_DIM, truncation, seed=9)
    assert_pictures(found, z, np.eye(CLASSES)[ids], truncation)


def test_the_variables_are_held(generator):
    # Where TensorFlow holds them by reference only, dropping this would delete them.
    names = {variable.name for variable in generator.module.variables}
    assert names == {f"{name}:0" for name in hub_modules.weights()}


def test_the_format_needs_its_mark(modules, tmp_path):
    # Two graphs, one without tags: only the hub format says which is meant.
    shutil.copytree(modules / "tf1", tmp_path / "copy")
    mark = tmp_path / "copy" / "tfhub_module.pb"
    assert mark.read_bytes() == hub_modules.MODULE_DEF
    mark.unlink()
    with pytest.raises(ValueError, match="tags"):
        hub.load(tmp_path / "copy")


def test_what_is_no_module_is_refused(modules, tmp_path):
    with pytest.raises(ValueError, match=r"holds no module.*saved_model\.pb"):
        hub.load(tmp_path)
    messages = (
        r"expected the signature.*takes z, y\.|takes y, z\.",
        r"known widths .*it takes \(None, None\), \(None, 4\) and \(\)",
        r'output "default"; its outputs are',
        r"square images .* but gives \(None, 27\)",
    )
    with pytest.raises(ValueError, match=r"is missing\. Signatures there: generate"):
        hub.load(modules / "other_name")
    for name, message in zip(hub_modules.UNFIT, messages, strict=True):
        with pytest.raises(ValueError, match=message):
            hub.load(modules / name)


def test_a_download_is_loaded(modules, monkeypatch, tmp_path):
    kagglehub = pytest.importorskip("kagglehub")
    monkeypatch.setattr(kagglehub, "model_download", lambda _: str(modules / "tf1"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    published_as(monkeypatch)
    loaded = hub.load("biggan-128")
    assert loaded.truncation_range == (0.02, 1)
    with pytest.raises(ValueError, match=r"128 is made for 0\.02 to 1, got 0\.01"):
        loaded.sample(0, truncation=0.01)
    published_as(monkeypatch, latent_dim=120)
    with pytest.raises(ValueError, match="is not biggan-128, which has z of 120"):
        hub.load("biggan-128")


# Labels.


def test_labels_in_all_their_forms(generator):
    one_hot = np.eye(CLASSES)
    rows = class_rows([2, 0], CLASSES)
    np.testing.assert_array_equal(rows, one_hot[[2, 0]])
    np.testing.assert_array_equal(class_rows(2, CLASSES), one_hot[[2]])
    mixture = np.array([0.25, 0, 0, 0.75])
    np.testing.assert_array_equal(class_rows(mixture, CLASSES), [mixture])
    images = generator.sample(np.int64(2), 3, **QUIET)
    for labels in (
        [2, 2, 2],
        one_hot[2],
        one_hot[[2, 2, 2]],
        np.eye(4, dtype=int)[[2]],
    ):
        np.testing.assert_array_equal(generator.sample(labels, 3, **QUIET), images)


def test_a_path_between_two_images(generator):
    z = latents.truncated(2, LATENT_DIM, 0.5, seed=4)
    y = class_rows([1, 3], CLASSES)
    steps = np.linspace(0, 1, 5)
    zs, ys = lerp(z[0], z[1], steps), lerp(y[0], y[1], steps)
    found = generator.sample(ys, latents=zs, **QUIET)
    assert_pictures(found, zs, ys, 0.5)
    one_latent = generator.sample([1, 3], latents=z[:1], **QUIET)
    assert_pictures(one_latent, z[[0, 0]], y, 0.5)


def test_the_seed_decides_and_the_batch_size_does_not(generator):
    images = generator.sample(1, 5, seed=3, **QUIET)
    same = generator.sample(1, 5, seed=3, batch_size=2, **QUIET)
    np.testing.assert_array_equal(images, same)
    assert (images != generator.sample(1, 5, seed=4, **QUIET)).any()
    paper = generator.sample(1, 5, seed=3, rule="resampled", **QUIET)
    z = latents.truncated(5, LATENT_DIM, 0.5, seed=3, rule="resampled")
    assert_pictures(paper, z, np.eye(CLASSES)[[1] * 5], 0.5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": CLASSES}, "no class 4: there are 4, numbered 0 to 3"),
        ({"labels": [0, -1]}, "no class -1"),
        ({"labels": [0.5, 0.5]}, r"rows of weights \(n, 4\)"),
        ({"labels": "hen"}, "expected a class id"),
        ({"labels": [np.nan] * 4}, "NaN"),
        ({"latents": np.zeros((1, 7))}, r"expected \(n, 6\).*got \(1, 7\)"),
        ({"latents": np.zeros(6)}, r"expected \(n, 6\)"),
        ({"truncation": 1.2}, "made for 0 to 1, got 1.2"),
        ({"truncation": float("nan")}, "made for 0 to 1"),
        ({"n": 0}, "at least one image"),
        ({"batch_size": 0}, "batch size"),
        ({"labels": [0, 1], "n": 3}, "one label .* for all images"),
        ({"labels": [0, 1], "latents": np.zeros((3, 6))}, "2 and 3"),
    ],
)
def test_mistakes_are_explained(generator, wrong, message):
    with pytest.raises(ValueError, match=message):
        generator.sample(**{"labels": 0, **QUIET, **wrong})


def test_the_range_can_be_told(modules):
    loaded = hub.load(modules / "tf2", truncation_range=(0.5, 0.8))
    assert loaded.sample(0, truncation=0.8, **QUIET).shape == (1, SIZE, SIZE, 3)
    with pytest.raises(ValueError, match=r"0\.5 to 0\.8"):
        loaded.sample(0, truncation=1.0)


# The stale truncation.


def test_a_new_truncation_reaches_the_first_images(modules):
    loaded = hub.load(modules / "stale")
    z, y = np.zeros((1, LATENT_DIM)), np.eye(CLASSES)[:1]
    # The flaw is there: the first call has the statistics of the truncation before.
    loaded.call(z, y, 1.0)
    flawed = loaded.call(z, y, 0.2).numpy()
    np.testing.assert_allclose(flawed, float_images(z, y, 1.0), atol=1e-5)
    for truncation in (0.2, 0.7, 0.7, 0.3):
        found = loaded.sample(0, latents=z, truncation=truncation, **QUIET)
        assert_pictures(found, z, y, truncation)


def test_only_a_new_truncation_costs_a_call(modules, monkeypatch):
    loaded = hub.load(modules / "tf2")
    rows, call = [], loaded.call
    monkeypatch.setattr(loaded, "call", lambda *x: rows.append(len(x[0])) or call(*x))
    for truncation in (0.5, 0.5, 0.4):
        loaded.sample(0, 10, truncation=truncation, **QUIET)
    assert rows == [1, 8, 2, 8, 2, 1, 8, 2]


# Names.


def test_classes_by_words(modules, tmp_path):
    shutil.copytree(modules / "tf2", tmp_path / "own")
    loaded = hub.load(tmp_path / "own")
    with pytest.raises(ValueError, match=r"4 classes are not known.*classes\.txt"):
        loaded.class_names()
    names = tmp_path / "own" / "assets" / "classes.txt"
    names.write_text("golden retriever\nhen\nkitchen\nGolden eagle\n")
    assert loaded.find_classes("Golden") == {0: "golden retriever", 3: "Golden eagle"}
    assert loaded.find_classes("retriever gold") == {0: "golden retriever"}
    assert loaded.find_classes("hen") == {1: "hen"}
    assert loaded.find_classes("zebra") == {}
    names.write_text("hen\n")
    with pytest.raises(ValueError, match="has 1 lines"):
        loaded.class_names()


def test_a_thousand_classes_have_the_names_keras_knows(modules, monkeypatch):
    index = {str(i): [f"n{i:08d}", f"kind_of_{i}"] for i in range(1000)}
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", index)
    loaded = hub.load(modules / "thousand")
    assert loaded.class_names() == [f"kind of {i}" for i in range(1000)]
    assert loaded.find_classes("kind 207") == {207: "kind of 207"}


def test_names_without_internet(modules, monkeypatch, tmp_path):
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX_PATH", "http://127.0.0.1:9/x")
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    loaded = hub.load(modules / "thousand")
    with pytest.raises(Offline, match=r"URL fetch failure.*needs no names"):
        loaded.find_classes("hen")
    assert loaded.sample(999, **QUIET).shape == (1, SIZE, SIZE, 3)
