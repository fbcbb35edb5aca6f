"""Two processes that train together do what one device does, and survive a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from replica_cases import assert_equal_rows, train

from gan_lib import devices

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
PROGRAM = f"""
import json, sys

sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE)!r}]
from gan_lib import devices

addresses, index, folder, case, steps, seconds = json.loads(sys.argv[1])
devices.join(addresses, index)
devices.strategy()
import replica_cases as cases

gan = cases.build(case, 2)
found = cases.train(case, steps=steps, folder=folder, gan=gan, seconds=seconds)
pictures = cases.SOURCES[:3] if case == "pix2pix" else 3
alone = gan.generate(pictures).shape if index == 0 else None
print(json.dumps([found, alone]))
"""


@pytest.fixture
def start():
    """A function that starts two workers; none of them outlives the test."""
    started = []

    def begin(*arguments, **more):
        started.extend(_start(*arguments, **more))
        return started[-2:]

    yield begin
    for process in started:
        process.kill()


def _start(folders, case, steps, seconds=0.0):
    """Two workers that train so many steps, each with a folder of its own."""
    addresses = devices.free_addresses(2)
    return [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM,
             json.dumps([addresses, index, folder, case, steps, seconds])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        )
        for index, folder in enumerate(folders)
    ]  # fmt: skip


def results(processes):
    """Of the chief and of the other: what the training found, shape of pictures."""
    outputs = [process.communicate(timeout=300) for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors[:3000] + errors[-1000:]
    return [json.loads(output.splitlines()[-1]) for output, _ in outputs]


def test_two_workers_equal_one_device_and_go_on_from_its_checkpoint(tmp_path, start):
    folders = [str(tmp_path / name) for name in ("chief", "other")]
    train("pix2pix", 1, 2, folders[0])
    chief, other = results(start(folders, "pix2pix", 4))
    assert chief[0] == other[0]
    assert_equal_rows(train("pix2pix", 1, 4), chief[0])
    assert chief[1] == [3, 16, 16, 3]  # no other worker had to take part
    assert not Path(folders[1]).exists()
    assert_equal_rows(train("pix2pix", 1, 6), train("pix2pix", 1, 6, folders[0]))


def test_a_killed_worker_stops_the_other_and_both_go_on_when_started_again(
    tmp_path, start
):
    folders = [str(tmp_path / name) for name in ("chief", "other")]
    processes = start(folders, "lazy penalty", 12, seconds=0.3)
    while not list(tmp_path.glob("chief/checkpoint-*.npz")):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
    processes[1].kill()
    _, errors = processes[0].communicate(timeout=60)
    assert processes[0].returncode != 0
    assert "worker" in errors
    chief, other = results(start(folders, "lazy penalty", 12))
    assert chief[0] == other[0]
    assert_equal_rows(train("lazy penalty", 1, 12), chief[0])


def test_the_command_compares_workers_with_one_device():
    command = [sys.executable, "-m", "gan_lib.devices", "--steps", "2"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "equal within 1e-05" in result.stdout
    assert "NOT" not in result.stdout
    assert result.stdout.count("generator") == 2


@pytest.mark.parametrize(
    ("workers", "index", "words"),
    [(["a:1", "b"], 0, "a host and a port"), (["a:1", "b:2"], 2, "from 0 to 1")],
)
def test_join_explains_what_it_needs(monkeypatch, workers, index, words):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=words):
        devices.join(workers, index)
    assert "TF_CONFIG" not in os.environ
