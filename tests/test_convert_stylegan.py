"""Published files of ProGAN and the StyleGANs: the same pictures and logits."""

from __future__ import annotations

import re

import numpy as np
import pytest
import stylegan_files as files
import stylegan_forward as forward

from gan_lib import (
    convert_stylegan,
    progan_networks,
    stylegan2_networks,
    stylegan_networks,
)

RNG = np.random.default_rng(1)
LATENTS = RNG.normal(size=(3, 5)).astype("float32")
IMAGES = RNG.uniform(-1, 1, size=(8, 16, 16, 3)).astype("float32")
FAMILIES = {
    "progan": (files.progan_generator, files.progan_discriminator, progan_networks),
    "stylegan": (files.stylegan_generator, files.progan_discriminator, None),
    "stylegan2": (
        files.stylegan2_generator,
        files.stylegan2_discriminator,
        stylegan2_networks,
    ),
}
each_family = pytest.mark.parametrize("family", FAMILIES)


def write(path, family, *, shapes=None, lod=0.0, **options):
    """A file of random networks of 16 px, and their variables by name."""
    generator, discriminator, _ = FAMILIES[family]
    shapes = shapes or generator()
    networks = {
        "G": files.numbers(shapes, 1, lod),
        "D": files.numbers(discriminator(), 2, lod),
        "Gs": files.numbers(shapes, 3, lod),
    }
    if family == "progan":
        options["cls"] = "tfutil.Network"
    return files.write(path / "network.pkl", networks, **options), networks


def assert_pictures(ours, theirs):
    """Float32 against float64, (B, H, W, C) against (B, C, H, W)."""
    theirs = np.moveaxis(theirs, 1, -1)
    assert theirs.std() > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.std())


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("lod", [0.0, 0.3])
def test_progan_draws_the_pictures_of_the_published_graph(tmp_path, fused, lod):
    shapes = files.progan_generator(fused=fused)
    path, networks = write(tmp_path, "progan", shapes=shapes, lod=lod)
    for which in ("G", "Gs"):
        ours = convert_stylegan.load_generator(path, which=which)(LATENTS)[-1]
        theirs = forward.progan_generator(networks[which], LATENTS, 16)
        assert_pictures(ours, theirs)


def test_a_progan_in_the_middle_of_its_growth(tmp_path):
    path, networks = write(tmp_path, "progan", lod=1.4)
    *_, middle, _ = convert_stylegan.load_generator(path)(LATENTS)
    theirs = forward.progan_generator(networks["Gs"], LATENTS, 16)
    assert_pictures(np.repeat(np.repeat(middle, 2, 1), 2, 2), theirs)


@pytest.mark.parametrize(
    ("fused", "psi"), [("auto", 0.6), (True, 1.0), (False, 1.0)], ids=str
)
def test_stylegan_draws_the_pictures_of_the_published_graph(tmp_path, fused, psi):
    options = {"fused_scale": fused, "blur_filter": [1, 2, 1], "truncation_psi": 0.7}
    path, networks = write(tmp_path, "stylegan", options=options)
    network = convert_stylegan.load_generator(path)
    network.get_layer("truncation").psi = psi
    theirs = forward.stylegan_generator(networks["Gs"], LATENTS, 16, psi, fused)
    assert_pictures(network(LATENTS)[-1], theirs)


def test_stylegan_merges_doubling_and_kernel_from_128_pixels_on(tmp_path):
    shapes = files.stylegan_generator(128, width=2, widest=3, layers=1)
    path, networks = write(tmp_path, "stylegan", shapes=shapes)
    ours = convert_stylegan.load_generator(path)(LATENTS)[-1]
    theirs = forward.stylegan_generator(networks["Gs"], LATENTS, 128)
    assert_pictures(ours, theirs)


@pytest.mark.parametrize(("psi", "rate"), [(1.0, 0.01), (0.5, 0.02)])
def test_stylegan2_draws_the_pictures_of_the_published_graph(tmp_path, psi, rate):
    options = {"mapping_lrmul": rate, "resample_kernel": [1, 3, 3, 1]}
    path, networks = write(tmp_path, "stylegan2", options=options)
    network = convert_stylegan.load_generator(path)
    network.get_layer("truncation").psi = psi
    theirs = forward.stylegan2_generator(networks["Gs"], LATENTS, 16, psi, rate)
    assert_pictures(network(LATENTS), theirs)


