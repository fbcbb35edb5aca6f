"""Where a notebook leaves its results."""

from __future__ import annotations

import os
from pathlib import Path

_DRIVE = Path("/content/drive/MyDrive")


def run_dir(name: str) -> Path:
    """The folder for results of the notebook `name`, made if missing.

    The first of these that applies: `$GAN_RUNS/name`; a mounted Google Drive
    (`gan_runs/name` there), because a Colab machine forgets its own disk; `runs/name`
    at the top of this project's checkout; `runs/name` in the current folder.
    """
    if os.environ.get("GAN_RUNS"):
        root = Path(os.environ["GAN_RUNS"])
    elif _DRIVE.is_dir():
        root = _DRIVE / "gan_runs"
    else:
        here = Path.cwd()
        checkouts = [p for p in (here, *here.parents) if (p / "gan_lib").is_dir()]
        root = (checkouts or [here])[0] / "runs"
    directory = root / name
    directory.mkdir(parents=True, exist_ok=True)
    return directory
