"""What a training step says to the other replicas of a `tf.distribute` strategy.

All replicas together make the step that one device would make of the global batch: the
losses are means over images, so each replica computes the loss of its share of them,
divided by the number of replicas R, and the gradients are added up. TensorFlow's own
engine does the talking; this module decides what is said, and how often:
- one message for each player's move, which holds the gradients, the numbers to log and
  the running averages of both networks. Adding up is left to nobody else: Keras would
  send a message for each variable;
- nothing for what all replicas compute alike: optimizers, the averaged generator.
Nothing here happens on one device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from gan_lib.accumulation import SEED_STRIDE
from gan_lib.randomness import Draws, is_seed


def count() -> int:
    """R, the replicas that train together; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def draws(seed) -> Draws:
    """The random numbers of a step for this replica, from the step's seed."""
    if count() == 1:
        return Draws(seed)
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return Draws(seed, replica, count())


def total(tensors: Sequence) -> list:
    """Sums over the replicas, by one message; None stays None.

    Args:
        tensors: of any shapes and floating dtypes; added up in float32.
    """
    if count() == 1:
        return list(tensors)
    present = [tf.convert_to_tensor(x) for x in tensors if x is not None]
    flat = tf.concat([tf.reshape(tf.cast(x, "float32"), [-1]) for x in present], 0)
    context = tf.distribute.get_replica_context()
    flat = context.all_reduce(tf.distribute.ReduceOp.SUM, flat)
    sizes = [x.shape.num_elements() for x in present]
    sums = iter(
        tf.cast(tf.reshape(part, x.shape), x.dtype)
        for part, x in zip(tf.split(flat, sizes), present, strict=True)
    )
    return [None if x is None else next(sums) for x in tensors]


def agree(gan, loss, gradients: list, logs: dict) -> tuple:
    """(loss, gradients, logs) of the global batch, from those of this replica's part.

    The state that a step changes beside the moves (running averages of batch
    normalization, spectral norms' u, average styles) becomes the mean over the
    replicas. Means of means are exact; a running variance lacks the variance between
    the replicas' means, unless the layer is `synchronized`.
    """
    if count() == 1:
        return loss, gradients, logs
    running = [x for x in _states(gan) if x.value.dtype.is_floating]
    numbers = [loss, *logs.values(), *(x.value for x in running)]
    means = [tf.cast(x, "float32") / count() for x in numbers]
    found = total([*gradients, *means])
    gradients, (loss, *means) = found[: len(gradients)], found[len(gradients) :]
    for variable, mean in zip(running, means[len(logs) :], strict=True):
        variable.assign(tf.cast(mean, variable.dtype))
    return loss, gradients, dict(zip(logs, means, strict=False))


def _states(gan) -> list:
    """The state of which each replica has a copy of its own, but for seeds."""
    owners = gan.generator, gan.discriminator, *gan.memory.values()
    found = [x for owner in owners for x in owner.non_trainable_variables]
    return [x for x in found if x.aggregation == "none" and not is_seed(x)]


def when(condition, then: Callable[..., None], *values) -> None:
    """`then(*values)` where `condition` holds; in there replicas may talk.

    They must not in a condition of their own, so all leave for a moment, and the
    condition, the same on all, is asked once for all.

    Args:
        condition: bool scalar.
        then: what it needs of this replica comes by `values`, not from around it.
    """
    if count() == 1:
        tf.cond(condition, lambda: then(*values), lambda: None)
        return

    def ask(strategy, condition, values):
        def enter():
            strategy.extended.call_for_each_replica(then, args=values)

        one = strategy.experimental_local_results(condition)[0]
        tf.cond(one, enter, lambda: None)

    context = tf.distribute.get_replica_context()
    context.merge_call(ask, args=(condition, values))


def write(variables: Sequence, values: Sequence) -> None:
    """Assign what all replicas have computed alike, without a message."""
    if count() == 1:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return

    def assign(strategy, values):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable.value, lambda x, y: x.assign(y), args=(value,), group=False
            )

    tf.distribute.get_replica_context().merge_call(assign, args=(list(values),))


@contextlib.contextmanager
def own_seeds(gan, draws: Draws):
    """Inside, dropout draws other numbers on each replica.

    Each has a copy of every layer's seed, and all copies are equal, so all would drop
    the same places. Replica r moves its copies on, for the time of a step, as slices of
    a batch do (`gan_lib.accumulation`); the first one draws what one device draws.
    """
    if draws.replicas == 1:
        yield
        return
    players = gan.generator, gan.discriminator
    seeds = [
        x for network in players for x in network.non_trainable_variables if is_seed(x)
    ]
    distance = tf.cast(draws.replica, "int64") * (gan.accumulate * SEED_STRIDE)
    _shift(seeds, distance)
    yield
    _shift(seeds, -distance)


def _shift(seeds: Iterable, distance) -> None:
    for seed in seeds:
        seed.assign(seed.value + tf.stack([distance, tf.zeros_like(distance)]))


def take_sums(optimizer) -> None:
    """Have a Keras optimizer take gradients as they are: they are the sums already.

    It adds them up over the replicas before it moves, and has no argument that says
    otherwise, so its method for that is replaced. It belongs to this training alone.
    """
    if count() > 1:
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        optimizer._all_reduce_sum_gradients = list
