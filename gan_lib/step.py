"""The body of the training loop: one move of each player on one batch."""

from __future__ import annotations

import tensorflow as tf

from gan_lib import accumulation, penalties, replicas
from gan_lib.accumulation import Move
from gan_lib.randomness import Draws

# What `gan.fault` counts: the first of these that is not a finite number.
FAULTS = (
    "real_images",
    "discriminator_loss",
    "discriminator_gradients",
    "generator_loss",
    "generator_gradients",
)


def train(gan, real_images):
    """One step of `GAN`, whose docstring says what it does.

    Args:
        gan: the `GAN`; its three hooks say what each player wants.
        real_images: float32 (B, H, W, C), range [-1, 1], or several such batches of
            one length, in a tuple.
    Returns: dict of running means, one for each of `gan.log_names`.
    """
    draws = replicas.draws(gan.seed_generator.next())
    batch = _batch_size(real_images) * draws.replicas
    running = accumulation.snapshot(
        weight
        for player in (gan.generator, gan.discriminator)
        for weight in player.non_trainable_weights
    )
    total = tf.add_n([tf.reduce_sum(batch) for batch in tf.nest.flatten(real_images)])
    _check(gan, "real_images", *replicas.total([total]))
    with replicas.own_seeds(gan, draws):
        _take_turns(gan, real_images, draws, batch)
    # A bad batch must not stay in batch-norm averages.
    sound = tf.equal(gan.fault.value, 0)
    tf.cond(sound, lambda: None, lambda: accumulation.put_back(running))
    gan.images_seen.assign_add(batch)
    return {name: tracker.result() for name, tracker in gan.trackers.items()}


def _take_turns(gan, real_images, draws, batch):
    """Who moves in this step, and in which order."""
    if gan.discriminator_steps == 0:
        _turn_of_generator(gan, real_images, draws, batch)
    elif gan.simultaneous:
        _turn_of_both(gan, real_images, draws, batch)
    elif gan.discriminator_steps == 1:
        _turns_on_the_same_fakes(gan, real_images, draws, batch)
    else:
        _turn_of_discriminator(gan, real_images, draws, batch)
        number = gan.images_seen.value // batch + 1

        def follow(real_images, draws):
            _turn_of_generator(gan, real_images, draws, batch)

        due = number % gan.discriminator_steps == 0
        replicas.when(due, follow, real_images, draws)


def shown(gan, images, draws: Draws, name: str):
    """Images as the discriminator sees them: augmented, where `compile` was told so.

    `name`: of the occasion; each has random numbers of its own.
    """
    if gan.augmentation is None:
        return images
    return gan.augmentation.change(images, draws, f"augment_{name}")


def draw_labels(name: str, bounds, logits, draws: Draws):
    """A label for each logit, from U(*bounds)."""
    return draws.uniform(name, tf.unstack(tf.shape(logits)), *bounds)


def describe(real_logits, fake_logits, middle: float) -> dict[str, tf.Tensor]:
    """What is logged of a discriminator: means over its maps of logits.

    Args:
        real_logits, fake_logits: lists of tensors; each map counts the same.
        middle: above it an image is called real, below it fake.
    """

    def mean(maps):
        means = [tf.reduce_mean(tf.cast(x, tf.float32)) for x in maps]
        return tf.add_n(means) / len(means)

    return {
        "real_logits": mean(real_logits),
        "fake_logits": mean(fake_logits),
        "real_accuracy": mean([x > middle for x in real_logits]),
        "fake_accuracy": mean([x < middle for x in fake_logits]),
    }


def penalty(gan, real_images, fake_images, draws: Draws, discriminator=None):
    """The weighted penalty `gan.compile` was asked for, 0 in the steps it skips.

    `discriminator`: the part of the player that sees these images; None: all of it.
    """
    if gan.penalty is None:
        return 0.0
    discriminator = discriminator or gan.playing("discriminator")

    def critic(images, training=True):
        return discriminator(shown(gan, images, draws, "penalty"), training=training)

    def compute():
        if gan.penalty == "r1":
            value = penalties.r1_penalty(critic, real_images)
        elif gan.penalty == "gradient_penalty":
            eps = draws.uniform("eps", (tf.shape(real_images)[0], 1, 1, 1))
            value = penalties.gradient_penalty(critic, real_images, fake_images, eps)
        else:
            judge = discriminator if gan.augmentation is None else critic
            value = gan.penalty(judge, real_images, fake_images, draws)
        return gan.penalty_weight * gan.penalty_every * value

    return lazily(gan, gan.penalty_every, real_images, draws, compute)


def lazily(gan, every: int, real_images, draws: Draws, compute):
    """`compute()`, a float32 scalar, in one of `every` steps, 0 in the others."""
    if every == 1:
        return compute()
    batch = tf.shape(real_images, tf.int64)[0] * draws.replicas
    number = gan.images_seen.value // batch
    return tf.cond(number % every == 0, compute, lambda: 0.0)


def _batch_size(real_images):
    return tf.shape(tf.nest.flatten(real_images)[0], tf.int64)[0]


