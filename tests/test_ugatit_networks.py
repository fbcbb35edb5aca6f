"""U-GAT-IT's networks: published sizes, map sizes, and what each picture depends on."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from parameter_counts import count_trainable

from gan_lib import export
from gan_lib import ugatit_networks as ugatit
from gan_lib.layers import LIN, AdaLIN, CAMAttention, SpectralConv2D


def _pictures(*shape) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def _count(build, *args, **kwargs) -> int:
    with keras.StatelessScope(initialize_variables=False):  # shapes, no numbers
        return count_trainable(build(*args, **kwargs))


@pytest.fixture(scope="module")
def small():
    """A generator whose weights are large enough for every part to be seen."""
    keras.utils.set_random_seed(0)
    network = ugatit.build_generator(16, width=4, blocks=1)
    for weight in network.weights:
        if len(weight.shape) > 1:
            fan_in = math.prod(weight.shape[:-1])
            weight.assign(weight / np.std(weight) * math.sqrt(2 / fan_in))
    return network


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("ugatit/full", 278_959_808), ("ugatit/light", 10_589_888)],
)
def test_published_networks_have_the_published_size(name, parameters):
    networks = ugatit.PUBLISHED[name]()
    assert {key: count_trainable(network) for key, network in networks.items()} == {
        "generator": parameters,
        "global_discriminator": 53_130_176,
        "local_discriminator": 3_290_560,
    }
    shapes = networks["generator"].output_shape
    assert sorted(shapes, key=str) == [(None, 2), (None, 256, 256, 3), (None, 64, 64)]
    keras.backend.clear_session()


@pytest.mark.parametrize(
    ("arguments", "millions"),
    [
        ({"width": 32}, 2.65),
        ({"width": 32, "light": False}, 6.83),
        ({"light": False}, 27.3),
    ],
)
def test_sizes_at_64_pixels(arguments, millions):
    assert round(
        _count(ugatit.build_generator, 64, **arguments) / 1e6, 2
    ) == pytest.approx(millions, abs=0.05)


def test_map_sizes(small):
    for name, wanted in {
        "first": (16, 4),
        "down1": (8, 8),
        "down2": (4, 16),
        "encode1": (4, 16),
        "decode1": (4, 16),
        "up2": (8, 8),
        "up1": (16, 4),
        "last": (16, 3),
    }.items():
        side, channels = wanted
        assert small.get_layer(name).output.shape == (None, side, side, channels), name


@pytest.mark.parametrize(
    ("size", "layers", "side"),
    [(256, 7, 6), (256, 5, 30), (128, 7, 2), (64, 5, 6), (32, 3, 14)],
)
def test_logits_of_the_discriminators(size, layers, side):
    with keras.StatelessScope(initialize_variables=False):
        network = ugatit.build_discriminator(size, layers=layers, width=4)
        padded = ugatit.build_discriminator(
            size, layers=layers, width=4, layout="tensorflow"
        )
    shapes = [(None, 2), (None, side + 1, side + 1), (None, side, side, 1)]
    assert sorted(network.output_shape, key=len) == shapes
    assert (None, side + 2, side + 2, 1) in padded.output_shape


def test_the_discriminators_fit_every_size():
    assert ugatit.discriminator_layers(256) == {"global": 7, "local": 5}
    assert ugatit.discriminator_layers(64) == {"global": 5, "local": 4}
    for size in (32, 64, 128):
        for layers in ugatit.discriminator_layers(size).values():
            with keras.StatelessScope(initialize_variables=False):
                ugatit.build_discriminator(size, layers=layers, width=1)
    with pytest.raises(ValueError, match="at least 32 px.*Received: image_size=31"):
        ugatit.discriminator_layers(31)
    with pytest.raises(ValueError, match="at least 96 px for 7 layers"):
        ugatit.build_discriminator(64, layers=7)


def test_pictures_of_a_batch_do_not_see_each_other(small):
    discriminator = ugatit.build_discriminator(16, layers=3, width=4)
    pictures = _pictures(3, 16, 16, 3)
    for network in (small, discriminator):
        together = network(pictures)
        assert network(pictures[:1], training=False)
        for n in range(3):
            alone = network(pictures[n : n + 1])
            for name, value in together.items():
                np.testing.assert_allclose(
                    alone[name][0], value[n], atol=2e-5, err_msg=name
                )


def test_outputs_are_bounded_and_float32(small):
    outputs = small(3 * _pictures(2, 16, 16, 3))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "images": (2, 16, 16, 3),
        "cam_logits": (2, 2),
        "heat_map": (2, 4, 4),
    }
    assert all(value.dtype == "float32" for value in outputs.values())
    assert np.abs(outputs["images"]).max() <= 1
    assert np.min(outputs["heat_map"]) >= 0
    assert np.std(outputs["images"]) > 0.1


def _inputs_of(network, layer) -> list[str]:
    tensors = network.get_layer(layer).input
    return [tensor._keras_history.operation.name for tensor in tensors]


@pytest.mark.parametrize("light", [True, False])
def test_one_gamma_and_one_beta_serve_all_adalins(light):
    network = ugatit.build_generator(16, width=2, blocks=2, light=light)
    norms = [x for x in network.layers if isinstance(x, AdaLIN)]
    assert len(norms) == 4
    assert len({id(x.rho) for x in norms}) == 4
    for norm in norms:
        assert _inputs_of(network, norm.name)[1:] == ["gamma", "beta"]
        np.testing.assert_allclose(norm.rho, 0.9)
    doublings = [x for x in network.layers if isinstance(x, LIN)]
    assert [x.name for x in doublings] == ["up2_norm", "up1_norm"]
    assert not any(np.any(x.rho) for x in doublings)
    pooled = network.get_layer("pooled").output.shape
    assert pooled == (None, 8 if light else 8 * 4 * 4)


@pytest.mark.parametrize(("normalization", "rho"), [("instance", 1), ("layer", 0)])
def test_the_ablation_keeps_rho_at_an_end(normalization, rho):
    network = ugatit.build_generator(
        16, width=2, blocks=1, normalization=normalization, attention=False
    )
    norms = [x for x in network.layers if isinstance(x, (AdaLIN, LIN))]
    assert len(norms) == 4
    for norm in norms:
        np.testing.assert_array_equal(norm.rho, rho)
        assert "rho" not in [v.name for v in norm.trainable_variables]
    assert set(network(_pictures(1, 16, 16, 3))) == {"images"}


def test_without_attention_the_discriminator_has_logits_only():
    network = ugatit.build_discriminator(32, layers=3, width=2, attention=False)
    outputs = network(_pictures(1, 32, 32, 3))
    assert {k: v.shape for k, v in outputs.items()} == {"logits": (1, 14, 14, 1)}


def test_where_the_layouts_differ():
    pytorch, tensorflow = (
        ugatit.build_generator(16, width=2, blocks=1, layout=layout)
        for layout in ugatit.LAYOUTS
    )
    assert not pytorch.get_layer("first").use_bias
    assert not pytorch.get_layer("first_norm").weights
    assert tensorflow.get_layer("first").use_bias
    assert len(tensorflow.get_layer("first_norm").weights) == 2
    ours, theirs = (x.get_layer("cam") for x in (pytorch, tensorflow))
    assert (ours.shared, theirs.shared, theirs.logit_bias) == (False, True, True)
    judges = [
        ugatit.build_discriminator(32, layers=3, width=2, layout=layout)
        for layout in ugatit.LAYOUTS
    ]
    assert [x.get_layer("cam").spectral for x in judges] == ["logits", "all"]
    assert [x.get_layer("last").use_bias for x in judges] == [False, True]


def test_every_convolution_of_the_discriminator_is_spectral_but_one():
    network = ugatit.build_discriminator(32, layers=3, width=2)
    kernels = [x for x in network.layers if x.weights]
    assert [type(x) for x in kernels] == [
        SpectralConv2D,
        SpectralConv2D,
        CAMAttention,
        SpectralConv2D,
    ]
    before = network.get_weights()
    network(_pictures(2, 32, 32, 3))
    for ours, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, old)
    network(_pictures(2, 32, 32, 3), training=True)
    moved = [
        v.name
        for v, old in zip(network.weights, before, strict=True)
        if np.any(np.asarray(v) != old)
    ]
    assert set(moved) == {"u"}


def test_half_precision_draws_nearly_the_same(small):
    network = ugatit.build_generator(16, width=4, blocks=1, dtype="mixed_bfloat16")
    network.set_weights(small.get_weights())
    pictures = _pictures(2, 16, 16, 3)
    outputs, wanted = network(pictures), small(pictures)
    assert outputs["images"].dtype == "float32"
    assert np.abs(outputs["images"] - wanted["images"]).mean() < 0.05
    np.testing.assert_allclose(outputs["cam_logits"], wanted["cam_logits"], atol=0.1)


def test_they_can_be_saved(small, tmp_path):
    discriminator = ugatit.build_discriminator(16, layers=3, width=4)
    pictures = _pictures(1, 16, 16, 3)
    for network in (small, discriminator):
        network.save(tmp_path / "network.keras")
        opened = keras.saving.load_model(tmp_path / "network.keras")
        outputs = opened(pictures)
        for name, value in network(pictures).items():
            np.testing.assert_array_equal(outputs[name], value)


@pytest.mark.parametrize("normalization", ["adalin", "instance"])
def test_an_exported_generator_needs_no_layer_of_ours(normalization, tmp_path):
    network = ugatit.build_generator(
        16, width=2, blocks=1, normalization=normalization, dtype="mixed_bfloat16"
    )
    rng = np.random.default_rng(1)
    network.set_weights([rng.uniform(0, 1, w.shape) for w in network.weights])
    exact = ugatit.build_generator(16, width=2, blocks=1, normalization=normalization)
    exact.set_weights(network.get_weights())
    portable = export.portable_copy(network)
    export.save(portable, tmp_path)
    text = (tmp_path / "generator.json").read_text()
    assert "gan_lib" not in text
    opened = keras.models.model_from_json(text)
    opened.load_weights(tmp_path / "generator.weights.h5")
    pictures = _pictures(2, 16, 16, 3)
    outputs = opened(pictures)
    for name, value in exact(pictures).items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=1e-4)


def test_wrong_arguments_are_explained():
    for size, nearest in ((30, 28), (8, 16), (0, 16)):
        with pytest.raises(ValueError, match=f"divisible by 4.*fits: {nearest}"):
            ugatit.build_generator(size)
    with pytest.raises(ValueError, match="normalization.*adalin.*Received: 'batch'"):
        ugatit.build_generator(16, normalization="batch")
    for build in (ugatit.build_generator, ugatit.build_discriminator):
        with pytest.raises(ValueError, match="layout.*pytorch.*Received: 'jax'"):
            build(64, layout="jax")
