"""Public picture sets by name, for those who are online.

Nothing is bundled: each set is fetched from the place its authors chose, once, after
its licence and citation were shown, and then read like any folder of your own.
"""

from __future__ import annotations

import importlib
import os
import re
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from gan_lib.data import cache
from gan_lib.data.download import Offline, fetch, unpack
from gan_lib.data.folders import Folder, load_folder

_ISOLA = (
    "Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional "
    "Adversarial Networks. CVPR 2017."
)
_ZHU = (
    "Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using "
    "Cycle-Consistent Adversarial Networks. ICCV 2017."
)
_PIX2PIX_URL = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"


@dataclass(frozen=True)
class Source:
    """Where a set comes from and under which terms.

    Attributes:
        name: what `named` takes.
        route: "kaggle", "tfds" or "url".
        address: Kaggle handle, TFDS name, or URL.
        splits: names of its parts; the first is the default.  For Kaggle and URL
            they are folders inside the set ("" is the whole set).
        pairs: files hold two pictures side by side.
        licence: terms as far as they are known, in words.
        citation: whom to credit.
        sha256: published sum of the archive, if there is one.
    """

    name: str
    route: str
    address: str
    splits: tuple[str, ...]
    licence: str
    citation: str
    pairs: bool = False
    sha256: str | None = None


def _all_sources() -> dict[str, Source]:
    sources = [
        Source(
            "anime_faces", "kaggle", "splcher/animefacedataset", ("",),
            "As its Kaggle page states. The drawings belong to their artists: "
            "study them, do not pass them on.",
            "Anime Face Dataset by Spencer Churchill and Brian Chao (63,000 faces "
            "from getchu.com).",
        ),
        Source(
            "anime_faces_small", "kaggle", "soumikrakshit/anime-faces", ("",),
            "As its Kaggle page states. The drawings belong to their artists: "
            "study them, do not pass them on.",
            "Anime Faces by Soumik Rakshit (21,000 faces of 64 px).",
        ),
        Source(
            "selfie2anime", "kaggle", "arnaud58/selfie2anime",
            ("trainB", "trainA", "testB", "testA"),
            "As its Kaggle page states; research use. A is photographs of real "
            "people, B drawings.",
            "Kim, Kim, Kang, Lee: U-GAT-IT. ICLR 2020.",
        ),
        Source(
            "celeb_a", "tfds", "celeb_a", ("train", "validation", "test"),
            "Non-commercial research only, no redistribution (terms on the CelebA "
            "page). Photographs of real people.",
            "Liu, Luo, Wang, Tang: Deep Learning Face Attributes in the Wild. "
            "ICCV 2015.",
        ),
    ]  # fmt: skip
    for part in (
        "apple2orange", "summer2winter_yosemite", "horse2zebra", "monet2photo",
        "cezanne2photo", "ukiyoe2photo", "vangogh2photo", "maps", "cityscapes",
        "facades", "iphone2dslr_flower",
    ):  # fmt: skip
        sources.append(
            Source(
                f"cycle_gan/{part}",
                "tfds",
                f"cycle_gan/{part}",
                ("trainA", "trainB", "testA", "testB"),
                "No licence is stated for the set as a whole; research use.",
                _ZHU,
            )  # fmt: skip
        )
    for part, splits in {
        "facades": ("train", "val", "test"),
        "maps": ("train", "val"),
        "cityscapes": ("train", "val"),
        "edges2shoes": ("train", "val"),
        "edges2handbags": ("train", "val"),
        "night2day": ("train", "val", "test"),
    }.items():
        sources.append(
            Source(
                f"pix2pix/{part}",
                "url",
                f"{_PIX2PIX_URL}/{part}.tar.gz",
                splits,
                "Terms of the original photographs (see the pix2pix page); research "
                "use.",
                _ISOLA,
                pairs=True,
            )  # fmt: skip
        )
    return {source.name: source for source in sources}


SOURCES = _all_sources()


def available() -> str:
    """The table of names, routes and terms, printed and returned."""
    text = "\n\n".join(notice(source) for source in SOURCES.values())
    print(text)
    return text


