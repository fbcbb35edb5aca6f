"""What a drawn face shows, read from its picture alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy import special

from gan_lib.data.pipeline import to_float
from gan_lib.layers import BatchNormalization, Conv2D
from gan_lib.metrics.colour import levels
from gan_lib.optimizers import Adam
from gan_lib.randomness import Draws

_BATCH, _RATE = 64, 4e-3


@dataclass(frozen=True)
class AttributeReader:
    """A small network that reads the attributes of drawn faces, all at once.

    network: keras.Model, images (B, size, size, 3) float32 in [-1, 1] -> a dict with
        logits (B, K) of each attribute.
    classes: of each attribute its K values, in the order of the logits.
    """

    network: keras.Model
    classes: dict[str, np.ndarray]

    @classmethod
    def train(
        cls,
        images: np.ndarray,
        attributes: Mapping[str, Any],
        *,
        steps: int = 500,
        seed: int = 0,
    ) -> AttributeReader:
        """Learn to read every attribute given, from pictures of which it is known.

        min over the network of the sum over attributes of E[-log p(value | picture)]

        Part of each picture is blurred and has noise, as generated ones do: without,
        what is small is not found in them. On unseen faces of "lorelei", after 8000
        at 32 px: hair, skin, background, glasses, flowers, blush, mouth and head are
        read in 93 to 100 %, nose and expression in 85 to 88 % (some expressions
        share all their parts), eye colour in 79 %; earrings and freckles are too
        small.

        Args:
            images: uint8 (n, size, size, 3), n >= 64, for example of
                `gan_lib.data.faces`; thousands are needed to read well. Size 8 to 256.
            attributes: of these faces, {name: n values}; give the columns you want.
            steps: batches of 64 pictures.
            seed: of the weights, the order, blur and noise.
        Returns: AttributeReader. Measure it with `accuracy` on faces it has not seen.
        Raises: ValueError for pictures of another kind, columns of another length, or
            a column with one value only.
        """
        classes, targets = _targets(images, attributes)
        network = _build(images.shape[1], classes, seed)
        warm_up = max(1, steps // 20)
        rate = keras.optimizers.schedules.CosineDecay(
            _RATE / 20,
            max(1, steps - warm_up),
            warmup_target=_RATE,
            warmup_steps=warm_up,
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(Adam(rate), dict.fromkeys(classes, loss), jit_compile=False)
        batches = _batches(images, targets, steps, seed)
        network.fit(batches, shuffle=False, verbose=0)
        network.trainable = False
        return cls(network, classes)

    def __call__(self, images: Any, *, batch_size: int = 64) -> dict[str, np.ndarray]:
        """Probabilities of each value of each attribute, softmax of the logits.

        Args:
            images: (n, size, size, 3), uint8 or float in [-1, 1].
            batch_size: images a step.
        Returns: {name: float32 (n, K)}, rows of sum 1, columns as `classes`.
        Raises: ValueError on another size, shape or range.
        """
        found: dict[str, list[np.ndarray]] = {name: [] for name in self.classes}
        for batch in self._in_batches(images, batch_size):
            for name, logits in self.network(batch, training=False).items():
                found[name].append(special.softmax(logits.numpy(), axis=-1))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def features(self, images: Any, *, batch_size: int = 64) -> np.ndarray:
        """What the heads read from: float32 (n, 128), at least 0.

        Features that know these drawings and nothing else. `kid` and
        `precision_recall` take them; values by other features are not comparable.
        Args and Raises: as `__call__`.
        """
        # All heads read the same, and they are the last layers.
        trunk = keras.Model(self.network.input, self.network.layers[-1].input)
        batches = self._in_batches(images, batch_size)
        return np.concatenate([trunk(x, training=False).numpy() for x in batches])

    def _in_batches(self, images: Any, batch_size: int):
        images, size = levels(images), self.network.input_shape[1]
        if images.shape[1:3] != (size, size):
            raise ValueError(
                f"images: this reader was trained on {size} x {size} px, got "
                f"{images.shape[1]} x {images.shape[2]}. Train one for that size."
            )
        for start in range(0, len(images), batch_size):
            yield to_float(images[start : start + batch_size])

    def labels(self, images: Any) -> dict[str, np.ndarray]:
        """The most probable value of each attribute, {name: n values}."""
        return {
            name: self.classes[name][probabilities.argmax(axis=1)]
            for name, probabilities in self(images).items()
        }

    def accuracy(
        self, images: Any, attributes: Mapping[str, Any]
    ) -> dict[str, Accuracy]:
        """How often the value read is the true one, for each attribute of both.

        Args:
            images: as `__call__` takes them; faces not used in training.
            attributes: of these n faces, {name: n values}.
        Returns: {name: Accuracy}.
        Raises: ValueError if lengths differ, or as `__call__`.
        """
        scores = {}
        for name, found in self.labels(images).items():
            if name not in attributes:
                continue
            truth = np.asarray(attributes[name])
            _check_length(name, truth, len(found))
            most_common = np.unique(truth, return_counts=True)[1].max() / len(truth)
            scores[name] = Accuracy(float(np.mean(found == truth)), float(most_common))
        return scores


class Accuracy(NamedTuple):
    """share: of faces read rightly; most_common: by always saying the same."""

    share: float
    most_common: float


def attribute_changes(
    reader: AttributeReader, before: Any, after: Any, source: Any
) -> dict[str, float]:
    """How often a picture took an attribute over from another one.

    For each attribute, with r(x) the value read in picture x:
        sum_i [r(after_i) = r(source_i), r(source_i) != r(before_i)]
        / sum_i [r(source_i) != r(before_i)]
    To be used as in Karras et al. 2019, section 3.1, arXiv:1812.04948: `after` are
    the pictures of `before` with some layers' styles from `source`. Ours differs: the
    paper shows pictures and no numbers.

    Args:
        reader: of the attributes, for pictures of this size.
        before, after, source: n pictures each, as the reader takes them.
    Returns: {name: share in [0, 1]}, NaN where all pairs show the same value.
    Raises: ValueError if the numbers of pictures differ, or as the reader.
    """
    sets = reader.labels(before), reader.labels(after), reader.labels(source)
    changes = {}
    for name in reader.classes:
        old, new, wanted = (labels[name] for labels in sets)
        if not len(old) == len(new) == len(wanted):
            raise ValueError(
                "before, after and source: expected as many pictures in each, got "
                f"{len(old)}, {len(new)} and {len(wanted)}."
            )
        differ = wanted != old
        took = (new == wanted)[differ]
        changes[name] = float(took.mean()) if differ.any() else float("nan")
    return changes


def _targets(images: np.ndarray, attributes: Mapping[str, Any]):
    """Values of each attribute, and the number of each face's, int32 (n,)."""
    if (
        getattr(images, "dtype", None) != np.uint8
        or images.ndim != 4
        or images.shape[1] != images.shape[2]
        or images.shape[3] != 3
        or len(images) < _BATCH
        or not 8 <= images.shape[1] <= 256
    ):
        raise ValueError(
            f"images: expected uint8 (n, size, size, 3), n >= {_BATCH}, size 8 to 256, "
            f"got {getattr(images, 'dtype', type(images))} {np.shape(images)}. "
            "faces(..., include='attributes').images are such."
        )
    classes, targets = {}, {}
    for name, values in attributes.items():
        _check_length(name, np.asarray(values), len(images))
        classes[name], numbers = np.unique(values, return_inverse=True)
        targets[name] = numbers.astype(np.int32)
        if len(classes[name]) < 2:
            raise ValueError(
                f"attributes: expected two values of {name} or more, got only "
                f"{classes[name][0]}. Leave the column out, or give more faces."
            )
    if not classes:
        raise ValueError("attributes: expected at least one column, got none.")
    return classes, targets


