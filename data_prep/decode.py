"""One picture file of any kind to upright RGB pixels, whole or its centre square.

Files from strangers are opened here, so the order matters: look at the first bytes,
read the size that the header states, and only then decode.  Everything that cannot
be used ends in an `Unusable` whose text is a reason a learner can act on.
"""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
EXIF_ORIENTATION = 0x0112
# Decoded in turn rather than side by side, so that memory holds one at most.
_LARGE_PIXELS = 4_000_000
one_large_at_a_time = threading.RLock()

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unusable(Exception):
    """A file that cannot become a picture; the text says why."""


def check_signature(head: bytes) -> None:
    """Raise `Unusable` unless the first 16 bytes are those of a known format."""
    if not head:
        raise Unusable("empty file (0 bytes)")
    if (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"))
        or head[:4] + head[8:12] == b"RIFFWEBP"
    ):
        return
    if head.startswith((b"PK\x03\x04", b"Rar!", b"\x1f\x8b", b"7z\xbc\xaf")):
        raise Unusable("an archive inside: unpack it, or load it on its own")
    if head[4:8] == b"ftyp":
        raise Unusable("a HEIC, AVIF or video file: save it as JPEG or PNG")
    if head.startswith((b"II*\0", b"MM\0*", b"BM")):
        raise Unusable("a TIFF or BMP picture: save it as JPEG or PNG")
    raise Unusable("not a picture (no JPEG, PNG, WebP or GIF header)")


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings, which repeat what the list of skipped files says."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        yield


def decode_square(
    data: bytes,
    size: int,
    *,
    min_side_px: int,
    max_pixels: int,
    half: str | None = None,
) -> np.ndarray:
    """Decode the centre square of a picture.

    Only the first frame of an animation counts.  The EXIF orientation is applied,
    transparency is laid on white, 16-bit grey is scaled by 1/257, CMYK becomes RGB,
    and the square is resized with an antialiasing (Lanczos) filter.

    Args:
        data: the file's bytes (JPEG, PNG, WebP or GIF, whatever its name says).
        size: side of the result in pixels.
        min_side_px: the shorter side must have at least this many pixels.
        max_pixels: limit on width x height as stated by the header.
        half: "left" or "right" for files that hold two pictures side by side.

    Returns:
        uint8 array (size, size, 3).

    Raises:
        Unusable: with the reason.
    """

    def crop(image: Image.Image) -> np.ndarray:
        _check_size(image.size, min_side_px, max_pixels)
        return _square(image, size, half)

    return _read(data, max_pixels, crop)


def decode_upright(
    data: bytes, *, min_side_px: int = 1, max_pixels: int = 40_000_000
) -> np.ndarray:
    """Decode a whole picture, in the way of `decode_square`.

    Args:
        data: the file's bytes (JPEG, PNG, WebP or GIF, whatever its name says).
        min_side_px: the shorter side must have at least this many pixels.
        max_pixels: limit on width x height as stated by the header.

    Returns:
        uint8 array (height, width, 3), sRGB, turned as the EXIF orientation says.

    Raises:
        Unusable: with the reason.
    """

    def whole(image: Image.Image) -> np.ndarray:
        _check_size(image.size, min_side_px, max_pixels)
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        image = _on_white(_colors(image))
        return np.asarray(image if turn is None else image.transpose(turn))

    return _read(data, max_pixels, whole)


def _read(
    data: bytes, max_pixels: int, convert: Callable[[Image.Image], np.ndarray]
) -> np.ndarray:
    """`convert` of the opened picture; whatever goes wrong becomes a reason."""
    check_signature(data[:16])
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise Unusable(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is on, so a cut file cannot be told "
            "from a whole one: set it to False"
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height <= _LARGE_PIXELS:
                return convert(image)
            with one_large_at_a_time:
                return convert(image)
    except Unusable:
        raise
    except UnidentifiedImageError:
        raise Unusable("broken: the header cannot be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unusable(_too_large(None, max_pixels)) from None
    except MemoryError:
        raise Unusable("too large: not enough memory to decode it") from None
    except Exception as error:
        # Pillow's readers raise OSError, SyntaxError, ValueError, EOFError,
        # struct.error, KeyError, IndexError ... for broken bytes: any means skip.
        text = " ".join(str(error).split())[:120] or type(error).__name__
        raise Unusable(f"broken: {text}") from None


def _check_size(shape: tuple[int, int], min_side_px: int, max_pixels: int) -> None:
    width, height = shape
    if width * height > max_pixels:
        raise Unusable(_too_large(shape, max_pixels))
    if min(width, height) < min_side_px:
        raise Unusable(
            f"too small: {width} x {height} px, the shorter side needs {min_side_px}"
        )


def _too_large(shape: tuple[int, int] | None, max_pixels: int) -> str:
    limit = f"more than the limit of {max_pixels / 1e6:,.1f} million pixels"
    if shape is None:
        return f"too large: {limit}"
    return f"too large: {shape[0]} x {shape[1]} px is {limit}"


def _square(image: Image.Image, size: int, half: str | None) -> np.ndarray:
    # A JPEG can be decoded at 1/2, 1/4 or 1/8; three times the target keeps quality.
    image.draft(None, (3 * size, 3 * size))
    image.load()
    turn = _UPRIGHT.get(_orientation(image))
    if half:
        middle = image.width // 2
        left = 0 if half == "left" else image.width - middle
        image = image.crop((left, 0, left + middle, image.height))
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    if image.size != (side, side):
        image = image.crop((left, top, left + side, top + side))
    image = _colors(image)
    # Pillow multiplies by alpha before it averages, so hidden colours do not leak.
    image = image.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    image = _on_white(image)
    if turn is not None:
        image = image.transpose(turn)
    return np.asarray(image)


def _colors(image: Image.Image) -> Image.Image:
    """Any mode to RGB, or RGBA where something is transparent, both sRGB."""
    profile = image.info.get("icc_profile")
    image = _eight_bits(image)
    image = image.convert("RGBA" if image.has_transparency_data else _plain(image.mode))
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            # A profile that is damaged or of another mode is left out of account.
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            alpha = image.getchannel("A") if image.mode == "RGBA" else None
            opaque = image.convert("RGB") if alpha else image
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(
                opaque, source, target, outputMode="RGB"
            )
            if converted and alpha:
                converted.putalpha(alpha)
            return converted or image
    return image if image.mode == "RGBA" else image.convert("RGB")


def _plain(mode: str) -> str:
    """The mode in which a colour profile is to be applied."""
    return mode if mode in ("L", "CMYK") else "RGB"


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block does not make the picture unusable
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey (Pillow's I;16 and I) to 8 bits; `convert` would clip to white."""
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    grey = ((np.clip(values, 0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    result = Image.fromarray(grey)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
        result.putalpha(Image.fromarray(alpha))
    return result
