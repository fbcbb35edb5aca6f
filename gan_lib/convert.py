"""Published PyTorch weights of pix2pix and CycleGAN, in our Keras networks.

The authors of Isola et al. 2017, arXiv:1611.07004, and of Zhu et al. 2017,
arXiv:1703.10593, publish state dicts (`.pth`) of their PyTorch code's networks. They
are read without PyTorch and without running anything in them (`gan_lib.torch_file`).

Kernels turn from PyTorch's order into ours by one and the same transposition,
(2, 3, 1, 0): a convolution (out, in, h, w) -> (h, w, in, out), a transposed one
(in, out, h, w) -> (h, w, out, in). The networks expect RGB pictures in [-1, 1].
"""

from __future__ import annotations

import os

import keras
import numpy as np

from gan_lib.models import cyclegan, pix2pix
from gan_lib.patchgan import RECEPTIVE_FIELDS, build_discriminator
from gan_lib.torch_file import read_torch_file

PathLike = str | os.PathLike[str]
Tensors = dict[str, np.ndarray]
Modules = dict[str, str]  # our layer -> the PyTorch module that holds its weights

# Name of a tensor in its module -> our layer's name for it.
_KERNEL_PARTS = {"weight": "kernel", "bias": "bias"}
_NORM_PARTS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

# What every file has that a loader is for.
_FIRST_TENSOR = {
    "load_pix2pix_generator": ("model.model.0.weight",),
    "load_cyclegan_generator": ("model.1.weight",),
    "load_discriminator": ("model.0.weight", "net.0.weight"),
}


def load_pix2pix_generator(
    path: PathLike, network: keras.Model | None = None
) -> keras.Model:
    """The U-Net in `path`: "unet_256", "unet_128" or one of 5 halvings or more.

    PyTorch's modules are nested as the U is. The outermost block is a sequence of
    0 convolution, 1 the next block, 3 transposed convolution; each block inside it of
    1 convolution, 2 norm, 3 the next block, 5 transposed convolution, 6 norm; the
    innermost of 1 convolution, 3 transposed convolution, 4 norm. Each block calls its
    sequence `model`, and so does the network. So the second convolution is
    `model.model.1.model.1`, the third `model.model.1.model.3.model.1`, and from then
    on each level adds `.3.model`.

    As published a picture is made with dropout and with its own statistics:
    `network(source, training=True)`, one picture a batch, or
    `Pix2Pix.generate(..., noise=True)`. Facades were trained from labels to photos.

    Args:
        path: `.pth` state dict, as `latest_net_G.pth` or `facades_label2photo.pth`.
        network: from `gan_lib.models.pix2pix.build_generator`, to be filled; a
            `Pix2Pix` has two, `generator` and `ema_generator`. None: built to fit,
            for pictures of 2 to the power of the file's halvings.
    Returns: `network`, source (B, S, S, C) -> pictures (B, S, S, C) in [-1, 1].
    Raises: ValueError if the file is not such a U-Net or does not fit `network`; then
        nothing is changed. `UnsafePickleError` as `read_torch_file`.
    """
    tensors = _read(path, "load_pix2pix_generator")
    stages, inner = 2, "model.model.1.model"
    while any(name.startswith(f"{inner}.3.model.") for name in tensors):
        stages, inner = stages + 1, f"{inner}.3.model"
    modules = _unet_modules(stages)
    if network is None:
        width, source_channels = _kernel_shape(tensors, modules["down1"])[:2]
        network = pix2pix.build_generator(
            1 << stages,
            width=width,
            source_channels=source_channels,
            target_channels=_kernel_shape(tensors, modules["up1"])[1],
            normalization=_normalization(tensors, modules, "up2"),
        )
    return _fill(network, tensors, modules, path)


