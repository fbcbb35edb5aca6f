"""Where TensorFlow's ProGAN, StyleGAN and StyleGAN2 hold the weights of our layers.

Kernels are (h, w, in, out) and dense ones (in, out) on both sides, and on both they
wait for the factor gain / sqrt(fan_in); what differs stands with each function below.
Maps are (C, H, W) there and (H, W, C) here, which turns the constant and the dense
layers beside a 4 x 4 map. Level of detail, "lod", counts halvings: 0 is the full size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

Layers = Mapping[str, Any]  # our layers by name


class Place(NamedTuple):
    """A variable of ours, and what becomes its value."""

    variable: keras.Variable
    name: str  # in the file
    shape: tuple[int, ...]  # in the file
    convert: Callable[[np.ndarray], np.ndarray]


def progan_generator(layers: Layers, sizes: list[int], saved: Any) -> list[Place]:
    """Of a ProGAN; for each of `sizes`.

    Convolutions behind a doubling are stored (h, w, out, in) if both are "fused" into
    one transposed convolution, whose kernel is turned by 180 degrees in relation to
    the convolution's own; without, they have another name and our order.
    """
    places = [_to_maps(layers["project"]._kernel, "4x4/Dense/weight")]
    places += [_same(layers["project_bias"].bias, "4x4/Dense/bias")]
    places += _kernel_and_bias(layers["conv_4_1"], "4x4/Conv")
    fused = "8x8/Conv0_up/weight" in saved.variables
    for size in sizes[1:]:
        up, scope = layers[f"conv_{size}_0"], f"{size}x{size}"
        if fused:
            places += [_fused_up(up._kernel, f"{scope}/Conv0_up/weight")]
            places += [_same(up.bias, f"{scope}/Conv0_up/bias")]
        else:
            places += _kernel_and_bias(up, f"{scope}/Conv0")
        places += _kernel_and_bias(layers[f"conv_{size}_1"], f"{scope}/Conv1")
    return places + _pictures(layers, sizes, "to_rgb_{}", "ToRGB_lod{}")


def stylegan_generator(layers: Layers, sizes: list[int], saved: Any) -> list[Place]:
    """Of a StyleGAN.

    Fused doublings, from 128 px on unless the file's options say otherwise, turn the
    kernel as ProGAN's do; it is stored in our order.
    """
    places = _styles(layers, saved.options, gain=1)
    constant = layers["constant"].constant
    places += [_from_maps(constant, "synthesis/4x4/Const/const")]
    fused = saved.options.get("fused_scale", "auto")
    for number, scope in enumerate(_scopes(sizes)):
        ours = f"layer_{number}"
        if (
            number
            and scope.endswith("_up")
            and (sizes[number // 2] >= 128 if fused == "auto" else fused)
        ):
            places += [_turned(layers[ours]._kernel, f"{scope}/weight")]
        elif number:
            places += [_same(layers[ours]._kernel, f"{scope}/weight")]
        strength = layers[f"{ours}_noise"].strength
        places += [_same(strength, f"{scope}/Noise/weight")]
        places += [_same(layers[f"{ours}_bias"].bias, f"{scope}/bias")]
        places += _kernel_and_bias(layers[f"{ours}_style"], f"{scope}/StyleMod")
        places += [_noise(layers, number)]
    return places + _pictures(layers, sizes, "to_rgb_{}", "synthesis/ToRGB_lod{}")


def stylegan2_generator(layers: Layers, sizes: list[int], saved: Any) -> list[Place]:
    """Of a StyleGAN2, configuration E or F.

    There a factor sqrt(2) follows the LeakyReLU, here it stands before, in the kernel;
    what is added between the two, noise and bias, takes it along. A style is
    counted from 1 there. Doublings need no turn: the code has one of its own.
    """
    places = _styles(layers, saved.options, gain=layers["conv_0"].gain)
    constant = layers["constant"].constant
    places += [_from_maps(constant, "synthesis/4x4/Const/const")]
    for number, scope in enumerate(_scopes(sizes)[1:]):
        convolution = layers[f"conv_{number}"]
        places += _modulated(layers, f"conv_{number}", scope)
        inject = layers[f"conv_{number}_noise"]
        factor = convolution.gain / inject.rate_multiplier
        places += [_same(inject.strength, f"{scope}/noise_strength", factor)]
        places += [_noise(layers, number)]
    for size in sizes:
        scope = f"synthesis/{size}x{size}/ToRGB"
        places += _modulated(layers, f"to_rgb_{size}", scope)
    return places


def progan_discriminator(layers: Layers, sizes: list[int], saved: Any) -> list[Place]:
    """Of a ProGAN or a StyleGAN.

    A halving needs no turn. ProGAN's without fused scaling, "Conv1", has no place: it
    takes the mean after the activation, which is another network.
    """
    places = _pictures(layers, sizes, "from_rgb_{}", "FromRGB_lod{}")
    for size in sizes[1:]:
        scope = f"{size}x{size}"
        places += _kernel_and_bias(layers[f"conv_{size}_0"], f"{scope}/Conv0")
        places += _kernel_and_bias(layers[f"conv_{size}_1"], f"{scope}/Conv1_down")
    return places + _end(layers, "4x4/Dense1")


def stylegan2_discriminator(
    layers: Layers, sizes: list[int], saved: Any
) -> list[Place]:
    """Of a StyleGAN2; see `stylegan2_generator`.

    The 1 / sqrt(2) of a block's sum stands in our kernels too, so the second
    convolution of a block has no factor left, and nor has its bias.
    """
    places = _kernel_and_bias(
        layers["from_rgb"], "{0}x{0}/FromRGB".format(sizes[-1]), scaled=True
    )
    for size in sizes[1:]:
        for ours, theirs in (
            (f"conv_{size}_0", "Conv0"),
            (f"conv_{size}_1", "Conv1_down"),
            (f"skip_{size}", "Skip"),
        ):
            scope = f"{size}x{size}/{theirs}"
            places += _kernel_and_bias(layers[ours], scope, scaled=True)
    return places + _end(layers, "Output", scaled=True)


def _scopes(sizes: list[int]) -> list[str]:
    """Where the layers are that take a style each, the constant's first."""
    scopes = ["synthesis/4x4/Const", "synthesis/4x4/Conv"]
    for size in sizes[1:]:
        scopes += [f"synthesis/{size}x{size}/{x}" for x in ("Conv0_up", "Conv1")]
    return scopes


