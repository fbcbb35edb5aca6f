"""Checks of the exercises in notebook 05: modulation, truncation, mixing."""

from __future__ import annotations

import numpy as np
from keras import ops

from gan_lib.checks.answers import Answer, as_array, ask, compare, settle

EPSILON = 1e-8


def modulated_convolution(answer: Answer) -> Answer:
    """Exercise: a convolution whose kernel is scaled by each picture's style.

    w'[i, j, c, d] = s[c] w[i, j, c, d], y = conv(x, w') / sqrt(sum_ijc w'^2 + 1e-8)

    Args:
        answer: (x, kernel, styles) -> y of x's height and width; x (B, H, W, C),
            kernel (k, k, C, D), styles (B, C), y (B, H, W, D), zeros outside.
    Returns: `answer`, or `scale_in_scale_out` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "modulated_convolution"

    def test() -> None:
        rng = np.random.default_rng(8)
        x = rng.normal(0, 1, (2, 4, 5, 3)).astype("float32")
        kernel = rng.normal(0, 1, (3, 3, 3, 2)).astype("float32")
        styles = rng.uniform(0.2, 2, (2, 3)).astype("float32")
        arguments = (x, kernel, styles)
        result = ask(name, answer, *(ops.array(part) for part in arguments))
        value = as_array(name, result, (2, 4, 5, 2))
        compare(name, value, _modulated(), arguments, _MODULATION_MISTAKES)

    return settle(name, answer, scale_in_scale_out, test)


def truncate(answer: Answer) -> Answer:
    """Exercise: styles drawn towards the average style.

    Args:
        answer: (styles, average, psi) -> styles; styles (n, layers, D), average (D,).
    Returns: `answer`, or `towards_average` if still open.
    Raises: AssertionError if the answer is wrong.
    """
    name = "truncate"

    def test() -> None:
        rng = np.random.default_rng(9)
        styles, average = rng.normal(1, 1, (2, 3, 4)), rng.normal(0, 1, 4)
        result = ask(name, answer, styles, average, 0.7)
        value = as_array(name, result, styles.shape)
        arguments = (styles, average, 0.7)
        compare(name, value, towards_average, arguments, _TRUNCATION_MISTAKES)

    return settle(name, answer, towards_average, test)


def mix(answer: Answer) -> Answer:
    """Exercise: some layers' styles from one face, the others' from another.

    Args:
        answer: (a, b, layers) -> styles; a and b (n, layers, D), `layers` a list of
            the numbers of those layers that come from b.
    Returns: `answer`, or `layers_from_b` if still open.
    Raises: AssertionError if the answer is wrong, or if it changes a or b.
    """
    name = "mix"

    def test() -> None:
        a, b = np.random.default_rng(10).normal(0, 1, (2, 3, 5, 4))
        before = a.copy(), b.copy()
        result = ask(name, answer, a, b, [0, 3])
        if not (np.array_equal(a, before[0]) and np.array_equal(b, before[1])):
            raise AssertionError(
                f"{name}: your function changes the styles it was given, so the next "
                "mix starts from mixed ones. Copy first: styles = a.copy()."
            )
        value = as_array(name, result, a.shape)
        mistake = (
            lambda a, b: layers_from_b(b, a, [0, 3]),
            "a and b are swapped: `layers` are those that come from b.",
        )
        compare(
            name, value, lambda a, b: layers_from_b(a, b, [0, 3]), (a, b), [mistake]
        )

    return settle(name, answer, layers_from_b, test)


def scale_in_scale_out(x, kernel, styles):
    """The lesson's own answer to `modulated_convolution`."""
    power = ops.sum(ops.square(kernel), (0, 1))  # (C, D)
    scale = ops.rsqrt(ops.matmul(ops.square(styles), power) + EPSILON)  # (B, D)
    maps = ops.conv(x * styles[:, None, None], kernel, padding="same")
    return maps * scale[:, None, None]


def towards_average(styles, average, psi):
    """The lesson's own answer to `truncate`."""
    return average + psi * (styles - average)


def layers_from_b(a, b, layers):
    """The lesson's own answer to `mix`."""
    styles = a.copy()
    styles[:, layers] = b[:, layers]
    return styles


def _modulated(scale_in=True, square=True, root=True, scale_out=True):
    """The convolution with a kernel for each picture, or a usual mistake of it."""

    def compute(x, kernel, styles):
        height, width = x.shape[1:3]
        maps = []
        for picture, style in zip(x, styles, strict=True):
            scaled = kernel * style[:, None]
            used = scaled if scale_in else kernel
            padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
            y = sum(
                padded[i : i + height, j : j + width] @ used[i, j]
                for i in range(3)
                for j in range(3)
            )
            power = np.sum(scaled**2 if square else np.abs(scaled), (0, 1, 2)) + EPSILON
            if scale_out:
                y = y / (np.sqrt(power) if root else power)
            maps.append(y)
        return np.stack(maps)

    return compute


_MODULATION_MISTAKES = [
    (
        _modulated(scale_out=False),
        "This is modulation alone. Divide each output channel by "
        "sqrt(sum w'^2 + 1e-8), the spread it would have for a normal input.",
    ),
    (
        _modulated(scale_in=False),
        "The division is right, but x is not scaled: multiply its channels by the "
        "style first.",
    ),
    (
        _modulated(root=False),
        "You divide by the sum of squares; take its square root.",
    ),
    (
        _modulated(square=False),
        "Sum the squares of the scaled kernel, not its absolute values: the styles "
        "are squared, too.",
    ),
]
_TRUNCATION_MISTAKES = [
    (lambda w, average, psi: psi * w, "This draws to 0 and not to the average style."),
    (
        lambda w, average, psi: w + psi * (average - w),
        "psi and 1 - psi are swapped: psi = 1 leaves the styles as they are.",
    ),
    (
        lambda w, average, psi: psi * (w - average),
        "Add the average again.",
    ),
]
