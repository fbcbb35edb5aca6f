"""Published TensorFlow weights of ProGAN, StyleGAN and StyleGAN2, in our networks.

Karras et al. 2018, arXiv:1710.10196; 2019, arXiv:1812.04948; 2020, arXiv:1912.04958
and, with the same networks, arXiv:2006.06676 (ADA). Their code saves (G, D, Gs) in one
`.pkl` file: generator, discriminator and the generator's average over its training.
It is read without running anything in it (`gan_lib.tensorflow_pickle`). Pictures are
RGB in [-1, 1]. Not read: networks with labels, StyleGAN2's configurations A to D, and
ProGAN discriminators without fused scaling, which halve a map after its activation.
Ours differs: ADA's clamp of maps to [-256, 256], made for float16, is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from gan_lib import (
    progan_networks,
    stylegan2_networks,
    stylegan_names,
    stylegan_networks,
)
from gan_lib.layers import Blur2D
from gan_lib.sizes import all_sizes
from gan_lib.tensorflow_pickle import SavedNetwork, read_networks

PathLike = str | os.PathLike[str]
Sizes = list[int]
Places = Callable[[Any, Sizes, SavedNetwork], list[stylegan_names.Place]]


class _Family(NamedTuple):
    """How one paper's networks are known, built and filled."""

    modules: tuple[Any, Any]  # whose `build_generator`, `build_discriminator`
    known_by: str  # a variable that only its generator has
    prefix: str  # of the synthesis's variables
    pictures: tuple[str, str]  # where the full size leaves, and enters
    generator: Places
    discriminator: Places


FAMILIES = {
    "ProGAN": _Family(
        (progan_networks, progan_networks),
        "4x4/Dense/weight",
        "",
        ("ToRGB_lod0", "FromRGB_lod0"),
        stylegan_names.progan_generator,
        stylegan_names.progan_discriminator,
    ),
    "StyleGAN": _Family(
        (stylegan_networks, progan_networks),
        "synthesis/4x4/Const/StyleMod/weight",
        "synthesis/",
        ("synthesis/ToRGB_lod0", "FromRGB_lod0"),
        stylegan_names.stylegan_generator,
        stylegan_names.progan_discriminator,
    ),
    "StyleGAN2": _Family(
        (stylegan2_networks, stylegan2_networks),
        "synthesis/4x4/ToRGB/weight",
        "synthesis/",
        ("synthesis/{0}x{0}/ToRGB", "{0}x{0}/FromRGB"),
        stylegan_names.stylegan2_generator,
        stylegan_names.stylegan2_discriminator,
    ),
}

# What a file may say of a network and our networks can be, in one way only.
_OPTIONS: dict[str, Any] = {
    "label_size": 0,
    "normalize_latents": True,
    "use_wscale": True,
    "use_pixelnorm": True,  # ProGAN
    "use_leakyrelu": True,
    "use_pixel_norm": False,  # StyleGAN
    "use_instance_norm": True,
    "use_styles": True,
    "use_noise": True,
    "const_input_layer": True,
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "blur_filter": [1, 2, 1],
    "resample_kernel": [1, 3, 3, 1],  # StyleGAN2
    "mbstd_num_features": 1,
    "use_spectral_norm": False,
    "use_pagan": False,
}
_SPARE = {"lod", "synthesis/lod"}  # told twice, and of no use to StyleGAN2


def load_generator(
    path: PathLike, network: keras.Model | None = None, which: str = "Gs"
) -> keras.Model:
    """The generator `which` of a ProGAN, StyleGAN or StyleGAN2.

    Average style and fixed noise come from the file too. Truncation stays off,
    psi = 1; the authors' examples have psi = 0.7 in the first 8 layers (StyleGAN) or
    0.5 in all (StyleGAN2).

    Args:
        path: `.pkl` file, as `karras2019stylegan-ffhq-1024x1024.pkl`.
        network: from `build_generator` of `gan_lib.progan_networks`,
            `stylegan_networks` or `stylegan2_networks`, to be filled. None: built to
            fit.
        which: "Gs", whose pictures are better, or "G".
    Returns: `network`, latents (B, latent_dim) from N(0, 1) -> images; see there.
    Raises: ValueError if the file is of another kind or cut short, or does not fit
        `network`; then nothing is changed. `UnsafePickleError` as `read_networks`.
    """
    if which not in ("G", "Gs"):
        raise ValueError(f'Expected `which` to be "G" or "Gs". Received: {which!r}')
    saved = read_networks(path)[which]
    family = _recognize(path, saved)
    _check_options(path, saved, "skip")
    sizes = _sizes(path, saved, family.prefix)
    if network is None:
        network = _build_generator(path, saved, family, sizes[-1])
    return _fill(path, network, saved, sizes, family.generator)


def load_discriminator(
    path: PathLike, network: keras.Model | None = None
) -> keras.Model:
    """The discriminator of a ProGAN, StyleGAN or StyleGAN2.

    Args:
        path: as `load_generator`.
        network: from `build_discriminator` of `gan_lib.progan_networks` (with `blur`
            for a StyleGAN) or `stylegan2_networks`, to be filled; it keeps its own
            `group_size`. None: built to fit.
    Returns: `network`, images -> logits (B, 1); see there.
    Raises: as `load_generator`.
    """
    networks = read_networks(path)
    family = _recognize(path, networks["Gs"])  # by their generators, names tell more
    saved = networks["D"]
    _check_options(path, saved, "resnet")
    sizes = _sizes(path, saved, "")
    blur = family is FAMILIES["StyleGAN"]
    if network is None:
        network = _build_discriminator(path, saved, family, sizes[-1], blur)
    elif blur != any(isinstance(layer, Blur2D) for layer in network.layers):
        raise ValueError(
            f"Expected a discriminator with blur={blur} for {path}. Received: one "
            f"with blur={not blur}. Nothing was changed. Build it so, or leave "
            "`network` out."
        )
    return _fill(path, network, saved, sizes, family.discriminator)


