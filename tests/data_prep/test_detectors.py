"""Detectors of faces: the network in NumPy, merging, loading, what goes wrong."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from data_prep import detectors
from data_prep.boxes import iou, suppressed
from data_prep.decode import decode_upright
from data_prep.detectors import network

SCENES = "anime_scenes"


def pasted(canary: np.ndarray, height: int, width: int, places) -> np.ndarray:
    """A grey picture with the drawn face at (x, y, side)."""
    image = Image.new("RGB", (width, height), (196, 208, 220))
    for x, y, side in places:
        image.paste(Image.fromarray(canary).resize((side, side)), (x, y))
    return np.asarray(image)


def head(x: int, y: int, side: int) -> np.ndarray:
    """Where the head is in a drawn face pasted at (x, y) with this side."""
    scale = side / 272
    return np.array([x + 48 * scale, y + 48 * scale, 184 * scale, 184 * scale])


@pytest.fixture(scope="module")
def default() -> detectors.Detector:
    return detectors.load()


@pytest.fixture(scope="module")
def canary() -> np.ndarray:
    return detectors.canary()


def test_faces_are_found_where_they_were_drawn(default, canary):
    places = [(20, 30, 300), (420, 300, 200), (700, 60, 130)]
    image = pasted(canary, 620, 900, places)
    boxes, scores = default(image)
    assert boxes.dtype == scores.dtype == np.float32
    assert len(boxes) == 3
    for place in places:
        assert iou(head(*place), boxes).max() > 0.6
    assert list(scores) == sorted(scores, reverse=True)
    assert ((scores > 0) & (scores <= 1)).all()


def test_pictures_without_a_face_have_none(default):
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 400).astype(np.uint8)
    pictures = [
        np.full((300, 400, 3), 255, np.uint8),
        np.zeros((300, 400, 3), np.uint8),
        rng.integers(0, 256, (300, 400, 3), np.uint8),
        np.broadcast_to(ramp[:, None], (300, 400, 3)[:0] + (400, 400))[
            ..., None
        ].repeat(3, -1),
    ]
    for picture in pictures:
        boxes, scores = default(np.ascontiguousarray(picture))
        assert boxes.shape == (0, 4)
        assert scores.shape == (0,)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 200), (31, 33)])
def test_pictures_of_odd_sizes(default, size):
    boxes, _ = default(np.full((*size, 3), 90, np.uint8))
    assert boxes.shape[1] == 4


def test_a_long_strip_is_looked_at_in_pieces(default, canary):
    strip = pasted(canary, 4000, 400, [(60, 3600, 280), (80, 500, 220)])
    boxes, _ = default(strip)
    assert iou(head(60, 3600, 280), boxes).max() > 0.5
    assert iou(head(80, 500, 220), boxes).max() > 0.5
    turned, _ = default(np.ascontiguousarray(np.swapaxes(strip[:1000], 0, 1)))
    assert turned.shape[1] == 4


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_another_kind_of_array_is_refused(default, image):
    with pytest.raises(ValueError, match="uint8"):
        default(image)


def test_min_score_leaves_out_the_less_certain(canary):
    strict = detectors.load(min_score=0.999)
    assert len(strict(np.full((64, 64, 3), 200, np.uint8))[0]) == 0
    assert len(strict(canary)[0]) == 0  # although it has just been proved with it
    lenient = detectors.load(min_score=0.06)
    assert len(lenient(canary)[0]) >= 1


def test_the_network_computes_what_keras_computes():
    keras = pytest.importorskip("keras")
    from data_prep.detectors.training import train

    keras.utils.set_random_seed(3)
    model = train.build()
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if layer.name.endswith(".norm"):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.weights])
    arrays = train.folded(model)
    assert sum(array.nbytes for array in arrays.values()) < 500_000
    mine = network.Network()
    assert {name: v.shape for name, v in mine.weights.items()} == {
        name: v.shape for name, v in arrays.items()
    }
    mine.weights = {name: v.astype(np.float32) for name, v in arrays.items()}
    x = rng.uniform(-1, 1, (2, 64, 96, 3)).astype(np.float32)
    theirs = keras.ops.convert_to_numpy(model(x))
    # The weights were rounded to 11 bits.
    np.testing.assert_allclose(mine.maps(x), theirs, atol=0.01 * np.abs(theirs).max())


def test_the_weights_are_small_and_whole():
    assert network.WEIGHTS.stat().st_size < 500_000
    with np.load(network.WEIGHTS) as file:
        assert all(np.isfinite(file[name]).all() for name in file)


def test_a_peak_in_the_map_becomes_its_box():
    maps = np.full((6, 9, 4), 0, np.float32)
    maps[..., 0] = -9
    maps[3, 5] = [2, 1, 0.25, -0.5]  # heat, 2x the reference, offsets
    boxes, scores = network.boxes_of(maps, 0.3)
    side = 2 * network.REFERENCE
    middle = np.array([5.75, 3.0]) * network.STRIDE
    np.testing.assert_allclose(boxes, [[*(middle - side / 2), side, side]])
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-2)), rtol=1e-6)


def test_a_face_that_fills_the_picture_is_found(default, canary):
    close = np.ascontiguousarray(canary[40:240, 40:240])
    boxes, _ = default(close)
    assert len(boxes) == 1
    assert iou(np.array([8, 8, 184, 184.0]), boxes).max() > 0.5


def test_sides_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="at least 64 pixels"):
        network.Network(sides=(32,))


def test_of_overlapping_boxes_the_best_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [20, 0, 10, 10]], float)
    kept, scores = suppressed(boxes, np.array([0.5, 0.9, 0.7]))
    np.testing.assert_array_equal(kept, boxes[[1, 2]])
    np.testing.assert_allclose(scores, [0.9, 0.7])


def test_iou_by_hand():
    one = np.array([0, 0, 10, 10.0])
    many = np.array([[5, 0, 10, 10], [0, 0, 10, 10], [30, 0, 1, 1.0]])
    np.testing.assert_allclose(iou(one, many), [1 / 3, 1, 0])


def test_merged_detectors_find_what_either_finds(canary):
    one = (np.array([[0, 0, 50, 50.0]]), np.array([0.4]))
    two = (np.array([[2, 2, 50, 50.0], [200, 0, 40, 40]]), np.array([0.8, 0.3]))
    merged = detectors.Detector("a+b", (lambda _: one, lambda _: two))
    boxes, scores = merged(canary)
    np.testing.assert_allclose(boxes, [[2, 2, 50, 50], [200, 0, 40, 40]])
    assert len(scores) == 2


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(ValueError, match="default, lbp, yunet, animeface"):
        detectors.load("lpb")
    with pytest.raises(ValueError, match="joined by"):
        detectors.load("lbp+")


def test_a_detector_that_is_blind_is_refused():
    def blind(_):
        return np.empty((0, 4), np.float32), np.empty(0, np.float32)

    with pytest.raises(RuntimeError, match="does not find the drawn face"):
        detectors.prove(blind, "animeface")


def test_broken_weights_are_noticed(tmp_path, monkeypatch):
    with np.load(network.WEIGHTS) as file:
        zeros = {name: np.zeros_like(file[name]) for name in file}
    np.savez(tmp_path / "network.npz", **zeros)
    broken = network.Network(tmp_path / "network.npz")
    with pytest.raises(RuntimeError, match="drawn face"):
        detectors.prove(broken, "default")


def test_animeface_on_a_new_pillow_says_so(monkeypatch):
    from data_prep.detectors import animeface

    monkeypatch.setattr(animeface, "version", lambda name: "13.0.0")
    with pytest.raises(ValueError, match="Pillow 12 and newer"):
        detectors.load("animeface")


def test_yunet_without_opencv_says_what_to_do(monkeypatch, tmp_path):
    from data_prep.detectors import others

    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match="needs OpenCV"):
        others.YuNet(tmp_path / "any.onnx")


def test_fingerprints_differ():
    prints = {detectors.fingerprint(name) for name in (*detectors.NAMES, "lbp+yunet")}
    assert len(prints) == len(detectors.NAMES) + 1


def test_no_module_of_the_package_loads_tensorflow():
    import subprocess

    code = (
        "import sys, data_prep.detect, data_prep.detectors as d; d.load();"
        "print(sorted({'tensorflow', 'keras', 'gan_lib', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_bar_on_the_scenes(default, shared_data):
    """F1 of 0.9; recall on dark skin 0.8 of that on pale; none on empty pictures."""
    faces = json.loads((shared_data / SCENES / "boxes.json").read_text())["images"]
    hits, found, seen = 0, 0, {"pale": [], "dark": []}
    for name, truths in faces.items():
        boxes, _ = default(decode_upright((shared_data / SCENES / name).read_bytes()))
        found += len(boxes)
        for truth in truths:
            x0, y0, x1, y1 = truth["head"]
            box = np.array([x0, y0, x1 - x0, y1 - y0], float)
            hit = bool(len(boxes)) and iou(box, boxes).max() >= 0.5
            hits += hit
            seen.get(truth["skin"], []).append(hit)
    count = sum(map(len, faces.values()))
    assert 2 * hits / (found + count) >= 0.9
    assert np.mean(seen["dark"]) >= 0.8 * np.mean(seen["pale"])
    for path in (shared_data / "anime_illustrations").glob("snowyyang_BG-*.jpg"):
        assert len(default(decode_upright(path.read_bytes()))[0]) == 0, path.name
