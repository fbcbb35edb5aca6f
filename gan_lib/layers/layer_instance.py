"""Between layer and instance normalization, in a proportion learned for each channel.

Kim, Kim, Kang and Lee 2020 (U-GAT-IT), section 2.1.1, arXiv:1907.10830.
"""

from __future__ import annotations

import keras

INPUTS = "[maps (B, H, W, C), gamma (B, C), beta (B, C)]"


@keras.saving.register_keras_serializable("gan_lib")
class UnitInterval(keras.constraints.Constraint):
    """w <- min(max(w, 0), 1), after each step of the optimizer.

    Kim et al. 2020, equation (1), where it keeps rho a proportion.
    """

    def __call__(self, w):
        return keras.ops.clip(w, 0, 1)


@keras.saving.register_keras_serializable("gan_lib")
class AdaLIN(keras.layers.Layer):
    """Adaptive layer-instance normalization: gain and offset come from elsewhere.

    y = gamma (rho x_I + (1 - rho) x_L) + beta
    x_I = (x - mean_HW) / sqrt(var_HW + epsilon),  x_L likewise over H, W and C
    Kim et al. 2020, equation (1). Biased variances, as in the authors' TensorFlow
    code. rho = 1 is instance norm: channel by channel, it forgets how strong each is
    in the source. rho = 0 is layer norm: it keeps them in proportion.

    Called on a list, [x (B, H, W, C), gamma (B, C), beta (B, C)]; returns the shape of
    x. rho (C,) stays in [0, 1] by `UnitInterval`. gamma is used as it comes, without
    + 1. All but the last multiplication is in float32 under mixed precision.

    Args:
        rho: where it starts, from 0 to 1; the paper's 0.9.
        learn_rho: False keeps it there, for the paper's ablation (table 1).
        epsilon: added to the variances.
        channels: C; None: as the first input has. `stock` reads it.
    Raises: ValueError if rho is outside [0, 1] or the list is not of that kind.
    """

    def __init__(self, rho=0.9, learn_rho=True, epsilon=1e-5, channels=None, **kwargs):
        super().__init__(**kwargs)
        self.rho_start, self.learn_rho = _proportion(rho), learn_rho
        self.epsilon, self.channels = epsilon, channels

    def build(self, input_shape):
        ranks = [len(s) if isinstance(s, (list, tuple)) else 0 for s in input_shape]
        if ranks != [4, 2, 2] or len({shape[-1] for shape in input_shape}) != 1:
            raise ValueError(
                f"Expected a list {INPUTS} with equal C. Received shapes: {input_shape}"
            )
        self.channels = input_shape[0][-1]
        self.rho = _add_rho(self)

    def call(self, inputs):
        x, gamma, beta = inputs
        gamma, beta = (keras.ops.cast(v, "float32") for v in (gamma, beta))
        return _normalize(x, self.rho, gamma, beta, self.epsilon)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), **_settings(self)}

    @staticmethod
    def stock(config: dict) -> keras.Model:
        """The same from Keras's own layers, for files that open everywhere."""
        x, y = _stock_norms(config)
        gamma, beta = (keras.Input(x.shape[3:], dtype=x.dtype) for _ in range(2))
        outputs = y * gamma[:, None, None] + beta[:, None, None]
        return keras.Model([x, gamma, beta], outputs, name=config["name"])


@keras.saving.register_keras_serializable("gan_lib")
class LIN(keras.layers.Layer):
    """Layer-instance normalization with a gain and an offset of its own.

    `AdaLIN`'s equation with gamma (C,) and beta (C,) learned, 1 and 0 at the start
    (Kim et al. 2020, section 2.1.1: the decoder's last two norms). rho starts at 0:
    pure layer norm. Input and output shape: (B, H, W, C).

    Args and errors: those of `AdaLIN`, for x alone.
    """

    def __init__(self, rho=0.0, learn_rho=True, epsilon=1e-5, channels=None, **kwargs):
        super().__init__(**kwargs)
        self.rho_start, self.learn_rho = _proportion(rho), learn_rho
        self.epsilon, self.channels = epsilon, channels

    def build(self, input_shape):
        self.channels = input_shape[-1]
        self.rho = _add_rho(self)
        self.gamma, self.beta = (
            self.add_weight(
                name=name, shape=(self.channels,), initializer=start, autocast=False
            )
            for name, start in (("gamma", "ones"), ("beta", "zeros"))
        )

    def call(self, inputs):
        return _normalize(inputs, self.rho, self.gamma, self.beta, self.epsilon)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), **_settings(self)}

    @staticmethod
    def stock(config: dict) -> keras.Model:
        """The same from Keras's own layers, for files that open everywhere."""
        x, y = _stock_norms(config)
        return keras.Model(x, _scale(y, bias_axes="c")(y), name=config["name"])


def _settings(layer) -> dict:
    return {
        "rho": layer.rho_start,
        "learn_rho": layer.learn_rho,
        "epsilon": layer.epsilon,
        "channels": layer.channels,
    }


def _proportion(rho: float) -> float:
    if not 0 <= rho <= 1:
        raise ValueError(
            f"Expected `rho` from 0 (layer norm) to 1 (instance norm). Received: {rho}"
        )
    return rho


def _add_rho(layer):
    rho = layer.add_weight(
        name="rho",
        shape=(layer.channels,),
        initializer=keras.initializers.Constant(layer.rho_start),
        constraint=UnitInterval(),
        autocast=False,
    )
    # Not in `add_weight`, which would put it behind the others in `weights`.
    rho.trainable = layer.learn_rho
    return rho


def _scale(maps, **kwargs) -> keras.Layer:
    """A Keras layer that multiplies each channel by a weight of its own."""
    return keras.layers.EinsumDense(
        "bhwc,c->bhwc", (None, None, maps.shape[-1]), dtype=maps.dtype, **kwargs
    )


def _stock_norms(config: dict):
    """Maps, and x_L + rho (x_I - x_L) of them, in Keras's own layers."""
    x = keras.Input((None, None, config["channels"]), dtype=config["dtype"])
    settings = {"epsilon": config["epsilon"], "center": False, "scale": False}
    instance, layer = (
        keras.layers.GroupNormalization(groups, dtype=x.dtype, **settings)(x)
        for groups in (-1, 1)
    )
    difference = instance - layer
    return x, layer + _scale(x)(difference)


def _normalize(x, rho, gamma, beta, epsilon):
    """AdaLIN with one pass over the map: y = scale x + shift, each (B, 1, 1, C).

    The layer's statistics follow from the channels': mean_L = mean_C(mean_I) and
    var_L = mean_C(var_I + mean_I^2) - mean_L^2, here in a form that cannot cancel.
    """
    ops = keras.ops
    rho, gamma, beta = (ops.convert_to_tensor(v) for v in (rho, gamma, beta))
    mean, variance = ops.moments(ops.cast(x, "float32"), axes=(1, 2))  # (B, C)
    layer_mean = ops.mean(mean, -1, keepdims=True)  # (B, 1)
    spread = variance + ops.square(mean - layer_mean)
    instance = rho * ops.rsqrt(variance + epsilon)
    layer = (1 - rho) * ops.rsqrt(ops.mean(spread, -1, keepdims=True) + epsilon)
    scale = gamma * (instance + layer)
    shift = beta - gamma * (instance * mean + layer * layer_mean)
    scale, shift = (v[:, None, None] for v in (scale, shift))  # (B, 1, 1, C)
    return ops.cast(ops.cast(x, "float32") * scale + shift, x.dtype)
