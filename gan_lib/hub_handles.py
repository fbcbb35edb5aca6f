"""Where a BigGAN module is: the six published ones, and the folder a handle means.

Modules are fetched with kagglehub, where TensorFlow Hub's collection lives now, and
not with tensorflow_hub: that package imports tf_keras, which installs the full
`tensorflow` wheel over tensorflow-cpu. Copies that tensorflow_hub has made are found.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from gan_lib.data.download import Offline
from gan_lib.data.named import kaggle_versions


@dataclass(frozen=True)
class Published:
    """A module of Brock et al. 2019 (arXiv:1809.11096), as its page documents it.

    Attributes:
        name: what `gan_lib.hub.load` takes.
        version: the last one on tfhub.dev.
        latent_dim: numbers in z.
        image_size: side of the images in px.
        truncation_range: lowest and highest truncation with statistics of its own.
    """

    name: str
    version: int
    latent_dim: int
    image_size: int
    truncation_range: tuple[float, float]

    @property
    def url(self) -> str:
        """Its address on tfhub.dev, after which tensorflow_hub names its copies."""
        return f"https://tfhub.dev/deepmind/{self.name}/{self.version}"

    @property
    def kaggle(self) -> str:
        """Its handle among Kaggle's models, without a version."""
        return f"deepmind/biggan/tensorFlow1/{self.name.removeprefix('biggan-')}"


PUBLISHED = {
    row.name: row
    for row in (
        Published("biggan-128", 2, 120, 128, (0.02, 1.0)),
        Published("biggan-256", 2, 140, 256, (0.02, 1.0)),
        Published("biggan-512", 2, 128, 512, (0.02, 1.0)),
        Published("biggan-deep-128", 1, 128, 128, (0.0, 1.0)),
        Published("biggan-deep-256", 1, 128, 256, (0.0, 1.0)),
        Published("biggan-deep-512", 1, 128, 512, (0.0, 1.0)),
    )
}

# The short form and the address of the page, old and new, have the same five parts.
_KAGGLE = re.compile(
    r"(?:https?://(?:www\.)?kaggle\.com/models/)?([\w-]+)/([\w-]+)/"
    r"(?:frameworks/)?tensorflow([12])/(?:variations/)?([\w.-]+)"
    r"(?:/(?:versions/)?(\d+))?",
    re.IGNORECASE,
)


def is_module(folder: Path) -> bool:
    """Whether a SavedModel lies in `folder`."""
    return any((folder / f"saved_model.{kind}").is_file() for kind in ("pb", "pbtxt"))


def locate(handle: str | os.PathLike) -> tuple[Path, Published | None]:
    """The folder of a module, fetched if need be; see `gan_lib.hub.load`.

    In this order: the handle is a folder; a copy lies in $TFHUB_CACHE_DIR, under the
    SHA-1 of its address or under its name; Kaggle, through kagglehub's own cache.

    Returns: the folder, and the row of `PUBLISHED` the handle names, if it does.
    Raises:
        ValueError: the handle means nothing.
        ImportError: kagglehub is needed and missing.
        ConnectionError: not here yet, and Kaggle cannot be reached or refuses.
    """
    text = os.fspath(handle).strip()
    folder = Path(text).expanduser()
    if text and folder.is_dir():
        return folder, None
    text = text.rstrip("/")
    on_kaggle = _KAGGLE.fullmatch(text)
    address, version = text, None
    if on_kaggle:
        owner, model, tensorflow, variation, version = on_kaggle.groups()
        address = f"{owner}/{model}/tensorFlow{tensorflow}/{variation}"
    published = next(
        (p for p in PUBLISHED.values() if address in (p.name, p.url, p.kaggle)), None
    )
    # A version that is asked for is Kaggle's, which need not be that of a copy.
    kept = _in_hub_cache(text, None if version else published)
    if kept:
        return kept, published
    if published:
        address = published.kaggle
    elif not on_kaggle:
        raise ValueError(_unknown(text))
    return _from_kaggle(address, version, text), published


def _in_hub_cache(text: str, published: Published | None) -> Path | None:
    """A copy in $TFHUB_CACHE_DIR, made by tensorflow_hub or by hand."""
    root = os.environ.get("TFHUB_CACHE_DIR")
    if not root:
        return None
    urls = [text, published.url] if published else [text]
    names = [hashlib.sha1(url.encode()).hexdigest() for url in urls]
    if published:
        names.append(published.name)
    folders = (Path(root).expanduser() / name for name in names)
    return next((folder for folder in folders if is_module(folder)), None)


def _from_kaggle(address: str, version: str | None, handle: str) -> Path:
    try:
        import kagglehub
    except ImportError as error:
        raise ImportError(
            f"The module {handle} is fetched with kagglehub, which cannot be imported "
            f"({error}). Install it with `pip install kagglehub`, or "
            f"{_by_hand(handle)}"
        ) from error
    if version is None:
        # Without a version kagglehub asks the server for the newest even if it has
        # one, so a copy that is whole would be of no use without internet.
        have = kaggle_versions("models", address)
        version = str(max(have)) if have else None
    full = f"{address}/{version}" if version else address
    try:
        return Path(kagglehub.model_download(full))
    except Exception as error:  # requests, kagglehub and gRPC errors of many classes
        text = " ".join(str(error).split())[:200]
        raise Offline(
            f"The module {handle} is not on this machine and could not be fetched as "
            f"{full} ({type(error).__name__}: {text}). Check the internet connection "
            f"(on Kaggle switch Internet on) and call again, or {_by_hand(handle)}"
        ) from error


def _by_hand(handle: str) -> str:
    return (
        "fetch it by hand: download it in a browser (the BigGAN modules are at "
        "https://www.kaggle.com/models/deepmind/biggan, which also shows their "
        "handles), unpack it into a folder, and pass that folder instead of "
        f"{handle!r}. A folder with the module's short name is also found inside "
        "the one that the environment variable TFHUB_CACHE_DIR names."
    )


def _unknown(text: str) -> str:
    return (
        f"{text!r} is no module that is known here, nor a folder. Expected one of the "
        f"names {', '.join(PUBLISHED)}; their address, such as "
        f"{PUBLISHED['biggan-128'].url}; a Kaggle handle, such as "
        f"{PUBLISHED['biggan-128'].kaggle}; or the folder of a module. An address of "
        "something else works if $TFHUB_CACHE_DIR holds tensorflow_hub's copy of it."
    )
