"""The published graphs of ProGAN, StyleGAN and StyleGAN2, written out in float64.

Maps are (N, C, H, W) and operations in the order of the authors' graphs, from their
description; variables are those of a file, by name. Nothing of gan_lib is used.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

ROOT2 = 2**0.5


def scaled(w, gain=1.0, rate=1.0, inputs=None):
    inputs = np.prod(w.shape[:-1]) if inputs is None else inputs
    return w.astype("float64") * (gain * rate / np.sqrt(inputs))


def conv(x, w, stride=1, padding="SAME"):
    y = tf.nn.conv2d(x.transpose(0, 2, 3, 1), w, stride, padding)
    return y.numpy().transpose(0, 3, 1, 2)


def conv_up(x, w, side, padding="SAME"):
    """The transposed convolution by 2; kernel (h, w, out, in)."""
    shape = (len(x), side, side, w.shape[2])
    y = tf.nn.conv2d_transpose(x.transpose(0, 2, 3, 1), w, shape, 2, padding)
    return y.numpy().transpose(0, 3, 1, 2)


def shifted(w):
    padded = np.pad(w, ((1, 1), (1, 1), (0, 0), (0, 0)))
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]


def nearest(x):
    return x.repeat(2, 2).repeat(2, 3)


def mean2(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))


def bias(x, b):
    return x + b.astype("float64").reshape(1, -1, *[1] * (x.ndim - 2))


def lrelu(x):
    return np.maximum(x, 0.2 * x)


def pixel_norm(x):
    return x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-8)


def statistic(x, group=4):
    group = min(group, len(x))
    y = x.reshape(group, -1, *x.shape[1:])
    y = np.sqrt(((y - y.mean(0)) ** 2).mean(0) + 1e-8).mean((1, 2, 3))
    y = np.tile(y[:, None, None, None], (group, 1, *x.shape[2:]))
    return np.concatenate([x, y], 1)


def fir(x, taps, up=1, down=1, pad=(0, 0)):
    """Zeros between pixels, zeros around, the filter, every `down`th pixel."""
    n, c, h, w = x.shape
    wide = np.zeros((n, c, h * up, w * up))
    wide[:, :, ::up, ::up] = x
    wide = np.pad(wide, ((0, 0), (0, 0), pad, pad))
    taps = np.outer(taps, taps)
    k = len(taps)
    height, width = wide.shape[2] - k + 1, wide.shape[3] - k + 1
    y = sum(
        taps[k - 1 - i, k - 1 - j] * wide[:, :, i : i + height, j : j + width]
        for i in range(k)
        for j in range(k)
    )
    return y[:, :, ::down, ::down]


FILTER = np.array([1, 3, 3, 1]) / 8


def sizes_of(size):
    return [4 << n for n in range(1, size.bit_length() - 2)]


def grown(v, pictures, lod):
    """Pictures, the smallest first, each mixed with what was before."""
    images = pictures[0]
    for number, picture in enumerate(pictures[1:], 1):
        level = len(pictures) - 1 - number
        t = np.clip(lod - level, 0, 1)
        images = picture + (nearest(images) - picture) * t
    return images


def to_rgb(v, x, name):
    return bias(conv(x, scaled(v[f"{name}/weight"])), v[f"{name}/bias"])


def progan_generator(v, latents, size):
    def layer(x, name):
        x = conv(x, scaled(v[f"{name}/weight"], ROOT2))
        return pixel_norm(lrelu(bias(x, v[f"{name}/bias"])))

    w = v["4x4/Dense/weight"]
    x = pixel_norm(latents.astype("float64")) @ scaled(w, ROOT2 / 4)
    x = bias(x.reshape(len(x), -1, 4, 4), v["4x4/Dense/bias"])
    x = layer(pixel_norm(lrelu(x)), "4x4/Conv")
    levels = len(sizes_of(size))
    pictures = [to_rgb(v, x, f"ToRGB_lod{levels}")]
    for n, s in enumerate(sizes_of(size), 1):
        name = f"{s}x{s}/Conv0_up"
        if f"{name}/weight" in v:
            w = v[f"{name}/weight"]
            w = shifted(scaled(w, ROOT2, inputs=9 * w.shape[3]))
            x = bias(conv_up(x, w, s), v[f"{name}/bias"])
            x = pixel_norm(lrelu(x))
        else:
            x = layer(nearest(x), f"{s}x{s}/Conv0")
        x = layer(x, f"{s}x{s}/Conv1")
        pictures.append(to_rgb(v, x, f"ToRGB_lod{levels - n}"))
    return grown(v, pictures, v["lod"])


def progan_discriminator(v, images, blur=False):
    def layer(x, name, stride=1):
        w = scaled(v[f"{name}/weight"], ROOT2)
        x = conv(x, w) if stride == 1 else conv(x, shifted(w) / 4, 2)
        return lrelu(bias(x, v[f"{name}/bias"]))

    size = images.shape[2]
    x = layer(images, "FromRGB_lod0")
    for lod, s in enumerate(reversed(sizes_of(size))):
        x = layer(x, f"{s}x{s}/Conv0")
        x = fir(x, [0.25, 0.5, 0.25], pad=(1, 1)) if blur else x
        x = layer(x, f"{s}x{s}/Conv1_down", 2)
        images = mean2(images)
        t = np.clip(v["lod"] - lod, 0, 1)
        x = x + (layer(images, f"FromRGB_lod{lod + 1}") - x) * t
    return end(v, x, ROOT2, 1, "4x4/Dense1")


def end(v, x, gain, after, logit):
    """At 4 x 4; `gain` in the kernels, `after` the activations."""
    w = scaled(v["4x4/Conv/weight"], gain)
    x = after * lrelu(bias(conv(statistic(x), w), v["4x4/Conv/bias"]))
    w = scaled(v["4x4/Dense0/weight"], gain)
    x = after * lrelu(bias(x.reshape(len(x), -1) @ w, v["4x4/Dense0/bias"]))
    return bias(x @ scaled(v[f"{logit}/weight"]), v[f"{logit}/bias"])


def styles(v, latents, gain, after, rate=0.01):
    x, n = pixel_norm(latents.astype("float64")), 0
    while f"mapping/Dense{n}/weight" in v:
        w = scaled(v[f"mapping/Dense{n}/weight"], gain, rate)
        x = after * lrelu(bias(x @ w, rate * v[f"mapping/Dense{n}/bias"]))
        n += 1
    return x


def truncated(v, w, psi):
    average = v["dlatent_avg"].astype("float64")
    return average + psi * (w - average)


def stylegan_generator(v, latents, size, psi=1.0, fused="auto"):
    v = {name.removeprefix("synthesis/"): x for name, x in v.items()}
    w = truncated(v, styles(v, latents, ROOT2, 1), psi)

    def epilogue(x, name, number):
        strength = v[f"{name}/Noise/weight"].reshape(1, -1, 1, 1)
        x = x + v[f"noise{number}"].astype("float64") * strength
        x = lrelu(bias(x, v[f"{name}/bias"]))
        x = x - x.mean((2, 3), keepdims=True)
        x = x / np.sqrt((x * x).mean((2, 3), keepdims=True) + 1e-8)
        style = bias(
            w @ scaled(v[f"{name}/StyleMod/weight"]), v[f"{name}/StyleMod/bias"]
        )
        style = style.reshape(len(x), 2, -1, 1, 1)
        return x * (style[:, 0] + 1) + style[:, 1]

    x = np.repeat(v["4x4/Const/const"].astype("float64"), len(latents), 0)
    x = epilogue(x, "4x4/Const", 0)
    x = epilogue(conv(x, scaled(v["4x4/Conv/weight"], ROOT2)), "4x4/Conv", 1)
    levels = len(sizes_of(size))
    pictures = [to_rgb(v, x, f"ToRGB_lod{levels}")]
    for n, s in enumerate(sizes_of(size), 1):
        kernel = scaled(v[f"{s}x{s}/Conv0_up/weight"], ROOT2)
        if s >= 128 if fused == "auto" else fused:
            x = conv_up(x, shifted(kernel.transpose(0, 1, 3, 2)), s)
        else:
            x = conv(nearest(x), kernel)
        x = fir(x, [0.25, 0.5, 0.25], pad=(1, 1))
        x = epilogue(x, f"{s}x{s}/Conv0_up", 2 * n)
        x = conv(x, scaled(v[f"{s}x{s}/Conv1/weight"], ROOT2))
        x = epilogue(x, f"{s}x{s}/Conv1", 2 * n + 1)
        pictures.append(to_rgb(v, x, f"ToRGB_lod{levels - n}"))
    return grown(v, pictures, v["lod"])


def stylegan2_generator(v, latents, size, psi=1.0, rate=0.01):
    v = {name.removeprefix("synthesis/"): x for name, x in v.items()}
    w = truncated(v, styles(v, latents, 1, ROOT2, rate), psi)

    def modulated(x, name, demodulate=True, up=False):
        """A kernel for each image, one image at a time."""
        style = bias(w @ scaled(v[f"{name}/mod_weight"]), v[f"{name}/mod_bias"]) + 1
        outputs = []
        for image, s in zip(x, style, strict=True):
            kernel = scaled(v[f"{name}/weight"]) * s[:, None]
            if demodulate:
                power = (kernel**2).sum((0, 1, 2))
                kernel = kernel / np.sqrt(power + 1e-8)
            if up:
                turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
                side = 2 * image.shape[1] + 1
                y = conv_up(image[None], turned, side, "VALID")
                y = fir(y, 2 * FILTER, pad=(1, 1))
            else:
                y = conv(image[None], kernel)
            outputs.append(y[0])
        return np.stack(outputs)

    def layer(x, name, number, up=False):
        x = modulated(x, name, up=up)
        noise = v[f"noise{number}"].astype("float64")
        x = x + noise * v[f"{name}/noise_strength"]
        return ROOT2 * lrelu(bias(x, v[f"{name}/bias"]))

    def picture(x, name):
        return bias(modulated(x, name, demodulate=False), v[f"{name}/bias"])

    x = np.repeat(v["4x4/Const/const"].astype("float64"), len(latents), 0)
    x = layer(x, "4x4/Conv", 0)
    images = picture(x, "4x4/ToRGB")
    for n, s in enumerate(sizes_of(size), 1):
        x = layer(x, f"{s}x{s}/Conv0_up", 2 * n - 1, up=True)
        x = layer(x, f"{s}x{s}/Conv1", 2 * n)
        images = fir(images, 2 * FILTER, up=2, pad=(2, 1))
        images = images + picture(x, f"{s}x{s}/ToRGB")
    return images


def stylegan2_discriminator(v, images):
    def layer(x, name, down=False):
        w = scaled(v[f"{name}/weight"])
        if down:
            x = conv(fir(x, FILTER, pad=(2, 2)), w, 2, "VALID")
        else:
            x = conv(x, w)
        return ROOT2 * lrelu(bias(x, v[f"{name}/bias"]))

    size = images.shape[2]
    x = layer(images, f"{size}x{size}/FromRGB")
    for s in reversed(sizes_of(size)):
        skip = scaled(v[f"{s}x{s}/Skip/weight"])
        short = conv(fir(x, FILTER, pad=(1, 1)), skip, 2, "VALID")
        x = layer(layer(x, f"{s}x{s}/Conv0"), f"{s}x{s}/Conv1_down", down=True)
        x = (x + short) / ROOT2
    return end(v, x, 1, ROOT2, "Output")
