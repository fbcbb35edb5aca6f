"""Segmentation score: definitions by hand, the trained judge, its file on disk."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_lib.data.faces import faces
from gan_lib.data.pipeline import to_float
from gan_lib.metrics import (
    Segmenter,
    confusion_matrix,
    segmentation,
    segmentation_score,
    segmenter,
    segmenter_training,
)
from gan_lib.metrics.segmenter_training import Recipe
from gan_lib.randomness import Draws

LORELEI = {"background": 0, "skin": 1, "hair": 2, "eyes": 3, "beard": 10, "nose": 5}
TINY = Recipe(num_faces=12, batch_size=4, steps=3, widths=(4, 4, 4))


@pytest.fixture(scope="module")
def reader() -> Segmenter:
    """A segmenter one can follow by hand: the red of a pixel, 0, 10, 20 ..., is its
    output."""
    probe = Segmenter(keras.Sequential(), "lorelei", 4)
    levels = np.arange(len(probe.outputs)) * 10 / 127.5 - 1
    images = keras.Input((4, 4, 3))
    logits = keras.layers.Lambda(lambda x: -tf.abs(x[..., :1] - levels))(images)
    return Segmenter(keras.Model(images, logits), "lorelei", 4)


def painted(reader: Segmenter, labels: np.ndarray) -> np.ndarray:
    """Pictures in which `reader` finds exactly these labels."""
    images = np.zeros((*labels.shape, 3), np.uint8)
    for number, label in enumerate(reader.outputs):
        images[labels == label, 0] = 10 * number
    return images


def test_confusion_matrix_by_hand():
    labels = np.array([[0, 0, 1], [1, 2, -1]])
    predicted = np.array([[0, 1, 1], [1, 0, 2]])
    wanted = [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    np.testing.assert_array_equal(confusion_matrix(predicted, labels, 3), wanted)
    assert confusion_matrix(predicted[:0], labels[:0], 3).sum() == 0


def test_scores_equal_the_equations(reader):
    rng = np.random.default_rng(0)
    kept = np.array(reader.outputs)
    labels = rng.choice(kept[:4], (5, 4, 4))
    found = np.where(
        rng.random(labels.shape) < 0.6, labels, rng.choice(kept, labels.shape)
    )
    score = segmentation_score(reader, painted(reader, found), labels)
    accuracies, ious, right = [], {}, 0
    for label in kept[:4]:
        hits = int(((labels == label) & (found == label)).sum())
        right += hits
        accuracies.append(hits / (labels == label).sum())
        ious[label] = hits / ((labels == label) | (found == label)).sum()
    assert score.pixel_accuracy == pytest.approx(right / labels.size)
    assert score.class_accuracy == pytest.approx(np.mean(accuracies))
    assert score.iou == pytest.approx(np.mean(list(ious.values())))
    assert list(score.class_ious) == ["background", "skin", "hair", "eyes"]
    assert list(score.class_ious.values()) == pytest.approx(list(ious.values()))
    assert score.n == 5


def test_whole_set_counts_not_single_pictures(reader):
    """One picture all hair and right, one with a single hair pixel, missed."""
    labels = np.zeros((2, 4, 4), np.int32)
    labels[0], labels[1, 0, 0] = LORELEI["hair"], LORELEI["hair"]
    found = labels.copy()
    found[1] = LORELEI["background"]
    score = segmentation_score(reader, painted(reader, found), labels)
    assert score.class_ious == pytest.approx({"background": 15 / 16, "hair": 16 / 17})
    assert score.pixel_accuracy == pytest.approx(31 / 32)
    assert score.left_out == ("skin", "eyes", "eyebrows", "mouth", "flowers")
    assert "not in the labels: skin, eyes" in str(score)


def test_void_merged_and_unpainted(reader):
    labels = np.full((1, 4, 4), LORELEI["skin"], np.int32)
    labels[0, 0, 0] = LORELEI["nose"]  # too small: counts neither way
    labels[0, 0, 1] = LORELEI["beard"]  # counts as hair
    found = np.full_like(labels, LORELEI["skin"])
    found[0, 0, 0] = LORELEI["eyes"]
    found[0, 0, 1] = LORELEI["hair"]
    perfect = segmentation_score(reader, painted(reader, found), labels)
    assert perfect.pixel_accuracy == perfect.iou == 1
    found[0, 3] = reader.label_names.index("unpainted")
    score = segmentation_score(reader, painted(reader, found), labels)
    assert score.pixel_accuracy == pytest.approx(11 / 15)
    assert score.class_ious == pytest.approx({"skin": 10 / 14, "hair": 1})


def test_predicted_labels_are_those_of_the_style(reader):
    labels = np.random.default_rng(1).choice(reader.outputs, (7, 4, 4))
    images = painted(reader, labels)
    found = reader.predict_labels(images, batch_size=3)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(reader.predict_labels(to_float(images)), labels)
    assert reader.label_names[reader.outputs[-1]] == "unpainted"


def test_bad_input_is_explained(reader):
    images, labels = np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 4, 4), np.int32)
    for bad_labels in (labels[:1], labels[:, :3]):
        with pytest.raises(ValueError, match="one for each pixel"):
            segmentation_score(reader, images, bad_labels)
    for bad_labels in (labels + 12, labels - 1, labels + 0.0, labels[0], labels[:0]):
        with pytest.raises(ValueError, match="whole numbers 0 to 11"):
            segmentation_score(reader, images, bad_labels)
    with pytest.raises(ValueError, match=r"segmenter\(style='lorelei', size=8\)"):
        reader.predict_labels(np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\]"):
        reader.predict_labels(images + 7.0)
    with pytest.raises(ValueError, match="one shape"):
        confusion_matrix(labels, labels[:1], 3)
    with pytest.raises(ValueError, match="argmax"):
        confusion_matrix(labels + 0.5, labels, 3)
    with pytest.raises(ValueError, match="predicted: expected 0 to 2"):
        confusion_matrix(labels + 3, labels, 3)
    with pytest.raises(ValueError, match="labels: expected -1 to 2"):
        confusion_matrix(labels, labels - 2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"style": "micah"}, "lorelei or adventurer"),
        ({"size": 60}, "multiple of 8"),
        ({"size": 8}, "from 16 to 128"),
        ({"size": 64.0}, "multiple of 8"),
        ({"seed": -1}, "whole number"),
    ],
)
def test_bad_requests_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        segmenter(**arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A segmenter after three steps of training, its folder, and whether training
    moved the random numbers or the dtype policy of the caller."""
    folder = tmp_path_factory.mktemp("segmenter")
    keras.utils.set_random_seed(3)
    wanted = keras.random.uniform((2,)).numpy()
    keras.utils.set_random_seed(3)
    state = np.random.get_state()[1].copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmentation, "Recipe", lambda: TINY)
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            judge = segmenter(size=16, cache_dir=folder, progress=False)
            policy = keras.config.dtype_policy().name
        finally:
            keras.config.set_dtype_policy("float32")
    untouched = (
        (np.random.get_state()[1] == state).all()
        and (keras.random.uniform((2,)).numpy() == wanted).all()
        and policy == "mixed_bfloat16"
    )
    return judge, folder, untouched


