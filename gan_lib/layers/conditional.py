"""Normalization whose scale and shift are told by a condition, such as a class."""

from __future__ import annotations

import keras

from gan_lib.layers.normalization import BatchNormalization
from gan_lib.layers.spectral import SpectralDense


@keras.saving.register_keras_serializable("gan_lib")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Batch normalization with a gain and a bias for each image, from its condition.

    y = (1 + G c) (x - mean_B(x)) / sqrt(var_B(x) + epsilon) + H c
    Dumoulin et al. 2017 (arXiv:1610.07629) had a gain and a bias for each class; here,
    as in Brock et al. 2019 (BigGAN), appendix B.1, arXiv:1809.11096, both are linear
    in a condition c that classes share. The 1 stands for the gain of a condition that
    says nothing. G and H are spectrally normalised and have no bias of their own.

    Inputs: a list of maps (B, H, W, C) and conditions (B, D), any values.
    Output shape: (B, H, W, C).

    Args:
        epsilon: added to the variance; 1e-5 as in the authors' PyTorch code (their
            published modules have 1e-4).
        momentum: share of the old running average that a training call keeps.
    """

    def __init__(self, epsilon=1e-5, momentum=0.9, **kwargs):
        super().__init__(**kwargs)
        self.epsilon, self.momentum = epsilon, momentum

    def build(self, input_shape):
        maps, condition = input_shape
        self.normalization = BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, center=False, scale=False,
            dtype=self.dtype_policy, name="normalization",
        )  # fmt: skip
        self.normalization.build(maps)
        self.gain, self.bias = (
            SpectralDense(
                maps[-1], use_bias=False, kernel_initializer="orthogonal",
                dtype=self.dtype_policy, name=name,
            )
            for name in ("gain", "bias")
        )  # fmt: skip
        self.gain.build(condition)
        self.bias.build(condition)

    def call(self, inputs, training=False):
        maps, condition = inputs
        gain = 1 + self.gain(condition, training=training)  # (B, C)
        bias = self.bias(condition, training=training)
        maps = self.normalization(maps, training=training)
        return maps * gain[:, None, None] + bias[:, None, None]

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        config = {"epsilon": self.epsilon, "momentum": self.momentum}
        return super().get_config() | config