def _turn_of_both(gan, real_images, draws, batch):
    """Both moves at once, each against the other player as it stood."""

    def compute(real_images, draws):
        with tf.GradientTape() as generator_tape, tf.GradientTape() as judge_tape:
            fake_images = gan.forward(real_images, draws)
            seen = shown(gan, fake_images, draws, "fake")
            fake_logits = gan.judge_fakes(real_images, seen)
            arguments = real_images, fake_images, draws, fake_logits
            judged = _objective(gan, "discriminator", *arguments)
            drawn = _objective(gan, "generator", *arguments)
        # Gradients come before the first move: the logits belong to the old weights.
        return {
            "discriminator": _move(gan, "discriminator", judge_tape, judged),
            "generator": _move(gan, "generator", generator_tape, drawn),
        }

    players = "discriminator", "generator"
    moves = accumulation.in_slices(gan, players, compute, real_images, draws)
    for player in players:
        _apply(gan, player, moves[player], batch)


def _turns_on_the_same_fakes(gan, real_images, draws, batch):
    """The discriminator moves, then the generator, judged by it on the same fakes."""
    if gan.accumulate > 1:  # they are made again: the same, from the same state
        before = accumulation.snapshot(gan.generator.non_trainable_variables)
        _turn_of_discriminator(gan, real_images, draws, batch)
        accumulation.put_back(before)
        _turn_of_generator(gan, real_images, draws, batch)
        return
    with tf.GradientTape() as tape:
        fake_images = gan.forward(real_images, draws)
        with tape.stop_recording():
            move = _judge(gan, real_images, fake_images, draws)
            _apply(gan, "discriminator", move, batch)
        drawn = _objective(gan, "generator", real_images, fake_images, draws)
    _apply(gan, "generator", _move(gan, "generator", tape, drawn), batch)


def _turn_of_discriminator(gan, real_images, draws, batch):
    def compute(real_images, draws):
        fake_images = gan.forward(real_images, draws)
        return {"discriminator": _judge(gan, real_images, fake_images, draws)}

    _take_turn(gan, "discriminator", compute, real_images, draws, batch)


def _turn_of_generator(gan, real_images, draws, batch):
    def compute(real_images, draws):
        with tf.GradientTape() as tape:
            fake_images = gan.forward(real_images, draws)
            drawn = _objective(gan, "generator", real_images, fake_images, draws)
        return {"generator": _move(gan, "generator", tape, drawn)}

    _take_turn(gan, "generator", compute, real_images, draws, batch)


def _take_turn(gan, player, compute, real_images, draws, batch):
    moves = accumulation.in_slices(gan, (player,), compute, real_images, draws)
    _apply(gan, player, moves[player], batch)


def _judge(gan, real_images, fake_images, draws) -> Move:
    """The discriminator's move on these images."""
    fake_images = tf.nest.map_structure(tf.stop_gradient, fake_images)
    with tf.GradientTape() as tape:
        judged = _objective(gan, "discriminator", real_images, fake_images, draws)
    return _move(gan, "discriminator", tape, judged)


def _objective(gan, player, real_images, fake_images, draws, *fake_logits):
    """The player's loss, the loss as its optimizer wants it scaled, and logs."""
    hook = getattr(gan, f"{player}_objective")
    loss, logs = hook(real_images, fake_images, draws, *fake_logits)
    scaled = getattr(gan, f"{player}_optimizer").scale_loss(loss / draws.replicas)
    return loss, scaled, logs


def _move(gan, player, tape, objective) -> Move:
    loss, scaled, logs = objective
    return Move(loss, tape.gradient(scaled, gan.player_variables(player)), logs)


def _apply(gan, player, move: Move, batch):
    """Move a player, unless this step or an earlier one met a bad number."""
    loss, gradients, logs = replicas.agree(gan, *move)
    optimizer = getattr(gan, f"{player}_optimizer")
    scale = optimizer.scale_loss(1.0)  # 1 without loss scaling
    norm = tf.linalg.global_norm(gradients) / scale
    _check(gan, f"{player}_loss", loss)
    # Under a large loss scale an infinite gradient is normal: the optimizer skips
    # it and halves the scale. When that goes on below 1, it never was the scale.
    searching = scale > 1 if hasattr(optimizer, "dynamic_scale") else False
    _check(gan, f"{player}_gradients", tf.where(searching, 0.0, norm))

    def move_it(gradients):
        replicas.take_sums(optimizer)
        optimizer.apply(gradients, gan.player_variables(player))
        if player == "generator":
            _average(gan, batch)

    replicas.when(tf.equal(gan.fault.value, 0), move_it, gradients)
    logs = {f"{player}_loss": loss, f"{player}_gradient_norm": norm, **logs}
    for name, value in logs.items():
        gan.trackers[name].update_state(value)


def _average(gan, batch) -> None:
    """One step of the averaged generator towards the trained one."""
    if gan.ema_generator is gan.generator:
        return
    seen = tf.cast(gan.images_seen.value + batch, tf.float32) / 1000
    half_life = tf.minimum(float(gan.ema_half_life_kimg), 0.05 * seen)
    decay = tf.pow(0.5, tf.cast(batch, tf.float32) / (1000 * half_life))
    averages, weights = gan.ema_generator.weights, gan.generator.weights
    values = [
        x.value + (1 - decay) * (tf.cast(weight.value, x.dtype) - x.value)
        for x, weight in zip(averages, weights, strict=True)
    ]
    replicas.write(averages, values)


def _check(gan, name: str, value) -> None:
    """Remember the first number that is not finite, and when it came."""
    first_bad = ~tf.math.is_finite(value) & tf.equal(gan.fault.value, 0)
    number = FAULTS.index(name) + 1
    gan.fault.assign(tf.where(first_bad, number, gan.fault.value))
    gan.fault_image.assign(
        tf.where(first_bad, gan.images_seen.value, gan.fault_image.value)
    )
