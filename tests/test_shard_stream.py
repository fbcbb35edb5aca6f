"""Batches out of TFRecord files: the same pictures, and plain words for faults."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep import pack
from data_prep.index import Index
from data_prep.packing.tfrecord import example, write_record
from gan_lib.data import record_files
from gan_lib.data.folders import load_folder
from gan_lib.data.pipeline import Batches, to_uint8
from gan_lib.data.shard_batches import ShardBatches
from gan_lib.data.shards import Shards, write_shards

sys.path.append(str(Path(__file__).parent / "data_prep"))
from work_folders import fill


@pytest.fixture(scope="module", params=["raw", "png"])
def folder(request, tiny_images, tmp_path_factory) -> Path:
    """40 pictures of 8 px in files of 16, 16 and 8."""
    folder = tmp_path_factory.mktemp(request.param)
    write_shards(tiny_images, folder, encoding=request.param, shard_size=16)
    return folder


def drawn(batches, steps: int, start: int = 0) -> np.ndarray:
    return np.stack([x.numpy() for x in batches.dataset(start).take(steps)])


def png(side: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side), 77).save(file, "png")
    return file.getvalue()


def shard(path: Path, *records: dict | bytes) -> Path:
    with path.open("wb") as file:
        for record in records:
            bare = isinstance(record, bytes)
            write_record(file, record if bare else example(record))
    return path


def test_pictures_by_number(folder, tiny_images):
    shards = Shards(folder)
    assert len(shards) == 40
    assert shards.image_shape == (8, 8, 3)
    assert [path.name for path in shards.paths] == [
        f"train-0000{k}.tfrecord" for k in range(3)
    ]
    np.testing.assert_array_equal(np.stack(list(shards)), tiny_images)
    with pytest.raises(IndexError, match="40 pictures"):
        shards[40]


def test_what_pack_wrote_is_what_load_folder_reads(tmp_path):
    with Index(fill(tmp_path / "packed")) as index:
        settings = pack.PackSettings(shard_size=5)
        counts = pack.run(index, settings, workers=1, progress=False)
    shards = Shards(tmp_path / "packed/tfrecord")
    assert len(shards) == counts["train"] > 5  # none of the validation files
    there = tmp_path / "packed/images/train"
    folder = load_folder(there, 16, cache_dir=tmp_path, progress=False)
    np.testing.assert_array_equal(np.stack(list(shards)), folder.images)


@pytest.mark.parametrize("flip", [False, True])
def test_batches_are_those_of_the_same_pictures_in_memory(folder, tiny_images, flip):
    ours = ShardBatches(Shards(folder), 16, seed=3, flip=flip)
    theirs = Batches(tiny_images, 16, seed=3, flip=flip)
    np.testing.assert_array_equal(drawn(ours, 7), drawn(theirs, 7))  # 2.8 epochs
    np.testing.assert_array_equal(ours.collect(2), theirs.collect(2))
    assert ours.dataset().element_spec == theirs.dataset().element_spec
    assert ours.dataset().cardinality() == tf.data.INFINITE_CARDINALITY
    for name in ("batch_size", "num_images", "image_shape", "steps_per_epoch"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("start", [1, 23, 10**9])
def test_starting_late_equals_skipping(folder, start):
    batches = ShardBatches(Shards(folder), 6, seed=1, flip=True)
    late = to_uint8(drawn(batches, 4, start))
    for step in range(4):
        np.testing.assert_array_equal(late[step], batches.collect(start + step))


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_together_see_what_one_would(folder, workers):
    shards = Shards(folder)
    whole = drawn(ShardBatches(shards, 12, seed=5, flip=True), 8)
    parts = [
        ShardBatches(shards, 12, seed=5, flip=True, worker=w, workers=workers)
        for w in range(workers)
    ]
    assert {part.rows for part in parts} == {12 // workers}
    together = np.concatenate([drawn(part, 8) for part in parts], axis=1)
    np.testing.assert_array_equal(together, whole)


def test_a_worker_reads_its_own_rows_alone(folder, monkeypatch):
    read = []
    stored = Shards.stored
    monkeypatch.setattr(
        Shards, "stored", lambda self, k: read.append(k) or stored(self, k)
    )
    batches = ShardBatches(Shards(folder), 12, seed=5, worker=1, workers=3)
    batches.collect(0)
    assert read == list(np.random.default_rng([5, 0, 0]).permutation(40)[4:8])


def test_fit_learns_the_same_from_files_and_from_memory(
    tiny_images, tiny_batches, tiny_gan, tmp_path
):
    def fit(batches, steps, resume=None):
        gan = tiny_gan()
        gan.fit(
            batches, kimg=steps * 4 / 1000, tick_kimg=8e-3, resume=resume, verbose=0
        )
        return gan.generator.get_weights()

    write_shards(tiny_images, tmp_path / "shards", encoding="png", shard_size=16)
    ours = ShardBatches(Shards(tmp_path / "shards"), 4, seed=3)
    wanted = fit(tiny_batches, 8)
    fit(ours, 4, tmp_path)
    for a, b in zip(fit(ours, 8, tmp_path), wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_features_kinds_and_greys(tmp_path, tiny_images):
    colours = tiny_images[0]
    jpeg = tf.io.encode_jpeg(colours).numpy()
    path = shard(tmp_path / "a.tfrecord-00000-of-00001", {"image": jpeg, "label": 3})
    shards = Shards(tmp_path, feature="image")  # no size beside it: the header has it
    np.testing.assert_array_equal(shards[0], tf.io.decode_jpeg(jpeg))
    assert Shards([path], feature="image").paths == [path]
    grey = shard(tmp_path / "grey", {"image/encoded": png(6, "L")})
    assert Shards(grey).image_shape == (6, 6, 1)
    assert drawn(ShardBatches(Shards(grey), 2), 1).shape == (1, 2, 6, 6, 1)


def test_a_folder_gives_its_training_files_and_a_pattern_what_it_says(tmp_path):
    for name in ("train-00000", "train-00001", "validation-00000"):
        shard(tmp_path / f"{name}.tfrecord", {"image/encoded": png(4)})
    assert len(Shards(tmp_path)) == 2
    assert len(Shards(tmp_path / "valid*")) == 1
    assert len(Shards(sorted(tmp_path.iterdir()))) == 3


def test_few_files_are_open_at_once(tmp_path):
    write_shards(np.zeros((300, 2, 2, 3), np.uint8), tmp_path, shard_size=1)
    before = len(os.listdir("/proc/self/fd"))
    shards = Shards(tmp_path)
    assert len(list(shards)) == 300
    assert len(os.listdir("/proc/self/fd")) - before <= 128


def test_a_file_that_is_closed_by_others_meanwhile(folder, tiny_images, monkeypatch):
    monkeypatch.setattr(record_files, "_OPEN_FILES", 0)  # as if always pushed out
    np.testing.assert_array_equal(np.stack(list(Shards(folder))), tiny_images)


def test_without_pread(folder, tiny_images, monkeypatch):
    monkeypatch.delattr(os, "pread")
    np.testing.assert_array_equal(Shards(folder)[39], tiny_images[39])


@pytest.mark.parametrize("encoding", ["raw", "png"])
def test_memory_does_not_grow_with_the_pictures(tmp_path, encoding):
    """Beyond the 8 bytes of a place and 8 each of four epochs' orders."""
    peaks = []
    for count in (200, 1600):
        folder = tmp_path / str(count)
        picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
        write_shards((picture for _ in range(count)), folder, encoding=encoding)
        tracemalloc.start()
        batches = ShardBatches(Shards(folder), 50)
        for step in range(40):
            batches.collect(step)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A picture has 768 bytes: were they kept, 1 MB more.
    assert peaks[1] - peaks[0] < 60 * 1400 + 50_000


