"""BigGAN modules' weights: the module's pictures, or an error that names the misfit.

The arrays and the forward pass here are written from the names alone, in float64 and
with the module's own order of conditions, epsilon and power iteration.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from gan_lib import biggan_names, biggan_networks, convert_biggan
from gan_lib.hub_handles import PUBLISHED

EMA = "/ema_b999900"
CLASSES, EMBEDDED, PART = 4, 3, 2
# Channels in and out of each block, the block before which attention stands.
BLOCKS = {
    32: ([(8, 8), (8, 8), (8, 8)], 2),
    64: ([(32, 32), (32, 16), (16, 8), (8, 4)], 3),
}
SIZE = 64


def block_scope(number):
    return "Generator/GBlock" + (f"_{number}" if number else "")


def spectral_shapes(size) -> dict[str, tuple]:
    """By scope, the kernels that have a u0."""
    blocks, attended = BLOCKS[size]
    condition = PART + EMBEDDED
    shapes = {"Generator/G_Z/G_linear": (PART, 16 * blocks[0][0])}
    for number, (before, after) in enumerate(blocks):
        scope = block_scope(number)
        shapes[f"{scope}/conv0"] = (3, 3, before, after)
        shapes[f"{scope}/conv1"] = (3, 3, after, after)
        shapes[f"{scope}/conv_sc"] = (1, 1, before, after)
        for name, channels in (("HyperBN", before), ("HyperBN_1", after)):
            for which in ("gamma", "beta"):
                shapes[f"{scope}/{name}/{which}"] = (condition, channels)
    channels = blocks[attended][0]
    for name in ("theta", "phi"):
        shapes[f"Generator/attention/{name}"] = (1, 1, channels, channels // 8)
    shapes["Generator/attention/g"] = (1, 1, channels, channels // 2)
    shapes["Generator/attention/o_conv"] = (1, 1, channels // 2, channels)
    shapes["Generator/conv_2d"] = (3, 3, blocks[-1][1], 3)
    return shapes


def module_arrays(size=SIZE) -> dict[str, np.ndarray]:
    """The variables of a small module, not settled, with those before averaging."""
    rng = np.random.default_rng(size)
    arrays = {f"linear/w{EMA}": rng.normal(size=(CLASSES, EMBEDDED))}
    for scope, shape in spectral_shapes(size).items():
        arrays[f"{scope}/w{EMA}"] = rng.normal(size=shape)
        arrays[f"{scope}/u0"] = rng.normal(size=(1, shape[-1]))
        if "HyperBN" not in scope and "attention" not in scope:
            arrays[f"{scope}/b{EMA}"] = rng.normal(0, 0.2, shape[-1:])
    blocks, _ = BLOCKS[size]
    norms = {"Generator/ScaledCrossReplicaBNbn": blocks[-1][1]}
    for number, channels in enumerate(blocks):
        for name, width in zip(("", "_1"), channels, strict=True):
            norms[f"{block_scope(number)}/CrossReplicaBN{name}"] = width
    for scope, width in norms.items():
        counter = rng.integers(2, 9)
        arrays[f"{scope}/accumulation_counter"] = counter
        arrays[f"{scope}/accumulated_mean"] = counter * rng.normal(size=width)
        arrays[f"{scope}/accumulated_var"] = counter * rng.uniform(1e-4, 3, width)
    width = (1, 1, 1, blocks[-1][1])
    arrays[f"Generator/ScaledCrossReplicaBN/gamma{EMA}"] = rng.uniform(0.1, 0.3, width)
    arrays[f"Generator/ScaledCrossReplicaBN/beta{EMA}"] = rng.normal(0, 0.3, width)
    arrays[f"Generator/attention/gamma{EMA}"] = np.array([0.7])
    raw = {name.removesuffix(EMA): 9 * array for name, array in arrays.items()}
    for name in [name for name in arrays if name.endswith("/u0")]:
        raw[name.replace("u0", "u1")] = rng.normal(size=(1, 5))
    return {k: np.asarray(v, "float32") for k, v in (raw | arrays).items()}


def module_pictures(arrays, latents, classes, size=SIZE):
    """What the module computes, in float64."""
    arrays = {name: array.astype("float64") for name, array in arrays.items()}
    blocks, attended = BLOCKS[size]

    def kernel(scope):
        w = arrays[f"{scope}/w{EMA}"]
        matrix = w.reshape(-1, w.shape[-1])
        v = arrays[f"{scope}/u0"] @ matrix.T  # (1, h w C)
        v /= np.linalg.norm(v)
        u = v @ matrix
        u /= np.linalg.norm(u)
        return w / (v @ matrix @ u.T)[0, 0]

    def convolve(x, scope):
        bias = arrays.get(f"{scope}/b{EMA}", 0.0)
        return tf.nn.conv2d(x, kernel(scope), 1, "SAME").numpy() + bias

    def normalize(x, scope):
        counter = arrays[f"{scope}/accumulation_counter"]
        mean = arrays[f"{scope}/accumulated_mean"] / counter
        variance = arrays[f"{scope}/accumulated_var"] / counter
        return (x - mean) / np.sqrt(variance + 1e-4)

    def conditioned(x, scope, end):
        x = normalize(x, f"{scope}/CrossReplicaBN{end}")
        gain = 1 + condition @ kernel(f"{scope}/HyperBN{end}/gamma")
        bias = condition @ kernel(f"{scope}/HyperBN{end}/beta")
        return np.maximum(gain[:, None, None] * x + bias[:, None, None], 0)

    def twice(x):
        return x.repeat(2, 1).repeat(2, 2)

    def pooled(x):
        n, height, width, channels = x.shape
        x = x.reshape(n, height // 2, 2, width // 2, 2, channels)
        return x.max((2, 4)).reshape(n, -1, channels)

    def attend(x, scope):
        question = convolve(x, f"{scope}/theta")
        keys, values = (pooled(convolve(x, f"{scope}/{k}")) for k in ("phi", "g"))
        likeness = np.exp(np.einsum("nhwc,nkc->nhwk", question, keys))
        likeness /= likeness.sum(-1, keepdims=True)
        found = np.einsum("nhwk,nkc->nhwc", likeness, values)
        gamma = arrays[f"{scope}/gamma{EMA}"]
        return x + gamma * convolve(found, f"{scope}/o_conv")

    first, *parts = np.split(latents.astype("float64"), len(blocks) + 1, 1)
    embedded = classes @ arrays[f"linear/w{EMA}"]
    scope = "Generator/G_Z/G_linear"
    x = first @ kernel(scope) + arrays[f"{scope}/b{EMA}"]
    x = x.reshape(-1, 4, 4, blocks[0][0])
    for number, part in enumerate(parts):
        condition = np.concatenate([part, embedded], 1)
        if number == attended:
            x = attend(x, "Generator/attention")
        scope = block_scope(number)
        h = convolve(twice(conditioned(x, scope, "")), f"{scope}/conv0")
        h = convolve(conditioned(h, scope, "_1"), f"{scope}/conv1")
        x = h + convolve(twice(x), f"{scope}/conv_sc")
    scope = "Generator/ScaledCrossReplicaBN"
    x = normalize(x, f"{scope}bn")
    x = x * arrays[f"{scope}/gamma{EMA}"] + arrays[f"{scope}/beta{EMA}"]
    return np.tanh(convolve(np.maximum(x, 0), "Generator/conv_2d"))


def write(arrays, folder):
    """As the variables of a module lie on disk."""
    (folder / "variables").mkdir(parents=True)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "variables" / "variables"),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[tf.constant(array) for array in arrays.values()],
    )
    return folder


def empty(size=32, **arguments):
    settings = {"latent_dim": 8, "class_dim": EMBEDDED, "width": 2, "attention": 16}
    return biggan_networks.build_generator(size, CLASSES, **settings | arguments)


def inputs(size, n=3):
    rng = np.random.default_rng(5)
    latents = rng.normal(size=(n, PART * (len(BLOCKS[size][0]) + 1)))
    classes = np.eye(CLASSES)[rng.integers(0, CLASSES, n)]
    classes[-1] = [0.5, 0, 0.25, 0.25]
    return latents.astype("float32"), classes.astype("float32")


def assert_pictures(network, arrays, size):
    latents, classes = inputs(size)
    expected = module_pictures(arrays, latents, classes, size)
    found = network([latents, classes]).numpy()
    assert np.abs(expected).mean() < 0.9
    assert expected.std(0).mean() > 0.05  # the inputs matter
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_file_becomes_a_generator_of_its_size(tmp_path):
    arrays = module_arrays(64)
    network = convert_biggan.load_generator(write(arrays, tmp_path / "module"))
    assert network.output_shape == (None, 64, 64, 3)
    assert network.get_layer("attention").output.shape[1] == 32
    assert_pictures(network, arrays, 64)


def test_arrays_fill_a_given_network():
    """Names as the module's variables have them; nothing but the table's is taken."""
    arrays = module_arrays(32)
    named = {f"module/{name}:0": array for name, array in arrays.items()}
    network = empty()
    assert convert_biggan.load_generator(named, network) is network
    assert_pictures(network, arrays, 32)
    moved = arrays | {"Generator/conv_2d/b": np.ones(3, "float32")}  # not averaged
    again = convert_biggan.load_generator(moved, empty())
    for ours, theirs in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_every_weight_has_a_place():
    networks = empty(), empty(64, latent_dim=10, attention=None)
    for network in networks:
        places = biggan_names.places(network)
        assert len({id(p.variable) for p in places}) == len(network.weights)
        assert {id(p.variable) for p in places} == {id(w) for w in network.weights}


def test_u_belongs_to_the_columns_and_settles():
    """A settled u0 is kept; any other gives the module's sigma, not the exact one."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 4, 6))
    matrix = kernel.reshape(-1, 6)
    largest = np.linalg.svd(matrix)[2][0]
    found = biggan_names.settled(kernel, -5 * largest)
    np.testing.assert_allclose(found, -largest, atol=1e-12)
    u0 = rng.normal(size=6)
    v = matrix @ u0 / np.linalg.norm(matrix @ u0)
    found = biggan_names.settled(kernel, u0)
    sigma = np.linalg.norm(matrix @ found)  # |u| times ||W u|| of length 1
    np.testing.assert_allclose(sigma, np.linalg.norm(matrix.T @ v), rtol=1e-12)
    assert np.linalg.norm(found) < 1 - 1e-4


