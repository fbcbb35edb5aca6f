"""Each transform against NumPy, what must be exact, chances, gradients of gradients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import linalg, ndimage

from gan_lib import augmentation as module
from gan_lib.augmentation import COLOUR, GEOMETRY, TRANSFORMS, augment, warp
from gan_lib.penalties import r1_penalty
from gan_lib.randomness import Draws

DRAWS = Draws([3, 8])
MANY = 4000


def _images(batch=6, height=8, width=8, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (batch, height, width, channels)).astype("float32")


def _numbers(transform, batch):
    """What the module draws for one transform, float64 (batch, 2)."""
    law = (GEOMETRY | COLOUR)[transform][0]
    numbers = getattr(DRAWS, law)(f"augment_{law}", (batch, len(TRANSFORMS), 2))
    return numbers.numpy()[:, TRANSFORMS.index(transform)].astype("float64")


def _turned(angle):
    """Counter-clockwise on the screen, where y grows downwards."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def _shifted(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


# From a place in the source to the one in the result, as the docstring has it.
FORWARD = {
    "flip": lambda s, t, w, h: np.diag([1 - 2 * np.floor(2 * s), 1, 1]),
    "rotation_90": lambda s, t, w, h: _turned(-np.pi / 2 * np.floor(4 * s)),
    "whole_translation": lambda s, t, w, h: _shifted(
        np.rint((2 * s - 1) * w / 8), np.rint((2 * t - 1) * h / 8)
    ),
    "scaling": lambda s, t, w, h: np.diag([2 ** (0.2 * s), 2 ** (0.2 * s), 1]),
    "rotation_before": lambda s, t, w, h: _turned(-2 * np.pi * s),
    "stretching": lambda s, t, w, h: np.diag([2 ** (0.2 * s), 2 ** (-0.2 * s), 1]),
    "rotation_after": lambda s, t, w, h: _turned(-2 * np.pi * s),
    "translation": lambda s, t, w, h: _shifted(0.125 * s * w, 0.125 * t * h),
}
V = np.ones(3) / np.sqrt(3)


def _across(x):
    return x - (x @ V)[..., None] * V


# From pixels (..., 3) to pixels, without a matrix where the docstring has none.
RECOLOURED = {
    "brightness": lambda x, s: x + 0.2 * s,
    "contrast": lambda x, s: x * 2 ** (0.5 * s),
    "luma_flip": lambda x, s: x - 2 * np.floor(2 * s) * (x @ V)[..., None] * V,
    "hue": lambda x, s: x @ linalg.expm(2 * np.pi * s * np.cross(np.eye(3), -V)),
    "saturation": lambda x, s: x - _across(x) + _across(x) * 2**s,
}


def _moved(image, forward):
    """image(G^-1 u) by SciPy; its "mirror" has the border pixel as the mirror."""
    height, width, channels = image.shape
    y, x = np.mgrid[:height, :width]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    places = np.stack([x.ravel() - middle[0], y.ravel() - middle[1], x.ravel() * 0 + 1])
    x, y = (np.linalg.inv(forward) @ places)[:2] + middle[:, None]
    rows = [
        ndimage.map_coordinates(image[..., i], (y, x), order=1, mode="mirror")
        for i in range(channels)
    ]
    return np.stack(rows, -1).reshape(image.shape)


def _by_numpy(images, transforms):
    result = images.astype("float64")
    size = images.shape[2], images.shape[1]
    for index in range(len(images)):
        total = np.eye(3)
        for name in (x for x in FORWARD if x in transforms):
            numbers = _numbers(name, len(images))[index]
            total = FORWARD[name](*numbers, *size) @ total
        result[index] = _moved(result[index], total)
        for name in (x for x in RECOLOURED if x in transforms):
            strength = _numbers(name, len(images))[index, 0]
            result[index] = RECOLOURED[name](result[index], strength)
    return result


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_each_transform_is_that_of_its_docstring(transform):
    images = _images(height=9, width=12)
    found = augment(images, 1.0, DRAWS, transforms=[transform]).numpy()
    expected = _by_numpy(images, [transform])
    assert np.abs(expected - images).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("shape", [(8, 8), (7, 12)])
def test_all_of_them_are_one_matrix(shape):
    images = _images(8, *shape)
    found = augment(images, 1.0, DRAWS).numpy()
    np.testing.assert_allclose(found, _by_numpy(images, TRANSFORMS), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(64, 64), (5, 2)])
def test_with_a_chance_of_0_nothing_happens(channels, shape):
    images = _images(5, *shape, channels)
    change = tf.function(lambda p: augment(images, p, DRAWS))
    np.testing.assert_array_equal(change(tf.constant(0.0)), images)
    assert np.all(np.any(change(tf.constant(1.0)) != images, axis=(1, 2, 3)))