def test_training_moves_the_weights_and_nothing_else(trained):
    judge, _, untouched = trained
    fresh = segmenter_training.build(16, len(judge.outputs), TINY.widths)
    moved = [
        np.abs(a - b).max()
        for a, b in zip(judge.network.weights, fresh.weights, strict=True)
    ]
    assert min(moved) > 0
    assert {weight.dtype for weight in judge.network.weights} == {"float32"}
    assert {layer.compute_dtype for layer in judge.network.layers[1:]} == {"float32"}
    assert untouched


@pytest.fixture
def ask(monkeypatch, trained, tmp_path):
    """A function that asks for a segmenter; `ask.trainings` counts what it cost."""
    network = trained[0].network

    def train(*_, **__):
        ask.trainings += 1
        return network

    def ask(recipe: Recipe = TINY, **arguments) -> Segmenter:
        monkeypatch.setattr(segmentation, "Recipe", lambda: recipe)
        return segmenter(
            **{"size": 16, "cache_dir": tmp_path, "progress": False, **arguments}
        )

    monkeypatch.setattr(segmentation, "train", train)
    ask.trainings, ask.folder = 0, tmp_path
    return ask


def same_weights(a: Segmenter, b: Segmenter) -> bool:
    pairs = zip(a.network.weights, b.network.weights, strict=True)
    return all((one.numpy() == other.numpy()).all() for one, other in pairs)


def test_found_again_without_training(ask, trained):
    first, folder, _ = trained
    again = ask(cache_dir=folder)
    assert ask.trainings == 0
    assert same_weights(first, again)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    np.testing.assert_array_equal(
        first.predict_labels(images), again.predict_labels(images)
    )


def test_damaged_file_is_trained_again(ask):
    first = ask()
    (path,) = ask.folder.glob("segmenter-*")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(UserWarning, match="damaged"):
        again = ask()
    assert ask.trainings == 2
    assert same_weights(first, again)
    assert len(list(ask.folder.glob("segmenter-*"))) == 1
    ask()
    assert ask.trainings == 2


def test_every_setting_has_its_own_file(ask, monkeypatch):
    for recipe in (TINY, TINY._replace(steps=2), TINY._replace(version=0)):
        ask(recipe)
    ask(seed=1)
    ask(size=24)
    monkeypatch.setattr(segmentation, "drawing_version", lambda: "other drawings")
    ask()
    assert ask.trainings == len(list(ask.folder.glob("segmenter-*"))) == 6


