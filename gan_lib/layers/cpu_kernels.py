"""Faster ways to compute the same convolutions on a CPU, and when to use them.

TensorFlow's CPU library is close to the hardware on large maps. In bfloat16 it is
not when the map is small and the channels are many (the middle of every GAN): there
the gradient of the kernel is several times slower than one matrix product over the
unrolled patches, which is how it is written here. The values are the same up to
rounding; `tests/test_layers.py` checks that.
"""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

# An output map of at most this many pixels a side gets the matrix-product gradient.
# Larger maps are faster with the stock kernels (see benchmarks/README.md).
LARGEST_SMALL_MAP = 8


@functools.cache
def on_cpu() -> bool:
    """True when TensorFlow is the backend and sees no GPU: the one switch."""
    return keras.backend.backend() == "tensorflow" and not (
        tf.config.list_physical_devices("GPU")
    )


def wants_matmul_gradient(layer, inputs, map_height: int | None) -> bool:
    """Should this convolution compute its kernel gradient as a matrix product?

    Args:
        layer: a Keras convolution with `groups`, `dilation_rate` and `data_format`.
        inputs: tensor (B, H, W, C).
        map_height: the height of the smaller of the two maps, None if unknown.
    """
    return (
        on_cpu()
        and inputs.dtype == tf.bfloat16
        and map_height is not None
        and map_height <= LARGEST_SMALL_MAP
        and layer.data_format == "channels_last"
        and getattr(layer, "groups", 1) == 1
        and tuple(layer.dilation_rate) == (1, 1)
    )


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def unroll_patches(
    images: tf.Tensor, kernel_size: tuple[int, int], strides, padding: str
) -> tf.Tensor:
    """The patches under a convolution's kernel, laid side by side.

    Args:
        images: (B, H, W, C), static H and W.
        kernel_size: (kh, kw).
        strides: (sh, sw).
        padding: "same" or "valid".
    Returns: (B, H', W', kh * kw * C), the layout of `reshape(kernel, (-1, C'))`.
    """
    (kh, kw), (sh, sw) = kernel_size, strides
    if padding == "same":
        rows = _same_padding(images.shape[1], kh, sh)
        columns = _same_padding(images.shape[2], kw, sw)
        images = tf.pad(images, [(0, 0), rows, columns, (0, 0)])
    height = (images.shape[1] - kh) // sh + 1
    width = (images.shape[2] - kw) // sw + 1
    shifted = [
        images[:, i : i + (height - 1) * sh + 1 : sh, j : j + (width - 1) * sw + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]
    return tf.concat(shifted, axis=-1)  # (B, H', W', kh * kw * C)


def kernel_gradient(large, small, kernel_shape, strides, padding) -> tf.Tensor:
    """Gradient of a convolution's kernel: patches of `large` times `small`.

    dW[i, j, c, d] = sum_{b, h, w} large[b, s h + i, s w + j, c] small[b, h, w, d]

    Args:
        large: (B, H, W, C), the convolution's input (or a transposed one's output
            gradient).
        small: (B, H', W', D), the convolution's output gradient (or a transposed
            one's input).
        kernel_shape: (kh, kw, C, D).
    Returns: (kh, kw, C, D) in the dtype of `large`.
    """
    patches = unroll_patches(large, kernel_shape[:2], strides, padding)
    patches = tf.reshape(patches, (-1, patches.shape[-1]))  # (B H' W', kh kw C)
    small = tf.reshape(small, (-1, kernel_shape[-1]))  # (B H' W', D)
    return tf.reshape(tf.matmul(patches, small, transpose_a=True), kernel_shape)


def conv2d(inputs, kernel, strides: tuple[int, int], padding: str) -> tf.Tensor:
    """`tf.nn.conv2d` whose kernel gradient is one matrix product."""
    padding_name = padding.upper()

    @tf.custom_gradient
    def op(x, w):
        outputs = tf.nn.conv2d(x, w, strides, padding_name)

        def gradient(upstream):
            dx = tf.nn.conv2d_transpose(
                upstream, w, tf.shape(x), strides, padding_name
            )
            dw = kernel_gradient(x, upstream, w.shape, strides, padding)
            return dx, dw

        return outputs, gradient

    return op(inputs, tf.convert_to_tensor(kernel, inputs.dtype))


def conv2d_transpose(
    inputs, kernel, output_shape, strides: tuple[int, int], padding: str
) -> tf.Tensor:
    """`tf.nn.conv2d_transpose` whose kernel gradient is one matrix product."""
    padding_name = padding.upper()

    @tf.custom_gradient
    def op(x, w):
        outputs = tf.nn.conv2d_transpose(x, w, output_shape, strides, padding_name)

        def gradient(upstream):
            upstream = tf.ensure_shape(upstream, [None, *output_shape[1:]])
            dx = tf.nn.conv2d(upstream, w, strides, padding_name)
            dw = kernel_gradient(upstream, x, w.shape, strides, padding)
            return dx, dw

        return outputs, gradient

    return op(inputs, tf.convert_to_tensor(kernel, inputs.dtype))
