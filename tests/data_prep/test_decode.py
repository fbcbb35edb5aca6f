"""Whole pictures of any kind become upright sRGB pixels, or a reason."""

import numpy as np
import pytest
from odd_pictures import encode, quarters
from PIL import Image, ImageCms, ImageFile

from data_prep.decode import EXIF_ORIENTATION, Unusable, decode_square, decode_upright

FOUR = np.asarray(quarters(40, 20))  # not square: shows a turn by its shape too


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_lossless_pixels_are_kept(kind):
    data = encode(Image.fromarray(FOUR), kind, lossless=True)
    np.testing.assert_array_equal(decode_upright(data), FOUR)


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (3, lambda x: np.rot90(x, 2)),
        (6, lambda x: np.rot90(x, 1)),
        (8, lambda x: np.rot90(x, -1)),
        (2, lambda x: x[:, ::-1]),
    ],
)
def test_exif_turns_are_applied(orientation, undo):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo(FOUR)))
    found = decode_upright(encode(stored, exif=exif))
    np.testing.assert_array_equal(found, FOUR)


def test_every_mode_becomes_rgb():
    grey = np.full((9, 9), 51 * 257, np.uint16)
    assert decode_upright(encode(Image.fromarray(grey)))[0, 0].tolist() == [51] * 3
    see_through = Image.new("RGBA", (9, 9), (255, 0, 255, 0))
    assert decode_upright(encode(see_through))[0, 0].tolist() == [255] * 3
    cmyk = Image.new("CMYK", (9, 9), (0, 255, 255, 0))
    red = decode_upright(encode(cmyk, "JPEG"))[0, 0]
    assert red[0] > 200
    assert red[1] < 60
    palette = Image.fromarray(FOUR).convert("P", palette=Image.Palette.ADAPTIVE)
    found = decode_upright(encode(palette))
    assert np.abs(found.astype(int) - FOUR).max() <= 8


def linear_profile():
    """A profile whose green and red change places, so that its use is plain to see."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = bytearray(profile)
    table = {}
    for entry in range(int.from_bytes(profile[128:132], "big")):
        at = 132 + 12 * entry
        table[profile[at : at + 4]] = at + 4
    red, green = table[b"rXYZ"], table[b"gXYZ"]
    swapped[red : red + 8] = profile[green : green + 8]
    swapped[green : green + 8] = profile[red : red + 8]
    return bytes(swapped)


def test_color_profile_is_applied_and_a_damaged_one_ignored():
    red = Image.new("RGB", (9, 9), (255, 0, 0))
    found = decode_upright(encode(red, icc_profile=linear_profile()))[0, 0].astype(int)
    assert found[1] > 200
    assert found[0] < 60
    found = decode_upright(encode(red, icc_profile=b"no profile"))[0, 0]
    assert found.tolist() == [255, 0, 0]
    square = decode_square(
        encode(red, icc_profile=linear_profile()), 8, min_side_px=1, max_pixels=10**6
    )
    assert square[0, 0, 1] > 200


def test_reasons():
    data = encode(quarters(200), "JPEG")
    with pytest.raises(Unusable, match="broken: .*truncated"):
        decode_upright(data[: len(data) // 2])
    with pytest.raises(Unusable, match="more than the limit of 0.0 million"):
        decode_upright(data, max_pixels=100)
    with pytest.raises(Unusable, match="the shorter side needs 300"):
        decode_upright(data, min_side_px=300)
    with pytest.raises(Unusable, match="empty file"):
        decode_upright(b"")
    with pytest.raises(Unusable, match="not a picture"):
        decode_upright(b"<html>not found</html>")


def test_a_setting_that_hides_cut_files_is_refused(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(Unusable, match="set it to False"):
        decode_upright(encode(Image.fromarray(FOUR)))
