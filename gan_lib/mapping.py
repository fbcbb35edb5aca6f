"""From latents to styles: StyleGAN's mapping network."""

from __future__ import annotations

import keras

from gan_lib.layers import EqualizedDense, LeakyReLU, PixelNormalization
from gan_lib.layers.equalized import GAIN


def mapping_network(
    latent_dim: int = 512,
    style_dim: int = 512,
    layers: int = 8,
    *,
    rate_multiplier: float = 0.01,
    dtype=None,
) -> keras.Model:
    """Latents (B, latent_dim) -> styles (B, style_dim).

    Karras et al. 2019, figure 1 and appendix C, arXiv:1812.04948: the latents on one
    sphere (`PixelNormalization`), then dense layers with LeakyReLU(0.2), which learn at
    a hundredth of the rate.

    Args:
        latent_dim: of the latents, drawn from N(0, 1).
        style_dim: of each dense layer.
        layers: how many.
        rate_multiplier: of the learning rate.
        dtype: a Keras dtype policy; None: the global one.
    """
    latents = keras.Input((latent_dim,), name="latents")
    x = PixelNormalization(dtype=dtype)(latents)
    for number in range(layers):
        dense = EqualizedDense(
            style_dim,
            gain=GAIN,
            rate_multiplier=rate_multiplier,
            dtype=dtype,
            name=f"dense_{number}",
        )
        x = LeakyReLU(negative_slope=0.2, dtype=dtype)(dense(x))
    return keras.Model(latents, x, name="mapping")
