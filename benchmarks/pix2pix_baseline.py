"""The TensorFlow pix2pix tutorial, run as its authors run it: the bar to clear.

Its networks in stock Keras layers and its step: one `tf.function`, two tapes, fakes
judged once, real and fake in separate calls. The U-Net has batch norm everywhere but on
its first convolution, LeakyReLU(0.3) on the way down, dropout on the first three maps
of the way up; the discriminator sees 70 pixels. Adam, rate 2e-4, beta_1 0.5, L1 times
100, one picture a batch; pictures are drawn with batch statistics and dropout.

Source of the recipe: tensorflow.org/tutorials/generative/pix2pix (2019 to 2024),
written anew from its description. For pictures below 256 px the U-Net loses its
innermost convolutions, so that it still ends at one pixel.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

KERNEL = {"kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}


def _normal():
    return keras.initializers.RandomNormal(0, 0.02)


def _down(x, filters, normalize=True):
    x = layers.Conv2D(filters, kernel_initializer=_normal(), **KERNEL)(x)
    if normalize:
        x = layers.BatchNormalization()(x)
    return layers.LeakyReLU()(x)


def build_generator(image_size: int, source_channels: int, width: int = 64):
    stages = image_size.bit_length() - 1
    source = keras.Input((image_size, image_size, source_channels))
    x, maps = source, []
    for stage in range(stages):
        x = _down(x, min(width << stage, 8 * width), normalize=stage > 0)
        maps.append(x)
    for number, skip in enumerate(reversed(maps[:-1])):
        x = layers.Conv2DTranspose(
            skip.shape[-1], kernel_initializer=_normal(), **KERNEL
        )(x)
        x = layers.BatchNormalization()(x)
        if number < 3:
            x = layers.Dropout(0.5)(x)
        x = layers.Concatenate()([layers.ReLU()(x), skip])
    last = KERNEL | {"use_bias": True}
    x = layers.Conv2DTranspose(
        3, kernel_initializer=_normal(), activation="tanh", **last
    )(x)
    return keras.Model(source, x)


def build_discriminator(image_size: int, source_channels: int, width: int = 64):
    source = keras.Input((image_size, image_size, source_channels))
    target = keras.Input((image_size, image_size, 3))
    x = layers.Concatenate()([source, target])
    for stage in range(3):
        x = _down(x, width << stage, normalize=stage > 0)
    x = layers.ZeroPadding2D()(x)
    x = layers.Conv2D(8 * width, 4, kernel_initializer=_normal(), use_bias=False)(x)
    x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(1, 4, kernel_initializer=_normal())(layers.ZeroPadding2D()(x))
    return keras.Model([source, target], x)


class Tutorial:
    """The tutorial's models and its training step.

    Args:
        image_size: side of the pictures, a power of two.
        source_channels: of the input pictures.
        width: channels of the first maps; the tutorial's is 64.
        seed: of weights and dropout.
    """

    def __init__(
        self, image_size: int, source_channels: int, width: int = 64, seed: int = 0
    ):
        keras.utils.set_random_seed(seed)
        self.generator = build_generator(image_size, source_channels, width)
        self.discriminator = build_discriminator(image_size, source_channels, width)
        self.generator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.discriminator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.loss = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(self, source, target):
        """One step on float32 batches in [-1, 1]; returns both losses."""
        with tf.GradientTape() as generator_tape, tf.GradientTape() as judge_tape:
            fake = self.generator(source, training=True)
            real_logits = self.discriminator([source, target], training=True)
            fake_logits = self.discriminator([source, fake], training=True)
            generator_loss = self.loss(tf.ones_like(fake_logits), fake_logits)
            generator_loss += 100 * tf.reduce_mean(tf.abs(target - fake))
            judge_loss = self.loss(tf.ones_like(real_logits), real_logits)
            judge_loss += self.loss(tf.zeros_like(fake_logits), fake_logits)
        for tape, loss, network, optimizer in (
            (generator_tape, generator_loss, self.generator, self.generator_optimizer),
            (judge_tape, judge_loss, self.discriminator, self.discriminator_optimizer),
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(
                zip(tape.gradient(loss, variables), variables, strict=True)
            )
        return generator_loss, judge_loss

    def generate(self, source: np.ndarray) -> np.ndarray:
        """Pictures for float32 sources (n, S, S, C), one by one, as it shows them."""
        draw = tf.function(lambda x: self.generator(x, training=True))
        return np.concatenate([draw(source[i : i + 1]) for i in range(len(source))])
