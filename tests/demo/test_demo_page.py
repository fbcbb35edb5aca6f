"""The page in a real browser: drawn on with the mouse, and looked at."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from demo_drawings import overlay, png, square
from PIL import Image

from gan_lib import export

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the page is, in a process of its own."""
    pytest.importorskip("gradio", reason="needs gradio: the demo extra")
    folder = tmp_path_factory.mktemp("page")
    export.save(overlay(64), folder / "generator")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
    }
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gan_lib.demo", folder / "generator", "--port", "0"],
            stdout=output, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _address(process: subprocess.Popen, log: Path) -> str:
    for _ in range(4 * PATIENCE_S):
        lines = [x for x in log.read_text().splitlines() if x.startswith("Draw at")]
        if lines:
            return lines[0].split()[2]
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


class Visitor:
    """A person at the page, who notes errors and strange hosts."""

    def __init__(self, tab, address: str):
        self.tab, self.errors, self.hosts = tab, [], set()
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("console", self._heard)
        tab.on("request", self._asked)
        tab.goto(address)
        # The pencil is in hand once its colours are there.
        tab.get_by_label("Color", exact=True).wait_for()
        box = tab.locator("canvas").first.bounding_box()
        self.middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def _heard(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob"):
            self.hosts.add(address.hostname)

    def draw(self, *path: tuple[int, int]) -> None:
        """One stroke, in pixels from the sheet's middle."""
        (x, y), mouse = self.middle, self.tab.mouse
        mouse.move(x + path[0][0], y + path[0][1])
        mouse.down()
        for right, down in path[1:]:
            mouse.move(x + right, y + down, steps=8)
        mouse.up()

    def pick(self, colour: str) -> None:
        self.tab.get_by_label("Color", exact=True).click()
        self.tab.locator(f"button.color[style*='{colour}']").click()

    def picture_with(self, what, holds) -> np.ndarray:
        """The coloured picture, once `holds(picture)`."""
        shown = self.tab.locator("#picture img")
        shown.wait_for()
        for _ in range(4 * PATIENCE_S):
            if shown.count():
                data = self.tab.request.get(shown.get_attribute("src")).body()
                picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
                if holds(picture.astype(int)):
                    return picture.astype(int)
            self.tab.wait_for_timeout(250)
        raise AssertionError(f"no picture with {what} appeared")

    def wait_for_words(self, words: str) -> None:
        self.tab.locator("#message").get_by_text(words).wait_for()


@pytest.fixture
def visitor(browser, address):
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    tab.set_default_timeout(PATIENCE_S * 1000)
    visitor = Visitor(tab, address)
    yield visitor
    tab.close()
    assert visitor.errors == []
    assert visitor.hosts == {"127.0.0.1"}


def ink(picture: np.ndarray) -> int:
    """How many pixels are not paper."""
    return int((picture < 225).all(-1).sum())


def test_drawing_changes_the_picture_at_every_stroke(visitor):
    visitor.draw((-60, -60), (60, -60), (60, 60))
    first = visitor.picture_with("two lines", lambda p: ink(p) > 1000)
    assert first.shape == (448, 448, 3)
    assert np.median(first) > 240  # on paper
    assert (first[:60] > 240).all()  # nothing was drawn there
    visitor.draw((-60, -180), (60, -180))
    visitor.picture_with("a line above", lambda p: ink(p[:60]) > 500)


def test_a_coloured_stroke_is_a_hint(visitor):
    visitor.draw((-60, -60), (60, -60))
    visitor.picture_with("a line", lambda p: ink(p) > 500)
    visitor.pick("rgb(214, 69, 61)")
    visitor.draw((100, 120), (112, 120))
    visitor.picture_with("red", lambda p: (p[..., 0] - p[..., 1:].max(-1)).max() > 90)


def test_a_cleared_sheet_is_asked_to_be_drawn_on(visitor):
    visitor.draw((-60, -60), (60, 60))
    visitor.picture_with("a line", lambda p: ink(p) > 500)
    visitor.tab.get_by_label("Clear canvas").click()
    visitor.wait_for_words("The sheet is empty")
    visitor.tab.locator("#picture img").wait_for(state="detached")


def test_an_example_is_coloured_and_can_be_drawn_on(visitor):
    visitor.tab.get_by_label("Thumbnail 2 of 6").click()
    first = visitor.picture_with("a face", lambda p: ink(p) > 2000)
    assert ink(first[-60:, :90]) == 0
    visitor.draw((-190, 190), (-130, 190))
    visitor.picture_with("more", lambda p: ink(p[-60:, :90]) > 200 and ink(p) > 2000)


def test_an_upload_is_coloured_or_refused_in_words(visitor):
    def upload(data: bytes) -> None:
        file = {"name": "drawing.png", "mimeType": "image/png", "buffer": data}
        visitor.tab.locator("input[type=file]").last.set_input_files(file)

    upload(png(square(300)))
    visitor.picture_with("a square", lambda p: ink(p) > 2000)
    upload(b"this is no picture")
    visitor.wait_for_words("not a picture")
