"""A reader of classes, and what it says of pictures that should show them."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib.data.classes import style_classes
from gan_lib.metrics import (
    ClassReader,
    class_accuracy,
    fid,
    inception_score,
    kid,
    per_class,
)

NAMES = ("across", "upright", "plain")


def striped(n, seed=0):
    """Grey pictures (n, 8, 8, 3) with noise: stripes across, upright, or none."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    stripes = 60 * (np.arange(8) // 2 % 2)
    patterns = np.broadcast_to(stripes[:, None], (8, 8))
    patterns = np.stack([patterns, patterns.T, np.full((8, 8), 30)])
    images = 80 + patterns[labels][..., None] + rng.normal(0, 10, (n, 8, 8, 3))
    return images.astype(np.uint8), labels


@pytest.fixture(scope="module")
def reader():
    return ClassReader.train(*striped(400), NAMES, steps=60)


def test_says_its_accuracy_on_pictures_held_out(reader):
    assert reader.class_names == NAMES
    assert reader.held_out == pytest.approx(80, abs=2)
    assert reader.accuracy.share > 0.95
    assert 0.3 < reader.accuracy.most_common < 0.5
    text = f"{reader.accuracy.share:.1%} of {reader.held_out} held-out pictures"
    assert text in str(reader)


def test_what_is_held_out_is_not_learnt():
    """Labels that say nothing of the pictures cannot be read of unseen ones."""
    images, _ = striped(120)
    labels = np.random.default_rng(1).integers(0, 3, 120)
    reader = ClassReader.train(images, labels, held_out=0.4, steps=150)
    assert reader.class_names == ("0", "1", "2")
    assert reader.held_out == pytest.approx(48, abs=2)
    assert reader.accuracy.share < 0.6
    assert class_accuracy(reader, images, labels) > reader.accuracy.share + 0.2


def test_probabilities(reader):
    images, labels = striped(70, seed=2)
    found = reader(images)
    assert found.shape == (70, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert (found.argmax(axis=1) == labels).mean() > 0.95
    score = inception_score(found, splits=2)
    assert 2.5 < score.mean <= 3


def test_class_accuracy_is_the_share_read_as_asked(reader):
    images, labels = striped(300, seed=3)
    assert class_accuracy(reader, images, labels) > 0.95
    swapped = (labels + 1) % 3
    assert class_accuracy(reader, images, swapped) < 0.05
    half = np.where(np.arange(300) < 150, labels, swapped)
    assert class_accuracy(reader, images, half) == pytest.approx(0.5, abs=0.05)

    def classifier(images):
        return np.array([[0.2, 0.8], [0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])

    assert class_accuracy(classifier, images[:4], [1, 0, 0, 1]) == 0.5


def test_per_class_sees_what_all_together_does_not():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    real, good = (rng.normal(4 * labels[:, None], 1, (400, 3)) for _ in range(2))
    mixed_up = 1 - labels
    together = kid(real, good)
    assert abs(together.value) < 4 * together.standard_error + 0.1
    right = per_class(kid, real, labels, good, labels, class_names=("low", "high"))
    wrong = per_class(kid, real, labels, good, mixed_up, class_names=("low", "high"))
    assert list(right) == ["low", "high"]
    for name in right:
        assert right[name].n_real == right[name].n_fake == 200
        assert wrong[name].value > 50 * abs(right[name].value)


def test_per_class_hands_on_what_the_score_takes():
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(90, 2)), rng.normal(size=(150, 2))
    labels, asked = np.repeat([2, 0, 1], 30), np.repeat([0, 1, 2], 50)
    scores = per_class(fid, real, labels, fake, asked, least=30, split="test")
    assert list(scores) == ["0", "1", "2"]
    for number, (name, score) in enumerate(scores.items()):
        alone = fid(real[labels == number], fake[asked == number], split="test")
        assert score == alone, name
    assert scores["2"].split == "test"
    assert (scores["2"].n_real, scores["2"].n_fake) == (30, 50)


def test_too_few_pictures_of_a_class_are_explained():
    features, labels = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    with pytest.raises(ValueError, match="real: expected 50 .* got 0 30, 1 30"):
        per_class(kid, features, labels, features, labels)
    ones = np.ones(60, int)
    with pytest.raises(ValueError, match="fake: expected 20 .* got cats 0"):
        per_class(
            kid,
            features,
            labels,
            features,
            ones,
            least=20,
            class_names=("cats", "dogs"),
        )
    with pytest.raises(ValueError, match="from 0 to 0, got 0 to 1"):
        per_class(kid, features, labels, features, labels, class_names=("cats",))
    with pytest.raises(ValueError, match="expected 60 whole numbers"):
        per_class(kid, features, labels[:5], features, labels)


def test_errors_talk_like_a_teacher(reader):
    images, labels = striped(90)
    with pytest.raises(ValueError, match="expected 90 whole numbers"):
        ClassReader.train(images, labels[:5])
    with pytest.raises(ValueError, match=r"without a gap"):
        ClassReader.train(images, labels * 2)
    with pytest.raises(ValueError, match="of the 2 classes"):
        ClassReader.train(images, labels, ("one", "two"))
    with pytest.raises(ValueError, match="2 classes or more"):
        ClassReader.train(images, np.zeros(90, int))
    with pytest.raises(ValueError, match="held_out: expected a share"):
        ClassReader.train(images, labels, held_out=1.0)
    with pytest.raises(ValueError, match="n >= 64"):
        ClassReader.train(images, labels, held_out=0.5)
    with pytest.raises(ValueError, match="from 0 to 2, got 0 to 3"):
        class_accuracy(reader, images, np.arange(90) % 4)
    with pytest.raises(ValueError, match="trained on 8 x 8 px"):
        reader(np.zeros((2, 16, 16, 3), np.uint8))


@pytest.mark.slow
def test_reads_drawing_styles(tmp_path):
    options = {"cache_dir": tmp_path, "progress": False}
    known = style_classes(32, 1000, **options)
    unseen = style_classes(32, 200, split="test", **options)
    reader = ClassReader.train(*_parts(known), steps=100)
    assert reader.accuracy.share > 0.97
    assert class_accuracy(reader, unseen.images, unseen.labels) > 0.97
    score = inception_score(reader(unseen.images), splits=1)
    assert 9.4 < score.mean <= 10


def _parts(data):
    return data.images, data.labels, data.class_names
