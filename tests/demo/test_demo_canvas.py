"""The notebook's canvas, without a browser: what it does with what is sent to it."""

from __future__ import annotations

import base64
import io
import json
import sys
import types

import numpy as np
import pytest
from demo_drawings import RED, SIZE, overlay, png, square, with_stroke
from PIL import Image

from gan_lib import demo
from gan_lib.demo import notebook


class Sheet:
    """In place of wigglystuff.Paint where that is not installed."""

    def __new__(cls, width, height, color_picker):
        widgets = pytest.importorskip("ipywidgets")
        import traitlets

        class Paint(widgets.Label):
            base64 = traitlets.Unicode("")

            def replace_with_pil(self, image):
                self.base64 = base64.b64encode(png(np.asarray(image))).decode()

        paint = Paint()
        paint.side, paint.color_picker = (width, height), color_picker
        return paint


@pytest.fixture(params=["stand-in", "wigglystuff"])
def live(request, monkeypatch):
    """`canvas` with the real widget, if it is installed, and with a stand-in."""
    if request.param == "wigglystuff":
        pytest.importorskip("wigglystuff", reason="needs wigglystuff: the demo extra")
    else:
        module = types.SimpleNamespace(Paint=Sheet)
        monkeypatch.setitem(sys.modules, "wigglystuff", module)
    return demo.canvas


def draw(sheet: notebook.Canvas, pixels: np.ndarray) -> None:
    """What the browser sends when the pen is lifted."""
    sheet.paint.base64 = base64.b64encode(png(pixels)).decode()


def test_the_canvas_colours_at_every_stroke(live):
    sheet = live(overlay(), side_px=128)
    assert sheet.picture is None
    assert "Draw a face" in sheet.message
    draw(sheet, square())
    first = sheet.picture
    np.testing.assert_array_equal(first, demo.colour_drawing(overlay(), square()))
    assert sheet.message == ""
    draw(sheet, with_stroke(RED))
    assert not np.array_equal(sheet.picture, first)
    assert sheet.picture[8, 8, 0] > 250 > 10 > sheet.picture[8, 8, 1]


def test_lines_hold_under_a_hint_on_the_canvas_too(live):
    sheet = live(overlay(), side_px=128)
    draw(sheet, square())
    draw(sheet, with_stroke(RED, at=(32, 64), reach=8))
    kept = demo.split_hints(with_stroke(RED, at=(32, 64), reach=8), SIZE, square())
    np.testing.assert_array_equal(sheet.picture, demo.colour_drawing(overlay(), *kept))


def test_the_canvas_says_what_to_do_with_an_empty_sheet(live):
    sheet = live(overlay(), side_px=128)
    draw(sheet, square())
    draw(sheet, np.full((128, 128), 255, np.uint8))
    assert sheet.picture is None
    assert "sheet is empty" in sheet.message


def test_the_canvas_starts_from_an_example_or_an_uploaded_file(live):
    examples = np.stack([square(64), 255 - square(64)])[..., None]
    sheet = live(overlay(), examples, side_px=128)
    assert sheet.picture is not None  # the first example, coloured
    sheet._start.value = "an empty sheet"
    assert sheet.picture is None
    sheet._start.value = "example 2"
    assert sheet.picture is not None
    sheet._uploaded({"new": ({"content": memoryview(png(square(200)))},)})
    assert sheet.message == ""
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet.paint.base64)))).shape,
        (128, 128, 3),
    )
    sheet._uploaded({"new": {"x.png": {"content": b"no picture"}}})
    assert "cannot be used" in sheet.message


def test_the_canvas_is_shown_live_and_as_a_figure_for_readers(live, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    live(overlay(), square(64)[None, ..., None], side_px=128)._ipython_display_()
    [data] = shown
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    figure = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert figure.width > 100
    assert "pip install" in data["text/plain"]
    json.dumps(data)


def test_without_the_widget_the_examples_are_shown(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wigglystuff", None)
    figure = demo.canvas(overlay(), square(64)[None, ..., None])
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert "pip install wigglystuff" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Expected `examples`"):
        demo.canvas(overlay())


def test_uploads_of_both_versions_of_ipywidgets_are_read():
    new = ({"name": "a.png", "content": memoryview(b"new")},)
    old = {"a.png": {"metadata": {}, "content": b"old"}}
    assert notebook.uploaded_bytes(new) == b"new"
    assert notebook.uploaded_bytes(old) == b"old"
    assert notebook.uploaded_bytes(()) is None
    assert notebook.uploaded_bytes({}) is None
