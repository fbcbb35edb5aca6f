"""The scenes the network learns from, and what its maps should show."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.detectors import network
from data_prep.detectors.training import backgrounds, characters, drawn, scenes
from data_prep.detectors.training.colours import skin_colour


@pytest.fixture(scope="module")
def sprites(shared_data) -> characters.Sprites:
    return characters.Sprites(shared_data / "anime_layers")


@pytest.fixture(scope="module")
def painter(shared_data, sprites) -> scenes.Painter:
    with pytest.MonkeyPatch.context() as patch:  # read the layers once
        patch.setattr(scenes, "Sprites", lambda folder: sprites)
        return scenes.Painter(shared_data / "anime_layers", stock=12)


@pytest.mark.slow
def test_the_same_seed_draws_the_same_scene(painter):
    one, two = painter.scene((3, 1), 128), painter.scene((3, 1), 128)
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.heads, two.heads)
    assert (painter.scene((3, 2), 128).pixels != one.pixels).any()


@pytest.mark.slow
def test_some_scenes_have_heads_and_some_have_none(painter):
    drawn_scenes = [painter.scene((5, k), 128) for k in range(40)]
    counts = [len(scene.heads) for scene in drawn_scenes]
    assert min(counts) == 0
    assert max(counts) >= 2
    for scene in drawn_scenes:
        assert scene.pixels.shape == (128, 128, 3)
        assert scene.pixels.dtype == np.uint8
        assert scene.heads.shape[1:] == scene.unsure.shape[1:] == (3,)


@pytest.mark.slow
def test_held_out_items_are_never_drawn_unless_asked_for(sprites):
    rng = np.random.default_rng(0)
    for held_out in (False, True):
        items = [sprites._choose(rng, "female", held_out) for _ in range(100)]
        eyes = {chosen["07_eyes"] for chosen in items}
        assert bool(eyes & characters.HELD_OUT) == held_out
        assert bool(eyes - characters.HELD_OUT) != held_out


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="ShatReal/sutemo"):
        characters.Sprites(tmp_path)


def test_heads_and_backgrounds_are_drawn():
    rng = np.random.default_rng(1)
    for with_face in (True, False):
        character = characters.draw_own(rng, with_face=with_face)
        assert character.image.size == (drawn.SIDE, drawn.SIDE)
        assert bool(character.side) == with_face
        assert character.image.getextrema()[3] == (0, 255)
    for _ in range(20):
        assert backgrounds.draw_background(rng, 64).size == (64, 64)


def test_skins_reach_from_very_dark_to_pale():
    rng = np.random.default_rng(2)
    light = np.array([skin_colour(rng).mean() for _ in range(500)])
    assert (light < 70).mean() > 0.1
    assert (light > 210).mean() > 0.1


def test_targets_become_the_boxes_they_stand_for():
    pytest.importorskip("tensorflow")
    from data_prep.detectors.training import train

    heads = np.array([[[100, 60, 64], [30, 30, 24], [0, 0, 0]]], np.float32)
    unsure = np.array([[[140, 140, 40]]], np.float32)
    heat, values, weight = (v.numpy() for v in train.targets(heads, unsure, 160))
    assert heat.shape == weight.shape == (1, 20, 20)
    maps = np.concatenate([20 * heat[0, ..., None] - 10, values[0]], -1)
    boxes, _ = network.boxes_of(maps, 0.5)
    wanted = [[68, 28, 64, 64], [18, 18, 24, 24]]
    assert len(boxes) == 2
    for box in wanted:
        assert np.abs(boxes - box).max(axis=1).min() < 0.01
    assert weight[0, 17, 17] == 0
    assert weight[0, 5, 5] == 1
