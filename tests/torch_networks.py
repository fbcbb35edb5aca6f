"""Names and shapes of what the authors' PyTorch files hold, and numbers to fill in."""

from __future__ import annotations

import numpy as np

Shapes = dict[str, tuple[int, ...]]


def norm(module: str, channels: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    shapes = {f"{module}.{part}": (channels,) for part in parts}
    return shapes | {f"{module}.num_batches_tracked": ()}


def conv(module: str, *shape: int, bias: bool) -> Shapes:
    """`shape` is (out, in, h, w), or of a transposed one, ".up", (in, out, h, w)."""
    channels = shape[1] if ".up" in module else shape[0]
    name = module.replace(".up", "")
    return {f"{name}.weight": shape} | ({f"{name}.bias": (channels,)} if bias else {})


def unet(stages: int, width=2, channels=(3, 3), batch=True) -> Shapes:
    """Shapes by name, in PyTorch's order: into the U and out of it again."""
    widths = [width * min(1 << n, 8) for n in range(stages)]
    way_in: Shapes = conv("model.model.0", width, channels[0], 4, 4, bias=False)
    way_in |= {} if batch else {"model.model.0.bias": (width,)}
    way_out = conv("model.model.3.up", 2 * width, channels[1], 4, 4, bias=True)
    block = "model.model.1.model"
    for outer, inner in zip(widths[:-2], widths[1:-1], strict=True):
        way_in |= conv(f"{block}.1", inner, outer, 4, 4, bias=not batch)
        up = conv(f"{block}.5.up", 2 * inner, outer, 4, 4, bias=not batch)
        if batch:
            way_in |= norm(f"{block}.2", inner)
            up |= norm(f"{block}.6", outer)
        way_out = up | way_out
        block += ".3.model"
    way_in |= conv(f"{block}.1", widths[-1], widths[-2], 4, 4, bias=not batch)
    way_in |= conv(f"{block}.3.up", widths[-1], widths[-2], 4, 4, bias=not batch)
    return way_in | (norm(f"{block}.4", widths[-2]) if batch else {}) | way_out


def resnet(blocks: int, width=2, second=5, old=False) -> Shapes:
    """`old`: with running statistics; `second`: place of a block's second kernel."""
    shapes = conv("model.1", width, 3, 7, 7, bias=True)
    shapes |= conv("model.4", 2 * width, width, 3, 3, bias=True)
    shapes |= conv("model.7", 4 * width, 2 * width, 3, 3, bias=True)
    for block in range(10, 10 + blocks):
        for place in (1, second):
            name = f"model.{block}.conv_block.{place}"
            shapes |= conv(name, 4 * width, 4 * width, 3, 3, bias=True)
    up = 10 + blocks
    shapes |= conv(f"model.{up}.up", 4 * width, 2 * width, 3, 3, bias=True)
    shapes |= conv(f"model.{up + 3}.up", 2 * width, width, 3, 3, bias=True)
    shapes |= conv(f"model.{up + 7}", 3, width, 7, 7, bias=True)
    if old:
        statistics = norm("model.2", width) | norm("model.10.conv_block.2", 4 * width)
        unused = ("running_mean", "running_var", "num_batches_tracked")
        shapes |= {n: s for n, s in statistics.items() if n.endswith(unused)}
    return shapes


def patchgan(layers: int, width=2, sequence="model", size=4) -> Shapes:
    shapes = conv(f"{sequence}.0", width, 6, size, size, bias=True)
    before = width
    for number in range(1, layers + 1):
        after = width * min(1 << number, 8)
        name = f"{sequence}.{3 * number - 1}"
        shapes |= conv(name, after, before, size, size, bias=False)
        shapes |= norm(f"{sequence}.{3 * number}", after)
        before = after
    last = f"{sequence}.{3 * layers + 2}"
    return shapes | conv(last, 1, before, size, size, bias=sequence == "model")


def numbers(shapes: Shapes) -> dict[str, np.ndarray]:
    """Different values everywhere, of a size that keeps the maps from vanishing."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in shapes.items():
        values = rng.normal(size=shape).astype("float32")
        if name.endswith("num_batches_tracked"):
            arrays[name] = np.array(7, "int64")
        elif len(shape) == 4:
            arrays[name] = values * np.float32(2 / np.sqrt(np.prod(shape[1:])))
        elif name.endswith(("running_var", "weight")):
            arrays[name] = 1 + np.abs(values) / 4
        else:
            arrays[name] = values / 4
    return arrays


def ramp(size: int, channels: int) -> np.ndarray:
    """(2, size, size, channels) in [-1, 1]: waves of different length."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(7 * (c + 1) * x + (3 - c) * y + c) for c in range(2 * channels)]
    return (
        np.stack(waves, -1)
        .reshape(size, size, 2, channels)
        .transpose(2, 0, 1, 3)
        .astype("float32")
    )
