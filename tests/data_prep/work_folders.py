"""Work folders as the stages before pack leave them, made up for tests."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.index import Index
from data_prep.records import Face, Source, source_id


def png(seed: int, size: int = 16) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def fill(folder: Path, pictures: int = 12, faces: int = 2, size: int = 16) -> Path:
    """A fetched picture for each of hosts a, b, c in turn, each with kept faces."""
    for name in ("sources", "crops"):
        (folder / name).mkdir(parents=True)
    with Index(folder) as index:
        for k in range(pictures):
            url = f"https://{'abc'[k % 3]}.example.org/{k}.png"
            add_picture(index, url, k, faces, size)
    return folder


def add_picture(index: Index, url: str, seed: int, faces: int = 2, size: int = 16):
    """One picture of 64 px with `faces` kept faces and one that is dropped."""
    id = source_id(url)
    picture = png(seed, 64)
    (index.folder / f"sources/{id}.png").write_bytes(picture)
    sha = hashlib.sha256(picture).hexdigest()
    source = Source(
        id, url, "", f"sources/{id}.png", ["CC0-1.0", ""][seed % 2], f"Painter {seed}",
        "general", sha, 64, 64, "fetched",
    )  # fmt: skip
    rows = []
    for k in range(faces + 1):
        crop = png(1000 * seed + k + 1, size)
        path = f"crops/{id}_{k}.png"
        (index.folder / path).write_bytes(crop)
        verdict = ("kept", "") if k < faces else ("dropped", "too blurred: 3 < 9")
        rows.append(
            Face(
                id, k, 4 * k - 2, 3, 20 + k, 20 + k, 0.9 - k / 10, "test", "", "c1",
                *verdict, path, hashlib.sha256(crop).hexdigest(),
            )
        )  # fmt: skip
    index.add([source])
    index.set_faces(id, rows, "d1")


def tree(folder: Path) -> dict[str, bytes]:
    """All files but the index itself."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("index.sqlite")
    }
