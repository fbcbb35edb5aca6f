"""Stopping a training at its best, and keeping the generator of that moment."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from data_prep.atomic import replacing
from gan_lib.checkpoints import Checkpoints
from gan_lib.metrics.features import extractor
from gan_lib.metrics.kid import kid


class Measured(NamedTuple):  # a raw KID, after so many thousand real images
    kimg: float
    kid: float
    standard_error: float


class EarlyStoppingByKID(keras.callbacks.Callback):
    """Keeps the averaged generator with the lowest KID; stops when it stays worse.

    Measurement t is worse than the best one, b, when, s being the standard errors,
        KID_t - KID_b > margin sqrt(s_t^2 + s_b^2)
    and the training stops when the last `patience` measurements are all worse. BigGAN
    collapses late, and its authors stop early (Brock et al. 2019, sections 3 and 4,
    arXiv:1809.11096). Ours differs: they watch IS and FID; KID has no bias.

    Measured are the start, each tick at least `every_kimg` after the last measurement,
    and the tick that reaches the goal of `fit`; `max_minutes` adds none, so several
    sittings end as one does. A stopped `fit` makes its checkpoint and returns; called
    again it trains no step and says so, unless `patience` is larger now. A resumed
    training drops what was kept after its checkpoint, one that starts at 0 everything.

    Args:
        real: held-out images, uint8 or float32 in [-1, 1] (n, H, W, C), or their
            features (n, d); n >= 4. Those of the training would reward a copier.
        folder: its subfolder `best` gets the two best generators and `kid.json`.
        every_kimg: thousands of real images between two measurements, > 0.
        patience, margin: see above; a whole number >= 1, and a number >= 0.
        num_images: generated each time, >= 4; BigGAN's classes take turns.
        seed: of their latents, which are the same each time.
        features: keras.Model or function, images -> (n, d); None: EfficientNet-lite0.
        generate: function, gan -> images, of the same inputs each time. None:
            `gan.generate(num_images, seed=seed)`, for models that take latents.
    Attributes:
        measured: list of (kimg, kid, standard_error), earlier sittings included.
            For callbacks after this one `logs` has the newest "kid"; no history does.
        best: that of the generator that is kept; None before the first.
    Raises: ValueError on a number out of range, and when `fit` starts: without a
        `generate` that is needed; if `folder` was measured with other arguments.
    """

    def __init__(
        self, real: Any, folder: str | Path, *, every_kimg: float, patience: int = 3,
        margin: float = 1.0, num_images: int = 500, seed: int = 1,
        features: keras.Model | Callable[[Any], np.ndarray] | None = None,
        generate: Callable[[Any], Any] | None = None,
    ):  # fmt: skip
        super().__init__()
        _expect(every_kimg > 0, "`every_kimg` > 0", every_kimg)
        _expect(patience >= 1 and not patience % 1, "whole `patience` >= 1", patience)
        _expect(margin >= 0, "`margin` >= 0", margin)
        _expect(num_images >= 4 and not num_images % 1, "`num_images` >= 4", num_images)
        if features is None or isinstance(features, keras.Model):
            features = extractor(features)
        real = np.asarray(real)
        _expect(len(real) >= 4, "`real` to hold >= 4, better hundreds", len(real))
        self.features, self.generate, self.margin = features, generate, margin
        self.real = real if real.ndim == 2 else np.asarray(features(real))
        self.every_kimg, self.patience = every_kimg, int(patience)
        self.num_images, self.seed = int(num_images), int(seed)
        self.settings = {  # KIDs that differ in these cannot be compared
            "features": getattr(features, "name", "own"),
            "real": list(self.real.shape),
            "generated": "own" if generate else [self.num_images, self.seed],
        }
        self.keeper = Checkpoints(Path(folder) / "best")
        self.file = self.keeper.directory / "kid.json"
        self.best: Measured | None = None
        self._read()

    def restore(self, gan) -> None:
        """Put the best weights into `gan.ema_generator`, bit for bit.

        Without an average that is the trained generator, which loses its newest state.
        Raises: ValueError when nothing was kept, or that of another model.
        """
        arrays, _ = self.keeper.load_newest() or ({}, {})
        _expect(arrays, f"a generator in {self.keeper.directory}: train first", "none")
        shapes = [tuple(weight.shape) for weight in gan.ema_generator.weights]
        same = shapes == [value.shape for value in arrays.values()]
        _expect(same, "the arguments of the model that was kept", f"another {gan.name}")
        gan.ema_generator.set_weights(list(arrays.values()))

    def on_train_begin(self, logs=None):
        fine = self.generate or "latents" in signature(self.model.generate).parameters
        words = "`generate=lambda gan: gan.generate(pictures)`: it takes no latents"
        _expect(fine, words, f"None for {self.model.name}")
        seen = int(self.model.images_seen.numpy())
        for path in self.keeper.directory.glob("checkpoint-*"):
            if seen == 0 or int(path.name.split("-")[1]) > seen:
                path.unlink()
        settings = self._read()
        now = self.model.kimg if seen else -1
        self.measured = [x for x in self.measured if x.kimg <= now]
        same = not self.measured or settings == self.settings
        _expect(same, f"{settings} as in `folder`, or another folder", self.settings)
        if not self.measured:
            self._measure()
        # Keras looks at `stop_training` after a batch; its BackupAndRestore does this.
        if self._is_over("Nothing left to train. "):
            self.model._initial_epoch = self.params["epochs"]

    def on_epoch_end(self, epoch, logs=None):
        since = self.model.kimg - self.measured[-1].kimg + 5e-4  # half an image
        if since >= self.every_kimg or epoch + 1 == self.params["epochs"]:
            logs["kid"] = self._measure()
            self.model.stop_training |= self._is_over()

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None

    def _measure(self) -> float:
        gan = self.model
        make = self.generate
        images = make(gan) if make else gan.generate(self.num_images, seed=self.seed)
        score = kid(self.real, self.features(images))
        row = Measured(gan.kimg, score.value, score.standard_error)
        self.measured.append(row)
        rows = [x._asdict() for x in self.measured]
        notes = {"settings": self.settings, "measured": rows}
        if self.best is None or row.kid < self.best.kid:
            weights = enumerate(gan.ema_generator.get_weights())
            arrays = {f"{index:05d}": value for index, value in weights}
            if self.keeper.save(int(gan.images_seen.numpy()), arrays, notes):
                self.best = row
        with replacing(self.file) as file:
            file.write(json.dumps(notes, indent=1).encode())
        return row.kid

    def _is_over(self, first_words: str = "") -> bool:
        last, best = self.measured[-self.patience :], self.best
        if best is None or len(last) < self.patience:
            return False
        _, kids, errors = np.transpose(last)
        margin = self.margin * np.hypot(errors, best.standard_error)
        if np.any(kids - best.kid <= margin):
            return False
        print(
            f"{first_words}Stopped at {self.model.kimg:g} kimg: KID x1000 was best at "
            f"{best.kimg:g} kimg, {1000 * best.kid:.2f}; the last {len(last)} were "
            f"worse by more than {self.margin:g} standard errors of the difference."
        )
        return True

    def _read(self) -> dict[str, Any]:
        """The best and all measurements, or those up to the best; their settings."""
        _, notes = self.keeper.load_newest() or ({}, {"settings": {}, "measured": []})
        self.best = Measured(**notes["measured"][-1]) if notes["measured"] else None
        try:
            notes = json.loads(self.file.read_text("utf-8"))
        except FileNotFoundError:
            pass
        except ValueError:
            warnings.warn(f"{self.file} is damaged: the best stays.", stacklevel=2)
        self.measured = [Measured(**row) for row in notes["measured"]]
        return notes["settings"]


def _expect(fine: Any, words: str, received: Any) -> None:
    if not fine:
        raise ValueError(f"Expected {words}. Received: {received}")
