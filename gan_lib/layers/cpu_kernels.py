"""Faster ways to compute the same convolutions on a CPU, and when to use them.

TensorFlow's CPU library is close to the hardware on large maps. In bfloat16 it is
not when the map is small and the channels are many (the middle of every GAN): there
the gradient of the kernel is several times slower than one matrix product over the
unrolled patches, which is how it is written here. The values are the same up to
rounding; `tests/test_layers.py` checks that.

`GAN_TUNED=0` in the environment, before a step is traced, turns all of it off, and the
other kernels that ask `tuned` or `on_cpu`: layers and optimizers then compute as
Keras's own do.
"""

from __future__ import annotations

import functools
import os

import keras
import tensorflow as tf

from gan_lib import cpu

# The smaller of a convolution's two maps decides, by its height in pixels. Up to the
# first size the kernel's gradient is a matrix product, up to `largest_tiny_map()` the
# other two directions too. Larger maps are faster with the stock kernels.
LARGEST_SMALL_MAP = 8


def tuned() -> bool:
    """Are faster ways to compute the same allowed? The one switch; see above."""
    return os.environ.get("GAN_TUNED", "1") != "0"


@functools.cache
def largest_tiny_map() -> int:
    """4 with AMX, whose products outrun the stock kernels by more than others'; else 2.

    Without AMX, 4 costs DCGAN's step 5 % and saves pix2pix's 1 % (2 cores AMD EPYC, TF
    2.21, 2026-11-23; `benchmarks/tiny_maps.py`).
    """
    return 4 if "amx_bf16" in cpu.flags() else 2


def on_cpu() -> bool:
    """Should layers take their CPU kernels: `tuned`, and TensorFlow sees no GPU?"""
    return tuned() and _without_gpu()


@functools.cache
def _without_gpu() -> bool:
    return keras.backend.backend() == "tensorflow" and not (
        tf.config.list_physical_devices("GPU")
    )


def has_plain_geometry(layer, inputs) -> bool:
    """One group, no dilation, and maps whose height and width are known?"""
    return (
        None not in inputs.shape[1:3]
        and getattr(layer, "groups", 1) == 1
        and tuple(layer.dilation_rate) == (1, 1)
    )


def in_bfloat16_on_cpu(layer, inputs) -> bool:
    """Does this layer compute bfloat16 maps (B, H, W, C) on a CPU?"""
    return (
        on_cpu()
        and inputs.dtype == tf.bfloat16
        and layer.data_format == "channels_last"
    )


def wants_matmul_gradient(layer, inputs, map_height: int | None) -> bool:
    """Should this convolution compute its kernel gradient as a matrix product?

    Args:
        layer: a Keras convolution with `groups`, `dilation_rate` and `data_format`.
        inputs: tensor (B, H, W, C).
        map_height: the height of the smaller of the two maps, None if unknown.
    """
    return (
        in_bfloat16_on_cpu(layer, inputs)
        and map_height is not None
        and map_height <= LARGEST_SMALL_MAP
        and has_plain_geometry(layer, inputs)
    )


