"""dataset.json, which says what a packed set is, and the check of a set against it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data_prep.atomic import sha256
from data_prep.index import Index
from data_prep.packing.shards import Item
from data_prep.reporting.stats import stats

FILE_NAME = "dataset.json"
SUMS = "images.sha256"  # as `sha256sum --check` reads it
FORMAT_VERSION = 1
UNKNOWN = "unknown"


def describe(
    index: Index, items: Sequence[Item], pack_settings: dict, shards: dict[str, dict]
) -> dict:
    """The content of dataset.json.

    Args:
        index: for the counts of what was dropped.
        items: the faces that are packed.
        pack_settings: of the pack stage.
        shards: path -> images, bytes, sha256, key.
    Returns: a dict that JSON can hold, the same for the same set.
    """
    sources = {item.source.id: item.source for item in items}.values()
    sums = index.folder / SUMS
    sizes = Counter((item.width, item.height, item.channels) for item in items)
    credits = Counter(
        (source.attribution, source.licence or UNKNOWN)
        for source in sources
        if source.attribution
    )
    return {
        "format_version": FORMAT_VERSION,
        "counts": {
            "faces": len(items),
            "pictures": len(sources),
            **_counts(item.split for item in items),
        },
        "image": [
            {"width": w, "height": h, "channels": c, "format": "png", "faces": n}
            for (w, h, c), n in sorted(sizes.items())
        ],
        "split": "by picture: a hash of its id",
        "licences": _counts(source.licence or UNKNOWN for source in sources),
        "attributions": [
            {"attribution": name, "licence": licence, "pictures": count}
            for (name, licence), count in sorted(credits.items())
        ],
        "detectors": _counts(item.face.detector for item in items),
        "settings": {
            "pack": pack_settings,
            "detect_keys": sorted({source.detect_key for source in sources}),
            "crop_keys": sorted({item.face.crop_key for item in items}),
        },
        "stages": stats(index),
        "files": {
            SUMS: {"bytes": sums.stat().st_size, "sha256": sha256(sums)},
            **shards,
        },
    }


def _counts(values) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def read_json(path: Path) -> dict:
    """A JSON object; {} when there is none or it cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def verify(folder: str | Path) -> list[str]:
    """Compare all files of a packed set with the checksums in its dataset.json.

    Returns: a line for each file that is damaged or missing, with how to mend it; an
        empty list when all are whole.
    Raises: FileNotFoundError without a dataset.json that can be read.
    """
    folder = Path(folder)
    files = read_json(folder / FILE_NAME).get("files")
    if not files:
        raise FileNotFoundError(
            f"Expected the list of files in {folder / FILE_NAME}, which is missing or "
            "damaged. Run pack: it writes the list when everything else is there."
        )
    wanted = {path: about["sha256"] for path, about in files.items()}
    if sha256(folder / SUMS) == wanted[SUMS]:
        for line in (folder / SUMS).read_text("utf-8").splitlines():
            sha, path = line.split("  ", 1)
            wanted[path] = sha
    problems = []
    for path, sha in wanted.items():
        found = sha256(folder / path)
        if found != sha:
            what = "damaged: not the bytes that were written" if found else "missing"
            problems.append(
                f"{path}: {what}. Run pack again, it writes this file anew."
            )
    return problems