@pytest.mark.parametrize("group", [None, 2])
@each_family
def test_discriminators_judge_as_the_published_graph(tmp_path, family, group):
    options = {} if group is None else {"mbstd_group_size": group}
    path, networks = write(tmp_path, family, options=options)
    network = convert_stylegan.load_discriminator(path)
    if group is not None:
        statistic = [x for x in network.layers if hasattr(x, "group_size")]
        assert [x.group_size for x in statistic] == [group]
        return
    images = IMAGES.transpose(0, 3, 1, 2).astype("float64")
    if family == "stylegan2":
        ours = network(IMAGES)
        theirs = forward.stylegan2_discriminator(networks["D"], images)
    else:
        pyramid = [np.zeros((8, s, s, 3)) for s in (4, 8)]
        ours = network([*pyramid, IMAGES])[-1]
        blur = family == "stylegan"
        theirs = forward.progan_discriminator(networks["D"], images, blur)
    assert theirs.std() > 0.01
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_discriminator_that_fades(tmp_path):
    path, networks = write(tmp_path, "progan", lod=0.6)
    network = convert_stylegan.load_discriminator(path)
    ours = network([np.zeros((8, s, s, 3)) for s in (4, 8)] + [IMAGES])[-1]
    images = IMAGES.transpose(0, 3, 1, 2).astype("float64")
    theirs = forward.progan_discriminator(networks["D"], images)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_names_of_these_files_cover_the_published_counts():
    def count(shapes, fixed=r"noise\d+$|lod$|dlatent_avg$"):
        learned = [s for n, s in shapes.items() if not re.search(fixed, n)]
        return sum(int(np.prod(shape)) for shape in learned)

    wide = {"size": 1024, "widest": 512}
    whole = wide | {"latent": 512, "style": 512, "layers": 8}
    assert count(files.stylegan_generator(width=16, **whole)) == 26_219_627
    assert count(files.stylegan2_generator(width=32, **whole)) == 30_370_060
    assert count(files.stylegan2_discriminator(width=32, **wide)) == 29_012_513
    assert count(files.progan_generator(1024, 16, 512, 512)) == 23_079_115
    assert count(files.progan_discriminator(width=16, **wide)) == 23_087_249


@each_family
def test_a_network_of_ones_own_is_filled(tmp_path, family):
    path, _ = write(tmp_path, family)
    built = convert_stylegan.load_generator(path)
    module = FAMILIES[family][2] or stylegan_networks
    options = {"latent_dim": 5, "width": 4, "widest": 6}
    if family != "progan":
        options |= {"style_dim": 7, "mapping_layers": 3}
    network = module.build_generator(16, **options)
    assert convert_stylegan.load_generator(path, network) is network
    for ours, other in zip(network.get_weights(), built.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)


@each_family
def test_every_missing_unknown_or_misshapen_variable_is_named(tmp_path, family):
    path, networks = write(tmp_path, family)
    values = networks["Gs"]
    network = convert_stylegan.load_generator(path)
    before = network.get_weights()
    twice = "synthesis/lod" if family != "progan" else None
    learned = [n for n in values if n not in ("lod", twice)]
    changes = [{name: None} for name in learned[1::6]]
    changes += [{"odd/weight": np.ones(2, "f4")}]
    changes += [{learned[-1]: np.repeat(values[learned[-1]], 2, 0)}]
    for change in changes:
        (name,) = change
        changed = {k: v for k, v in (values | change).items() if v is not None}
        files.write(path, networks | {"Gs": changed})
        pattern = f"variable {name}.*Nothing was changed|Expected the generator of"
        with pytest.raises(ValueError, match=pattern):
            convert_stylegan.load_generator(path, network)
    for ours, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, old)


@each_family
def test_a_network_of_another_kind_or_size_stays_as_it_is(tmp_path, family):
    path, _ = write(tmp_path, family)
    sizes = {"latent_dim": 5, "width": 4, "widest": 6}
    styled = sizes | {"style_dim": 7, "mapping_layers": 3}
    builds = {
        "progan": lambda size: progan_networks.build_generator(size, **sizes),
        "stylegan": lambda size: stylegan_networks.build_generator(size, **styled),
        "stylegan2": lambda size: stylegan2_networks.build_generator(size, **styled),
    }
    others = [build(16) for name, build in builds.items() if name != family]
    others += [builds[family](8), builds[family](32)]
    others += [progan_networks.build_discriminator(16, width=4, widest=6)]
    for network in others:
        before = network.get_weights()
        with pytest.raises(ValueError, match=r"Expected .*Nothing was changed"):
            convert_stylegan.load_generator(path, network)
        for ours, old in zip(network.get_weights(), before, strict=True):
            np.testing.assert_array_equal(ours, old)


def test_a_discriminator_without_the_blur_is_an_error(tmp_path):
    network = progan_networks.build_discriminator(16, width=4, widest=6)
    path, _ = write(tmp_path, "stylegan")
    with pytest.raises(ValueError, match="blur=True"):
        convert_stylegan.load_discriminator(path, network)
    path, _ = write(tmp_path, "progan")
    assert convert_stylegan.load_discriminator(path, network) is network


@pytest.mark.parametrize(
    ("option", "value"),
    [("label_size", 10), ("architecture", "orig"), ("blur_filter", None)],
)
def test_what_our_networks_cannot_be_is_an_error(tmp_path, option, value):
    path, _ = write(tmp_path, "stylegan", options={option: value})
    for load in (convert_stylegan.load_generator, convert_stylegan.load_discriminator):
        with pytest.raises(ValueError, match=f"Received: {option}={value!r}"):
            load(path)


def test_arguments_are_checked(tmp_path):
    path, networks = write(tmp_path, "progan")
    with pytest.raises(ValueError, match='"G" or "Gs". Received: \'D\''):
        convert_stylegan.load_generator(path, which="D")
    files.write(path, networks, options={"mbstd_group_size": 0})
    with pytest.raises(ValueError, match="mbstd_group_size"):
        convert_stylegan.load_discriminator(path)
    files.write(path, {"Gs": {"4x4/Conv/weight": np.ones(3, "f4")}})
    with pytest.raises(ValueError, match="Expected the generator of"):
        convert_stylegan.load_generator(path)
