"""Training the default detector's network on drawn scenes.

python -m data_prep.detectors.training.train SPRITES --work /tmp/detector

SPRITES is the folder `sprites` of github.com/ShatReal/sutemo (CC0 1.0, commit b361253).
Takes about half an hour on two cores: drawing the scenes, then the steps. Needs Keras
and, for drawing, resvg-py, dicebear-core and dicebear-styles. The weights that come
with the package were made so, with --policy mixed_bfloat16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_prep.atomic import replacing
from data_prep.detectors import network
from data_prep.detectors.network import REFERENCE, STRIDE
from data_prep.detectors.training.stored import draw_shards
from gan_lib.layers import BatchNormalization  # fused: a step takes 0.6 of the time

_PRIOR = -4.6  # heat before training: 1 % in each cell, as in focal loss (1708.02002)


def build() -> keras.Model:
    """`network.heads` in Keras, with batch norm after each convolution."""

    def conv(x, name: str, filters, kernel, stride, dilation, relu: bool):
        is_output = name == "map"
        x = keras.layers.Conv2D(
            filters,
            kernel,
            stride,
            padding="same",
            dilation_rate=dilation,
            use_bias=is_output,
            kernel_initializer="he_normal",
            dtype="float32" if is_output else None,
            name=name,
        )(x)
        if is_output:
            return x
        x = BatchNormalization(momentum=0.97, name=f"{name}.norm")(x)
        return keras.layers.ReLU()(x) if relu else x

    x = keras.Input((None, None, 3))
    doubled = keras.layers.UpSampling2D
    model = keras.Model(x, network.heads(x, conv, lambda x: doubled(2)(x)))
    model.get_layer("map").bias.assign([_PRIOR, 0, 0, 0])
    return model


def targets(heads: tf.Tensor, unsure: tf.Tensor, side: int) -> tuple[tf.Tensor, ...]:
    """What the maps should show.

    Args:
        heads, unsure: float32 (n, k, 3): middle and side in pixels; side 0: no head.
        side: of the square pictures.
    Returns: heat (n, c, c), a Gaussian around each middle with c = side / 8; wanted
        values (n, c, c, 3) of size and offset of the nearest head; weight (n, c, c) of
        the heat, 0 around unsure heads.
    """
    grid = (tf.range(side // STRIDE, dtype=tf.float32) + 0.5) * STRIDE
    dx = heads[:, None, None, :, 0] - grid[None, None, :, None]
    dy = heads[:, None, None, :, 1] - grid[None, :, None, None]
    size = heads[:, None, None, :, 2]
    spread = tf.maximum(0.07 * size, 0.5 * STRIDE)
    heat = tf.exp(-(dx**2 + dy**2) / (2 * spread**2)) * tf.cast(size > 0, tf.float32)
    best = tf.argmax(heat, axis=-1)
    values = tf.stack(
        [
            tf.broadcast_to(_log2(tf.maximum(size, 1) / REFERENCE), tf.shape(heat)),
            tf.broadcast_to(dx / STRIDE, tf.shape(heat)),
            tf.broadcast_to(dy / STRIDE, tf.shape(heat)),
        ],
        axis=-1,
    )
    values = tf.gather(values, best, axis=3, batch_dims=3)
    far = [
        tf.abs(unsure[:, None, None, :, 0] - grid[None, None, :, None]),
        tf.abs(unsure[:, None, None, :, 1] - grid[None, :, None, None]),
    ]
    near = tf.maximum(*far) < unsure[:, None, None, :, 2] / 2
    heat = tf.reduce_max(heat, axis=-1)
    weight = tf.where(tf.reduce_any(near, -1) & (heat < 0.5), 0.0, 1.0)
    return heat, values, weight


def _log2(x: tf.Tensor) -> tf.Tensor:
    return tf.math.log(x) / np.log(2)


def loss(maps: tf.Tensor, heads: tf.Tensor, unsure: tf.Tensor, side: int) -> tf.Tensor:
    """Focal loss of the heat (arXiv 1904.07850, equation 1, with the cell nearest to
    the middle as 1) plus the mean absolute error of size and offset near a middle."""
    heat, values, weight = targets(heads, unsure, side)
    maps = tf.cast(maps, tf.float32)
    logit = maps[..., 0]
    p = tf.clip_by_value(tf.sigmoid(logit), 1e-5, 1 - 1e-5)
    peak = tf.nn.max_pool2d(heat[..., None], 3, 1, "SAME")[..., 0]
    is_middle = (heat >= peak) & (heat > 0.5)
    at_middle = -((1 - p) ** 2) * tf.math.log(p)
    elsewhere = -((1 - heat) ** 4) * p**2 * tf.math.log(1 - p)
    focal = tf.reduce_sum(weight * tf.where(is_middle, at_middle, elsewhere))
    near = tf.where(heat > 0.5, heat, 0.0)
    # An offset of a cell matters less the larger the head is.
    cells = tf.maximum(REFERENCE / STRIDE * 2 ** values[..., :1], 3)
    scale = tf.concat([tf.ones_like(cells) * 2, 4 / cells, 4 / cells], -1)
    error = tf.reduce_sum(tf.abs(maps[..., 1:] - values) * scale, -1)
    count = tf.maximum(tf.reduce_sum(tf.cast(is_middle, tf.float32)), 1)
    return focal / count + tf.reduce_sum(near * error) / (tf.reduce_sum(near) + 1)


def _loaded(paths: list[Path]) -> list[np.ndarray]:
    files = [np.load(path) for path in paths]
    return [
        np.concatenate([file[name] for file in files])
        for name in ("pixels", "heads", "unsure")
    ]


def _batch(data, rows: np.ndarray, crop: int, rng: np.random.Generator):
    """Squares out of scenes, mirrored by chance, in slightly other light."""
    pixels, heads, unsure = (values[rows].copy() for values in data)
    mirrored = rng.random(len(rows)) < 0.5
    pixels[mirrored] = pixels[mirrored, :, ::-1]
    corner = rng.integers(0, pixels.shape[1] - crop + 1, (len(rows), 2))
    for boxes in (heads, unsure):
        boxes[mirrored, :, 0] = pixels.shape[1] - boxes[mirrored, :, 0]
        boxes[..., :2] -= corner[:, None]
    pixels = np.stack(
        [
            p[y : y + crop, x : x + crop]
            for p, (x, y) in zip(pixels, corner, strict=True)
        ]
    )
    # A head whose middle is cut off is neither asked for nor forbidden.
    outside = ((heads[..., :2] < 0) | (heads[..., :2] >= crop)).any(-1, keepdims=True)
    unsure = np.concatenate([unsure, heads * outside], axis=1)
    x = pixels.astype(np.float32) / 127.5 - 1
    x *= rng.uniform(0.85, 1.1, (len(rows), 1, 1, 3))
    x += rng.uniform(-0.1, 0.1, (len(rows), 1, 1, 1))
    return np.clip(x, -1, 1).astype(np.float32), heads * ~outside, unsure


def train(
    data, *, steps: int, batch: int, crop: int, rate: float, seed: int
) -> keras.Model:
    """Adam, with a rate that rises, then falls along a cosine to zero."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model, count = build(), len(data[0])
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, steps, warmup_target=rate, warmup_steps=steps // 20
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=5.0)

    @tf.function(reduce_retracing=True)
    def step(x, heads, unsure):
        with tf.GradientTape() as tape:
            value = loss(model(x, training=True), heads, unsure, crop)
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return value

    order, mean = np.empty(0, int), 0.0
    for k in range(steps):
        if len(order) < batch:
            order = rng.permutation(count)
        rows, order = order[:batch], order[batch:]
        mean += (float(step(*_batch(data, rows, crop, rng))) - mean) / min(k + 1, 100)
        if k % 100 == 99:
            print(f"step {k + 1}/{steps} loss {mean:.3f}", flush=True)
    return model