def load_cyclegan_generator(
    path: PathLike, network: keras.Model | None = None, *, image_size: int | None = 256
) -> keras.Model:
    """The residual generator in `path`: "resnet_9blocks", "resnet_6blocks" or other.

    PyTorch's sequence: `model.1` 7 x 7 convolution, `model.4` and `model.7` halvings,
    from `model.10` on the blocks, with convolutions `conv_block.1` and `conv_block.5`
    (`.6` where a dropout stands between them), then two transposed convolutions three
    places apart, and the last convolution four places behind. Running statistics that
    old files hold for instance norms were never used; they are passed over.

    Args:
        path: `.pth` state dict, as `latest_net_G_A.pth` or `horse2zebra.pth`.
        network: from `gan_lib.models.cyclegan.build_generator`, to be filled. None:
            built to fit, for `image_size`.
        image_size: see `build_generator`; not used if `network` is given.
    Returns: `network`, source (B, S, S, C) -> pictures (B, S, S, C) in [-1, 1].
    Raises: as `load_pix2pix_generator`.
    """
    tensors = _read(path, "load_cyclegan_generator")
    blocks = 0
    while f"model.{10 + blocks}.conv_block.1.weight" in tensors:
        blocks += 1
    # In the place of the second convolution a dropout puts its padding: no weights.
    dropout = blocks > 0 and "model.10.conv_block.5.weight" not in tensors
    modules = _resnet_modules(blocks, dropout)
    if network is None:
        width, source_channels = _kernel_shape(tensors, modules["first"])[:2]
        network = cyclegan.build_generator(
            image_size,
            blocks=blocks,
            width=width,
            source_channels=source_channels,
            target_channels=_kernel_shape(tensors, modules["last"])[0],
            normalization=_normalization(tensors, modules, "first"),
            dropout_rate=0.5 * dropout,
        )
    return _fill(network, tensors, modules, path)


def load_discriminator(
    path: PathLike, network: keras.Model | None = None, *, image_size: int = 256
) -> keras.Model:
    """The PatchGAN in `path`, of any receptive field, PixelGAN included.

    PyTorch's sequence: `model.0` convolution, then convolution, norm and LeakyReLU
    by turns, so that the convolutions are 2, 5, 8, ... and the norms 3, 6, ...; the
    PixelGAN's is called `net`.

    Args:
        path: `.pth` state dict, as `latest_net_D.pth`.
        network: from `gan_lib.patchgan.build_discriminator`, to be filled.
            None: built to fit, for `image_size`.
        image_size: side of the pictures to judge; not used if `network` is given.
    Returns: `network`, pictures (B, S, S, channels) -> logits (B, h, w, 1).
    Raises: as `load_pix2pix_generator`.
    """
    tensors = _read(path, "load_discriminator")
    pixel = "net.0.weight" in tensors
    sequence, layers = "net" if pixel else "model", 1
    while f"{sequence}.{2 + 3 * (layers + 1)}.weight" in tensors:
        layers += 1
    modules = _patchgan_modules(layers, sequence)
    fields = {count: pixels for pixels, count in RECEPTIVE_FIELDS.items()}
    if network is None and layers not in fields:
        raise ValueError(
            f"Expected a discriminator of at most {max(fields)} strided convolutions, "
            f"but {path} has {layers}. Pass a `network` of your own."
        )
    if network is None:
        width, channels = _kernel_shape(tensors, modules["conv1"])[:2]
        network = build_discriminator(
            image_size,
            receptive_field=fields[0 if pixel else layers],
            width=width,
            channels=channels,
            normalization=_normalization(tensors, modules, "conv2"),
        )
    return _fill(network, tensors, modules, path)


def _unet_modules(stages: int) -> Modules:
    modules = {"down1": "model.model.0", "up1": "model.model.3"}
    block = "model.model.1.model"
    for stage in range(2, stages + 1):
        down, up = f"down{stage}", f"up{stage}"
        places = {down: 1, f"{down}_norm": 2, up: 5, f"{up}_norm": 6}
        if stage == stages:
            places = {down: 1, up: 3, f"{up}_norm": 4}
        modules |= {layer: f"{block}.{place}" for layer, place in places.items()}
        block += ".3.model"
    return modules


def _resnet_modules(blocks: int, dropout: bool) -> Modules:
    places = {"first": 1, "down1": 4, "down2": 7}
    places |= {"up2": 10 + blocks, "up1": 13 + blocks}
    modules = {}
    for layer, place in places.items():
        modules |= {layer: f"model.{place}", f"{layer}_norm": f"model.{place + 1}"}
    for number in range(1, blocks + 1):
        block, second = f"model.{9 + number}.conv_block", 6 if dropout else 5
        for layer, place in (("conv1", 1), ("conv2", second)):
            modules[f"block{number}_{layer}"] = f"{block}.{place}"
            modules[f"block{number}_{layer}_norm"] = f"{block}.{place + 1}"
    return modules | {"last": f"model.{17 + blocks}"}