def _build(size: int, classes: dict[str, np.ndarray], seed: int) -> keras.Model:
    """Convolutions of stride 2 to a map of 4 x 4, then one layer, then the heads."""
    seeds = iter(range(1000 * seed, 1000 * seed + 1000))
    single = {"dtype": "float32"}  # whatever the policy of the reader's own networks

    def block(x, layer, *arguments, **kwargs):
        kernel = keras.initializers.HeNormal(seed=next(seeds))
        kwargs |= {"use_bias": False, "kernel_initializer": kernel}
        x = layer(*arguments, **kwargs, **single)(x)
        x = BatchNormalization(momentum=0.9, **single)(x)
        return keras.layers.ReLU(**single)(x)

    x = images = keras.Input((size, size, 3), dtype="float32")
    halvings = int(np.ceil(np.log2(size / 4)))
    for number in reversed(range(halvings)):  # 64 px: 16, 32, 64, 128 channels
        filters = max(8, 128 >> number)
        x = block(x, Conv2D, filters, 4, strides=2, padding="same")
    x = block(keras.layers.Flatten(**single)(x), keras.layers.Dense, 128)
    heads = {}
    for name, values in classes.items():
        kernel = keras.initializers.GlorotUniform(seed=next(seeds))
        head = keras.layers.Dense(len(values), kernel_initializer=kernel, **single)
        heads[name] = head(x)  # (B, K)
    return keras.Model(images, heads, name="attribute_reader")


def _batches(images, targets, steps: int, seed: int) -> tf.data.Dataset:
    """`steps` batches of spoiled pictures and what they show."""

    def spoil(step, batch):
        pictures, shown = batch
        pictures = to_float(tf.ensure_shape(pictures, (_BATCH, *images.shape[1:])))
        draws = Draws(tf.stack([tf.cast(step, tf.int32), seed % 2**31]))
        one = (_BATCH, 1, 1, 1)
        blurred = tf.nn.avg_pool2d(pictures, 3, 1, "SAME")
        pictures += draws.uniform("blur", one) * (blurred - pictures)
        noise = draws.normal("noise", pictures.shape)
        return pictures + draws.uniform("level", one, 0.0, 0.1) * noise, shown

    faces = tf.data.Dataset.from_tensor_slices((images, targets))
    faces = faces.shuffle(len(images), seed=seed).repeat()
    batches = faces.batch(_BATCH, drop_remainder=True).take(steps)
    return batches.enumerate().map(spoil, num_parallel_calls=2).prefetch(4)


def _check_length(name: str, values: np.ndarray, n: int) -> None:
    if values.shape != (n,):
        raise ValueError(
            f"{name}: expected {n} values, one for each face, got the shape "
            f"{values.shape}. Take both from the same call."
        )