def _styles(layers: Layers, options: Mapping[str, Any], gain: float) -> list[Place]:
    """The mapping network and the average style; `gain`: what follows a LeakyReLU."""
    places, number = [_same(layers["truncation"].average, "dlatent_avg")], 0
    while f"dense_{number}" in layers:
        dense, scope = layers[f"dense_{number}"], f"mapping/Dense{number}"
        speed = options.get("mapping_lrmul", 0.01) / dense.rate_multiplier
        places += [_same(dense._kernel, f"{scope}/weight", speed)]
        places += [_same(dense.bias, f"{scope}/bias", speed * gain)]
        number += 1
    return places


def _modulated(layers: Layers, ours: str, scope: str) -> list[Place]:
    """A convolution of StyleGAN2 and the dense layer that makes its style."""
    style = layers[f"{ours}_style"]
    return [
        *_kernel_and_bias(layers[ours], scope, scaled=True),
        _same(style._kernel, f"{scope}/mod_weight"),
        _same(style.bias, f"{scope}/mod_bias", offset=1),
    ]


def _pictures(layers: Layers, sizes: list[int], ours: str, theirs: str) -> list[Place]:
    """The 1 x 1 convolutions at pictures, and how far each size has faded in."""
    places = []
    for lod, size in enumerate(reversed(sizes)):
        places += _kernel_and_bias(layers[ours.format(size)], theirs.format(lod))
        if size > sizes[0]:
            alpha = layers[f"fade_{size}"].alpha
            places += [Place(alpha, "lod", (), _faded(lod))]
    return places


def _faded(lod: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda now: 1 - np.clip(now - lod, 0, 1)


def _end(layers: Layers, logit: str, scaled: bool = False) -> list[Place]:
    """What a discriminator does at 4 x 4 and after."""
    dense, scope = layers["dense"], "4x4/Dense0"
    return [
        *_kernel_and_bias(layers["conv_4"], "4x4/Conv", scaled),
        _flat(dense._kernel, f"{scope}/weight"),
        _same(dense.bias, f"{scope}/bias", dense.gain if scaled else 1),
        *_kernel_and_bias(layers["logit"], logit, scaled),
    ]


def _kernel_and_bias(layer: Any, scope: str, scaled: bool = False) -> list[Place]:
    """`scaled`: the layer's gain follows its bias there."""
    places = [_same(layer._kernel, f"{scope}/weight")]
    if layer.use_bias:
        factor = layer.gain if scaled else 1
        places += [_same(layer.bias, f"{scope}/bias", factor)]
    return places


def _same(variable: Any, name: str, factor: float = 1, offset: float = 0) -> Place:
    shape = tuple(variable.shape)
    return Place(variable, name, shape, lambda t: factor * t + offset)


def _turned(variable: Any, name: str) -> Place:
    return Place(variable, name, tuple(variable.shape), lambda t: t[::-1, ::-1])


def _fused_up(variable: Any, name: str) -> Place:
    height, width, channels, filters = variable.shape
    shape = (height, width, filters, channels)
    return Place(variable, name, shape, lambda t: t[::-1, ::-1].swapaxes(2, 3))


def _noise(layers: Layers, number: int) -> Place:
    noise = layers[f"fixed_noise_{number}"].noise
    return _from_maps(noise, f"synthesis/noise{number}")


def _from_maps(variable: Any, name: str) -> Place:
    """A map (1, C, H, W)."""
    height, width, channels = variable.shape
    shape = (1, channels, height, width)
    return Place(variable, name, shape, lambda t: t[0].transpose(1, 2, 0))


def _to_maps(variable: Any, name: str) -> Place:
    """A dense kernel that makes 4 x 4 maps."""
    inputs, units = variable.shape

    def convert(kernel):
        maps = kernel.reshape(inputs, units // 16, 4, 4)
        return maps.transpose(0, 2, 3, 1).reshape(inputs, units)

    return Place(variable, name, (inputs, units), convert)


def _flat(variable: Any, name: str) -> Place:
    """A dense kernel that takes 4 x 4 maps."""
    inputs, units = variable.shape

    def convert(kernel):
        maps = kernel.reshape(inputs // 16, 4, 4, units)
        return maps.transpose(1, 2, 0, 3).reshape(inputs, units)

    return Place(variable, name, (inputs, units), convert)
