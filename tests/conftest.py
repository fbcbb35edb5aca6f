"""What several test files share: quiet logs, small networks, small pictures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Read when TensorFlow is imported, which the imports below do.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
if "PYTEST_XDIST_WORKER" in os.environ:  # several at once: a thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import keras
import numpy as np
import pytest

from gan_lib.data.pipeline import Batches
from gan_lib.layers import BatchNormalization, Conv2D, Conv2DTranspose
from gan_lib.training import GAN

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with extra test data next to the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the extra test data in {folder}, which is not here")
    return folder


@pytest.fixture(scope="session")
def tiny_images() -> np.ndarray:
    """uint8 (40, 8, 8, 3): smooth colour gradients, all different."""
    rng = np.random.default_rng(7)
    corners = rng.uniform(0, 255, (40, 2, 2, 3))
    ramp = np.linspace(0, 1, 8)
    ramp = np.stack([1 - ramp, ramp], axis=1)  # (8, 2)
    return np.einsum("hi,wj,nijc->nhwc", ramp, ramp, corners).astype("uint8")


@pytest.fixture
def tiny_batches(tiny_images) -> Batches:
    return Batches(tiny_images, batch_size=4, seed=3)


@pytest.fixture(scope="session")
def tiny_networks():
    """A function that builds a generator (5 -> 8x8x3) and its discriminator."""

    def build(
        batch_norm=True, dropout=0.0, dtype=None, seed=0
    ) -> tuple[keras.Model, keras.Model]:
        keras.utils.set_random_seed(seed)
        latents = keras.Input((5,))
        x = keras.layers.Dense(4 * 4 * 6, dtype=dtype)(latents)
        x = keras.layers.Reshape((4, 4, 6), dtype=dtype)(x)
        x = BatchNormalization(dtype=dtype)(x) if batch_norm else x
        x = keras.layers.LeakyReLU(0.2, dtype=dtype)(x)
        x = keras.layers.Dropout(dropout, dtype=dtype)(x) if dropout else x
        x = Conv2DTranspose(3, 4, 2, "same", dtype=dtype)(x)
        x = keras.layers.Activation("tanh", dtype="float32")(x)
        generator = keras.Model(latents, x, name="generator")

        images = keras.Input((8, 8, 3))
        x = Conv2D(6, 4, 2, "same", dtype=dtype)(images)
        x = BatchNormalization(dtype=dtype)(x) if batch_norm else x
        x = keras.layers.LeakyReLU(0.2, dtype=dtype)(x)
        x = keras.layers.Dropout(dropout, dtype=dtype)(x) if dropout else x
        x = keras.layers.Dense(1, dtype=dtype)(keras.layers.Flatten(dtype=dtype)(x))
        x = keras.layers.Activation("linear", dtype="float32")(x)
        return generator, keras.Model(images, x, name="discriminator")

    return build


@pytest.fixture(scope="session")
def tiny_gan(tiny_networks):
    """A function that builds a small compiled GAN; arguments go where they belong."""

    def build(
        batch_norm=True,
        dropout=0.0,
        dtype=None,
        seed=0,
        ema_half_life_kimg=5.0,
        gan_class=GAN,
        **compile_arguments,
    ) -> GAN:
        networks = tiny_networks(batch_norm, dropout, dtype, seed)
        gan = gan_class(*networks, seed=seed, ema_half_life_kimg=ema_half_life_kimg)
        gan.compile(**compile_arguments)
        return gan

    return build


@pytest.fixture(scope="session")
def run_python():
    """A function that runs a program text in a new Python and returns its output."""

    def run(program: str, *arguments, python=sys.executable, timeout=300) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            [python, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout

    return run


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, driven by Playwright; skips where one of them is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright, to use a page as people do"
    )
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip("needs Chromium, which is not installed here")
    switches = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ]  # fmt: skip
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=chromium, args=switches)
        yield browser
        browser.close()


@pytest.fixture
def nothing_drawn(monkeypatch):
    """Zeros for orthogonal kernels, which take minutes at the published sizes."""

    def zeros(self, shape, dtype=None):
        return keras.ops.zeros(shape, dtype)

    monkeypatch.setattr(keras.initializers.Orthogonal, "__call__", zeros)
