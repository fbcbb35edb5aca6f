"""Many faces in one file: TFRecord, WebDataset's tar, StyleGAN's zip.

The bytes depend on the faces alone: order by name, no clock, no user, no machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from data_prep.atomic import replacing
from data_prep.packing.tfrecord import Value, example, write_record
from data_prep.records import Face, Source

# Raise it when the same faces would give other bytes: all shards are then made anew.
VERSION = 1


@dataclass(frozen=True)
class Item:
    """One face as it is packed.

    Attributes:
        source, face: its rows in the index.
        crop: its PNG file, whose SHA-256 is `face.output_sha256`.
        split: "train" or "validation".
        width, height, channels: of the crop.
    """

    source: Source
    face: Face
    crop: Path
    split: str
    width: int
    height: int
    channels: int

    @property
    def name(self) -> str:
        return f"{self.face.source_id}_{self.face.face_index}"

    def read(self) -> bytes:
        """The crop's bytes. Raises: RuntimeError if they are no longer the crop's."""
        data = self.crop.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.face.output_sha256:
            raise RuntimeError(
                f"{self.crop} changed while it was packed. Let no other program write "
                "there, and run pack again."
            )
        return data

    def about(self) -> dict[str, Value]:
        """What is known of it, by the names TensorFlow's own data sets use.

        The box is in pixels of the upright source and may reach past its border.
        """
        source, face = self.source, self.face
        return {
            "image/filename": f"{self.name}.png",
            "image/format": "png",
            "image/height": self.height,
            "image/width": self.width,
            "image/channels": self.channels,
            "image/key/sha256": face.output_sha256,
            "image/source_id": source.id,
            "source/name": source.source,
            "source/sha256": source.source_sha256,
            "source/licence": source.licence,
            "source/attribution": source.attribution,
            "source/width": source.width,
            "source/height": source.height,
            "face/index": face.face_index,
            "face/x": face.x,
            "face/y": face.y,
            "face/w": face.w,
            "face/h": face.h,
            "face/score": float(face.score),
            "face/detector": face.detector,
        }


@dataclass(frozen=True)
class Shard:
    """A file to be: `path` relative to the work folder, and what goes into it."""

    path: str
    items: Sequence[Item]

    @property
    def key(self) -> str:
        """A hash of all that its bytes depend on."""
        rows: list = [item.about() for item in self.items]
        if self.path.startswith("stylegan"):  # holds pixels alone
            rows = [item.face.output_sha256 for item in self.items]
        text = json.dumps([VERSION, self.path, rows])
        return hashlib.sha256(text.encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Make the file, or leave the old one as it is and raise OSError."""
        write = _WRITERS[self.path.split("/")[0]]
        with replacing(folder / self.path) as file:
            write(file, self.items)


def plan(items: Sequence[Item], format: str, shard_size: int) -> Iterator[Shard]:
    """The shards of one format; each holds faces of one split only."""
    for split in ("train", "validation"):
        part = [item for item in items if item.split == split]
        if format == "stylegan":  # its readers take one file
            if part:
                yield Shard(f"stylegan/{split}.zip", part)
            continue
        suffix = {"tfrecord": "tfrecord", "webdataset": "tar"}[format]
        for number, start in enumerate(range(0, len(part), shard_size)):
            path = f"{format}/{split}-{number:05d}.{suffix}"
            yield Shard(path, part[start : start + shard_size])


def _tfrecord(file: BinaryIO, items: Sequence[Item]) -> None:
    """One `tf.train.Example` each: `Item.about` and the PNG as image/encoded."""
    for item in items:
        write_record(file, example({**item.about(), "image/encoded": item.read()}))


def _webdataset(file: BinaryIO, items: Sequence[Item]) -> None:
    """For each face `<name>.png` and `<name>.json`; tarfile's own fields are 0."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for item in items:
            about = json.dumps(item.about(), sort_keys=True).encode()
            for suffix, data in (("json", about), ("png", item.read())):
                member = tarfile.TarInfo(f"{item.name}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def _stylegan(file: BinaryIO, items: Sequence[Item]) -> None:
    """A zip without compression, as the StyleGAN 2 and 3 loaders read it, no labels."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number, item in enumerate(items):
            name = f"{number // 1000:05d}/img{number:08d}.png"
            archive.writestr(_member(name), item.read())
        archive.writestr(_member("dataset.json"), json.dumps({"labels": None}))


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)  # dated 1980-01-01
    member.create_system = 3  # Unix, on whatever system it is made
    member.external_attr = 0o644 << 16
    return member


_WRITERS = {"tfrecord": _tfrecord, "webdataset": _webdataset, "stylegan": _stylegan}
