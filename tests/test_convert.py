"""Published PyTorch files fit our networks: every tensor in its place, or an error."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from torch_files import write_state_dict
from torch_networks import Shapes, numbers, patchgan, ramp, resnet, unet

from gan_lib import convert
from gan_lib.export import portable_copy
from gan_lib.models import cyclegan, pix2pix
from gan_lib.patchgan import build_discriminator
from gan_lib.torch_file import UnsafePickleError


@pytest.fixture
def write(tmp_path):
    """A function that writes arrays of these shapes and returns (path, arrays)."""

    def write_file(shapes: Shapes, legacy=False, prefix=""):
        arrays = numbers(shapes)
        named = {prefix + name: array for name, array in arrays.items()}
        return write_state_dict(tmp_path / "net.pth", named, legacy), arrays

    return write_file


def assert_holds(network, layer: str, arrays, module: str) -> None:
    """The layer's weights are the module's."""
    found = network.get_layer(layer).get_weights()
    if found[0].ndim == 4:
        expected = [arrays[f"{module}.weight"].transpose(2, 3, 1, 0)]
        expected += [arrays[n] for n in [f"{module}.bias"] if n in arrays]
    else:
        parts = ("weight", "bias", "running_mean", "running_var")
        expected = [arrays[f"{module}.{part}"] for part in parts]
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=f"{layer} <- {module}")


UNET_256 = {
    "down1": "model.model.0",
    "down2": "model.model.1.model.1",
    "down2_norm": "model.model.1.model.2",
    "down3": "model.model.1.model.3.model.1",
    "down7_norm": "model.model.1.model.3.model.3.model.3.model.3.model.3.model.2",
    "down8": "model.model.1.model.3.model.3.model.3.model.3.model.3.model.3.model.1",
    "up8": "model.model.1.model.3.model.3.model.3.model.3.model.3.model.3.model.3",
    "up8_norm": "model.model.1.model.3.model.3.model.3.model.3.model.3.model.3.model.4",
    "up7": "model.model.1.model.3.model.3.model.3.model.3.model.3.model.5",
    "up3_norm": "model.model.1.model.3.model.6",
    "up2": "model.model.1.model.5",
    "up1": "model.model.3",
}


@pytest.mark.parametrize("legacy", [False, True])
def test_unet_256_by_its_documented_names(write, legacy):
    path, arrays = write(unet(8), legacy=legacy)
    network = convert.load_pix2pix_generator(path)
    assert network.input_shape == (None, 256, 256, 3)
    for layer, module in UNET_256.items():
        assert_holds(network, layer, arrays, module)
    assert len(arrays) == len(network.weights) + 13  # a counter for each norm


@pytest.mark.parametrize("stages", [5, 6, 7])
@pytest.mark.parametrize("batch", [True, False])
def test_other_unets_are_recognised(write, stages, batch):
    path, arrays = write(unet(stages, width=3, channels=(1, 2), batch=batch))
    network = convert.load_pix2pix_generator(path)
    assert network.input_shape == (None, 1 << stages, 1 << stages, 1)
    assert network.output_shape[-1] == 2
    innermost = "model.model.1.model" + (stages - 2) * ".3.model"
    assert_holds(network, f"down{stages}", arrays, f"{innermost}.1")
    assert_holds(network, f"up{stages}", arrays, f"{innermost}.3")
    assert_holds(network, "up1", arrays, "model.model.3")
    counted = sum(
        a.size for n, a in arrays.items() if not n.endswith("num_batches_tracked")
    )
    assert network.count_params() == counted


@pytest.mark.parametrize(
    ("blocks", "second", "old"), [(9, 5, False), (6, 5, True), (6, 6, True)]
)
def test_residual_generators(write, blocks, second, old):
    path, arrays = write(resnet(blocks, second=second, old=old))
    network = convert.load_cyclegan_generator(path, image_size=16)
    dropouts = [x for x in network.layers if isinstance(x, keras.layers.Dropout)]
    assert len(dropouts) == (blocks if second == 6 else 0)
    for layer, module in {
        "first": "model.1",
        "down1": "model.4",
        "down2": "model.7",
        "block1_conv1": "model.10.conv_block.1",
        f"block{blocks}_conv2": f"model.{9 + blocks}.conv_block.{second}",
        "up2": f"model.{10 + blocks}",
        "up1": f"model.{13 + blocks}",
        "last": f"model.{17 + blocks}",
    }.items():
        assert_holds(network, layer, arrays, module)


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (3, 70), (5, 286)])
def test_patchgans(write, layers, field):
    path, arrays = write(patchgan(layers))
    network = convert.load_discriminator(path, image_size=128)
    wanted = build_discriminator(128, receptive_field=field, width=2)
    assert network.output_shape == wanted.output_shape
    assert_holds(network, "conv1", arrays, "model.0")
    assert_holds(network, "conv2", arrays, "model.2")
    assert_holds(network, "conv2_norm", arrays, "model.3")
    assert_holds(network, f"conv{layers + 2}", arrays, f"model.{2 + 3 * layers}")


def test_the_pixel_discriminator(write):
    path, arrays = write(patchgan(1, sequence="net", size=1))
    network = convert.load_discriminator(path, image_size=32)
    assert network.output_shape == (None, 32, 32, 1)
    for layer, module in {"conv1": "net.0", "conv2": "net.2", "conv3": "net.5"}.items():
        assert_holds(network, layer, arrays, module)


def test_files_of_several_gpus_have_a_prefix(write):
    path, arrays = write(resnet(6), prefix="module.")
    network = convert.load_cyclegan_generator(path, image_size=16)
    assert_holds(network, "last", arrays, "model.23")


def test_a_network_of_ones_own_is_filled(write):
    path, arrays = write(unet(5))
    generator = pix2pix.build_generator(32, width=2)
    for network in (generator, portable_copy(generator)):  # as `ema_generator` is
        assert convert.load_pix2pix_generator(path, network) is network
        innermost = "model.model.1.model.3.model.3.model.3.model"
        assert_holds(network, "down5", arrays, f"{innermost}.1")
        assert_holds(network, "up5_norm", arrays, f"{innermost}.4")
    path, arrays = write(resnet(2, old=True))
    generator = cyclegan.build_generator(16, blocks=2, width=2)
    network = convert.load_cyclegan_generator(path, portable_copy(generator))
    assert_holds(network, "last", arrays, "model.19")


CASES = {
    "unet": (unet(6), convert.load_pix2pix_generator, 64, 3),
    "unet_instance": (unet(5, batch=False), convert.load_pix2pix_generator, 32, 3),
    "resnet": (
        resnet(2, width=4),
        lambda path: convert.load_cyclegan_generator(path, image_size=24),
        24,
        3,
    ),
    "patchgan": (
        patchgan(3),
        lambda path: convert.load_discriminator(path, image_size=40),
        40,
        6,
    ),
    "pixelgan": (
        patchgan(1, sequence="net", size=1),
        lambda path: convert.load_discriminator(path, image_size=8),
        8,
        6,
    ),
}

# What PyTorch 2.13.0 makes of the same files and pictures: the values [0, 1, 2, 0] and
# [1, -1, -2, -1] and the standard deviation; first in `eval()` mode, then in `train()`.
KNOWN = {
    "unet": ([-0.657978, -0.276648, 0.810614], [-0.617701, -0.199312, 0.596296]),
    "unet_instance": ([0.318951, -0.290799, 0.615157], [0.318951, -0.290799, 0.615157]),
    "resnet": ([0.966484, -0.833447, 0.68538], [0.966484, -0.833447, 0.68538]),
    "patchgan": ([1.528048, 8.061438, 4.009087], [-0.622475, 0.682452, 1.368609]),
    "pixelgan": ([0.476271, 8.893827, 2.786498], [-0.091425, 7.340817, 2.474105]),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("training", [False, True])
def test_pictures_are_those_of_pytorch(write, name, training):
    shapes, load, size, channels = CASES[name]
    network = load(write(shapes)[0])
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    images = np.asarray(network(ramp(size, channels), training=training))
    found = [images[0, 1, 2, 0], images[1, -1, -2, -1], images.std()]
    np.testing.assert_allclose(found, KNOWN[name][training], rtol=2e-4, atol=2e-5)


WRONG_TENSORS: list[Shapes] = [
    {"model.model.1.model.9.weight": (3,)},
    {"model.model.1.model.2.running_mean": (5,)},
    {"model.model.3.weight": (2, 3, 4, 4)},
    {"model.model.1.model.3.model.1.weight": (8, 4, 5, 5)},
]


def test_a_misfit_is_named_and_changes_nothing(write):
    network = pix2pix.build_generator(32, width=2)
    before = network.get_weights()
    for change in WRONG_TENSORS:
        path, _ = write(unet(5) | change)
        (name,) = change
        with pytest.raises(ValueError, match=rf"{name}.*Nothing was changed. Leave"):
            convert.load_pix2pix_generator(path, network)
        for a, b in zip(network.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)


def test_every_missing_tensor_is_named(write):
    network = pix2pix.build_generator(32, width=2)
    for name in unet(5):
        shapes = unet(5)
        del shapes[name]
        path, _ = write(shapes)
        if name.endswith("num_batches_tracked"):
            convert.load_pix2pix_generator(path, network)
        else:
            with pytest.raises(ValueError, match=f"tensor.* {name}.*none|tensor named"):
                convert.load_pix2pix_generator(path, network)


@pytest.mark.parametrize("place", ["model.3.model.1", "model.2", "model.5"])
def test_an_incomplete_file_is_noticed_when_building(write, place):
    shapes = unet(5)
    del shapes[f"model.model.1.{place}.weight"]
    with pytest.raises(ValueError, match="Expected a tensor model|no tensor model"):
        convert.load_pix2pix_generator(write(shapes)[0])


def test_statistics_are_passed_over_only_beside_instance_norms(write):
    extra = {"model.1.running_mean": (2,)}
    path, _ = write(resnet(6) | extra)
    with pytest.raises(ValueError, match=r"no tensor model\.1\.running_mean"):
        convert.load_cyclegan_generator(path, image_size=16)


def test_a_file_of_another_kind_names_its_loader(write):
    kinds = {
        "load_pix2pix_generator": unet(5),
        "load_cyclegan_generator": resnet(6),
        "load_discriminator": patchgan(3),
    }
    for kind, shapes in kinds.items():
        path, _ = write(shapes)
        for other in set(kinds) - {kind}:
            with pytest.raises(ValueError, match=rf"looks like one for .*{kind}"):
                getattr(convert, other)(path)
    path, _ = write({"layer1.weight": (3,)})
    with pytest.raises(ValueError, match="'layer1.weight'.*Only networks of"):
        convert.load_discriminator(path)
    with pytest.raises(ValueError, match="Only networks of"):
        convert.load_discriminator(write({})[0])


def test_a_kernel_of_another_rank_is_an_error(write):
    path, _ = write(unet(5) | {"model.model.0.weight": (2, 3)})
    with pytest.raises(ValueError, match=r"four axes as model\.model\.0\.weight"):
        convert.load_pix2pix_generator(path)


def test_a_network_of_another_depth_or_kind_is_an_error(write):
    path, _ = write(unet(5))
    for network in (
        pix2pix.build_generator(64, width=2),
        cyclegan.build_generator(8, blocks=1, width=2),
        keras.Sequential([pix2pix.build_generator(32, width=2)]),
    ):
        with pytest.raises(ValueError, match="whose layers are named"):
            convert.load_pix2pix_generator(path, network)
    with pytest.raises(ValueError, match=r"of shape \(16, 8, 4, 4\).*Received: sh"):
        convert.load_pix2pix_generator(path, pix2pix.build_generator(16, width=2))


def test_a_discriminator_deeper_than_ours(write):
    path, _ = write(patchgan(6, width=1))
    with pytest.raises(ValueError, match="at most 5 strided"):
        convert.load_discriminator(path)


def test_a_file_that_is_a_program_is_not_run(tmp_path):
    path = tmp_path / "evil.pth"
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    for load in (
        convert.load_pix2pix_generator,
        convert.load_cyclegan_generator,
        convert.load_discriminator,
    ):
        with pytest.raises(UnsafePickleError, match=r"system.*Nothing was run"):
            load(path)
