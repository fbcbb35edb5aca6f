"""KID and FID against formulas, limits and known damage."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from gan_lib.metrics import (
    ImageFeatures,
    Lite0Features,
    distinct,
    distinct_threshold,
    fid,
    kid,
)


def normal(n, d=16, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


@pytest.fixture(scope="module")
def mean_colour():
    """A feature network one can work out by hand: the mean of each channel."""
    images = keras.Input((None, None, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(images)
    return ImageFeatures(keras.Model(images, outputs, name="mean_colour"), 16)


@pytest.fixture(scope="module")
def pictures(request):
    """uint8 (400, 64, 64, 3) drawn faces."""
    try:
        from gan_lib.data.faces import faces
    except ModuleNotFoundError:
        folder = request.getfixturevalue("shared_data") / "anime_faces_128/train/color"
        paths = sorted(folder.iterdir())[:400]
        return np.stack([np.asarray(Image.open(p).resize((64, 64))) for p in paths])
    return faces(size=64, n=400, split="validation", progress=False).images


# --- KID ------------------------------------------------------------------------


def slow_kid(x, y):
    """The definition, pair by pair."""

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    def within(z):
        n = len(z)
        pairs = ((i, j) for i in range(n) for j in range(n) if i != j)
        return sum(kernel(z[i], z[j]) for i, j in pairs) / (n * (n - 1))

    across = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    return within(x) + within(y) - 2 * across


def test_kid_equals_the_double_loop():
    x, y = normal(12, 5), normal(14, 5, seed=1, shift=0.5)
    rng = np.random.default_rng(7)
    chosen_x = [rng.choice(12, 6, replace=False) for _ in range(4)]
    chosen_y = [rng.choice(14, 6, replace=False) for _ in range(4)]
    wanted = [slow_kid(x[i], y[j]) for i, j in zip(chosen_x, chosen_y, strict=True)]
    result = kid(x, y, subsets=4, subset_size=6, seed=7)
    assert result.value == pytest.approx(np.mean(wanted), rel=1e-9)
    spread = np.std(wanted, ddof=1)
    assert result.standard_error == pytest.approx(spread * np.sqrt(6 / 6 + 1 / 4))


def test_kid_in_row_blocks_is_the_same(monkeypatch):
    x, y = normal(300), normal(250, seed=1, shift=0.2)
    whole = kid(x, y, subsets=10)
    monkeypatch.setitem(kid.__globals__, "_ROWS", 64)
    assert kid(x, y, subsets=10).value == pytest.approx(whole.value, rel=1e-9)


def test_kid_of_one_distribution_is_zero_within_its_error():
    results = [kid(normal(300, seed=s), normal(300, seed=s + 50)) for s in range(25)]
    values = np.array([r.value for r in results])
    errors = np.array([r.standard_error for r in results])
    assert values.min() < 0 < values.max()  # no bias: it lands on both sides
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert np.mean(np.abs(values) < 2 * errors) >= 0.9
    # The printed error is of the right size: neither too small nor useless.
    assert values.std() < errors.mean() < 4 * values.std()


def test_kid_error_is_right_away_from_zero():
    results = [
        kid(normal(300, seed=s), normal(300, seed=s + 50, shift=0.5)) for s in range(25)
    ]
    spread = np.std([r.value for r in results])
    error = np.mean([r.standard_error for r in results])
    assert 0.7 * spread < error < 2 * spread


def test_kid_is_repeatable_and_grows_with_the_distance():
    real = normal(400)
    shifted = [normal(400, seed=1, shift=s) for s in (0.1, 0.3, 1.0)]
    values = [kid(real, fake).value for fake in shifted]
    assert values == sorted(values)
    assert kid(real, shifted[0], seed=5) == kid(real, shifted[0], seed=5)
    assert kid(real, shifted[0], seed=5) != kid(real, shifted[0], seed=6)


def test_kid_says_how_it_was_measured(mean_colour):
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (40, 32, 24, 3), np.uint8)
    result = kid(real, real[:30], network=mean_colour, split="validation")
    assert (result.n_real, result.n_fake, result.subset_size) == (40, 30, 15)
    for words in (
        "30 generated against 40 real, validation split",
        "mean_colour",
        "100 subsets of 15",
        "32x24 -> 16 px, antialiased bicubic",
        "Not comparable with published KID",
        f"{1000 * result.value:.2f} +- {1000 * result.standard_error:.2f}",
    ):
        assert words in str(result)


@pytest.mark.parametrize(
    ("real", "fake", "options", "message"),
    [
        (normal(3), normal(9), {}, "subset_size: expected 2 to 1, .*more images"),
        (normal(20), normal(20), {"subset_size": 11}, "half of the smaller set"),
        (normal(20), normal(20), {"subsets": 1}, "subsets: expected at least 2"),
        (normal(20), normal(20, 8), {}, "features of one length"),
        (normal(20), np.full((20, 16), np.nan), {}, "fake: expected finite features"),
        (normal(20), np.zeros((0, 16)), {}, "fake: expected finite features"),
        (normal(20), np.zeros(16), {}, r"expected a batch of shape \(N, H, W"),
    ],
)
def test_kid_explains_wrong_input(mean_colour, real, fake, options, message):
    with pytest.raises(ValueError, match=message):
        kid(real, fake, network=mean_colour, **options)


# --- FID ------------------------------------------------------------------------


def exactly(n, mean, variances):
    """Samples whose mean and covariance (divisor N - 1) are exactly the given ones."""
    x = normal(n, len(mean))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x * np.sqrt(variances) + mean


def test_fid_of_diagonal_gaussians_is_the_closed_form():
    rng = np.random.default_rng(0)
    m1, m2 = rng.normal(size=(2, 8))
    v1, v2 = rng.uniform(0.1, 4, (2, 8))
    wanted = ((m1 - m2) ** 2).sum() + ((np.sqrt(v1) - np.sqrt(v2)) ** 2).sum()
    result = fid(exactly(60, m1, v1), exactly(90, m2, v2))
    assert result.value == pytest.approx(wanted, rel=1e-9)
    assert "against 60 real" in str(result)
    assert "Not comparable with published FID" in str(result)


def test_fid_equals_the_matrix_square_root():
    linalg = pytest.importorskip("scipy.linalg")
    x, y = normal(80) @ normal(16, seed=5), normal(70, seed=1) @ normal(16, seed=6)
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    wanted = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(
        cov_x + cov_y - 2 * linalg.sqrtm(cov_x @ cov_y).real
    )
    assert fid(x, y).value == pytest.approx(wanted, rel=1e-6)


def test_fid_of_one_set_is_zero_and_falls_with_n():
    x = normal(200)
    assert fid(x, x).value == pytest.approx(0, abs=1e-9)
    values = [fid(normal(n), normal(n, seed=1)).value for n in (20, 100, 1000)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0


def test_fid_with_fewer_images_than_features_warns_and_is_finite():
    x, y = normal(10, 40), normal(12, 40, seed=1)
    with pytest.warns(UserWarning, match="biased"):
        result = fid(x, y)
    means = ((x.mean(0) - y.mean(0)) ** 2).sum()
    traces = np.trace(np.cov(x, rowvar=False)) + np.trace(np.cov(y, rowvar=False))
    assert means < result.value < means + traces
    assert "use KID" in str(result)
    with pytest.raises(ValueError, match="fake: expected at least 2"):
        fid(x, y[:1])


# --- on pictures ----------------------------------------------------------------


@pytest.mark.slow
def test_damage_is_seen_on_real_pictures(pictures):
    """Blur, noise and collapse score worse than real against real."""
    rng = np.random.default_rng(0)
    real, others = np.split(pictures[rng.permutation(400)], 2)
    blurred = [
        np.asarray(Image.fromarray(image).resize((32, 32)).resize((64, 64)))
        for image in others
    ]
    noisy = others + rng.normal(0, 20, others.shape)
    damaged = {
        "blur": np.stack(blurred),
        "noise": noisy.round().clip(0, 255).astype(np.uint8),
        "collapse": np.tile(others[:25], (8, 1, 1, 1)),
    }
    features = Lite0Features(96)
    real_features = features(real)
    floor = kid(real_features, features(others))
    assert abs(floor.value) < 3 * floor.standard_error
    for name, images in damaged.items():
        result = kid(real_features, features(images))
        assert result.value - 3 * result.standard_error > floor.value, name
    threshold = distinct_threshold(real_features, 200)
    assert distinct(features(others), threshold).count >= 180
    assert distinct(features(damaged["collapse"]), threshold).count <= 25
