"""Line drawings: from any colour picture, and from a drawing of your own.

`sketch` and `sketch_pairs` turn pictures into lines, dark on white, so that any
pictures become pairs for pix2pix. `clean_drawing` brings what a person drew, scanned or
photographed to the same look.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from gan_lib.data.pairs import Pairs

__all__ = ["LINE_WIDTHS", "clean_drawing", "sketch", "sketch_pairs"]

LINE_WIDTHS = (0.8, 1.2, 1.6)
# Found by comparison with the exact line art of both drawn styles at 64 and 128 px.
_SIGMA = 1 / 160  # of the inner Gaussian, in sides of the picture, for line_width 1
_WIDER = 1.6  # the outer Gaussian, in sigmas: the paper's k
_THRESHOLD, _SHARPNESS = 0.03, 10.0  # the paper's epsilon and phi
_SHADOW = 0.2  # added to the brightness before dividing by it: dark noise draws nothing

_LINE_PX = 0.7 / 64  # width of lorelei's line art, in sides of the picture
_ENLARGED = 4  # drawings are worked on at this many times their final size
_PAPER_PX = 1 / 4  # reach of the search for blank paper, in sides of the picture
_EMPTY = 0.15  # contrast of a sheet without ink: grain of the paper
# Parts of the darkest ink that become 0 and 1: below lie shadows and the paper's grain.
_CUT = (0.25, 0.75)


def sketch(
    images: np.ndarray,
    *,
    line_width: float = 1.0,
    threshold: float = _THRESHOLD,
    sharpness: float = _SHARPNESS,
) -> np.ndarray:
    """Colour pictures as line drawings, dark on white.

    With G_s the Gaussian blur of width s, for each of red, green and blue

        D = (G_s x - G_ks x) / (G_ks x + 0.2),   k = 1.6
        T(D) = 1                                 if D >= -threshold
               1 + tanh(sharpness (D + threshold))  otherwise

    and the darkest of the three channels is the line. Extended difference of Gaussians
    (XDoG), Winnemoeller, Kyprianidis and Olsen 2012, Computers & Graphics 36(6),
    doi:10.1016/j.cag.2012.03.004, sections 2.3 to 2.5.

    Ours differs: no tone is added to D, so that dark hair stays white between its
    lines; D is divided by the local brightness, so that dark regions have lines too;
    three channels, so that a border between two colours of one brightness is seen.

    Args:
        images: uint8 (n, H, W, 3); the shorter side is the side below.
        line_width: 1 gives lines about as wide as the drawn faces' line art, for
            pictures of any size: s = line_width * side / 160. From 0.5 to 4.
        threshold: contrast that draws no line yet. Less: more and finer lines.
        sharpness: more makes the lines' edges harder.
    Returns: uint8 (n, H, W, 1).
    Raises: TypeError, ValueError for another array or a width outside 0.5 to 4.
    """
    _check_pictures(images)
    _check_width(line_width)
    sigma = line_width * _SIGMA * min(images.shape[1:3])
    lines = np.empty((*images.shape[:3], 1), np.uint8)
    for number, image in enumerate(images):  # one at a time: memory
        values = image.astype(np.float32) / np.float32(255)
        inner = ndimage.gaussian_filter(values, (sigma, sigma, 0))
        outer = ndimage.gaussian_filter(values, (_WIDER * sigma, _WIDER * sigma, 0))
        contrast = ((inner - outer) / (outer + _SHADOW)).min(-1, keepdims=True)
        depth = np.minimum(contrast + threshold, 0)  # (H, W, 1), 0 where paper stays
        lines[number] = np.rint(255 * (1 + np.tanh(sharpness * depth)))
    return lines


def sketch_pairs(
    images: np.ndarray,
    *,
    line_widths: Sequence[float] = LINE_WIDTHS,
    seed: int = 0,
    paths: Sequence[str] = (),
) -> Pairs:
    """Line drawing to colour, from any colour pictures.

    Lines of several widths, so that a drawing of your own, with whatever pen, looks
    like something seen in training. Picture i gets a width drawn from (seed, i) alone.

    Args:
        images: uint8 (n, H, W, 3).
        line_widths: to choose from, see `sketch`.
        seed: whole number >= 0.
        paths: their n names, or none.
    Returns: `Pairs`, source 1 channel, target `images`.
    Raises: see `sketch`; ValueError without a width.
    """
    _check_pictures(images)
    if not len(line_widths):
        raise ValueError(
            f"Expected at least one line width, such as {LINE_WIDTHS}, but got none."
        )
    source = np.empty((*images.shape[:3], 1), np.uint8)
    for number in range(len(images)):
        width = line_widths[
            int(np.random.default_rng([seed, number]).integers(len(line_widths)))
        ]
        source[number] = sketch(images[number : number + 1], line_width=width)[0]
    return Pairs(source, images, paths=tuple(paths))


def clean_drawing(
    pixels: np.ndarray, size: int = 64, *, line_width: float = 1.0, trim: bool = False
) -> np.ndarray:
    """Your own drawing in the look of the training line art.

    Transparency is laid on white (on black, if only then something shows). The paper
    is what is lightest nearby, and ink is what is darker than it, relative to the
    darkest; below a quarter it is taken for grain or shadow. A drawing in light on dark
    is turned round first. The picture is padded with white to a square. The lines'
    width is twice the distance to the nearest paper along their middle, its median over
    the drawing; all ink then grows or shrinks by half of what is too little or too
    much, and the middle of a line never goes. So a filled region stays filled, and a
    drawing with pens of two widths keeps both apart. A drawing of less than twice the
    final size is only resized: its lines are too thin to measure, their greys are ink.

    Args:
        pixels: uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4 with transparency).
        size: side of the result in pixels, 8 to 4096.
        line_width: 1 is that of lorelei, 0.65 of adventurer; 0 changes no line.
        trim: cut to the ink with a small margin first, for a drawing that fills only a
            part of its sheet. A canvas drawn in place should not be trimmed.
    Returns: uint8 (size, size, 1), ink black on white paper; an empty sheet is white.
    Raises: TypeError, ValueError for another array or size.
    """
    if not 8 <= size <= 4096:
        raise ValueError(f"size must be from 8 to 4096 pixels, but got {size}.")
    if line_width:
        _check_width(line_width)
    grey = _grey(pixels)
    is_small = max(grey.shape) < 2 * size
    ink = _ink(grey, size)
    if is_small:
        ink /= max(float(ink.max()), _EMPTY)
    else:
        ink = _hardened(ink)
    if trim:
        ink = _trimmed(ink)
    side = max(ink.shape)
    down, across = (side - np.array(ink.shape)) // 2
    square = np.zeros((side, side), np.float32)
    square[down : down + ink.shape[0], across : across + ink.shape[1]] = ink
    if line_width and not is_small:
        square = _resized(square, (_ENLARGED * size, _ENLARGED * size))
        square = _widened(square, line_width * _LINE_PX * _ENLARGED * size)
    drawn = _resized(square, (size, size), Image.Resampling.BOX)
    return np.rint(255 * (1 - drawn)).astype(np.uint8)[..., None]


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Brightness of a drawing on its paper, float32 (H, W) in [0, 1]."""
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8:
        raise TypeError(
            "Expected a drawing as uint8 pixels (0 to 255), but got "
            f"{pixels.dtype}. Floats in [-1, 1]: `to_uint8` first; in [0, 1]: "
            "`(255 * x).astype('uint8')`."
        )
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if 0 in pixels.shape or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] in (3, 4))
    ):
        raise ValueError(
            "Expected one drawing, (H, W), (H, W, 3) or (H, W, 4), but got "
            f"{pixels.shape}. For several, call this for each."
        )
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float32) / 255
    if pixels.ndim == 2 or pixels.shape[-1] == 3:
        return grey
    cover = pixels[..., 3].astype(np.float32) / 255
    on_white = grey * cover + (1 - cover)
    return on_white if np.ptp(on_white) > 0.1 else grey * cover


