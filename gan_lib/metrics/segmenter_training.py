"""How the segmenter behind `segmentation_score` is built and trained, in a minute.

Trained on faithful pictures alone, the network learns to read the outlines, and those
are what a colouring network is handed: it then scores a bare line drawing nearly as
high as the finished picture. So some of its pictures are spoiled on purpose, with
labels that say what the paint shows: an outline without paint, or without colour, is
"unpainted", and skin in hair's colour is hair.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from gan_lib.data import python_calls
from gan_lib.data.faces import Faces
from gan_lib.data.pipeline import Batches, to_float
from gan_lib.layers import BatchNormalization, Conv2D, UpsampleConv2D
from gan_lib.optimizers import Adam
from gan_lib.randomness import Draws

VOID = -1  # label of a pixel that counts neither in training nor in the score


class Recipe(NamedTuple):
    """Every setting of the training; each one is part of the cached file's name."""

    num_faces: int = 1600
    batch_size: int = 8
    steps: int = 1300
    learning_rate: float = 4e-3
    widths: tuple[int, ...] = (16, 48, 96)  # channels at 1/2, 1/4, 1/8 of the side
    line_share: float = 0.05  # of the pictures in a batch
    grey_share: float = 0.05
    moved_share: float = 0.2
    rare_weight: float = 3.0  # of a pixel that is neither background, skin nor hair
    version: int = 1  # raise it when this file changes what is learned


def build(
    size: int, outputs: int, widths: tuple[int, ...], seed: int = 0
) -> keras.Model:
    """A small U-Net: images (B, size, size, 3) -> logits (B, size, size, outputs).

    Ronneberger et al. 2015, arXiv:1505.04597. Ours differs: it works at half the size
    but for the last layers, skips are added, and the mean over the picture joins at
    the lowest map (Liu et al. 2015, arXiv:1506.04579), because which colour
    is the hair's can only be told from the whole.
    """
    seeds = iter(range(1000 * seed, 1000 * seed + 1000))
    single = {"dtype": "float32"}  # whatever the policy of the reader's own networks

    def block(x, filters, layer=Conv2D, **kwargs):
        kernel = keras.initializers.HeNormal(seed=next(seeds))
        kwargs |= {"padding": "same", "use_bias": False, "kernel_initializer": kernel}
        x = layer(filters, **kwargs, **single)(x)
        x = BatchNormalization(momentum=0.9, **single)(x)
        return keras.layers.ReLU(**single)(x)

    def convolution(x, filters, kernel_size, **kwargs):
        kernel = keras.initializers.GlorotUniform(seed=next(seeds))
        kwargs |= {"padding": "same", "kernel_initializer": kernel}
        return Conv2D(filters, kernel_size, **kwargs, **single)(x)

    images = keras.Input((size, size, 3), dtype="float32")
    x, skips = images, []
    for filters in widths:
        x = block(x, filters, kernel_size=4, strides=2)
        x = block(x, filters, kernel_size=3)
        skips.append(x)
    whole = keras.layers.GlobalAveragePooling2D(keepdims=True, **single)(x)
    x = keras.layers.Add(**single)([x, convolution(whole, widths[-1], 1)])
    for filters, skip in zip(widths[-2::-1], skips[-2::-1], strict=True):
        x = block(x, filters, UpsampleConv2D, kernel_size=3)
        x = keras.layers.Add(**single)([x, skip])
        x = block(x, filters, kernel_size=3)
    x = block(x, widths[0] // 2, UpsampleConv2D, kernel_size=3)
    x = keras.layers.Concatenate(**single)([x, images])  # where exactly an edge is
    x = convolution(x, widths[0], 3, activation="relu")
    x = convolution(x, outputs, 1)  # (B, size, size, outputs)
    return keras.Model(images, x, name="segmenter")


def train(
    faces: Faces,
    numbers: np.ndarray,
    recipe: Recipe,
    *,
    seed: int,
    progress: bool,
) -> keras.Model:
    """Train the network on `faces`.

    In float32 on every machine: with so few channels bfloat16 is hardly faster.

    Args:
        faces: pictures with line art and labels.
        numbers: int (classes,), the network's output for each label, VOID for none;
            0, 1 and 2 are background, skin and hair.
        recipe: see `Recipe`.
        seed: of the weights, the order and the spoiling.
        progress: show a bar.
    Returns: the trained network, as `build` describes it.
    """
    size, outputs = faces.images.shape[1], int(numbers.max()) + 2
    network = build(size, outputs, recipe.widths, seed)
    warm_up = recipe.steps // 20
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 20,
        recipe.steps - warm_up,
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(Adam(rate), loss, jit_compile=False)
    dataset = _dataset(faces, numbers, recipe, seed)
    with tqdm(
        desc="training segmenter", total=recipe.steps, leave=False, disable=not progress
    ) as bar:
        count = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: bar.update()
        )
        network.fit(dataset, shuffle=False, verbose=0, callbacks=[count])
    return network


