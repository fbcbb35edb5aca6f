"""The checks of notebook 05 know right answers, open ones and usual mistakes."""

import numpy as np
import pytest
from check_answers import each_mistake, hold_named, hold_right_and_open
from keras import ops

from gan_lib import checks
from gan_lib.checks import stylegan


def kernel_for_each(x, kernel, styles):
    maps = []
    for picture, style in zip(x, styles, strict=True):
        own = kernel * style[:, None]
        own = own / ops.sqrt(ops.sum(ops.square(own), (0, 1, 2)) + 1e-8)
        maps.append(ops.conv(picture[None], own, padding="same")[0])
    return ops.stack(maps)


def interpolated(styles, average, psi):
    return psi * styles + (1 - psi) * average


def put_together(a, b, layers):
    from_b = np.isin(np.arange(a.shape[1]), layers)
    return np.where(from_b[:, None], b, a)


RIGHT = [
    (checks.modulated_convolution, kernel_for_each, stylegan.scale_in_scale_out),
    (checks.truncate, interpolated, stylegan.towards_average),
    (checks.mix, put_together, stylegan.layers_from_b),
]
MISTAKES = each_mistake(
    {
        checks.modulated_convolution: stylegan._MODULATION_MISTAKES,
        checks.truncate: stylegan._TRUNCATION_MISTAKES,
    }
)


@pytest.mark.parametrize(("check", "answer", "ours"), RIGHT)
def test_right_and_open_answers(check, answer, ours, monkeypatch):
    hold_right_and_open(check, answer, ours, monkeypatch)


@pytest.mark.parametrize(("check", "wrong", "text"), MISTAKES)
def test_mistakes_are_named(check, wrong, text):
    hold_named(check, wrong, text)


def test_mixing_the_wrong_way_or_in_place():
    with pytest.raises(AssertionError, match="swapped"):
        checks.mix(lambda a, b, layers: put_together(b, a, layers))

    def in_place(a, b, layers):
        a[:, layers] = b[:, layers]
        return a

    with pytest.raises(AssertionError, match="Copy first"):
        checks.mix(in_place)