def test_grey_pictures_are_grey_pictures_in_colour():
    grey = _images(channels=1)
    expected = augment(grey.repeat(3, -1), 1.0, DRAWS).numpy().mean(-1, keepdims=True)
    np.testing.assert_allclose(augment(grey, 1.0, DRAWS), expected, atol=1e-5)
    five = _images(channels=5)
    found = augment(five, 1.0, DRAWS, transforms=GEOMETRY)
    expected = augment(five[..., :3], 1.0, DRAWS, transforms=GEOMETRY)
    np.testing.assert_array_equal(found[..., :3], expected)


def test_flips_and_quarter_turns_are_exact():
    images = _images(200)
    for transform, choices in (
        ("flip", [images, images[:, :, ::-1]]),
        ("rotation_90", [np.rot90(images, k, (1, 2)) for k in range(4)]),
    ):
        found = augment(images, 1.0, DRAWS, transforms=[transform]).numpy()
        same = np.stack([np.all(found == x, axis=(1, 2, 3)) for x in choices])
        assert np.all(same.sum(0) == 1)
        assert same.sum(1).min() > 200 / len(choices) / 2  # each has its turn


@pytest.mark.parametrize(("x", "y"), [(2, -3), (-7, 7), (5, 0)])
def test_whole_translations_are_exact_and_mirrored(x, y):
    images = _images(2, 8, 9)
    matrix = tf.constant([[[1.0, 0, -x], [0, 1, -y], [0, 0, 1]]])
    padded = np.pad(images, ((0, 0), (8, 8), (8, 8), (0, 0)), "reflect")
    expected = padded[:, 8 - y : 16 - y, 8 - x : 17 - x]
    np.testing.assert_array_equal(warp(images, tf.repeat(matrix, 2, 0)), expected)


def test_mirror_images_never_end():
    ramp = np.arange(4, dtype="float32").reshape(1, 1, 4, 1).repeat(2, 1)
    matrix = tf.constant([[[1.0, 0, 600], [0, 1, 0], [0, 0, 1]]])  # 100 periods of 6
    np.testing.assert_array_equal(warp(ramp, matrix), ramp)


def _share(matrices, other):
    """How often a drawn matrix is this one."""
    return np.mean(np.all(np.abs(matrices - other) < 1e-5, axis=(1, 2)))


def _drawn(transforms, probability):
    """The matrices of transforms out of one table, for many images of 16 x 16."""
    table = GEOMETRY if set(transforms) <= set(GEOMETRY) else COLOUR
    drawn = module._draw(MANY, probability, DRAWS, "augment")
    found = module._product(table, transforms, drawn, (16, 16), inverse=True)
    return found.numpy()


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_each_happens_with_its_chance(transform):
    unseen = {"flip": 1 / 2, "rotation_90": 1 / 4, "luma_flip": 1 / 2}
    unseen["whole_translation"] = 1 / 16  # 0 of -2 ... 2, half of +-2 cut off, squared
    chance = 1 - np.sqrt(0.3) if transform in _ROTATIONS else 0.7
    matrices = _drawn([transform], 0.7)
    changed = 1 - _share(matrices, np.eye(matrices.shape[-1]))
    expected = chance * (1 - unseen.get(transform, 0))
    assert changed == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(MANY))


_ROTATIONS = ("rotation_before", "rotation_after")


def test_one_of_the_two_rotations_happens_with_the_chance():
    changed = 1 - _share(_drawn(_ROTATIONS, 0.6), np.eye(3))
    assert changed == pytest.approx(0.6, abs=4 * 0.5 / np.sqrt(MANY))


def test_changes_lean_to_no_side():
    """Fair draws: a generator is not paid for moving, turning or tinting its images."""
    tolerance = 4 / np.sqrt(MANY)
    for transform in ("translation", "whole_translation"):
        mean = _drawn([transform], 1.0).mean(0) - np.eye(3)
        np.testing.assert_allclose(mean, 0, atol=2 * tolerance)  # of 16 pixels
    turned = _drawn(["rotation_after"], 1.0).mean(0)
    np.testing.assert_allclose(turned, np.diag([0, 0, 1]), atol=tolerance)
    for transform in ("scaling", "stretching"):
        logs = np.log2(_drawn([transform], 1.0)[:, [0, 1], [0, 1]])
        np.testing.assert_allclose(logs.mean(0), 0, atol=0.2 * tolerance)
        np.testing.assert_allclose(logs.std(0), 0.2, rtol=0.1)
    hue = _drawn(["hue"], 1.0).mean(0)[:3, :3]
    np.testing.assert_allclose(hue, np.full((3, 3), 1 / 3), atol=tolerance)
    bright = _drawn(["brightness"], 1.0)[:, :3, 3]
    np.testing.assert_allclose(bright.mean(0), 0, atol=0.2 * tolerance)
    np.testing.assert_allclose(bright.std(0), 0.2, rtol=0.1)


