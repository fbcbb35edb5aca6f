"""Pictures in TFRecord files, too many for memory: any of them by its number."""

from __future__ import annotations

import io
import itertools
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from PIL import Image, UnidentifiedImageError

from data_prep.atomic import replacing
from data_prep.packing.tfrecord import example, write_record
from gan_lib.data.pipeline import check_int
from gan_lib.data.record_files import RecordFiles

__all__ = ["Shards", "write_shards"]

_SIDES = ("image/height", "image/width", "image/channels")


class Shards:
    """N pictures in TFRecord files, each read when it is asked for.

    A record is a ``tf.train.Example`` with one picture, as `python -m data_prep pack`
    writes it: PNG, JPEG, BMP or GIF (its first frame), or, where its "image/format" is
    "raw", H * W * C bytes, rows from the top, with "image/height", "image/width" and
    "image/channels" beside it. All have one size. `write_shards` writes such files.

    ``shards[k]`` is picture k, uint8 (H, W, C), and ``len(shards)`` is N. Memory holds
    8 bytes for each record and no pictures.

    Args:
        source: a folder, a pattern, a file or several; see
            `gan_lib.data.record_files.RecordFiles`.
        feature: name of the feature with the picture (TensorFlow Datasets: "image").

    Attributes:
        paths: the files, in the order of their pictures.
        image_shape: (H, W, C), C being 1 or 3.
        raw: whether the pictures are bytes that need no decoding.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what is no TFRecord file, cut, damaged, empty, of mixed sizes or
            without the feature, named by file and record (the first is 0), with the
            cure. Reading picture k may raise it too.
    """

    def __init__(
        self,
        source: str | os.PathLike | Sequence[str | os.PathLike],
        *,
        feature: str = "image/encoded",
    ) -> None:
        self.feature = feature
        self._records = RecordFiles(source)
        self.paths = self._records.paths
        self.raw, self.image_shape = self._first_picture()
        self._frame = self._frame_of_raw() if self.raw else None

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        kind = "raw" if self.raw else "encoded"
        return (
            f"Shards({len(self)} {kind} pictures of shape {self.image_shape} in "
            f"{len(self.paths)} files)"
        )

    def __getitem__(self, number: int) -> np.ndarray:
        if not 0 <= number < len(self):
            raise IndexError(f"There are {len(self)} pictures, 0 to {len(self) - 1}.")
        data = self.stored(number)
        if self.raw:
            return np.frombuffer(data, np.uint8).reshape(self.image_shape)
        picture = self._decoded(number, data, self.image_shape[-1])
        if picture.shape != self.image_shape:
            raise self._wrong_size(number, picture.shape)
        return picture

    def stored(self, number: int) -> bytes:
        """Picture `number` as it is stored: raw bytes, or a whole PNG or JPEG file.

        Raises: ValueError that names file and record, when the record is damaged, or
            its picture is stored in another way or size than the first.
        """
        content = self._records.content(number)
        if self._frame and (pixels := _inside(content, *self._frame)) is not None:
            return pixels
        data, raw, shape = self._parsed(number, content)
        if raw != self.raw:
            ways = ("encoded", "raw")
            raise self._records.fault(
                number,
                f"is {ways[raw]}, the first {ways[self.raw]}",
                "Pack all pictures in one way, or give the files to two Shards.",
            )
        known = 3 if raw else 2  # the decoder makes greys of colours and back
        if shape[:known] != self.image_shape[:known]:
            raise self._wrong_size(number, shape)
        return data

    def decode(self, data: tf.Tensor) -> tf.Tensor:
        """`stored` bytes of a picture that is not raw -> uint8 (H, W, C); for graphs.

        Raises: tf.errors.InvalidArgumentError for what is no such picture.
        """
        channels = self.image_shape[-1]
        picture = tf.io.decode_image(data, channels=channels, expand_animations=False)
        return tf.ensure_shape(picture, self.image_shape)

    def _frame_of_raw(self) -> tuple[bytes, bytes, int] | None:
        """What stands before and behind the pixels of the first record; their number.

        A record with this frame says of its pixels what the first does, so it need not
        be parsed, which takes longer than to read it. None if the bytes of the pixels,
        few or black, stand elsewhere in the record too.
        """
        content = self._records.content(0)
        pixels = self._parsed(0, content)[0]
        start = content.find(pixels)
        if start != content.rfind(pixels):
            return None
        return content[:start], content[start + len(pixels) :], len(pixels)

    def _first_picture(self) -> tuple[bool, tuple[int, ...]]:
        data, raw, shape = self._parsed(0, self._records.content(0))
        if not raw:
            shape = self._decoded(0, data, channels=0).shape
        if shape[2] not in (1, 3) or 0 in shape:
            raise self._records.fault(
                0,
                f"holds a picture of shape {shape}, expected (height, width, 1 or 3)",
                "Turn the pictures into RGB and pack them again.",
            )
        return raw, shape

    def _parsed(
        self, number: int, content: bytes
    ) -> tuple[bytes, bool, tuple[int, ...]]:
        """The stored bytes, whether they are raw, and the shape they are said to have.

        The record says it, else the header of the picture.
        """
        features = self._features(number, content)
        data = features[self.feature].bytes_list.value[0]
        raw = list(features["image/format"].bytes_list.value) == [b"raw"]
        sides = [features[name].int64_list.value for name in _SIDES]
        if all(len(side) == 1 for side in sides):
            shape = tuple(int(side[0]) for side in sides)
            if raw and len(data) != (size := math.prod(shape)):
                raise self._records.fault(
                    number,
                    f"holds {len(data)} raw bytes, expected {size} for the shape "
                    f"{shape}",
                    "Write the files again, with write_shards.",
                )
            return data, raw, shape
        if raw:
            raise self._records.fault(
                number,
                f"is raw, which needs {', '.join(_SIDES)}",
                "Write the files again, with write_shards.",
            )
        try:
            with Image.open(io.BytesIO(data)) as image:
                return data, raw, (image.height, image.width, len(image.getbands()))
        except (UnidentifiedImageError, OSError) as error:
            raise self._no_picture(number, data) from error

    def _features(self, number: int, content: bytes):
        """The map from names to lists of a record that has a picture."""
        try:
            features = tf.train.Example.FromString(content).features.feature
        except DecodeError as error:
            raise self._records.fault(
                number,
                "is no tf.train.Example, which each record must be",
                "Write the files with write_shards or `python -m data_prep pack`.",
            ) from error
        if self.feature in features and features[self.feature].bytes_list.value:
            return features
        raise self._records.fault(
            number,
            f"has no picture in a feature {self.feature!r}; its features: "
            f"{', '.join(sorted(features)) or 'none'}",
            "Pass the name of the one with the picture as feature=.",
        )

    def _decoded(self, number: int, data: bytes, channels: int) -> np.ndarray:
        try:
            picture = tf.io.decode_image(
                data, channels=channels, expand_animations=False
            )
        except tf.errors.InvalidArgumentError as error:
            raise self._no_picture(number, data) from error
        return picture.numpy()

    def _no_picture(self, number: int, data: bytes) -> ValueError:
        return self._records.fault(
            number,
            f"holds {len(data)} bytes that begin with {data[:8]!r}, which is no PNG, "
            "JPEG, BMP or GIF picture",
            "Pack such pictures, or pass the name of the right one as feature=.",
        )

    def _wrong_size(self, number: int, shape) -> ValueError:
        return self._records.fault(
            number,
            f"holds a picture of shape {shape}, but the first has {self.image_shape}",
            "Bring all pictures to one size before they are packed, with `python -m "
            "data_prep crop --size` or `load_folder(..., size)`.",
        )


