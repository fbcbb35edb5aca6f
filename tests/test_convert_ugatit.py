"""Published files of U-GAT-IT: every tensor in its place, or an error that names it."""

from __future__ import annotations

import numpy as np
import pytest
from torch_files import write_state_dict
from ugatit_files import (
    numbers,
    tensorflow_discriminator,
    tensorflow_generator,
    torch_discriminator,
    torch_generator,
    write_tensorflow,
    write_torch,
)

from gan_lib import convert_ugatit
from gan_lib import ugatit_networks as ugatit
from gan_lib.torch_file import UnsafePickleError, read_torch_file

RAMP = np.sin(np.arange(2 * 32 * 32 * 3) / 7).reshape(2, 32, 32, 3).astype("float32")
WRITERS = {"pytorch": write_torch, "tensorflow": write_tensorflow}
GENERATORS = {"pytorch": torch_generator, "tensorflow": tensorflow_generator}
DISCRIMINATORS = {
    "pytorch": torch_discriminator,
    "tensorflow": tensorflow_discriminator,
}
each_layout = pytest.mark.parametrize("layout", WRITERS)


def _write(path, layout, **networks):
    """A file of these networks, each (shapes), by our names for them."""
    index = 0 if layout == "pytorch" else 1
    arrays = {
        name: numbers(shapes, n) for n, (name, shapes) in enumerate(networks.items())
    }
    named = {convert_ugatit.PARTS[name][index]: a for name, a in arrays.items()}
    return WRITERS[layout](path / "model", named), arrays


@each_layout
@pytest.mark.parametrize("light", [True, False])
def test_generators_by_their_documented_names(tmp_path, layout, light):
    shapes = GENERATORS[layout](light=light)
    path, arrays = _write(tmp_path, layout, b_to_a=shapes, a_to_b=shapes)
    networks = {
        which: convert_ugatit.load_generator(path, which, image_size=16)
        for which in arrays
    }
    for which, network in networks.items():
        assert network.count_params() == sum(a.size for a in arrays[which].values())
        values = sorted(np.concatenate([w.numpy().ravel() for w in network.weights]))
        expected = np.concatenate(
            [
                np.clip(a - 0.1, 0, 1).ravel()
                if "instance_layer_norm" in n
                else a.ravel()
                for n, a in arrays[which].items()
            ]
        )
        np.testing.assert_allclose(values, np.sort(expected), rtol=1e-6)
    a = networks["a_to_b"](RAMP[:, :16, :16])["images"]
    b = networks["b_to_a"](RAMP[:, :16, :16])["images"]
    assert np.abs(a - b).max() > 0.01


@each_layout
@pytest.mark.parametrize("layers", [3, 4])
def test_discriminators_by_their_documented_names(tmp_path, layout, layers):
    shapes = DISCRIMINATORS[layout](layers)
    path, arrays = _write(tmp_path, layout, local_b=shapes, global_a=shapes)
    network = convert_ugatit.load_discriminator(path, "local_b", image_size=32)
    found = sorted(np.concatenate([w.numpy().ravel() for w in network.weights]))
    passed_over = ("_v", "fc.weight_u", "CAM_logit/u")
    expected = [
        a.ravel() for n, a in arrays["local_b"].items() if not n.endswith(passed_over)
    ]
    np.testing.assert_array_equal(found, np.sort(np.concatenate(expected)))
    side = {"pytorch": 14, "tensorflow": 16}[layout] if layers == 3 else 6
    if layout == "tensorflow" and layers == 4:
        side = 8
    expected = ugatit.build_discriminator(32, layers=layers, width=2, layout=layout)
    assert network.output_shape == expected.output_shape
    assert network(RAMP)["logits"].shape == (2, side, side, 1)


