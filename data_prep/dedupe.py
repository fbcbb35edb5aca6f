"""The stage `dedupe`: one crop of each face, the best of its copies."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from data_prep.hashes import NearHashes
from data_prep.index import Index
from data_prep.measure import MOVES, THUMBNAIL
from data_prep.records import Face

_EXACT, _NEAR = "exact duplicate: ", "near duplicate: "
_TOGETHER = 64  # thumbnails compared at once
_WORST = 8  # pixels of the thumbnail that `changes` takes the mean of


@dataclass(frozen=True)
class DedupeSettings:
    """How alike two crops must be to be copies. Both limits must hold.

    Attributes:
        max_distance: most bits, of 64, in which perceptual hashes may differ; 0 to 11.
        max_change: largest change of a part of the face, in levels of 0 to 255, that
            moving, zooming or brightening does not explain. Another expression has 10
            or more, another eye colour about 5 to 15.
        flips: a mirrored copy is a copy too.
    """

    max_distance: int = 10
    max_change: float = 7.0
    flips: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_distance <= 11:
            raise ValueError(
                f"Expected max_distance from 0 to 11, got {self.max_distance}. Hashes "
                "of unrelated faces differ in 20 to 44 of 64 bits, and a larger limit "
                "finds no copies that max_change would let through."
            )
        if not self.max_change >= 0:
            raise ValueError(
                f"Expected max_change of at least 0, got {self.max_change}."
            )


@dataclass(frozen=True)
class Crops:
    """What is compared, of n crops, the best first.

    Attributes:
        hashes: uint64 (n, 11): the perceptual hash, then those of the crop moved and
            zoomed a little.
        flipped: uint64 (n,): of its mirror image.
        thumbnails: uint8 (n, 16, 16, 3), smoothed, YCbCr.
        sha256: of the files.
    """

    hashes: np.ndarray
    flipped: np.ndarray
    thumbnails: np.ndarray
    sha256: list[str]


@dataclass(frozen=True)
class Copy:
    """A crop that is a copy of the crop at position `of`.

    `distance` is that of the hashes; None for the same bytes.
    """

    of: int
    distance: int | None = None
    mirrored: bool = False


def is_copy(face: Face) -> bool:
    """Whether a face was dropped here."""
    return face.status == "dropped" and face.reason.startswith((_EXACT, _NEAR))


def run(
    index: Index,
    settings: DedupeSettings = DedupeSettings(),
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> dict[str, int]:
    """Drop every crop that is a copy of a better one that is kept.

    Better is larger in its picture, then sharper, then first by id, so the result does
    not depend on the order in which pictures came. The same file from two places gives
    the same crops, byte for byte, which are exact duplicates. A crop is compared with
    those that are kept and never with one that was dropped, so a chain of small steps
    does not join faces that are far apart.

    Args:
        index: of the work folder; crops that filter kept become "kept" or "dropped".
        settings: how alike copies are.
        workers: not used: each crop needs the answer for those before it.
        progress: show a bar.
        dry_run: write nothing.
    Returns: how many are "kept" and "dropped".
    """
    faces = [
        f for f in index.faces() if f.output and (f.status == "kept" or is_copy(f))
    ]
    faces.sort(key=_best_first)
    found = find_copies(crops_of(faces), settings)
    bar = tqdm(found, "dedupe", len(faces), unit="face", disable=not progress)
    reasons = [_reason(copy, faces[copy.of].output) if copy else "" for copy in bar]
    if not dry_run:
        index.judge(zip(faces, reasons, strict=True))
    dropped = sum(map(bool, reasons))
    return {"kept": len(faces) - dropped, "dropped": dropped}


def _reason(copy: Copy, kept: str) -> str:
    if copy.distance is None:
        return f"{_EXACT}the one kept is {kept}"
    how = "mirrored, " if copy.mirrored else ""
    return f"{_NEAR}{how}distance {copy.distance} of 64, the one kept is {kept}"


def _best_first(face: Face) -> tuple:
    m = json.loads(face.measures)
    return -m["face_px"], m["blur_px"], face.source_id, face.face_index


def crops_of(faces: Sequence[Face]) -> Crops:
    """What was measured of faces when they were cut out."""
    thumbnails = np.empty((len(faces), THUMBNAIL, THUMBNAIL, 3), np.uint8)
    hashes = np.empty((len(faces), 1 + MOVES), np.uint64)
    flipped = np.empty(len(faces), np.uint64)
    for k, face in enumerate(faces):
        m = json.loads(face.measures)
        digits = face.phash + m["moved"]
        hashes[k] = [int(digits[i : i + 16], 16) for i in range(0, len(digits), 16)]
        flipped[k] = int(m["flipped"], 16)
        pixels = np.frombuffer(base64.b64decode(m["thumbnail"]), np.uint8)
        thumbnails[k] = pixels.reshape(thumbnails.shape[1:])
    return Crops(hashes, flipped, thumbnails, [face.output_sha256 for face in faces])


def find_copies(crops: Crops, settings: DedupeSettings) -> Iterator[Copy | None]:
    """For each crop in turn the kept one that it is a copy of; None: it is kept.

    Among several it is the one with the nearest hash, then the best.
    """
    near = NearHashes(crops.hashes[:, 0], settings.max_distance)
    kept = np.zeros(len(crops.sha256), bool)
    same: dict[str, int] = {}
    for k, sha256 in enumerate(crops.sha256):
        if sha256 in same:
            yield Copy(same[sha256])
            continue
        copy = _find(crops, near, kept, k, settings.max_change, False)
        if copy is None and settings.flips:
            copy = _find(crops, near, kept, k, settings.max_change, True)
        if copy is None:
            kept[k], same[sha256] = True, k
        yield copy


def _find(
    crops: Crops,
    near: NearHashes,
    kept: np.ndarray,
    k: int,
    limit: float,
    mirrored: bool,
) -> Copy | None:
    """The first of the kept crops near the k-th that changed by `limit` at most."""
    hashes, thumbnail = crops.hashes[k], crops.thumbnails[k]
    if mirrored:
        hashes, thumbnail = crops.flipped[k : k + 1], thumbnail[:, ::-1]
    positions, distances = near.within(hashes)
    alive = kept[positions]
    positions, distances = positions[alive], distances[alive]
    for start in range(0, len(positions), _TOGETHER):
        some = positions[start : start + _TOGETHER]
        hits = np.flatnonzero(changes(thumbnail, crops.thumbnails[some]) <= limit)
        if len(hits):
            hit = hits[0]
            return Copy(int(some[hit]), int(distances[start + hit]), mirrored)
    return None


def changes(thumbnail: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much a part of the picture changed, in levels of 0..255.

    The difference of two thumbnails, less what a small shift, zoom or change of
    brightness, contrast or saturation explains: d - B (B'B + I)^-1 B'd, where the six
    columns of B are what each of these does to the mean of the two. Then the mean over
    the eight pixels that are off most. After Simard, LeCun and Denker 1993, "Efficient
    pattern recognition using a new transformation distance".

    Args:
        thumbnail: (16, 16, 3), smoothed, YCbCr.
        others: (n, 16, 16, 3).
    Returns: float (n,).
    """
    thumbnail, others = thumbnail.astype(np.float32), others.astype(np.float32)
    mean, difference = (others + thumbnail) / 2, others - thumbnail
    count = len(others)
    columns = _tangents(mean).reshape(count, 6, -1)
    target = difference.reshape(count, -1, 1)
    gram = columns @ columns.transpose(0, 2, 1) + np.eye(6, dtype=np.float32)
    part = np.linalg.solve(gram, columns @ target)
    rest = (target - columns.transpose(0, 2, 1) @ part).reshape(difference.shape)
    # The outermost pixels have no neighbours to take a slope from.
    size = np.linalg.norm(rest[:, 1:-1, 1:-1], axis=-1).reshape(count, -1)
    return np.sort(size, axis=1)[:, -_WORST:].mean(axis=1)


def _tangents(images: np.ndarray) -> np.ndarray:
    """What a shift right and down, zoom, brightness, contrast, saturation change."""
    down, right = np.gradient(images, axis=(1, 2))
    place = np.linspace(-1, 1, images.shape[1], dtype=np.float32)
    zoom = place[:, None, None] * down + place[:, None] * right
    brightness, contrast = np.zeros_like(images), np.zeros_like(images)
    brightness[..., 0], contrast[..., 0] = 1, images[..., 0]
    saturation = images - 128
    saturation[..., 0] = 0
    return np.stack([right, down, zoom, brightness, contrast, saturation], axis=1)