def named(
    name: str,
    size: int = 64,
    *,
    split: str | None = None,
    half: str | None = None,
    cache_dir: str | os.PathLike | None = None,
    progress: bool = True,
) -> Folder:
    """Fetch a public set (once) and read it as squares of `size` pixels.

    Args:
        name: one of `available()`, for example "anime_faces".
        size: side of the squares in pixels.
        split: part of the set; default the first that `available()` names.
        half: for sets of pairs: "left" (default) or "right" picture of each file.
        cache_dir: where to keep it; default as in `load_folder`.  Kaggle and TFDS
            keep their own copies where they always do.
        progress: show progress bars.

    Returns:
        `Folder`, as `load_folder` gives it.

    Raises:
        ValueError: unknown name, split or half.
        ImportError: the set needs kagglehub or tensorflow_datasets.
        ConnectionError: it is not cached yet and the server cannot be reached.
        OSError: the server refuses, the disk is full or a file arrived damaged.
    """
    source = _find(name)
    split = source.splits[0] if split is None else split
    if split not in source.splits:
        raise ValueError(
            f"{name} has the splits {', '.join(map(repr, source.splits))}, but got "
            f"{split!r}."
        )
    if source.pairs:
        half = half or "left"
    print(notice(source))
    keep = cache.cache_dir(cache_dir) / "named"
    if source.route == "kaggle":
        root = _within(_from_kaggle(source), split)
    elif source.route == "tfds":
        root = _from_tfds(source, split, keep)
    else:
        root = _within(_from_url(source, keep, progress), split)
    return load_folder(
        root, size, half=half, cache_dir=cache_dir, progress=progress
    )  # fmt: skip


def _find(name: str) -> Source:
    if name not in SOURCES:
        raise ValueError(
            f"There is no set named {name!r}. Known names: {', '.join(SOURCES)}. "
            "Pictures of your own are read by load_folder(path)."
        )
    return SOURCES[name]


def notice(source: Source) -> str:
    lines = [
        f"{source.name}  ({source.route}: {source.address})",
        *textwrap.wrap("Licence: " + source.licence, 84),
        *textwrap.wrap("Please cite: " + source.citation, 84),
    ]
    if source.splits != ("",):
        lines.append("Splits: " + ", ".join(source.splits))
    return "\n  ".join(lines)


def _within(root: Path, split: str) -> Path:
    """The folder called `split`, wherever the archive's author put it."""
    if not split or root.name == split:
        return root
    found = sorted(path for path in root.rglob(split) if path.is_dir())
    if not found:
        raise OSError(
            f"{root} has no folder {split!r}. The set has changed since this list was "
            "written: look inside and pass the folder to load_folder."
        )
    return found[0]


def need(module: str, package: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"The set {name} is fetched with {package}, which cannot be imported "
            f"({error}). Install it with `pip install {package}`, then call again."
        ) from error


def offline(source: Source, error: Exception) -> Offline:
    text = " ".join(str(error).split())[:200]
    return Offline(
        f"{source.name} is not cached here and could not be fetched "
        f"({type(error).__name__}: {text}). Check the internet connection (on Kaggle "
        "switch Internet on) and call again. Without internet, use the drawn faces of "
        "gan_lib.data.faces or load_folder on pictures of your own."
    )


def _from_kaggle(source: Source) -> Path:
    kagglehub = need("kagglehub", "kagglehub", source.name)
    versions = kaggle_versions("datasets", source.address)
    handle = source.address
    if versions:  # a copy that is whole: name its version, and no server is asked
        handle = f"{handle}/versions/{max(versions)}"
    try:
        return Path(kagglehub.dataset_download(handle))
    except Exception as error:  # requests, kagglehub and gRPC errors of many classes
        raise offline(source, error) from error


def kaggle_versions(kind: str, handle: str) -> list[int]:
    """Versions that kagglehub has downloaded to the end (it marks them complete).

    `kind`: "datasets" or "models".
    """
    default = Path.home() / ".cache" / "kagglehub"
    root = Path(os.environ.get("KAGGLEHUB_CACHE") or default)
    marks = (root / kind / handle).glob("*.complete")
    return [int(mark.stem) for mark in marks if re.fullmatch(r"\d+", mark.stem)]


def _from_url(source: Source, keep: Path, progress: bool) -> Path:
    folder = keep / source.name
    if not folder.exists():
        archive = keep / "archives" / f"{source.name.replace('/', '_')}.tar.gz"
        fetch(source.address, archive, sha256=source.sha256, progress=progress)
        unpack(archive, folder)
        archive.unlink()
    return folder


def _from_tfds(source: Source, split: str, keep: Path) -> Path:
    """The still encoded pictures of a TFDS split, kept in one uncompressed zip."""
    target = keep / f"{source.name.replace('/', '_')}-{split}.zip"
    if target.exists():
        return target
    tfds = need("tensorflow_datasets", "tensorflow-datasets", source.name)
    try:
        examples = tfds.load(
            source.address, split=split, decoders={"image": tfds.decode.SkipDecoding()}
        )
    except Exception as error:  # download errors of many classes, also full disks
        raise offline(source, error) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for number, example in enumerate(examples.as_numpy_iterator()):
                archive.writestr(f"{number:07d}", example["image"])
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target
