"""What `GAN.fit` does where a `tf.distribute` strategy has several replicas.

Keras 3 has no working `fit` under `MultiWorkerMirroredStrategy`: it stumbles over the
scalars a step logs (github.com/keras-team/keras/issues/20585, open since 2024), and
under any strategy over `steps_per_execution`. Both come from the function it wraps
around a step. So `fit` is given one made here, on the same engine (`Strategy.run`,
`Strategy.distribute_datasets_from_function`), and does the rest as ever.

Every worker makes the whole global batch, which is a pure function of the step's
number, and keeps its own rows. TensorFlow's sharding by file or by element would be
cheaper to read, but which picture is in which batch would then depend on the number
of workers, and a checkpoint could not go on with another.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from gan_lib import checkpoints
from gan_lib.image_pool import ImagePool

SUPPORTED = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
)
# Numbers in one message from the chief: 64 MB.
CHUNK = 2**24


def prepare(gan, batch_size: int) -> None:
    """Look whether this training can be shared, and make its step ready for that.

    Raises: ValueError on another strategy, or what replicas cannot do.
    """
    strategy = gan.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return
    if not isinstance(strategy, SUPPORTED):
        raise ValueError(
            "Expected a `tf.distribute.MirroredStrategy` (one machine) or a "
            "`tf.distribute.MultiWorkerMirroredStrategy` (several): the others are "
            f"not supported by Keras 3 or not tried. Received: "
            f"{type(strategy).__name__}. `gan_lib.devices.strategy()` chooses one."
        )
    players = gan.generator, gan.discriminator
    owners = *players, gan.generator_optimizer, *gan.trackers.values(), gan
    variables = [owner.variables[0].value for owner in owners]
    if not all(isinstance(x, tf.distribute.DistributedValues) for x in variables):
        raise ValueError(
            "Expected a model that was built and compiled under its strategy. Received "
            "one made outside. Put the lines that build and compile it under "
            "`with strategy.scope():`."
        )
    if batch_size % replicas:
        raise ValueError(
            f"Expected a global batch that {replicas} replicas can share equally. "
            f"Received: {batch_size} images. Choose a multiple of {replicas}."
        )
    if gan.jit_compile:
        raise ValueError(
            "Expected `jit_compile` to be False with several replicas: XLA cannot "
            "compile what they say to each other. Received: True. Leave it out, or "
            'write `jit_compile="auto"`.'
        )
    _check_conditions(gan)
    _draw_alone(gan)
    # A `GAN` is built. Keras would build it on a batch, and fails to put one together
    # from the workers' parts where it holds more than one tensor.
    gan._maybe_symbolic_build = lambda **_: None
    if gan.train_function is None:
        gan.train_function = _train_function(gan)


def _check_conditions(gan) -> None:
    """Refuse what would have replicas talk inside a loop or a lazy penalty."""
    for player in (gan.generator, gan.discriminator):
        together = any(
            getattr(x, "synchronized", False) for x in player._flatten_layers()
        )
        lazy = gan.penalty is not None and gan.penalty_every > 1
        if together and (gan.accumulate > 1 or lazy and player is gan.discriminator):
            raise ValueError(
                "Expected `accumulate=1` and `penalty_every=1` with synchronized batch "
                "normalization: replicas cannot compare their batches inside a loop "
                f"or a condition. Received: accumulate={gan.accumulate}, "
                f"penalty_every={gan.penalty_every}"
            )
    if any(isinstance(x, ImagePool) for x in gan.memory.values()):
        raise ValueError(
            "Expected no pool of earlier fakes with several replicas: they share one "
            "and cannot fill it together. Build the model with `pool_size=0`."
        )


def _draw_alone(gan) -> None:
    """Have `predict` compute here what is asked here, as a callback of the chief may.

    Else it would wait for all workers to ask for the same number of pictures.
    """
    for layer in gan._flatten_layers(include_self=False):
        if isinstance(layer, keras.Model):
            layer._distribute_strategy = None


def _train_function(gan):
    """What `fit` calls with its iterator: `steps_per_execution` steps."""
    strategy = gan.distribute_strategy

    @tf.function(reduce_retracing=True, autograph=False)
    def one_step(iterator):
        logs = strategy.run(gan.train_step, (next(iterator),))
        # The replicas have agreed on them inside the step.
        return tf.nest.map_structure(
            lambda x: strategy.experimental_local_results(x)[0], logs
        )

    def steps(iterator):
        for _ in range(gan.steps_per_execution):
            logs = one_step(iterator)
        return logs

    return steps


def shared(gan, dataset: tf.data.Dataset, batch_size: int):
    """The dataset as `fit` takes it: on each replica its own rows of each batch.

    Replica r of R gets rows r B / R to (r + 1) B / R, as in `gan_lib.randomness.Draws`.
    """
    strategy = gan.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return dataset
    size = batch_size // replicas

    def of_worker(context):
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def rows(*batches):
            parts = tf.nest.map_structure(
                lambda x: tf.reshape(
                    x[first * size : (first + local) * size],
                    (local, size, *x.shape[1:]),
                ),
                batches if len(batches) > 1 else batches[0],
            )
            return tf.data.Dataset.from_tensor_slices(parts)

        return dataset.flat_map(rows).prefetch(2 * local)

    return strategy.distribute_datasets_from_function(of_worker)


def are_several(strategy) -> bool:
    """Whether there are other processes that train the same model."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    return _processes(strategy) > 1


