"""Whole pictures of any kind become upright sRGB pixels, or a reason."""

import io
import os
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from data_prep.decode import EXIF_ORIENTATION, Unusable, decode_square, decode_upright
from data_prep.pixels import read_pixels
from data_prep.records import Source, source_id
from data_prep.scan import scan_folder


def quarters(width=40, height=20):
    """Red, green above blue, white: shows every turn and mirror."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = [255, 0, 0]
    pixels[: height // 2, width // 2 :] = [0, 255, 0]
    pixels[height // 2 :, : width // 2] = [0, 0, 255]
    pixels[height // 2 :, width // 2 :] = 255
    return pixels


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_lossless_pixels_are_kept(kind):
    data = encoded(Image.fromarray(quarters()), kind, lossless=True)
    np.testing.assert_array_equal(decode_upright(data), quarters())


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
    stored = Image.fromarray(np.ascontiguousarray(undo(quarters())))
    found = decode_upright(encoded(stored, exif=exif))
    np.testing.assert_array_equal(found, quarters())


def test_every_mode_becomes_rgb():
    grey = np.full((9, 9), 51 * 257, np.uint16)
    assert decode_upright(encoded(Image.fromarray(grey)))[0, 0].tolist() == [51] * 3
    see_through = Image.new("RGBA", (9, 9), (255, 0, 255, 0))
    assert decode_upright(encoded(see_through))[0, 0].tolist() == [255] * 3
    cmyk = Image.new("CMYK", (9, 9), (0, 255, 255, 0))
    red = decode_upright(encoded(cmyk, "JPEG"))[0, 0]
    assert red[0] > 200
    assert red[1] < 60
    palette = Image.fromarray(quarters()).convert("P", palette=Image.Palette.ADAPTIVE)
    found = decode_upright(encoded(palette))
    assert np.abs(found.astype(int) - quarters()).max() <= 8


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
    found = decode_upright(encoded(red, icc_profile=linear_profile()))[0, 0].astype(int)
    assert found[1] > 200
    assert found[0] < 60
    found = decode_upright(encoded(red, icc_profile=b"no profile"))[0, 0]
    assert found.tolist() == [255, 0, 0]
    square = decode_square(
        encoded(red, icc_profile=linear_profile()), 8, min_side_px=1, max_pixels=10**6
    )
    assert square[0, 0, 1] > 200


def test_reasons():
    data = encoded(Image.fromarray(quarters(200, 200)), "JPEG")
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
        decode_upright(encoded(Image.fromarray(quarters())))


def test_pixels_are_read_from_folder_zip_and_work_folder(tmp_path):
    data = encoded(Image.fromarray(quarters()))
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.png").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("deep/a.png", data)
    (tmp_path / "work" / "sources").mkdir(parents=True)
    (tmp_path / "work" / "sources" / "a.png").write_bytes(data)
    for origin, path in (
        (str(tmp_path / "in"), "deep/a.png"),
        (str(tmp_path / "in.zip"), "deep/a.png"),
        ("", "sources/a.png"),
    ):
        row = Source(id=source_id("a"), source="a", origin=origin, path=path)
        np.testing.assert_array_equal(read_pixels(tmp_path / "work", row), quarters())
    odd = os.fsencode(tmp_path / "in") + b"/\xff\x07.png"
    with open(odd, "wb") as file:
        file.write(data)
    (entry,) = (e for e in scan_folder(tmp_path / "in")[0] if "deep" not in e.path)
    row = Source(id="1", source="c", origin=str(tmp_path / "in"), path=entry.path)
    np.testing.assert_array_equal(read_pixels(tmp_path, row), quarters())
    gone = Source(id="0", source="b", origin=str(tmp_path / "in"), path="b.png")
    with pytest.raises(Unusable, match="cannot be read: No such file"):
        read_pixels(tmp_path, gone)
    gone = Source(id="0", source="b", origin=str(tmp_path / "in.zip"), path="b.png")
    with pytest.raises(Unusable, match="broken in the zip file"):
        read_pixels(tmp_path, gone)
