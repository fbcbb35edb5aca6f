"""Where the published TensorFlow modules of BigGAN hold the weights of our layers.

Known from the public programs that convert these modules, among them the PyTorch code
of the paper's first author (ajbrock/BigGAN-PyTorch, TFHub/converter.py): the names, the
orders of axes, and one power iteration a call. Not verified on a published file:
    - that statistics are sums, to be divided by their counter. The programs use them
      as they are, which is the same if the counter is 1;
    - shapes of vectors, which may have more axes of length 1: these do not count;
    - the small number in the length of u and v, for which ports have 1e-4 or none. It
      is left out, which changes a kernel by about 0.0002 of its size.
Kernels are (h, w, in, out) and dense ones (in, out), as ours; the map that the first
dense layer makes is (4, 4, C), as ours. A condition is [latents, class embedding] there
and [class embedding, latents] here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

EMA = "ema_b999900"  # the average, decay 0.9999, that the published pictures are from
EPSILON = 1e-4  # of the batch norms there
ATTENTION = {
    "query": "theta",
    "key": "phi",
    "content": "g",
    "output_convolution": "o_conv",
}


class Place(NamedTuple):
    """A variable of ours, and what becomes its value."""

    variable: keras.Variable
    names: tuple[str, ...]  # in the module, without the prefix "module/"
    shapes: tuple[tuple[int, ...], ...]  # there, axes of length 1 aside
    convert: Callable[..., np.ndarray]  # of arrays of these shapes


def places(network: keras.Model) -> list[Place]:
    """One for each weight of a network of `gan_lib.biggan_networks.build_generator`.

    Raises: KeyError, AttributeError if it is none.
    """
    layers: dict[str, Any] = {layer.name: layer for layer in network.layers}
    found = [_same(layers["class_embedding"].kernel, f"linear/w/{EMA}")]
    found += _spectral(layers["start"], "Generator/G_Z/G_linear")
    sizes = block_sizes(network)
    for number, size in enumerate(sizes):
        scope = "Generator/GBlock" + (f"_{number}" if number else "")
        ours = f"block_{size}"
        found += _spectral(layers[f"{ours}_conv_1"], f"{scope}/conv0")
        found += _spectral(layers[f"{ours}_conv_2"], f"{scope}/conv1")
        found += _spectral(layers[f"{ours}_shortcut"], f"{scope}/conv_sc")
        class_dim = layers["class_embedding"].units
        for which, end in (("1", ""), ("2", "_1")):
            layer = layers[f"{ours}_norm_{which}"]
            found += _condition(layer.gain, f"{scope}/HyperBN{end}/gamma", class_dim)
            found += _condition(layer.bias, f"{scope}/HyperBN{end}/beta", class_dim)
            found += _statistics(layer.normalization, f"{scope}/CrossReplicaBN{end}")
    if "attention" in layers:
        for ours, theirs in ATTENTION.items():
            layer = getattr(layers["attention"], ours)
            found += _spectral(layer, f"Generator/attention/{theirs}")
        gamma = layers["attention"].gamma
        found += [_same(gamma, f"Generator/attention/gamma/{EMA}")]
    scope = "Generator/ScaledCrossReplicaBN"
    found += [_same(layers["norm"].gamma, f"{scope}/gamma/{EMA}")]
    found += [_same(layers["norm"].beta, f"{scope}/beta/{EMA}")]
    found += _statistics(layers["norm"], f"{scope}bn")
    return found + _spectral(layers["to_rgb"], "Generator/conv_2d")


def block_sizes(network: keras.Model) -> list[int]:
    """Pixels a side that each block gives."""
    names = {layer.name for layer in network.layers}
    return [8 << n for n in range(9) if f"block_{8 << n}_conv_1" in names]


def _same(variable: keras.Variable, name: str) -> Place:
    return Place(variable, (name,), (tuple(variable.shape),), lambda array: array)


def _spectral(layer: Any, scope: str) -> list[Place]:
    kernel = f"{scope}/w/{EMA}"
    found = [_same(layer.kernel, kernel), _vector(layer, scope)]
    if layer.use_bias:
        found.append(_same(layer.bias, f"{scope}/b/{EMA}"))
    return found


def _condition(layer: Any, scope: str, class_dim: int) -> list[Place]:
    """A dense layer of a condition: the rows of the class come first here."""
    place = _same(layer.kernel, f"{scope}/w/{EMA}")
    swapped = place._replace(convert=lambda kernel: np.roll(kernel, class_dim, 0))
    return [swapped, _vector(layer, scope)]


def _vector(layer: Any, scope: str) -> Place:
    """u; it belongs to columns of W (h w C, filters) on both sides."""
    shapes = (tuple(layer.kernel.shape), tuple(layer.u.shape))
    return Place(layer.u, (f"{scope}/w/{EMA}", f"{scope}/u0"), shapes, settled)


def settled(kernel: np.ndarray, u0: np.ndarray) -> np.ndarray:
    """Our u, with which W / sigma is the kernel that the module computes with.

    v = W u0 / ||W u0||,  u = W^T v / ||W^T v||,  sigma = v^T W u = ||W^T v||
    there in each call, from the same u0: that of the weights before averaging, which
    is not quite settled for their average W. Ours takes sigma = ||W u|| for a u of
    length 1, which is half a step further; the length of u makes up for it, until
    training gives it length 1.

    Args: W (..., filters); u0 (filters,), of any length.
    Returns: float64 (filters,).
    """
    rows = kernel.reshape(-1, kernel.shape[-1]).astype("float64")
    v = _unit(rows @ u0.astype("float64"))
    product = v @ rows
    u = _unit(product)
    return u * np.linalg.norm(product) / max(np.linalg.norm(rows @ u), 1e-12)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(np.linalg.norm(vector), 1e-12)


def _statistics(layer: Any, scope: str) -> list[Place]:
    """Those of truncation 1; the variance makes up for our smaller epsilon."""
    counter, shape = f"{scope}/accumulation_counter", tuple(layer.moving_mean.shape)
    extra = EPSILON - layer.epsilon

    def place(variable, name, convert):
        return Place(variable, (f"{scope}/{name}", counter), (shape, ()), convert)

    return [
        place(layer.moving_mean, "accumulated_mean", lambda x, n: x / n),
        place(layer.moving_variance, "accumulated_var", lambda x, n: x / n + extra),
    ]
