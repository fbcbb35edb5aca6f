"""What is known of a picture and of a face in it: the rows of the index."""

from __future__ import annotations

import dataclasses
import hashlib
from urllib.parse import urlsplit

HOST = "host:"
NO_FACE = "no face found"


@dataclasses.dataclass(frozen=True)
class Source:
    """One picture as it came.

    Attributes:
        id: 16 hexadecimal digits of the SHA-256 of `source`; files are named by it.
        source: its URL, or its path below the input folder or inside the zip.
        origin: the folder or zip it lies in; "" when it has to be fetched.
        path: where its pixels lie, relative to the work folder (fetched pictures) or
            to `origin`; "" before that.
        licence, attribution, rating: as the list or the site says; "" if unknown.
        source_sha256: of the bytes as they came.
        width, height: pixels, after the EXIF turn.
        status: "new", "fetched", "failed" (to be tried again) or "dropped".
        reason: why it failed or was dropped.
        attempts: how often it was asked for.
        detect_key: settings its faces were looked for with; "" when not yet.
    """

    id: str
    source: str
    origin: str = ""
    path: str = ""
    licence: str = ""
    attribution: str = ""
    rating: str = ""
    source_sha256: str = ""
    width: int = 0
    height: int = 0
    status: str = "new"
    reason: str = ""
    attempts: int = 0
    detect_key: str = ""


@dataclasses.dataclass(frozen=True)
class Face:
    """One face found in a picture.

    Attributes:
        source_id: `Source.id`.
        face_index: 0, 1, ... by falling score.
        x, y, w, h: box in pixels of the upright picture.
        score: the detector's certainty, 0 to 1.
        detector: its name.
        landmarks: JSON list of [name, x, y]; "" without.
        crop_key: settings its crop was made with; "" when not yet.
        status: "found", "cropped", "kept" or "dropped".
        reason: why it was dropped.
        output: path of the crop relative to the work folder.
        output_sha256: of that file.
        phash: perceptual hash, 16 hexadecimal digits.
        measures: JSON object of what the filter judges by.
    """

    source_id: str
    face_index: int
    x: int
    y: int
    w: int
    h: int
    score: float
    detector: str
    landmarks: str = ""
    crop_key: str = ""
    status: str = "found"
    reason: str = ""
    output: str = ""
    output_sha256: str = ""
    phash: str = ""
    measures: str = ""


def source_id(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def split_of(source_id: str, validation: float) -> str:
    """The split of a picture, for good: "validation" if u(id) < share, else "train".

    u is a hash, uniform in [0, 1). A larger share keeps what a smaller one held back.
    """
    digest = hashlib.sha256(source_id.encode()).digest()
    return "validation" if int.from_bytes(digest[:8]) < validation * 2**64 else "train"


def host_of(source: str) -> str:
    """The host of a URL in lower case without a last dot; "" of a path."""
    try:
        parts = urlsplit(source)
        known = parts.scheme.lower() in ("http", "https")
        return (parts.hostname or "").rstrip(".") if known else ""
    except ValueError:  # brackets without an IPv6 address between them
        return ""


def marks(source: Source) -> set[str]:
    """What the purged list may know a picture by.

    Its source, id and SHA-256, and "host:" with its host and each domain above it: a
    purge of example.org is one of images.example.org too, not of badexample.org.
    """
    labels = host_of(source.source).split(".")
    hosts = {f"{HOST}{'.'.join(labels[k:])}" for k in range(len(labels))} - {HOST}
    return ({source.source, source.id, source.source_sha256} - {""}) | hosts
