"""Two domains of drawn faces: what a translation should keep is known of each.

Hair, skin, eyes and background take their colours from one attribute law in every
style (`gan_lib.data.face_law`), each face on its own. So both domains have the same
colours equally often, no face has a twin on the other side, and a translated face can
be asked whether it kept what it had.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Container, Mapping
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from gan_lib.data import cache, face_law, face_render
from gan_lib.data.faces import SPLITS, drawing_version, faces
from gan_lib.data.pipeline import check_int
from gan_lib.data.unpaired import Unpaired

__all__ = ["STYLES", "counterparts", "two_styles"]

# Faces of these fill the frame and have hair and skin in the law's colours.
STYLES = ("toon-head", "lorelei", "adventurer")
_COLOURS = ("hair_color", "hair_tip_color", "hair_gradient", "skin", "eye_color",
            "background", "background_2")  # fmt: skip
_SHAPES = ("hair_length", "mouth_open", "glasses", "expression")
_MOST_DRAWS = 300  # of which the likest becomes the counterpart
_REAR_LENGTHS = {"none": "short", "neckHigh": "medium", "shoulderHigh": "medium"}
_OPEN_MOUTHS = ("agape", "angry", "laugh")  # of toon-head


def two_styles(
    size: int = 64,
    n: int | tuple[int, int] = 1500,
    *,
    styles: tuple[str, str] = ("toon-head", "lorelei"),
    seed: int = 0,
    split: str = "train",
    cache_dir: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Unpaired:
    """Faces in two drawing styles, none of them in both.

    Left out of both are beards, faces without hair, and glasses if one of the styles
    has none: whatever would have nothing to become on the other side. Colours follow
    the same law in both; shapes (of hair, eyes and mouth) are each style's own.

    Args:
        size: side in pixels, 8 to 1024.
        n: faces of each domain, or (of A, of B); at least 1.
        styles: (of A, of B), two different of "toon-head" (from the front, shaded,
            without outlines), "lorelei" (manga) and "adventurer" (with outlines).
        seed: another seed gives other faces.
        split: "train", "validation" or "test", which share no face.
        cache_dir, workers, progress: see `gan_lib.data.faces.faces`.
    Returns: `Unpaired` with `attributes_a` and `attributes_b`: the columns of
        `faces(include="attributes")`; for toon-head also hair_length and mouth_open.
    Raises: ValueError for an argument outside these ranges.
    """
    counts = (n, n) if isinstance(n, int | np.integer) else tuple(n)
    if len(styles) != 2 or styles[0] == styles[1] or not set(styles) <= set(STYLES):
        raise ValueError(
            f"styles expects two different ones of {', '.join(STYLES)}, but got "
            f'{styles!r}. Write for example styles=("toon-head", "lorelei").'
        )
    if len(counts) != 2 or split not in SPLITS:
        raise ValueError(
            "Expected n as one number or two, and split as one of "
            f"{', '.join(SPLITS)}, but got n={n!r} and split={split!r}."
        )
    options = {"cache_dir": cache_dir, "workers": workers, "progress": progress}
    domains = []
    for style, other, count in zip(styles, reversed(styles), counts, strict=True):
        count = check_int("n", count, 1, face_law.SPLIT_RANGE // 10)
        chosen = _chosen(style, other, split, seed, count)
        rows = [row for _, row in chosen]
        numbers = [number for number, _ in chosen]
        drawn = faces(
            size, numbers[-1] + 1, seed=seed, style=style, split=split, **options
        )
        table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        domains.append((drawn.images[numbers], table))
    (domain_a, table_a), (domain_b, table_b) = domains
    return Unpaired(
        domain_a,
        domain_b,
        styles,
        attributes_a=table_a,
        attributes_b=table_b,
    )


def counterparts(
    attributes: Mapping[str, np.ndarray],
    style: str = "lorelei",
    size: int = 64,
    *,
    seed: int = 0,
    cache_dir: str | os.PathLike | None = None,
    progress: bool = True,
) -> np.ndarray:
    """The same people in another style: one ideal answer each, for scores only.

    All colours both styles have are those of `attributes`. Of the shapes, length of
    hair, open mouth, glasses and expression are as far as both styles have them, in
    the first of 300 draws of the style that agrees in all of them, or else in most.

    Args:
        attributes: of the faces, as `two_styles(...).attributes_a` has them.
        style: to draw them in, one of `STYLES`.
        size: side in pixels, 8 to 1024.
        seed: of what `attributes` leave open.
        cache_dir: see `gan_lib.data.cache.cache_dir`.
        progress: show a bar while drawing.
    Returns: uint8 (n, size, size, 3).
    Raises: ValueError for another style, or attributes that lack colours.
    """
    if style not in STYLES:
        raise ValueError(f"style expects one of {', '.join(STYLES)}, got {style!r}.")
    if not {"hair_color", "skin", "background"} <= set(attributes):
        raise ValueError(
            "attributes: expected the columns of drawn faces, such as "
            f"two_styles(...).attributes_a, but got {', '.join(attributes) or 'none'}."
        )
    size = check_int("size", size, 8, 1025)
    columns = {name: np.asarray(values).tolist() for name, values in attributes.items()}
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    digest = hashlib.sha256(repr((rows, style, size, seed)).encode())
    digest.update(_code_version().encode())
    name = f"counterparts-{style}-{size}px-n{len(rows)}-{digest.hexdigest()[:16]}.npy"

    def drawn() -> np.ndarray:
        images = np.empty((len(rows), size, size, 3), np.uint8)
        bar = tqdm(rows, desc="drawing counterparts", disable=not progress, leave=False)
        for number, row in enumerate(bar):
            same = _likest(row, style, seed, number)
            images[number] = face_render.draw("images", style, same, size)
        return images

    return cache.cached(cache.cache_dir(cache_dir) / name, drawn)


def _chosen(style: str, other: str, split: str, seed: int, count: int) -> list:
    """The first `count` faces that suit both styles: (number, row) of each."""
    fitting = (
        (number, row)
        for number in itertools.count()
        if _fits(row := _row(style, split, seed, number), _columns(other))
    )
    return list(itertools.islice(fitting, count))


def _row(style: str, split: str, seed: int, number: int) -> dict[str, Any]:
    """A face's attributes, with length of hair and open mouth in every style."""
    row = face_law.sample(style, split, seed, number)
    if style == "toon-head":
        rear = _REAR_LENGTHS.get(row["rearHair"], "long")
        row["hair_length"] = "tied" if row["hair"] == "bun" else rear
        row["mouth_open"] = row["mouth"] in _OPEN_MOUTHS
    return row