def _ink(grey: np.ndarray, size: int) -> np.ndarray:
    """How much darker than the paper each place is, float32 (h, w) in [0, 1]."""
    scale = _ENLARGED * size / max(grey.shape)
    if scale < 1:  # a photograph: the rest needs no more than this
        height, width = (max(1, round(side * scale)) for side in grey.shape)
        grey = _resized(grey, (width, height))
    if np.ptp(grey) < _EMPTY:
        return np.zeros_like(grey)
    low, high = np.quantile(grey, (0.001, 0.999))
    if np.median(grey) < (low + high) / 2:  # most of a sheet is paper
        grey, high = 1 - grey, 1 - low
    reach = max(3, round(_PAPER_PX * max(grey.shape)))
    paper = ndimage.uniform_filter(ndimage.maximum_filter(grey, reach), reach)
    # Not darker than half of the lightest: that is a filled region, not paper.
    return np.clip(1 - grey / np.maximum(paper, max(high / 2, 0.05)), 0, 1)


def _hardened(ink: np.ndarray) -> np.ndarray:
    """Ink or no ink, with a soft border: 0 for shadows and the grain of the paper."""
    # Not the darkest pixel alone, unless there is next to nothing: it may be a speck.
    darkest = max(float(np.quantile(ink, 0.995)), float(ink.max()) / 2, _EMPTY)
    faint, full = _CUT
    return np.clip((ink / darkest - faint) / (full - faint), 0, 1)


def _trimmed(ink: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis)) for axis in (1, 0))
    if not len(rows):
        return ink
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(cut, round(0.06 * max(cut.shape)))


def _widened(ink: np.ndarray, width_px: float) -> np.ndarray:
    """The ink with lines of about `width_px`; how, says `clean_drawing`."""
    mask = ink > 0.5
    if not mask.any():
        return ink
    inside = ndimage.distance_transform_edt(mask)
    middle = mask & (inside >= ndimage.maximum_filter(inside, 3))
    # The centre of a line of w pixels lies (w + 1) / 2 from the nearest paper's centre.
    half = float(np.median(inside[middle])) - 0.5
    outside = ndimage.distance_transform_edt(~mask)
    edge = np.where(mask, inside - 0.5, 0.5 - outside)  # to the border, > 0 inside
    drawn = np.clip(edge + (width_px / 2 - half) + 0.5, 0, 1)
    core = width_px / 2 - ndimage.distance_transform_edt(~middle)
    return np.maximum(drawn, np.clip(core + 0.5, 0, 1) * mask).astype(np.float32)


def _resized(
    values: np.ndarray, shape: tuple[int, int], method=Image.Resampling.BILINEAR
) -> np.ndarray:
    """float32 (H, W) at another (width, height), antialiased."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize(shape, method), np.float32)


def _check_width(line_width: float) -> None:
    if not 0.5 <= line_width <= 4:
        raise ValueError(
            "line_width must be from 0.5 (fine) to 4 (broad), where 1 is that of the "
            f"drawn faces, but got {line_width}."
        )


def _check_pictures(images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = getattr(images, "dtype", type(images).__name__)
        raise TypeError(
            "Expected a NumPy array of uint8 pictures (0 to 255), but got "
            f"{kind}. Float pictures in [-1, 1] are converted by `to_uint8`."
        )
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(
            f"Expected colour pictures (n, H, W, 3), but got {images.shape}. One "
            "picture: `image[None]`; grey ones: `np.repeat(images, 3, axis=-1)`."
        )
