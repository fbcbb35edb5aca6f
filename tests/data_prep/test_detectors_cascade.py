"""The cascade in NumPy against OpenCV, and the files of models."""

from __future__ import annotations

import hashlib
import http.server
import threading

import numpy as np
import pytest
import requests

from data_prep import detectors
from data_prep.decode import decode_upright
from data_prep.detectors import cascade, models, others


@pytest.fixture(scope="module")
def lbp_file(shared_data):
    return models.located(models.LBP, shared_data / "models")


def scene(shared_data, size: int = 360) -> np.ndarray:
    """A part of a scene with one face, small so that NumPy is quick."""
    data = (shared_data / "anime_scenes" / "scene_003.jpg").read_bytes()
    return np.ascontiguousarray(decode_upright(data)[250 : 250 + size, 70 : 70 + size])


def test_lbp_without_opencv_finds_the_face(shared_data, lbp_file):
    part = others.Lbp(lbp_file, use_opencv=False, scale_factor=1.1)
    boxes, scores = part(scene(shared_data))
    truth = np.array([90 - 70, 285 - 250, 316, 316], float)
    assert detectors.iou(truth, boxes).max() > 0.5
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize("settings", [(1.1, 3, 48), (1.2, 1, 24)])
def test_numpy_gives_the_boxes_of_opencv(shared_data, lbp_file, settings):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    if not hasattr(cv2, "CascadeClassifier"):
        pytest.skip("this OpenCV has no CascadeClassifier")
    image = scene(shared_data)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(cascade.grey_of(image), grey)
    even = cv2.equalizeHist(grey)
    np.testing.assert_array_equal(cascade.equalized(grey), even)
    factor, neighbors, side = settings
    boxes, counts = cv2.CascadeClassifier(str(lbp_file)).detectMultiScale2(
        even, scaleFactor=factor, minNeighbors=neighbors, minSize=(side, side)
    )
    mine, my_counts = cascade.Cascade(lbp_file).detect(even, *settings)
    assert len(boxes) > 0
    assert sorted(np.column_stack([mine, my_counts]).tolist()) == sorted(
        np.column_stack([boxes, np.ravel(counts)]).tolist()
    )


def test_groups_of_boxes_by_hand():
    boxes = np.array([[10, 10, 50, 50]] * 3 + [[12, 10, 50, 50], [200, 0, 50, 50]])
    means, counts = cascade.grouped(boxes, 1)
    np.testing.assert_array_equal(means, [[10, 10, 50, 50]])  # 10.5 rounds to even
    np.testing.assert_array_equal(counts, [4])
    means, _ = cascade.grouped(boxes, 0)
    assert len(means) == 2
    assert cascade.grouped(np.empty((0, 4), int), 3)[0].shape == (0, 4)


def test_a_weak_group_inside_a_strong_one_is_dropped():
    strong, weak = [[0, 0, 100, 100]] * 9, [[30, 30, 40, 40]] * 2
    means, counts = cascade.grouped(np.array(strong + weak), 1)
    np.testing.assert_array_equal(means, [[0, 0, 100, 100]])
    np.testing.assert_array_equal(counts, [9])


def test_equalised_levels_by_hand():
    grey = np.array([[50, 50, 100, 200]], np.uint8)
    # 2 of 4 pixels lie above the lowest level: half the range for each.
    np.testing.assert_array_equal(cascade.equalized(grey), [[0, 0, 128, 255]])
    flat = np.full((3, 3), 7, np.uint8)
    np.testing.assert_array_equal(cascade.equalized(flat), flat)


def test_resizing_by_hand():
    image = np.array([[0, 100, 200, 60]], np.uint8).repeat(2, 0)
    np.testing.assert_array_equal(cascade.resized_exactly(image, 1, 2), [[50, 130]])
    assert cascade.resized_exactly(image, 2, 4) is image


def test_skipping_after_a_window_that_fails():
    passed = np.array([[True, False, True, True, False, False, True]])
    visited = [[True, True, False, True, True, False, True]]
    np.testing.assert_array_equal(cascade._visited(passed), visited)


def test_another_kind_of_cascade_is_refused(tmp_path):
    path = tmp_path / "haar.xml"
    path.write_text(
        "<opencv_storage><cascade><featureType>HAAR</featureType></cascade>"
        "</opencv_storage>"
    )
    with pytest.raises(ValueError, match="LBP"):
        cascade.Cascade(path)


def test_a_scale_factor_of_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="scale_factor"):
        others.Lbp(tmp_path / "any.xml", scale_factor=1.0)


class _Server(http.server.BaseHTTPRequestHandler):
    body, asked = b"model", 0

    def do_GET(self):
        type(self).asked += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(_Server, "asked", 0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    digest = hashlib.sha256(_Server.body).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/m.xml"
    yield models.ModelFile("m.xml", url, digest, "MIT, Somebody")
    server.shutdown()
    server.server_close()


def test_a_model_is_fetched_once_and_its_licence_shown(served, tmp_path, capsys):
    path = models.located(served, tmp_path / "new")
    assert path.read_bytes() == _Server.body
    assert "MIT, Somebody" in capsys.readouterr().out
    assert models.located(served, tmp_path / "new") == path
    assert capsys.readouterr().out == ""
    assert _Server.asked == 1
    assert [file.name for file in path.parent.iterdir()] == ["m.xml"]


def test_the_folder_can_come_from_the_environment(served, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_PREP_MODELS", str(tmp_path))
    assert models.located(served) == tmp_path / "m.xml"


def test_another_content_is_not_kept(served, tmp_path):
    wrong = models.ModelFile("m.xml", served.url, "0" * 64, "MIT")
    with pytest.raises(OSError, match="not the file expected"):
        models.located(wrong, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_noticed(served, tmp_path):
    (tmp_path / "m.xml").write_bytes(b"half")
    with pytest.raises(OSError, match="cut short"):
        models.located(served, tmp_path)
    assert (tmp_path / "m.xml").read_bytes() == b"half"


def test_offline_is_explained(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", refuse)
    with pytest.raises(OSError, match=r"'default' needs no download") as caught:
        detectors.load("lbp", models=tmp_path)
    assert str(tmp_path / "lbpcascade_animeface.xml") in str(caught.value)


def test_what_is_available_is_listed(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.setenv("DATA_PREP_MODELS", str(tmp_path))
    lines = detectors.available()
    assert lines[0] == "default: works"
    assert len(lines) == len(detectors.NAMES)
    assert lines[1].startswith("lbp: lbpcascade_animeface.xml could not be fetched")