@pytest.mark.parametrize("probability", [0.0, 0.5, 0.9])
def test_what_is_upright_can_be_told_below_a_chance_of_1(probability):
    """Section 2.2 of the paper: of four quarter turns the upright one is most frequent.

    The chances of the four must be a row of a circulant matrix without a zero
    eigenvalue; at 1 they are equal, and a generator could draw sideways.
    """
    matrices = _drawn(["rotation_90"], probability)
    shares = [_share(matrices, _turned(k * np.pi / 2)) for k in range(4)]
    assert sum(shares) == pytest.approx(1)
    eigenvalues = np.abs(np.fft.fft(shares))[1:]
    tolerance = 4 / np.sqrt(MANY)
    np.testing.assert_allclose(eigenvalues, 1 - probability, atol=tolerance)


def _affine(change, size):
    """The matrix A of an affine map x -> A x + b, column by column."""
    start = change(tf.zeros((1, *size)))
    basis = np.eye(np.prod(size), dtype="float32").reshape(-1, 1, *size)
    return np.stack([(change(x) - start).numpy().ravel() for x in basis], -1)


def test_the_penalty_of_the_slope_goes_through_it_twice():
    size = (4, 5, 3)
    weight = tf.constant(np.random.default_rng(1).normal(size=(1, *size)), "float32")
    change = tf.function(lambda x: augment(x, 1.0, DRAWS))
    matrix = _affine(change, size).astype("float64")  # (H W C, H W C)
    slope = matrix.T @ weight.numpy().ravel()

    @tf.function
    def penalty_and_gradient():
        with tf.GradientTape() as tape:
            tape.watch(weight)
            value = r1_penalty(
                lambda x: tf.reduce_sum(weight * augment(x, 1.0, DRAWS), (1, 2, 3)),
                _images(1, *size),
            )
        return value, tape.gradient(value, weight)

    value, gradient = penalty_and_gradient()
    assert float(value) == pytest.approx(slope @ slope / 2, rel=1e-4)
    expected = (matrix @ slope).reshape(weight.shape)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-3)


def test_gradients_are_finite_and_reach_each_image_alone():
    images = tf.constant(_images(6, 16, 16))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(tf.square(augment(images, 0.8, DRAWS))[2])
    gradient = tape.gradient(total, images).numpy()
    assert np.all(np.isfinite(gradient))
    assert np.any(gradient[2])
    assert not np.any(np.delete(gradient, 2, axis=0))


def test_xla_warps_alike():
    images, matrices = _images(4), _drawn(GEOMETRY, 1.0)[:4].astype("float32")
    compiled = tf.function(warp, jit_compile=True)(images, tf.constant(matrices))
    np.testing.assert_allclose(compiled, warp(images, matrices), atol=1e-5)


def test_draws_depend_on_seed_and_name_alone():
    images = _images()
    first = augment(images, 1.0, DRAWS).numpy()
    np.testing.assert_array_equal(first, augment(images, 1.0, Draws([3, 8])))
    fewer = augment(images, 1.0, DRAWS, transforms=["flip"]).numpy()
    np.testing.assert_array_equal(
        fewer, augment(images, 1.0, DRAWS, transforms=("flip",))
    )
    for other in (
        augment(images, 1.0, DRAWS, name="fakes"),
        augment(images, 1.0, Draws([3, 9])),
    ):
        assert np.abs(first - other).max() > 0.1
    parts = [
        augment(images[3 * i : 3 * i + 3], 1.0, Draws([3, 8], i, 2)) for i in range(2)
    ]
    np.testing.assert_array_equal(first, np.concatenate(parts))


@pytest.mark.parametrize(
    ("shape", "transforms", "message"),
    [
        ((2, 8, 8, 4), TRANSFORMS, "3 channels"),
        ((2, 8, 8), TRANSFORMS, r"\(B, H, W, C\)"),
        ((2, 1, 8, 3), TRANSFORMS, "2 x 2"),
        ((2, 8, 8, 3), ("flipp",), "rotation_90"),
        ((2, 8, 8, 3), "flip", "in a tuple"),
    ],
)
def test_wrong_arguments_are_explained(shape, transforms, message):
    with pytest.raises(ValueError, match=message):
        augment(tf.zeros(shape), 0.5, DRAWS, transforms=transforms)
