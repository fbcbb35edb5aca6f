"""What a half-life promises."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib import ema


@pytest.mark.parametrize("batch_size", [1, 8, 64, 500])
def test_half_is_left_after_a_half_life_whatever_the_batch_size(batch_size):
    half_life_kimg = 4.0
    updates = int(1000 * half_life_kimg / batch_size)
    average = 1.0
    for _ in range(updates):
        average = ema.ema_update(average, 0.0, half_life_kimg, batch_size)
    assert average == pytest.approx(0.5, abs=0.006)  # 62 updates of 64 are 3.97 kimg


def test_known_decays():
    assert ema.ema_decay(1.0, 1000) == 0.5
    assert ema.ema_decay(0.5, 1000) == 0.25
    assert ema.ema_decay(0.0, 64) == 0.0


def test_an_average_of_equal_values_is_that_value():
    value = np.array([1.0, -3.0])
    np.testing.assert_allclose(ema.ema_update(value, value, 10.0, 64), value)


@pytest.mark.parametrize(("half_life_kimg", "images"), [(-1.0, 64), (1.0, 0)])
def test_impossible_values_are_refused(half_life_kimg, images):
    with pytest.raises(ValueError, match="at least 0 kimg"):
        ema.ema_decay(half_life_kimg, images)
