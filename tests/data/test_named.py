"""Public sets by name, against a loopback server and pre-filled caches."""

from __future__ import annotations

import hashlib
import http.server
import io
import sys
import tarfile
import threading
import types

import numpy as np
import pytest
from PIL import Image

from gan_lib.data import download, named
from gan_lib.data.download import Offline, fetch, unpack
from gan_lib.data.named import SOURCES, Source, available

BODY = np.random.default_rng(0).bytes(300_000)
SUM = hashlib.sha256(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; may cut the first answer or ignore Range."""

    def do_GET(self):
        body = self.server.files.get(self.path)
        wanted = self.headers.get("Range")
        self.server.seen.append(wanted)
        if body is None:
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/*")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        stop = self.server.cuts.pop(0) if self.server.cuts else len(body)
        self.wfile.write(body[start : max(start, stop)])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.files = {"/a.bin": BODY}
        running.seen, running.cuts, running.ranges = [], [], True
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server, target, **options):
    return fetch(f"{server.url}/a.bin", target, progress=False, **options)


def test_fetch_checks_and_renames(server, tmp_path):
    path = get(server, tmp_path / "sub" / "a.bin", sha256=SUM)
    assert path.read_bytes() == BODY
    assert not list(path.parent.glob("*.part"))
    get(server, path, sha256=SUM)
    assert len(server.seen) == 1  # the second call asks nobody


def test_cut_body_is_continued(server, tmp_path):
    server.cuts = [100_000, 250_000]  # positions in the file
    for _ in range(2):
        with pytest.raises(Offline, match="what has arrived is kept"):
            get(server, tmp_path / "a.bin", sha256=SUM)
        assert not (tmp_path / "a.bin").exists()
    assert get(server, tmp_path / "a.bin", sha256=SUM).read_bytes() == BODY
    starts = [int(wanted[6:-1]) for wanted in server.seen[1:]]
    assert server.seen[0] is None
    assert 100_000 - 2**14 < starts[0] <= 100_000
    assert 250_000 - 2**14 < starts[1] <= 250_000


def test_server_without_range_starts_again(server, tmp_path):
    server.ranges, server.cuts = False, [100_000]
    with pytest.raises(Offline):
        get(server, tmp_path / "a.bin")
    assert get(server, tmp_path / "a.bin", sha256=SUM).read_bytes() == BODY


def test_whole_part_needs_only_the_check(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY)
    assert get(server, tmp_path / "a.bin", sha256=SUM).read_bytes() == BODY


def test_part_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY + b"more")
    with pytest.raises(OSError, match="has changed"):
        get(server, tmp_path / "a.bin", sha256=SUM)
    assert get(server, tmp_path / "a.bin", sha256=SUM).read_bytes() == BODY


def test_wrong_sum_is_refused_and_removed(server, tmp_path):
    with pytest.raises(OSError, match="damaged or was changed"):
        get(server, tmp_path / "a.bin", sha256="0" * 64)
    assert not list(tmp_path.iterdir())


def test_first_sum_is_trusted_then_kept(server, tmp_path, capsys):
    get(server, tmp_path / "a.bin")
    assert SUM in capsys.readouterr().out
    (tmp_path / "a.bin").unlink()
    server.files["/a.bin"] = BODY[::-1]
    with pytest.raises(OSError, match=SUM):
        get(server, tmp_path / "a.bin")


def test_missing_file_full_disk_and_no_server(server, tmp_path, monkeypatch):
    with pytest.raises(OSError, match="answered 404"):
        fetch(f"{server.url}/none", tmp_path / "n", progress=False)
    usage = download.shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=10))
        with pytest.raises(OSError, match="Free some space"):
            get(server, tmp_path / "a.bin")
    with pytest.raises(Offline, match="Without internet"):
        fetch("http://127.0.0.1:9/a.bin", tmp_path / "o", progress=False)


def picture(left, right=None, side=48) -> bytes:
    image = Image.new("RGB", (side * 2 if right else side, side), left)
    if right:
        image.paste(right, (side, 0, 2 * side, side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def tar(members: dict[str, bytes], kind=tarfile.REGTYPE, link="") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        tar({"../escape.png": b"x"}),
        tar({"/../../escape.png": b"x"}),
        tar({"link": b""}, tarfile.SYMTYPE, "/etc"),
        tar({"device": b""}, tarfile.CHRTYPE),
        b"not a tar file",
        tar({"a.png": bytes(9000)})[:60],
    ],
    # Fixed names: the bytes hold the time of day, and so would the tests' own.
    ids=["up", "absolute up", "link", "device", "no tar", "cut"],
)
def test_hostile_or_broken_tar_leaves_nothing(tmp_path, data):
    archive = tmp_path / "in" / "a.tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(data)
    with pytest.raises(OSError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "out" / "set")
    assert not list((tmp_path / "out").iterdir())
    assert not list(tmp_path.rglob("escape.png"))


@pytest.fixture
def pairs(server, monkeypatch):
    source = Source(
        "pairs", "url", f"{server.url}/p.tar.gz", ("train", "val"), "CC0", "Nobody.",
        pairs=True,
    )  # fmt: skip
    monkeypatch.setitem(SOURCES, "pairs", source)
    data = picture((200, 0, 0), (0, 0, 200))
    server.files["/p.tar.gz"] = tar({"p/train/1.png": data, "p/val/2.png": data})
    return source


def test_url_set_shows_terms_and_is_cached(server, pairs, tmp_path, capsys):
    loaded = named.named("pairs", 32, cache_dir=tmp_path, progress=False)
    text = capsys.readouterr().out
    assert "Licence: CC0" in text
    assert "Please cite: Nobody." in text
    assert loaded.paths == ("1.png",)
    assert loaded.images[0, 3, 3].tolist() == [200, 0, 0]
    right = named.named(
        "pairs", 32, split="val", half="right", cache_dir=tmp_path, progress=False
    )
    assert right.images[0, 3, 3].tolist() == [0, 0, 200]
    assert len(server.seen) == 1


def test_kaggle_set_from_a_filled_cache(tmp_path, monkeypatch):
    pytest.importorskip("kagglehub")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "k"))
    root = tmp_path / "k" / "datasets" / "arnaud58" / "selfie2anime"
    for split, colour in (("trainA", (9, 0, 0)), ("trainB", (0, 9, 0))):
        folder = root / "versions" / "2" / split
        folder.mkdir(parents=True)
        (folder / "x.png").write_bytes(picture(colour))
    (root / "2.complete").touch()
    for split, green in (("trainA", 0), (None, 9)):
        loaded = named.named(
            "selfie2anime", 32, split=split, cache_dir=tmp_path, progress=False
        )
        assert loaded.images[0, 0, 0, 1] == green


def test_kaggle_offline_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "k"))

    def refuse(handle):
        raise OSError("name resolution failed")

    stub = types.SimpleNamespace(dataset_download=refuse)
    monkeypatch.setitem(sys.modules, "kagglehub", stub)
    with pytest.raises(ConnectionError, match=r"(?s)not cached.*Without internet"):
        named.named("anime_faces", cache_dir=tmp_path, progress=False)


def test_tfds_set_keeps_the_encoded_pictures(tmp_path, monkeypatch):
    calls = []

    class Examples:
        def as_numpy_iterator(self):
            return iter([{"image": picture((k, 5, 5))} for k in range(3)])

    def load(name, split, decoders):
        calls.append((name, split, decoders))
        return Examples()

    stub = types.SimpleNamespace(
        load=load, decode=types.SimpleNamespace(SkipDecoding=lambda: "skip")
    )
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", stub)
    for _ in range(2):
        loaded = named.named(
            "cycle_gan/horse2zebra", 32, split="testA", cache_dir=tmp_path,
            progress=False,
        )  # fmt: skip
        assert loaded.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert calls == [("cycle_gan/horse2zebra", "testA", {"image": "skip"})]


def test_errors_talk_like_a_teacher(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"no set named 'cats'.*anime_faces"):
        named.named("cats", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="splits 'train', 'validation'"):
        named.named("celeb_a", split="all", cache_dir=tmp_path)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match="pip install tensorflow-datasets"):
        named.named("celeb_a", cache_dir=tmp_path)


def test_table_names_every_set_with_its_terms(capsys):
    text = available()
    assert capsys.readouterr().out.strip() == text
    for source in SOURCES.values():
        assert source.name in text
        assert source.licence
        assert source.citation
        assert source.route in ("kaggle", "tfds", "url")
