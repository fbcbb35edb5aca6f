"""TFRecord files of `tf.train.Example` messages, written without TensorFlow.

A file is a row of records, each with two checksums, so a reader notices a flipped bit:

    uint64 n | uint32 masked(n) | n bytes | uint32 masked(bytes)     little-endian
    masked(b) = rotate_right(crc32c(b), 15) + 0xA282EAD8             modulo 2^32

(tensorflow.org/tutorials/load_data/tfrecord). The checksum is google-crc32c's. An
Example is a protocol buffer with one map from names to lists, spelt out here because
the same faces must give the same bytes everywhere, and the protobuf library promises
no order of a map from one release to the next (protobuf.dev, "Proto Serialization Is
Not Canonical").
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import BinaryIO

import google_crc32c

Value = bytes | str | int | float
_SMALL = tuple(bytes([value]) for value in range(128))


def write_record(file: BinaryIO, payload: bytes) -> None:
    """Append one record."""
    length = struct.pack("<Q", len(payload))
    file.write(length + checksum(length) + payload + checksum(payload))


def checksum(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    rotated = crc >> 15 | crc << 17
    return struct.pack("<I", rotated + 0xA282EAD8 & 0xFFFFFFFF)


def example(features: Mapping[str, Value]) -> bytes:
    """A serialized `tf.train.Example`, features in the order of their names.

    Each value is a list of one: bytes and text (UTF-8) a `BytesList`, int an
    `Int64List`, float a `FloatList` (float32). Schema: `feature.proto` of TensorFlow.
    """
    entries = b"".join(
        _field(1, _field(1, _utf8(name)) + _field(2, _feature(features[name])))
        for name in sorted(features)
    )
    return _field(1, entries)


def _feature(value: Value) -> bytes:
    """`Feature`: which kind of list, and the list. Numbers are packed."""
    if isinstance(value, bytes | str):
        data = value if isinstance(value, bytes) else _utf8(value)
        return _field(1, _field(1, data))
    if isinstance(value, float):
        return _field(2, _field(1, struct.pack("<f", value)))
    return _field(3, _field(1, _varint(value % 2**64)))  # two's complement


def _utf8(text: str) -> bytes:
    # File names may hold bytes that are no text: shown as \\udcXX, never an error.
    return text.encode("utf-8", "backslashreplace")


def _field(number: int, data: bytes) -> bytes:
    """A field of wire type 2: tag, length, content."""
    return _SMALL[number << 3 | 2] + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits in a byte, the lowest first; the eighth says that more follow."""
    if value < 128:  # nearly all lengths
        return _SMALL[value]
    return bytes([value & 127 | 128]) + _varint(value >> 7)
