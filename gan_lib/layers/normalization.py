"""Normalization layers."""

from __future__ import annotations

import keras
import tensorflow as tf

from gan_lib.layers import cpu_kernels

# Pixels of a map from which one kernel call for each image beats one for all.
SMALLEST_FUSED_MAP = 256


@keras.saving.register_keras_serializable("gan_lib")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization in one fused kernel on a CPU; else the Keras layer.

    y = gamma (x - mean_B(x)) / sqrt(var_B(x) + epsilon) + beta
    Ioffe and Szegedy 2015, algorithm 1, arXiv:1502.03167.

    Arguments, weights and results are those of `keras.layers.BatchNormalization`
    (biased variance in the running average, statistics in float32 whatever the
    compute dtype). Keras 3 writes the formula out in float32 operations; the fused
    kernel reads bfloat16 maps directly, which is worth 10 to 30 % of a training step.
    Input and output shape: (B, H, W, C); other ranks take the Keras path.
    """

    stock = keras.layers.BatchNormalization.from_config

    def call(self, inputs, training=None, mask=None):
        fusable = (
            cpu_kernels.on_cpu()
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and mask is None
            and not self.synchronized
            and inputs.dtype in (tf.float32, tf.bfloat16)
        )
        if not fusable:
            return super().call(inputs, training=training, mask=mask)
        use_batch = bool(training) and self.trainable
        channels = inputs.shape[-1]
        gain = self.gamma.value if self.scale else tf.ones(channels)
        offset = self.beta.value if self.center else tf.zeros(channels)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(gain),
            offset=tf.convert_to_tensor(offset),
            mean=[] if use_batch else self.moving_mean.value,
            variance=[] if use_batch else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=use_batch,
        )
        if use_batch:
            # The kernel reports N / (N - 1) times the variance it normalised with;
            # Keras keeps the plain one.
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
            variance *= (count - 1) / count
            for average, value in (
                (self.moving_mean, mean),
                (self.moving_variance, variance),
            ):
                average.assign(average + (value - average) * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable("gan_lib")
class InstanceNormalization(keras.layers.GroupNormalization):
    """Each image's own mean and variance, channel by channel.

    y = (x - mean_HW(x)) / sqrt(var_HW(x) + epsilon)  [gamma y + beta]
    Ulyanov et al. 2016, equation (1), arXiv:1607.08022; biased variance.

    `keras.layers.GroupNormalization` with one channel a group, and the settings of
    the translation papers' code as defaults. On a CPU each image goes through the
    fused kernel that batch normalization uses, which is faster on maps of 16 x 16
    and more. Input and output shape: (B, H, W, C).

    Args:
        epsilon: 1e-5 (Keras's own default for groups is 1e-3).
        center, scale: whether beta and gamma are learned; the papers have none.
    """

    stock = keras.layers.GroupNormalization.from_config

    def __init__(
        self, epsilon=1e-5, center=False, scale=False, groups=-1, axis=-1, **kwargs
    ):
        if groups != -1 or axis not in (-1, 3):
            raise ValueError(
                "Expected `groups=-1` and `axis=-1`: one group a channel, channels "
                f"last. Received: groups={groups}, axis={axis}. Other groups are "
                "keras.layers.GroupNormalization."
            )
        super().__init__(
            groups=-1, axis=-1, epsilon=epsilon, center=center, scale=scale, **kwargs
        )

    def call(self, inputs):
        inputs = keras.ops.cast(inputs, self.compute_dtype)
        batch, height, width, channels = inputs.shape
        fusable = (
            cpu_kernels.on_cpu()
            and None not in (batch, height, width)
            and (batch == 1 or height * width >= SMALLEST_FUSED_MAP)
            and inputs.dtype in (tf.float32, tf.bfloat16)
        )
        if not fusable:
            return super().call(inputs)
        gain = self.gamma.value if self.scale else tf.ones(channels)
        offset = self.beta.value if self.center else tf.zeros(channels)
        images = [
            tf.raw_ops.FusedBatchNormV3(
                x=image,
                scale=gain,
                offset=offset,
                mean=[],
                variance=[],
                epsilon=self.epsilon,
                is_training=True,
            ).y
            for image in tf.split(inputs, batch)
        ]
        return tf.concat(images, 0)

    def get_config(self):
        # Once built, Keras's layer has the number of channels there.
        return {**super().get_config(), "groups": -1}