@functools.cache
def _columns(style: str) -> frozenset[str]:
    return frozenset(_row(style, "train", 0, 0))


def _fits(row: Mapping[str, Any], other: Container[str]) -> bool:
    """Whether all of a face can be translated to one that has these columns."""
    bearded = row.get("beard", False) not in (False, "none")
    if bearded or row.get("details") == "mustache" or row["hair_length"] == "bald":
        return False
    return "glasses" in other or not row.get("glasses", False)


def _likest(
    row: Mapping[str, Any], style: str, seed: int, number: int
) -> dict[str, Any]:
    """Face `number` of `style` with the colours of `row` and shapes alike."""
    shapes = [name for name in _SHAPES if name in row and name in _columns(style)]
    best: tuple[int, dict[str, Any]] = (-1, {})
    for attempt in range(_MOST_DRAWS):
        place = (number * _MOST_DRAWS + attempt) % face_law.SPLIT_RANGE
        drawn = _row(style, "test", seed, place)
        if not _fits(drawn, row):
            continue
        agreeing = sum(drawn[name] == row[name] for name in shapes)
        if agreeing > best[0]:
            best = agreeing, drawn
        if agreeing == len(shapes):
            break
    colours = {name: row[name] for name in _COLOURS if name in row}
    return best[1] | {k: v for k, v in colours.items() if k in _columns(style)}


def _code_version() -> str:
    """Changes with this file and with the drawings."""
    with open(__file__, "rb") as file:
        own = hashlib.sha256(file.read().replace(b"\r\n", b"\n")).hexdigest()
    return drawing_version() + own
