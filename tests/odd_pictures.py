"""Pictures of every kind a folder may hold: good ones, odd ones, broken ones."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from data_prep.decode import EXIF_ORIENTATION

RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 180, 20), (20, 20, 220), (250, 250, 250)


def quarters(width: int = 64, height: int = 0, mode: str = "RGB") -> Image.Image:
    """Red, green, blue and white in the four corners: shows turns and colours.

    A square unless a height is given.
    """
    image = Image.new("RGB", (width, height or width))
    x, y = image.width // 2, image.height // 2
    for colour, (left, top) in zip(
        (RED, GREEN, BLUE, WHITE), ((0, 0), (x, 0), (0, y), (x, y)), strict=True
    ):
        image.paste(colour, (left, top, left + x, top + y))
    return image.convert(mode)


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def corners(pixels: np.ndarray) -> np.ndarray:
    quarter = pixels.shape[0] // 4
    at = [quarter, -quarter - 1]
    return pixels[np.ix_(at, at)].reshape(4, 3).astype(int)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def png(width: int, height: int, body: bytes, *extra: bytes) -> bytes:
    """A grey PNG that claims any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), *extra, png_chunk(b"IDAT", body)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png_chunk(b"IEND", b"")


def good_files() -> dict[str, tuple[bytes, str]]:
    """Name -> (bytes, what it must look like: a key of `EXPECTED`)."""
    image = quarters()
    jpeg = encode(image, "JPEG", quality=95, subsampling=0)
    black = Image.new("RGB", image.size)
    moving = {"save_all": True, "append_images": [black, black]}
    files = {
        "plain.jpg": (jpeg, "colour"),
        "progressive.jpg": (encode(image, "JPEG", progressive=True), "colour"),
        "plain.png": (encode(image, "PNG"), "colour"),
        "interlaced.png": (encode(image, "PNG", interlace=1), "colour"),
        "plain.webp": (encode(image, "WEBP", lossless=True), "colour"),
        "lossy.webp": (encode(image, "WEBP", quality=95), "colour"),
        "plain.gif": (encode(image, "GIF"), "colour"),
        "moving.gif": (encode(image, "GIF", **moving), "colour"),
        "moving.webp": (encode(image, "WEBP", lossless=True, **moving), "colour"),
        "moving.png": (encode(image, "PNG", **moving), "colour"),
        "cmyk.jpg": (encode(quarters(mode="CMYK"), "JPEG", quality=95), "colour"),
        "palette.png": (encode(quarters().quantize(16), "PNG"), "colour"),
        "rgba.png": (encode(quarters(mode="RGBA"), "PNG"), "colour"),
        "grey.jpg": (encode(quarters(mode="L"), "JPEG", quality=95), "grey"),
        "grey.png": (encode(quarters(mode="L"), "PNG"), "grey"),
        "grey_alpha.png": (encode(quarters(mode="LA"), "PNG"), "grey"),
        "one_bit.png": (encode(Image.new("1", (64, 64), 1), "PNG"), "white"),
        "jpeg_called.png": (jpeg, "colour"),
        "png_called.JPG": (encode(image, "PNG"), "colour"),
        "webp_called.gif": (encode(image, "WEBP", lossless=True), "colour"),
        "no_suffix": (jpeg, "colour"),
        "picture.txt": (jpeg, "colour"),
        ".hidden.png": (encode(image, "PNG"), "colour"),
        "Ünï – 顔 😀.png": (encode(image, "PNG"), "colour"),
        "名前/ファイル 1.jpg": (jpeg, "colour"),
        "deep/er/and/deeper/a.png": (encode(image, "PNG"), "colour"),
        "folder.png/inside.png": (encode(image, "PNG"), "colour"),
        "line\nbreak.png": (encode(image, "PNG"), "colour"),
        "rubbish_at_the_end.png": (encode(image, "PNG") + b"x" * 999, "colour"),
        "big.png": (encode(quarters(2000), "PNG"), "colour"),
        "big.jpg": (encode(quarters(2000), "JPEG", quality=95), "colour"),
    }
    deep = (np.asarray(quarters(mode="L"), np.uint16) * 257).astype(np.uint16)
    files["16_bit.png"] = (encode(Image.fromarray(deep), "PNG"), "grey")
    wide = Image.new("RGB", (301, 64), (255, 0, 255))
    wide.paste(image, (118, 0))
    files["wide.png"] = (encode(wide, "PNG"), "colour")
    files["tall.png"] = (encode(wide.transpose(Image.Transpose.ROTATE_90), "PNG"), None)

    hidden = Image.new("RGBA", (64, 64), (255, 0, 255, 0))
    files["hidden_magenta.png"] = (encode(hidden, "PNG"), "white")
    files["hidden_magenta.webp"] = (encode(hidden, "WEBP", lossless=True), "white")
    see_through = Image.new("P", (64, 64), 0)
    see_through.putpalette([255, 0, 255, 0, 0, 0])
    for kind in ("PNG", "GIF"):
        data = encode(see_through, kind, transparency=0)
        files[f"see_through.{kind.lower()}"] = (data, "white")
    key = encode(Image.new("RGB", (64, 64), (9, 9, 9)), "PNG", transparency=(9, 9, 9))
    files["colour_key.png"] = (key, "white")

    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
    for value in range(1, 9):
        stored = image
        if value > 1:
            exif = Image.Exif()
            exif[EXIF_ORIENTATION] = undo[value]
            stored = _turned(image, undo[value])
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = value
        for kind in ("JPEG", "PNG", "WEBP"):
            data = encode(stored, kind, exif=exif, quality=95)
            files[f"exif{value}.{kind.lower()}"] = (data, "colour")
    broken_exif = encode(
        image, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=95
    )
    files["broken_exif.jpg"] = (broken_exif, "colour")
    return files


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """What a viewer shows for `image` stored with this EXIF orientation."""
    array = np.asarray(image)
    views = {
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.transpose(1, 0, 2),
        6: np.rot90(array, -1),
        7: np.rot90(array, 2).transpose(1, 0, 2),
        8: np.rot90(array, 1),
    }
    return Image.fromarray(np.ascontiguousarray(views[orientation]))


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Name -> (bytes, a word of the reason that must be given)."""
    image = quarters(200)
    # Noise compresses badly, so that every cut really removes pixels.
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    noisy = Image.fromarray(noise)
    files = {
        "zero_bytes.png": (b"", "empty"),
        "zeros.jpg": (bytes(5000), "not a picture"),
        "text.png": (b"hello, I am a text", "not a picture"),
        "page.jpg": (b"<!DOCTYPE html><html></html>", "not a picture"),
        "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        "random.webp": (np.random.default_rng(1).bytes(3000), "not a picture"),
        "archive.zip": (b"PK\x03\x04" + bytes(99), "archive"),
        "photo.heic": (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC"),
        "scan.tif": (encode(image, "TIFF"), "TIFF"),
        "icon.bmp": (encode(image, "BMP"), "BMP"),
        "only_signature.png": (b"\x89PNG\r\n\x1a\n", "broken"),
        "only_signature.jpg": (b"\xff\xd8\xff\xe0", "broken"),
        "only_signature.gif": (b"GIF89a", "broken"),
        "only_signature.webp": (b"RIFF\0\0\0\0WEBP", "broken"),
        "one_pixel.png": (encode(Image.new("RGB", (1, 1)), "PNG"), "too small"),
        "thumbnail.jpg": (encode(quarters(16), "JPEG"), "too small"),
        "line.png": (encode(Image.new("1", (60_000, 1)), "PNG"), "too small"),
        "bomb.png": (png(50_000, 50_000, zlib.compress(bytes(10**6))), "too large"),
        "bomb_13k.png": (png(13_000, 13_000, zlib.compress(bytes(10**6))), "too large"),
        "bomb_huge.png": (png(2**31 - 1, 2**31 - 1, b""), "too large"),
        "bomb.gif": (
            b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2L\1\0;",
            "too large",
        ),
        "no_pixels.png": (png(100, 100, b""), "broken"),
        "zero_wide.png": (png(0, 100, b""), ""),
        "few_pixels.png": (png(100, 100, zlib.compress(bytes(300))), "broken"),
        "text_bomb.png": (
            png(
                64,
                64,
                zlib.compress(bytes(65 * 64)),
                png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000))),
            ),
            "broken",
        ),
    }
    webp = bytearray(encode(quarters(mode="RGBA"), "WEBP", exif=Image.Exif()))
    whole = {
        "jpg": encode(noisy, "JPEG", quality=90),
        "prog.jpg": encode(noisy, "JPEG", quality=90, progressive=True),
        "png": encode(noisy, "PNG"),
        "gif": encode(noisy, "GIF"),
        "webp": encode(noisy, "WEBP", quality=90),
        "lossless.webp": encode(noisy, "WEBP", lossless=True),
    }
    for suffix, data in whole.items():
        for percent in (1, 5, 20, 50, 80, 95):
            cut = data[: len(data) * percent // 100]
            files[f"cut{percent:02d}.{suffix}"] = (cut, "")
    data = bytearray(whole["png"])
    data[len(data) // 2] ^= 0xFF
    files["flipped_bit.png"] = (bytes(data), "broken")
    canvas = webp.find(b"VP8X")
    if canvas >= 0:  # a header that claims 16384 x 16384
        webp[canvas + 12 : canvas + 18] = b"\xff\x3f\x00\xff\x3f\x00"
        files["bomb.webp"] = (bytes(webp), "")
    return files


EXPECTED = {
    "colour": np.array([RED, GREEN, BLUE, WHITE]),
    "grey": np.array([[np.asarray(Image.new("RGB", (1, 1), c).convert("L")).item()] * 3
                      for c in (RED, GREEN, BLUE, WHITE)]),
    "white": np.full((4, 3), 255),
}  # fmt: skip