class Tiling:
    """How a convolution's large map (H, W) falls into stride-sized tiles.

    Cut into tiles of one stride, a k x k kernel with stride s covers P = ceil(k / s)
    tiles a side, and tiles are shifted by one at each step. Patches are then a few
    dense slices; cutting them out pixel by pixel takes fifteen times as long.
    """

    def __init__(self, size, kernel_size, strides, padding: str):
        self.size, self.kernel_size, self.strides = size, kernel_size, strides
        same = padding == "same"
        self.reach, self.steps, self.padding = [], [], []  # each: (rows, columns)
        for length, taps, stride in zip(size, kernel_size, strides, strict=True):
            if same:
                steps = -(-length // stride)
                before = max((steps - 1) * stride + taps - length, 0) // 2
            else:
                steps, before = (length - taps) // stride + 1, 0
            reach = -(-taps // stride)
            after = (steps + reach - 1) * stride - length - before
            self.reach.append(reach)
            self.steps.append(steps)
            self.padding.append((before, after))

    def unroll(self, images) -> tf.Tensor:
        """(B, H, W, C) -> patches (B, H', W', P Q s s C)."""
        (sh, sw), channels = self.strides, images.shape[-1]
        images = images[:, : self._used(0), : self._used(1)]
        images = tf.pad(images, [(0, 0), *self._pads(), (0, 0)])
        rows, columns = images.shape[1] // sh, images.shape[2] // sw
        tiles = tf.reshape(images, (-1, rows, sh, columns, sw, channels))
        tiles = tf.transpose(tiles, (0, 1, 3, 2, 4, 5))
        tiles = tf.reshape(tiles, (-1, rows, columns, sh * sw * channels))
        height, width = self.steps
        return tf.concat(
            [tiles[:, p : p + height, q : q + width] for p, q in self._shifts()], -1
        )

    def fold(self, patches) -> tf.Tensor:
        """The transpose of `unroll`: add patches up where they were taken."""
        (sh, sw), (reach_h, reach_w) = self.strides, self.reach
        parts = tf.split(patches, reach_h * reach_w, axis=-1)
        tiles = tf.add_n(
            [
                tf.pad(
                    part,
                    [(0, 0), (p, reach_h - 1 - p), (q, reach_w - 1 - q), (0, 0)],
                )
                for part, (p, q) in zip(parts, self._shifts(), strict=True)
            ]
        )
        _, rows, columns, depth = tiles.shape
        channels = depth // (sh * sw)
        tiles = tf.reshape(tiles, (-1, rows, columns, sh, sw, channels))
        images = tf.transpose(tiles, (0, 1, 3, 2, 4, 5))
        images = tf.reshape(images, (-1, rows * sh, columns * sw, channels))
        (top, _), (left, _) = self._pads()
        images = images[:, top : top + self._used(0), left : left + self._used(1)]
        missing = [(0, self.size[axis] - self._used(axis)) for axis in (0, 1)]
        return tf.pad(images, [(0, 0), *missing, (0, 0)])

    def flatten_kernel(self, kernel) -> tf.Tensor:
        """(kh, kw, C, D) -> (P Q s s C, D), rows in the order of a patch."""
        (sh, sw), (reach_h, reach_w) = self.strides, self.reach
        spare = [
            (0, r * s - k)
            for r, s, k in zip(self.reach, self.strides, self.kernel_size, strict=True)
        ]
        channels, depth = kernel.shape[2:]
        kernel = tf.pad(kernel, [*spare, (0, 0), (0, 0)])
        kernel = tf.reshape(kernel, (reach_h, sh, reach_w, sw, channels, depth))
        return tf.reshape(tf.transpose(kernel, (0, 2, 1, 3, 4, 5)), (-1, depth))

    def shape_kernel(self, rows, channels: int) -> tf.Tensor:
        """The inverse of `flatten_kernel`."""
        (sh, sw), (reach_h, reach_w) = self.strides, self.reach
        depth = rows.shape[-1]
        kernel = tf.reshape(rows, (reach_h, reach_w, sh, sw, channels, depth))
        kernel = tf.transpose(kernel, (0, 2, 1, 3, 4, 5))
        kernel = tf.reshape(kernel, (reach_h * sh, reach_w * sw, channels, depth))
        return kernel[: self.kernel_size[0], : self.kernel_size[1]]

    def _shifts(self):
        return [(p, q) for p in range(self.reach[0]) for q in range(self.reach[1])]

    def _used(self, axis: int) -> int:
        """Pixels of the large map that some patch covers ("valid" may leave some)."""
        return self.size[axis] + min(0, self.padding[axis][1])

    def _pads(self):
        return [(before, max(0, after)) for before, after in self.padding]


def gather(large, kernel, tiling: Tiling):
    """The convolution: (B, H, W, C) -> (B, H', W', D)."""
    return tiling.unroll(large) @ tiling.flatten_kernel(kernel)


def scatter(small, kernel, tiling: Tiling):
    """Its transpose: (B, H', W', D) -> (B, H, W, C)."""
    rows = tiling.flatten_kernel(kernel)
    return tiling.fold(tf.matmul(small, rows, transpose_b=True))


def _kernel_gradient(large, small, tiling: Tiling):
    """dW[i, j, c, d] = sum_{b, h, w} large[b, s h + i, s w + j, c] small[b, h, w, d]"""
    patches = tiling.unroll(large)
    patches = tf.reshape(patches, (-1, patches.shape[-1]))  # (B H' W', P Q s s C)
    small = tf.reshape(small, (-1, small.shape[-1]))  # (B H' W', D)
    rows = tf.matmul(patches, small, transpose_a=True)
    return tiling.shape_kernel(rows, large.shape[-1])


def conv2d(inputs, kernel, strides: tuple[int, int], padding: str) -> tf.Tensor:
    """`tf.nn.conv2d`, with matrix products where they are faster."""
    name = padding.upper()
    kernel = tf.convert_to_tensor(kernel, inputs.dtype)
    tiling = Tiling(tuple(inputs.shape[1:3]), kernel.shape[:2], strides, padding)
    tiny = tiling.steps[0] <= largest_tiny_map()

    @tf.custom_gradient
    def op(x, w):
        outputs = gather(x, w, tiling) if tiny else tf.nn.conv2d(x, w, strides, name)

        def gradient(upstream):
            if tiny:
                dx = scatter(upstream, w, tiling)
            else:
                dx = tf.nn.conv2d_transpose(upstream, w, tf.shape(x), strides, name)
            return dx, _kernel_gradient(x, upstream, tiling)

        return outputs, gradient

    return op(inputs, kernel)


def conv2d_transpose(
    inputs, kernel, size: tuple[int, int], strides: tuple[int, int], padding: str
) -> tf.Tensor:
    """`tf.nn.conv2d_transpose` to (B, *size, C), with matrix products if faster."""
    name = padding.upper()
    kernel = tf.convert_to_tensor(kernel, inputs.dtype)
    tiling = Tiling(size, kernel.shape[:2], strides, padding)
    tiny = tiling.steps[0] <= largest_tiny_map()

    @tf.custom_gradient
    def op(x, w):
        if tiny:
            outputs = scatter(x, w, tiling)
        else:
            shape = (tf.shape(x)[0], *size, w.shape[2])
            outputs = tf.nn.conv2d_transpose(x, w, shape, strides, name)

        def gradient(upstream):
            upstream = tf.ensure_shape(upstream, [None, *size, w.shape[2]])
            if tiny:
                dx = gather(upstream, w, tiling)
            else:
                dx = tf.nn.conv2d(upstream, w, strides, name)
            return dx, _kernel_gradient(upstream, x, tiling)

        return outputs, gradient

    return op(inputs, kernel)


def add_bias(outputs, bias) -> tf.Tensor:
    """outputs (B, H, W, C) + bias (C,), with a trustworthy gradient of the bias.

    TensorFlow sums a bfloat16 gradient in bfloat16, which stops growing after a few
    hundred equal terms; a product with ones is summed in float32. Whole rows of the
    map are the columns of that product, since three columns would be slow.
    """

    @tf.custom_gradient
    def op(x, b):
        def gradient(upstream):
            width, channels = tf.shape(upstream)[2], upstream.shape[3]
            rows = tf.reshape(upstream, (-1, width * channels))  # (B H, W C)
            sums = tf.ones((1, tf.shape(rows)[0]), rows.dtype) @ rows
            sums = tf.cast(tf.reshape(sums, (width, channels)), tf.float32)
            return upstream, tf.cast(tf.reduce_sum(sums, 0), upstream.dtype)

        return tf.nn.bias_add(x, b), gradient

    return op(outputs, tf.convert_to_tensor(bias, outputs.dtype))