@pytest.mark.parametrize("size", [32, 64])
def test_the_package_brings_the_weights_of_this_recipe(size, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise AssertionError("run tools/ship_segmenters.py")

    monkeypatch.setattr(segmentation, "train", refuse)
    judge = segmenter("lorelei", size, cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())
    drawn = faces(size, 32, split="test", include="labels", progress=False)
    score = segmentation.segmentation_score(judge, drawn.images, drawn.labels)
    assert score.pixel_accuracy > 0.9


def test_both_styles_have_outputs_for_their_classes():
    for style, count in (("lorelei", 8), ("adventurer", 7)):
        judge = Segmenter(keras.Sequential(), style, 16)
        assert len(judge.outputs) == count
        numbers = segmentation._output_numbers(style)
        assert numbers.max() == count - 2
        assert list(numbers[:3]) == [0, 1, 2]
        assert judge.label_names[:3] == ("background", "skin", "hair")


def spoiled(images, line, labels, seed=1, **shares):
    recipe = Recipe(line_share=0, grey_share=0, moved_share=0)._replace(**shares)
    draws = Draws([seed, 0])
    result = segmenter_training.spoil(
        tf.constant(images), tf.constant(line), tf.constant(labels), 7, recipe, draws
    )
    return [value.numpy() for value in result]


@pytest.fixture(scope="module")
def three_regions():
    """Four pictures in stripes of background, skin, hair; their ink and labels."""
    labels = np.repeat(np.int32([0, 1, 2]), 4)[None, None, :, None]
    labels = np.broadcast_to(labels, (4, 12, 12, 1)).copy()
    colours = np.float32([[-0.5, 0, 0.5], [0.9, 0.2, 0.1], [0.1, -0.8, 0.3]])
    line = np.ones((4, 12, 12, 1), np.float32)
    line[:, :, 3::4] = 0
    return (colours[labels[..., 0]] + 1) * line - 1, line, labels


def test_unspoiled_pictures_stay(three_regions):
    images, _, labels = three_regions
    same, same_labels = spoiled(*three_regions)
    np.testing.assert_array_equal(same, images)
    np.testing.assert_array_equal(same_labels, labels)


def test_line_art_and_grey_are_unpainted(three_regions):
    images, line, _ = three_regions
    drawn, labels = spoiled(*three_regions, line_share=1)
    assert (labels == 7).all()
    assert (drawn[line[..., 0] == 0] == -1).all()  # the ink stays
    paper = drawn[:, :, 0:1]
    np.testing.assert_allclose((drawn + 1) * line, (paper + 1) * line, atol=1e-6)
    grey, labels = spoiled(*three_regions, grey_share=1)
    assert (labels == 7).all()
    assert np.ptp(grey, axis=-1).max() < 0.3 * np.ptp(images, axis=-1).max()


def test_moved_paint_takes_its_label_along(three_regions):
    images, line, labels = three_regions
    changed = 0
    for seed in range(6):
        moved, shown = spoiled(*three_regions, seed, moved_share=1)
        other = shown != labels
        changed += other.any((1, 2, 3)).sum()
        assert set(np.unique(shown)) <= {0, 1, 2}
        np.testing.assert_array_equal(moved[~other[..., 0]], images[~other[..., 0]])
        colours = np.stack([images[0, 0, 4 * k] for k in range(3)])
        wanted = (colours[shown[..., 0]] + 1) * line - 1
        np.testing.assert_allclose(moved, wanted, atol=2e-3)
    assert changed > 8  # of 24


@pytest.mark.slow
def test_wrong_pictures_score_less(tmp_path):
    judge = segmenter(size=32, cache_dir=tmp_path, progress=False)
    real = faces(32, 200, split="test", include=("line", "labels"), progress=False)
    images, labels = to_float(real.images), real.labels
    ink = np.repeat(to_float(real.line), 3, axis=-1)

    def score(given, wanted=labels):
        return segmentation_score(judge, given, wanted)

    whole = score(images)
    assert whole.pixel_accuracy > 0.91
    assert whole.iou > 0.63
    grey = images.mean(axis=-1, keepdims=True).repeat(3, -1)
    assert score(grey).pixel_accuracy < 0.5
    assert score(ink).pixel_accuracy < 0.5
    assert score(images, np.roll(labels, 1, axis=0)).iou < 0.7 * whole.iou
    filled = images.copy()
    for picture, regions in zip(filled, labels, strict=True):
        picture[regions == 2] = np.median(picture[regions == 1], axis=0)
    assert score(filled).class_ious["hair"] < 0.5 * whole.class_ious["hair"]
