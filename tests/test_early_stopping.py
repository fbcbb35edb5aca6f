"""The best generator is kept, and a training that only gets worse is stopped."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from gan_lib import checkpoints
from gan_lib.callbacks import HistoryFile
from gan_lib.early_stopping import EarlyStoppingByKID
from gan_lib.metrics import kid
from gan_lib.session import state
from gan_lib.training import GAN

NOISY = {"dropout": 0.3, "real_labels": (0.8, 1.0)}
# One step of four images is a tick.
TICK = {"tick_kimg": 0.004, "checkpoint_minutes": 0, "verbose": 0}


class CutOff(Exception):
    pass


class Cut(keras.callbacks.Callback):
    """Ends a training without any farewell, before the end of a tick."""

    def __init__(self, kimg):
        super().__init__()
        self.kimg = kimg

    def on_train_batch_end(self, batch, logs=None):
        if self.model.kimg == self.kimg:
            raise CutOff


class Recorder(keras.callbacks.Callback):
    """Averaged weights and logs of each tick, by kimg."""

    def on_train_begin(self, logs=None):
        self.weights, self.logs = {}, {}

    def on_epoch_end(self, epoch, logs=None):
        self.weights[self.model.kimg] = self.model.ema_generator.get_weights()
        self.logs[self.model.kimg] = dict(logs)


class Damage(keras.callbacks.Callback):
    """Spoils the averaged generator from a moment on, more each tick."""

    def __init__(self, from_kimg):
        super().__init__()
        self.from_kimg = from_kimg

    def on_epoch_end(self, epoch, logs=None):
        if self.model.kimg >= self.from_kimg:
            network = self.model.ema_generator
            network.set_weights([w + 1 + epoch for w in network.get_weights()])


def _colours(images):
    """A quick feature network: mean colours, (n, H, W, 3) -> (n, 3)."""
    return np.asarray(images, np.float64).mean((1, 2))


@pytest.fixture
def real(tiny_images):
    return tiny_images / np.float32(127.5) - 1


def _brighter(real, amounts):
    """Generated pictures: the real ones and a shift for each 4 images seen."""

    def generate(gan):
        return np.clip(real[::-1] + amounts[round(gan.kimg / 0.004)], -1, 1)

    return generate


def _stopper(real, folder, **arguments):
    defaults = {"every_kimg": 0.004, "num_images": 40, "features": _colours}
    return EarlyStoppingByKID(real, folder, **defaults | arguments)


def _fit(gan, batches, *callbacks, kimg=0.032, **arguments):
    return gan.fit(batches, kimg=kimg, callbacks=callbacks, **TICK | arguments)


def _drive(gan, stopper, kimg=0.032, start=0.0):
    """The stopper as `fit` would call it, with weights that only `kimg` decides."""
    stopper.set_model(gan)
    stopper.set_params({"epochs": 8})
    gan.images_seen.assign(round(1000 * start))
    stopper.on_train_begin()
    while gan.kimg < kimg and not gan.stop_training:
        gan.images_seen.assign_add(4)
        weights = gan.ema_generator.get_weights()
        gan.ema_generator.set_weights([0 * w + gan.kimg for w in weights])
        stopper.on_epoch_end(round(gan.kimg / 0.004) - 1, {})
    return stopper


def _assert_equal(ones, others):
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_array_equal(one, other)


def _assert_same_state(one, other):
    actual, expected = state(one), state(other)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def _expected_stop(measured, patience, margin):
    """The kimg of the rule in the docstring, in float64; None if it never holds."""
    for end in range(patience, len(measured) + 1):
        _, least, error = min(measured[:end], key=lambda row: row[1])
        worse = [
            value - least > margin * np.sqrt(np.float64(s) ** 2 + error**2)
            for _, value, s in measured[end - patience : end]
        ]
        if all(worse):
            return measured[end - 1][0]
    return None


def test_a_generator_that_breaks_is_stopped_and_the_best_comes_back(
    tiny_gan, tiny_batches, tmp_path, capsys
):
    gan, recorder = tiny_gan(), Recorder()
    pictures = gan.generate(40, seed=5)
    stopper = _stopper(pictures, tmp_path / "kept", patience=2)
    damage = Damage(from_kimg=0.012)
    folder = tmp_path / "checkpoints"
    history = _fit(gan, tiny_batches, damage, stopper, recorder, resume=folder)
    assert [row.kimg for row in stopper.measured] == [0, 0.004, 0.008, 0.012, 0.016]
    assert gan.kimg == 0.016
    assert history.history["kimg"] == [0.004, 0.008, 0.012, 0.016]
    assert "000000000016" in checkpoints.Checkpoints(folder).paths()[0].name
    kimg, value, _ = stopper.best
    assert value == min(row.kid for row in stopper.measured)
    assert 0 <= kimg < 0.012
    said = capsys.readouterr().out
    assert said.count("Stopped at 0.016 kimg") == 1
    assert f"best at {kimg:g} kimg" in said
    fresh = tiny_gan(seed=4)
    _stopper(pictures, tmp_path / "kept").restore(fresh)
    first = tiny_gan().ema_generator.get_weights()
    kept = recorder.weights.get(kimg, first)
    _assert_equal(fresh.ema_generator.get_weights(), kept)


def test_the_kid_is_that_of_the_average(tiny_gan, tiny_batches, real, tmp_path):
    gan, recorder = tiny_gan(), Recorder()
    stopper = _stopper(real, tmp_path, every_kimg=0.008, num_images=24, seed=6)
    history = _fit(gan, tiny_batches, stopper, recorder, kimg=0.02)
    # The start, every second tick, and the last.
    assert [row.kimg for row in stopper.measured] == [0, 0.008, 0.016, 0.02]
    expected = kid(_colours(real), _colours(gan.generate(24, seed=6)))
    assert stopper.measured[-1][1:] == (expected.value, expected.standard_error)
    assert recorder.logs[0.02]["kid"] == expected.value
    assert "kid" not in recorder.logs[0.012]
    assert "kid" not in history.history
    by_features = _stopper(_colours(real), tmp_path, num_images=24, seed=6)
    np.testing.assert_array_equal(by_features.real, stopper.real)
    assert by_features.measured == stopper.measured


def test_measuring_changes_nothing(tiny_gan, tiny_batches, real, tmp_path):
    watched, alone = tiny_gan(**NOISY), tiny_gan(**NOISY)
    _fit(watched, tiny_batches, _stopper(real, tmp_path), kimg=0.008)
    _fit(alone, tiny_batches, kimg=0.008)
    _assert_same_state(watched, alone)


@pytest.mark.parametrize(
    ("amounts", "patience", "stop"),
    [
        ([0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], 1, None),  # better and better
        ([0.5, 0.3, 0.6, 0.3, 0.6, 0.3, 0.6, 0.3, 0.6], 2, None),  # up and down
        ([0.5, 0.3, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6], 3, 0.016),
        ([0.4, 0.2, 0.5, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5], 4, 0.028),
        ([0.1, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9], 1, 0.004),
    ],
)
def test_the_rule(amounts, patience, stop, tiny_gan, real, tmp_path):
    draw, gan = _brighter(real, amounts), tiny_gan()
    stopper = _stopper(real, tmp_path, generate=draw, patience=patience)
    _drive(gan, stopper)
    assert gan.kimg == (stop or 0.032)
    assert _expected_stop(stopper.measured, patience, 1.0) == stop


@pytest.mark.parametrize(("margin", "stop"), [(0, 0.008), (1, 0.024), (4, None)])
def test_noise_within_the_error(margin, stop, tiny_gan, real, tmp_path):
    amounts = [0.0, 0.04, 0.05, 0.06, 0.08, 0.2, 0.22, 0.24, 0.25]
    draw, gan = _brighter(real, amounts), tiny_gan()
    stopper = _stopper(real, tmp_path, generate=draw, patience=2, margin=margin)
    _drive(gan, stopper)
    first, *others = stopper.measured
    assert all(row.kid > first.kid for row in others)
    assert gan.kimg == (stop or 0.032)
    assert _expected_stop(stopper.measured, 2, margin) == stop


AMOUNTS = [0.8, 0.6, 0.4, 0.2, 0.1, 0.3, 0.3, 0.5, 0.5]  # stops at 0.028


def test_cut_and_resumed(tiny_gan, tiny_batches, real, tmp_path):
    """Three sittings, of no time, lost with its best, and to the end, are as one."""
    draw = _brighter(real, AMOUNTS)
    folder = {"resume": tmp_path / "checkpoints"}

    def train(name, *others, **arguments):
        gan = tiny_gan()
        stopper = _stopper(real, tmp_path / name, generate=draw, every_kimg=0.008)
        _fit(gan, tiny_batches, stopper, *others, **arguments)
        return gan, stopper

    train("cut", max_minutes=0, **folder)
    with pytest.raises(CutOff):
        train("cut", Cut(0.024), **folder | {"checkpoint_minutes": 60})
    lost = _stopper(real, tmp_path / "cut")
    assert [row.kimg for row in lost.measured] == [0, 0.008, 0.016]
    resumed, after = train("cut", **folder)
    straight, unbroken = train("straight")
    assert straight.kimg == 0.032
    _assert_same_state(resumed, straight)
    _assert_same_on_disk(after, unbroken)


def _assert_same_on_disk(one, other):
    assert one.measured == other.measured
    assert one.best == other.best
    assert one.file.read_text() == other.file.read_text()
    names = [[path.name for path in x.keeper.paths()] for x in (one, other)]
    assert names[0] == names[1]  # a name has the SHA-256 of the content


@pytest.mark.parametrize(
    ("start", "lost"),
    [(0, 0.028), (0.004, 0.020), (0.008, 0.028), (0.024, 0.028)],
)
def test_any_future_may_be_lost(start, lost, tiny_gan, real, tmp_path):
    """Even when both generators on the disk are of that future."""
    draw = _brighter(real, AMOUNTS)

    def stopper(name):
        return _stopper(real, tmp_path / name, generate=draw)

    gan = tiny_gan()
    _drive(gan, stopper("cut"), kimg=lost)
    gan.stop_training = False
    resumed = _drive(gan, stopper("cut"), start=start)
    assert gan.kimg == 0.028
    gan.stop_training = False
    _assert_same_on_disk(resumed, _drive(gan, stopper("straight")))


def test_a_stopped_training_stays_stopped(
    tiny_gan, tiny_batches, real, tmp_path, capsys
):
    draw = _brighter(real, [0.0] + 8 * [0.6])
    folder = {"resume": tmp_path / "checkpoints"}

    def sit(gan, patience):
        stopper = _stopper(real, tmp_path, generate=draw, patience=patience)
        log = HistoryFile(tmp_path / "history.csv")
        _fit(gan, tiny_batches, stopper, log, **folder)
        return capsys.readouterr().out

    first, again = tiny_gan(), tiny_gan()
    assert "Nothing left" not in sit(first, 2)
    assert "Nothing left to train. Stopped at 0.008 kimg" in sit(again, 2)
    _assert_same_state(again, first)
    assert again.history_rows == first.history_rows
    sit(again, 4)
    assert again.kimg == 0.016
    sit(again, 4)
    assert again.kimg == 0.016
    _fit(again, tiny_batches)  # without the callback it is a training as any other
    assert again.kimg == 0.032


def test_a_training_from_0_begins_anew(tiny_gan, real, tmp_path):
    good, bad = [0.1, 0.2, 0.3], [0.9, 0.5, 0.6]
    for amounts, best in ((good, 0.0), (bad, 0.004)):
        draw = _brighter(real, amounts)
        stopper = _drive(tiny_gan(), _stopper(real, tmp_path, generate=draw), 0.008)
        assert [row.kimg for row in stopper.measured] == [0, 0.004, 0.008]
        assert stopper.best.kimg == best
        assert json.loads(stopper.file.read_text())["measured"][0]["kimg"] == 0


def test_a_kill_while_writing(tiny_gan, real, tmp_path, monkeypatch):
    draw = _brighter(real, AMOUNTS)
    gan, stopper = tiny_gan(), _stopper(real, tmp_path, generate=draw)
    rename = checkpoints.os.replace

    def killed(old, new):
        if "000000000012" in str(new):
            raise CutOff
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.os, "replace", killed)
        with pytest.raises(CutOff):
            _drive(gan, stopper)
    stopper = _stopper(real, tmp_path, generate=draw)
    assert [row.kimg for row in stopper.measured] == [0, 0.004, 0.008]
    assert stopper.best[0] == 0.008
    stopper.restore(gan)
    assert np.unique(gan.ema_generator.get_weights()[0]) == np.float32(0.008)
    assert not list(tmp_path.rglob("unfinished*"))


@pytest.fixture
def kept(tiny_gan, real, tmp_path):
    """A folder with the bests of 0.004 and 0.008 kimg, and two worse ones after."""
    draw = _brighter(real, [0.4, 0.3, 0.2, 0.5, 0.5])
    return _drive(tiny_gan(), _stopper(real, tmp_path, generate=draw), kimg=0.016)


def test_torn_files(kept, real, tmp_path):
    draw = _brighter(real, [0])
    text = kept.file.read_text()
    assert [row["kimg"] for row in json.loads(text)["measured"]][-1] == 0.016
    kept.file.write_text(text[:100])
    with pytest.warns(UserWarning, match="kid.json is damaged"):
        stopper = _stopper(real, tmp_path, generate=draw)
    assert stopper.best == kept.best
    assert stopper.measured == kept.measured[:3]
    kept.file.write_text(text)
    newest = kept.keeper.paths()[0]
    newest.write_bytes(newest.read_bytes()[:500])
    with pytest.warns(UserWarning, match="is damaged"):
        stopper = _stopper(real, tmp_path, generate=draw)
    assert stopper.best == kept.measured[1]
    assert stopper.measured == kept.measured


def test_restore_explains(kept, tiny_gan, real, tmp_path):
    with pytest.raises(ValueError, match="train first"):
        _stopper(real, tmp_path / "empty").restore(tiny_gan())
    assert _stopper(real, tmp_path / "empty").best is None
    with pytest.raises(ValueError, match="arguments of the model that was kept"):
        kept.restore(tiny_gan(batch_norm=False))


def test_without_an_average(tiny_gan, real, tmp_path):
    gan = tiny_gan(ema_half_life_kimg=0)
    assert gan.ema_generator is gan.generator
    draw = _brighter(real, [0.5, 0.1, 0.5])
    stopper = _drive(gan, _stopper(real, tmp_path, generate=draw), kimg=0.008)
    stopper.restore(gan)
    assert np.unique(gan.generator.get_weights()[0]) == np.float32(0.004)


def test_a_model_without_latents(tiny_gan, tiny_batches, real, tmp_path):
    class Translator(GAN):
        def generate(self, images, *, batch_size=64):
            return images

    gan = tiny_gan(gan_class=Translator)
    with pytest.raises(ValueError, match="generate=lambda gan"):
        _fit(gan, tiny_batches, _stopper(real, tmp_path))
    draw = {"generate": lambda gan: gan.generate(real[:30])}
    stopper = _stopper(real, tmp_path, **draw)
    _fit(gan, tiny_batches, stopper, kimg=0.004)
    assert len(stopper.measured) == 2


def test_other_settings_are_not_mixed(tiny_gan, real, tmp_path):
    gan = tiny_gan()
    _drive(gan, _stopper(real, tmp_path), kimg=0.004)
    for other in ({"num_images": 20}, {"seed": 2}, {"generate": _colours}):
        stopper = _stopper(real, tmp_path, **other)
        with pytest.raises(ValueError, match="another folder"):
            _drive(gan, stopper, start=0.004)
    _drive(gan, _stopper(real, tmp_path, seed=2), kimg=0.004)  # anew, from 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("every_kimg", 0),
        ("every_kimg", float("nan")),
        ("patience", 0),
        ("patience", 1.5),
        ("margin", -1),
        ("num_images", 3),
        ("num_images", 10.5),
    ],
)
def test_bad_values(name, value, real, tmp_path):
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {value}"):
        _stopper(real, tmp_path, **{name: value})


def test_too_few_real_images(real, tmp_path):
    with pytest.raises(ValueError, match="Received: 3"):
        _stopper(real[:3], tmp_path)


def test_the_default_features(tmp_path):
    stopper = EarlyStoppingByKID(np.zeros((8, 1280)), tmp_path, every_kimg=1)
    assert stopper.settings["features"] == "EfficientNet-lite0 (ImageNet)"
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.AvgPool2D(8)])
    images = np.zeros((5, 8, 8, 3), "uint8")
    stopper = EarlyStoppingByKID(images, tmp_path, every_kimg=1, features=network)
    np.testing.assert_allclose(stopper.real, -np.ones((5, 3)))
