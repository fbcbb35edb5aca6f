"""Where the published files of U-GAT-IT hold the weights of our layers.

Two codes, two orders: PyTorch's kernels are (out, in, h, w) and its dense ones
(out, in); TensorFlow's are ours, (h, w, in, out) and (in, out).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from gan_lib.layers import AdaLIN, CAMAttention, SpectralConv2D


class Place(NamedTuple):
    """Where a tensor of the file belongs."""

    variable: keras.Variable
    shape: tuple[int, ...]  # in the file
    convert: Callable[[np.ndarray], np.ndarray]


def torch_generator(blocks: int) -> dict[str, str]:
    """Our layer -> the PyTorch module that holds its weights."""
    modules = {"first": "DownBlock.1", "down1": "DownBlock.5", "down2": "DownBlock.9"}
    modules |= {"cam": "", "style1": "FC.0", "style2": "FC.2"}
    modules |= {"gamma": "gamma", "beta": "beta", "last": "UpBlock2.11"}
    modules |= {"up2": "UpBlock2.2", "up2_norm": "UpBlock2.3"}
    modules |= {"up1": "UpBlock2.7", "up1_norm": "UpBlock2.8"}
    for n in range(1, blocks + 1):
        for k, place in ((1, 1), (2, 5)):
            modules[f"encode{n}_conv{k}"] = f"DownBlock.{11 + n}.conv_block.{place}"
            modules[f"decode{n}_conv{k}"] = f"UpBlock1_{n}.conv{k}"
            modules[f"decode{n}_conv{k}_norm"] = f"UpBlock1_{n}.norm{k}"
    return modules


def tensorflow_generator(blocks: int) -> dict[str, str]:
    """Our layer -> the TensorFlow scope that holds its variables."""
    modules = {"first": "conv", "first_norm": "ins_norm", "last": "G_logit", "cam": ""}
    modules |= {"style1": "MLP/linear_0", "style2": "MLP/linear_1"}
    modules |= {"gamma": "MLP/gamma", "beta": "MLP/beta"}
    for n, (down, up) in enumerate((("down1", "up2"), ("down2", "up1"))):
        modules |= {down: f"conv_{n}", f"{down}_norm": f"ins_norm_{n}"}
        modules |= {up: f"up_conv_{n}", f"{up}_norm": f"layer_ins_norm_{n}"}
    for n in range(1, blocks + 1):
        for k in (1, 2):
            encode, decode = f"encode{n}_conv{k}", f"decode{n}_conv{k}"
            theirs = f"resblock_{n - 1}/res{k}", f"adaptive_resblock{n - 1}/res{k}"
            modules |= {encode: f"{theirs[0]}/conv_0", decode: f"{theirs[1]}/conv_0"}
            modules[f"{encode}_norm"] = f"{theirs[0]}/instance_norm"
            modules[f"{decode}_norm"] = f"{theirs[1]}/instance_layer_norm"
    return modules


def torch_places(network, layer, module: str) -> tuple[dict[str, Place], set[str]]:
    """Places of a layer's tensors by name, and names to pass over."""

    def vector(variable, shape):
        return Place(variable, shape, np.ravel)

    def kernel(variable):
        h, w, channels, filters = variable.shape
        return Place(
            variable, (filters, channels, h, w), lambda t: t.transpose(2, 3, 1, 0)
        )

    if isinstance(layer, CAMAttention):
        part = "weight" if layer.spectral is None else "weight_orig"
        row = (1, layer.gap_kernel.shape[0])
        places = {
            f"gap_fc.{part}": vector(layer.gap_kernel, row),
            f"gmp_fc.{part}": vector(layer.gmp_kernel, row),
            "conv1x1.weight": kernel(layer.kernel),
            "conv1x1.bias": vector(layer.bias, layer.bias.shape),
        }
        spare = {f"{fc}.weight_{x}" for fc in ("gap_fc", "gmp_fc") for x in "uv"}
        return places, spare if layer.spectral else set()
    if isinstance(layer, keras.layers.Dense):
        name = f"{module}.weight"
        return {name: _torch_dense(network, layer)}, set()
    if isinstance(layer, SpectralConv2D):
        places = {f"{module}.weight_orig": kernel(layer.kernel)}
        places[f"{module}.weight_u"] = vector(layer.u, layer.u.shape)
    elif isinstance(layer, keras.layers.Conv2D):
        places = {f"{module}.weight": kernel(layer.kernel)}
    else:
        return {
            f"{module}.{v.name}": vector(v, (1, v.shape[0], 1, 1))
            for v in layer.weights
        }, set()
    if layer.use_bias:
        places[f"{module}.bias"] = vector(layer.bias, layer.bias.shape)
    return places, {f"{module}.weight_v"}


def _torch_dense(network, layer) -> Place:
    """PyTorch flattens maps channel by channel, we pixel by pixel."""
    inputs, units = layer.kernel.shape
    maps = (inputs, 1, 1)
    if layer.name == "style1":
        _, height, width, channels = network.get_layer("pooled").input.shape
        maps = (channels, height, width) if inputs > channels else (channels, 1, 1)

    def convert(tensor):
        return tensor.reshape(units, *maps).transpose(2, 3, 1, 0).reshape(inputs, units)

    return Place(layer.kernel, (units, inputs), convert)


def tensorflow_places(network, layer, module: str) -> tuple[dict[str, Place], set]:
    """As `torch_places`; kernels are in our order."""

    def same(variable, shape=None):
        wanted = tuple(variable.shape)
        return Place(variable, shape or wanted, lambda t: t.reshape(wanted))

    if isinstance(layer, CAMAttention):
        places = {
            "CAM_logit/kernel": same(layer.gap_kernel, (*layer.gap_kernel.shape, 1)),
            "conv_1x1/conv2d/kernel": same(layer.kernel),
            "conv_1x1/conv2d/bias": same(layer.bias),
        }
        if layer.logit_bias:
            places["CAM_logit/bias"] = same(layer.classifier_bias)
        return places, {"CAM_logit/u"} if layer.spectral else set()
    if isinstance(layer, AdaLIN):
        shape = tuple(layer.rho.shape)
        smoothed = Place(layer.rho, shape, lambda t: np.clip(t - 0.1, 0, 1))
        return {f"{module}/rho": smoothed}, set()
    inner = ""
    if isinstance(layer, keras.layers.Dense):
        inner = "dense/"
    elif isinstance(layer, keras.layers.Conv2D) and not hasattr(layer, "u"):
        inner = "conv2d/"
    places = {f"{module}/{inner}{v.name}": same(v) for v in layer.weights}
    if isinstance(layer, SpectralConv2D):
        places[f"{module}/u"] = same(layer.u, (1, *layer.u.shape))
    return places, set()