def without(name):
    return {k: v for k, v in module_arrays(32).items() if k != name}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            without("Generator/GBlock_1/conv0/u0"),
            r"missing: Generator/GBlock_1/conv0/u0",
        ),
        (
            without(f"Generator/attention/gamma{EMA}"),
            r"missing: Generator/attention/gamma/ema_b999900\.",
        ),
        (
            module_arrays(32) | {"Generator/GBlock_3/conv0/u0": np.ones(8)},
            "without a place here: Generator/GBlock_3/conv0/u0",
        ),
        (
            module_arrays(32) | {f"linear/w{EMA}": np.ones((5, 3))},
            r"linear/w/ema_b999900: expected \(4, 3\), received \(5, 3\)",
        ),
        (
            module_arrays(32) | {"Generator/conv_2d/u0": np.ones((1, 72))},
            r"conv_2d/u0: expected \(3,\), received \(1, 72\)",
        ),
        (
            module_arrays(32)
            | {"Generator/GBlock/CrossReplicaBN/accumulation_counter": np.zeros(())},
            "no statistics: Generator/GBlock/CrossReplicaBN/accumulation_counter",
        ),
        (module_arrays(64), r"missing|another shape.*and \d+ more"),
        ({"Generator/GenZ/G_linear/u0": np.ones(3)}, "BigGAN-deep"),
        ({}, r"missing: linear/w/ema_b999900, .*, and \d+ more"),
    ],
)
def test_misfits_are_listed_and_nothing_is_changed(arrays, message):
    network = empty()
    before = network.get_weights()
    with pytest.raises(ValueError, match=message):
        convert_biggan.load_generator(arrays, network)
    for ours, theirs in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_variables_of_no_use_can_be_passed_over():
    arrays = module_arrays(32)
    more = arrays | {"global_step": np.array(7)}
    with pytest.raises(ValueError, match="place here: global_step"):
        convert_biggan.load_generator(more, empty())
    assert_pictures(
        convert_biggan.load_generator(more, empty(), strict=False), arrays, 32
    )


