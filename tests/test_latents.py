"""Draws, the arc's promises, and the frames of a walk."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from gan_lib import latents


def test_sample_is_standard_normal_and_repeatable():
    draws = latents.sample(500, 100, seed=1)
    assert draws.shape == (500, 100)
    assert draws.dtype == "float32"
    assert abs(float(draws.mean())) < 0.02
    assert abs(float(draws.std()) - 1) < 0.02
    np.testing.assert_array_equal(draws[:7], latents.sample(7, 100, seed=1))
    assert not np.array_equal(draws, latents.sample(500, 100, seed=2))


def test_latents_of_both_rules():
    scaled = latents.truncated(400, 50, 0.4, seed=2)
    published = 0.4 * scipy.stats.truncnorm.rvs(
        -2, 2, size=(400, 50), random_state=np.random.RandomState(2)
    )
    np.testing.assert_array_equal(scaled, published.astype("float32"))
    assert 0.79 < np.abs(scaled).max() <= 0.8

    # The paper's rule against the loop that defines it.
    found = latents.truncated(400, 50, 0.7, seed=2, rule="resampled")
    assert np.abs(found).max() <= 0.7
    rng = np.random.default_rng(0)
    loop = rng.standard_normal(20_000)
    while (far := np.abs(loop) > 0.7).any():
        loop[far] = rng.standard_normal(far.sum())
    assert scipy.stats.ks_2samp(found.ravel(), loop).pvalue > 0.01
    assert scipy.stats.ks_2samp(0.35 * scaled.ravel() / 0.4, loop).pvalue < 1e-6

    for rule in ("scaled", "resampled"):
        assert not latents.truncated(2, 3, 0, rule=rule).any()
    with pytest.raises(ValueError, match='"scaled" or "resampled"'):
        latents.truncated(2, 3, 0.5, rule="clipped")


def test_a_quarter_circle_worked_out_by_hand():
    value = latents.slerp([2.0, 0.0], [0.0, 2.0], 0.5)
    np.testing.assert_allclose(value, [2**0.5, 2**0.5], rtol=1e-6)
    np.testing.assert_allclose(latents.lerp([2.0, 0.0], [0.0, 2.0], 0.5), [1.0, 1.0])


@pytest.mark.parametrize("path", [latents.lerp, latents.slerp])
def test_endpoints_and_symmetry(path):
    start, end = latents.sample(2, 100, seed=3)
    np.testing.assert_allclose(path(start, end, 0.0), start, atol=1e-6)
    np.testing.assert_allclose(path(start, end, 1.0), end, atol=1e-6)
    np.testing.assert_allclose(
        path(start, end, 0.3), path(end, start, 0.7), rtol=1e-5, atol=1e-6
    )


def test_slerp_keeps_the_length_and_lerp_loses_it():
    start, end = latents.sample(2, 400, seed=4)
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    for t in np.linspace(0, 1, 9):
        kept = np.linalg.norm(latents.slerp(start, end, t)) / np.linalg.norm(start)
        assert kept == pytest.approx(1.0, abs=1e-5)
    middle = np.linalg.norm(latents.lerp(start, end, 0.5)) / np.linalg.norm(start)
    assert middle == pytest.approx(0.5**0.5, abs=0.05)


def test_slerp_turns_at_constant_speed():
    start, end = latents.sample(2, 50, seed=5)
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    frames = [latents.slerp(start, end, t) for t in np.linspace(0, 1, 11)]
    steps = np.linalg.norm(np.diff(frames, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_slerp_is_the_straight_line_where_there_is_no_arc(factor):
    start = latents.sample(1, 100, seed=6)[0]
    np.testing.assert_allclose(
        latents.slerp(start, factor * start, 0.25),
        latents.lerp(start, factor * start, 0.25),
        atol=1e-6,
    )


@pytest.mark.parametrize("path", [latents.lerp, latents.slerp])
def test_batches_go_row_by_row(path):
    starts, ends = latents.sample(6, 20, seed=7).reshape(2, 3, 20)
    fractions = np.array([0.0, 0.4, 1.0])
    rows = [path(*row) for row in zip(starts, ends, fractions, strict=True)]
    value = path(starts, ends, fractions)
    assert value.shape == (3, 20)
    assert value.dtype == "float32"
    np.testing.assert_allclose(value, rows, atol=1e-6)


def test_a_closed_walk_repeats_without_a_jump():
    stops = latents.sample(3, 100, seed=8)
    frames = latents.walk(stops, 4)
    assert frames.shape == (12, 100)
    np.testing.assert_allclose(frames[::4], stops, atol=1e-6)
    home = latents.slerp(stops[2], stops[0], 0.75)
    np.testing.assert_allclose(frames[-1], home, atol=1e-6)


def test_an_open_walk_ends_on_the_last_stop():
    stops = latents.sample(3, 100, seed=9)
    frames = latents.walk(stops, 5, closed=False, path=latents.lerp)
    assert frames.shape == (11, 100)
    np.testing.assert_allclose(frames[::5], stops, atol=1e-6)
    middle = latents.lerp(stops[1], stops[2], 0.4)
    np.testing.assert_allclose(frames[7], middle, atol=1e-6)


@pytest.mark.parametrize(("shape", "frames"), [((1, 8), 3), ((8,), 3), ((2, 8), 0)])
def test_a_walk_that_goes_nowhere_is_refused(shape, frames):
    with pytest.raises(ValueError, match="at least two stops"):
        latents.walk(np.zeros(shape), frames)
