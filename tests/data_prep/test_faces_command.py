"""From a folder of pictures to a packed set, by the command a user types."""

import csv
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import pipeline
from data_prep.__main__ import main
from data_prep.crop import CropSettings
from gan_lib.data.faces import faces
from gan_lib.data.folders import load_folder

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Twelve pictures with a drawn face each, a copy, and four files that are bad."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = faces(160, 12, progress=False).images
    for number, face in enumerate(drawn):
        page = np.full((240, 320, 3), 40 + 15 * number, np.uint8)
        page[40:200, 80:240] = face
        Image.fromarray(page).save(folder / f"{number:02d} page.png")
    (folder / "sub").mkdir()
    whole = (folder / "03 page.png").read_bytes()
    (folder / "sub" / "copy of 03.png").write_bytes(whole)
    (folder / "cut off.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "page.html").write_text("<html>not found</html>")
    Image.new("RGB", (200, 200), "teal").save(folder / "nobody.png")
    return folder


def run(*words, check=True, **options):
    return subprocess.run(
        [sys.executable, "-m", "data_prep", *map(str, words)],
        capture_output=True, text=True, env=ENVIRONMENT, check=check, cwd=ROOT,
        **options,
    )  # fmt: skip


def rows_of(folder):
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digests(folder):
    """Of all that a user takes away; the index itself may differ in its free pages."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "index.sqlite" not in path.name
    }


@pytest.fixture(scope="session")
def packed(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / "out"
    told = run("faces", pictures, folder, "--size", 64, "--quiet")
    return folder, told.stdout


def test_every_file_has_a_row_and_every_drop_a_reason(pictures, packed):
    folder, told = packed
    rows = rows_of(folder)
    files = {str(p.relative_to(pictures)) for p in pictures.rglob("*") if p.is_file()}
    assert {row["source"] for row in rows} == files
    kept = [row for row in rows if row["status"] == "kept"]
    assert all(row["reason"] for row in rows if row["status"] != "kept")
    assert len(kept) >= 10
    reasons = {row["source"]: row["reason"] for row in rows}
    assert reasons["cut off.png"].startswith("broken")
    assert reasons["empty.jpg"] == "empty file (0 bytes)"
    assert reasons["page.html"].startswith("not a picture")
    assert reasons["nobody.png"] == "no face found"
    twins = [row for row in rows if "03" in row["source"]]
    assert sorted(row["status"] for row in twins) == ["dropped", "kept"]
    assert "report.html" in told
    assert (folder / "report.html").is_file()


def test_the_set_is_read_back(packed):
    folder, _ = packed
    kept = [row for row in rows_of(folder) if row["status"] == "kept"]
    images = load_folder(folder / "images", 64, progress=False).images
    assert len(images) == len(kept)
    assert all((folder / row["output"]).is_file() for row in kept)


def test_running_again_changes_nothing(pictures, packed):
    folder, _ = packed
    before = digests(folder)
    start = time.monotonic()
    run("faces", pictures, folder, "--size", 64, "--quiet")
    assert digests(folder) == before
    assert time.monotonic() - start < 20


def test_dry_run_changes_nothing(pictures, packed, tmp_path):
    folder, _ = packed
    before = digests(folder)
    run("faces", pictures, folder, "--size", 32, "--dry-run")
    assert digests(folder) == before
    told = run("faces", pictures, tmp_path / "none", "--dry-run").stdout
    assert "17 new" in told
    assert not (tmp_path / "none").exists()


def test_a_zip_gives_the_same_crops(pictures, packed, tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in sorted(pictures.rglob("*")):
            archive.write(path, path.relative_to(pictures))
    pipeline.faces(
        tmp_path / "in.zip",
        tmp_path / "out",
        workers=1,
        progress=False,
        crop=CropSettings(size=64),
    )
    expected, found = (
        {name: digest for name, digest in digests(folder).items() if "images" in name}
        for folder in (packed[0], tmp_path / "out")
    )
    assert expected
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_and_run_again_it_ends_with_the_same_files(
    pictures, packed, tmp_path, seed
):
    random.seed(seed)
    command = [sys.executable, "-m", "data_prep", "faces", str(pictures)]
    command += [str(tmp_path / "out"), "--size", "64", "--quiet", "--workers", "1"]
    for _ in range(4):
        process = subprocess.Popen(command, env=ENVIRONMENT, cwd=ROOT)
        time.sleep(random.uniform(0.5, 5))
        process.kill()
        process.wait()
    subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, check=True)
    assert digests(tmp_path / "out") == digests(packed[0])


@pytest.mark.slow
def test_a_cluster_gives_the_same_files_though_a_worker_is_killed(
    pictures, packed, tmp_path
):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        killer = threading.Timer(1.5, os.kill, (victim, signal.SIGKILL))
        killer.start()
        pipeline.faces(
            pictures,
            tmp_path / "out",
            workers=cluster.scheduler_address,
            progress=False,
            crop=CropSettings(size=64),
        )
        killer.join()
        with pytest.raises(ProcessLookupError):
            os.kill(victim, 0)  # it was killed before the end, and is gone
    assert digests(tmp_path / "out") == digests(packed[0])


def test_errors_are_one_line_that_helps(pictures, tmp_path, capsys):
    assert main(["faces", str(tmp_path / "nothing"), str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "Traceback" not in told
    assert main(["detect", str(tmp_path / "none"), "--dry-run"]) == 1
    assert "Run an earlier stage first" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["crop", str(tmp_path), "--size", "large"])


def test_every_option_is_explained(capsys):
    for name in ("faces", *pipeline.STAGES):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        told = capsys.readouterr().out
        silent = [
            line
            for line in told.splitlines()
            if line.startswith("  --") and len(line.split()) < 3
        ]
        after = told.splitlines()
        for line in silent:  # a long option has its help on the next line
            assert after[after.index(line) + 1].startswith("     "), line
