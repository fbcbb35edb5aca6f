"""Published weights of BigGAN, in our Keras network.

Brock, Donahue and Simonyan 2019, arXiv:1809.11096. Of their modules on TensorFlow Hub
`gan_lib.hub` draws pictures; here their weights become a generator that can be looked
into, trained further, or written again by `gan_lib.hub_export`. See
`gan_lib.biggan_names` for the table, and for what of it is not verified. Not read:
BigGAN-deep, which is another network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan_lib import biggan_names, biggan_networks
from gan_lib.biggan_names import EMA
from gan_lib.hub_handles import locate

Arrays = dict[str, np.ndarray]


def load_generator(
    source: str | os.PathLike | Mapping[str, Any],
    network: keras.Model | None = None,
    *,
    strict: bool = True,
) -> keras.Model:
    """The generator of a BigGAN module: its averaged weights, statistics, and u.

    Its batch norms have the statistics of truncation 1. For others compute them anew,
    by `gan_lib.models.biggan.standing_statistics` or `gan_lib.hub_export.save`. An
    epsilon of 1e-4 there and 1e-5 here is made up for in the variances; statistics
    computed anew have ours. Pictures are in [-1, 1].

    Args:
        source: "biggan-128", "biggan-256", "biggan-512", or a folder, as
            `gan_lib.hub.load`; or arrays by name, as module.variables has them, with
            or without "module/" before and ":0" behind.
        network: from `gan_lib.biggan_networks.build_generator`, to be filled. None:
            built to fit.
        strict: whether a variable that has no place here is an error.
    Returns: `network`, latents (B, Z) and classes (B, C) -> images; see there.
    Raises: ValueError if variables are missing, left over or of other shapes; they are
        listed, and nothing is changed. ImportError, ConnectionError as `hub.load`.
    """
    arrays = _read(source)
    if network is None:
        network = _build(arrays)
    try:
        places = biggan_names.places(network)
    except (KeyError, AttributeError) as error:
        raise _other(f"one without the layer or weight {error}") from error
    filled = {id(place.variable) for place in places}
    left = [w.path for w in network.weights if id(w) not in filled]
    if left:
        raise _other(f"one with more weights: {left[:3]}")
    _check(arrays, places, strict)
    for place in places:
        found = [
            arrays[name].reshape(shape)
            for name, shape in zip(place.names, place.shapes, strict=True)
        ]
        place.variable.assign(np.asarray(place.convert(*found), "float32"))
    return network


def _read(source: str | os.PathLike | Mapping[str, Any]) -> Arrays:
    """Arrays by name, in the form that `gan_lib.biggan_names` has."""
    if isinstance(source, Mapping):
        found = {name: np.asarray(array) for name, array in source.items()}
    else:
        folder, _ = locate(source)
        prefix = folder / "variables" / "variables"
        if not prefix.with_name("variables.index").is_file():
            raise ValueError(
                f"Expected a module with the file variables/variables.index in "
                f"{folder}. Received: a folder without it. Pass the folder that holds "
                "saved_model.pb, and check that it was unpacked completely."
            )
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        found = {name: reader.get_tensor(name) for name in shapes}
    arrays = {
        name.removeprefix("module/").removesuffix(":0"): array
        for name, array in found.items()
    }
    if any("/GenZ/" in name for name in arrays):
        raise ValueError(
            "Expected a BigGAN, biggan-128, biggan-256 or biggan-512. Received: a "
            "BigGAN-deep, which is another network. `gan_lib.hub.load` draws its "
            "pictures."
        )
    return arrays


def _build(arrays: Arrays) -> keras.Model:
    """A network of the size that the kernels tell."""
    num_classes, class_dim = _shape(arrays, f"linear/w/{EMA}", 2)
    part, start = _shape(arrays, f"Generator/G_Z/G_linear/w/{EMA}", 2)
    scopes = {name.split("/")[1] for name in arrays if "/GBlock" in name}
    size = 4 << len(scopes)
    if size not in biggan_networks.GENERATOR:
        raise ValueError(
            f"Expected 3 to 7 blocks, GBlock, GBlock_1, ... Received: {len(scopes)}. "
            f"{_ADVICE}"
        )
    first, *widths = biggan_networks.GENERATOR[size]
    width = start // (16 * first)
    attention = None
    name = f"Generator/attention/theta/w/{EMA}"
    if name in arrays:
        channels = _shape(arrays, name, 4)[2]
        at = [8 << n for n, m in enumerate(widths) if m * width == channels]
        if len(at) != 1:
            raise _other(
                f"none, and attention to {channels} channels, which these maps have: "
                f"{at}"
            )
        attention = at[0]
    return biggan_networks.build_generator(
        size,
        num_classes,
        latent_dim=part * (len(scopes) + 1),
        class_dim=class_dim,
        width=width,
        attention=attention,
    )


def _shape(arrays: Arrays, name: str, rank: int) -> tuple[int, ...]:
    if name not in arrays or arrays[name].ndim != rank:
        found = f"shape {arrays[name].shape}" if name in arrays else "none"
        raise ValueError(
            f"Expected a variable {name} of {rank} axes. Received: {found}. Some of "
            f"those there: {sorted(arrays)[:3]}. {_ADVICE}"
        )
    return arrays[name].shape


def _check(arrays: Arrays, places: list[biggan_names.Place], strict: bool) -> None:
    """Raise ValueError with all that does not fit."""
    wanted = {
        name: shape
        for place in places
        for name, shape in zip(place.names, place.shapes, strict=True)
    }
    missing = [name for name in wanted if name not in arrays]
    misfits = [
        f"{name}: expected {shape}, received {arrays[name].shape}"
        for name, shape in wanted.items()
        if name in arrays and _long(arrays[name].shape) != _long(shape)
    ]
    # Weights before averaging, and what follows from the others.
    spare = {name.removesuffix(f"/{EMA}") for name in wanted}
    spare |= {f"{name.removesuffix('u0')}u1" for name in wanted if name.endswith("u0")}
    over = sorted(arrays.keys() - wanted.keys() - spare) if strict else []
    empty = [
        name
        for name in wanted
        if name.endswith("accumulation_counter")
        and name in arrays
        and not np.all(arrays[name] > 0)
    ]
    lists = {
        "missing": missing,
        "of another shape": misfits,
        "without a place here": over,
        "counters of no statistics": empty,
    }
    wrong = [f"{what}: {_some(names)}" for what, names in lists.items() if names]
    if wrong:
        raise ValueError(
            "Expected the variables of a BigGAN module, each of which has its place in "
            f"the network. Received some that do not fit; {'; '.join(wrong)}. {_ADVICE}"
        )


def _long(shape: tuple[int, ...]) -> list[int]:
    return [side for side in shape if side != 1]


def _some(names: list[str]) -> str:
    rest = f", and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + rest


_ADVICE = (
    "Nothing was changed. Check that the file is complete and that of biggan-128, -256 "
    "or -512, and `network`, if you passed one, of its size; `strict=False` passes "
    "over variables without a place."
)


def _other(received: str) -> ValueError:
    return ValueError(
        "Expected a `network` of gan_lib.biggan_networks.build_generator, as large as "
        f"the module's. Received: {received}. Nothing was changed. Build it so and "
        "pass it as `network`."
    )
