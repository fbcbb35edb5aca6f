"""Self-attention: each pixel looks at the whole map."""

from __future__ import annotations

import keras

from gan_lib.layers.spectral import SpectralConv2D


@keras.saving.register_keras_serializable("gan_lib")
class SelfAttention2D(keras.layers.Layer):
    """Add to each pixel what the pixels most like its question know.

    y = x + gamma W_o sum_k softmax_k(q . k) v_k,
    q = W_q x at each pixel; k and v: W_k x and W_v x, the maxima of 2 x 2 pixels
    Zhang et al. 2019 (SAGAN), equations (1) to (3), arXiv:1805.08318, after the
    non-local blocks of Wang et al. 2018, arXiv:1711.07971; the pooling, and 1/8 and
    1/2 of the channels for q, k and v, as in the code of SAGAN and BigGAN. gamma
    starts at 0, so the layer begins as the identity. All W are 1 x 1, spectrally
    normalised and without bias; the softmax is in float32.

    Input and output shape: (B, H, W, C), H and W even, C a multiple of 8.
    Raises: ValueError on other shapes.
    """

    def build(self, input_shape):
        _, height, width, channels = input_shape
        if channels % 8 or (height or 0) % 2 or (width or 0) % 2:
            raise ValueError(
                "Expected maps (B, H, W, C) with even H and W and C a multiple of 8. "
                f"Received: {tuple(input_shape)}"
            )

        def convolution(filters, name, shape):
            layer = SpectralConv2D(
                filters, 1, use_bias=False, kernel_initializer="orthogonal",
                dtype=self.dtype_policy, name=name,
            )  # fmt: skip
            layer.build(shape)
            return layer

        self.query = convolution(channels // 8, "query", input_shape)
        self.key = convolution(channels // 8, "key", input_shape)
        self.content = convolution(channels // 2, "content", input_shape)
        mixed = (*input_shape[:3], channels // 2)
        self.output_convolution = convolution(channels, "output", mixed)
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")

    def call(self, inputs, training=False):
        ops = keras.ops

        def flat(maps):
            return ops.reshape(maps, (ops.shape(maps)[0], -1, maps.shape[-1]))

        query = self.query(inputs, training=training)
        key = ops.max_pool(self.key(inputs, training=training), 2)
        content = ops.max_pool(self.content(inputs, training=training), 2)
        likeness = ops.matmul(flat(query), ops.transpose(flat(key), (0, 2, 1)))
        weights = ops.softmax(ops.cast(likeness, "float32"), -1)  # (B, HW, HW / 4)
        found = ops.matmul(ops.cast(weights, content.dtype), flat(content))
        found = ops.reshape(found, (*ops.shape(inputs)[:3], content.shape[-1]))
        found = self.output_convolution(found, training=training)
        return inputs + ops.cast(self.gamma, found.dtype) * found

    def compute_output_shape(self, input_shape):
        return input_shape
