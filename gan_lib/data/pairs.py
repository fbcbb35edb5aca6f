"""Aligned pairs: `source`, what a network is shown, and `target`, the wanted answer.

From the drawn faces (line art, label map or grey picture to colour) and from any
colour pictures (black and white to colour). Pairs from your own files are read by
`gan_lib.data.pair_folders`, drawn from pictures by `gan_lib.data.sketch`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_prep.measure import colour
from data_prep.scan import Skipped, table
from gan_lib.data.faces import RICH_STYLES, faces
from gan_lib.plot.pixels import LABEL_COLOURS, colour_labels

__all__ = ["KINDS", "Pairs", "face_pairs", "grey_pairs", "paint_labels", "read_labels"]

KINDS = ("line", "labels", "grey")
# Share of a picture with a colour of its own, below which a photograph counts as grey.
LEAST_COLOUR = 0.01


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pictures twice: the same scene as `source` and as `target`, pixel on pixel.

    Attributes:
        source: uint8 (n, H, W, Cs), the input x of pix2pix; may be an np.memmap.
        target: uint8 (n, H, W, Ct), the wanted output y.
        nearest: for (source, target), whether it is a label map in colours, which
            must be resized by nearest neighbour: mixed colours are no label.
        paths: n names, or none.
        skipped: what was left out while reading, each with `.path` and `.reason`.

    Raises: TypeError, ValueError when the two do not fit together.
    """

    source: np.ndarray
    target: np.ndarray
    nearest: tuple[bool, bool] = (False, False)
    paths: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        _check_side("source", self.source)
        _check_side("target", self.target)
        if len(self.source) != len(self.target):
            raise ValueError(
                "Expected as many sources as targets, but got "
                f"{len(self.source)} sources and {len(self.target)} targets. Picture i "
                "of one must show what picture i of the other shows: check that both "
                "were read from the same list."
            )
        if self.source.shape[1:3] != self.target.shape[1:3]:
            raise ValueError(
                "Expected source and target of one size, but got "
                f"{_size(self.source)} and {_size(self.target)} px. Load or resize "
                "both to the same size."
            )
        if len(self.nearest) != 2:
            raise ValueError(
                "Expected `nearest` as two truth values, for source and target, but "
                f"got {self.nearest!r}. For a label map as source: (True, False)."
            )
        if self.paths and len(self.paths) != len(self.source):
            raise ValueError(
                f"Expected a name for each of the {len(self.source)} pairs or none, "
                f"but got {len(self.paths)} names."
            )

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, which: slice | np.ndarray | Sequence[int]) -> Pairs:
        """Some of the pairs: ``pairs[:100]``, or by an array of numbers or truths."""
        if isinstance(which, (int, np.integer)):
            raise TypeError(
                f"Expected a range such as pairs[{which}:{which + 1}], which gives a "
                f"smaller Pairs, but got the number {which}. One picture is "
                f"pairs.source[{which}] or pairs.target[{which}]."
            )
        chosen = np.arange(len(self))[which]
        paths = tuple(self.paths[k] for k in chosen) if self.paths else ()
        source, target = self.source[which], self.target[which]
        return Pairs(source, target, self.nearest, paths, self.skipped)

    def reversed(self) -> Pairs:
        """The other direction: what was the target is shown, the source is wanted."""
        flags = (self.nearest[1], self.nearest[0])
        return Pairs(self.target, self.source, flags, self.paths, self.skipped)

    def summary(self) -> str:
        """What there is and what was left out, printed and returned."""
        sides = f"{self.source.shape[-1]} -> {self.target.shape[-1]} channels"
        lines = [f"{len(self)} pairs of {_size(self.source)} px, {sides}"]
        text = "\n".join([*lines, *table(self.skipped)])
        print(text)
        return text