TORCH_PLACES = {
    "first": "DownBlock.1.weight",
    "down1": "DownBlock.5.weight",
    "encode2_conv2": "DownBlock.13.conv_block.5.weight",
    "decode1_conv2": "UpBlock1_1.conv2.weight",
    "up2": "UpBlock2.2.weight",
    "up1": "UpBlock2.7.weight",
    "last": "UpBlock2.11.weight",
}
TENSORFLOW_PLACES = {
    "first": "conv/conv2d/kernel",
    "down1": "conv_0/conv2d/kernel",
    "encode2_conv2": "resblock_1/res2/conv_0/conv2d/kernel",
    "decode1_conv2": "adaptive_resblock0/res2/conv_0/conv2d/kernel",
    "up2": "up_conv_0/conv2d/kernel",
    "up1": "up_conv_1/conv2d/kernel",
    "last": "G_logit/conv2d/kernel",
    "decode2_conv1_norm": "adaptive_resblock1/res1/instance_layer_norm/rho",
    "style2": "MLP/linear_1/dense/kernel",
}


@each_layout
def test_layers_have_the_tensors_of_their_names(tmp_path, layout):
    path, arrays = _write(tmp_path, layout, a_to_b=GENERATORS[layout](blocks=2))
    network = convert_ugatit.load_generator(path, image_size=16)
    torch = layout == "pytorch"
    for layer, name in (TORCH_PLACES if torch else TENSORFLOW_PLACES).items():
        wanted = arrays["a_to_b"][name]
        wanted = wanted.transpose(2, 3, 1, 0) if torch else wanted
        wanted = np.clip(wanted - 0.1, 0, 1) if name.endswith("rho") else wanted
        found = network.get_layer(layer).weights[0]
        np.testing.assert_array_equal(found, wanted, err_msg=layer)


def test_the_full_models_first_dense_layer_turns_from_channels_first(tmp_path):
    path, arrays = _write(tmp_path, "pytorch", a_to_b=torch_generator(light=False))
    network = convert_ugatit.load_generator(path)
    assert network.input_shape == (None, 16, 16, 3)  # as the file says
    maps = np.random.default_rng(3).normal(size=(1, 4, 4, 8)).astype("float32")
    theirs = (
        maps.transpose(0, 3, 1, 2).reshape(1, -1) @ arrays["a_to_b"]["FC.0.weight"].T
    )
    ours = network.get_layer("style1")(network.get_layer("pooled")(maps))
    np.testing.assert_allclose(ours, np.maximum(theirs, 0), rtol=1e-4, atol=1e-5)


@each_layout
def test_every_missing_unknown_or_misshapen_tensor_is_named(tmp_path, layout):
    shapes = GENERATORS[layout]()
    network = ugatit.build_generator(16, width=2, blocks=1, layout=layout)
    before = network.get_weights()
    arrays = numbers(shapes)
    scope = convert_ugatit.PARTS["a_to_b"][0 if layout == "pytorch" else 1]
    name = list(arrays)[5]
    changes = [{key: None} for key in list(arrays)[::5]]
    changes += [{"odd.weight": np.ones(2)}, {name: np.repeat(arrays[name], 2, 0)}]
    for change in changes:
        changed = {k: v for k, v in (arrays | change).items() if v is not None}
        path = WRITERS[layout](tmp_path / "model", {scope: changed})
        (key,) = change
        with pytest.raises(ValueError, match=f"tensor {key}.*Nothing was changed"):
            convert_ugatit.load_generator(path, network=network)
    for ours, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, old)


@each_layout
def test_a_network_of_another_kind_is_an_error(tmp_path, layout):
    path, _ = _write(tmp_path, layout, a_to_b=GENERATORS[layout]())
    other = {"pytorch": "tensorflow", "tensorflow": "pytorch"}[layout]
    for network in (
        ugatit.build_generator(16, width=2, blocks=1, layout=other),
        ugatit.build_generator(16, width=2, blocks=2, layout=layout),
        ugatit.build_generator(16, width=2, blocks=1, layout=layout, attention=False),
        ugatit.build_generator(16, width=3, blocks=1, layout=layout),
        ugatit.build_discriminator(32, layers=3, width=2, layout=layout),
    ):
        with pytest.raises(ValueError, match=r"Expected .*(layout|ugatit)"):
            convert_ugatit.load_generator(path, network=network)


