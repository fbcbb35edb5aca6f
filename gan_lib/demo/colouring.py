"""A drawing of any kind to its coloured picture: what all fronts of the demo share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from PIL import Image
from scipy import ndimage

from data_prep.decode import decode_upright
from data_prep.scan import printable
from gan_lib.data.hints import CHANNELS, MOST, PATCH, Point, add_hints, paint_hints
from gan_lib.data.pipeline import to_float, to_uint8
from gan_lib.data.sketch import clean_drawing

_CHROMA = (
    16  # largest minus smallest of red, green, blue, from which a stroke is a hint
)
_COVER = 0.2  # share of a pixel that a stroke must cover: fine pens count as well
_FAINTEST = 200  # a drawing has at least one pixel as dark as this
LEAST_SIDE = 16  # pixels of an uploaded picture
EMPTY = (
    "The sheet is empty: no line is dark enough to be seen. Draw a face with the "
    "pencil, or start from an example."
)


TOO_MANY = (
    f"More colour than the generator has learned to read: it knows up to {MOST} dots a "
    "picture, and your strokes cover {}. The "
    f"{MOST} farthest from each other were used. A short stroke in each region says as "
    "much as a filled one."
)


class Source(NamedTuple):
    """What a generator wants to see."""

    size: int
    channels: int  # of the drawing: 1, or 3 with the same grey three times
    takes_hints: bool


class Sheet(NamedTuple):
    """What stands on a canvas, coloured."""

    picture: np.ndarray  # uint8 (size, size, 3)
    lines: np.ndarray | None  # for the next call; None if hints are not taken
    message: str  # something the person who draws should know, or nothing


def load_generator(path: str | os.PathLike) -> keras.Model:
    """The generator that `Pix2Pix.export` left in a folder, or in one file.

    Args:
        path: the folder with ``generator.json`` and ``generator.weights.h5`` or with
            ``generator.keras``; or that ``.keras`` file.
    Raises: FileNotFoundError, ValueError in words that say what to do.
    """
    path = Path(path).expanduser()
    pair = path / "generator.json", path / "generator.weights.h5"
    file = path / "generator.keras" if path.is_dir() else path
    # The pair first: older versions of Keras read it too.
    if not file.is_file() and not all(part.is_file() for part in pair):
        raise FileNotFoundError(
            f"There is no generator at {printable(str(path))}. Expected the folder "
            "that `model.export(folder)` wrote after training, or its file "
            f"generator.keras; relative paths start at {Path.cwd()}."
        )
    try:
        if all(part.is_file() for part in pair):
            network = keras.models.model_from_json(pair[0].read_text("utf-8"))
            network.load_weights(pair[1])
        else:
            network = keras.saving.load_model(file, compile=False)
    except Exception as error:  # Keras raises whatever its readers do
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ValueError(
            f"{printable(str(path))} cannot be opened as a generator ({reason}). "
            "Expected what `model.export(folder)` writes. A file that another version "
            "of Keras wrote: give the whole folder, whose generator.json and "
            "generator.weights.h5 both can read. A cut file: export it again."
        ) from error
    source_of(network)
    return network


def source_of(generate: Any) -> Source:
    """What pictures `generate` was built for.

    Raises: TypeError, ValueError when it is no generator of pictures from drawings.
    """
    shape = getattr(_network(generate), "input_shape", None)
    if not isinstance(shape, tuple):
        raise TypeError(
            "Expected a Pix2Pix model, or a Keras generator as `load_generator` opens "
            f"it, but got {type(generate).__name__}."
        )
    drawing = (1, CHANNELS + 1, 3, CHANNELS + 3)
    if len(shape) != 4 or shape[-1] not in drawing or None in shape[1:]:
        raise ValueError(
            "Expected a generator from square drawings, (size, size, 1) for lines or "
            f"(size, size, {CHANNELS + 1}) for lines with colour hints, but this one "
            f"takes {shape[1:]}. Open the one that the pix2pix notebook trained."
        )
    if shape[1] != shape[2]:
        raise ValueError(f"Expected a generator of squares, but it takes {shape[1:]}.")
    takes_hints = shape[-1] > CHANNELS
    return Source(shape[1], shape[-1] - CHANNELS * takes_hints, takes_hints)


def colour_drawing(
    generate: Any,
    drawing: np.ndarray | Image.Image,
    hints: Sequence[Point] = (),
    *,
    line_width: float = 1.0,
    trim: bool = False,
) -> np.ndarray:
    """One drawing in colour; the same drawing always gives the same picture.

    Args:
        generate: a `Pix2Pix`, or a Keras generator as `load_generator` opens it.
        drawing: a PIL picture, or uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4 with
            transparency), of any size, dark on light or light on dark. It is brought
            to the look of the training lines by `clean_drawing`.
        hints: (x, y, (red, green, blue)), see `paint_hints`: x and y count in pixels
            of the generator's picture, colours from 0 to 255.
        line_width: 1 for a generator trained on lorelei, 0.65 for adventurer.
        trim: cut to the ink first, for a drawing that fills only a part of its sheet.
    Returns: uint8 (size, size, 3).
    Raises: ValueError for an empty drawing, for hints that the generator does not
        take, and for what `source_of`, `clean_drawing` and `paint_hints` refuse.
    """
    source = source_of(generate)
    if len(hints) and not source.takes_hints:
        raise ValueError(
            "Expected no hints, because this generator was trained on lines alone, but "
            f"got {len(hints)}. Leave them out, or train with hints as in notebook 03."
        )
    lines = clean_drawing(
        _pixels(drawing), source.size, line_width=line_width, trim=trim
    )
    if lines.min() > _FAINTEST:
        raise ValueError(EMPTY)
    shown = np.repeat(lines, source.channels, -1)  # (S, S, 1 or 3)
    if source.takes_hints:
        shown = add_hints(shown, paint_hints(source.size, hints))
    images = _network(generate).predict_on_batch(to_float(shown[None]))
    image = to_uint8(np.asarray(images))[0]
    return np.repeat(image, 3, -1) if image.shape[-1] == 1 else image


def split_hints(
    sheet: np.ndarray, size: int, before: np.ndarray | None = None
) -> tuple[np.ndarray, list[Point]]:
    """What was drawn with black, and what with colours, on one sheet.

    Black and greys (the largest and the smallest of red, green and blue differ by less
    than 16) are lines. Coloured strokes become dots of the size used in training, side
    by side, so that they look to the generator like hints it knows.

    Args:
        sheet: uint8 (H, W, 3), (H, W, 4) or anything grey, as a canvas gives it.
        size: side of the generator's picture.
        before: the lines as they were before, (H, W): where a coloured stroke lies
            now, they still hold. None: paper there.
    Returns: lines, uint8 (H, W); dots (x, y, colour) as `colour_drawing` takes them.
    """
    pixels = _pixels(sheet)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise TypeError(
            "Expected one sheet as uint8 pixels, (H, W), (H, W, 3) or (H, W, 4), but "
            f"got {pixels.dtype} {pixels.shape}."
        )
    image = Image.fromarray(pixels).convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(paper, image).convert("RGB")
    pixels, lines = np.asarray(image), np.array(image.convert("L"))
    # Channel by channel: np.ptp over the last axis took as long as all the rest.
    red, green, blue = np.moveaxis(pixels, -1, 0)
    most = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    coloured = most - least >= _CHROMA  # (H, W)
    if before is None or before.shape != lines.shape:  # of another sheet
        before = np.full_like(lines, 255)
    lines[coloured] = before[coloured]
    return lines, _dots(pixels, coloured, size)


def _dots(pixels: np.ndarray, coloured: np.ndarray, size: int) -> list[Point]:
    """Coloured places as dots that cover them, (x, y, colour)."""
    if not coloured.any():
        return []
    strokes = Image.fromarray(np.dstack([pixels, np.uint8(255) * coloured]))
    side = max(strokes.size)
    square = Image.new("RGBA", (side, side))
    square.paste(strokes, ((side - strokes.width) // 2, (side - strokes.height) // 2))
    # Pillow weighs each colour by its cover, so paper does not pale them.
    small = np.asarray(square.resize((size, size), Image.Resampling.BOX))
    left, dots = small[..., 3] > 255 * _COVER, []
    while left.any():  # the middle of what is left first
        crowd = ndimage.gaussian_filter(left.astype(np.float32), PATCH / 2)
        y, x = np.unravel_index(np.argmax(crowd * left), left.shape)
        dots.append((int(x), int(y), tuple(small[y, x, :3].tolist())))
        reach = PATCH // 2
        left[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = 0
    return dots


def colour_sheet(
    generate: Any,
    sheet: np.ndarray,
    before: np.ndarray | None = None,
    *,
    line_width: float = 1.0,
) -> Sheet:
    """What stands on a canvas, coloured; coloured strokes are hints.

    In training a picture had at most 8 dots. Of more, 8 are kept that lie far from
    each other in place and colour, and `.message` says so.

    Args:
        sheet: see `split_hints`. Without hints in the generator, all of it is drawing.
        before: `.lines` of the last call for this canvas.
    Returns: `Sheet`.
    Raises: see `colour_drawing`.
    """
    source = source_of(generate)
    if not source.takes_hints:
        picture = colour_drawing(generate, sheet, line_width=line_width)
        return Sheet(picture, None, "")
    lines, hints = split_hints(sheet, source.size, before)
    message = TOO_MANY.format(len(hints)) if len(hints) > MOST else ""
    hints = _farthest(hints, source.size)
    picture = colour_drawing(generate, lines, hints, line_width=line_width)
    return Sheet(picture, lines, message)


def _farthest(dots: list[Point], size: int) -> list[Point]:
    """At most `MOST` dots, each as far as can be from those before it.

    A difference of the whole colour range counts as much as the picture's side, so a
    short stroke of another colour is not crowded out by a long one.
    """
    if len(dots) <= MOST:
        return dots
    places = np.array([(x / size, y / size) for x, y, _ in dots])
    colours = np.array([colour for *_, colour in dots]) / 255
    spread = np.hstack([places, colours])  # (n, 5)
    kept, distance = [0], np.full(len(dots), np.inf)
    while len(kept) < MOST:
        step = np.linalg.norm(spread - spread[kept[-1]], axis=1)
        distance = np.minimum(distance, step)
        kept.append(int(distance.argmax()))
    return [dots[number] for number in kept]


def read_drawing(data: bytes, size: int) -> np.ndarray:
    """A drawing from a file's bytes, cut to its ink and cleaned.

    Args:
        data: JPEG, PNG, WebP or GIF: a scan, a photograph, a saved canvas.
        size: side of the result.
    Returns: uint8 (size, size, 1).
    Raises: `data_prep.decode.Unusable`, whose text is the reason.
    """
    pixels = decode_upright(data, min_side_px=LEAST_SIDE)
    return clean_drawing(pixels, size, trim=True)


def enlarge(image: np.ndarray, side: int) -> Image.Image:
    """A picture (H, W, 1 or 3), uint8, at the size of a canvas, as RGB."""
    image = np.squeeze(image, -1) if image.shape[-1] == 1 else image
    method = Image.Resampling.BICUBIC
    return Image.fromarray(image).convert("RGB").resize((side, side), method)


def _network(generate: Any) -> Any:
    """The Keras model that draws: of a GAN, the averaged generator."""
    return getattr(generate, "ema_generator", generate)


def _pixels(drawing: np.ndarray | Image.Image) -> np.ndarray:
    """A PIL picture as uint8 pixels; arrays as they are, but for a lone channel."""
    if not isinstance(drawing, Image.Image):
        pixels = np.asarray(drawing)
        return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    if drawing.mode.startswith("I;16"):
        return (np.asarray(drawing) // 257).astype(np.uint8)
    has_alpha = "A" in drawing.getbands() or "transparency" in drawing.info
    return np.asarray(drawing.convert("RGBA" if has_alpha else "RGB"))
