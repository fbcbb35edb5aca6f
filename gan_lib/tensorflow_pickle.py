"""Read the pickles of ProGAN's, StyleGAN's and StyleGAN2's TensorFlow code as data.

Such a file is the tuple (G, D, Gs) of network objects, and each holds the source text
of the program that builds it, for the authors' class to run. Here neither TensorFlow 1
nor that class is needed: `gan_lib.safe_pickle` reads the file, stand-ins take the
place of the network class and of NumPy's own constructors, and the text is dropped.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_lib.safe_pickle import Unpickler, UnsafePickleError

NAMES = ("G", "D", "Gs")  # of the networks, in their order in the file


class SavedNetwork(NamedTuple):
    """What a file holds of one network."""

    options: dict[str, Any]  # the arguments that the authors' code built it with
    variables: dict[str, np.ndarray]  # those of a part PART are named PART/...


class _StandIn:
    """For a class that the file may name; a file can give it no state but by this."""

    def __setstate__(self, state: Any) -> None:
        raise UnsafePickleError(f"Expected a plain value, got the state {state!r:.80}.")


class _Bytes(_StandIn, bytes):
    """Bytes as the older pickle formats spell them: by a text, a letter each."""

    def __new__(cls, text: str = "", encoding: str = "latin1"):
        if encoding != "latin1":
            raise UnsafePickleError(f"Expected bytes as latin1, got {encoding!r:.80}.")
        return super().__new__(cls, text.encode("latin1"))


class _Dtype(_StandIn):
    def __init__(self, name: str, align: Any = 0, copy: Any = 0):
        if not re.fullmatch("[fiu][1248]|b1", name):
            raise UnsafePickleError(f"Expected an array of numbers, got {name!r:.80}.")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        if state[1] not in "<>|":
            raise UnsafePickleError(f"Expected a byte order, got {state[1]!r:.80}.")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Scalar(_StandIn):
    def __init__(self, dtype: _Dtype, raw: bytes | str):
        self.value = _numbers(raw, dtype, (), "C")


class _Array(_StandIn):
    def __init__(self, *ignored: Any):  # its class, a shape and a type, set below
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.value = _numbers(raw, dtype, shape, "F" if is_fortran else "C")


class _Network(_StandIn):
    """Keeps what is data of a network's state; not the program."""

    def __setstate__(self, state: Any) -> None:
        self.options = _plain(state["static_kwargs"])
        self.variables = {name: _array(x) for name, x in state["variables"]}
        self.components = dict(state.get("components", {}))


def _numbers(raw: bytes | str, dtype: _Dtype, shape: Any, order: Any) -> np.ndarray:
    if isinstance(raw, str):  # the bytes of Python 2
        raw = raw.encode("latin1")
    # More would take memory that the file has not; an empty one fits no network.
    wanted = math.prod(shape) * dtype.dtype.itemsize
    if min(shape, default=1) < 1 or wanted != len(raw):
        raise ValueError(f"an array of shape {shape!r:.80} has {len(raw)} bytes")
    return np.frombuffer(raw, dtype.dtype).reshape(shape, order=order)


def _array(value: Any) -> Any:
    return value.value if isinstance(value, _Array | _Scalar) else np.asarray(value)


def _plain(value: Any) -> Any:
    """A value of Python's own: numbers, texts, lists and dictionaries."""
    if isinstance(value, dict):
        return {name: _plain(x) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, _Array | _Scalar):
        return _array(value).tolist()
    return value


class _NetworkUnpickler(Unpickler):
    ALLOWED = {
        ("tfutil", "Network"): _Network,  # ProGAN's
        ("dnnlib.tflib.network", "Network"): _Network,  # StyleGAN's, StyleGAN2's
        ("dnnlib.util", "EasyDict"): dict,
        ("_codecs", "encode"): _Bytes,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy.core.multiarray", "scalar"): _Scalar,
        ("numpy._core.multiarray", "_reconstruct"): _Array,  # since NumPy 2
        ("numpy._core.multiarray", "scalar"): _Scalar,
    }
    EXPECTED = "a file of TensorFlow networks (ProGAN, StyleGAN or StyleGAN2)"
    ADVICE = (
        "Use the authors' published file, unchanged, and do not load this one with "
        "pickle. The files of their PyTorch and Theano code are of another kind."
    )


def read_networks(path: str | os.PathLike[str]) -> dict[str, SavedNetwork]:
    """The networks in a `.pkl` file of the authors' TensorFlow code.

    No TensorFlow 1 is needed and no code in the file is run or kept. Variables keep
    their names and shapes: "4x4/Conv/weight"; in a generator of two parts
    "synthesis/4x4/Conv/weight", "mapping/Dense0/bias" and, of the whole, "dlatent_avg".

    Args:
        path: file that holds (G, D, Gs): generator, discriminator and the average of
            the generator over its training.
    Returns: dict, "G", "D" and "Gs" -> options and variables by name.
    Raises: UnsafePickleError if the file names anything but such networks and arrays;
        ValueError if it is of another format, cut short or inconsistent.
    """
    with Path(path).open("rb") as file:
        # The encoding is for arrays that Python 2 wrote.
        unpickler = _NetworkUnpickler(file, encoding="latin1")
        content = unpickler.load_or(lambda reason: _unreadable(path, reason))
    whole = isinstance(content, tuple) and len(content) == len(NAMES)
    if not whole or not all(isinstance(x, _Network) for x in content):
        raise _unreadable(path, "it does not hold the three networks (G, D, Gs)")
    return {
        name: _merged(network, path)
        for name, network in zip(NAMES, content, strict=True)
    }


def _merged(network: _Network, path: Any) -> SavedNetwork:
    """A network and its parts as one."""
    options: dict[str, Any] = {}
    variables: dict[str, np.ndarray] = {}
    try:
        for part, component in network.components.items():
            options |= component.options
            for name, value in component.variables.items():
                variables[f"{part}/{name}"] = value
        options |= network.options
        variables |= network.variables
    except (AttributeError, TypeError) as error:  # an object without its state
        raise _unreadable(path, f"a network in it is incomplete: {error}") from error
    odd = [n for n, x in variables.items() if x is None or x.dtype.kind not in "fiu"]
    if odd:
        raise _unreadable(path, f"these variables are no arrays of numbers: {odd[:3]}")
    return SavedNetwork(options, variables)


def _unreadable(path: Any, reason: str) -> ValueError:
    return ValueError(
        "Expected a file of TensorFlow networks (ProGAN, StyleGAN or StyleGAN2), but "
        f"{reason}: {path}. Fetch the file again, or check where it came from."
    )
