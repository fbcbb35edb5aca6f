"""The tutorial this project began from, run as its author ran it: the bar to clear.

The networks of the anime-face recipe in stock Keras layers, trained by three
`train_on_batch` calls a step: the discriminator on a real batch, on a fake batch
from `predict_on_batch`, then the stacked model with the discriminator frozen. Labels
are noisy: real U(0.8, 1), fake U(0, 0.2); Adam, rates 2e-4 and 1.5e-4, beta_1 0.5.

Source of the recipe: github.com/pavitrakumar78/Anime-Face-GAN-Keras (2017); written
anew from its description. One change: in Keras 3 a network that is first traced while
frozen never learns, so here the discriminator has its first batches before it is
frozen and stacked. The batch size must not change afterwards.
"""

from __future__ import annotations

import keras
import numpy as np

LATENT_DIM = 100


def build_generator() -> keras.Model:
    layers = [keras.layers.Input((LATENT_DIM,)), keras.layers.Reshape((1, 1, 100))]

    def stage(layer):
        return [
            layer,
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.LeakyReLU(negative_slope=0.2),
        ]

    layers += stage(keras.layers.Conv2DTranspose(512, 4))
    for filters in (256, 128, 64):
        layers += stage(keras.layers.Conv2DTranspose(filters, 4, 2, "same"))
    layers += stage(keras.layers.Conv2D(64, 3, padding="same"))
    layers += [keras.layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")]
    return keras.Sequential(layers)


def build_discriminator() -> keras.Model:
    layers = [keras.layers.Input((64, 64, 3))]
    for filters in (64, 128, 256, 512):
        layers.append(keras.layers.Conv2D(filters, 4, 2, "same"))
        if filters > 64:
            layers.append(keras.layers.BatchNormalization(momentum=0.5))
        layers.append(keras.layers.LeakyReLU(negative_slope=0.2))
    layers += [keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(layers)


class Tutorial:
    """The tutorial's models and its training step.

    Args:
        seed: of weights, latents and labels.
    """

    def __init__(self, seed: int = 0):
        keras.utils.set_random_seed(seed)
        self.random = np.random.default_rng(seed)
        self.generator = build_generator()
        self.discriminator = build_discriminator()
        self.discriminator.compile(
            loss="binary_crossentropy",
            optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
        )
        self.stacked: keras.Model | None = None

    def _freeze_and_stack(self):
        self.discriminator.trainable = False
        self.stacked = keras.Sequential([self.generator, self.discriminator])
        self.stacked.compile(
            loss="binary_crossentropy",
            optimizer=keras.optimizers.Adam(1.5e-4, beta_1=0.5),
        )

    def step(self, real_images: np.ndarray) -> tuple[float, float]:
        """One step on float32 images (B, 64, 64, 3) in [-1, 1]; returns both losses."""
        batch = len(real_images)
        latents = self.random.normal(size=(batch, LATENT_DIM)).astype(np.float32)
        fake_images = self.generator.predict_on_batch(latents)
        real_labels = self.random.uniform(0.8, 1.0, (batch, 1))
        fake_labels = self.random.uniform(0.0, 0.2, (batch, 1))
        loss = self.discriminator.train_on_batch(real_images, real_labels)
        loss += self.discriminator.train_on_batch(fake_images, fake_labels)
        if self.stacked is None:
            # Freezing has no effect on what is already traced: the discriminator
            # goes on learning in its own calls and stands still in the stacked one.
            self._freeze_and_stack()
        latents = self.random.normal(size=(batch, LATENT_DIM)).astype(np.float32)
        labels = self.random.uniform(0.8, 1.0, (batch, 1))
        return float(loss), float(self.stacked.train_on_batch(latents, labels))

    def generate(self, latents: np.ndarray) -> np.ndarray:
        return self.generator.predict(latents, batch_size=64, verbose=0)
