"""The training steps that `bench.py` times: model, size, batch, and where data comes
from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

NUM_CLASSES = 10
IMAGES = 512


@dataclasses.dataclass(frozen=True)
class Case:
    """One model at one size.

    model: module of `gan_lib.models`, and the function there that builds it.
    size: side of the images in px.
    batch: images in a step.
    steps: in one round; whole cycles of the penalties that come in some steps only.
    settings: arguments of the function.
    rival: of the tutorial or example whose loop is the bar, "" if there is none.
    """

    model: str
    size: int
    batch: int
    steps: int
    settings: dict[str, Any]
    rival: str = ""

    def build(self, dtype: str):
        """The model, compiled."""
        import importlib

        module = importlib.import_module(f"gan_lib.models.{self.model}")
        first = {"dcgan": ("anime",), "biggan": (self.size, NUM_CLASSES)}
        arguments = first.get(self.model, (self.size,))
        build = getattr(module, self.model)
        return build(*arguments, dtype=dtype, **self.arguments())

    def arguments(self) -> dict[str, Any]:
        """The settings, those of their preset written out."""
        import importlib

        module = importlib.import_module(f"gan_lib.models.{self.model}")
        settings = dict(self.settings)
        return getattr(module, settings.pop("preset", ""), {}) | settings

    def batches(self):
        """Random pictures, in the batches that the model learns from."""
        from gan_lib.data import (
            labelled_batches,
            pair_batches,
            pairs,
            pipeline,
            unpaired,
            unpaired_batches,
        )

        random = np.random.default_rng(0)
        shape = (IMAGES, self.size, self.size, 3)
        one, other = random.integers(0, 256, (2, *shape), np.uint8)
        if self.model == "pix2pix":
            return pair_batches.PairBatches(pairs.Pairs(one, other), self.batch)
        if self.model in ("cyclegan", "ugatit"):
            domains = unpaired.Unpaired(one, other)
            return unpaired_batches.UnpairedBatches(domains, self.batch)
        if self.model == "biggan":
            labels = random.integers(0, NUM_CLASSES, IMAGES)
            return labelled_batches.LabelledBatches(one, labels, self.batch)
        return pipeline.Batches(one, self.batch)


def keras_tutorial(case: Case, images) -> Callable[[], object]:
    from tutorial_baseline import Tutorial

    tutorial, images = Tutorial(), images.numpy()
    return lambda: tutorial.step(images)


def tensorflow_tutorial(case: Case, images) -> Callable[[], object]:
    from pix2pix_baseline import Tutorial

    tutorial = Tutorial(case.size, 3)
    return lambda: [float(loss) for loss in tutorial.step(*images)]


RIVALS: dict[str, Callable[[Case, Any], Callable[[], object]]] = {
    "the Keras tutorial": keras_tutorial,
    "TensorFlow's tutorial": tensorflow_tutorial,
}

CASES = {
    "DCGAN 64 px": Case("dcgan", 64, 64, 1, {}, "the Keras tutorial"),
    "pix2pix 64 px": Case(
        "pix2pix", 64, 16, 1, {"ema_half_life_kimg": 0}, "TensorFlow's tutorial"
    ),
    "pix2pix 256 px": Case(
        "pix2pix", 256, 1, 1, {"ema_half_life_kimg": 0}, "TensorFlow's tutorial"
    ),
    "CycleGAN 64 px": Case("cyclegan", 64, 4, 1, {"blocks": 6}),
    "U-GAT-IT light 64 px": Case("ugatit", 64, 1, 2, {"width": 32}),
    "StyleGAN2 64 px": Case("stylegan2", 64, 16, 16, {"preset": "LAPTOP", "width": 16}),
    "BigGAN 32 px": Case("biggan", 32, 16, 8, {"preset": "LAPTOP"}),
}
