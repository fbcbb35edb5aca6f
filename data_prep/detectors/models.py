"""Model files that others wrote: fetched from their authors at first use.

They are never part of this repository. Each is fetched once from its author's
repository at a fixed commit, its SHA-256 compared, and kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import requests

from data_prep.atomic import replacing, sha256

_FOLDER_VARIABLE = "DATA_PREP_MODELS"
_TIMEOUT_S = (10, 30)  # to connect, between two pieces
_MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class ModelFile:
    """Where a model file is from and what it must contain."""

    name: str
    url: str
    sha256: str
    licence: str


LBP = ModelFile(
    "lbpcascade_animeface.xml",
    "https://raw.githubusercontent.com/nagadomi/lbpcascade_animeface/"
    "4433ab1ae1166ea75acfe99eb0f18709dac329a0/lbpcascade_animeface.xml",
    "9376d30ac38db6bda2a68b88b3b76bbd7e6aa33af47f7f5c76bc88ca75f1ce30",
    "MIT, Copyright (C) 2011 nagadomi",
)
# Kept with Git LFS, whose files have an address of their own.
YUNET = ModelFile(
    "face_detection_yunet_2026may.onnx",
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/"
    "47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_detection_yunet/"
    "face_detection_yunet_2026may.onnx",
    "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
    "MIT, Copyright (c) 2020 Shiqi Yu",
)


def located(model: ModelFile, folder: str | Path | None = None) -> Path:
    """Path of a model file, fetched if it is not there yet.

    Args:
        model: which one.
        folder: where it is or shall be; default: the environment variable
            DATA_PREP_MODELS, else the user's cache folder.
    Raises: OSError when it cannot be fetched, or a file of its name has another
        content.
    """
    chosen = folder or os.environ.get(_FOLDER_VARIABLE)
    home = Path(chosen or platformdirs.user_cache_path("data_prep") / "models")
    path = home.expanduser() / model.name
    if path.is_file():
        if sha256(path) == model.sha256:
            return path
        raise OSError(
            f"{path} is not the file expected: its SHA-256 differs from "
            f"{model.sha256[:12]}..., so it is another version or was cut short. "
            "Delete it, and the next run fetches it again."
        )
    data = _fetched(model, path)
    if hashlib.sha256(data).hexdigest() != model.sha256:
        raise OSError(
            f"What {model.url} sent is not the file expected ({len(data):,} bytes, "
            "another SHA-256); nothing was kept. A proxy or a login page may have "
            f"answered. Fetch it in a browser, and put it at {path}."
        )
    with replacing(path) as file:
        file.write(data)
    print(f"{model.name} fetched to {path}. Its licence: {model.licence}.", flush=True)
    return path


def _fetched(model: ModelFile, path: Path) -> bytes:
    data = bytearray()
    try:
        with requests.get(model.url, stream=True, timeout=_TIMEOUT_S) as reply:
            reply.raise_for_status()
            for piece in reply.iter_content(1 << 16):
                data += piece
                if len(data) > _MAX_BYTES:
                    break
    except requests.RequestException as error:
        raise OSError(
            f"{model.name} could not be fetched ({type(error).__name__}). Check the "
            f"internet connection, or fetch {model.url} elsewhere and put it at "
            f"{path}. The detector 'default' needs no download."
        ) from error
    return bytes(data)