def face_pairs(
    size: int = 64,
    n: int = 10_000,
    *,
    kind: str = "line",
    seed: int = 0,
    style: str = "lorelei",
    split: str = "train",
    cache_dir: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Pairs:
    """Drawn faces in colour, with what they are to be made from.

    Args:
        size, n, seed, style, split, cache_dir, workers, progress: see
            `gan_lib.data.faces.faces`; for "line" and "labels" the style is
            "lorelei" or "adventurer", "grey" works with all.
        kind: the source: "line", exact line art, 1 channel; "labels", the exact label
            map in the colours of `paint_labels`, 3 channels; "grey", the luma of the
            target, 1 channel.
    Returns: `Pairs`, target 3 channels.
    Raises: ValueError for an argument outside these ranges.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, but got {kind!r}.")
    if kind != "grey" and style not in RICH_STYLES:
        raise ValueError(
            f'The style "{style}" has no line art and no label map, which '
            f'kind="{kind}" needs. Use the style {" or ".join(RICH_STYLES)}, or '
            'kind="grey".'
        )
    drawn = faces(
        size,
        n,
        seed=seed,
        style=style,
        split=split,
        include=() if kind == "grey" else kind,
        cache_dir=cache_dir,
        workers=workers,
        progress=progress,
    )
    if kind == "grey":
        return Pairs(luma(drawn.images), drawn.images)
    if kind == "labels":
        return Pairs(paint_labels(drawn.labels), drawn.images, (True, False))
    return Pairs(drawn.line, drawn.images)


def grey_pairs(images: np.ndarray, paths: Sequence[str] = ()) -> Pairs:
    """Black and white to colour, from any colour pictures.

    A picture that is grey already cannot teach a colour. It is left out and named in
    `.skipped`; yellowed and sepia photographs count as grey, and so does whatever has
    colours that follow from its brightness (see `data_prep.measure.colour`).

    Args:
        images: uint8 (n, H, W, 3), for example `load_folder(...).images`.
        paths: their n names; without them pictures are named by number.
    Returns: `Pairs`, source 1 channel, target 3 channels.
    Raises: TypeError, ValueError for another array, or when no picture has colour.
    """
    _check_side("images", images)
    if images.shape[-1] != 3:
        raise ValueError(
            "Expected colour pictures (n, H, W, 3), since their colours are the "
            f"answer, but got {images.shape}."
        )
    names = tuple(paths) or tuple(f"picture {k}" for k in range(len(images)))
    coloured = np.array([colour(image) >= LEAST_COLOUR for image in images], bool)
    reason = "grey: a picture without colour cannot teach how to colour"
    skipped = tuple(Skipped(names[k], reason) for k in np.flatnonzero(~coloured))
    if len(images) and not coloured.any():
        raise ValueError(
            f"All {len(images)} pictures are grey. Expected colour pictures: the grey "
            "side is made from them."
        )
    kept = np.flatnonzero(coloured)
    target = images if len(kept) == len(images) else images[kept]
    used = tuple(names[k] for k in kept) if paths else ()
    return Pairs(luma(target), target, paths=used, skipped=skipped)


def luma(images: np.ndarray) -> np.ndarray:
    """Brightness of colour pictures, uint8 (n, H, W, 3) -> (n, H, W, 1).

    Y' = 0.299 R' + 0.587 G' + 0.114 B' (ITU-R BT.601, section 2.5.1), as Pillow
    computes it for mode "L".
    """
    grey = np.empty((*images.shape[:3], 1), np.uint8)
    for number, image in enumerate(images):
        grey[number, ..., 0] = Image.fromarray(np.asarray(image)).convert("L")
    return grey


def paint_labels(labels: np.ndarray) -> np.ndarray:
    """Label maps as colour pictures, one fixed colour a label; see `read_labels`.

    Args:
        labels: whole numbers (..., H, W) from 0 to 13.
    Returns: uint8 (..., H, W, 3).
    Raises: ValueError for other labels: two with one colour could not be told apart.
    """
    labels = np.asarray(labels)
    if labels.size and labels.max() >= len(LABEL_COLOURS):
        raise ValueError(
            f"Expected labels from 0 to {len(LABEL_COLOURS) - 1}, the colours there "
            f"are, but got {labels.max()}. Merge labels, or paint them with "
            "`gan_lib.plot.colour_labels` and a longer palette."
        )
    return colour_labels(labels)


def read_labels(colours: np.ndarray) -> np.ndarray:
    """The label of each pixel's nearest colour: undoes `paint_labels`.

    argmin_k ||colours - palette_k||^2 in RGB. Exact for what `paint_labels` gave, and
    a sensible guess for what a network painted.

    Args:
        colours: uint8 (..., H, W, 3).
    Returns: int32 (..., H, W).
    Raises: ValueError, TypeError for another array.
    """
    colours = np.asarray(colours)
    if colours.dtype != np.uint8 or colours.ndim < 3 or colours.shape[-1] != 3:
        raise ValueError(
            "Expected uint8 colours (..., H, W, 3), but got "
            f"{colours.dtype} {colours.shape}. Floats in [-1, 1]: `to_uint8` first."
        )
    palette = LABEL_COLOURS.astype(np.float32)
    labels = np.empty(colours.shape[:-1], np.int32)
    for place in np.ndindex(colours.shape[:-3]):  # a picture at a time: memory
        pixels = colours[place].astype(np.float32)
        # ||c - p||^2 without ||c||^2, which is the same for every p.
        distance = (palette**2).sum(-1) - 2 * pixels @ palette.T  # (H, W, 14)
        labels[place] = distance.argmin(-1)
    return labels


def _size(images: np.ndarray) -> str:
    return f"{images.shape[2]} x {images.shape[1]}"


def _check_side(name: str, images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = getattr(images, "dtype", type(images).__name__)
        raise TypeError(
            f"Expected `{name}` as a NumPy array of uint8 pictures (0 to 255), but got "
            f"{kind}. Float pictures in [-1, 1] are converted by `to_uint8`."
        )
    if images.ndim != 4:
        hint = " Add the channel axis with `[..., None]`." if images.ndim == 3 else ""
        raise ValueError(
            f"Expected `{name}` of shape (n, height, width, channels), but got "
            f"{images.shape}.{hint}"
        )
