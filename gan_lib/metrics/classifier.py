"""Do generated pictures show the class they were asked for, and look like it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_lib.data.classes import check_labels
from gan_lib.metrics.attribute_reader import Accuracy, AttributeReader

_NAME = "class"  # of the one attribute that is read


@dataclass(frozen=True)
class ClassReader:
    """A small network that reads the class of a picture, and how well it does.

    Attributes:
        reader: what reads, with the one attribute "class".
        class_names: K names, in the order of the labels.
        accuracy: on pictures that were held out of the training.
        held_out: how many these were.
    """

    reader: AttributeReader
    class_names: tuple[str, ...]
    accuracy: Accuracy
    held_out: int

    @classmethod
    def train(
        cls,
        images: np.ndarray,
        labels: Any,
        class_names: Sequence[str] = (),
        *,
        held_out: float = 0.2,
        steps: int = 300,
        seed: int = 0,
    ) -> ClassReader:
        """Learn to read classes from labelled pictures, and measure it on the others.

        min over the network of E[-log p(label | picture)], by `AttributeReader`, which
        blurs some pictures and puts noise on them, as generators do.

        At 32 px it reads all of 1000 unseen faces of `style_classes` rightly, after
        3200 and 100 steps; of the photographs of CIFAR-10 about 55 %, after 8000 and
        500 steps.

        Args:
            images: uint8 (n, size, size, 3), size 8 to 256; thousands of them.
            labels: whole numbers (n,), 0 to K - 1, K >= 2, at least 2 pictures each.
            class_names: K names; default the numbers.
            held_out: share of each class, in (0, 1), that is kept for the accuracy.
                At least 64 pictures must be left to train with.
            steps: batches of 64 pictures.
            seed: of the choice of what is held out, and of the training.
        Returns: ClassReader. Print it for its accuracy.
        Raises: ValueError for pictures or labels of another kind.
        """
        labels = check_labels(labels, len(images))
        counts = np.bincount(labels)
        names = tuple(class_names) or tuple(map(str, range(len(counts))))
        if len(names) != len(counts) or len(names) < 2 or counts.min() < 2:
            raise ValueError(
                f"labels: expected 2 pictures or more of each of the {len(names)} "
                f"classes, and 2 classes or more, got the counts {counts.tolist()}. "
                "Number the classes from 0 without a gap, and name each one."
            )
        if not 0 < held_out < 1:
            raise ValueError(
                f"held_out: expected a share between 0 and 1, got {held_out}. 0.2 "
                "keeps a fifth of each class for the accuracy."
            )
        kept = _kept_back(labels, counts, held_out, seed)
        reader = AttributeReader.train(
            images[~kept], {_NAME: labels[~kept]}, steps=steps, seed=seed
        )
        accuracy = reader.accuracy(images[kept], {_NAME: labels[kept]})[_NAME]
        return cls(reader, names, accuracy, int(kept.sum()))

    def __str__(self) -> str:
        return (
            f"reader of {len(self.class_names)} classes: {self.accuracy.share:.1%} of "
            f"{self.held_out} held-out pictures read rightly (always the same answer: "
            f"{self.accuracy.most_common:.1%})"
        )

    def __call__(self, images: Any, *, batch_size: int = 64) -> np.ndarray:
        """Probability of each class, p(y | x).

        Args:
            images: (n, size, size, 3), uint8 or float in [-1, 1].
            batch_size: images a step.
        Returns: float32 (n, K), rows of sum 1, columns as `class_names`.
        Raises: ValueError on another size, shape or range.
        """
        return self.reader(images, batch_size=batch_size)[_NAME]

    def features(self, images: Any, *, batch_size: int = 64) -> np.ndarray:
        """float32 (n, 128), see `AttributeReader.features`."""
        return self.reader.features(images, batch_size=batch_size)


def class_accuracy(
    classifier: Callable[[Any], np.ndarray], images: Any, labels: Any
) -> float:
    """Share of the pictures that are read as the class they were asked for.

    (1 / n) sum_i [ argmax_y p(y | x_i) = label_i ]

    The accuracy of the classifier on real pictures is what a perfect generator would
    reach; print both. Ours differs from the classification accuracy score of Ravuri
    and Vinyals 2019, arXiv:1905.10887, which trains on generated pictures and tests
    on real ones.

    Args:
        classifier: images -> probabilities (n, K), for example a `ClassReader`.
        images: n >= 1 pictures, as the classifier takes them.
        labels: whole numbers (n,), 0 to K - 1, that the generator was given.
    Returns: share in [0, 1]; 1 / K is chance where classes are equally frequent.
    Raises: ValueError if lengths differ or a label is no class.
    """
    found = classifier(images)
    labels = check_labels(labels, *found.shape)
    return float(np.mean(found.argmax(axis=1) == labels))


def per_class(
    score: Callable[..., Any],
    real: Any,
    real_labels: Any,
    fake: Any,
    fake_labels: Any,
    *,
    class_names: Sequence[str] = (),
    least: int = 50,
    **options: Any,
) -> dict[str, Any]:
    """A distance of generated to real pictures for each class on its own.

    {y: score(real pictures of class y, generated pictures of class y)}

    One distance over all classes does not see it when classes are mixed up. Within a
    class there are few pictures, so prefer `kid`, which has no bias: `fid` of fewer
    pictures than features says more of their number than of the generator.

    Args:
        score: `gan_lib.metrics.kid` or `fid`.
        real, fake: images, or features (n, d), as `score` takes them.
        real_labels, fake_labels: whole numbers (n,), 0 to K - 1.
        class_names: K names, the keys of the result; default the numbers as text, of
            the classes up to the largest label.
        least: pictures that each class needs on both sides.
        options: for `score`, for example network= or split=.
    Returns: {name: result of `score`}, in the order of the classes.
    Raises: ValueError for a class with fewer pictures than `least`, or as `score`.
    """
    given = {
        "real": (np.asarray(real), real_labels),
        "fake": (np.asarray(fake), fake_labels),
    }
    labels = {
        side: check_labels(numbers, len(images), len(class_names) or None)
        for side, (images, numbers) in given.items()
    }
    largest = max(int(numbers.max(initial=-1)) for numbers in labels.values())
    names = tuple(class_names) or tuple(map(str, range(largest + 1)))
    for side, numbers in labels.items():
        counts = np.bincount(numbers, minlength=len(names))
        few = [
            f"{name} {c}" for name, c in zip(names, counts, strict=True) if c < least
        ]
        if few:
            raise ValueError(
                f"{side}: expected {least} pictures or more of each class, got "
                f"{', '.join(few)}. Give more of these, leave the classes out of both "
                "sets, or lower `least`, with less to rely on."
            )
    return {
        name: score(
            given["real"][0][labels["real"] == number],
            given["fake"][0][labels["fake"] == number],
            **options,
        )
        for number, name in enumerate(names)
    }


def _kept_back(
    labels: np.ndarray, counts: np.ndarray, share: float, seed: int
) -> np.ndarray:
    """bool (n,): `share` of each class, but one picture at least and never all."""
    kept = np.zeros(len(labels), bool)
    order = np.random.default_rng(seed).permutation(len(labels))
    for number, count in enumerate(counts):
        of_class = order[labels[order] == number]
        kept[of_class[: min(max(1, round(share * count)), count - 1)]] = True
    return kept
