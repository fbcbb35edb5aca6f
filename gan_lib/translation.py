"""What trainings between two domains without pairs have in common.

The domains are A and B. A player has one network for each direction or domain; here
two networks become one, so that the training core sees two players as always.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from gan_lib import export, losses
from gan_lib.data.pipeline import check_int
from gan_lib.inference import as_float

DIRECTIONS = ("a_to_b", "b_to_a")


def both(networks: Sequence[keras.Model], name: str) -> keras.Model:
    """Two networks as one: [x, y] -> [first(x), second(y)].

    Args:
        networks: for pictures of domain A and of domain B; `get_layer` of the result
            gives each back by its name.
        name: of the result.
    Raises: ValueError when the two have one name.
    """
    first, second = networks
    if first.name == second.name:
        raise ValueError(
            f"Expected two names. Received: both networks are called {first.name!r}. "
            "Set `network.name` before."
        )
    inputs = [
        keras.Input(network.input_shape[1:], name=f"domain_{letter}")
        for letter, network in zip("ab", networks, strict=True)
    ]
    outputs = [first(inputs[0]), second(inputs[1])]
    return keras.Model(inputs, outputs, name=name)


def parts(player: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The two networks that `both` joined, in their order."""
    first, second = (x for x in player.layers if isinstance(x, keras.Model))
    return first, second


def translate(network, own, other=None):
    """A network's outputs for `own` and for `other`, from one call.

    For networks without batch norm a batch is only a way to compute: each picture's
    result is its own, so that the translation of `own` and the identity of `other`
    share a call.

    Args:
        network: pictures (B, H, W, C) -> tensors with B in front, in any structure.
        own, other: float32 (B, H, W, C); without `other` its place holds None.
    Returns: (outputs for own, outputs for other).
    """
    if other is None:
        return network(own, training=True), None
    outputs = network(tf.concat([own, other], 0), training=True)
    halves = [tf.split(x, 2) for x in tf.nest.flatten(outputs)]
    first, second = zip(*halves, strict=True)
    return (
        tf.nest.pack_sequence_as(outputs, first),
        tf.nest.pack_sequence_as(outputs, second),
    )


def distance(images, targets) -> tf.Tensor:
    """Mean absolute differences, summed over the domains."""
    pairs = zip(images, targets, strict=True)
    return tf.add_n([losses.l1_loss(image, target) for image, target in pairs])


def start_as_identity(
    model: keras.Model, batches, steps: int, *, rate: float = 1e-3, verbose: int = 1
) -> None:
    """Teach both generators to hand pictures of either domain through, before a game.

    loss = E |G(x) - x| + E |F(x) - x|,  x of A and of B
    A start for short trainings: a game that begins with noise spends its first minutes
    on learning to draw at all. The initialization phase of CartoonGAN (Chen et al.
    2018, section 3.3) with pixels in place of features; neither CycleGAN nor U-GAT-IT
    has one. The average of the generator's weights starts from what was learned; the
    model's own optimizers and its count of images stay as they are. Call it once, on a
    new model: a checkpoint to resume from holds more.

    Args:
        model: CycleGAN, UGATIT or another with `both` generators of one picture size;
            their output is pictures, or a dict with "images".
        batches: as for `model.fit`: `.dataset()` gives (domain_a, domain_b).
        steps: batches, at least 1.
        rate: of the Adam that does it.
        verbose: 1: a progress bar.
    Raises: TypeError or ValueError when `steps` is no whole number from 1.
    """
    steps = check_int("steps", steps, 1, 2**31)
    outputs = model.generator.output
    images = [x["images"] if isinstance(x, dict) else x for x in outputs]
    network = keras.Model(model.generator.inputs, images)
    network.compile(keras.optimizers.Adam(rate), loss=["mae", "mae"])

    def handed_through(a, b):
        both_domains = (tf.concat([a, b], 0),) * 2
        return both_domains, both_domains

    data = batches.dataset().map(handed_through).take(steps)
    network.fit(data, shuffle=False, verbose=verbose)
    model.ema_generator.set_weights(model.generator.get_weights())


def get_direction(generator: keras.Model, direction: str) -> keras.Model:
    """The network of one direction, "a_to_b" or "b_to_a"; ValueError on another."""
    if direction not in DIRECTIONS:
        raise ValueError(
            f"Expected `direction` to be one of {DIRECTIONS}. Received: {direction!r}"
        )
    return generator.get_layer(direction)


def predict(generator: keras.Model, images, direction: str, batch_size: int):
    """Outputs of one direction's network for pictures (n, H, W, C), as NumPy arrays.

    Args:
        generator: made by `both`.
        images: uint8, or float in [-1, 1].
        direction: see `get_direction`.
        batch_size: pictures computed at a time.
    """
    network = get_direction(generator, direction)
    return network.predict(as_float(images), batch_size=batch_size, verbose=0)


def save(generator: keras.Model, directory: str | Path) -> list[Path]:
    """Write the networks of both directions, each as `gan_lib.export.save` does."""
    networks = [
        export.portable_copy(generator.get_layer(direction)) for direction in DIRECTIONS
    ]
    return [path for network in networks for path in export.save(network, directory)]