def _recognize(path: PathLike, generator: SavedNetwork) -> _Family:
    for family in FAMILIES.values():
        if family.known_by in generator.variables:
            return family
    raise ValueError(
        f"Expected the generator of a ProGAN, StyleGAN or StyleGAN2 in {path}. "
        f"Received one with variables {list(generator.variables)[:3]}, ... Of "
        "StyleGAN2 only the configurations E and F, with skip connections, can be "
        "converted."
    )


def _check_options(path: PathLike, saved: SavedNetwork, architecture: str) -> None:
    for name, wanted in {**_OPTIONS, "architecture": architecture}.items():
        found = saved.options.get(name, wanted)
        if found != wanted:
            raise ValueError(
                f"Expected a network with {name}={wanted!r} in {path}, the only one "
                f"that can be converted. Received: {name}={found!r}. Choose another "
                "of the published files."
            )


def _sizes(path: PathLike, saved: SavedNetwork, prefix: str) -> Sizes:
    """Pixels a side, from 4 to the largest that variables are named after."""
    sizes = [
        size
        for size in all_sizes(1024)[1:]
        if any(name.startswith(f"{prefix}{size}x{size}/") for name in saved.variables)
    ]
    if not sizes:
        raise _misfit(path, f"variables {prefix}8x8/...", "none")
    return all_sizes(max(sizes))


def _build_generator(path, saved: SavedNetwork, family: _Family, size: int):
    def shape(name, rank=4):
        return _shape(path, saved, name, rank)

    prefix, pictures = family.prefix, family.pictures[0].format(size)
    options = {
        "width": shape(f"{prefix}{size}x{size}/Conv1/weight")[-1],
        "widest": shape(f"{prefix}4x4/Conv/weight")[-1],
        "channels": shape(f"{pictures}/weight")[-1],
    }
    if not prefix:
        options["latent_dim"] = shape("4x4/Dense/weight", 2)[0]
    else:
        count = sum(f"mapping/Dense{n}/weight" in saved.variables for n in range(99))
        options["latent_dim"] = shape("mapping/Dense0/weight", 2)[0]
        options["style_dim"] = shape("dlatent_avg", 1)[0]
        options["mapping_layers"] = count
    return family.modules[0].build_generator(size, **options)


def _build_discriminator(
    path, saved: SavedNetwork, family: _Family, size: int, blur: bool
):
    pictures = family.pictures[1].format(size)
    group_size = saved.options.get("mbstd_group_size", 4)
    if type(group_size) is not int or group_size < 2:
        raise _misfit(path, "an option mbstd_group_size from 2", repr(group_size))
    return family.modules[1].build_discriminator(
        size,
        width=_shape(path, saved, f"{size}x{size}/Conv0/weight", 4)[-1],
        widest=_shape(path, saved, "4x4/Dense0/weight", 2)[-1],
        channels=_shape(path, saved, f"{pictures}/weight", 4)[-2],
        group_size=group_size,
        **{"blur": True} if blur else {},
    )


def _shape(path: PathLike, saved: SavedNetwork, name: str, rank: int):
    shape = saved.variables[name].shape if name in saved.variables else None
    if shape is None or len(shape) != rank:
        found = "none" if shape is None else f"shape {shape}"
        raise _misfit(path, f"a variable {name} of {rank} axes", found)
    return shape


def _fill(path, network: keras.Model, saved: SavedNetwork, sizes: Sizes, of: Places):
    """Copy every variable into its place; first make sure that all of them fit."""
    try:
        places = of({layer.name: layer for layer in _leaves(network)}, sizes, saved)
    except (KeyError, AttributeError) as error:
        raise _other(path, f"one without the layer or weight {error}") from error
    filled = {id(place.variable) for place in places}
    left = [v.path for v in network.weights if id(v) not in filled]
    if left:
        raise _other(path, f"one with more weights: {left[:3]}")
    for _, name, shape, _ in places:
        if name not in saved.variables or saved.variables[name].shape != shape:
            known = name in saved.variables
            found = f"shape {saved.variables[name].shape}" if known else "none"
            raise _misfit(path, f"a variable {name} of shape {shape}", found)
    for name in saved.variables.keys() - {place.name for place in places} - _SPARE:
        found = f"shape {saved.variables[name].shape}"
        raise _misfit(path, f"no variable {name}", found)
    for place in places:
        value = place.convert(saved.variables[place.name])
        place.variable.assign(np.asarray(value, "float32"))
    return network


def _leaves(network: keras.Model) -> Iterator[Any]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _other(path: PathLike, received: str) -> ValueError:
    return ValueError(
        f"Expected a network that {path} fills. Received: {received}. Nothing was "
        "changed. Build it with gan_lib.progan_networks, stylegan_networks or "
        "stylegan2_networks, as large as the file's, or leave `network` out."
    )


def _misfit(path: PathLike, expected: str, received: str) -> ValueError:
    return ValueError(
        f"Expected {expected} in {path}, to match the network. Received: {received}. "
        "Nothing was changed. Check that the file is complete and from the authors' "
        "code, and `network`, if you passed one, of its kind and size."
    )
