"""A folder of drawings, and the command."""

from __future__ import annotations

import socket
import sys

import numpy as np
import pytest
from demo_drawings import overlay, png, square
from PIL import Image

from gan_lib import demo
from gan_lib.demo import __main__ as command
from gan_lib.demo.colouring import EMPTY
from gan_lib.demo.folder import colour_folder
from gan_lib.demo.page import NotInstalled, build, follow, serve


@pytest.fixture
def drawings(tmp_path):
    """A folder with good drawings, in a subfolder too, and some that are none."""
    folder = tmp_path / "drawings"
    (folder / "more").mkdir(parents=True)
    (folder / "one.png").write_bytes(png(square()))
    (folder / "more" / "two.png").write_bytes(png(255 - square(100)))
    (folder / "same.gif").write_bytes(png(square()))
    (folder / "same.png").write_bytes(png(square(96)))
    (folder / "empty sheet.png").write_bytes(png(np.full((50, 50), 255, np.uint8)))
    (folder / "cut.png").write_bytes(png(square())[:60])
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_folder_is_coloured_and_what_was_left_out_is_named(drawings, tmp_path):
    output = tmp_path / "out"
    done = colour_folder(overlay(), drawings, output, progress=False)
    names = {str(path.relative_to(output)) for path in done.written}
    assert names == {"one.png", "more/two.png", "same.png"}
    assert {str(p.relative_to(output)) for p in output.rglob("*.png")} == names
    with Image.open(output / "one.png") as image:
        np.testing.assert_array_equal(image, demo.colour_drawing(overlay(), square()))
    reasons = {item.path: item.reason for item in done.skipped}
    assert set(reasons) == {"same.png", "empty sheet.png", "cut.png", "notes.txt"}
    assert "same.gif has the same name" in reasons["same.png"]
    assert "empty" in reasons["empty sheet.png"]
    assert "broken" in reasons["cut.png"]
    assert "not a picture" in reasons["notes.txt"]


def test_no_picture_is_replaced_unless_asked_for(drawings, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "one.png").write_bytes(b"mine")
    done = colour_folder(overlay(), drawings, output, progress=False)
    assert (output / "one.png").read_bytes() == b"mine"
    reasons = {item.path: item.reason for item in done.skipped}
    assert "--force" in reasons["one.png"]
    colour_folder(overlay(), drawings, output, force=True, progress=False)
    assert (output / "one.png").read_bytes() != b"mine"


def test_a_failed_write_leaves_the_old_picture(drawings, tmp_path, monkeypatch):
    output = tmp_path / "out"
    output.mkdir()
    (output / "one.png").write_bytes(b"mine")

    def fail(self, file, **options):
        file.write(b"half a pic")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="no room"):
        colour_folder(overlay(), drawings, output, force=True, progress=False)
    assert (output / "one.png").read_bytes() == b"mine"
    assert [p.name for p in output.rglob("*") if p.is_file()] == ["one.png"]


def test_impossible_folders_are_refused(drawings, tmp_path):
    for output in (drawings, drawings / "out"):
        with pytest.raises(ValueError, match="lies in the folder"):
            colour_folder(overlay(), drawings, output, progress=False)
    with pytest.raises(ValueError, match="is a file"):
        colour_folder(overlay(), drawings, drawings / "one.png", progress=False)
    with pytest.raises(ValueError, match="is a file"):
        colour_folder(overlay(), drawings / "one.png", tmp_path / "o", progress=False)
    with pytest.raises(FileNotFoundError, match="no folder"):
        colour_folder(overlay(), tmp_path / "none", tmp_path / "o", progress=False)


def test_the_command_colours_a_folder_and_says_what_it_skipped(
    exported, drawings, tmp_path, capsys
):
    folders = ["--folder", str(drawings), str(tmp_path / "out"), "--quiet"]
    assert command.main([str(exported), *folders]) == 0
    printed = capsys.readouterr().out
    assert "3 drawings coloured" in printed
    assert "4 files skipped" in printed
    assert "notes.txt" in printed
    assert command.main([str(exported), *folders]) == 1  # all there already
    assert "--force" in capsys.readouterr().out
    assert command.main([str(exported), *folders, "--force"]) == 0


def test_the_command_prints_one_sentence_instead_of_a_trace(exported, tmp_path, capsys):
    assert command.main([str(tmp_path / "nothing")]) == 1
    assert "model.export" in capsys.readouterr().err
    folders = ["--folder", str(tmp_path / "none"), str(tmp_path / "out")]
    assert command.main([str(exported), *folders]) == 1
    assert "no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([str(exported), "--port", "99999"])
    assert "0 to 65535" in capsys.readouterr().err


# The page, as far as it needs no Gradio


def test_the_page_shows_words_for_an_empty_sheet_and_a_picture_for_a_drawing():
    transparent = np.zeros((128, 128, 4), np.uint8)
    picture, words, lines = follow(overlay(), {"composite": transparent}, None, 1.0)
    assert picture is None
    assert lines is None
    assert "sheet is empty" in words
    picture, words, lines = follow(overlay(), {"composite": square()}, None, 1.0)
    assert picture.shape == (448, 448, 3)
    assert words == ""
    np.testing.assert_array_equal(lines, square())
    for cleared in (None, {"composite": None}):
        assert follow(overlay(), cleared, lines, 1.0) == (None, EMPTY, None)


def test_without_gradio_the_command_says_how_to_get_it(exported, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(NotInstalled, match=r"gan_lib\[demo\]"):
        build(overlay())
    assert command.main([str(exported)]) == 1
    assert "gan_lib[demo]" in capsys.readouterr().err


def test_a_port_in_use_is_explained(monkeypatch):
    monkeypatch.setattr("gan_lib.demo.page.build", lambda *_, **__: (None, {}))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {port} is taken"):
            serve(overlay(), port=port)