def _inside(content: bytes, before: bytes, behind: bytes, size: int) -> bytes | None:
    """The `size` bytes between the two, or None if `content` is made otherwise."""
    end = len(before) + size
    if not content.startswith(before) or content[end:] != behind:
        return None
    return content[len(before) : end]


def write_shards(
    pictures: Iterable[np.ndarray],
    folder: str | os.PathLike,
    *,
    encoding: str = "raw",
    shard_size: int = 512,
) -> list[Path]:
    """Write pictures as TFRecord files that `Shards` reads.

    ``write_shards(Shards("packed/tfrecord"), "raw")`` decodes a set once for all
    trainings to come. One picture at a time is in memory.

    Args:
        pictures: uint8 (H, W, C) each, all of one shape, C being 1 or 3: an array
            (N, H, W, C), an np.memmap, `Shards`, a generator.
        folder: gets train-00000.tfrecord and so on; made if there is none.
        encoding: "raw", the fastest to read, or "png", which takes less room.
        shard_size: pictures in one file, at least 1; the last may have fewer.

    Returns: the paths of the files.

    Raises:
        FileExistsError: the folder has such files already.
        ValueError, TypeError: no pictures, or not of one shape and type.
        OSError: the disk is full.
    """
    check_int("shard_size", shard_size, 1, 2**31)
    if encoding not in ("raw", "png"):
        raise ValueError(f'encoding must be "raw" or "png", but got {encoding!r}.')
    folder, rows = Path(folder).expanduser(), iter(pictures)
    if any(folder.glob("train-*.tfrecord")):
        raise FileExistsError(
            f"{folder} has train-*.tfrecord files already, and a reader would mix old "
            "and new. Delete them or choose another folder."
        )
    paths: list[Path] = []
    shape: tuple[int, ...] = ()
    while chunk := list(itertools.islice(rows, 1)):
        paths.append(folder / f"train-{len(paths):05d}.tfrecord")
        with replacing(paths[-1]) as file:
            for row in itertools.chain(chunk, itertools.islice(rows, shard_size - 1)):
                shape = shape or row.shape
                _check_row(row, shape)
                write_record(file, example(_features_of(row, encoding)))
    if not paths:
        raise ValueError("write_shards got no pictures. Expected at least one.")
    return paths


def _features_of(picture: np.ndarray, encoding: str) -> dict:
    raw = encoding == "raw"
    data = picture.tobytes() if raw else tf.io.encode_png(picture).numpy()
    sides = dict(zip(_SIDES, picture.shape, strict=True))
    return {"image/encoded": data, "image/format": encoding, **sides}


def _check_row(row: np.ndarray, shape: tuple[int, ...]) -> None:
    good = len(shape) == 3 and shape[-1] in (1, 3) and 0 not in shape
    if row.dtype != np.uint8 or row.shape != shape or not good:
        raise ValueError(
            "write_shards expects uint8 pictures of one shape (height, width, 1 or 3), "
            f"but got {row.dtype} {row.shape} after {shape}. Float pictures in [-1, 1] "
            "are converted by `to_uint8`."
        )