def _patchgan_modules(layers: int, sequence: str) -> Modules:
    modules = {"conv1": f"{sequence}.0"}
    for number in range(layers):
        modules[f"conv{number + 2}"] = f"{sequence}.{2 + 3 * number}"
        modules[f"conv{number + 2}_norm"] = f"{sequence}.{3 + 3 * number}"
    return modules | {f"conv{layers + 2}": f"{sequence}.{2 + 3 * layers}"}


def _read(path: PathLike, loader: str) -> Tensors:
    """The file's tensors, if its names are those that `loader` is for."""
    tensors = read_torch_file(path)
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): t for name, t in tensors.items()}
    kinds = {
        kind
        for kind, names in _FIRST_TENSOR.items()
        if any(n in tensors for n in names)
    }
    if loader not in kinds:
        advice = "Only networks of the authors' PyTorch code can be converted."
        if kinds:
            advice = f"It looks like one for gan_lib.convert.{min(kinds)}."
        raise ValueError(
            f"Expected a tensor named {' or '.join(_FIRST_TENSOR[loader])} in {path}. "
            f"Its first names are {list(tensors)[:3]}. {advice}"
        )
    return tensors


def _kernel_shape(tensors: Tensors, module: str) -> tuple[int, ...]:
    kernel = tensors.get(f"{module}.weight")
    if kernel is None or kernel.ndim != 4:
        found = "none" if kernel is None else f"shape {kernel.shape}"
        raise ValueError(
            f"Expected a convolution's kernel of four axes as {module}.weight. "
            f"Received: {found}. The file is of another network, or incomplete."
        )
    return kernel.shape


def _normalization(tensors: Tensors, modules: Modules, layer: str) -> str:
    """Batch norms have weights; beside instance norms convolutions have a bias."""
    if f"{modules[f'{layer}_norm']}.weight" in tensors:
        return "batch"
    return "instance" if f"{modules[layer]}.bias" in tensors else "none"


def _fill(
    network: keras.Model, tensors: Tensors, modules: Modules, path: PathLike
) -> keras.Model:
    """Copy every tensor into its place; first make sure that all of them fit."""
    places = _places(network, modules)
    for name, variable in places.items():
        wanted = _torch_shape(variable)
        if name not in tensors or tensors[name].shape != wanted:
            found = f"shape {tensors[name].shape}" if name in tensors else "none"
            raise _misfit(path, f"a tensor {name} of shape {wanted}", found)
    # An instance norm keeps no statistics, though old files hold some for it.
    unused = tuple(
        f"{modules[layer.name]}.running_"
        for layer in network.layers
        if isinstance(layer, keras.layers.GroupNormalization) and layer.name in modules
    )
    for name, tensor in tensors.items():
        counts = name.endswith(".num_batches_tracked")
        if name not in places and not counts and not name.startswith(unused):
            raise _misfit(path, f"no tensor {name}", f"shape {tensor.shape}")
    for name, variable in places.items():
        tensor = tensors[name]
        variable.assign(tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor)
    return network


def _places(network: keras.Model, modules: Modules) -> dict[str, keras.Variable]:
    """The network's variables by the name of the tensor that belongs there."""
    places = {}
    for layer in network.layers:
        if not layer.weights:
            continue
        if layer.name not in modules:
            raise ValueError(
                f"Expected a network whose layers are named {list(modules)[:3]}, ... "
                f"to match the file. Received one with {layer.name!r}. Build it with "
                "the functions of gan_lib.models, as deep as the file's; of a GAN, "
                "pass its `generator`, `ema_generator` or `discriminator`."
            )
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        for part, attribute in (_NORM_PARTS if normalizes else _KERNEL_PARTS).items():
            variable = getattr(layer, attribute)
            if variable is not None:  # a convolution without a bias
                places[f"{modules[layer.name]}.{part}"] = variable
    return places


def _torch_shape(variable: keras.Variable) -> tuple[int, ...]:
    shape = tuple(variable.shape)
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape


def _misfit(path: PathLike, expected: str, received: str) -> ValueError:
    return ValueError(
        f"Expected {expected} in {path}, to match the network. Received: {received}. "
        "Nothing was changed. Leave `network` out to have it built as the file needs, "
        "or check that the file is complete and of this kind of network."
    )
