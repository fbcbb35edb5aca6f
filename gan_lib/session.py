"""One sitting at the training: from the last checkpoint to the next goal."""

from __future__ import annotations

import math
import time

import keras
import numpy as np
import tensorflow as tf

from gan_lib import workers
from gan_lib.checkpoints import Checkpoints
from gan_lib.progress import Progress
from gan_lib.step import FAULTS


class NotFiniteError(FloatingPointError):
    """A loss, a gradient or an image was NaN or infinite."""


def run(
    gan, keras_fit, data, *, kimg, resume, tick_kimg, checkpoint_minutes,
    max_minutes, callbacks, verbose,
):  # fmt: skip
    """The body of `GAN.fit`; its arguments are explained there."""
    if kimg <= 0:
        raise ValueError(f"Expected `kimg` > 0. Received: {kimg}")
    batch_size = _batch_size(data, gan.batch_names)
    workers.prepare(gan, batch_size)
    several = workers.are_several(gan.distribute_strategy)
    is_chief = workers.is_chief(gan.distribute_strategy)
    per_call = gan.steps_per_execution
    steps_per_tick = (tick_kimg or kimg / 50) * 1000 / batch_size
    steps_per_tick = max(1, round(steps_per_tick / per_call)) * per_call
    keeper = None
    if resume is not None:
        checkpoints = Checkpoints(resume) if is_chief else None
        keeper = _Keeper(checkpoints, checkpoint_minutes, batch_size)
        keeper.restore(gan)
    done = int(gan.images_seen.numpy()) // batch_size
    if int(gan.images_seen.numpy()) % batch_size:
        raise ValueError(
            f"The checkpoint stands at {gan.kimg} kimg, which is no whole number of "
            f"batches of {batch_size}. Use the batch size it was trained with."
        )
    first_tick = done // steps_per_tick
    ticks = math.ceil(kimg * 1000 / batch_size / steps_per_tick)
    late = done % steps_per_tick  # only after a change of the tick's length
    steps_left = max(0, ticks * steps_per_tick - done)
    dataset = workers.shared(gan, _dataset(data, done), batch_size)
    shows = verbose != 0 and is_chief
    inner = [
        _Watch(gan, steps_per_tick),
        *callbacks,
        *([keeper] if keeper else []),
        *([_Deadline(max_minutes)] if max_minutes is not None else []),
        *([Progress(ticks * steps_per_tick, batch_size)] if shows else []),
        *([workers.Together(gan.distribute_strategy)] if several else []),
    ]
    if steps_left:
        keras_fit(
            dataset,
            epochs=first_tick + math.ceil((steps_left + late) / steps_per_tick),
            initial_epoch=first_tick,
            steps_per_epoch=steps_per_tick,
            callbacks=inner,
            verbose=0,
            shuffle=False,
        )
    return _history(gan)


def _history(gan) -> keras.callbacks.History:
    """All rows, those of earlier sittings included, as a Keras History."""
    history = keras.callbacks.History()
    history.set_model(gan)
    rows = gan.history_rows
    history.epoch = list(range(len(rows)))
    history.history = {k: [row[k] for row in rows] for k in (rows[0] if rows else {})}
    gan.history = history
    return history


def _batch_size(data, names: tuple[str, ...]) -> int:
    if hasattr(data, "batch_size"):
        return int(data.batch_size)
    if not isinstance(data, tf.data.Dataset):
        raise ValueError(
            "Expected `data` to be gan_lib.data.Batches or a tf.data.Dataset. "
            f"Received: {type(data).__name__}. For an array of uint8 images write "
            "`Batches(images, batch_size=64)`."
        )
    specs = tf.nest.flatten(data.element_spec)
    are_images = all(
        isinstance(spec, tf.TensorSpec)
        and spec.dtype.is_floating
        and spec.shape.rank == 4
        for spec in specs
    )
    if not are_images or len(specs) != len(names):
        raise ValueError(
            "Expected a dataset of float32 image batches (B, H, W, C) in [-1, 1]: "
            f"{' and '.join(names)}, nothing else. Received elements of "
            f"{data.element_spec}. Change them with `dataset.map(...)`; "
            "`gan_lib.data.pipeline.to_float` makes floats of uint8 images."
        )
    size = specs[0].shape[0]
    if size is None:
        raise ValueError(
            "Expected batches of one fixed size. Batch your dataset with "
            "`dataset.batch(64, drop_remainder=True)`."
        )
    return int(size)


def _dataset(data, start_step: int) -> tf.data.Dataset:
    if isinstance(data, tf.data.Dataset):
        return data.repeat().skip(start_step)
    return data.dataset(start_step)


