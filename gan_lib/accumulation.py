"""A large batch in little memory: gradients summed over slices, then one move.

With `GAN.compile(accumulate=k)` each player computes a batch of B images in k slices
of B / k, one after the other, and moves once:
    g = 1/k sum_i g_i,  g_i: gradient of the loss of slice i
Only one slice's maps are in memory at a time. In the alternating order each slice's
fakes are made twice, for the discriminator's pass and for the generator's, from the
same latents; the rest costs what the whole batch costs. BigGAN's authors trained with
batches of 2048 in this way on few cards (their PyTorch code, 8 x 256). Ours differs:
spectral norms take the steps of one batch, not of k.

Equal to the whole batch's step, up to rounding, where losses are means over images: the
weights, both optimizers, the averaged generator, spectral norms' u, logs, and the
random numbers that a step draws by name (`gan_lib.randomness.Draws`).
Not equal:
- Batch normalization sees slices ("ghost batches", Hoffer et al. 2017, section 4,
  arXiv:1705.08741). Its moving mean gets the mean of the slices' means, as from the
  whole batch; its moving variance the mean of their variances, which lacks the
  variance between the slices.
- `MinibatchStdDev` compares the images of a slice.
- Dropout draws other numbers for each slice.
- `augment="ada"`: each slice votes on where the chance should go, and it goes by the
  mean of the votes; the whole batch has one vote.
- StyleGAN2's path length compares a slice with the running mean of that slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import tensorflow as tf

from gan_lib.image_pool import ImagePool
from gan_lib.randomness import Draws, is_seed

# Between the seeds of two slices in dropout: far apart, as layers may have neighbours.
SEED_STRIDE = 1_000_003


class Move(NamedTuple):
    """What a player's optimizer needs, and what to log of it.

    loss: float32 scalar, a mean over images.
    gradients: of the loss as the optimizer scales it, one for each of the player's
        variables, None where it plays no part.
    logs: float32 scalars by name.
    """

    loss: tf.Tensor
    gradients: list
    logs: dict[str, tf.Tensor]


def snapshot(variables: Iterable) -> list[tuple]:
    """Variables and copies of their values, for `put_back`."""
    return [(variable, tf.identity(variable.value)) for variable in variables]


def put_back(variables_and_values: Iterable[tuple]) -> None:
    """Give variables the values they had."""
    for variable, value in variables_and_values:
        variable.assign(value)


def in_slices(
    gan,
    players: Sequence[str],
    compute: Callable[..., dict[str, Move]],
    real_images,
    draws: Draws,
) -> dict[str, Move]:
    """The players' moves of a batch, computed in `gan.accumulate` slices; see above.

    Each slice begins with the state (averages, u, counters) of before. After all it is
    before + 1/k sum_i (after_i - before): the mean, which leaves alone what no slice
    changed. Only an `ImagePool`, which takes images one by one, goes on from slice to
    slice.

    Args:
        gan: the `GAN`, compiled.
        players: those that `compute` returns.
        compute: (real_images, draws) -> {player: Move}, for a batch or a slice of it.
        real_images: tensors (B, ...), in any structure.
        draws: those of the batch. Slice i of replica r of R gets the numbers of
            replica r k + i of R k, and divides its loss by R k.
    Returns: {player: Move}; with `accumulate=1` just what `compute` says.
    Raises: ValueError when k does not divide B, or with an adaptive augmentation under
        a `tf.distribute` strategy.
    """
    count = gan.accumulate
    if count == 1:
        return compute(real_images, draws)
    _check(gan, real_images, draws)
    before = snapshot(_states(gan))
    traced = dict[str, Move]()  # of one slice: which gradients and logs there are

    def take(number, totals, changes):
        starts = [(x, _start(x, value, number)) for x, value in before]
        put_back(starts)
        slice_images = _rows(real_images, number, count)
        traced.update(compute(slice_images, draws.part(number, count)))
        totals = {player: _add(totals[player], traced[player]) for player in players}
        changes = [
            change + (x.value - start)
            for change, (x, start) in zip(changes, starts, strict=True)
        ]
        return number + 1, totals, changes

    _, totals, changes = tf.while_loop(
        lambda number, *_: number < count,
        take,
        (
            tf.constant(0),
            {player: _nothing(gan, player) for player in players},
            [tf.zeros_like(value) for _, value in before],
        ),
        parallel_iterations=1,
    )
    for (variable, value), change in zip(before, changes, strict=True):
        whole = variable.value.dtype.is_integer  # all slices count alike
        variable.assign(value + (change // count if whole else change / count))
    return {player: _mean(totals[player], traced[player], count) for player in players}


def _states(gan) -> list:
    """All that a step changes beside its moves, but pools of images."""
    memory = [x for x in gan.memory.values() if not isinstance(x, ImagePool)]
    owners = gan.generator, gan.discriminator, *memory
    return [x for owner in owners for x in owner.non_trainable_variables]


def _start(variable, value, number):
    """With what a slice begins: a seed of its own, else the state before the step."""
    if not is_seed(variable):
        return value
    return value + tf.cast([number * SEED_STRIDE, 0], value.dtype)


def _rows(real_images, number, count: int):
    """The images of a slice; its size is known where that of the batch is."""

    def rows(x):
        size = (x.shape[0] or tf.shape(x)[0]) // count
        return tf.slice(
            x, [number * size, *[0] * (len(x.shape) - 1)], [size, *x.shape[1:]]
        )

    return tf.nest.map_structure(rows, real_images)


def _nothing(gan, player: str) -> Move:
    """The sum of no moves."""
    gradients = [tf.zeros(x.shape) for x in gan.player_variables(player)]
    return Move(tf.zeros(()), gradients, {name: tf.zeros(()) for name in gan.log_names})


def _add(total: Move, move: Move) -> Move:
    gradients = [
        x if gradient is None else x + tf.cast(gradient, x.dtype)
        for x, gradient in zip(total.gradients, move.gradients, strict=True)
    ]
    logs = {name: x + move.logs.get(name, 0.0) for name, x in total.logs.items()}
    return Move(total.loss + move.loss, gradients, logs)


def _mean(total: Move, move: Move, count: int) -> Move:
    gradients = [  # their losses were divided by the number of slices
        None if gradient is None else x
        for x, gradient in zip(total.gradients, move.gradients, strict=True)
    ]
    logs = {name: total.logs[name] / count for name in move.logs}
    return Move(total.loss / count, gradients, logs)


def _check(gan, real_images, draws: Draws) -> None:
    kept = [x for layer in gan.memory.values() for x in layer.variables]
    if draws.replicas > 1 and any(x.aggregation != "none" for x in kept):
        raise ValueError(
            f"Expected `accumulate=1`: replicas share {' and '.join(gan.memory)}, and "
            "under a tf.distribute strategy they cannot agree on it inside a loop over "
            f"slices. Received: {gan.accumulate}"
        )
    batch, count = tf.nest.flatten(real_images)[0], gan.accumulate
    size = batch.shape[0]
    message = (
        f"Expected batches that fall into `accumulate={count}` slices of one size. "
        f"Received: a batch of {size or 'another number of'} images (of a replica). "
        f"Choose a batch size that is a multiple of {count}, or another `accumulate`."
    )
    if size is None:
        tf.debugging.assert_equal(tf.shape(batch)[0] % count, 0, message)
    elif size % count:
        raise ValueError(message)
