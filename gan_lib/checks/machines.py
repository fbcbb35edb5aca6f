"""Checks of the exercises in notebook 08: operations, slices, shared statistics."""

from __future__ import annotations

import numpy as np

from gan_lib.checks.answers import Answer, as_array, ask, compare, settle


def conv_flops(answer: Answer) -> Answer:
    """Exercise: the operations of a convolution, additions and multiplications.

    FLOPs = 2 k^2 Cin Cout H W B, H and W being those of the map that comes out

    Args:
        answer: (kernel_size, in_channels, out_channels, height, width, batch) -> one
            number; whole numbers.
    Returns: `answer`, or `convolution_flops` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "conv_flops"

    def test() -> None:
        arguments = 3, 5, 7, 4, 6, 8
        value = as_array(name, ask(name, answer, *arguments), ())
        compare(name, value, convolution_flops, arguments, _FLOPS_MISTAKES)

    return settle(name, answer, convolution_flops, test)


def accumulated_gradient(answer: Answer) -> Answer:
    """Exercise: the gradient of a batch from those of its slices.

    g = sum_i n_i g_i / sum_i n_i

    Args:
        answer: (gradients, sizes) -> gradient (d,); row i of `gradients` (k, d) is the
            gradient of the mean loss of a slice with `sizes[i]` images; NumPy arrays.
    Returns: `answer`, or `weighted_mean` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "accumulated_gradient"

    def test() -> None:
        rng = np.random.default_rng(41)
        arguments = rng.normal(size=(3, 4)), np.array([24.0, 24.0, 16.0])
        value = as_array(name, ask(name, answer, *map(np.copy, arguments)), (4,))
        compare(name, value, weighted_mean, arguments, _SLICE_MISTAKES)

    return settle(name, answer, weighted_mean, test)


def combine_statistics(answer: Answer) -> Answer:
    """Exercise: mean and variance of a batch from those of its equal parts.

    mean = mean_r m_r,  variance = mean_r v_r + mean_r (m_r - mean)^2
    (the law of total variance)

    Args:
        answer: (means, variances) -> (mean, variance), each (C,); `means` and
            `variances` are NumPy arrays (R, C), a row for each replica.
    Returns: `answer`, or `total_statistics` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "combine_statistics"

    def test() -> None:
        rng = np.random.default_rng(42)
        arguments = rng.normal(size=(4, 3)), rng.uniform(0.5, 2, (4, 3))
        value = as_array(name, ask(name, answer, *map(np.copy, arguments)), (2, 3))
        compare(name, value, total_statistics, arguments, _STATISTICS_MISTAKES)

    return settle(name, answer, total_statistics, test)


def convolution_flops(kernel_size, in_channels, out_channels, height, width, batch):
    """The lesson's own answer to `conv_flops`."""
    products = kernel_size**2 * in_channels  # for one number that comes out
    return 2 * products * out_channels * height * width * batch


def weighted_mean(gradients, sizes):
    """The lesson's own answer to `accumulated_gradient`."""
    return sizes @ gradients / sizes.sum()


def total_statistics(means, variances):
    """The lesson's own answer to `combine_statistics`."""
    return means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)


_FLOPS_MISTAKES = [
    (
        lambda k, i, o, h, w, b: k**2 * i * o * h * w * b,
        "You counted multiplications only: each is followed by an addition, so twice.",
    ),
    (
        lambda k, i, o, h, w, b: 2 * k * i * o * h * w * b,
        "The kernel has kernel_size x kernel_size places.",
    ),
    (
        lambda k, i, o, h, w, b: 2 * k**2 * i * h * w * b,
        "Each output channel has a kernel of its own: times out_channels.",
    ),
    (
        lambda k, i, o, h, w, b: 2 * k**2 * o * h * w * b,
        "Each output channel looks at all input channels: times in_channels.",
    ),
    (
        lambda k, i, o, h, w, b: 2 * k**2 * i * o * b,
        "The kernel is applied at every place of the map: times height and width.",
    ),
    (
        lambda k, i, o, h, w, b: 2 * k**2 * i * o * h * w,
        "These are the operations of one picture: times batch.",
    ),
]
_SLICE_MISTAKES = [
    (
        lambda g, n: g.mean(axis=0),
        "You counted each slice alike, but the images count alike: a slice of 24 "
        "weighs more than one of 16.",
    ),
    (
        lambda g, n: g.sum(axis=0),
        "This is the sum of the slices' means: it grows with the number of slices.",
    ),
    (
        lambda g, n: n @ g,
        "Divide by the number of all images.",
    ),
    (
        lambda g, n: n @ g / n.sum() / len(n),
        "Divided once too often: the sizes already add up to all images.",
    ),
]
_STATISTICS_MISTAKES = [
    (
        lambda m, v: (m.mean(0), v.mean(0)),
        "The variance lacks what the replicas' means differ by: add their variance.",
    ),
    (
        lambda m, v: (m.mean(0), v.mean(0) + m.var(0, ddof=1)),
        "The variance of the means is divided by R, not by R - 1: all parts are there.",
    ),
    (
        lambda m, v: (m.mean(0), v.mean(0) + (m**2).mean(0)),
        "That is the mean of the squares. Take off the square of the mean.",
    ),
    (
        lambda m, v: (m.mean(0), np.sqrt(v).mean(0) ** 2 + m.var(0)),
        "Average the variances, not their roots.",
    ),
    (
        lambda m, v: (m.sum(0), v.sum(0)),
        "You added up; take means over the replicas.",
    ),
]
