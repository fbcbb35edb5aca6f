"""What a discriminator may know about a batch as a whole."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("gan_lib")
class MinibatchStdDev(keras.layers.Layer):
    """Append a map that says how much the images of a group differ.

    s = mean_{h, w, c} sqrt(var_group(x[:, h, w, c]) + 1e-8), biased variance, the same
    number at each pixel of each image of the group. A generator that draws one image
    again and again is given away by s, so it cannot collapse unseen (Karras et al.
    2018, section 3, arXiv:1710.10196). As in the authors' code the images of a group
    lie apart in the batch: with N images in groups of G they are i, i + N/G,
    i + 2N/G, ..., and statistics are in float32.

    Args:
        group_size: G, at least 1; a smaller batch is one group.
        features: maps appended; with F of them the channels fall into F parts, and
            each map looks at one.
    Input shape: (N, H, W, C). Output shape: (N, H, W, C + features).
    Raises: ValueError when the batch is no whole number of groups, or C of features.
    """

    def __init__(self, group_size: int = 4, features: int = 1, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("group_size", group_size), ("features", features)):
            if value < 1:
                raise ValueError(f"Expected `{name}` >= 1. Received: {value}")
        self.group_size, self.features = group_size, features

    def build(self, input_shape):
        if input_shape[-1] % self.features:
            raise ValueError(
                f"Expected channels that fall into {self.features} equal parts, one "
                f"for each of the `features`. Received: {input_shape[-1]} channels"
            )

    def call(self, inputs):
        batch, height, width, channels = keras.ops.shape(inputs)
        group = self._group(batch)
        parts = channels // self.features
        x = keras.ops.cast(inputs, "float32")
        x = keras.ops.reshape(
            x, (group, -1, height, width, self.features, parts)
        )  # (G, N/G, H, W, F, C/F)
        deviation = keras.ops.sqrt(keras.ops.var(x, axis=0) + 1e-8)
        statistic = keras.ops.mean(deviation, axis=(1, 2, 4))  # (N/G, F)
        maps = keras.ops.tile(statistic, (group, 1))[:, None, None]  # (N, 1, 1, F)
        maps = keras.ops.broadcast_to(maps, (batch, height, width, self.features))
        return keras.ops.concatenate([inputs, keras.ops.cast(maps, inputs.dtype)], -1)

    def _group(self, batch):
        if not isinstance(batch, int):
            return keras.ops.minimum(self.group_size, batch)
        group = min(self.group_size, batch)
        if batch % group:
            raise ValueError(
                f"Expected a batch that is a multiple of the group of {group} images "
                f"that are compared. Received: {batch} images. Choose another batch "
                "size or `group_size`."
            )
        return group

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + self.features)

    def get_config(self):
        names = ("group_size", "features")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
