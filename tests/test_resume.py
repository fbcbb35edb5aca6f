"""Training that was cut off ends as if nobody had touched it, bit for bit."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from gan_lib.session import state

STEPS, BATCH = 8, 4
TICK = {"tick_kimg": 2 * BATCH / 1000, "checkpoint_minutes": 0, "verbose": 0}
NOISY = {"dropout": 0.3, "real_labels": (0.8, 1.0), "fake_labels": (0.0, 0.2)}


class CutOff(Exception):
    pass


class Cut(keras.callbacks.Callback):
    """Ends a training without any farewell, in the middle of a tick."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise CutOff


def _train(gan, batches, folder=None, steps=STEPS, **arguments):
    arguments = {**TICK, **arguments}
    return gan.fit(batches, kimg=steps * BATCH / 1000, resume=folder, **arguments)


def _assert_same(gan, straight):
    expected, actual = state(straight), state(gan)
    assert any("seed" in v.path for v in gan.discriminator.variables)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)
    assert len(gan.history_rows) == len(straight.history_rows)
    for a, b in zip(gan.history_rows, straight.history_rows, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


@pytest.fixture(scope="module")
def straight(tiny_gan, tiny_images):
    from gan_lib.data.pipeline import Batches

    gan = tiny_gan(**NOISY)
    _train(gan, Batches(tiny_images, BATCH, seed=3))
    return gan


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_cut_and_resumed(cut, tiny_gan, tiny_batches, straight, tmp_path, capsys):
    gan = tiny_gan(**NOISY)
    with pytest.raises(CutOff):
        _train(gan, tiny_batches, tmp_path, callbacks=[Cut(cut)])
    resumed = tiny_gan(**NOISY)
    history = _train(resumed, tiny_batches, tmp_path)
    said = "Resumed at" in capsys.readouterr().out
    assert said == (cut > 1)  # before the first tick nothing had been kept
    _assert_same(resumed, straight)
    assert history.history["kimg"] == [0.008, 0.016, 0.024, 0.032]


def test_sitting_by_sitting(tiny_gan, tiny_batches, straight, tmp_path, capsys):
    """`max_minutes` in one process, then again and again with the same object."""
    gan = tiny_gan(**NOISY)
    for tick in range(1, 5):
        _train(gan, tiny_batches, tmp_path, max_minutes=0, checkpoint_minutes=60)
        assert gan.kimg == 0.008 * tick
    _assert_same(gan, straight)
    assert "Resumed at" not in capsys.readouterr().out  # it stands there already


@pytest.mark.slow
def test_a_network_that_learned_elsewhere_is_overwritten(
    tiny_gan, tiny_batches, straight, tmp_path
):
    _train(tiny_gan(**NOISY), tiny_batches, tmp_path, steps=4)
    other = tiny_gan(**NOISY, seed=9)
    _train(other, tiny_batches, steps=2)
    _train(other, tiny_batches, tmp_path)
    _assert_same(other, straight)


@pytest.mark.slow
def test_loss_scales_are_part_of_the_state(tiny_gan, tiny_batches, tmp_path):
    gan = tiny_gan(dtype="mixed_float16")
    gan.generator_optimizer.dynamic_scale.assign(1024.0)
    _train(gan, tiny_batches, tmp_path, steps=2)
    resumed = tiny_gan(dtype="mixed_float16")
    _train(resumed, tiny_batches, tmp_path, steps=2)
    assert float(resumed.generator_optimizer.dynamic_scale) == 1024.0
    assert int(resumed.generator_optimizer.step_counter) == 2


def test_what_does_not_fit_is_explained(tiny_gan, tiny_images, tiny_batches, tmp_path):
    from gan_lib.data.pipeline import Batches

    _train(tiny_gan(), tiny_batches, tmp_path, steps=2)
    with pytest.raises(ValueError, match="another model"):
        _train(tiny_gan(batch_norm=False), tiny_batches, tmp_path)
    with pytest.raises(ValueError, match="batch size"):
        tiny_gan().fit(Batches(tiny_images, 3), kimg=0.03, resume=tmp_path, verbose=0)


def test_a_full_disk_does_not_stop_the_training(
    tiny_gan, tiny_batches, straight, tmp_path, monkeypatch
):
    import errno

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    gan = tiny_gan(**NOISY)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.warns(UserWarning, match="NOT SAVED"):
            _train(gan, tiny_batches, tmp_path)
    _assert_same(gan, straight)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork and SIGKILL")
def test_kills(tmp_path):
    """benchmarks/reliability.py with fewer kills (5, or as GAN_KILLS says)."""
    root = Path(__file__).parents[1]
    kills = os.environ.get("GAN_KILLS", "5")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.reliability", tmp_path / "table.csv"],
        cwd=root,
        env={**os.environ, "GAN_KILLS": kills, "GAN_SAVE_KILLS": kills},
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert all(row["unrecoverable"] == "0" for row in rows)
    assert all(row["exact"] == "True" for row in rows)
    assert int(rows[0]["most lost"].split()[0]) <= 5  # steps between two saves
    assert rows[1]["most lost"].startswith("0 ")
