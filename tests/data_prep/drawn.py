"""Simple drawn faces, all different, and work folders in which they were found."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from data_prep.index import Index
from data_prep.records import Face, Source, source_id


def face(seed: int, side: int = 256) -> Image.Image:
    """A head that fills the middle 1/1.84 of the picture, antialiased."""
    rng = np.random.default_rng(seed)
    big = 4 * side
    image = Image.new("RGB", (big, big), tuple(rng.integers(120, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)

    def oval(x, y, w, h, colour):
        box = [big * (x - w), big * (y - h), big * (x + w), big * (y + h)]
        draw.ellipse(box, fill=tuple(colour), outline=(30, 20, 20), width=big // 100)

    hair, eyes = rng.integers(20, 230, (2, 3)).tolist()
    oval(0.5, 0.45, *rng.uniform(0.3, 0.4, 2), hair)
    oval(0.5, 0.52, 0.24, 0.28, (245, 205, rng.integers(150, 200)))
    height, apart = rng.uniform(0.47, 0.53), rng.uniform(0.1, 0.13)
    for x in (0.5 - apart, 0.5 + apart):
        oval(x, height, 0.05, rng.uniform(0.04, 0.08), eyes)
    oval(0.5, rng.uniform(0.64, 0.7), *rng.uniform(0.02, 0.07, 2), (200, 60, 80))
    for x in rng.uniform(0.25, 0.7, 4):
        corners = [(x, 0.2), (x + 0.15, 0.2), (x + 0.07, rng.uniform(0.3, 0.45))]
        draw.polygon([(big * a, big * b) for a, b in corners], fill=tuple(hair))
    return image.resize((side, side), Image.Resampling.LANCZOS)


def page(seeds: list[int], side: int = 160) -> Image.Image:
    """Faces side by side."""
    image = Image.new("RGB", (side * len(seeds), side))
    for k, seed in enumerate(seeds):
        image.paste(face(seed, side), (side * k, 0))
    return image


def add(index: Index, folder: Path, name: str, picture: Image.Image, boxes) -> Source:
    """Save a picture and enter it with faces at `boxes`, the first the surest."""
    picture.save(folder / name)
    source = Source(
        source_id(name), name, str(folder), name, status="fetched", detect_key="d"
    )
    index.add([source])
    found = [
        Face(source.id, k, *box, 0.9 - k / 100, "test") for k, box in enumerate(boxes)
    ]
    index.set_faces(source.id, found, "d")
    return source


def fill(folder: Path, pictures: int, faces: int = 2, side: int = 160) -> Path:
    """`pictures` pages below `folder`/in and an index that knows their faces."""
    (folder / "in").mkdir(parents=True)
    boxes = [(side * k, 0, side, side) for k in range(faces)]
    with Index(folder / "out") as index:
        for k in range(pictures):
            seeds = list(range(faces * k, faces * (k + 1)))
            add(index, folder / "in", f"{k:03d}.png", page(seeds, side), boxes)
    return folder / "out"


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def state(out: Path) -> dict:
    """What a work folder holds: every crop's bytes and every face's columns."""
    crops = {path.name: path.read_bytes() for path in (out / "crops").glob("*")}
    with Index(out, read_only=True) as index:
        return {"crops": crops, "faces": index.faces(), "sources": index.sources()}