def folded(model: keras.Model) -> dict[str, np.ndarray]:
    """Kernels and biases with the batch norm multiplied in, float16.

    y = gamma (w x - mean) / sqrt(variance + epsilon) + beta, so the kernel becomes
    w gamma / sqrt(variance + epsilon).
    """
    arrays = {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        bias = keras.ops.convert_to_numpy(layer.bias) if layer.use_bias else 0.0
        if not layer.use_bias:
            norm = model.get_layer(f"{layer.name}.norm")
            gamma, beta, mean, variance = (np.array(v) for v in norm.get_weights())
            factor = gamma / np.sqrt(variance + norm.epsilon)
            kernel = kernel * factor
            bias = beta - mean * factor
        arrays[f"{layer.name}/kernel"] = kernel.astype(np.float16)
        arrays[f"{layer.name}/bias"] = np.asarray(bias).astype(np.float16)
    return arrays


def main(arguments: list[str] | None = None) -> None:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=text)
    parser.add_argument("sprites", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="keeps the scenes")
    parser.add_argument("--output", type=Path, default=network.WEIGHTS)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--scenes", type=int, default=2500, help="in each shard")
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=256, help="out of the scenes")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policy", default="float32", help="or mixed_bfloat16")
    a = parser.parse_args(arguments)
    paths = draw_shards(
        a.sprites,
        a.work,
        shards=a.shards,
        scenes=a.scenes,
        side=a.side,
        workers=a.workers,
    )
    keras.config.set_dtype_policy(a.policy)
    model = train(
        _loaded(paths),
        steps=a.steps,
        batch=a.batch,
        crop=a.crop,
        rate=a.rate,
        seed=a.seed,
    )
    with replacing(a.output) as file:
        np.savez_compressed(file, **folded(model))
    print(f"{a.output}: {a.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
