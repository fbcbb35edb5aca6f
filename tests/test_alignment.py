"""Our networks' convolutions lie on the pixels that PyTorch's lie on.

The reference is written out in NumPy from the definition that PyTorch's documentation
gives: a convolution reads y[i] = sum_k w[k] x[s i + k - p], a transposed one adds
w[k] x[i] to y[s i + k - p]. A shift by one pixel, which "same" padding makes with odd
kernels or stride 1, changes every value.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from gan_lib import patchgan
from gan_lib.models import cyclegan, pix2pix


def convolve(x, kernel, stride, padding, mode="constant"):
    """x (H, W, C), kernel as PyTorch stores it (O, C, k, k) -> (H', W', O)."""
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)), mode=mode)
    size = kernel.shape[2]
    rows = range(0, x.shape[0] - size + 1, stride)
    columns = range(0, x.shape[1] - size + 1, stride)
    patches = [[x[i : i + size, j : j + size] for j in columns] for i in rows]
    return np.einsum("hwijc,ocij->hwo", np.array(patches), kernel)


def spread(x, kernel, stride, padding, output_padding=0):
    """Transposed: x (H, W, C), kernel (C, O, k, k) -> (H', W', O)."""
    size, (height, width) = kernel.shape[2], x.shape[:2]
    shape = [(n - 1) * stride + size for n in (height, width)]
    y = np.zeros((*shape, kernel.shape[1]))
    for i in range(height):
        for j in range(width):
            copy = np.einsum("c,coij->ijo", x[i, j], kernel)
            y[i * stride : i * stride + size, j * stride : j * stride + size] += copy
    last = output_padding - padding  # the first ones go, of the last ones fewer
    return y[padding : shape[0] + last, padding : shape[1] + last]


def residual():
    return cyclegan.build_generator(16, blocks=1, width=2)


# Network, its layers from padding to convolution, the map, what PyTorch does there.
CASES = {
    "U-Net, k4 s2 p1": (
        lambda: pix2pix.build_generator(32, width=2),
        ("down2",),
        (16, 16, 2),
        functools.partial(convolve, stride=2, padding=1),
    ),
    "U-Net transposed, k4 s2 p1": (
        lambda: pix2pix.build_generator(32, width=2),
        ("up2",),
        (8, 8, 8),
        functools.partial(spread, stride=2, padding=1),
    ),
    "PatchGAN, k4 s2 p1": (
        lambda: patchgan.build_discriminator(32, width=2),
        ("pad", "conv1"),
        (32, 32, 6),
        functools.partial(convolve, stride=2, padding=1),
    ),
    "PatchGAN, k4 s1 p1": (
        lambda: patchgan.build_discriminator(32, width=2),
        ("pad", "conv4"),
        (4, 4, 8),
        functools.partial(convolve, stride=1, padding=1),
    ),
    "PixelGAN, k1": (
        lambda: patchgan.build_discriminator(8, receptive_field=1, width=2),
        ("conv2",),
        (8, 8, 2),
        functools.partial(convolve, stride=1, padding=0),
    ),
    "residual, k7 reflected 3": (
        residual,
        ("first_pad", "first"),
        (16, 16, 3),
        functools.partial(convolve, stride=1, padding=3, mode="reflect"),
    ),
    "residual, k3 s2 p1": (
        residual,
        ("down1_pad", "down1"),
        (16, 16, 2),
        functools.partial(convolve, stride=2, padding=1),
    ),
    "residual, k3 reflected 1": (
        residual,
        ("block1_conv2_pad", "block1_conv2"),
        (4, 4, 8),
        functools.partial(convolve, stride=1, padding=1, mode="reflect"),
    ),
    "residual transposed, k3 s2 p1 op1": (
        residual,
        ("up1", "up1_crop"),
        (8, 8, 4),
        functools.partial(spread, stride=2, padding=1, output_padding=1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_convolutions_are_those_of_pytorch(name):
    build, names, shape, reference = CASES[name]
    network = build()
    layers = [
        network.get_layer(n) if n != "pad" else padding_before(network, names[-1])
        for n in names
    ]
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    (layer,) = [layer for layer in layers if layer.weights]
    kernel = rng.normal(size=layer.kernel.shape)
    layer.kernel.assign(kernel)  # its bias, where there is one, is 0
    found = functools.reduce(lambda y, f: f(y), layers, x[None].astype("float32"))
    wanted = reference(x, kernel.transpose(3, 2, 0, 1))
    assert found.shape[1:] == wanted.shape
    np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-4)


def padding_before(network, name: str):
    """The layer whose output the layer `name` takes."""
    return network.get_layer(name).input._keras_history.operation