def test_what_cannot_be_built_is_explained(tmp_path):
    with pytest.raises(ValueError, match=r"attention to 8 channels.*\[8, 16, 32\]"):
        convert_biggan.load_generator(module_arrays(32))
    with pytest.raises(ValueError, match=r"linear/w/ema_b999900 of 2 axes.*none"):
        convert_biggan.load_generator({"w": np.ones(3)})
    some = {k: v for k, v in module_arrays(32).items() if "GBlock" not in k}
    with pytest.raises(ValueError, match="3 to 7 blocks"):
        convert_biggan.load_generator(some)
    with pytest.raises(ValueError, match=r"variables\.index"):
        convert_biggan.load_generator(tmp_path)


def test_another_network_is_refused(tiny_networks):
    with pytest.raises(ValueError, match="layer or weight 'class_embedding'"):
        convert_biggan.load_generator(module_arrays(32), tiny_networks()[0])


def test_those_published_by_name(tmp_path, monkeypatch):
    """What `gan_lib.hub` finds, without an attempt to fetch."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    arrays = module_arrays(64)
    folder = write(arrays, tmp_path / PUBLISHED["biggan-128"].name)
    (folder / "saved_model.pb").write_bytes(b"")
    network = convert_biggan.load_generator("biggan-128")
    kernel = network.get_layer("to_rgb").kernel
    np.testing.assert_array_equal(kernel.numpy(), arrays[f"Generator/conv_2d/w{EMA}"])
