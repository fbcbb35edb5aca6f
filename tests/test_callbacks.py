"""The film, the log, the live line and the alarm, on real (tiny) trainings."""

from __future__ import annotations

import csv
import sys
import types
import warnings

import keras
import numpy as np
import pytest

from gan_lib import callbacks
from gan_lib.callbacks import CollapseAlarm, FixedLatentGrid, HistoryFile, LiveDisplay
from gan_lib.data.pipeline import to_uint8
from gan_lib.optimizers import Adam, LinearDecay

TICK = {"tick_kimg": 0.004, "verbose": 0}


def _alarm_after(gan, images, ticks, accuracy=0.6, **arguments):
    """The alarm's callbacks as `fit` would call them, without the training."""
    alarm = CollapseAlarm(images, **arguments)
    alarm.set_model(gan)
    alarm.on_train_begin()
    for tick in range(ticks):
        gan.images_seen.assign_add(1000)
        logs = {"real_accuracy": accuracy, "fake_accuracy": accuracy}
        alarm.on_epoch_end(tick, logs)
    return alarm


def _gan_that_draws(tiny_gan, spread):
    """Its averaged generator is tanh(spread times a linear map of the latents)."""
    latents = keras.Input((5,))
    x = keras.layers.Dense(192, kernel_initializer="random_normal")(latents)
    x = keras.layers.Rescaling(spread / 0.1)(x)
    x = keras.layers.Reshape((8, 8, 3))(keras.layers.Activation("tanh")(x))
    gan = tiny_gan()
    gan.ema_generator = keras.Model(latents, x)
    return gan


def test_film_of_fixed_latents(tiny_gan, tiny_batches, tmp_path):
    film = FixedLatentGrid(tmp_path / "film", every_kimg=0.008, count=3)
    gan = tiny_gan()
    gan.fit(tiny_batches, kimg=0.02, callbacks=[film], **TICK)
    assert [kimg for kimg, _ in film.frames()] == [0, 0.008, 0.016, 0.02]
    first, *_, last = (images for _, images in film.frames())
    assert first.shape == (3, 8, 8, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(last, to_uint8(gan.generate(film.fixed)))
    assert np.any(first != last)


def test_film_goes_on_after_a_cut_and_drops_a_lost_future(
    tiny_gan, tiny_batches, tmp_path
):
    def film():
        return FixedLatentGrid(tmp_path / "film", every_kimg=0.008, count=3)

    folder = tmp_path / "checkpoints"
    first, second = tiny_gan(), tiny_gan()
    arguments = {"resume": folder, "checkpoint_minutes": 0, **TICK}
    first.fit(tiny_batches, kimg=0.012, callbacks=[film()], **arguments)
    first.fit(tiny_batches, kimg=0.024, callbacks=[film()], **TICK)  # not kept
    assert [kimg for kimg, _ in film().frames()] == [0, 0.008, 0.012, 0.02, 0.024]
    (tmp_path / "film" / "unfinished-000000000099.npy").write_bytes(b"half")
    second.fit(tiny_batches, kimg=0.024, callbacks=[film()], **arguments)
    frames = film().frames()
    assert [kimg for kimg, _ in frames] == [0, 0.008, 0.012, 0.02, 0.024]
    latents = callbacks.sample(3, 5, seed=1)
    np.testing.assert_array_equal(frames[-1][1], to_uint8(second.generate(latents)))


def test_history_file_has_all_sittings(tiny_gan, tiny_batches, tmp_path):
    path = tmp_path / "new" / "history.csv"
    arguments = {"resume": tmp_path / "c", "checkpoint_minutes": 0, **TICK}
    tiny_gan().fit(tiny_batches, kimg=0.008, callbacks=[HistoryFile(path)], **arguments)
    gan = tiny_gan()
    history = gan.fit(
        tiny_batches, kimg=0.016, callbacks=[HistoryFile(path)], **arguments
    )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["kimg"]) for row in rows] == [0.004, 0.008, 0.012, 0.016]
    for name, column in history.history.items():
        assert [float(row[name]) for row in rows] == column
    assert [p.name for p in path.parent.iterdir()] == ["history.csv"]


def test_live_line(tiny_gan, tiny_batches, capsys):
    live = LiveDisplay(every_kimg=0.008)
    tiny_gan().fit(tiny_batches, kimg=0.016, callbacks=[live], **TICK)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "kimg  discriminator" in lines[0]


