"""Small WebP pictures for the report, drawn in limited child processes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from data_prep.decode import Unusable, decode_upright
from data_prep.pixels import read_pixels
from data_prep.records import Face, Source
from data_prep.scan import explain
from data_prep.workers import Failure
from data_prep.workers import run as run_workers

KEPT_COLOR, OTHER_COLOR = "#1f77d0", "#e07b00"  # told apart by the colour-blind too


@dataclass(frozen=True)
class Thumbnail:
    """What to draw.

    Attributes:
        source: the picture; its pixels are read when there is no `crop`.
        crop: a path relative to the work folder.
        boxes: faces to be framed: blue and bold those that are kept, else orange.
        side: of the square that the result fits into, in pixels.
    """

    source: Source
    crop: str = ""
    boxes: tuple[Face, ...] = ()
    side: int = 96


def draw(
    folder: Path, wanted: Iterable[Thumbnail], workers: int | str = 0
) -> dict[Thumbnail, bytes]:
    """WebP bytes of each thumbnail that can be drawn, in the order of `wanted`."""
    tasks = list(dict.fromkeys((folder, thumbnail) for thumbnail in wanted))
    if not tasks:
        return {}
    return {
        thumbnail: result
        for (_, thumbnail), result in run_workers(_draw, tasks, workers=workers)
        if not isinstance(result, Failure)
    }


def _draw(task: tuple[Path, Thumbnail]) -> bytes:
    folder, wanted = task
    if wanted.crop:
        try:
            pixels = decode_upright((folder / wanted.crop).read_bytes())
        except OSError as error:
            raise Unusable(explain(error)) from None
    else:
        pixels = read_pixels(folder, wanted.source)
    image = Image.fromarray(pixels)
    full_width = image.width
    image.thumbnail((wanted.side, wanted.side), Image.Resampling.LANCZOS)
    _frame(image, wanted.boxes, image.width / full_width)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=75, method=4)
    return out.getvalue()


def _frame(image: Image.Image, faces: Iterable[Face], scale: float) -> None:
    """Draw the boxes; one that reaches past the border is drawn along it."""
    pen = ImageDraw.Draw(image)
    right, bottom = image.width - 1, image.height - 1
    for face in faces:
        left, x_end = (
            min(max(round(scale * x), 0), right) for x in (face.x, face.x + face.w)
        )
        top, y_end = (
            min(max(round(scale * y), 0), bottom) for y in (face.y, face.y + face.h)
        )
        kept = face.status == "kept"
        pen.rectangle(
            (left, top, max(left, x_end), max(top, y_end)),
            outline=KEPT_COLOR if kept else OTHER_COLOR,
            width=3 if kept else 2,
        )
