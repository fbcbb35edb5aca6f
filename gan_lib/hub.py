"""BigGAN modules of TensorFlow Hub: loaded, sampled, and their classes by name.

Brock, Donahue, Simonyan 2019, arXiv:1809.11096. The published modules have TF1's hub
format: a graph with signatures, to be called and not trained. TensorFlow loads that
format itself (`tf.saved_model.load`), so tensorflow_hub is not needed here; it would
add nothing but a download, and brings tf_keras along. See `gan_lib.hub_handles`.

    generator = load("biggan-128")
    images = generator.sample(207, 4, truncation=0.4)
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from gan_lib import latents as latent_space
from gan_lib.conditions import class_rows
from gan_lib.hub_classes import class_names
from gan_lib.hub_handles import is_module, locate

_INPUTS = ("z", "y", "truncation")


@dataclass
class HubGenerator:
    """A generator of classes that was loaded from a module; see `load`.

    Attributes:
        handle, folder: what it was loaded as, and from where.
        latent_dim, num_classes: widths Z and C of its inputs z and y.
        image_size: side of its images in px.
        truncation_range: lowest and highest truncation it is made for.
        module: what TensorFlow loaded. Its variables live as long as it is held.
    """

    handle: str
    folder: Path
    latent_dim: int
    num_classes: int
    image_size: int
    truncation_range: tuple[float, float]
    module: Any = field(repr=False)
    call: Callable[..., tf.Tensor] = field(repr=False)
    _truncation: float | None = field(default=None, repr=False)

    def sample(
        self,
        labels: Any,
        n: int | None = None,
        *,
        truncation: float = 0.5,
        seed: int = 0,
        latents: np.ndarray | None = None,
        rule: str = "scaled",
        batch_size: int = 8,
        progress: bool = True,
    ) -> np.ndarray:
        """Images of classes.

        clip((x + 1) / 2 * 256, 0, 255), rounded down, x = G(z, y, truncation), as the
        notebook published with the modules has it. For a path between two images pass
        `gan_lib.latents.lerp` of their latents and of their rows of `class_rows`.

        Args:
            labels: a class id, ids (n,), or rows of weights, see
                `gan_lib.conditions.class_rows`; a single one stands for all images.
            n: how many images; None: as many as labels or latents.
            truncation: tau, for the latents and for the statistics of the module's
                batch normalization, which has others for each tau. Less: better
                images, more alike.
            seed: of the latents.
            latents: float (n, Z), or (1, Z) for all, used as they are: truncate them
                yourself. None: drawn.
            rule: of drawing them; see `gan_lib.latents.truncated`.
            batch_size: images computed at a time.
            progress: show a progress bar.
        Returns: uint8 (n, image_size, image_size, channels).
        Raises: ValueError for a wrong label, count, width of latents, truncation,
            rule or batch size.
        """
        truncation = self._check_truncation(truncation)
        y = class_rows(labels, self.num_classes)
        z = None if latents is None else self._check_latents(latents)
        given = [len(x) for x in (y, z) if x is not None]
        count = max(given) if n is None else n
        if count < 1 or batch_size < 1 or set(given) - {1, count}:
            raise ValueError(
                "Expected at least one image, a batch size of at least 1, and one "
                "label (and latent, if given) for all images or one for each; got "
                f"n={n}, batch_size={batch_size}, and {' and '.join(map(str, given))}."
            )
        if z is None:
            z = latent_space.truncated(
                count, self.latent_dim, truncation, seed=seed, rule=rule
            )
        z = np.broadcast_to(z, (count, self.latent_dim))
        y = np.broadcast_to(y, (count, self.num_classes))
        self._settle(truncation)
        images = []
        with tqdm(total=count, desc="sampling", disable=not progress) as bar:
            for start in range(0, count, batch_size):
                rows = slice(start, start + batch_size)
                x = self.call(z[rows], y[rows], truncation).numpy()
                scaled = (x.astype("float32") + 1) / 2 * 256
                images.append(np.clip(scaled, 0, 255).astype("uint8"))
                bar.update(len(x))
        return np.concatenate(images)

    def class_names(self) -> list[str]:
        """Names of the classes; see `gan_lib.hub_classes.class_names`."""
        return class_names(self.folder, self.num_classes)

    def find_classes(self, words: str) -> dict[int, str]:
        """Ids and names of the classes in whose names each of `words` begins a word.

        "golden retriever" finds 207 of ImageNet, "hen" finds no kitchen. Case does
        not matter. Nothing found: {}. Raises: see `class_names`.
        """
        patterns = [rf"\b{re.escape(word)}" for word in words.split()]
        return {
            number: name
            for number, name in enumerate(self.class_names())
            if all(re.search(pattern, name, re.IGNORECASE) for pattern in patterns)
        }

    def _settle(self, truncation: float):
        """One call for nothing when the truncation has changed.

        A published module may look up its statistics before the new truncation has
        reached the lookup, and then the first images have those of the call before
        (tensorflow/hub issue 280).
        """
        if truncation != self._truncation:
            z = np.zeros((1, self.latent_dim))
            self.call(z, class_rows(0, self.num_classes), truncation)
            self._truncation = truncation

    def _check_truncation(self, truncation: float) -> float:
        lowest, highest = self.truncation_range
        if not lowest <= truncation <= highest:
            raise ValueError(
                f"truncation: {self.handle} is made for {lowest:g} to {highest:g}, got "
                f"{truncation}. Beyond it has no statistics, and its images are wrong."
            )
        return float(truncation)

    def _check_latents(self, latents: np.ndarray) -> np.ndarray:
        latents = np.asarray(latents, "float32")
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ValueError(
                f"latents: expected (n, {self.latent_dim}), the width of this "
                f"module's z, got {latents.shape}."
            )
        return latents


def load(
    handle: str | os.PathLike, *, truncation_range: tuple[float, float] | None = None
) -> HubGenerator:
    """Load a module, fetched once if need be.

    It may be in TF1's hub format or a SavedModel of TensorFlow 2. Asked of it is a
    signature "default" or "serving_default" of the tensors z (n, Z), y (n, C) and
    truncation (), with the images (n, H, W, channels) in [-1, 1] under "default" or
    as its only output. Widths are read from it.

    Args:
        handle: a name of `gan_lib.hub_handles.PUBLISHED`; its address on tfhub.dev;
            a Kaggle handle or address; or a folder. Copies in $TFHUB_CACHE_DIR are
            used.
        truncation_range: lowest and highest truncation allowed; None: the documented
            one, for other modules 0 to 1.
    Raises:
        ValueError: the handle means nothing, or the folder holds no such module.
        ImportError, ConnectionError: it must be fetched and cannot.
    """
    folder, published = locate(handle)
    if not is_module(folder):
        raise ValueError(
            f"{folder} holds no module: expected the file saved_model.pb in it, beside "
            "the folder variables (and tfhub_module.pb, if the module is of TF1)."
        )
    # TF1's hub format keeps its graph for inference under the empty set of tags.
    tags = [] if (folder / "tfhub_module.pb").is_file() else None
    module = tf.saved_model.load(str(folder), tags=tags)
    function = _signature(module, folder)
    widths = _widths(function, folder)
    call, size = _caller(function, *widths, folder)
    expected = published and (published.latent_dim, published.image_size)
    if published and expected != (widths[0], size):
        raise ValueError(
            f"{folder} is not {published.name}, which has z of {published.latent_dim} "
            f"numbers and {published.image_size} px; this has {widths[0]} and {size}. "
            "Another module was put there: remove it, or pass its folder as handle."
        )
    if truncation_range is None:
        truncation_range = published.truncation_range if published else (0.0, 1.0)
    return HubGenerator(
        os.fspath(handle), folder, *widths, size, truncation_range, module, call
    )


def _signature(module, folder: Path):
    """The function of the signature, checked to take z, y and truncation."""
    signatures = module.signatures
    name = next((n for n in ("default", "serving_default") if n in signatures), None)
    takes = ()
    if name:
        takes = tuple(signatures[name].structured_input_signature[1])
        if set(takes) == set(_INPUTS):
            return signatures[name]
    found = f"takes {', '.join(takes) or 'nothing'}" if name else "is missing"
    raise ValueError(
        f"The module in {folder} cannot be sampled as a BigGAN: expected the signature "
        f'"default" or "serving_default" with the inputs {", ".join(_INPUTS)}, but it '
        f"{found}. Signatures there: {', '.join(signatures) or 'none'}."
    )


def _widths(function, folder: Path) -> tuple[int, int]:
    """The widths of z and y."""
    shapes = {k: s.shape for k, s in function.structured_input_signature[1].items()}
    z, y, truncation = (shapes[name] for name in _INPUTS)
    if z.rank == y.rank == 2 and z[1] and y[1] and truncation.is_compatible_with(()):
        return z[1], y[1]
    raise ValueError(
        f"The module in {folder} should take z (n, Z) and y (n, C) of known widths "
        f"and a single number as truncation; it takes {z}, {y} and {truncation}."
    )


def _caller(function, latent_dim: int, num_classes: int, folder: Path):
    """A function from arrays z, y, truncation to images, and the images' side."""
    dtypes = {k: s.dtype for k, s in function.structured_input_signature[1].items()}
    outputs = function.structured_outputs
    key = next(iter(outputs)) if len(outputs) == 1 else "default"
    if key not in outputs:
        raise ValueError(
            f"The module in {folder} should give its images as the output "
            f'"default"; its outputs are {", ".join(outputs)}.'
        )

    def call(z, y, truncation) -> tf.Tensor:
        arrays = {"z": z, "y": y, "truncation": truncation}
        feeds = {name: tf.constant(x, dtypes[name]) for name, x in arrays.items()}
        return function(**feeds)[key]

    shape = outputs[key].shape
    if shape.rank is None or None in shape.as_list()[1:]:
        # Some graphs do not say: then one image tells.
        shape = call(np.zeros((1, latent_dim)), np.eye(1, num_classes), 1.0).shape
    if shape.rank != 4 or shape[1] != shape[2]:
        raise ValueError(
            f"The module in {folder} should give square images (n, size, size, "
            f"channels), but gives {shape}."
        )
    return call, shape[1]
