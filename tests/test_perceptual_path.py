"""Path lengths of generators whose lengths are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from gan_lib.latents import lerp, sample, slerp
from gan_lib.metrics import gan_path_length, perceptual_path_length
from gan_lib.models.stylegan2 import stylegan2

DIMENSION, SIDE = 5, 8


@pytest.fixture(scope="module")
def pixels():
    """A network whose features are the pixels."""
    images = keras.Input((SIDE, SIDE, 3))
    return keras.Model(images, keras.layers.Flatten()(images), name="pixels")


MATRIX = np.random.default_rng(4).normal(size=(DIMENSION, SIDE * SIDE * 3)) / 20


def linear(points, scale=1.0):
    """Pictures (n, 8, 8, 3): each pixel a weighted sum of the point."""
    return (scale * points @ MATRIX).reshape(-1, SIDE, SIDE, 3).astype("float32")


def points(n=300, seed=0):
    return np.split(0.2 * sample(2 * n, DIMENSION, seed), 2)


def trimmed(lengths):
    low, high = np.quantile(lengths, (0.01, 0.99))
    return lengths[(lengths >= low) & (lengths <= high)].mean()


def test_straight_paths_of_a_linear_generator(pixels):
    """Its speed is |(b - a) M| whatever t and epsilon, in float64."""
    start, end = points()
    wanted = np.square((end - start).astype("float64") @ MATRIX).sum(axis=1)
    for at in ("full", "end"):
        for epsilon in (1e-1, 1e-2, 1e-4):
            found = perceptual_path_length(
                linear, start, end, path=lerp, at=at, epsilon=epsilon, network=pixels
            )
            # What float32 leaves of a step of 1e-4 is two or three digits.
            np.testing.assert_allclose(found.lengths, wanted, rtol=3e-6 / epsilon)
            assert found.value == pytest.approx(trimmed(wanted), rel=1e-3)
    assert found.standard_error == pytest.approx(wanted.std() / np.sqrt(300), rel=0.2)


def test_arcs_in_float64(pixels):
    """Against the equation, with the same t, one pair at a time."""
    start, end = points(40)
    t = np.random.default_rng(9).random(40)
    steps = []
    for a, b, fraction in zip(start, end, t, strict=True):
        a, b = a.astype("float64"), b.astype("float64")
        omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        here, there = (
            (np.sin((1 - u) * omega) * a + np.sin(u * omega) * b) / np.sin(omega)
            for u in (fraction, fraction + 1e-2)
        )
        steps.append(np.square((there - here) @ MATRIX).sum() / 1e-4)
    found = perceptual_path_length(
        linear, start, end, path=slerp, epsilon=1e-2, network=pixels, seed=9
    )
    np.testing.assert_allclose(found.lengths, steps, rtol=1e-3)


def test_a_constant_generator_has_none_and_twice_the_speed_is_four_times(pixels):
    start, end = points(60)
    options = {"path": lerp, "network": pixels, "epsilon": 1e-2}
    still = perceptual_path_length(lambda x: linear(0 * x), start, end, **options)
    assert still.value == 0
    once = perceptual_path_length(linear, start, end, **options)
    twice = perceptual_path_length(lambda x: linear(x, 2), start, end, **options)
    assert twice.value == pytest.approx(4 * once.value, rel=1e-3)


def test_the_start_is_where_the_path_begins(pixels):
    """A generator that moves only close to its starts is long there alone."""

    def moves_early(x):
        return linear(np.minimum(x, 0.2))

    start, end = np.zeros((200, DIMENSION)), np.ones((200, DIMENSION))
    options = {"path": lerp, "epsilon": 1e-2, "network": pixels}
    full = perceptual_path_length(moves_early, start, end, at="full", **options)
    ends = perceptual_path_length(moves_early, start, end, at="end", **options)
    assert full.value == pytest.approx(0.2 * ends.value, rel=0.3)


def test_a_few_jumps_are_left_out(pixels):
    start, end = points(400)
    start[:2] *= 8
    found = perceptual_path_length(linear, start, end, path=lerp, network=pixels)
    assert found.value < found.lengths.mean()
    assert found.value == pytest.approx(trimmed(found.lengths))


def test_batches_and_seeds(pixels):
    start, end = points(50)
    bent = {"images_of": lambda x: linear(np.tanh(4 * x)), "epsilon": 1e-2}
    options = {"start": start, "end": end, "path": lerp, "network": pixels} | bent
    once = perceptual_path_length(**options)
    again = perceptual_path_length(**options, batch_size=7)
    np.testing.assert_allclose(again.lengths, once.lengths, rtol=1e-3)
    other = perceptual_path_length(**options, seed=1)
    assert np.abs(other.lengths / once.lengths - 1).max() > 0.1


@pytest.fixture(scope="module")
def gan():
    return stylegan2(
        SIDE, latent_dim=6, style_dim=7, mapping_layers=2, width=4, widest=8
    )


def test_of_a_gan_in_both_spaces(gan, pixels):
    """W by hand: the styles of one latent moved towards those of another."""
    found = gan_path_length(gan, 20, space="w", at="end", epsilon=1e-2, network=pixels)
    first, second = np.split(gan.draw_latents(40, 0), 2)
    here, there = gan.styles(first), gan.styles(second)
    moved = gan.synthesize(here + np.float32(0.01) * (there - here))
    steps = (moved - gan.synthesize(here)).reshape(20, -1) / 0.01
    np.testing.assert_allclose(found.lengths, np.square(steps).sum(1), rtol=2e-2)
    in_z = gan_path_length(gan, 20, space="z", at="end", epsilon=1e-2, network=pixels)
    steps = gan.generate(slerp(first, second, 0.01)) - gan.generate(first)
    steps = steps.reshape(20, -1) / 0.01
    np.testing.assert_allclose(in_z.lengths, np.square(steps).sum(1), rtol=2e-2)


def test_small_steps_can_be_told_from_rounding(gan):
    """In float32 with the default network: 1e-4 gives what 1e-3 gives."""
    small, larger = (gan_path_length(gan, 4, epsilon=e) for e in (1e-4, 1e-3))
    assert small.value == pytest.approx(larger.value, rel=0.05)
    assert "EfficientNet-lite0" in str(small)


def test_a_gan_without_styles_has_latents_only(tiny_gan, pixels):
    plain = tiny_gan()
    assert gan_path_length(plain, 4, space="z", network=pixels).value > 0
    for space in ("w", "x"):
        with pytest.raises(ValueError, match="space: expected"):
            gan_path_length(plain, 4, space=space, network=pixels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": np.zeros((3, 5))}, "start and end: expected"),
        ({"at": "middle"}, "at: expected"),
        ({"epsilon": 0.0}, "epsilon: expected"),
        ({"images_of": lambda x: linear(x).astype("uint8")}, "Do not round"),
        ({"images_of": lambda x: np.nan * linear(x)}, "diverged"),
    ],
)
def test_errors(change, message, pixels):
    start, end = points(4)
    given = {"images_of": linear, "start": start, "end": end, "network": pixels}
    with pytest.raises(ValueError, match=message):
        perceptual_path_length(**given | change)
