"""Attention from class activation maps."""

from __future__ import annotations

import keras

from gan_lib.layers import cpu_kernels

SPECTRAL = (None, "logits", "all")


@keras.saving.register_keras_serializable("gan_lib")
class CAMAttention(keras.layers.Layer):
    """Weigh channels by how much they tell an auxiliary classifier about the domain.

    gap_logit = sum_c w_gap[c] mean_HW(x[c]),  gmp_logit = sum_c w_gmp[c] max_HW(x[c])
    features = activation(W [w_gap x, w_gmp x] + b),  heat_map = sum_c features[c]
    Kim et al. 2020 (U-GAT-IT), section 2.1.1, arXiv:1907.10830, after the class
    activation maps of Zhou et al. 2016, arXiv:1512.04150. The classifier learns from
    the logits alone; what it finds telling is what the network then looks at.
    Both products and the 1 x 1 convolution W are linear, so one smaller convolution
    does the same, V = diag(w_gap) W_gap + diag(w_gmp) W_gmp, (C, C) and not (2C, C).

    Input: maps (B, H, W, C). Returns a tuple:
        features: (B, H, W, C).
        cam_logits: float32 (B, 2), from the mean and from the maximum.
        heat_map: float32 (B, H, W), at least 0 behind a ReLU; no fixed upper end.

    Args:
        activation: behind W; "relu" in generators, "leaky_relu" (slope 0.2) in
            discriminators.
        shared: one classifier for both logits, w_gap = w_gmp, as in the authors'
            TensorFlow code; False, as in their PyTorch code, is two.
        logit_bias: with `shared` only, d: each logit gets + d, and each weight in
            `features` is w + d, as in that TensorFlow code.
        channels: C; None: as the first input has. `stock` reads it.
        spectral: w / ||w|| in place of w, which is its spectral norm, in the "logits"
            alone (PyTorch code), in "all" (TensorFlow code) or nowhere, None.
    Kernels start as N(0, 0.02), the biases at 0.
    Raises: ValueError on an unknown `spectral`, or a bias of separate classifiers.
    """

    def __init__(
        self,
        activation="relu",
        shared=False,
        logit_bias=False,
        spectral=None,
        channels=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if spectral not in SPECTRAL:
            raise ValueError(
                f"Expected `spectral` to be one of {SPECTRAL}. Received: {spectral!r}"
            )
        if logit_bias and not shared:
            raise ValueError(
                "Expected `logit_bias` with `shared=True` only: separate classifiers "
                "have none. Received: shared=False, logit_bias=True"
            )
        self.activation = keras.activations.get(activation)
        self.shared, self.logit_bias, self.spectral = shared, logit_bias, spectral
        self.channels = channels

    def build(self, input_shape):
        self.channels = channels = input_shape[-1]

        def kernel(name, *shape):
            start = keras.initializers.RandomNormal(0, 0.02)
            return self.add_weight(
                name=name, shape=shape, initializer=start, autocast=False
            )

        self.gap_kernel = self.gmp_kernel = kernel("gap_kernel", channels)
        if not self.shared:
            self.gmp_kernel = kernel("gmp_kernel", channels)
        self.kernel = kernel("kernel", 1, 1, 2 * channels, channels)
        self.bias = self.add_weight(name="bias", shape=(channels,), initializer="zeros")
        if self.logit_bias:
            self.classifier_bias = self.add_weight(
                name="classifier_bias", shape=(1,), initializer="zeros", autocast=False
            )

    def call(self, inputs):
        ops = keras.ops
        raw = [ops.convert_to_tensor(w) for w in (self.gap_kernel, self.gmp_kernel)]
        classifiers = raw if self.spectral is None else [_unit(w) for w in raw]
        weights = classifiers if self.spectral == "all" else raw  # of the features
        maps = ops.cast(inputs, "float32")
        pooled = ops.mean(maps, (1, 2)), ops.max(maps, (1, 2))  # (B, C) each
        logits = [ops.sum(p * w, -1) for p, w in zip(pooled, classifiers, strict=True)]
        cam_logits = ops.stack(logits, -1)  # (B, 2)
        if self.logit_bias:
            bias = ops.convert_to_tensor(self.classifier_bias)
            cam_logits, weights = cam_logits + bias, [w + bias for w in weights]
        features = self._mix(inputs, *weights)
        return features, cam_logits, ops.sum(ops.cast(features, "float32"), -1)

    def _mix(self, inputs, gap_weights, gmp_weights):
        """(B, H, W, C) -> features (B, H, W, C), see the class."""
        ops = keras.ops
        channels = inputs.shape[-1]
        from_gap, from_gmp = ops.split(ops.convert_to_tensor(self.kernel)[0, 0], 2)
        merged = gap_weights[:, None] * from_gap + gmp_weights[:, None] * from_gmp
        # A matrix product: in bfloat16 on a CPU, faster than a convolution.
        rows = ops.reshape(inputs, (-1, channels))
        rows = ops.matmul(rows, ops.cast(merged, inputs.dtype))
        shape = (-1, *ops.shape(inputs)[1:3], channels)
        features, bias = ops.reshape(rows, shape), ops.convert_to_tensor(self.bias)
        if cpu_kernels.on_cpu():
            features = cpu_kernels.add_bias(features, bias)
        else:
            features = features + ops.cast(bias, inputs.dtype)
        return self.activation(features)

    def get_config(self):
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "shared": self.shared,
            "logit_bias": self.logit_bias,
            "spectral": self.spectral,
            "channels": self.channels,
        }

    @staticmethod
    def stock(config: dict) -> keras.Layer:
        """From Keras's own layers; itself if shared or with spectral norm."""
        if config["shared"] or config["spectral"]:
            return CAMAttention.from_config(config)
        ops, dtype, channels = keras.ops, config["dtype"], config["channels"]
        x = keras.Input((None, None, channels), dtype=dtype)
        pools = keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D
        products, logits = [], []
        for pool in pools:
            scale = keras.layers.EinsumDense(
                "bhwc,c->bhwc", (None, None, channels), dtype=dtype
            )
            products.append(scale(x))
            logits.append(
                ops.sum(scale(pool(keepdims=True, dtype=dtype)(x)), (1, 2, 3))
            )
        both = ops.concatenate(products, -1)
        mix = keras.layers.Conv2D(
            channels, 1, activation=config["activation"], dtype=dtype
        )
        features = mix(both)
        outputs = [features, ops.stack(logits, -1), ops.sum(features, -1)]
        return keras.Model(x, outputs, name=config["name"])


def _unit(weights):
    """w / ||w||: a matrix of one column has one singular value, its length."""
    length = keras.ops.sqrt(keras.ops.sum(keras.ops.square(weights)))
    return weights / keras.ops.maximum(length, 1e-12)
