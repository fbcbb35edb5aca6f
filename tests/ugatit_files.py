"""Files as the two published codes of U-GAT-IT write them, without those codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from torch_files import HEADER, legacy_file, table, tensor, zip_file

Shapes = dict[str, tuple[int, ...]]


def torch_generator(size=16, width=2, blocks=1, light=True) -> Shapes:
    wide = 4 * width
    shapes: Shapes = {
        "DownBlock.1.weight": (width, 3, 7, 7),
        "DownBlock.5.weight": (2 * width, width, 3, 3),
        "DownBlock.9.weight": (wide, 2 * width, 3, 3),
    }
    for number in range(12, 12 + blocks):
        for place in (1, 5):
            name = f"DownBlock.{number}.conv_block.{place}.weight"
            shapes[name] = (wide, wide, 3, 3)
    shapes |= {"gap_fc.weight": (1, wide), "gmp_fc.weight": (1, wide)}
    shapes |= {"conv1x1.weight": (wide, 2 * wide, 1, 1), "conv1x1.bias": (wide,)}
    inputs = wide if light else wide * (size // 4) ** 2
    shapes |= {"FC.0.weight": (wide, inputs), "FC.2.weight": (wide, wide)}
    shapes |= {"gamma.weight": (wide, wide), "beta.weight": (wide, wide)}
    for number in range(1, blocks + 1):
        for part in (1, 2):
            block = f"UpBlock1_{number}"
            shapes[f"{block}.conv{part}.weight"] = (wide, wide, 3, 3)
            shapes[f"{block}.norm{part}.rho"] = (1, wide, 1, 1)
    for place, before in ((2, wide), (7, 2 * width)):
        shapes[f"UpBlock2.{place}.weight"] = (before // 2, before, 3, 3)
        for part in ("rho", "gamma", "beta"):
            shapes[f"UpBlock2.{place + 1}.{part}"] = (1, before // 2, 1, 1)
    return shapes | {"UpBlock2.11.weight": (3, width, 7, 7)}


def torch_discriminator(layers=4, width=2) -> Shapes:
    def spectral(name, *shape, bias=True) -> Shapes:
        inputs = int(np.prod(shape[1:]))
        return {
            **({f"{name}.bias": shape[:1]} if bias else {}),
            f"{name}.weight_orig": shape,
            f"{name}.weight_u": shape[:1],
            f"{name}.weight_v": (inputs,),
        }

    shapes, before = {}, 3
    for number in range(layers - 1):
        after = width << number
        shapes |= spectral(f"model.{1 + 3 * number}", after, before, 4, 4)
        before = after
    shapes |= spectral("gap_fc", 1, before, bias=False)
    shapes |= spectral("gmp_fc", 1, before, bias=False)
    shapes |= {"conv1x1.weight": (before, 2 * before, 1, 1), "conv1x1.bias": (before,)}
    return shapes | spectral("conv", 1, before, 4, 4, bias=False)


def tensorflow_generator(size=16, width=2, blocks=1, light=True) -> Shapes:
    wide, shapes = 4 * width, {}

    def conv(name, *shape):
        return {f"{name}/conv2d/kernel": shape, f"{name}/conv2d/bias": shape[-1:]}

    def norm(name, channels, parts=("gamma", "beta")):
        return {f"{name}/{part}": (channels,) for part in parts}

    shapes |= conv("conv", 7, 7, 3, width) | norm("ins_norm", width)
    for number in (0, 1):
        before = width << number
        shapes |= conv(f"conv_{number}", 3, 3, before, 2 * before)
        shapes |= norm(f"ins_norm_{number}", 2 * before)
        up = wide >> number
        shapes |= conv(f"up_conv_{number}", 3, 3, up, up // 2)
        all_parts = ("rho", "gamma", "beta")
        shapes |= norm(f"layer_ins_norm_{number}", up // 2, all_parts)
    for number in range(blocks):
        for part in (1, 2):
            block = f"resblock_{number}/res{part}"
            shapes |= conv(f"{block}/conv_0", 3, 3, wide, wide)
            shapes |= norm(f"{block}/instance_norm", wide)
            block = f"adaptive_resblock{number}/res{part}"
            shapes |= conv(f"{block}/conv_0", 3, 3, wide, wide)
            shapes |= norm(f"{block}/instance_layer_norm", wide, ("rho",))
    shapes |= {"CAM_logit/kernel": (wide, 1), "CAM_logit/bias": (1,)}
    shapes |= conv("conv_1x1", 1, 1, 2 * wide, wide)
    inputs = wide if light else wide * (size // 4) ** 2
    for name, units in {"linear_0": inputs, "linear_1": wide}.items():
        shapes[f"MLP/{name}/dense/kernel"] = (units, wide)
        shapes[f"MLP/{name}/dense/bias"] = (wide,)
    for name in ("gamma", "beta"):
        shapes[f"MLP/{name}/dense/kernel"] = (wide, wide)
        shapes[f"MLP/{name}/dense/bias"] = (wide,)
    return shapes | conv("G_logit", 7, 7, width, 3)


def tensorflow_discriminator(layers=4, width=2) -> Shapes:
    def spectral(name, *shape) -> Shapes:
        parts = {"kernel": shape, "bias": shape[-1:], "u": (1, shape[-1])}
        return {f"{name}/{part}": value for part, value in parts.items()}

    shapes, before = {}, 3
    for number in range(layers - 2):
        shapes |= spectral(f"conv_{number}", 4, 4, before, width << number)
        before = width << number
    shapes |= spectral("conv_last", 4, 4, before, 2 * before)
    before *= 2
    shapes |= spectral("CAM_logit", before, 1)
    shapes["conv_1x1/conv2d/kernel"] = (1, 1, 2 * before, before)
    shapes["conv_1x1/conv2d/bias"] = (before,)
    return shapes | spectral("D_logit", 4, 4, before, 1)


def numbers(shapes: Shapes, seed=0) -> dict[str, np.ndarray]:
    """Different values everywhere, in [0, 1] where a rho stands."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in shapes.items():
        values = rng.normal(size=shape).astype("float32")
        if name.endswith("rho"):
            values = rng.uniform(0, 1, shape).astype("float32")
        elif len(shape) > 1 and 1 not in shape[-2:]:
            axis = 0 if "weight" in name else -1  # of the outputs
            inputs = np.prod(shape) / shape[axis]
            values = values * np.float32(1.5 / np.sqrt(inputs))
        arrays[name] = values
    return arrays


def write_torch(path: Path, parts: dict[str, dict], legacy=False) -> Path:
    """What `torch.save` writes of a dictionary of state dicts."""
    programs, storages = {}, {}
    for part, arrays in parts.items():
        inner = {}
        for name, array in arrays.items():
            key = str(len(storages))
            array = np.ascontiguousarray(array, "<f4")
            steps = tuple(step // 4 for step in array.strides)
            inner[name] = tensor(
                array.size, shape=array.shape, strides=steps, key=key, legacy=legacy
            )
            storages[key] = array
        programs[part] = table(inner)[2:-1]
    if legacy:
        return legacy_file(path, table(programs), storages, HEADER)
    return zip_file(path, table(programs), storages)


def write_tensorflow(prefix: Path, parts: dict[str, dict]) -> Path:
    """A checkpoint with these variables and what the optimizer adds to them."""
    variables = {"beta1_power": np.float32(0.5), "beta2_power": np.float32(0.9)}
    for scope, arrays in parts.items():
        for name, array in arrays.items():
            variables[f"{scope}/{name}"] = array
            for slot in ("Adam", "Adam_1"):
                variables[f"{scope}/{name}/{slot}"] = 0 * array
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[tf.constant(array) for array in variables.values()],
    )
    return prefix
