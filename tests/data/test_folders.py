"""More than a hundred odd files: the good ones used, the bad ones reported."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_lib.data import folders
from gan_lib.data.decode import EXIF_ORIENTATION, Unusable, decode_square
from gan_lib.data.folders import load_folder

RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 180, 20), (20, 20, 220), (250, 250, 250)
LIMITS = {"min_side_px": 8, "max_pixels": 64_000_000}


def quarters(side: int = 64, mode: str = "RGB") -> Image.Image:
    """Red, green, blue and white in the four corners: shows turns and colours."""
    image = Image.new("RGB", (side, side))
    half = side // 2
    for colour, corner in zip(
        (RED, GREEN, BLUE, WHITE),
        ((0, 0), (half, 0), (0, half), (half, half)),
        strict=True,
    ):
        image.paste(colour, (*corner, corner[0] + half, corner[1] + half))
    return image.convert(mode)


def encode(image: Image.Image, kind: str, **options) -> bytes:
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


def write_all(folder: Path, files: dict[str, tuple[bytes, str]]) -> None:
    for name, (data, _) in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def shown(name: str) -> str:
    return name.replace("\n", "\\n")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    root = tmp_path_factory.mktemp("zoo")
    good, bad = good_files(), bad_files()
    write_all(root, good)
    write_all(root, bad)
    (root / "empty.png").mkdir()
    (root / "to_nowhere.png").symlink_to(root / "missing.png")
    (root / "circle.png").symlink_to(root / "circle.png")
    (root / "up").symlink_to(root)
    os.mkfifo(root / "pipe.jpg")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(root)  # socket names are limited to about 100 characters
    listener.bind("socket.jpg")
    os.chdir(here)
    listener.close()
    for junk in (".DS_Store", "Thumbs.db", "._plain.jpg", "__MACOSX/._a.png"):
        (root / junk).parent.mkdir(exist_ok=True)
        (root / junk).write_bytes(b"junk")
    reasons = {name: word for name, (_, word) in bad.items()} | {
        "empty.png": "empty folder", "to_nowhere.png": "nowhere",
        "circle.png": "cannot be read", "up": "read already",
        "pipe.jpg": "pipe", "socket.jpg": "pipe",
    }  # fmt: skip
    loaded = load_folder(root, 64, cache_dir=root.parent / "cache", progress=False)
    return root, good, reasons, loaded


def test_more_than_100_odd_files_all_accounted_for(zoo):
    _, good, reasons, loaded = zoo
    assert len(good) + len(reasons) >= 130
    assert set(loaded.paths) == {shown(name) for name in good}
    assert {item.path for item in loaded.skipped} == set(reasons)
    assert loaded.images.shape == (len(good), 64, 64, 3)
    assert loaded.images.dtype == np.uint8


def test_good_files_look_right(zoo):
    _, good, _, loaded = zoo
    by_name = dict(zip(loaded.paths, loaded.images, strict=True))
    wrong = {}
    for name, (_, look) in good.items():
        if look is None:
            continue
        error = np.abs(corners(by_name[shown(name)]) - EXPECTED[look]).max()
        if error > 24:  # lossy formats and the 216 colours of a palette
            wrong[name] = error
    assert not wrong


def test_bad_files_have_the_right_reason(zoo):
    _, _, reasons, loaded = zoo
    for item in loaded.skipped:
        assert item.reason
        assert reasons[item.path] in item.reason, item


def test_summary_counts_and_names(zoo, capsys):
    _, good, reasons, loaded = zoo
    text = loaded.summary()
    assert capsys.readouterr().out.strip() == text
    assert f"{len(good)} pictures of 64 px" in text
    assert f"{len(reasons)} files skipped" in text
    assert "too large" in text


def test_second_call_reads_the_cache(zoo, monkeypatch):
    root, _, _, loaded = zoo

    def must_not_run(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(folders, "decode_square", must_not_run)
    again = load_folder(root, 64, cache_dir=root.parent / "cache", progress=False)
    np.testing.assert_array_equal(again.images, loaded.images)
    assert again.paths == loaded.paths
    assert again.skipped == loaded.skipped


def small_folder(path: Path, count: int = 3) -> Path:
    path.mkdir(exist_ok=True)
    for number in range(count):
        image = Image.new("RGB", (40, 40), (number, 10, 20))
        image.save(path / f"{number:03d}.png")
    return path


def test_changed_file_is_read_again(tmp_path):
    root = small_folder(tmp_path / "in")
    load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    Image.new("RGB", (41, 40), (99, 0, 0)).save(root / "001.png")
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert loaded.images[1, 0, 0].tolist() == [99, 0, 0]


@pytest.mark.parametrize("damage", ["cut", "index", "missing"])
def test_damaged_cache_is_made_again(tmp_path, damage):
    root = small_folder(tmp_path / "in")
    first = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    (store,) = (tmp_path / "c" / "folders").iterdir()
    pixels, index = store / "pixels.u8", store / "index.json"
    if damage == "cut":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    elif damage == "index":
        index.write_text('{"paths": [')
    else:
        pixels.unlink()
    again = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    np.testing.assert_array_equal(first.images, again.images)


def test_ctrl_c_leaves_nothing_behind(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in", 30)
    calls = []

    def interrupted(data, size, **limits):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return decode_square(data, size, **limits)

    monkeypatch.setattr(folders, "decode_square", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_folder(root, 32, cache_dir=tmp_path / "c", progress=False, workers=1)
    assert not list((tmp_path / "c" / "folders").iterdir())


def test_large_result_stays_on_disk(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in")
    monkeypatch.setattr(folders, "_memory_limit", lambda: 1000)
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert isinstance(loaded.images, np.memmap)
    assert loaded.images[2, 5, 5].tolist() == [2, 10, 20]


def test_full_disk_is_told_before_work(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in")
    usage = folders.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        folders.shutil, "disk_usage", lambda _: usage._replace(free=100)
    )
    with pytest.raises(OSError, match="Free some space"):
        load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)


def test_no_permission_is_a_reason(tmp_path):
    root = small_folder(tmp_path / "in")
    (root / "000.png").chmod(0)
    if os.access(root / "000.png", os.R_OK):
        pytest.skip("this user (root) may read everything")
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert loaded.skipped[0].reason == "cannot be read: Permission denied"


def test_read_error_is_a_reason(tmp_path, monkeypatch):
    root = small_folder(tmp_path / "in")
    real = open

    def refuse(path, *args, **kwargs):
        if str(path).endswith("000.png"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr("gan_lib.data.scan.open", refuse, raising=False)
    loaded = load_folder(root, 32, cache_dir=tmp_path / "c", progress=False)
    assert loaded.skipped[0].reason == "cannot be read: Permission denied"
    assert len(loaded) == 2


def test_errors_talk_like_a_teacher(tmp_path):
    with pytest.raises(FileNotFoundError, match="spelling mistake"):
        load_folder(tmp_path / "nothing", cache_dir=tmp_path / "c")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no files"):
        load_folder(tmp_path / "empty", cache_dir=tmp_path / "c")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    (tmp_path / "bad" / "b.txt").write_bytes(b"notes")
    with pytest.raises(ValueError, match=r"(?s)no picture.*empty file.*a\.png.*b\.txt"):
        load_folder(tmp_path / "bad", cache_dir=tmp_path / "c", progress=False)
    with pytest.raises(ValueError, match="not a zip file"):
        load_folder(tmp_path / "bad" / "b.txt", cache_dir=tmp_path / "c")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe"):
        load_folder(tmp_path / "pipe", cache_dir=tmp_path / "c")
    with pytest.raises(ValueError, match="size must be"):
        load_folder(tmp_path / "bad", 0, cache_dir=tmp_path / "c")


def test_zip_of_odd_members(tmp_path):
    data = encode(quarters(), "PNG")
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b/顔.png", data)
        archive.writestr("second.jpg", data)
        archive.writestr("locked.png", data)
        archive.writestr("checksum.png", data, zipfile.ZIP_STORED)
        archive.writestr("../escape.png", data)
        archive.writestr("/absolute.png", data)
        archive.writestr("C:\\windows.png", data)
        archive.writestr("__MACOSX/._second.jpg", b"junk")
        archive.writestr("a/", b"")
        archive.writestr("inner.zip", b"PK\x03\x04" + bytes(50))
        archive.writestr("bomb.bin", bytes(20_000_000))
        archive.writestr("bomb.png", data + bytes(20_000_000))
    raw = bytearray(path.read_bytes())
    raw[raw.rfind(b"checksum.png", 0, raw.find(b"PK\x01\x02")) + 60] ^= 1
    member = raw.find(b"PK\x01\x02")
    while raw[member + 46 : member + 56] != b"locked.png":
        member = raw.find(b"PK\x01\x02", member + 4)
    raw[member + 8] |= 1  # the flag "encrypted"
    path.write_bytes(raw)
    loaded = load_folder(
        path, 64, cache_dir=tmp_path / "c", max_pixels=4_000_000, progress=False
    )
    assert loaded.paths == ("a/b/顔.png", "second.jpg")
    assert np.abs(corners(loaded.images[0]) - EXPECTED["colour"]).max() < 3
    reasons = {item.path: item.reason for item in loaded.skipped}
    assert {name: reasons[name].split(":")[0] for name in reasons} == {
        "../escape.png": "a name that points outside the zip file",
        "/absolute.png": "a name that points outside the zip file",
        "C:\\windows.png": "a name that points outside the zip file",
        "locked.png": "encrypted",
        "checksum.png": "broken in the zip file",
        "inner.zip": "an archive inside",
        "bomb.bin": "not a picture (no JPEG, PNG, WebP or GIF header)",
        "bomb.png": "too large",
    }
    assert not list(tmp_path.glob("**/escape.png"))


def test_name_that_is_not_text(tmp_path):
    root = os.fsencode(small_folder(tmp_path / "in"))
    try:
        with open(root + b"/\xff\xfe.png", "wb") as out:
            out.write(encode(quarters(), "PNG"))
    except OSError:
        pytest.skip("this file system takes only valid names")
    loaded = load_folder(tmp_path / "in", 32, cache_dir=tmp_path / "c", progress=False)
    assert len(loaded) == 4
    json.dumps(loaded.paths)
    loaded.summary()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_random_byte_changes_never_crash(kind):
    """Each result is a picture or `Unusable`; nothing else may come out."""
    rng = np.random.default_rng(7)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    options = {} if kind == "GIF" else {"exif": exif}
    whole = encode(quarters(48), kind, **options)
    used = 0
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = rng.integers(0, 256)
        if rng.random() < 0.3:
            data = data[: rng.integers(0, len(data))]
        with contextlib.suppress(Unusable):
            pixels = decode_square(bytes(data), 16, **LIMITS)
            assert pixels.shape == (16, 16, 3)
            used += 1
    assert used < 150


def test_antialiasing_matches_the_mean_of_each_block():
    """A fine checkerboard becomes its mean; picked pixels would be black or white."""
    board = (np.indices((512, 512)).sum(0) % 2 * 255).astype(np.uint8)
    for kind in ("PNG", "JPEG"):
        pixels = decode_square(encode(Image.fromarray(board), kind), 32, **LIMITS)
        assert np.abs(pixels.astype(int) - 127.5).max() < 3


MEMORY_PROBE = """
import resource, sys
from gan_lib.data.folders import load_folder
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loaded = load_folder(sys.argv[1], 64, cache_dir=sys.argv[2], progress=False, workers=4)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(loaded), (after - before) // 1024)
"""


@pytest.mark.slow
def test_memory_stays_bounded(tmp_path):
    """Bombs, four 25-megapixel PNGs and a file of 3 GB: one picture at a time."""
    root = tmp_path / "in"
    root.mkdir()
    big = png(5000, 5000, zlib.compress(bytes(5001 * 5000), 1))
    for number in range(4):
        (root / f"big{number}.png").write_bytes(big)
        (root / f"bomb{number}.png").write_bytes(
            png(40_000, 40_000, zlib.compress(bytes(10**6)))
        )
    with open(root / "huge.png", "wb") as out:  # a sparse file of 3 GB
        out.write(big)
        out.truncate(3 * 10**9)
    run = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE, root, tmp_path / "c"],
        capture_output=True, text=True, timeout=500, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    count, grown_mb = map(int, run.stdout.split())
    assert count == 4
    assert grown_mb < 500
