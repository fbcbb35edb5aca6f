"""The one face of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import face, noise
from PIL import Image

from data_prep.decode import Unusable
from data_prep.portrait import portrait


def test_the_face_is_cut_out(tmp_path):
    canvas = Image.new("RGB", (500, 300), "#dde6f0")
    canvas.paste(face(1, 160), (300, 90))
    canvas.save(tmp_path / "selfie.png")
    found = portrait(tmp_path / "selfie.png", 64)
    assert found.shape == (64, 64, 3)
    assert found.dtype == np.uint8
    small = np.asarray(face(1, 160).resize((64, 64))).astype(int)
    middle = np.asarray(canvas.crop((100, 0, 400, 300)).resize((64, 64))).astype(int)
    assert np.abs(found - small).mean() < np.abs(found - middle).mean()


def test_without_a_face_the_middle_with_a_warning(tmp_path):
    image = noise(40, 60)
    Image.fromarray(image).save(tmp_path / "wall.png")
    with pytest.warns(UserWarning, match="wall.png"):
        found = portrait(tmp_path / "wall.png", 40)
    np.testing.assert_array_equal(found, image[:, 10:50])


def test_no_picture(tmp_path):
    (tmp_path / "note.jpg").write_text("hello")
    with pytest.raises(Unusable):
        portrait(tmp_path / "note.jpg", 64)