@each_layout
def test_a_network_that_the_file_has_not(tmp_path, layout):
    path, _ = _write(tmp_path, layout, a_to_b=GENERATORS[layout]())
    with pytest.raises(ValueError, match="genB2A|generator_A"):
        convert_ugatit.load_generator(path, "b_to_a")
    with pytest.raises(ValueError, match="'a_to_b', 'b_to_a'.*Received: 'B'"):
        convert_ugatit.load_generator(path, "B")
    with pytest.raises(ValueError, match="global_a.*Received: 'a_to_b'"):
        convert_ugatit.load_discriminator(path, "a_to_b")


def test_a_checkpoints_folder_will_do(tmp_path):
    _write(tmp_path, "tensorflow", a_to_b=tensorflow_generator())
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model"\n')
    network = convert_ugatit.load_generator(tmp_path, image_size=16)
    assert network(RAMP[:, :16, :16])["images"].shape == (2, 16, 16, 3)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_part_of_a_torch_file(tmp_path, legacy):
    parts = {
        "one": {"a": np.ones((2, 3)), "b": np.zeros(4)},
        "two": {"a": np.full(5, 7.0)},
    }
    path = write_torch(tmp_path / "file.pt", parts, legacy)
    for name, arrays in parts.items():
        found = read_torch_file(path, name)
        assert found.keys() == arrays.keys()
        for key, array in arrays.items():
            np.testing.assert_array_equal(found[key], array)
    with pytest.raises(ValueError, match=r"no part 'three' among \['one', 'two'\]"):
        read_torch_file(path, "three")
    with pytest.raises(ValueError, match="'one' is not a tensor"):
        read_torch_file(path)
    plain = write_state_dict(tmp_path / "plain.pth", {"one": np.ones(2)}, legacy)
    with pytest.raises(ValueError, match="no dictionary of tensors"):
        read_torch_file(plain, "one")


def test_a_file_that_is_a_program_is_not_run(tmp_path):
    path = tmp_path / "evil.pt"
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(UnsafePickleError, match=r"system.*Nothing was run"):
        convert_ugatit.load_generator(path)


def test_names_of_these_files_cover_the_published_counts():
    for light, wanted in ((False, 278_959_808), (True, 10_589_888)):
        shapes = torch_generator(256, 64, 4, light)
        assert sum(int(np.prod(s)) for s in shapes.values()) == wanted


def test_networks_equal_plain_pytorch_ones(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not a requirement")
    from torch_ugatit import Discriminator, Generator

    torch.manual_seed(0)
    theirs = {
        "genA2B": Generator(32, 4, 2, light=True),
        "genB2A": Generator(32, 4, 2, light=False),
        "disGA": Discriminator(4, 4),
        "disLA": Discriminator(3, 4),
    }
    torch.save({k: n.state_dict() for k, n in theirs.items()}, tmp_path / "model.pt")
    pictures = torch.tensor(RAMP.transpose(0, 3, 1, 2))
    for which in ("a_to_b", "b_to_a", "global_a", "local_a"):
        generates = "_to_" in which
        load = getattr(
            convert_ugatit, "load_generator" if generates else "load_discriminator"
        )
        network = load(tmp_path / "model.pt", which, image_size=32)
        ours = network(RAMP, training=True)  # one power iteration, as in PyTorch
        with torch.no_grad():
            maps, *rest = theirs[convert_ugatit.PARTS[which][0]](pictures)
        wanted = [maps.permute(0, 2, 3, 1), *rest]
        names = ("images" if generates else "logits", "cam_logits", "heat_map")
        for name, value in zip(names, wanted, strict=True):
            np.testing.assert_allclose(ours[name], value, atol=1e-4, err_msg=name)
