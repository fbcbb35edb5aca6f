"""report.html: complete, harmless whatever the names, bounded, always the same."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from work_folders import add_picture, fill, png

from data_prep.index import Index
from data_prep.records import Face, Source, source_id
from data_prep.report import SHEET_SIZE, TABLE_ROWS, write_report
from data_prep.reporting.thumbnails import Thumbnail, draw

HOSTILE = (
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    ' JavaScript:alert("1")',
    "data:text/html,<script>alert(1)</script>",
    'https://example.org/"><script>alert(1)</script>',
    "https://example.org/' onmouseover='alert(1)",
    "</title></style><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% for %}",
    "name\u202egnp.exe\n\0",
    "x" * 10_000,
)


class Page(HTMLParser):
    """Tags with attributes, and texts."""

    def __init__(self, path):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += f" {data}"

    def images(self) -> list[dict]:
        return [attributes for tag, attributes in self.tags if tag == "img"]


def write(folder) -> Page:
    with Index(folder) as index:
        return Page(write_report(index, workers=1))


def assert_harmless(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "base", "link"}
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "https://").startswith(("http://", "https://"))
        assert attributes.get("src", "data:image/webp;base64,").startswith(
            "data:image/webp;base64,"
        )


def test_what_it_shows(tmp_path):
    folder = fill(tmp_path / "w", pictures=9)
    with Index(folder) as index:
        index.add(
            [
                Source("1" * 16, "https://x.org/1", status="failed", reason="503 busy"),
                Source("2" * 16, "https://x.org/2", status="dropped", reason="HTML"),
            ]
        )
    page = write(folder)
    assert_harmless(page)
    images = page.images()
    # 18 kept, 9 dropped, and the 9 pictures with frames
    assert len(images) == 36
    assert all(image["alt"] for image in images)
    assert sum(i["alt"].startswith("Kept: https://") for i in images) == 18
    assert sum(i["alt"].startswith("Faces dropped: too blurred") for i in images) == 9
    for image in images:
        data = base64.b64decode(image["src"].split(",")[1])
        assert Image.open(io.BytesIO(data)).format == "WEBP"
    text = " ".join(page.text.split())
    for words in (
        "18 faces are kept", "too blurred 9", "503 busy", "CC0-1.0 5 10", "Painter 3",
        "https://x.org/2 HTML", "median 0.8",
    ):  # fmt: skip
        assert words in text, words
    assert ("a", "https://x.org/1") in [(t, a.get("href")) for t, a in page.tags]


def test_pictures_without_a_face_are_shown(tmp_path):
    folder = fill(tmp_path / "w", pictures=2)
    with Index(folder) as index:
        add_picture(index, "https://d.org/e.png", 7)
        index.set_faces(source_id("https://d.org/e.png"), [], "d1")
    page = write(folder)
    assert "no face found 1" in " ".join(page.text.split())
    alts = [image["alt"] for image in page.images()]
    assert "Pictures: no face found: https://d.org/e.png" in alts


def test_hostile_texts_stay_texts(tmp_path):
    folder = fill(tmp_path / "w", pictures=0)
    with Index(folder) as index:
        for k, text in enumerate(HOSTILE):
            add_picture(index, text, k, faces=1)
            for status in ("failed", "dropped"):
                id = source_id(text + status)
                index.add([Source(id, text, status=status, reason=text)])
            index.update(source_id(text), licence=text, attribution=text)
            face = index.faces(source_id=source_id(text))[1]
            index.update_face(face, reason=text)
    page = write(folder)
    assert_harmless(page)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "49" not in re.sub(r"\d{3,}", "", page.text)
    assert not {c for c in page.text if not c.isprintable()} - {"\n"}
    assert "x" * 500 not in page.text
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


@pytest.mark.slow
def test_size_is_bounded_whatever_there_is(tmp_path):
    """30 reasons, the pictures noise, which compresses worst; many failed sources."""
    folder = fill(tmp_path / "w", pictures=0)
    noise = [png(seed, 96) for seed in range(40)]
    for k, data in enumerate(noise):
        (folder / f"crops/{k}.png").write_bytes(data)
    with Index(folder) as index, index.transaction():
        url = "https://example.org/" + "y" * 200
        for k in range(930):
            id = f"{k:016x}"
            index.add([Source(id, f"{url}{k}", status="fetched")])
            crop = f"crops/{k % 40}.png"
            status = "dropped" if k % 31 else "kept"
            row = (status, f"reason {k % 31}: {k}", crop)
            face = Face(id, 0, 0, 0, 9, 9, 0.5, "test", "", "c", *row)
            index.set_faces(id, [face], "d")
        failed = (Source(f"f{k:015x}", f"{url}{k}", "", "", "", url + str(k), "", "", 0,
                  0, "failed", "z" * 900) for k in range(1_000))  # fmt: skip
        index.add(failed)
    page = write(folder)
    assert (folder / "report.html").stat().st_size < 5_500_000
    titles = [image["alt"].split(": https")[0] for image in page.images()]
    assert {titles.count(title) <= SHEET_SIZE for title in titles} == {True}
    for k in range(1, 31):  # each reason has some
        assert titles.count(f"Faces dropped: reason {k}") >= 6
    # once as a kind of reason, then in the table
    assert page.text.count("zzzz\N{HORIZONTAL ELLIPSIS}") == 1 + TABLE_ROWS
    assert f"and {1_000 - TABLE_ROWS} more" in page.text


def test_same_index_same_page_and_no_work_twice(tmp_path):
    folder, other = fill(tmp_path / "w", pictures=4), fill(tmp_path / "o", pictures=4)
    write(folder), write(other)
    path = folder / "report.html"
    assert path.read_bytes() == (other / "report.html").read_bytes()
    before = path.stat().st_mtime_ns
    write(folder)
    assert path.stat().st_mtime_ns == before
    with Index(folder) as index:
        index.update_face(index.faces()[0], status="dropped", reason="grey")
    assert "grey" in write(folder).text


def test_pictures_that_cannot_be_read_are_no_obstacle(tmp_path):
    folder = fill(tmp_path / "w", pictures=3)
    for k, path in enumerate(sorted((folder / "crops").iterdir())):
        path.write_bytes(b"") if k % 2 else path.unlink()
    for path in (folder / "sources").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    page = write(folder)
    assert page.images() == []
    assert "6 faces are kept" in page.text


def test_empty_index(tmp_path):
    page = write(fill(tmp_path / "w", pictures=0))
    assert "0 faces are kept" in page.text
    assert "Nothing is kept" in page.text


@pytest.mark.parametrize("size", [(640, 320), (40, 20)])
def test_frames_are_where_the_faces_are(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "black.png")
    source = Source("a" * 16, "black.png", str(tmp_path), "black.png")
    width, height = size
    box = (-5, height // 4, width // 2 + 5, height // 2)  # reaches past the left edge
    face = Face("a" * 16, 0, *box, 0.5, "test", status="kept")
    wanted = Thumbnail(source, boxes=(face,), side=320)
    (data,) = draw(tmp_path, [wanted], workers=1).values()
    blue = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[..., 2] > 100
    rows, columns = np.nonzero(blue)
    scale = blue.shape[1] / width
    assert blue.shape[1] == min(320, width)
    assert abs(rows.min() - scale * height / 4) <= 2
    assert abs(rows.max() - scale * height * 3 / 4) <= 2
    assert columns.min() <= 1
    assert abs(columns.max() - scale * width / 2) <= 2
