"""Convolutions to and from pictures: few channels on one side, on a CPU.

TensorFlow's CPU library computes channels in groups of 16 or so. Where a transposed
convolution ends in a picture's 3, and in the gradient of a convolution that begins with
them, most of a group is empty. Written as one matrix product, whose columns are the
k x k x 3 values that each pixel adds to the picture, nothing is empty; XLA then adds
them up where they overlap in one pass over memory. The values are the same up to
rounding; `tests/test_few_channels.py` checks that.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from gan_lib.layers import cpu_kernels

# Of the picture; a picture beside its source, as pix2pix's discriminator sees, has 6.
MOST_CHANNELS = 8


def wanted(layer, inputs, channels: int) -> bool:
    """Should this layer take the ways below?

    Args:
        layer: a Keras convolution, 2-D.
        inputs: tensor (B, H, W, C) of the layer.
        channels: on the picture's side: of what a `Conv2D` gets or a
            `Conv2DTranspose` makes.
    """
    return (
        cpu_kernels.on_cpu()
        and inputs.dtype == tf.float32
        and layer.data_format == "channels_last"
        and channels <= MOST_CHANNELS
        and max(layer.kernel_size) > 1  # else it is a matrix product already
        and cpu_kernels.has_plain_geometry(layer, inputs)
        and not tf.executing_eagerly()  # compiling does not pay for one call
    )


def conv2d(images, kernel, strides: tuple[int, int], padding: str) -> tf.Tensor:
    """`tf.nn.conv2d` of images (B, H, W, few), with a fast gradient of the images."""
    size, name = tuple(images.shape[1:3]), padding.upper()

    @tf.custom_gradient
    def op(x, w):
        def gradient(upstream):
            # In a `tf.cond` this runs in another graph than `op`, and a custom
            # gradient does not bring tensors over; an ordinary operation does.
            dx = conv2d_transpose(upstream, tf.identity(w), size, strides, padding)
            return dx, _kernel_gradient(x, w, upstream, strides, name)

        return tf.nn.conv2d(x, w, strides, name), gradient

    return op(images, tf.convert_to_tensor(kernel))


def conv2d_transpose(
    maps, kernel, size: tuple[int, int], strides: tuple[int, int], padding: str
) -> tf.Tensor:
    """`tf.nn.conv2d_transpose` of maps (B, H', W', C) to images (B, *size, few)."""
    name = padding.upper()
    shape = tuple(kernel.shape[:2])
    scatter = _compiled(size, shape, tuple(strides), padding)

    @tf.custom_gradient
    def op(x, w):
        def gradient(upstream):
            upstream = tf.ensure_shape(upstream, [None, *size, w.shape[2]])
            # Its own gradient is asked for by penalties on the slope.
            dx = conv2d(upstream, tf.identity(w), strides, padding)
            return dx, _kernel_gradient(upstream, w, x, strides, name)

        return tf.ensure_shape(scatter(x, w), [x.shape[0], *size, w.shape[2]]), gradient

    return op(maps, tf.convert_to_tensor(kernel))


def _kernel_gradient(images, kernel, maps, strides, name: str) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
        input=images,
        filter_sizes=kernel.shape,
        out_backprop=maps,
        strides=[1, *strides, 1],
        padding=name,
    )


@functools.cache
def _compiled(size, kernel_size, strides, padding: str):
    """`cpu_kernels.scatter` for one geometry, as one compiled operation."""
    tiling = cpu_kernels.Tiling(size, kernel_size, strides, padding)
    return tf.function(
        lambda maps, kernel: cpu_kernels.scatter(maps, kernel, tiling),
        jit_compile=True,
    )
