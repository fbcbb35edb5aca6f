"""A reader of pictures whose attributes are plain, and of drawn faces."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib.data.faces import faces
from gan_lib.metrics import AttributeReader, attribute_changes

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}


def painted(n, seed=0):
    """Pictures (n, 8, 8, 3): paper of a colour, half of them with a black bar."""
    rng = np.random.default_rng(seed)
    attributes = {"paper": rng.choice(list(COLOURS), n), "bar": rng.random(n) < 0.5}
    images = np.empty((n, 8, 8, 3), np.uint8)
    images[:] = np.array([COLOURS[c] for c in attributes["paper"]])[:, None, None]
    images[attributes["bar"], 2:5] = 0
    return images, attributes


@pytest.fixture(scope="module")
def reader():
    return AttributeReader.train(*painted(256), steps=60)


def test_reads_pictures_it_has_not_seen(reader):
    images, attributes = painted(200, seed=1)
    scores = reader.accuracy(images, attributes)
    assert list(scores) == ["paper", "bar"]
    assert all(score.share > 0.95 for score in scores.values())
    common = np.unique(attributes["paper"], return_counts=True)[1].max() / 200
    assert scores["paper"].most_common == pytest.approx(common)
    # Answers that belong to other pictures are right by chance only.
    other = {"paper": np.roll(attributes["paper"], 1)}
    scores = reader.accuracy(images, other)
    assert list(scores) == ["paper"]
    assert scores["paper"].share < 0.5


def test_probabilities_and_labels(reader):
    images, attributes = painted(30, seed=2)
    found = reader(images)
    assert found["paper"].shape == (30, 3)
    assert found["bar"].shape == (30, 2)
    assert found["bar"].dtype == np.float32
    for probabilities in found.values():
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    labels = reader.labels(images)
    assert labels["bar"].dtype == bool
    assert set(labels["paper"]) <= set(COLOURS)
    # As floats, and in batches of another size.
    again = reader(images / np.float32(127.5) - 1, batch_size=7)
    np.testing.assert_allclose(again["paper"], found["paper"], atol=1e-5)


def test_features_are_what_the_heads_read_from(reader):
    """Each head's logits are W features + b; small batches give the same."""
    images, _ = painted(30, seed=4)
    features = reader.features(images, batch_size=7)
    assert features.shape == (30, 128)
    assert features.min() >= 0
    head = reader.network.layers[-1]
    kernel, bias = (weight.numpy() for weight in head.weights)
    logits = reader.network(images / np.float32(127.5) - 1)
    expected = [value.numpy() for value in logits.values()]
    found = features @ kernel + bias
    assert any(
        x.shape == found.shape and np.allclose(x, found, atol=1e-4) for x in expected
    )


def test_reads_through_blur_and_noise(reader):
    images, attributes = painted(200, seed=3)
    noisy = images / 127.5 - 1 + 0.08 * np.random.default_rng(0).normal(size=(8, 8, 3))
    scores = reader.accuracy(np.clip(noisy, -1, 1), attributes)
    assert all(score.share > 0.95 for score in scores.values())


def test_one_seed_one_reader():
    images, attributes = painted(64)
    first, second, other = (
        AttributeReader.train(images, attributes, steps=3, seed=seed)(images)["paper"]
        for seed in (0, 0, 1)
    )
    np.testing.assert_allclose(np.log(first), np.log(second), atol=1e-2)
    assert np.abs(np.log(first) - np.log(other)).max() > 1


def test_changes_are_counted_where_pairs_differ(reader):
    before, shown = painted(300, seed=4)
    source, wanted = painted(300, seed=5)
    assert attribute_changes(reader, before, before, source) == {"paper": 0, "bar": 0}
    assert attribute_changes(reader, before, source, source) == {"paper": 1, "bar": 1}
    # The first half takes its bar over: rows of the source, in paper of its own.
    after = before.copy()
    colour = np.array([COLOURS[c] for c in shown["paper"]])[:, None, None]
    bars = wanted["bar"][:, None, None, None]
    after[:150, 2:5] = np.where(bars, 0, colour)[:150]
    changes = attribute_changes(reader, before, after, source)
    differ = shown["bar"] != wanted["bar"]
    assert changes["paper"] == 0
    assert changes["bar"] == pytest.approx(differ[:150].sum() / differ.sum(), abs=0.02)
    alike = attribute_changes(reader, before, after, before)
    assert np.isnan(alike["paper"])
    assert np.isnan(alike["bar"])
    with pytest.raises(ValueError, match="as many pictures in each"):
        attribute_changes(reader, before, after[:9], source)


def test_errors(reader):
    images, attributes = painted(64)
    with pytest.raises(ValueError, match="expected uint8"):
        AttributeReader.train(images / 255, attributes)
    with pytest.raises(ValueError, match="n >= 64"):
        AttributeReader.train(images[:9], attributes)
    with pytest.raises(ValueError, match="paper: expected 64 values"):
        AttributeReader.train(images, {"paper": attributes["paper"][:3]})
    with pytest.raises(ValueError, match="two values of bar or more"):
        AttributeReader.train(images, {"bar": np.ones(64, bool)})
    with pytest.raises(ValueError, match="at least one column"):
        AttributeReader.train(images, {})
    with pytest.raises(ValueError, match="trained on 8 x 8 px, got 16 x 16"):
        reader(np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match="bar: expected 64 values"):
        reader.accuracy(images, {"bar": attributes["bar"][:3]})


@pytest.mark.slow
def test_reads_drawn_faces(tmp_path):
    """A third of the training that the docstring's numbers are of."""
    options = {"include": "attributes", "cache_dir": tmp_path, "progress": False}
    known = faces(32, 1500, split="train", **options)
    unseen = faces(32, 300, split="test", **options)
    names = ("skin", "hair_length", "glasses", "mouth_open", "flowers")
    wanted = {name: known.attributes[name] for name in names}
    reader = AttributeReader.train(known.images, wanted, steps=150)
    scores = reader.accuracy(unseen.images, unseen.attributes)
    assert list(scores) == list(names)
    for name, score in scores.items():
        left_wrong = (1 - score.share) / (1 - score.most_common)
        assert left_wrong < 0.4, (name, score)
