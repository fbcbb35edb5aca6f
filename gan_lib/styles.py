"""Styles and noise: drawn for training, and chosen by hand afterwards.

A generator of styles has the layers "mapping", "truncation", "synthesis" and one
"fixed_noise_N" for each map of noise; see `gan_lib.stylegan2_networks.generator_of`.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from gan_lib.randomness import Draws


def count(generator: keras.Model) -> int:
    """Layers of a generator that take a style."""
    return generator.get_layer("synthesis").inputs[0].shape[1]


def draw(
    generator: keras.Model,
    batch,
    mixing: float,
    draws: Draws,
    active: int | None = None,
) -> tf.Tensor:
    """Styles (batch, layers, style_dim), float32, of fresh latents, for training.

    With a chance of `mixing` a picture has two latents: one for the layers before a
    random one, the other from there on (Karras et al. 2019, section 3.1,
    arXiv:1812.04948). Ours differs: the layer is drawn for each picture and not for
    each batch. The average style follows what was drawn. `active`: layers that are
    used, where the network still grows; the random one is among them.
    """
    layers, latent_dim = count(generator), generator.input_shape[-1]
    each = 2 if mixing else 1
    latents = draws.normal("latents", (batch, each * latent_dim))
    latents = tf.reshape(latents, (each * batch, latent_dim))
    styles = generator.get_layer("mapping")(latents, training=True)
    styles = tf.reshape(tf.cast(styles, "float32"), (batch, each, 1, styles.shape[-1]))
    generator.get_layer("truncation").follow(tf.stop_gradient(styles[:, 0, 0]))
    if not mixing:
        return tf.repeat(styles[:, 0], layers, 1)
    mixed = draws.uniform("mixing", (batch,)) < mixing
    crossover = tf.floor(
        draws.uniform("crossover", (batch,), 1.0, float(active or layers))
    )
    crossover = tf.where(mixed, crossover, float(layers))
    first = tf.range(layers, dtype="float32") < crossover[:, None]  # (batch, layers)
    return tf.where(first[..., None], styles[:, 0], styles[:, 1])


def synthesize_fresh(network: keras.Model, styles, draws: Draws, name: str):
    """Images of styles, with noise of this step's stream `name`, for training.

    `network`: "synthesis", or its part that makes pictures of one size.
    """
    noises = [
        draws.normal(f"{name}_{number}", (tf.shape(styles)[0], *x.shape[1:]))
        for number, x in enumerate(network.inputs[1:])
    ]
    return network([styles, *noises], training=True)


def of_latents(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    """Styles (n, layers, style_dim), float32, of latents (n, latent_dim).

    Each layer of a picture gets the same one; put others in as you like.
    """
    found = generator.get_layer("mapping").predict(latents, verbose=0)
    return np.repeat(found[:, None], count(generator), 1)


def average(generator: keras.Model) -> np.ndarray:
    """The average style (style_dim,), float32."""
    return generator.get_layer("truncation").average.numpy()


def truncate(
    styles: np.ndarray, average: np.ndarray, psi: float, cutoff: int | None = None
) -> np.ndarray:
    """average + psi (styles - average) in the first `cutoff` layers, None: in all.

    Args:
        styles: float (n, layers, style_dim).
        average: float (style_dim,).
        psi: 1 changes nothing, 0 is the average, less is its other side.
    Returns: float32 (n, layers, style_dim).
    """
    styles = np.array(styles, "float32")
    styles[:, :cutoff] = average + psi * (styles[:, :cutoff] - average)
    return styles


def synthesize(
    generator: keras.Model,
    styles: np.ndarray,
    noise: str | int = "fixed",
    batch_size: int = 64,
    network: keras.Model | None = None,
) -> np.ndarray:
    """Images (n, H, W, C), float32 in [-1, 1], of styles (n, layers, style_dim).

    Args:
        noise: "fixed", as the generator has it; "none"; or a number, the seed of
            other noise, the same for all pictures.
        batch_size: images computed at a time.
        network: the part of "synthesis" that makes pictures of one size; None: all.
    Raises: ValueError on other words.
    """
    styles = np.asarray(styles, "float32")
    network = network or generator.get_layer("synthesis")
    maps = [
        _noise(generator, number, x.shape[1], noise)
        for number, x in enumerate(network.inputs[1:])
    ]
    images = [
        network.predict_on_batch([part, *(np.repeat(m, len(part), 0) for m in maps)])
        for part in np.split(styles, range(batch_size, len(styles), batch_size))
    ]
    return np.clip(np.concatenate(images), -1, 1)


def _noise(generator, number: int, size: int, noise) -> np.ndarray:
    """One map of noise (1, size, size, 1)."""
    if noise == "fixed":
        return generator.get_layer(f"fixed_noise_{number}").noise.numpy()[None]
    if noise == "none":
        return np.zeros((1, size, size, 1), "float32")
    if not isinstance(noise, (int, np.integer)):
        raise ValueError(
            'Expected `noise` to be "fixed", "none" or a whole number, its seed. '
            f"Received: {noise!r}"
        )
    rng = np.random.default_rng([noise, number])
    return rng.standard_normal((1, size, size, 1), dtype="float32")


class Styled:
    """What a user calls on a GAN whose averaged generator has styles.

    Stands before a `GAN`; all pictures are float32 (n, H, W, C) in [-1, 1].
    """

    ema_generator: keras.Model
    draw_latents: Callable[..., np.ndarray]

    def stage_synthesis(self) -> keras.Model:
        """The part of the averaged generator that makes pictures of styles."""
        return self.ema_generator.get_layer("synthesis")

    def styles(self, latents: np.ndarray | int, *, seed: int = 0) -> np.ndarray:
        """Styles (n, layers, style_dim) of latents, or of n drawn with `seed`."""
        return of_latents(self.ema_generator, self.draw_latents(latents, seed))

    def truncate(self, drawn, psi: float, cutoff: int | None = None) -> np.ndarray:
        """Styles drawn to the average; see `gan_lib.styles.truncate`."""
        return truncate(drawn, average(self.ema_generator), psi, cutoff)

    def synthesize(
        self, drawn, *, noise: str | int = "fixed", batch_size: int = 64
    ) -> np.ndarray:
        """Images of styles; see `gan_lib.styles.synthesize`."""
        network = self.stage_synthesis()
        return synthesize(self.ema_generator, drawn, noise, batch_size, network)

    def generate(
        self,
        latents: np.ndarray | int,
        *,
        seed: int = 0,
        batch_size: int = 64,
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: str | int = "fixed",
    ) -> np.ndarray:
        """Images of latents, or of n drawn with `seed`.

        Args:
            latents, seed, batch_size: see `GAN.generate`.
            truncation, cutoff: psi and cutoff of `truncate`; leave them out where a
                metric is computed.
            noise: see `synthesize`.
        """
        drawn = self.styles(latents, seed=seed)
        if truncation != 1:
            drawn = self.truncate(drawn, truncation, cutoff)
        return self.synthesize(drawn, noise=noise, batch_size=batch_size)
