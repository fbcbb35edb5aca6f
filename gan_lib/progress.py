"""A progress bar for `GAN.fit`."""

from __future__ import annotations

import keras
import tqdm


class Progress(keras.callbacks.Callback):
    """A text progress bar in images, with the two losses, that costs no syncs."""

    def __init__(self, steps: int, batch_size: int):
        super().__init__()
        self.total, self.batch_size = steps * batch_size, batch_size

    def on_train_begin(self, logs=None):
        self.bar = tqdm.tqdm(
            total=self.total, unit="img", unit_scale=True, mininterval=1, ncols=100,
            initial=int(self.model.images_seen.numpy()),
        )  # fmt: skip

    def on_train_batch_end(self, batch, logs=None):
        # `batch` counts steps within the tick and may jump by several.
        self.bar.update((batch + 1 - self.step) * self.batch_size)
        self.step = batch + 1

    def on_epoch_begin(self, epoch, logs=None):
        self.step = 0

    def on_epoch_end(self, epoch, logs=None):
        self.bar.set_postfix_str(
            f"D {logs['discriminator_loss']:.2f} G {logs['generator_loss']:.2f}"
        )

    def on_train_end(self, logs=None):
        self.bar.close()
