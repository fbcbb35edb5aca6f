"""From arrays of pictures to one array, a file or an animation."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_prep.atomic import replacing
from gan_lib.data.pipeline import to_uint8

# Label maps: Okabe and Ito's colours, then lighter ones; 0, the background, is white.
LABEL_COLOURS = np.array(
    [
        (255, 255, 255), (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167),
        (230, 159, 0), (86, 180, 233), (240, 228, 66), (118, 118, 118), (34, 34, 34),
        (153, 199, 227), (242, 178, 140), (140, 214, 192), (235, 196, 216),
    ],
    np.uint8,
)  # fmt: skip


def as_batch(images) -> np.ndarray:
    """Pictures as uint8 (n, H, W, 3).

    Args:
        images: (n, H, W, C), (H, W, C) or a list of pictures of one size; C is 3, or
            1 for grey; uint8, or float in [-1, 1].
    Raises: ValueError on another shape; TypeError on another dtype.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(
            "Expected pictures of shape (n, H, W, 3) or (n, H, W, 1), or one of them. "
            f"Received: {images.shape}. For label maps use colour_labels first."
        )
    if images.dtype != np.uint8:
        images = to_uint8(images)
    return np.broadcast_to(images, (*images.shape[:3], 3))


def tile(
    images, columns: int | None = None, padding: int = 2, background: int = 255
) -> np.ndarray:
    """All pictures side by side in one, uint8 (H, W, 3).

    Args:
        images: see `as_batch`.
        columns: pictures in a row; None: about as many as rows, at most 16.
        padding: pixels between two pictures.
        background: grey level of padding and of empty places.
    Raises: ValueError if `columns` is below 1.
    """
    images = as_batch(images)
    count, height, width, _ = images.shape
    columns = default_columns(count) if columns is None else min(columns, count)
    if columns < 1:
        raise ValueError(f"Expected `columns` >= 1. Received: {columns}")
    lines = math.ceil(count / columns)
    shape = (
        lines * (height + padding) - padding,
        columns * (width + padding) - padding,
        3,
    )
    canvas = np.full(shape, background, np.uint8)
    for number, image in enumerate(images):
        line, column = divmod(number, columns)
        top, left = line * (height + padding), column * (width + padding)
        canvas[top : top + height, left : left + width] = image
    return canvas


def default_columns(count: int) -> int:
    """Columns of a grid that is somewhat wider than high, with full rows if it can."""
    wanted = math.sqrt(1.6 * count)
    near = range(math.ceil(0.8 * wanted), int(1.5 * wanted) + 1)
    full = [columns for columns in near if columns <= 16 and count % columns == 0]
    return min(
        full or [min(count, 16, math.ceil(wanted))], key=lambda c: abs(c - wanted)
    )


def save_grid(images, path: str | Path, columns: int | None = None) -> Path:
    """Write the tiled pictures to `path` at their own size; the suffix chooses PNG,
    JPEG or WebP. The file appears complete or not at all."""
    path = Path(path)
    picture = Image.fromarray(tile(images, columns))
    with replacing(path, durable=False) as file:
        picture.save(file)  # Pillow goes by the suffix of the file's name
    return path


def animate(
    frames: Sequence,
    path: str | Path,
    *,
    captions: Sequence[str] | None = None,
    milliseconds: int = 200,
    last_milliseconds: int = 1500,
    columns: int | None = None,
    quality: int = 70,
) -> Path:
    """Write an endless animation; the suffix chooses .webp (small) or .gif.

    Args:
        frames: pictures (H, W, C), or batches (n, H, W, C) which are tiled; each see
            `as_batch`; all of one size.
        path: where; the file appears complete or not at all.
        captions: one line of text under each frame.
        milliseconds, last_milliseconds: how long a frame and the last one stand.
        columns: of the tiling.
        quality: of WebP, 0 to 100.
    Returns: `path`.
    Raises: ValueError without frames, with another suffix or number of captions.
    """
    path = Path(path)
    if path.suffix not in (".webp", ".gif"):
        raise ValueError(f"Expected a path ending in .webp or .gif. Received: {path}")
    if not len(frames) or (captions is not None and len(captions) != len(frames)):
        raise ValueError(
            "Expected at least one frame and as many captions as frames. "
            f"Received: {len(frames)} frames, captions={captions}"
        )
    pictures = [Image.fromarray(tile(frame, columns)) for frame in frames]
    if captions is not None:
        pairs = zip(pictures, captions, strict=True)
        pictures = [_with_caption(picture, text) for picture, text in pairs]
    options = {"quality": quality, "method": 4} if path.suffix == ".webp" else {}
    with replacing(path, durable=False) as file:
        pictures[0].save(
            file,
            save_all=True,
            append_images=pictures[1:],
            duration=[milliseconds] * (len(pictures) - 1) + [last_milliseconds],
            loop=0,
            **options,
        )
    return path


class Animation:
    """An animated file that a notebook plays; the picture lies inside the notebook."""

    def __init__(self, path: str | Path, alt: str):
        self.path, self.alt = Path(path), alt

    def _repr_html_(self) -> str:
        kind = self.path.suffix.removeprefix(".")
        data = base64.b64encode(self.path.read_bytes()).decode()
        return f'<img alt="{self.alt}" src="data:image/{kind};base64,{data}">'


def animation(path: str | Path, alt: str) -> Animation:
    """Show the .webp or .gif file at `path`; `alt` says in words what it shows."""
    return Animation(path, alt.replace('"', "'"))


def colour_labels(labels, palette: np.ndarray | None = None) -> np.ndarray:
    """Label maps (..., H, W) of whole numbers >= 0 -> uint8 colours (..., H, W, 3).

    Args:
        palette: uint8 (K, 3); numbers from K on begin again at colour 1, so that only
            label 0 has the background's colour.
    Raises: ValueError if a label is negative or no whole number.
    """
    labels = np.asarray(labels)
    palette = LABEL_COLOURS if palette is None else np.asarray(palette, np.uint8)
    if labels.dtype.kind not in "iub" or (labels.size and labels.min() < 0):
        raise ValueError(
            "Expected label maps of whole numbers >= 0. Received: dtype "
            f"{labels.dtype}, smallest {labels.min() if labels.size else None}"
        )
    labels = labels.astype(np.int64)
    wrapped = np.where(labels == 0, 0, (labels - 1) % (len(palette) - 1) + 1)
    return palette[wrapped]


def _with_caption(picture: Image.Image, text: str) -> Image.Image:
    strip = 18
    canvas = Image.new("RGB", (picture.width, picture.height + strip), "white")
    canvas.paste(picture, (0, 0))
    font = ImageFont.load_default(size=13)
    draw = ImageDraw.Draw(canvas)
    draw.text((2, picture.height + 1), text, fill=(34, 34, 34), font=font)
    return canvas
