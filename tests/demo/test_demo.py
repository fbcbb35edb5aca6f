"""Draw your own: from pixels to a coloured picture, without a browser."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from demo_drawings import RED, SIZE, overlay, png, square, with_stroke
from PIL import Image

from gan_lib import demo, export
from gan_lib.data.hints import paint_hints
from gan_lib.data.sketch import clean_drawing
from gan_lib.demo.colouring import read_drawing
from gan_lib.models.dcgan import build_generator as build_dcgan
from gan_lib.models.pix2pix import pix2pix

# One picture


def test_a_picture_is_the_generators_answer_to_the_cleaned_drawing_and_its_hints():
    hints = [(8, 8, RED), (3, 12, (0, 0, 255))]
    got = demo.colour_drawing(overlay(), square(), hints)
    lines = clean_drawing(square(), SIZE) / 127.5 - 1
    dots = paint_hints(SIZE, hints)[..., :3] / 127.5 - 1
    want = np.clip(np.rint((np.tanh(3 * lines + 6 * dots) + 1) * 127.5), 0, 255)
    assert got.shape == (SIZE, SIZE, 3)
    assert got.dtype == np.uint8
    np.testing.assert_allclose(got, want, atol=1)
    assert tuple(got[8, 8]) == tuple(want[8, 8])  # red, in the middle
    assert got[8, 8, 0] > 250 > 10 > got[8, 8, 1]


def test_the_same_drawing_in_any_form_gives_the_same_picture():
    ink = square()
    alpha = np.zeros((*ink.shape, 4), np.uint8)
    alpha[..., 3] = 255 - ink  # black ink on a transparent sheet
    picture = Image.fromarray(ink)
    forms = {
        "grey": ink,
        "one channel": ink[..., None],
        "colour": np.repeat(ink[..., None], 3, -1),
        "transparent": alpha,
        "PIL": picture,
        "PIL RGBA": Image.fromarray(alpha),
        "PIL palette": picture.convert("P"),
        "PIL one bit": picture.convert("1"),
        "PIL 16 bit": Image.fromarray(ink.astype(np.uint16) * 257),
        "light on dark": 255 - ink,
    }
    generate = overlay(channels=1)
    want = demo.colour_drawing(generate, ink)
    assert want.min() < 60 < 250 < want.max()
    for name, form in forms.items():
        got = demo.colour_drawing(generate, form)
        np.testing.assert_allclose(got, want, atol=2, err_msg=name)


def test_a_generator_of_three_channels_sees_the_lines_three_times():
    grey = demo.colour_drawing(overlay(channels=1), square())
    np.testing.assert_array_equal(
        demo.colour_drawing(overlay(channels=3), square()), grey
    )


def test_a_pix2pix_draws_with_its_averaged_generator_and_is_left_as_it_was():
    model = pix2pix(SIZE, width=4, source_channels=1, receptive_field=1)
    weights = model.ema_generator.get_weights()
    weights[0] += 0.05
    model.ema_generator.set_weights(weights)
    want = model.generate(clean_drawing(square(), SIZE)[None])[0]
    got = demo.colour_drawing(model, square())
    np.testing.assert_allclose(got, (want + 1) * 127.5, atol=1)
    for before, after in zip(weights, model.ema_generator.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("drawing", "error", "words"),
    [
        (np.full((64, 64), 255, np.uint8), ValueError, "sheet is empty"),
        (np.zeros((64, 64, 4), np.uint8), ValueError, "sheet is empty"),
        (np.zeros((64, 64, 2), np.uint8), ValueError, r"\(H, W, 4\)"),
        (np.zeros((2, 64, 64, 3), np.uint8), ValueError, "one drawing"),
        (np.zeros((64, 64), np.float32), TypeError, "uint8"),
        (np.zeros((0, 64), np.uint8), ValueError, "one drawing"),
    ],
)
def test_bad_drawings_are_refused_in_words(drawing, error, words):
    with pytest.raises(error, match=words):
        demo.colour_drawing(overlay(), drawing)


def test_a_fine_line_is_not_taken_for_an_empty_sheet():
    sheet = np.full((320, 320), 255, np.uint8)
    sheet[100, 100:140] = 0
    assert demo.colour_drawing(overlay(64, 1), sheet).min() < 200


def test_hints_are_refused_where_they_cannot_be_used():
    with pytest.raises(ValueError, match="Expected no hints"):
        demo.colour_drawing(overlay(channels=1), square(), [(1, 1, RED)])
    with pytest.raises(ValueError, match="inside the picture"):
        demo.colour_drawing(overlay(), square(), [(SIZE, 1, RED)])


def test_what_is_no_generator_of_pictures_from_drawings_is_refused():
    with pytest.raises(TypeError, match="got str"):
        demo.colour_drawing("generator.keras", square())
    with pytest.raises(ValueError, match="square drawings"):
        demo.colour_drawing(build_dcgan(), square())
    with pytest.raises(ValueError, match="square drawings"):
        demo.colour_drawing(overlay(channels=2), square())
    oblong = keras.Sequential([keras.Input((8, 16, 1)), keras.layers.Conv2D(3, 1)])
    with pytest.raises(ValueError, match="of squares"):
        demo.colour_drawing(oblong, square())


# Colours on the sheet


def test_coloured_strokes_become_dots_and_greys_stay_lines():
    lines, hints = demo.split_hints(with_stroke(RED, reach=8), SIZE)
    np.testing.assert_array_equal(lines, square())
    assert hints == [(8, 8, RED)] or hints == [(7, 7, RED)]
    grey = with_stroke((90, 95, 100))
    lines, hints = demo.split_hints(grey, SIZE)
    assert hints == []
    np.testing.assert_array_equal(lines, Image.fromarray(grey).convert("L"))


def test_dots_cover_a_stroke_and_little_else():
    sheet = np.full((256, 256, 3), 255, np.uint8)
    sheet[100:112, 40:200] = (30, 120, 40)
    _, hints = demo.split_hints(sheet, 64)
    mask = paint_hints(64, hints)[..., 3] > 0
    stroke = np.zeros((64, 64), bool)
    stroke[25:28, 10:50] = True
    assert mask[stroke].all()
    assert mask.sum() <= 5 * 48
    assert {colour for *_, colour in hints} == {(30, 120, 40)}


def test_a_dot_lies_where_it_was_put_on_a_sheet_that_is_no_square():
    sheet = np.full((100, 200, 3), 255, np.uint8)
    sheet[40:48, 150:158] = RED  # padded to 200 x 200, 50 rows above
    _, hints = demo.split_hints(sheet, 50)
    assert hints == [(38, 23, RED)]


def test_lines_hold_under_a_hint_put_on_top_of_them():
    first, _ = demo.split_hints(with_stroke(RED, at=(10, 10), reach=5), SIZE)
    across = with_stroke(RED, at=(32, 64))  # covers a part of the left edge
    gone, _ = demo.split_hints(across, SIZE)
    kept, hints = demo.split_hints(across, SIZE, first)
    assert hints
    assert gone[64, 34] == 255
    np.testing.assert_array_equal(kept, square())
    # Lines of another size are those of another sheet.
    again, _ = demo.split_hints(across, SIZE, first[:64])
    np.testing.assert_array_equal(again, gone)


def test_a_sheet_is_coloured_with_its_hints_only_if_the_generator_takes_them():
    sheet = with_stroke(RED)
    picture, lines, message = demo.colour_sheet(overlay(), sheet)
    assert picture[8, 8, 0] > 250 > 10 > picture[8, 8, 1]
    np.testing.assert_array_equal(lines, square())
    assert message == ""
    picture, lines, _ = demo.colour_sheet(overlay(channels=1), sheet)
    assert lines is None
    assert picture[8, 8].max() < 100  # there it is ink


def test_more_dots_than_in_training_are_thinned_and_the_person_is_told():
    sheet = np.full((256, 256, 3), 255, np.uint8)
    sheet[40:200, 40:200] = RED  # a whole region filled: many dots
    sheet[30:38, 30:34] = (0, 0, 255)  # and one short stroke beside it
    sheet[230:, :4] = 0
    _, hints = demo.split_hints(sheet, 64)
    assert len(hints) > 30
    picture, _, message = demo.colour_sheet(overlay(64), sheet)
    assert f"cover {len(hints)}" in message
    shown = np.abs(picture.astype(int) - picture[:1, -1:]).max(-1) > 60
    blue = (picture[..., 2] > 150) & (picture[..., 0] < 100)
    assert blue.any()
    # Eight dots of 5 x 5 pixels, the line and no more.
    assert 100 < shown.sum() <= 8 * 25 + 16
    few = np.full((256, 256, 3), 255, np.uint8)
    few[::32, 40:44] = RED
    few[230:, :4] = 0
    assert demo.colour_sheet(overlay(64), few).message == ""


def test_a_sheet_of_floats_is_refused():
    with pytest.raises(TypeError, match="uint8"):
        demo.split_hints(np.zeros((8, 8, 3)), SIZE)


# Files


def test_a_generator_is_opened_from_its_folder_or_one_file(exported, tmp_path):
    want = demo.colour_drawing(overlay(), square(), [(8, 8, RED)])
    alone = tmp_path / "alone"
    alone.mkdir()
    file = exported / "generator.keras"
    (alone / file.name).write_bytes(file.read_bytes())
    for path in (exported, alone, file, str(file)):
        got = demo.colour_drawing(demo.load_generator(path), square(), [(8, 8, RED)])
        np.testing.assert_array_equal(got, want)


def test_a_missing_or_broken_generator_is_explained(exported, tmp_path):
    with pytest.raises(FileNotFoundError, match="model.export"):
        demo.load_generator(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="model.export"):
        demo.load_generator(tmp_path)
    cut = tmp_path / "generator.keras"
    cut.write_bytes((exported / "generator.keras").read_bytes()[:500])
    with pytest.raises(ValueError, match="cannot be opened"):
        demo.load_generator(cut)
    text = tmp_path / "generator.txt"
    text.write_text("hello")
    with pytest.raises(ValueError, match="cannot be opened"):
        demo.load_generator(text)
    export.save(build_dcgan(image_size=8, width=4), tmp_path / "dcgan")
    with pytest.raises(ValueError, match="square drawings"):
        demo.load_generator(tmp_path / "dcgan")


def test_an_uploaded_drawing_is_cut_to_its_ink():
    sheet = np.full((400, 300), 255, np.uint8)
    sheet[300:380, 20:100] = square(80)
    drawing = read_drawing(png(sheet), 64)
    rows, columns = np.nonzero(drawing[..., 0] < 128)
    assert drawing.shape == (64, 64, 1)
    assert np.ptp(rows) > 45
    assert np.ptp(columns) > 45