def spoil(images, line, labels, unpainted: int, recipe: Recipe, draws: Draws):
    """Spoil some of a batch, with labels that say what the paint shows now.

    Three ways, each in its share of the pictures: the line art alone, on white or on
    paper of any colour; nearly grey; or patches of background, skin or hair in the
    colour of another of the three. The first two become `unpainted` everywhere, the
    patches what they were given the colour of.

    Args:
        images: float32 (B, H, W, 3) in [-1, 1].
        line: float32 (B, H, W, 1), 0 ink, 1 paper.
        labels: int32 (B, H, W, 1); 0, 1, 2 are background, skin and hair.
        unpainted: the label of what has no paint.
        recipe: gives the shares.
        draws: random numbers.
    Returns: images and labels, of the shapes given.
    """
    size = images.shape[1:3]
    one = (images.shape[0], 1, 1, 1)
    paper = draws.uniform("paper", (*one[:3], 3), -0.2, 1.0)
    paper = tf.where(draws.uniform("white", one) < 0.5, 1.0, paper)
    drawn = (paper + 1) * line - 1

    grey = tf.image.rgb_to_grayscale(images)
    grey += draws.uniform("saturation", one, 0.0, 0.12) * (images - grey)

    region = tf.cast(draws.uniform("region", one, 0.0, 3.0), tf.int32)
    other = tf.cast(draws.uniform("other", one, 1.0, 3.0), tf.int32)
    other = (region + other) % 3
    paint = tf.cast(labels == other, tf.float32) * line
    area = tf.reduce_sum(paint, (1, 2), keepdims=True)
    colour = tf.reduce_sum(images * paint, (1, 2), keepdims=True) / (area + 1e-3)
    patches = tf.image.resize(draws.uniform("patches", (*one[:1], 4, 4, 1)), size)
    patches = patches > draws.uniform("share", one, -0.5, 0.6)
    patches = patches & (labels == region) & (area > 0)
    moved = images + tf.cast(patches, tf.float32) * line * (colour - images)

    kind = draws.uniform("kind", one)
    first = kind < recipe.line_share
    second = kind < recipe.line_share + recipe.grey_share
    third = kind < recipe.line_share + recipe.grey_share + recipe.moved_share
    images = tf.where(third, moved, images)
    images = tf.where(first, drawn, tf.where(second, grey, images))
    labels = tf.where(second, unpainted, tf.where(third & patches, other, labels))
    return images, labels


def weather(images, draws: Draws):
    """Slight blur, paler colours, light, tint and noise, which may be in good pictures.

    Args:
        images: float32 (B, H, W, 3).
        draws: random numbers.
    Returns: the same shape, a little outside [-1, 1] in places.
    """
    one = (images.shape[0], 1, 1, 1)
    blurred = tf.nn.avg_pool2d(images, 3, 1, "SAME")
    images += draws.uniform("blur", one, 0.0, 0.7) * (blurred - images)
    grey = tf.image.rgb_to_grayscale(images)
    images = grey + draws.uniform("vividness", one, 0.4, 1.1) * (images - grey)
    images *= draws.uniform("contrast", one, 0.85, 1.1)
    images += draws.uniform("tint", (*one[:3], 3), -0.06, 0.06)
    noise = draws.normal("noise", images.shape)
    return images + draws.uniform("noise level", one, 0.0, 0.06) * noise


def _dataset(faces: Faces, numbers: np.ndarray, recipe: Recipe, seed: int):
    """Batches of images, labels (B, H, W) and the weight of each pixel."""
    labels = numbers[faces.labels].astype(np.uint8)  # VOID becomes 255
    # One array, so that a picture, its outline and its labels cannot come apart.
    together = np.concatenate([faces.images, faces.line, labels[..., None]], axis=-1)
    batches = Batches(together, recipe.batch_size, seed=seed, flip=True)
    unpainted = int(numbers.max()) + 1

    collect = python_calls.counted(batches.collect)

    def sample(step):
        values = tf.numpy_function(collect, [step], tf.uint8, stateful=False)
        values = tf.ensure_shape(values, (recipe.batch_size, *together.shape[1:]))
        images, line, labels = tf.split(values, (3, 1, 1), axis=-1)
        void, labels = labels == 255, tf.cast(labels, tf.int32)
        draws = Draws(tf.stack([tf.cast(step, tf.int32), seed % 2**31]))
        line = tf.cast(line, tf.float32) / 255
        images, labels = spoil(to_float(images), line, labels, unpainted, recipe, draws)
        rare = (labels > 2) & (labels != unpainted)
        weights = tf.where(void, 0.0, tf.where(rare, recipe.rare_weight, 1.0))
        labels = tf.where(void, 0, labels)
        return weather(images, draws), labels[..., 0], weights[..., 0]

    steps = tf.data.Dataset.range(recipe.steps)
    return steps.map(sample, num_parallel_calls=2, deterministic=True).prefetch(4)
