"""What gallery-dl downloaded, and how to call it politely.

gallery-dl knows hundreds of sites. It is a program under the GPL, so it is started and
never imported, and what it leaves, pictures with a JSON file beside each, is an input.
It does not read robots.txt: whether a site allows it is for you to find out.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data_prep.fetching.settings import DEFAULTS, FetchSettings

_SIDE_BYTES = 10_000_000
# The first is what `download` asks gallery-dl to write.
_URL = ("picture_url", "file_url", "url", "image_url", "src")
_LICENCE = ("license_name", "license", "licence", "LicenseShortName", "UsageTerms")
_AUTHOR = ("artist", "author", "tag_string_artist", "tags_artist", "user", "creator")
_MATURE = (
    "nsfw", "is_nsfw", "is_mature", "mature", "over_18", "sensitive", "explicit",
    "possibly_sensitive", "x_restrict", "adult",
)  # fmt: skip


def side_files(paths: Iterable[str]) -> dict[str, str]:
    """{picture: JSON file} for the files that `--write-metadata` put beside others."""
    names = set(paths)
    return {
        name: f"{name}.json"
        for name in sorted(names)
        if f"{name}.json" in names and not name.endswith(".json")
    }


def row_of(path: Path) -> dict[str, str]:
    """A JSON side file as `url, licence, attribution, rating`, "" where unknown.

    Sites spell ratings in their own ways; where one says only that a picture is not
    for everyone, the rating is "mature". Note that "s" is "safe" on some and
    "sensitive" on others, so it has to be asked for.
    """
    data: Any = None
    with (
        contextlib.suppress(OSError, ValueError, RecursionError),
        path.open(encoding="utf-8", errors="replace") as file,
    ):
        data = json.loads(file.read(_SIDE_BYTES))
    if not isinstance(data, dict):
        return {}
    extra = data.get("extmetadata")
    known = {**extra, **data} if isinstance(extra, dict) else data
    rating = _first(known, ("rating",))
    if not rating and any(known.get(name) for name in _MATURE):
        rating = "mature"
    return {
        "url": _first(known, _URL),
        "licence": _first(known, _LICENCE),
        "attribution": _first(known, _AUTHOR),
        "rating": rating,
    }


def _first(data: Mapping, names: Iterable[str]) -> str:
    for name in names:
        text = _text(data.get(name))
        if text:
            return text
    return ""


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return _first(value, ("name", "username", "value", "title", "nick"))
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return "" if value is None or isinstance(value, bool) else str(value).strip()


def download(
    url: str,
    folder: str | Path,
    *,
    settings: FetchSettings = DEFAULTS,
    first: int = 100,
) -> Path:
    """Have the program gallery-dl download from a site it knows.

    It asks at the pace of `settings`, under our honest User-Agent, and goes on where it
    stopped when called again.

    Args:
        url: of a page, a search or a user.
        folder: where pictures and JSON files go; an input for `inputs.read`.
        settings: contact, pace, attempts and size are taken from it.
        first: at most so many pictures.
    Returns: the folder.
    Raises: FileNotFoundError if gallery-dl is not installed; ValueError unless `url` is
        http(s); RuntimeError with its last lines if it fails.
    """
    program = shutil.which("gallery-dl")
    if program is None:
        raise FileNotFoundError(
            "The program gallery-dl is not installed. It is under the GPL and not part "
            "of this package. Install it with: pip install gallery-dl"
        )
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"Expected a URL with http:// or https://, but got {url!r}.")
    folder = Path(folder)
    pause = str(max(settings.per_host_seconds, 0.0))
    command = [
        program, "--write-metadata", "--no-input", "--directory", str(folder),
        "--option", "url-metadata=picture_url",
        "--user-agent", settings.user_agent(), "--range", f"1-{first}",
        "--sleep", pause, "--sleep-request", pause, "--sleep-extractor", pause,
        "--retries", str(settings.attempts - 1), "--sleep-429", "60",
        "--filesize-max", str(settings.max_bytes),
        "--", url,
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if ended.returncode:
        lines = "\n".join((ended.stderr or ended.stdout).strip().splitlines()[-5:])
        raise RuntimeError(f"gallery-dl ended with code {ended.returncode}:\n{lines}")
    return folder
