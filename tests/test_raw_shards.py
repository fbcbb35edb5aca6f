"""Raw records are read without a parse where that is safe, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from data_prep.packing.tfrecord import example, write_record
from gan_lib.data.shards import Shards, write_shards

SIDES = {"image/height": 4, "image/width": 4, "image/channels": 3}


def raw(pixels: bytes, **others) -> dict:
    return {"image/encoded": pixels, "image/format": "raw"} | SIDES | others


def shard(path: Path, *records: dict) -> Path:
    with path.open("wb") as file:
        for record in records:
            write_record(file, example(record))
    return path


def forbid_parsing(monkeypatch):
    def parse(*_):
        raise AssertionError("a record was parsed")

    monkeypatch.setattr(Shards, "_parsed", parse)


def test_raw_records_of_one_kind_are_not_parsed(tmp_path, tiny_images, monkeypatch):
    write_shards(tiny_images, tmp_path, shard_size=16)
    shards = Shards(tmp_path)
    forbid_parsing(monkeypatch)
    np.testing.assert_array_equal(np.stack(list(shards)), tiny_images)


@pytest.mark.parametrize("others", [{"name": "b"}, {"name": "a longer one"}, {}])
def test_a_record_with_other_features_beside_the_pixels(tmp_path, others):
    first, second = bytes(range(48)), bytes(range(100, 148))
    path = shard(tmp_path / "a", raw(first, name="a"), raw(second, **others))
    assert Shards(path)[1].tobytes() == second


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (raw(b"1" * 48) | {"image/height": 2, "image/width": 8}, r"\(2, 8, 3\), but"),
        (raw(b"1" * 47), "47 raw bytes, expected 48"),
        (raw(b"1" * 49), "49 raw bytes, expected 48"),
        (
            {
                "image/format": "png",
                "image/encoded": tf.io.encode_png(np.ones((4, 4, 3), "u1")).numpy(),
            },
            "is encoded, the first raw",
        ),
    ],
)
def test_a_record_that_does_not_fit(tmp_path, second, words):
    shards = Shards(shard(tmp_path / "a", raw(bytes(range(48))), second))
    with pytest.raises(ValueError, match=f"Record 1 of .*{words}"):
        shards[1]


@pytest.mark.parametrize("value", [0, 1, 10, 18, ord("i"), 200])
def test_pixels_whose_bytes_stand_elsewhere_in_the_record_too(tmp_path, value):
    pictures = np.array([value, 255 - value], "u1").reshape(2, 1, 1, 1)
    write_shards(pictures, tmp_path)
    np.testing.assert_array_equal(np.stack(list(Shards(tmp_path))), pictures)


def test_a_first_picture_that_another_feature_contains(tmp_path):
    masks, black = [bytes(60), bytes(range(48)) + bytes(12)], bytes(48)
    with (tmp_path / "a").open("wb") as file:
        for mask in masks:  # messages one after the other are one, in this order
            write_record(file, example({"mask": mask}) + example(raw(black)))
    assert [picture.tobytes() for picture in Shards(tmp_path / "a")] == [black, black]


def test_a_flipped_bit_of_the_pixels_is_still_found(tmp_path, tiny_images):
    (path,) = write_shards(tiny_images[:2], tmp_path)
    data = bytearray(path.read_bytes())
    data[data.rindex(tiny_images[1].tobytes()) + 20] ^= 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"Record 1 of .*checksum"):
        Shards(path)[1]
