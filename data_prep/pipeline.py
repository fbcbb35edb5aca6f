"""All stages in their order: pictures in, a packed set of faces out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_prep import crop, dedupe, detect, fetch, filter, inputs, pack
from data_prep.index import FILE_NAME, Index

STAGES: dict[str, tuple[Callable[..., dict[str, int]], type]] = {
    "fetch": (fetch.run, fetch.FetchSettings),
    "detect": (detect.run, detect.DetectSettings),
    "crop": (crop.run, crop.CropSettings),
    "filter": (filter.run, filter.FilterSettings),
    "dedupe": (dedupe.run, dedupe.DedupeSettings),
    "pack": (pack.run, pack.PackSettings),
}


def faces(
    source: str | Path,
    output: str | Path,
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
    **settings: Any,
) -> dict[str, dict[str, int]]:
    """Every stage from `source` to `output`; run again, it goes on where it was.

    Args:
        source: a folder or zip of pictures, a list of URLs (.txt, .csv, .jsonl) or a
            folder that gallery-dl filled.
        output: the work folder. Results: `images/`, `manifest.csv`, `report.html`.
        workers: processes; 0: one for each core. Or the address of a Dask scheduler.
        progress: show bars.
        dry_run: write nothing; the counts say what would be done first.
        **settings: a settings object for each stage that is not to have its defaults,
            by its name: `crop=CropSettings(size=128)`.
    Returns: stage -> outcome -> how many.
    Raises: ValueError for a setting or an input that cannot be; OSError when the disk
        is full: run it again when there is room.
    """
    if unknown := settings.keys() - STAGES.keys():
        raise TypeError(
            f"Expected settings for some of {', '.join(STAGES)}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    if dry_run and not (Path(output) / FILE_NAME).is_file():
        return {"fetch": {"new": sum(1 for _ in inputs.read(source))}}
    counts = {}
    with Index(output, read_only=dry_run) as index:
        if not dry_run:
            index.add(inputs.read(source))
        for name, (run, default) in STAGES.items():
            counts[name] = run(
                index,
                settings.get(name, default()),
                workers=workers,
                progress=progress,
                dry_run=dry_run,
            )
    return counts


def stage(
    name: str,
    output: str | Path,
    settings: Any = None,
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> dict[str, int]:
    """One stage on a work folder that is there; arguments as in `faces`."""
    run, default = STAGES[name]
    with Index(output, read_only=dry_run) as index:
        return run(
            index,
            settings or default(),
            workers=workers,
            progress=progress,
            dry_run=dry_run,
        )