class _Watch(keras.callbacks.Callback):
    """Writes the row of a tick; stops at the first number that is not finite."""

    def __init__(self, gan, steps_per_tick: int):
        super().__init__()
        self.gan, self.steps_per_tick = gan, steps_per_tick
        # On a CPU a look at one variable is free. On a GPU it waits for the queue,
        # so it is rarer there: a bad step freezes the weights by itself.
        self.every = 16 if tf.config.list_physical_devices("GPU") else 1
        self.calls = 0

    def on_train_batch_end(self, batch, logs=None):
        self.calls += 1
        if self.calls % self.every == 0:
            self._raise_if_bad()

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self._raise_if_bad()
        seconds = time.perf_counter() - self.started
        logs["kimg"] = self.gan.kimg
        logs["seconds"] = seconds
        row = {"kimg": logs["kimg"]}
        row |= {name: float(logs[name]) for name in self.gan.log_names}
        self.gan.history_rows.append(row | {"seconds": seconds})

    def _raise_if_bad(self):
        fault = int(self.gan.fault.numpy())
        if not fault:
            return
        name, image = FAULTS[fault - 1], int(self.gan.fault_image.numpy())
        if name == "real_images":
            advice = "Look for NaN or infinite values in your data."
        else:
            advice = (
                "Lower that player's learning rate or the penalty's weight; with "
                "mixed_float16, try mixed_bfloat16 or float32."
            )
        raise NotFiniteError(
            f"Training stopped at {image / 1000:g} kimg: {name} is NaN or infinite. "
            f"{advice} No weight has moved since, and checkpoints made before are "
            "sound: build the model anew and call `fit` with the same `resume`."
        )


class _Keeper(keras.callbacks.Callback):
    """Restores the newest checkpoint and makes new ones at the end of ticks.

    `checkpoints`: None on workers that are not the chief, who get what it restores.
    """

    def __init__(self, checkpoints: Checkpoints | None, minutes: float, batch_size):
        super().__init__()
        self.checkpoints, self.minutes = checkpoints, minutes
        self.batch_size = batch_size
        self.saved_at = time.monotonic()
        self.saved_image = -1

    def restore(self, gan) -> None:
        load = self.checkpoints.load_newest if self.checkpoints else None
        found = workers.loaded_by_chief(gan.distribute_strategy, load)
        if found is None:
            return
        arrays, metadata = found
        before = int(gan.images_seen.numpy())
        load_state(gan, arrays)
        gan.history_rows = metadata["history"]
        self.saved_image = int(gan.images_seen.numpy())
        if self.saved_image == before or self.checkpoints is None:
            return  # the same training goes on, as a growing one at its next size
        print(f"Resumed at {gan.kimg:g} kimg from {self.checkpoints.directory}")

    def on_epoch_end(self, epoch, logs=None):
        if time.monotonic() - self.saved_at >= 60 * self.minutes:
            self._save()

    def on_train_end(self, logs=None):
        self._save()

    def _save(self):
        if self.checkpoints is None:
            return
        image = int(self.model.images_seen.numpy())
        if image == self.saved_image or int(self.model.fault.numpy()):
            return
        metadata = {
            "history": self.model.history_rows,
            "batch_size": self.batch_size,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        }
        if self.checkpoints.save(image, state(self.model), metadata):
            self.saved_image = image
            self.saved_at = time.monotonic()


class _Deadline(keras.callbacks.Callback):
    """Ends the sitting at the first tick after the time is up."""

    def __init__(self, minutes: float):
        super().__init__()
        self.ends_at = time.monotonic() + 60 * minutes

    def on_epoch_end(self, epoch, logs=None):
        if time.monotonic() >= self.ends_at:
            self.model.stop_training = True


def state(gan) -> dict[str, np.ndarray]:
    """Every number the rest of the training depends on, by name.

    Networks, average, both optimizers (moments, step counts, loss scales), all
    random generators (also those inside dropout layers), what `gan.memory` holds and
    the counters, which tell the position in the data too.
    """
    return {name: np.asarray(v.numpy()) for name, v in _variables(gan).items()}


def load_state(gan, arrays: dict[str, np.ndarray]) -> None:
    """Put back what `state` returned.

    Raises: ValueError that names the first difference when the arrays belong to
        another model.
    """
    variables = _variables(gan)
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    for name in [*shapes, *arrays]:
        ours = shapes.get(name)
        theirs = arrays[name].shape if name in arrays else None
        if ours != theirs:
            raise ValueError(
                f"The checkpoint is of another model: {name} is {theirs} there and "
                f"{ours} here. Build the model with the arguments it was trained "
                "with, or choose another `resume` folder."
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _variables(gan) -> dict:
    parts = {
        "generator": gan.generator,
        "discriminator": gan.discriminator,
        "generator_optimizer": gan.generator_optimizer,
        "discriminator_optimizer": gan.discriminator_optimizer,
        **gan.memory,
    }
    if gan.ema_generator is not gan.generator:
        parts["ema_generator"] = gan.ema_generator
    named = {
        f"{part}/{index:04d}": variable
        for part, owner in parts.items()
        for index, variable in enumerate(owner.variables)
    }
    counters = (gan.images_seen, gan.fault, gan.fault_image)
    named |= {f"counters/{v.name}": v for v in counters}
    return named | {"counters/seed": gan.seed_generator.state}
