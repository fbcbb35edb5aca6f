"""`faces`: an endless supply of drawn anime faces with everything known of them.

Drawn by DiceBear (styles by several artists, see `licence`) and resvg, so that
nothing is downloaded and every attribute, outline and region is exact.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from gan_lib.data import cache, face_captions, face_draw, face_law, face_styles
from gan_lib.data.face_styles import STYLES, licence

__all__ = ["SPLITS", "STYLES", "Faces", "faces", "licence"]

SPLITS = tuple(face_law.SPLITS)
INCLUDES = ("line", "labels", "instances", "attributes", "captions")
RICH_STYLES = tuple(name for name, look in STYLES.items() if look.labels)
MIN_SIZE, MAX_SIZE = 8, 1024


@dataclass(frozen=True)
class Faces:
    """Aligned views of the same n faces; what was not asked for is None.

    images: uint8 (n, size, size, 3), RGB.
    line: uint8 (n, size, size, 1), black ink on white paper.
    labels: int32 (n, size, size), class of each pixel, an index of `label_names`.
    label_names: the same for every draw of a style; 0 is the background.
    instances: int32 (n, size, size), 10 * label + 1, or + 2 for the second of a
        pair (eyes, eyebrows; the one further right in the picture); background 0.
    attributes: one array of length n a column (text, bool).
    captions: n English sentences.
    """

    images: np.ndarray
    line: np.ndarray | None = None
    labels: np.ndarray | None = None
    label_names: tuple[str, ...] = ()
    instances: np.ndarray | None = None
    attributes: dict[str, np.ndarray] | None = None
    captions: list[str] | None = None


def faces(
    size: int = 64,
    n: int = 10_000,
    *,
    seed: int = 0,
    style: str = "lorelei",
    split: str = "train",
    include: str | Sequence[str] = (),
    cache_dir: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Faces:
    """Draw n faces, or load them if they were drawn before.

    Face i depends on (seed, style, split, i) and the versions of the drawing
    packages only: not on n, nor on the number of workers; a larger `size` shows
    the same face in more detail.

    Args:
        size: side in pixels, 8 to 1024.
        n: how many, 0 to 1e9.
        seed: any integer; another seed gives other faces.
        style: one of `STYLES`; "lorelei" is the manga one.
        split: "train", "validation" or "test", disjoint ranges of faces.
        include: any of "line", "labels", "instances", "attributes", "captions",
            or "all". Only lorelei and adventurer have all; the others have
            "attributes".
        cache_dir: folder for the drawn arrays; None: see `cache.cache_dir`.
        workers: processes that draw; None: one a core.
        progress: show a bar while drawing.
    Returns: a `Faces`.
    Raises: ValueError for an argument outside these ranges.
    """
    wanted = _check(size, n, seed, style, split, include, workers)
    folder = cache.cache_dir(cache_dir)

    def drawn(kind: str) -> np.ndarray:
        which = f"{style}-{kind}-{size}px-{split}-seed{seed}-n{n}"
        name = f"faces-{which}-{drawing_version()}.npy"
        return cache.cached(
            folder / name,
            lambda: face_draw.draw_all(
                kind, style, split, seed, size, n, workers=workers, progress=progress
            ),
        )

    labels = instances = None
    if wanted & {"labels", "instances"}:
        labels = drawn("labels")[..., 0].astype(np.int32)
    if "instances" in wanted:
        instances = _instances(labels, style)
    numbers = range(n)
    return Faces(
        images=drawn("images"),
        line=drawn("line") if "line" in wanted else None,
        labels=labels if "labels" in wanted else None,
        label_names=STYLES[style].labels if labels is not None else (),
        instances=instances,
        attributes=(
            _table([face_law.sample(style, split, seed, i) for i in numbers], style)
            if "attributes" in wanted
            else None
        ),
        captions=(
            [face_captions.caption(style, split, seed, i) for i in numbers]
            if "captions" in wanted
            else None
        ),
    )


def _instances(labels: np.ndarray, style: str) -> np.ndarray:
    """Number things apart: pairs are split at a fixed x, as the pose is fixed."""
    look = STYLES[style]
    left, _, width, _ = look.view
    size = labels.shape[-1]
    centres = left + (np.arange(size) + 0.5) * width / size  # x in style units
    instances = np.where(labels > 0, labels * 10 + 1, 0)
    for name, middle in look.split_x.items():
        second = (labels == look.labels.index(name)) & (centres > middle)
        instances += second
    return instances.astype(np.int32)


def _table(rows: list[dict], style: str) -> dict[str, np.ndarray]:
    columns = rows[0] if rows else face_law.sample(style, "train", 0, 0)
    return {name: np.array([row[name] for row in rows]) for name in columns}


@functools.cache
def drawing_version() -> str:
    """Changes with our drawing code and the drawing packages, so no stale cache."""
    digest = hashlib.sha256()
    for module in ("parts", "styles", "tables", "law", "svg", "render"):
        path = Path(__file__).with_name(f"face_{module}.py")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    for package in ("dicebear-core", "dicebear-styles", "resvg-py"):
        digest.update(metadata.version(package).encode())
    return digest.hexdigest()[:10]


def _check(size, n, seed, style, split, include, workers) -> set[str]:
    """Raise ValueError for what cannot be drawn; return the set of extras."""
    face_styles.check_style(style)
    if split not in SPLITS:
        raise ValueError(
            f"split expects one of {', '.join(SPLITS)}, but got {split!r}. "
            "Train on 'train', tune on 'validation', report on 'test'."
        )
    limits = {
        "size": (size, MIN_SIZE, MAX_SIZE),
        "n": (n, 0, face_law.SPLIT_RANGE),
        "workers": (1 if workers is None else workers, 1, 256),
        "seed": (seed, -(2**63), 2**63),
    }
    for name, (value, low, high) in limits.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            raise ValueError(
                f"{name} expects a whole number from {low} to {high}, but got "
                f"{value!r}. Try faces(size=64, n=1000)."
            )
    wanted = {include} if isinstance(include, str) else set(include)
    if "all" in wanted:
        wanted = wanted - {"all"} | set(INCLUDES)
    unknown = sorted(map(str, wanted - set(INCLUDES)))
    if unknown:
        raise ValueError(
            f"include expects any of {', '.join(INCLUDES)} or 'all', but got "
            f"{', '.join(unknown)}. Write for example include=('line', 'labels')."
        )
    missing = sorted(wanted - {"attributes"})
    if missing and style not in RICH_STYLES:
        raise ValueError(
            f"The style {style!r} has images and attributes only, but include asks for "
            f"{', '.join(missing)}. Use style='lorelei' or 'adventurer' for these."
        )
    return wanted
