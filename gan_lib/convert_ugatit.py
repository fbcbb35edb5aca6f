"""Published weights of U-GAT-IT, in our Keras networks.

Kim et al. 2020, arXiv:1907.10830. The authors' PyTorch code saves all its networks in
one `.pt` file, a dictionary of state dicts; their TensorFlow code saves a checkpoint.
Both are read without running anything in them. The networks expect RGB pictures in
[-1, 1].
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gan_lib import ugatit_names
from gan_lib import ugatit_networks as ugatit
from gan_lib.torch_file import read_torch_file

PathLike = str | os.PathLike[str]
Tensors = dict[str, np.ndarray]

# Which network -> its name in a `.pt` file, its scope in a TensorFlow checkpoint, which
# names a generator by the domain it leads to.
PARTS = {
    "a_to_b": ("genA2B", "generator_B"),
    "b_to_a": ("genB2A", "generator_A"),
    "global_a": ("disGA", "discriminator_A/global"),
    "global_b": ("disGB", "discriminator_B/global"),
    "local_a": ("disLA", "discriminator_A/local"),
    "local_b": ("disLB", "discriminator_B/local"),
}
GENERATORS, DISCRIMINATORS = tuple(PARTS)[:2], tuple(PARTS)[2:]


def load_generator(
    path: PathLike,
    which: str = "a_to_b",
    network: keras.Model | None = None,
    *,
    image_size: int = 256,
) -> keras.Model:
    """The generator `which`, full or light, from either code's file.

    The TensorFlow code's AdaLINs use min(max(rho - 0.1, 0), 1), which becomes our rho.

    Args:
        path: `.pt` file, or a TensorFlow checkpoint: its folder, or its name without
            `.index`.
        which: "a_to_b" or "b_to_a".
        network: from `gan_lib.ugatit_networks.build_generator` with the `layout` of the
            file, to be filled. None: built to fit.
        image_size: of a light generator to build; a full one has the file's.
    Returns: `network`, see `build_generator`.
    Raises: ValueError if the file has no such network or it does not fit `network`;
        then nothing is changed. `UnsafePickleError` as `read_torch_file`.
    """
    layout, tensors = _read(path, which, GENERATORS)
    if network is None:
        network = _build_generator(path, tensors, layout, image_size)
    blocks = sum(layer.name.endswith("_conv2") for layer in network.layers) // 2
    if layout == "pytorch":
        return _fill(
            path,
            network,
            tensors,
            ugatit_names.torch_generator(blocks),
            ugatit_names.torch_places,
        )
    modules = ugatit_names.tensorflow_generator(blocks)
    return _fill(path, network, tensors, modules, ugatit_names.tensorflow_places)


def load_discriminator(
    path: PathLike,
    which: str,
    network: keras.Model | None = None,
    *,
    image_size: int = 256,
) -> keras.Model:
    """The discriminator `which` from either code's file.

    The vectors v of spectral norm, and u of the CAM's classifiers, follow from the
    other weights and are passed over.

    Args:
        path: as `load_generator`.
        which: "global_a", "global_b", "local_a" or "local_b".
        network: from `gan_lib.ugatit_networks.build_discriminator`, likewise.
        image_size: of the discriminator to build.
    Returns: `network`, see `build_discriminator`.
    Raises: as `load_generator`.
    """
    layout, tensors = _read(path, which, DISCRIMINATORS)
    torch = layout == "pytorch"
    pattern = "model.{}.weight_orig" if torch else "conv_{}/kernel"
    numbers = range(1, 99, 3) if torch else range(99)
    layers = 1 if torch else 2  # what has another name: `conv`; `conv_last`, `D_logit`
    layers += sum(pattern.format(number) in tensors for number in numbers)
    if network is None:
        shape = _shape(path, tensors, pattern.format(numbers[0]), rank=4)
        network = ugatit.build_discriminator(
            image_size,
            layers=layers,
            width=shape[0 if torch else -1],
            layout=layout,
        )
    if torch:
        modules = {f"conv{n + 1}": f"model.{1 + 3 * n}" for n in range(layers - 1)}
        modules |= {"cam": "", "last": "conv"}
        return _fill(path, network, tensors, modules, ugatit_names.torch_places)
    modules = {f"conv{n + 1}": f"conv_{n}" for n in range(layers - 2)}
    modules |= {f"conv{layers - 1}": "conv_last", "cam": "", "last": "D_logit"}
    return _fill(path, network, tensors, modules, ugatit_names.tensorflow_places)


def _read(path: PathLike, which: str, known: tuple[str, ...]) -> tuple[str, Tensors]:
    """Layout and tensors by name, those of the network `which` alone."""
    if which not in known:
        raise ValueError(f"Expected `which` to be one of {known}. Received: {which!r}")
    torch_name, scope = PARTS[which]
    prefix = str(path)
    if Path(path).is_dir():
        prefix = tf.train.latest_checkpoint(prefix) or prefix
    if not Path(f"{prefix}.index").is_file():
        return "pytorch", read_torch_file(path, torch_name)
    reader = tf.train.load_checkpoint(prefix)
    names = [
        name
        for name in reader.get_variable_to_shape_map()
        if name.startswith(f"{scope}/") and not name.endswith(("/Adam", "/Adam_1"))
    ]
    if not names:
        raise ValueError(
            f"Expected variables named {scope}/... in {prefix}. Received only others. "
            "Only checkpoints of the authors' TensorFlow code can be converted."
        )
    start = len(scope) + 1
    return "tensorflow", {name[start:]: reader.get_tensor(name) for name in names}


def _build_generator(path: PathLike, tensors: Tensors, layout: str, image_size: int):
    if layout == "pytorch":
        width = _shape(path, tensors, "DownBlock.1.weight", rank=4)[0]
        inputs = _shape(path, tensors, "FC.0.weight", rank=2)[1]
        block = "DownBlock.{}.conv_block.1.weight"
        numbers = range(12, 99)
    else:
        width = _shape(path, tensors, "conv/conv2d/kernel", rank=4)[-1]
        inputs = _shape(path, tensors, "MLP/linear_0/dense/kernel", rank=2)[0]
        block, numbers = "resblock_{}/res1/conv_0/conv2d/kernel", range(99)
    light = inputs == 4 * width
    return ugatit.build_generator(
        image_size if light else 4 * round((inputs / (4 * width)) ** 0.5),
        light=light,
        width=width,
        blocks=sum(block.format(number) in tensors for number in numbers),
        layout=layout,
    )


def _shape(path: PathLike, tensors: Tensors, name: str, rank: int) -> tuple[int, ...]:
    if name not in tensors or tensors[name].ndim != rank:
        found = f"shape {tensors[name].shape}" if name in tensors else "none"
        raise _misfit(path, f"a tensor {name} of {rank} axes", found)
    return tensors[name].shape


def _fill(path: PathLike, network, tensors: Tensors, modules, places_of):
    """Copy every tensor into its place; first make sure that all of them fit."""
    places: dict[str, ugatit_names.Place] = {}
    spare: set[str] = set()
    for layer in network.layers:
        if layer.weights and layer.name in modules:
            found, passed = places_of(network, layer, modules[layer.name])
            places, spare = places | found, spare | passed
    filled = {id(place.variable) for place in places.values()}
    left = [v.path for v in network.weights if id(v) not in filled]
    if left:
        raise ValueError(
            f"Expected a network that {path} fills. Received one with more weights: "
            f"{left[:3]}. Build it with gan_lib.ugatit_networks, as deep as the file's "
            "and with its `layout`, or leave `network` out."
        )
    for name, place in places.items():
        if name not in tensors or tensors[name].shape != tuple(place.shape):
            found = f"shape {tensors[name].shape}" if name in tensors else "none"
            raise _misfit(path, f"a tensor {name} of shape {place.shape}", found)
    for name in tensors.keys() - places.keys() - spare:
        raise _misfit(path, f"no tensor {name}", f"shape {tensors[name].shape}")
    for name, place in places.items():
        place.variable.assign(place.convert(tensors[name]))
    return network


def _misfit(path: PathLike, expected: str, received: str) -> ValueError:
    return ValueError(
        f"Expected {expected} in {path}, to match the network. Received: {received}. "
        "Nothing was changed. Check that the file is complete and from the authors' "
        "code, and `network`, if you passed one, of its size and `layout`."
    )
