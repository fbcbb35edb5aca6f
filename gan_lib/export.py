"""Leaving a generator on disk so that any later Keras 3 can open it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keras


def portable_copy(network: keras.Model) -> keras.Model:
    """The same network in float32 and in Keras's own layers, with equal weights.

    Our layers are the stock ones with faster kernels, so nothing is lost, and the
    copy opens where gan_lib is not installed. Float32 keeps averages of weights
    from being rounded, and pictures the same on every machine.
    """

    def stock(layer):
        if isinstance(layer, keras.Model):
            return portable_copy(layer)
        if not isinstance(layer, keras.layers.Layer):  # a bare operation: no dtype
            return type(layer).from_config(layer.get_config())
        config = layer.get_config()
        config["dtype"] = "float32"
        return getattr(layer, "stock", type(layer).from_config)(config)

    copy = keras.models.clone_model(network, clone_function=stock)
    copy.set_weights(network.get_weights())
    return copy


def clipped(network: keras.Model) -> keras.Model:
    """A portable copy of a generator with linear output, its images in [-1, 1].

    Of a list of images, the last.
    """
    copy = portable_copy(network)
    images = keras.ops.clip(copy.outputs[-1], -1, 1)
    return keras.Model(copy.input, images, name=copy.name)


# What Keras 3.15 writes and 3.13 does not know, with the values that change nothing.
_NEW_DEFAULTS = {
    "quantization_config": None,
    "input_axes": None,
    "output_axes": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}


def _without_new_defaults(config):
    """Drop settings that older Keras versions reject, where they are at rest."""
    if isinstance(config, dict):
        return {
            key: _without_new_defaults(value)
            for key, value in config.items()
            if key not in _NEW_DEFAULTS or value != _NEW_DEFAULTS[key]
        }
    if isinstance(config, list):
        return [_without_new_defaults(value) for value in config]
    return config


def save(network: keras.Model, directory: str | Path) -> list[Path]:
    """Write a network three ways; each file appears complete or not at all.

    - `NAME.keras`: everything in one file, for the Keras version that wrote it and
      newer ones: `keras.saving.load_model("generator.keras")`.
    - `NAME.json` and `NAME.weights.h5`: the exchange pair, which Keras 3.13 to 3.15
      read either way round:
      `model = keras.models.model_from_json(open("generator.json").read())`,
      `model.load_weights("generator.weights.h5")`.

    Args:
        network: NAME is its `name`.
        directory: made if missing.
    Returns: the three paths.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    config = json.dumps(_without_new_defaults(json.loads(network.to_json())), indent=1)
    writers = {
        f"{network.name}.keras": network.save,
        f"{network.name}.weights.h5": network.save_weights,
        f"{network.name}.json": lambda path: path.write_text(config, "utf-8"),
    }
    for name, write in writers.items():
        # The suffix stays last: Keras chooses the format by it.
        unfinished = directory / f".unfinished.{name}"
        write(unfinished)
        os.replace(unfinished, directory / name)
    return [directory / name for name in writers]
