"""Which folder a handle of a BigGAN module means, with and without internet."""

from __future__ import annotations

import hashlib
import sys

import pytest

from gan_lib.data.download import Offline
from gan_lib.hub_handles import PUBLISHED, locate


@pytest.fixture
def no_internet(monkeypatch, tmp_path):
    """Kaggle refuses, and nothing is kept on this machine; gives what was asked."""
    kagglehub = pytest.importorskip("kagglehub")
    asked = []

    def refuse(handle):
        asked.append(handle)
        raise ConnectionError("no route to host")

    monkeypatch.setattr(kagglehub, "model_download", refuse)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    return asked


def keep(folder):
    """A folder that looks like a module."""
    folder.mkdir()
    (folder / "saved_model.pb").touch()


def test_the_published_ones_are_named_as_their_pages_are():
    rows = PUBLISHED.values()
    assert {row.name: row.latent_dim for row in rows} == {
        "biggan-128": 120, "biggan-256": 140, "biggan-512": 128,
        "biggan-deep-128": 128, "biggan-deep-256": 128, "biggan-deep-512": 128,
    }  # fmt: skip
    for row in rows:
        deep = "deep" in row.name
        assert row.truncation_range == (0 if deep else 0.02, 1)
        assert row.name.endswith(str(row.image_size))
        assert row.url == f"https://tfhub.dev/deepmind/{row.name}/{1 if deep else 2}"
    assert PUBLISHED["biggan-128"].kaggle == "deepmind/biggan/tensorFlow1/128"


@pytest.mark.parametrize(
    ("handle", "asked"),
    [
        ("biggan-deep-256", "deepmind/biggan/tensorFlow1/deep-256"),
        ("https://tfhub.dev/deepmind/biggan-512/2", "deepmind/biggan/tensorFlow1/512"),
        ("deepmind/biggan/tensorFlow1/128", "deepmind/biggan/tensorFlow1/128"),
        ("deepmind/biggan/tensorFlow1/128/2", "deepmind/biggan/tensorFlow1/128/2"),
        (
            "https://www.kaggle.com/models/deepmind/biggan/frameworks/TensorFlow1/"
            "variations/128/versions/1",
            "deepmind/biggan/tensorFlow1/128/1",
        ),
        ("someone/faces/tensorflow2/small", "someone/faces/tensorFlow2/small"),
    ],
)
def test_every_form_of_handle_reaches_kaggle(no_internet, handle, asked):
    with pytest.raises(Offline, match="TFHUB_CACHE_DIR") as failure:
        locate(handle)
    assert no_internet == [asked]
    assert handle in str(failure.value)
    assert "no route to host" in str(failure.value)


@pytest.mark.parametrize("handle", ["biggan-64", "https://tfhub.dev/x/1", "", "a/b"])
def test_a_handle_that_means_nothing(no_internet, handle):
    with pytest.raises(ValueError, match=r"biggan-deep-512.*Kaggle handle"):
        locate(handle)
    assert no_internet == []


def test_without_kagglehub(monkeypatch, no_internet):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ImportError, match="pip install kagglehub"):
        locate("biggan-128")


def test_kaggle_is_asked_for_the_version_that_is_here(no_internet, tmp_path):
    kept = tmp_path / "kagglehub" / "models" / "deepmind/biggan/tensorFlow1/128"
    kept.mkdir(parents=True)
    for mark in ("2.complete", "10.complete", "11.archive"):
        (kept / mark).touch()
    with pytest.raises(Offline):
        locate("biggan-128")
    assert no_internet == ["deepmind/biggan/tensorFlow1/128/10"]


@pytest.mark.parametrize("form", ["name", "url", "kaggle"])
@pytest.mark.parametrize("kept_as", ["hash", "name"])
def test_a_copy_in_the_hub_cache_needs_no_internet(
    monkeypatch, no_internet, tmp_path, form, kept_as
):
    row = PUBLISHED["biggan-128"]
    name = hashlib.sha1(row.url.encode()).hexdigest()
    name = name if kept_as == "hash" else row.name
    keep(tmp_path / name)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    folder, published = locate(getattr(row, form))
    assert (folder, published) == (tmp_path / name, row)
    assert no_internet == []
    with pytest.raises(Offline):  # this copy may be of another version
        locate(f"{row.kaggle}/1")


def test_another_address_is_found_in_the_hub_cache(monkeypatch, tmp_path):
    url = "https://example.org/a-generator/7"
    name = hashlib.sha1(url.encode()).hexdigest()
    keep(tmp_path / name)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    assert locate(url) == (tmp_path / name, None)


def test_a_folder_comes_before_a_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "biggan-128").mkdir()
    folder, published = locate("biggan-128")
    assert (folder.resolve(), published) == (tmp_path / "biggan-128", None)
