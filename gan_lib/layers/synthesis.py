"""What StyleGAN's pictures start from: a learned constant, noise, an average style."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("gan_lib")
class LearnedConstant(keras.layers.Layer):
    """The same learned map for each image of a batch.

    StyleGAN's pictures start from it instead of from the latents (Karras et al. 2019,
    section 2, arXiv:1812.04948): what differs between two pictures comes from styles
    and noise alone.

    Args:
        shape: (H, W, C).
        initializer: "ones" in StyleGAN; N(0, 1) in StyleGAN2.
    Input: anything of batch B, which is only counted. Output shape: (B, H, W, C).
    """

    def __init__(self, shape, initializer="ones", **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        self.constant = self.add_weight(
            name="constant", shape=self.shape, initializer=self.initializer
        )

    def call(self, inputs):
        constant = keras.ops.convert_to_tensor(self.constant)
        return _repeated(constant, inputs)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.shape)

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {
            **super().get_config(),
            "shape": self.shape,
            "initializer": initializer,
        }


@keras.saving.register_keras_serializable("gan_lib")
class FixedNoise(keras.layers.Layer):
    """One map of noise, drawn once, for each image of a batch.

    Training draws new noise at every step; a generator that is used has this, so that
    one latent is one picture. Saved with the model, not learned.

    Args:
        size: H = W, pixels.
        seed: of the map, from N(0, 1).
    Input: anything of batch B, which is only counted. Output shape: (B, size, size, 1).
    """

    def __init__(self, size: int, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.size, self.seed = size, seed

    def build(self, input_shape):
        self.noise = self.add_weight(
            name="noise",
            shape=(self.size, self.size, 1),
            initializer=keras.initializers.RandomNormal(0, 1, seed=self.seed),
            trainable=False,
        )

    def call(self, inputs):
        return _repeated(keras.ops.convert_to_tensor(self.noise), inputs)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.size, self.size, 1)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "seed": self.seed}


@keras.saving.register_keras_serializable("gan_lib")
class Truncation(keras.layers.Layer):
    """Styles drawn towards the average style: less variety, better pictures.

    w' = average + psi (w - average), in the first `cutoff` layers; the others stay.
    Karras et al. 2019, appendix B, arXiv:1812.04948. psi = 1 changes nothing, 0 gives
    everybody the average face, -1 its opposite. `follow` moves the average; it is
    saved with the model, not learned.

    Args:
        psi: how much of each style's own is left.
        cutoff: layers that are truncated; None: all.
    Input and output shape: styles (B, layers, style_dim).
    """

    def __init__(self, psi: float = 1.0, cutoff: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.psi, self.cutoff = psi, cutoff

    def build(self, input_shape):
        self.average = self.add_weight(
            name="average", shape=input_shape[-1:], initializer="zeros", trainable=False
        )

    def call(self, inputs):
        if self.psi == 1:
            return inputs
        average = keras.ops.convert_to_tensor(self.average)
        truncated = average + self.psi * (inputs - average)
        if self.cutoff is None:
            return truncated
        return keras.ops.concatenate(
            [truncated[:, : self.cutoff], inputs[:, self.cutoff :]], 1
        )

    def follow(self, styles, decay: float = 0.995) -> None:
        """average <- decay average + (1 - decay) mean_B(styles (B, style_dim))."""
        mean = keras.ops.mean(keras.ops.cast(styles, "float32"), 0)
        self.average.assign(decay * self.average.value + (1 - decay) * mean)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "psi": self.psi, "cutoff": self.cutoff}


@keras.saving.register_keras_serializable("gan_lib")
class NoiseInjection(keras.layers.Layer):
    """Add a map of noise, louder or softer as learned.

    y = x + m strength noise, strength 0 at the start: for each channel in StyleGAN
    (Karras et al. 2019, section 2, arXiv:1812.04948), one for all in StyleGAN2 (Karras
    et al. 2020, section 2.1, arXiv:1912.04958). All channels see the same noise. It
    stands for what no style should have to say: where each hair lies.

    Args:
        per_channel: one strength a channel (StyleGAN) or one in all.
        rate_multiplier: m > 0; below 1 the noise is learned more slowly than the rest.
            1 as published. Early in a training noise is a cheap way to look detailed,
            and clean drawings have nothing random in them that would make it right.
    Inputs: x (B, H, W, C) and noise (B, H, W, 1), N(0, 1); zeros switch it off.
    Output shape: (B, H, W, C).
    """

    def __init__(
        self, per_channel: bool = False, rate_multiplier: float = 1.0, **kwargs
    ):
        super().__init__(**kwargs)
        self.per_channel, self.rate_multiplier = per_channel, rate_multiplier

    def build(self, input_shape):
        channels = input_shape[0][-1]
        self.strength = self.add_weight(
            name="strength",
            shape=(channels,) if self.per_channel else (),
            initializer="zeros",
        )

    def call(self, inputs):
        x, noise = inputs
        strength = keras.ops.convert_to_tensor(self.strength) * self.rate_multiplier
        return x + noise * strength

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        names = ("per_channel", "rate_multiplier")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _repeated(one, batch_of):
    """A tensor (...) once for each row of another: (B, ...)."""
    shape = (keras.ops.shape(batch_of)[0], *one.shape)
    return keras.ops.broadcast_to(one[None], shape)