def test_a_flipped_bit_is_named_also_by_the_dataset(folder, tmp_path):
    data = bytearray((folder / "train-00001.tfrecord").read_bytes())
    data[-20] ^= 1
    (tmp_path / "train-00000.tfrecord").write_bytes(data)
    shards = Shards(tmp_path)
    assert shards[14].shape == (8, 8, 3)
    words = "Record 15 of .*train-00000.tfrecord is damaged.*Copy or pack"
    with pytest.raises(ValueError, match=words):
        shards[15]
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        drawn(ShardBatches(shards, 16), 1)


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (slice(0, -1), "Record 15 of .* is cut short"),
        (slice(0, 5), "Record 0 of .* is cut short"),
        (slice(0, 0), "is empty"),
        (slice(3, None), "is not a TFRecord file"),
    ],
)
def test_cut_files(folder, tmp_path, keep, words):
    path = tmp_path / "cut.tfrecord"
    path.write_bytes((folder / "train-00000.tfrecord").read_bytes()[keep])
    with pytest.raises(ValueError, match=words):
        Shards(path)


def test_a_damaged_length_and_a_packed_file_are_told_apart(folder, tmp_path):
    good = (folder / "train-00000.tfrecord").read_bytes()
    path = tmp_path / "a.tfrecord"
    length = int.from_bytes(good[:8], "little")
    path.write_bytes(good[: length + 16] + b"\1" * 8 + good[length + 24 :])
    with pytest.raises(ValueError, match="Record 1 of .*no record begins there"):
        Shards(path)
    path.write_bytes(gzip.compress(good))
    with pytest.raises(ValueError, match="not a TFRecord.*gunzip"):
        Shards(path)


