"""The packed files, read back by those they are made for."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zipfile

import google_crc32c
import numpy as np
import pytest
from PIL import Image
from work_folders import fill

from data_prep import pack
from data_prep.index import Index
from data_prep.packing.tfrecord import example, write_record


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = fill(tmp_path_factory.mktemp("packed") / "w")
    settings = pack.PackSettings(formats=pack.FORMATS, shard_size=5)
    with Index(folder) as index:
        pack.run(index, settings, workers=1, progress=False)
    return folder


@pytest.fixture(scope="module")
def pixels(packed) -> dict[str, np.ndarray]:
    """name -> uint8 (16, 16, 3) of each kept crop."""
    with Index(packed, read_only=True) as index:
        return {
            face.output.split("/")[1]: np.asarray(Image.open(packed / face.output))
            for face in index.faces(status="kept")
        }


def test_load_folder_reads_the_same_pixels(packed, pixels, tmp_path):
    from gan_lib.data.folders import load_folder

    folder = load_folder(packed / "images", 16, cache_dir=tmp_path, progress=False)
    assert not folder.skipped
    assert len(folder) == len(pixels) == 24
    for path, image in zip(folder.paths, folder.images, strict=True):
        np.testing.assert_array_equal(image, pixels[path.split("/")[1]])


def test_tf_data_reads_the_same_pixels(packed, pixels):
    import tensorflow as tf

    text = tf.io.FixedLenFeature((), tf.string)
    number = tf.io.FixedLenFeature((), tf.int64)
    keys = {
        "image/encoded": text, "image/filename": text, "image/format": text,
        "image/height": number, "image/width": number, "image/channels": number,
        "image/key/sha256": text, "image/source_id": text, "source/name": text,
        "source/licence": text, "source/attribution": text, "face/x": number,
        "face/w": number, "face/score": tf.io.FixedLenFeature((), tf.float32),
    }  # fmt: skip
    files = sorted(str(path) for path in (packed / "tfrecord").glob("*.tfrecord"))
    assert len(files) == 5
    names = []
    for record in tf.data.TFRecordDataset(files):
        row = {
            k: v.numpy() for k, v in tf.io.parse_single_example(record, keys).items()
        }
        name = row["image/filename"].decode()
        names.append(name)
        image = tf.io.decode_png(row["image/encoded"]).numpy()
        np.testing.assert_array_equal(image, pixels[name])
        assert image.shape == tuple(
            row[f"image/{side}"] for side in ("height", "width", "channels")
        )
        assert row["image/format"] == b"png"
        sha = hashlib.sha256(row["image/encoded"]).hexdigest()
        assert row["image/key/sha256"].decode() == sha
        assert row["source/name"].startswith(b"https://")
        assert name.startswith(row["image/source_id"].decode())
        face = int(name[17])
        assert row["face/x"] == 4 * face - 2
        assert row["face/w"] == 20 + face
        assert row["face/score"] == pytest.approx(0.9 - face / 10)
    assert sorted(names) == sorted(pixels)


def test_a_flipped_bit_is_noticed_by_tensorflow(packed, tmp_path):
    import tensorflow as tf

    data = bytearray((packed / "tfrecord/train-00000.tfrecord").read_bytes())
    data[len(data) // 2] ^= 1
    broken = tmp_path / "broken.tfrecord"
    broken.write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(broken)))


def test_example_is_what_tensorflow_writes():
    import tensorflow as tf

    values = {
        "b": b"\0\xff" * 100, "empty": "", "minus": -3, "large": 2**62, "zero": 0,
        "float": 0.1, "text": "Zażółć \udcff",
    }  # fmt: skip
    message = tf.train.Example.FromString(example(values))
    features = message.features.feature
    assert features["b"].bytes_list.value == [values["b"]]
    assert features["empty"].bytes_list.value == [b""]
    for name in ("minus", "large", "zero"):
        assert features[name].int64_list.value == [values[name]]
    assert features["float"].float_list.value == [np.float32(0.1)]
    assert features["text"].bytes_list.value == ["Zażółć \\udcff".encode()]
    # The same bytes as protobuf's own, where it sorts the map.
    assert message.SerializeToString(deterministic=True) == example(values)
    assert example(dict(reversed(values.items()))) == example(values)


def test_record_has_two_masked_checksums():
    # CRC-32C of "123456789" is 0xE3069283 (RFC 3720, B.4 names the polynomial).
    assert google_crc32c.value(b"123456789") == 0xE3069283
    out = io.BytesIO()
    write_record(out, b"123456789")
    length, _, body, check = struct.unpack("<QI9sI", out.getvalue())
    assert (length, body) == (9, b"123456789")
    rotated = (0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF
    assert check == (rotated + 0xA282EAD8) % 2**32


def test_tar_is_grouped_by_name_and_without_a_trace_of_us(packed, pixels):
    names = []
    for path in sorted((packed / "webdataset").glob("*.tar")):
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            names += [member.name for member in members]
            for member in members:
                assert (member.mtime, member.uid, member.uname) == (0, 0, "")
                data = archive.extractfile(member).read()
                if member.name.endswith(".png"):
                    image = np.asarray(Image.open(io.BytesIO(data)))
                    np.testing.assert_array_equal(image, pixels[member.name])
                else:
                    assert json.loads(data)["image/filename"][:-4] == member.name[:-5]
    assert len(names) == 48
    stems = [name.split(".")[0] for name in names]
    assert stems[::2] == stems[1::2]  # the two files of a face follow each other


def test_zip_is_as_stylegan_reads_it(packed, pixels):
    found = []
    for split in ("train", "validation"):
        with zipfile.ZipFile(packed / f"stylegan/{split}.zip") as archive:
            assert archive.testzip() is None
            assert json.loads(archive.read("dataset.json")) == {"labels": None}
            members = archive.infolist()
            assert all(m.compress_type == zipfile.ZIP_STORED for m in members)
            assert all(m.date_time == (1980, 1, 1, 0, 0, 0) for m in members)
            images = [m.filename for m in members if m.filename.endswith(".png")]
            assert images[0] == "00000/img00000000.png"
            found += [archive.read(name) for name in images]
    wanted = {np.ascontiguousarray(image).tobytes() for image in pixels.values()}
    read = {np.asarray(Image.open(io.BytesIO(data))).tobytes() for data in found}
    assert read == wanted


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"formats": ("folder", "parquet")}, "some of folder, tfrecord"),
        ({"formats": "folder"}, "as a tuple"),
        ({"validation": 10}, "For 10 % write 0.1"),
        ({"validation": -0.1}, "from 0 to 0.9"),
        ({"shard_size": 0}, "at least 1"),
    ],
)
def test_bad_settings(settings, text):
    with pytest.raises(ValueError, match=text):
        pack.PackSettings(**settings)
