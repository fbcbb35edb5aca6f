"""Drawn faces: the same bytes always, and all views of a face agree."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gan_lib.data import face_draw, face_law, face_styles, face_tables
from gan_lib.data.faces import SPLITS, STYLES, faces, licence

PACKAGE = str(Path(face_law.__file__).parents[1])


def test_shapes_types_and_ranges(rich, count):
    style, drawn = rich
    assert drawn.images.shape == (count, 64, 64, 3)
    assert drawn.line.shape == (count, 64, 64, 1)
    assert drawn.images.dtype == drawn.line.dtype == np.uint8
    assert drawn.labels.shape == drawn.instances.shape == (count, 64, 64)
    assert drawn.labels.dtype == drawn.instances.dtype == np.int32
    assert drawn.label_names == STYLES[style].labels
    assert drawn.labels.min() == 0
    assert drawn.labels.max() < len(drawn.label_names)
    assert len(drawn.captions) == count
    assert all(len(column) == count for column in drawn.attributes.values())


def test_second_call_loads_the_same_bytes_fast(folder, lorelei, count, monkeypatch):
    def must_not_draw(*args, **kwargs):
        raise AssertionError("drew again instead of reading the cache")

    monkeypatch.setattr(face_draw, "draw_all", must_not_draw)
    again = faces(64, count, include=("line", "labels"), cache_dir=folder)
    np.testing.assert_array_equal(again.images, lorelei.images)
    np.testing.assert_array_equal(again.line, lorelei.line)
    np.testing.assert_array_equal(again.labels, lorelei.labels)


def test_a_shorter_draw_is_a_prefix_and_another_run_is_equal(tmp_path, lorelei):
    few = faces(64, 10, include="all", cache_dir=tmp_path, progress=False)
    np.testing.assert_array_equal(few.images, lorelei.images[:10])
    np.testing.assert_array_equal(few.line, lorelei.line[:10])
    np.testing.assert_array_equal(few.instances, lorelei.instances[:10])
    assert few.captions == lorelei.captions[:10]
    for name, column in few.attributes.items():
        np.testing.assert_array_equal(column, lorelei.attributes[name][:10])


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_parallel_equals_serial(kind):
    arguments = (kind, "lorelei", "test", 3, 32, 75)
    alone = face_draw.draw_all(*arguments, workers=1, progress=False)
    together = face_draw.draw_all(*arguments, workers=2, progress=False)
    np.testing.assert_array_equal(alone, together)
    assert alone.any()


def test_worker_does_not_load_tensorflow():
    code = (
        "import sys, runpy; sys.argv = ['w', 'images', 'lorelei', 'train', '0', '16'];"
        "sys.stdin = iter(['0 1']);"
        f"runpy.run_path({str(Path(PACKAGE) / 'data' / 'face_worker.py')!r},"
        " run_name='__main__');"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert len(done.stdout) == 16 * 16 * 3
    assert done.stderr.strip() == b"False"


def test_splits_and_seeds_share_no_face():
    keys = {
        face_law.key("lorelei", split, seed, index)
        for split in SPLITS
        for seed in (0, 1)
        for index in (0, 1, 999, face_law.SPLIT_RANGE - 1)
    }
    assert len(keys) == len(SPLITS) * 2 * 4
    seen = {}
    for split in SPLITS:
        part = face_draw.draw_range("images", "lorelei", split, 0, 32, 0, 40)
        for face in part:
            assert seen.setdefault(face.tobytes(), split) == split
    assert len(seen) > 110


def test_at_least_99_percent_of_500_are_distinct():
    drawn = face_draw.draw_range("images", "lorelei", "train", 0, 32, 0, 500)
    assert len({face.tobytes() for face in drawn}) >= 495


def test_a_larger_picture_shows_the_same_face(tmp_path, lorelei):
    large = faces(128, 6, cache_dir=tmp_path, progress=False).images
    small = large.reshape(6, 64, 2, 64, 2, 3).astype(np.float64).mean((2, 4))
    for k in range(6):
        errors = np.abs(lorelei.images[:6] - small[k]).mean((1, 2, 3))
        assert errors.argmin() == k
        assert errors[k] < 8


def test_attribute_shares_follow_the_law():
    rows = [face_law.sample("lorelei", "train", 0, index) for index in range(4000)]
    assert abs(np.mean([row["glasses"] for row in rows]) - 0.20) < 0.03
    assert 0 < np.mean([row["beard"] for row in rows]) < 0.04
    assert np.mean([row["hair_length"] == "bald" for row in rows]) < 0.03
    for column, palette in (
        ("hair_color", face_law.HAIR_COLORS),
        ("skin", face_law.SKINS),
        ("eye_color", face_law.EYE_COLORS),
        ("background", face_law.BACKGROUNDS),
    ):
        assert {row[column] for row in rows} == set(palette)
    moods = {row["expression"] for row in rows}
    assert moods == set(face_tables.LORELEI["moods"])


SLOW_TO_CHECK = ("voxel-art", "notionists")  # DiceBear checks their file for seconds


@pytest.mark.parametrize(
    "style",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW_TO_CHECK))
        for name in STYLES
    ],
)
def test_every_style_draws_faces_with_attributes(style, tmp_path):
    drawn = faces(
        32, 3, style=style, include="attributes", cache_dir=tmp_path, progress=False
    )
    assert len({face.tobytes() for face in drawn.images}) == 3
    assert drawn.images.std() > 20
    assert all(len(column) == 3 for column in drawn.attributes.values())
    credit = licence(style)
    assert credit["artist"] in credit["text"] or credit["artist"] == "DiceBear"
    assert credit["licence"] in ("CC0 1.0", "CC BY 4.0")


def test_every_part_of_the_tables_exists():
    for style, table in (
        ("lorelei", face_tables.LORELEI),
        ("adventurer", face_tables.ADVENTURER),
    ):
        parts = face_styles.definition(style)["components"]
        listed = [v for group in table["hairs"].values() for v in group]
        assert sorted(listed) == sorted(parts["hair"]["variants"])
        assert set(table["hair_weights"]) == set(table["hairs"])
        assert set(table["hair_lengths"]) == set(table["hairs"])
        frames = set(table["glasses_variants"].values())
        assert frames == set(parts["glasses"]["variants"])
        for mood in table["moods"].values():
            assert set(mood["eyes"]) <= set(parts["eyes"]["variants"])
            assert set(mood["mouth"]) <= set(parts["mouth"]["variants"])
            assert set(mood["brows"]) <= set(parts["eyebrows"]["variants"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"style": "manga"}, "lorelei, adventurer"),
        ({"split": "dev"}, "train, validation, test"),
        ({"include": "depth"}, "line, labels, instances, attributes, captions"),
        ({"include": ("line", 7)}, "but got 7"),
        ({"n": -1}, "n expects a whole number from 0"),
        ({"n": 2.5}, "n expects"),
        ({"n": True}, "n expects"),
        ({"size": 4}, "size expects a whole number from 8 to 1024"),
        ({"workers": 0}, "workers expects"),
        ({"seed": "x"}, "seed expects"),
        ({"style": "micah", "include": "line"}, "images and attributes only"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        faces(**({"n": 1, "cache_dir": tmp_path} | arguments))


def test_no_faces_is_an_empty_set(tmp_path):
    none = faces(32, 0, include="all", cache_dir=tmp_path, progress=False)
    assert none.images.shape == (0, 32, 32, 3)
    assert none.captions == []
    assert len(none.attributes["hair_color"]) == 0


def test_killed_drawing_leaves_nothing_half_and_the_next_call_is_whole(tmp_path):
    script = (
        "import sys, types\n"
        "package = types.ModuleType('gan_lib')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "sys.modules['gan_lib'] = package\n"
        "from gan_lib.data import face_draw\n"
        "from gan_lib.data.faces import faces\n"
        "receive = face_draw._receive\n"
        "def tell(process, part):\n"
        "    receive(process, part)\n"
        "    print('chunk', flush=True)\n"
        "face_draw._receive = tell\n"
        "faces(48, 160, cache_dir=sys.argv[2], workers=2, progress=False)\n"
    )
    command = [sys.executable, "-c", script, PACKAGE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline().strip() == b"chunk"
        child.kill()
    assert list(tmp_path.glob("*.npy")) == []
    after = faces(48, 160, cache_dir=tmp_path, workers=2, progress=False).images
    expected = face_draw.draw_range("images", "lorelei", "train", 0, 48, 0, 160)
    np.testing.assert_array_equal(after, expected)


def test_a_dead_worker_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(face_draw, "__file__", str(tmp_path / "x.py"))  # no worker
    with pytest.raises(RuntimeError, match="workers=1"):
        faces(32, 100, cache_dir=tmp_path, workers=2, progress=False)
    assert list(tmp_path.glob("*.npy")) == []


def test_cache_is_read_in_well_under_a_second(tmp_path, monkeypatch):
    blank = np.zeros((5000, 64, 64, 3), np.uint8)
    monkeypatch.setattr(face_draw, "draw_all", lambda *a, **k: blank)
    faces(64, 5000, cache_dir=tmp_path)
    began = time.process_time()
    faces(64, 5000, cache_dir=tmp_path)
    assert time.process_time() - began < 1.0
