"""A trained BigGAN written as a module of TensorFlow Hub, for `gan_lib.hub.load`.

    save(gan.ema_generator, "my_biggan", class_names=["cat", "dog"])
    generator = gan_lib.hub.load("my_biggan")
    images = generator.sample(0, 4, truncation=0.4)

What it says and takes is that of the published modules of Brock et al. 2019
(arXiv:1809.11096); it is a SavedModel of TensorFlow 2, and needs neither gan_lib nor
Keras to be called.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gan_lib import latents as latent_space
from gan_lib.conditions import class_rows
from gan_lib.export import portable_copy
from gan_lib.hub_handles import is_module
from gan_lib.models.biggan import statistics_pass, take_statistics

# Both 0 and 1 belong to it, so that none of what `hub.load` allows lies outside. Steps
# are small where truncations are: maps scale with the truncation t, variances with t^2,
# and the straight line from t to r t errs by ((r - 1) / (r + 1))^2 in the middle.
TRUNCATIONS = (
    *(0.0, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3),
    *(0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)


def save(
    generator: keras.Model,
    directory: str | os.PathLike,
    truncations: Sequence[float] = TRUNCATIONS,
    *,
    class_names: Sequence[str] | None = None,
    passes: int = 16,
    batch_size: int = 64,
    seed: int = 0,
    rule: str = "scaled",
) -> Path:
    """Write a generator as a module that is told the truncation with each call.

    For each t_k of `truncations`, latents so truncated and classes drawn evenly give
    `gan_lib.models.biggan.standing_statistics`. A call with t_k <= t <= t_{k+1} has
        mean = (1 - a) mean_k + a mean_{k+1},  variance likewise,
        a = (t - t_k) / (t_{k+1} - t_k)
    in each batch norm: exactly those computed if t is one of `truncations`.

    The module's signature "default" takes the tensors z (n, Z), y (n, C) and
    truncation (), all float32, and gives the images (n, S, S, 3) in [-1, 1] as
    "default". A truncation outside `truncations` is refused there
    (tf.errors.InvalidArgumentError); `hub.load` can be told their range.

    Ours differs from the published modules in the grid, which has steps of 0.02 there
    (51 tables, says the PyTorch port of BigGAN-deep), and in the format, TF1's there.

    Args:
        generator: of `gan_lib.biggan_networks.build_generator`, as a rule
            `gan.ema_generator`; it stays as it is.
        directory: of the module. It appears complete or not at all; a module that is
            there already is replaced when the new one is whole.
        truncations: rising, at least two, from 0 on.
        class_names: a name for each class, kept in assets/classes.txt; None: none.
        passes, batch_size: batches, and images in each, for every truncation.
        seed: of their latents and classes.
        rule: of truncating latents, see `gan_lib.latents.truncated`; that with which
            the module will be sampled.
    Returns: the directory.
    Raises: ValueError for another kind of network, names that do not fit, truncations
        in disorder, no batch, another rule, or a directory that holds something else.
    """
    directory = Path(directory).expanduser().resolve()
    latent_dim, num_classes = _widths(generator)
    _check(truncations, passes, batch_size)
    names = _lines(class_names, num_classes)
    _check_place(directory)
    network = portable_copy(generator)
    count = passes * batch_size
    # Mixed, because classes of neighbouring numbers are alike, and batches of them
    # vary less than the pictures to come.
    even = np.arange(max(count, num_classes)) % num_classes
    labels = np.random.default_rng(seed).permutation(even)[:count]
    rows = class_rows(labels, num_classes)
    tables, one_pass = [], statistics_pass(network)
    for truncation in truncations:
        z = latent_space.truncated(count, latent_dim, truncation, seed=seed, rule=rule)
        take_statistics(network, z, rows, batch_size, one_pass)
        tables.append([w.numpy() for w in _statistics(network)])
    stacked = [np.stack(rows) for rows in zip(*tables, strict=True)]
    return _write(_module(network, truncations, stacked), directory, names)


def _module(
    network: keras.Model, truncations: Sequence[float], tables: list[np.ndarray]
) -> tf.Module:
    """The network, its statistics read from `tables`, each (steps, channels)."""
    module = tf.Module("biggan")
    module.grid = tf.Variable(np.float32(truncations), trainable=False)
    module.tables = [tf.Variable(table, trainable=False) for table in tables]
    replaced = _statistics(network)
    known = {id(statistic) for statistic in replaced}
    # TensorFlow saves the variables that it finds on the module.
    module.kept = [w.value for w in network.variables if id(w) not in known]

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, network.inputs[0].shape[-1]), "float32", "z"),
            tf.TensorSpec((None, network.inputs[1].shape[-1]), "float32", "y"),
            tf.TensorSpec((), "float32", "truncation"),
        ]
    )
    def generate(z, y, truncation):
        statistics = _interpolated(module.grid, module.tables, truncation)
        pairs = list(zip(replaced, statistics, strict=True))
        with keras.StatelessScope(pairs):
            return {"default": network([z, y], training=False)}

    module.generate = generate
    return module


def _interpolated(grid, tables, truncation) -> list[tf.Tensor]:
    """Rows (channels,) of tables (steps, channels) at a truncation of the grid."""
    lowest, highest = grid[0], grid[-1]
    tf.debugging.Assert(
        (lowest <= truncation) & (truncation <= highest),
        ["Expected a truncation from", lowest, "to", highest, "got", truncation],
    )
    # Searched, not divided by a step: steps may differ, and 0.58 / 0.02 is less than 29
    # in floats.
    below = tf.searchsorted(grid, truncation[None], side="right")[0] - 1
    below = tf.clip_by_value(below, 0, tf.size(grid) - 2)
    start, end = grid[below], grid[below + 1]
    share = (truncation - start) / (end - start)
    return [(1 - share) * t[below] + share * t[below + 1] for t in tables]


def _statistics(network: keras.Model) -> list[keras.Variable]:
    """Moving means and variances of all batch norms."""
    return [w for w in network.variables if w.name.startswith("moving_")]


def _write(module: tf.Module, directory: Path, names: str | None) -> Path:
    """Written beside the place it goes to, and moved there when it is whole."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    unfinished = directory.with_name(f".unfinished.{directory.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        tf.saved_model.save(
            module,
            str(unfinished),
            signatures={"default": module.generate},
        )
        if names is not None:
            assets = unfinished / "assets"
            assets.mkdir(exist_ok=True)
            (assets / "classes.txt").write_text(names, "utf-8")
        _move(unfinished, directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return directory


def _move(unfinished: Path, directory: Path) -> None:
    """To its place; what was there is put aside first, and deleted last.

    No system moves a folder onto another that is not empty. Cut between the two moves,
    both are on the disk under the names that begin with a dot.
    """
    old = directory.with_name(f".replaced.{directory.name}")
    if not directory.exists():
        os.replace(unfinished, directory)
        return
    shutil.rmtree(old, ignore_errors=True)
    os.replace(directory, old)
    try:
        os.replace(unfinished, directory)
    except BaseException:
        os.replace(old, directory)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _widths(generator: keras.Model) -> tuple[int, int]:
    """Z and C of a network that can be such a module."""
    shapes = [tuple(tensor.shape) for tensor in generator.inputs]
    images = tuple(generator.outputs[0].shape)
    fits = [len(shape) for shape in shapes] == [2, 2] and len(images) == 4
    if not fits or not _statistics(generator):
        raise ValueError(
            "Expected a generator [latents (B, Z), classes (B, C)] -> images (B, S, S, "
            "3) with batch norms, as gan_lib.biggan_networks.build_generator gives. "
            f"Received: {shapes} -> {images}, with "
            f"{len(_statistics(generator)) // 2} batch norms."
        )
    return shapes[0][1], shapes[1][1]


def _check(truncations: Sequence[float], passes: int, batch_size: int) -> None:
    grid = np.float32(truncations)
    if grid.ndim != 1 or len(grid) < 2 or grid[0] < 0 or not (np.diff(grid) > 0).all():
        raise ValueError(
            "Expected `truncations` to be at least two numbers that rise, the first at "
            f"least 0, such as (0.2, 0.5, 1.0). Received: {truncations}"
        )
    if passes < 1 or batch_size < 1:
        raise ValueError(
            "Expected at least one pass and one image in each. Received: "
            f"passes={passes}, batch_size={batch_size}"
        )


def _lines(class_names: Sequence[str] | None, num_classes: int) -> str | None:
    """What assets/classes.txt will hold."""
    if class_names is None:
        return None
    wrong = [name for name in class_names if len(name.splitlines()) != 1]
    if len(class_names) != num_classes or wrong:
        raise ValueError(
            f"Expected {num_classes} `class_names`, one for each class and each one "
            f"line of text. Received: {len(class_names)}, of which not one line: "
            f"{wrong[:3]}"
        )
    return "".join(f"{name}\n" for name in class_names)


def _check_place(directory: Path) -> None:
    taken = directory.exists() and not is_module(directory)
    if taken and (not directory.is_dir() or any(directory.iterdir())):
        raise ValueError(
            f"Expected a new directory, or one with a module to be replaced: "
            f"{directory} holds something else, which stays as it is. Choose another."
        )
