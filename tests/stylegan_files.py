"""Files as the TensorFlow code of ProGAN, StyleGAN and StyleGAN2 writes them."""

from __future__ import annotations

import contextlib
import pickle
import struct
import sys
import types
from pathlib import Path

import numpy as np

Shapes = dict[str, tuple[int, ...]]


def widths(size: int, width: int, widest: int) -> dict[int, int]:
    """Channels at each size, also at 2, which is what the dense layer has."""
    return {4 << n >> 1: min(widest, width * size // (2 << n)) for n in range(10)}


def _layer(scope: str, *shape: int, bias: str = "bias") -> Shapes:
    return {f"{scope}/weight": shape, f"{scope}/{bias}": shape[-1:]}


def _sizes(size: int) -> list[int]:
    return [4 << n for n in range(size.bit_length() - 2)]


def progan_generator(size=16, width=4, widest=6, latent=5, fused=True) -> Shapes:
    at, sizes = widths(size, width, widest), _sizes(size)
    shapes: Shapes = {"lod": (), "4x4/Dense/weight": (latent, 16 * at[4])}
    shapes |= {"4x4/Dense/bias": (at[4],)} | _layer("4x4/Conv", 3, 3, at[4], at[4])
    for s in sizes[1:]:
        up = _layer(f"{s}x{s}/Conv0", 3, 3, at[s // 2], at[s])
        if fused:
            up = {f"{s}x{s}/Conv0_up/weight": (3, 3, at[s], at[s // 2])}
            up |= {f"{s}x{s}/Conv0_up/bias": (at[s],)}
        shapes |= up | _layer(f"{s}x{s}/Conv1", 3, 3, at[s], at[s])
    for lod, s in enumerate(reversed(sizes)):
        shapes |= _layer(f"ToRGB_lod{lod}", 1, 1, at[s], 3)
    return shapes


def progan_discriminator(size=16, width=4, widest=6) -> Shapes:
    at, sizes = widths(size, width, widest), _sizes(size)
    shapes: Shapes = {"lod": ()}
    for lod, s in enumerate(reversed(sizes)):
        shapes |= _layer(f"FromRGB_lod{lod}", 1, 1, 3, at[s])
    for s in sizes[1:]:
        shapes |= _layer(f"{s}x{s}/Conv0", 3, 3, at[s], at[s])
        shapes |= _layer(f"{s}x{s}/Conv1_down", 3, 3, at[s], at[s // 2])
    return shapes | _end(at, "4x4/Dense1")


def _end(at: dict[int, int], logit: str) -> Shapes:
    shapes = _layer("4x4/Conv", 3, 3, at[4] + 1, at[4])
    return shapes | _layer("4x4/Dense0", 16 * at[4], at[2]) | _layer(logit, at[2], 1)


def mapping(latent=5, style=7, layers=3) -> Shapes:
    shapes: Shapes = {"dlatent_avg": (style,), "lod": ()}
    for n in range(layers):
        shapes |= _layer(f"mapping/Dense{n}", style if n else latent, style)
    return shapes


def stylegan_generator(
    size=16, width=4, widest=6, latent=5, style=7, layers=3
) -> Shapes:
    at, sizes = widths(size, width, widest), _sizes(size)
    shapes: Shapes = {"4x4/Const/const": (1, at[4], 4, 4), "lod": ()}
    for n in range(2 * len(sizes)):
        s = 4 << n // 2
        scope = f"{s}x{s}/Conv{'1' if n % 2 else '0_up'}"
        scope = {0: "4x4/Const", 1: "4x4/Conv"}.get(n, scope)
        if n:
            inputs = at[s] if n % 2 else at[s // 2]
            shapes[f"{scope}/weight"] = (3, 3, inputs, at[s])
        shapes |= {f"{scope}/Noise/weight": (at[s],), f"{scope}/bias": (at[s],)}
        shapes |= _layer(f"{scope}/StyleMod", style, 2 * at[s])
        shapes[f"noise{n}"] = (1, 1, s, s)
    for lod, s in enumerate(reversed(sizes)):
        shapes |= _layer(f"ToRGB_lod{lod}", 1, 1, at[s], 3)
    return mapping(latent, style, layers) | _synthesis(shapes)


def stylegan2_generator(
    size=16, width=4, widest=6, latent=5, style=7, layers=3
) -> Shapes:
    at, sizes = widths(size, width, widest), _sizes(size)

    def modulated(scope, k, inputs, filters) -> Shapes:
        shapes = _layer(scope, k, k, inputs, filters)
        return shapes | {
            f"{scope}/mod_weight": (style, inputs),
            f"{scope}/mod_bias": (inputs,),
        }

    shapes: Shapes = {"4x4/Const/const": (1, at[4], 4, 4)}
    for n in range(2 * len(sizes) - 1):
        s = 4 << (n + 1) // 2
        scope = f"{s}x{s}/Conv{'0_up' if n % 2 else '1'}" if n else "4x4/Conv"
        shapes |= modulated(scope, 3, at[s // 2] if n % 2 else at[s], at[s])
        shapes |= {f"{scope}/noise_strength": (), f"noise{n}": (1, 1, s, s)}
    for s in sizes:
        shapes |= modulated(f"{s}x{s}/ToRGB", 1, at[s], 3)
    return mapping(latent, style, layers) | _synthesis(shapes)


def stylegan2_discriminator(size=16, width=4, widest=6) -> Shapes:
    at, sizes = widths(size, width, widest), _sizes(size)
    shapes = _layer(f"{size}x{size}/FromRGB", 1, 1, 3, at[size])
    for s in sizes[1:]:
        shapes |= _layer(f"{s}x{s}/Conv0", 3, 3, at[s], at[s])
        shapes |= _layer(f"{s}x{s}/Conv1_down", 3, 3, at[s], at[s // 2])
        shapes[f"{s}x{s}/Skip/weight"] = (1, 1, at[s], at[s // 2])
    return shapes | _end(at, "Output")


def _synthesis(shapes: Shapes) -> Shapes:
    return {f"synthesis/{name}": shape for name, shape in shapes.items()}


def numbers(shapes: Shapes, seed: int = 0, lod: float = 0.0) -> dict[str, np.ndarray]:
    """A value of each, as large as after some training; numbers of no axis as NumPy's.

    What learns at a hundredth of the rate is a hundred times as large.
    """
    rng = np.random.default_rng(seed)
    values = {}
    for name, shape in shapes.items():
        scale = 100.0 if name.startswith("mapping/") else 1.0
        if name.endswith("bias") or "oise" in name.rpartition("/")[2]:
            scale *= 0.4
        values[name] = np.float32(scale) * np.float32(rng.normal(size=shape))
        if name.endswith("lod"):
            values[name] = np.float32(lod)
    return values


class OldPickler(pickle._Pickler):
    """Writes the paths of NumPy 1 and, as `python2`, the texts of Python 2."""

    dispatch = pickle._Pickler.dispatch.copy()
    python2 = False

    def save_global(self, obj, name=None):
        if not obj.__module__.startswith("numpy._core"):
            return super().save_global(obj, name)
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(f"c{module}\n{obj.__name__}\n".encode())
        self.memoize(obj)

    def save_text(self, obj):
        if not self.python2:
            return pickle._Pickler.dispatch[type(obj)](self, obj)
        raw = obj if isinstance(obj, bytes) else obj.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(obj)

    dispatch[bytes] = dispatch[str] = save_text


@contextlib.contextmanager
def authors_classes(path: str):
    """`path` ("tfutil.Network") as a class, and EasyDict, while something is written.

    Yields: both.
    """
    module, _, name = path.rpartition(".")
    network = type(name, (), {"__module__": module})
    easy = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
    parents = {
        ".".join(module.split(".")[: n + 1]) for n in range(module.count(".") + 1)
    }
    before = dict(sys.modules)
    for key in parents | {"dnnlib", "dnnlib.util"}:
        sys.modules[key] = types.ModuleType(key)
    setattr(sys.modules[module], name, network)
    sys.modules["dnnlib.util"].EasyDict = easy
    try:
        yield network, easy
    finally:
        for key in sys.modules.keys() - before.keys():
            del sys.modules[key]


DNNLIB = "dnnlib.tflib.network.Network"
PROGRAM = "import os; os.abort()"


def write(
    path: Path,
    networks: dict[str, dict[str, np.ndarray]],
    *,
    options=None,
    cls: str = DNNLIB,
    protocol: int = 4,
    old: bool = True,
    python2: bool = False,
) -> Path:
    """Networks "G", "D" and "Gs" (from variables by name), one missing is empty."""
    with authors_classes(cls) as (network, easy):

        def save(name, variables, static_kwargs):
            made = network()
            made.__dict__ |= {
                "version": 4,
                "name": name,
                "static_kwargs": static_kwargs,
                "build_module_src": PROGRAM,
                "build_func_name": "build",
                "variables": list(variables.items()),
            }
            return made

        def whole(name, variables):
            made = save(name, {}, easy(options or {}))
            if cls == DNNLIB:
                made.components = easy()
                for part in ("mapping", "synthesis"):
                    own = {
                        key.removeprefix(f"{part}/"): x
                        for key, x in variables.items()
                        if key.startswith(f"{part}/")
                    }
                    if own:
                        made.components[part] = save(f"G_{part}", own, {})
            parts = ("mapping/", "synthesis/")
            made.variables = [
                (k, x) for k, x in variables.items() if not k.startswith(parts)
            ]
            return made

        content = tuple(
            whole(name, networks.get(name, {})) for name in ("G", "D", "Gs")
        )
        with path.open("wb") as file:
            if old:
                pickler = OldPickler(file, protocol)
                pickler.python2 = python2
                pickler.dump(content)
            else:
                pickle.dump(content, file, protocol)
    return path