RAW = {"image/format": "raw", "image/height": 4, "image/width": 4}
COLOUR = {"image/channels": 3}
SIZED = {"image/encoded": png(4), "image/height": 5, "image/width": 4} | COLOUR


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"image/encoded": png(5)}, r"shape \(5, 5, 3\), but the first has \(4, 4, 3"),
        (SIZED, r"shape \(5, 4, 3\), but the first"),
        ({"image/encoded": b"no picture"}, "is no PNG, JPEG"),
        ({"image/encoded": png(4)[:40]}, "is no PNG, JPEG"),
        ({"image": png(4)}, "no picture in a feature 'image/encoded'.*: image. Pass"),
        (b"\xff\xff", "is no tf.train.Example"),
        (RAW | COLOUR | {"image/encoded": b"0" * 48}, "is raw, the first encoded"),
        (RAW | COLOUR | {"image/encoded": b"0" * 47}, "47 raw bytes, expected 48"),
        (RAW | {"image/encoded": b"0" * 48}, "is raw, which needs image/height"),
    ],
)
def test_a_record_that_does_not_fit(tmp_path, second, words):
    path = shard(tmp_path / "a.tfrecord", {"image/encoded": png(4)}, second)
    shards = Shards(path)
    assert shards[0].shape == (4, 4, 3)
    with pytest.raises(ValueError, match=f"Record 1 of .*{words}"):
        shards[1]


def test_a_first_record_without_colours_we_know(tmp_path):
    path = shard(tmp_path / "a.tfrecord", {"image/encoded": png(4, "RGBA")})
    with pytest.raises(ValueError, match=r"\(4, 4, 4\), expected .*RGB"):
        Shards(path)


def test_nothing_there(tmp_path):
    for source in (tmp_path, tmp_path / "a.tfrecord", tmp_path / "*x", [], ["none"]):
        with pytest.raises(FileNotFoundError, match="No TFRecord files at"):
            Shards(source)


def test_wrong_arguments(folder, tiny_images):
    shards = Shards(folder)
    with pytest.raises(TypeError, match="expects Shards, but got ndarray"):
        ShardBatches(tiny_images, 4)
    with pytest.raises(ValueError, match="3 workers cannot share 16.*batch_size of 18"):
        ShardBatches(shards, 16, workers=3)
    with pytest.raises(ValueError, match="worker must be at least 0 and below 2"):
        ShardBatches(shards, 16, worker=2, workers=2)


def test_writing_what_cannot_be_written(tmp_path, tiny_images):
    with pytest.raises(ValueError, match="got no pictures"):
        write_shards([], tmp_path)
    with pytest.raises(ValueError, match='"raw" or "png"'):
        write_shards(tiny_images, tmp_path, encoding="jpeg")
    with pytest.raises(ValueError, match="uint8 pictures .*float32"):
        write_shards(tiny_images.astype(np.float32), tmp_path)
    with pytest.raises(ValueError, match=r"got uint8 \(4, 4, 3\) after \(8, 8, 3\)"):
        write_shards([tiny_images[0], tiny_images[0, :4, :4]], tmp_path)
    assert not list(tmp_path.iterdir())  # no half a file
    write_shards(tiny_images, tmp_path)
    with pytest.raises(FileExistsError, match="Delete them or choose another"):
        write_shards(tiny_images, tmp_path)