def test_live_line_in_a_program_that_knows_of_notebooks(
    tiny_gan, tiny_batches, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    live = LiveDisplay(every_kimg=0.004)
    tiny_gan().fit(tiny_batches, kimg=0.004, callbacks=[live], **TICK)
    assert "kimg  discriminator" in capsys.readouterr().out


def test_live_picture_in_a_notebook(tiny_gan, tiny_batches, monkeypatch):
    shown = []

    class Handle:
        def update(self, figure):
            shown.append(figure)

    def display(figure, display_id):
        shown.append(figure)
        return Handle()

    pytest.importorskip("IPython.display")
    shell = types.SimpleNamespace(kernel="running")
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", display)
    live = LiveDisplay(every_kimg=0.004, count=4)
    tiny_gan().fit(tiny_batches, kimg=0.008, callbacks=[live], **TICK)
    assert len(shown) == 2


class TestAlarm:
    def test_a_generator_of_one_picture(self, tiny_gan, tiny_images):
        gan = _gan_that_draws(tiny_gan, spread=0.01)
        with pytest.warns(UserWarning, match="collapse at"):
            alarm = _alarm_after(gan, tiny_images, ticks=14)
        assert [name for _, name in alarm.alarms] == ["collapse"]  # once

    def test_a_generator_that_falls_early(self, tiny_gan, tiny_images):
        gan = _gan_that_draws(tiny_gan, spread=1.0)
        alarm = _alarm_after(gan, tiny_images, ticks=1)
        gan.ema_generator.set_weights(
            [0 * weight for weight in gan.ema_generator.get_weights()]
        )
        logs = {"real_accuracy": 0.6, "fake_accuracy": 0.6}
        for tick in range(2):
            alarm.on_epoch_end(tick, logs)
        with pytest.warns(UserWarning, match="collapse at 1.0 kimg"):
            alarm.on_epoch_end(2, logs)

    def test_a_discriminator_that_wins(self, tiny_gan, tiny_images):
        gan = _gan_that_draws(tiny_gan, spread=1.0)
        with pytest.warns(UserWarning, match="discriminator wins at 3.0 kimg"):
            alarm = _alarm_after(gan, tiny_images, ticks=5, accuracy=1.0)
        assert alarm.alarms == [(3.0, "discriminator wins")]

    def test_patience(self, tiny_gan, tiny_images):
        gan = _gan_that_draws(tiny_gan, spread=1.0)
        alarm = _alarm_after(gan, tiny_images, ticks=4, accuracy=1.0, patience=5)
        assert not alarm.alarms

    def test_a_healthy_game(self, tiny_gan, tiny_images):
        gan = _gan_that_draws(tiny_gan, spread=1.0)
        assert not _alarm_after(gan, tiny_images, ticks=6).alarms

    def test_a_start_that_is_still_grey(self, tiny_gan, tiny_images, tiny_batches):
        """Every DCGAN begins with nearly equal grey pictures; that is no collapse."""
        alarm = CollapseAlarm(tiny_images)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            tiny_gan().fit(tiny_batches, kimg=0.04, callbacks=[alarm], **TICK)
        assert not alarm.alarms


def test_pixel_spread_is_the_distance_of_random_pairs():
    images = np.random.default_rng(0).normal(size=(300, 4, 4, 3))
    expected = np.sqrt(np.mean((images[::2] - images[1::2]) ** 2))
    assert callbacks.pixel_spread(images) == pytest.approx(expected, rel=0.03)
    assert callbacks.pixel_spread(np.ones((5, 2, 2, 3))) == 0


def test_learning_rates_fall_in_the_second_half(tiny_gan, tiny_batches):
    gan, seen = tiny_gan(), []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda tick, logs: seen.append(
            float(gan.generator_optimizer.learning_rate)
        )
    )
    rate = float(gan.generator_optimizer.learning_rate)
    cool = callbacks.CoolDown(gan, kimg=0.032)
    gan.fit(tiny_batches, kimg=0.032, callbacks=[cool, note], **TICK)
    expected = [rate * x for x in (1, 1, 1, 1, 0.75, 0.5, 0.25, 0)]
    np.testing.assert_allclose(seen, expected, atol=1e-9)


def test_learning_rates_fall_with_the_minutes_too(tiny_gan, monkeypatch):
    gan, now = tiny_gan(), [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    cool = callbacks.CoolDown(gan, kimg=100, minutes=2)
    cool.set_model(gan)
    rate = float(gan.discriminator_optimizer.learning_rate)
    cool.on_train_begin()
    for second, share in ((30, 1), (60, 1), (90, 0.5), (120, 0), (150, 0)):
        now[0] = second
        cool.on_epoch_end(0)
        found = float(gan.discriminator_optimizer.learning_rate)
        assert found == pytest.approx(rate * share)


def test_a_resumed_training_cools_from_the_first_rate(tiny_gan, tiny_batches, tmp_path):
    def train(kimg):
        gan = tiny_gan()
        cool = callbacks.CoolDown(gan, kimg=0.032)
        gan.fit(tiny_batches, kimg=kimg, resume=tmp_path, callbacks=[cool], **TICK)
        return gan

    rate = float(tiny_gan().generator_optimizer.learning_rate)
    found = float(train(0.024).generator_optimizer.learning_rate)
    assert found == pytest.approx(rate / 2)
    found = float(train(0.028).generator_optimizer.learning_rate)
    assert found == pytest.approx(rate / 4)


def test_a_schedule_and_a_cool_down_are_one_too_many(tiny_gan):
    gan = tiny_gan()
    gan.generator_optimizer = Adam(LinearDecay(1e-3, 0, 1, 4))
    with pytest.raises(ValueError, match="schedule already"):
        callbacks.CoolDown(gan, kimg=1)