def is_chief(strategy) -> bool:
    """Whether this process is the one that keeps checkpoints."""
    if not are_several(strategy):
        return True
    resolver = strategy.cluster_resolver
    named = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "chief" or (not named and resolver.task_id == 0)


def loaded_by_chief(strategy, load: Callable | None):
    """What `load()` finds, arrays and metadata or None; only the chief has one.

    So the workers need no folder in common, and none reads what is being written.
    Raises: RuntimeError on the others where it failed on the chief.
    """
    if load is not None and not are_several(strategy):
        return load()
    length, sent = 0, io.BytesIO()
    if load is not None:
        try:
            found = load()
        except Exception:
            _sum(strategy, np.array([-1]))
            raise
        if found is not None:
            checkpoints.pack(sent, *found)
        length = sent.tell()
    length = int(_sum(strategy, np.array([length]))[0])
    if length < 0:
        raise RuntimeError(
            "The chief, worker 0, could not load its checkpoint; it says why. Start "
            "all workers again when that is mended."
        )
    if length == 0:
        return None
    numbers = np.zeros(-(-length // 4), "int32")
    numbers.view("uint8")[: len(sent.getbuffer())] = sent.getbuffer()
    parts = np.split(numbers, range(CHUNK, len(numbers), CHUNK))
    numbers = np.concatenate([_sum(strategy, part) for part in parts])
    return checkpoints.unpack(io.BytesIO(numbers.tobytes()[:length]))


def _processes(strategy) -> int:
    jobs = strategy.cluster_resolver.cluster_spec().as_dict()
    return sum(len(jobs.get(job, ())) for job in ("chief", "worker"))


def _sum(strategy, numbers: np.ndarray) -> np.ndarray:
    """Added up over the workers; each gives an array of one shape and gets the sum."""

    def give(context):
        local = strategy.num_replicas_in_sync // _processes(strategy)
        first = context.replica_id_in_sync_group % local == 0
        return tf.constant(numbers if first else np.zeros_like(numbers))

    given = strategy.experimental_distribute_values_from_function(give)
    return strategy.reduce("SUM", given, axis=None).numpy()


class Together(keras.callbacks.Callback):
    """Workers stop at the same tick, and leave only when the chief has saved.

    One of them may run out of time or patience before the others, which would then wait
    for ever for its next message. It comes last of the callbacks.
    """

    def __init__(self, strategy):
        super().__init__()
        self.strategy = strategy

    def on_epoch_end(self, epoch, logs=None):
        wants = np.array([self.model.stop_training], "int32")
        self.model.stop_training = bool(_sum(self.strategy, wants)[0])

    def on_train_end(self, logs=None):
        _sum(self.strategy, np.zeros(1, "int32"))
