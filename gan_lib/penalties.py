"""Penalties: how steep may a discriminator be, how much alike a generator's filters.

Those of the gradient differentiate a gradient, so unlike the losses they need a tape:
TensorFlow's `tf.GradientTape`, and therefore the TensorFlow backend. Call them inside
the tape that trains the discriminator.

Rules they all keep:
- float32 throughout. Images are cast up before the discriminator sees them and its
  scores right after; only what a mixed-precision discriminator computes inside
  itself keeps its own dtype.
- The slope of an image's score is the gradient of the SUM of that image's outputs:
  one logit, or a PatchGAN's whole map. Each image must influence only its own
  outputs, so no batch normalization in the discriminator (layer or instance
  normalization is fine).
- The result is a plain scalar mean over the batch. The caller multiplies: by the
  paper's weight, and by k where the penalty is computed only every k-th step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Tensor = Any  # a tf.Tensor, or a NumPy array
Critic = Callable[[tf.Tensor], tf.Tensor]  # images (B, H, W, C) -> logits (B, ...)


def gradient_penalty(
    critic: Critic,
    real_images: Tensor,
    fake_images: Tensor,
    eps: Tensor,
    target: float = 1.0,
) -> tf.Tensor:
    """Mean squared distance of the critic's gradient norm from `target`.

    E[ (||grad_x D(x)||_2 - target)^2 ],  x = eps * real + (1 - eps) * fake
    Gulrajani et al. 2017 (WGAN-GP), eq. 3, arXiv:1704.00028.

    Args:
        critic: callable, images (B, H, W, C) -> scores (B, ...); no batch norm
            inside (sec. 4).
        real_images, fake_images: float (B, H, W, C), range [-1, 1].
        eps: float (B, 1, 1, 1), drawn uniformly on [0, 1] by the caller; uniform,
            not normal: x has to lie between the two images. One number for all
            images, shape () or (1, 1, 1, 1), is accepted too.
        target: the gradient norm asked for (paper: 1).
    Returns: float32 scalar, >= 0; target^2 with zero gradient for a critic that is
        flat. The caller multiplies by lambda (paper: 10).
    Raises: ValueError if the two image batches differ in shape, if eps does not
        hold one number for each image, or if the critic ignores its input.
    """
    real_images = tf.cast(real_images, "float32")
    fake_images = tf.cast(fake_images, "float32")
    eps = tf.cast(eps, "float32")
    _check_pair(real_images, fake_images)
    _check_eps(eps, real_images)
    mixed_images = eps * real_images + (1.0 - eps) * fake_images  # (B, H, W, C)
    squared_norms = _squared_gradient_norms(critic, mixed_images)  # (B,)
    # The slope of sqrt is infinite at 0 and would turn a flat critic into NaN.
    norms = tf.sqrt(tf.maximum(squared_norms, 1e-12))
    return tf.reduce_mean(tf.square(norms - target))


def r1_penalty(discriminator: Critic, real_images: Tensor) -> tf.Tensor:
    """Half the mean squared gradient norm on real images.

    1/2 E[ ||grad_x D(x)||_2^2 ],  x real
    Mescheder et al. 2018, arXiv:1801.04406, where R1 = gamma/2 E[ ||grad||^2 ]. The
    1/2 is in here, so the caller's factor is the gamma of the paper.

    Args:
        discriminator: callable, images (B, H, W, C) -> logits (B, ...).
        real_images: float (B, H, W, C), range [-1, 1].
    Returns: float32 scalar, >= 0; |a|^2 / 2 for D(x) = a . x. The caller multiplies
        by gamma (paper: 10) and, when lazy, by the number of steps between calls.
    Raises: ValueError if the discriminator ignores its input.
    """
    real_images = tf.cast(real_images, "float32")
    return 0.5 * tf.reduce_mean(_squared_gradient_norms(discriminator, real_images))


def r2_penalty(discriminator: Critic, fake_images: Tensor) -> tf.Tensor:
    """Half the mean squared gradient norm on fake images: R1 at the other end.

    1/2 E[ ||grad_x D(x)||_2^2 ],  x fake
    Mescheder et al. 2018, arXiv:1801.04406.

    Args:
        discriminator: callable, images (B, H, W, C) -> logits (B, ...).
        fake_images: float (B, H, W, C), range [-1, 1]. No gradient goes back into
            the generator: this is the discriminator's penalty.
    Returns: float32 scalar, >= 0. The caller multiplies by gamma.
    Raises: ValueError if the discriminator ignores its input.
    """
    return r1_penalty(discriminator, tf.stop_gradient(fake_images))


def path_lengths(synthesis: Callable, styles: Tensor, noise_images: Tensor):
    """How far a picture moves when its styles do, in one random direction of pictures.

    l_b = sqrt( 1/L sum_{l, d} J[b, l, d]^2 ),
    J = d/dstyles sum_{h, w, c} g(styles)[b, h, w, c] y[b, h, w, c] / sqrt(H W)
    Karras et al. 2020, section 3.2 and appendix B, arXiv:1912.04958. Their penalty asks
    that l be the same everywhere, E (l - a)^2 with a the running mean of l, so that a
    step of a fixed length is an equally large change of the picture.

    Args:
        synthesis: styles (B, L, D) -> images (B, H, W, C), differentiable.
        styles: float (B, L, D), one for each of L layers.
        noise_images: y, float (B, H, W, C), drawn from N(0, 1) by the caller.
    Returns: float32 (B,), >= 0.
    Raises: ValueError if the images do not depend on the styles.
    """
    styles = tf.cast(styles, "float32")
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(styles)
        images = tf.cast(synthesis(styles), "float32")
        pixels = tf.cast(images.shape[1] * images.shape[2], "float32")
        total = tf.reduce_sum(images * noise_images) / tf.sqrt(pixels)
    gradient = tape.gradient(total, styles)  # (B, L, D)
    if gradient is None:
        raise ValueError(
            "The images do not depend on the styles they were made of, so there is no "
            "length to measure. Pass a function that calls the synthesis network on "
            "its argument."
        )
    squares = tf.reduce_mean(tf.reduce_sum(tf.square(gradient), -1), -1)  # (B,)
    return tf.sqrt(tf.maximum(squares, 1e-12))


def orthogonal_penalty(kernels: Sequence[Tensor]) -> tf.Tensor:
    """How far the filters of each kernel are from standing at right angles.

    sum over kernels of || W W^T * (1 - I) ||_F^2,  W (filters, rest)
    Brock et al. 2019 (BigGAN), equation (3), arXiv:1809.11096. Unlike the older
    || W W^T - I ||^2 it leaves the lengths of the filters alone. It makes a generator
    fit for the truncation trick: 60 % of theirs, against 16 % without.
    Ours differs from their PyTorch code, which adds half this gradient.

    Args:
        kernels: each float (..., filters); those of rank 1 or 0 have no angles and
            must be left out by the caller.
    Returns: float32 scalar, >= 0; 0 for orthogonal filters. The caller multiplies by
        beta (paper: 1e-4).
    """
    total = tf.zeros(())
    for kernel in kernels:
        kernel = tf.cast(kernel, "float32")
        rows = tf.reshape(kernel, (-1, kernel.shape[-1]))  # W^T, (rest, filters)
        if rows.shape[0] < rows.shape[1]:
            # W^T W has as large a norm as W W^T, and is the smaller one here.
            products = tf.matmul(rows, rows, transpose_b=True)
            lengths = tf.reduce_sum(tf.square(rows), 0)  # the diagonal of W W^T
            total += tf.reduce_sum(tf.square(products))
            total -= tf.reduce_sum(tf.square(lengths))
            continue
        products = tf.matmul(rows, rows, transpose_a=True)  # (filters, filters)
        others = products - tf.linalg.diag(tf.linalg.diag_part(products))
        total += tf.reduce_sum(tf.square(others))
    return total


def _squared_gradient_norms(discriminator: Critic, images: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        scores = tf.cast(discriminator(images), "float32")  # (B, ...)
        total = tf.reduce_sum(scores)
    gradient = tape.gradient(total, images)  # (B, H, W, C)
    if gradient is None:
        raise ValueError(
            "The discriminator's output does not depend on the images it was given, "
            "so there is no gradient to penalise. Pass a function that calls the "
            "network on its argument, and keep NumPy and stop_gradient out of it."
        )
    return tf.reduce_sum(tf.square(gradient), axis=list(range(1, images.shape.rank)))


def _check_pair(real_images: tf.Tensor, fake_images: tf.Tensor) -> None:
    if not real_images.shape.is_compatible_with(fake_images.shape):
        raise ValueError(
            "real_images and fake_images are mixed one to one, so both need the same "
            f"shape; got {tuple(real_images.shape)} and {tuple(fake_images.shape)}. "
            "Generate as many fakes as the real batch holds."
        )


def _check_eps(eps: tf.Tensor, images: tf.Tensor) -> None:
    # eps (B,) or (B, 1) would broadcast along the width, not along the batch.
    rank = images.shape.rank
    one_per_image = tf.TensorShape([images.shape[0]] + [1] * (rank - 1))
    if eps.shape.num_elements() != 1 and not eps.shape.is_compatible_with(
        one_per_image
    ):
        raise ValueError(
            "eps holds one number for each image, in a shape that broadcasts over it: "
            f"expected {tuple(one_per_image)}, got {tuple(eps.shape)}. Draw it with "
            "keras.random.uniform((batch_size, 1, 1, 1))."
        )
