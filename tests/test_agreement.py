"""Colours are read where they are, and no trick beats chance."""

from __future__ import annotations

import numpy as np
import pytest

from gan_lib.data.face_law import HAIR_COLORS, SKINS
from gan_lib.data.face_styles import STYLES
from gan_lib.data.two_styles import counterparts, two_styles
from gan_lib.metrics import segmenter
from gan_lib.metrics.agreement import (
    NOT_FOUND,
    AttributeAgreement,
    attribute_agreement,
    read_colours,
)

NAMES = (*STYLES["lorelei"].labels, "unpainted")
HAIR, SKIN = NAMES.index("hair"), NAMES.index("skin")


class Stripes:
    """Stands for a segmenter: background above, then hair, then skin."""

    label_names = NAMES

    def predict_labels(self, images):
        labels = np.zeros(images.shape[:3], np.int32)
        labels[:, 4:8], labels[:, 8:] = HAIR, SKIN
        return labels


def painted(hairs, skins, background="#8fd3dc") -> np.ndarray:
    """Pictures (n, 12, 12, 3) of three stripes, hair half in each of its tones."""
    images = np.empty((len(hairs), 12, 12, 3), np.uint8)
    images[:, :4] = list(bytes.fromhex(background[1:]))
    for number, (hair, skin) in enumerate(zip(hairs, skins, strict=True)):
        tones = np.array([list(bytes.fromhex(t[1:])) for t in HAIR_COLORS[hair]])
        ramp = np.linspace(0, 1, 12)[:, None]
        images[number, 4:8] = (tones[0] + ramp * (tones[1] - tones[0])).round()
        images[number, 8:] = list(bytes.fromhex(SKINS[skin][0][1:]))
    return images


def law(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "hair_color": rng.choice(list(HAIR_COLORS), n),
        "skin": rng.choice(list(SKINS), n),
        "background": np.repeat("aqua", n),
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """40 faces from the front at 32 px, and the same people as manga."""
    folder = tmp_path_factory.mktemp("agreement")
    options = {"cache_dir": folder, "progress": False}
    people = two_styles(32, (40, 1), split="test", **options)
    twins = counterparts(people.attributes_a, "lorelei", 32, **options)
    return people.domain_a, twins, people.attributes_a


@pytest.fixture(scope="module")
def finder():
    return segmenter("lorelei", 32, progress=False)


def test_every_named_colour_is_read_as_itself():
    hairs = list(HAIR_COLORS)
    skins = [list(SKINS)[k % len(SKINS)] for k in range(len(hairs))]
    found = read_colours(Stripes(), painted(hairs, skins))
    assert list(found["hair_color"]) == hairs
    assert list(found["skin"]) == skins
    assert set(found["background"]) == {"aqua"}
    floats = painted(hairs, skins) / np.float32(127.5) - 1
    assert list(read_colours(Stripes(), floats)["skin"]) == skins


def test_share_and_chance_are_the_equations():
    """Against a plain count, and the mean over every order of five pictures."""
    from itertools import permutations

    truth = law(5, 3)
    shown = law(5, 4)
    shown["skin"][:3] = truth["skin"][:3]
    images = painted(shown["hair_color"], shown["skin"])
    scores = attribute_agreement(Stripes(), images, truth)
    for name in ("hair_color", "skin"):
        shares = [
            np.mean(truth[name] == shown[name][list(order)])
            for order in permutations(range(5))
        ]
        assert scores[name].share == pytest.approx(shares[0])
        assert scores[name].chance == pytest.approx(np.mean(shares))
    assert scores["background"].share == scores["background"].chance == 1
    assert np.isnan(scores["background"].kappa)


def test_interval_is_wilsons():
    """(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), z = 1.96 at 95 %."""
    truth = law(40)
    shown = {name: column.copy() for name, column in truth.items()}
    shown["skin"][:10] = np.roll(list(SKINS), 1)[
        [list(SKINS).index(s) for s in truth["skin"][:10]]
    ]
    images = painted(shown["hair_color"], shown["skin"])
    score = attribute_agreement(Stripes(), images, truth)["skin"]
    p, n, z = 0.75, 40, 1.959964
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = [(p + z**2 / (2 * n) + s * half) / (1 + z**2 / n) for s in (-1, 1)]
    assert score.share == p
    np.testing.assert_allclose(score.interval, expected, rtol=1e-5)
    wider = attribute_agreement(Stripes(), images, truth, confidence=0.99)["skin"]
    assert wider.interval[0] < score.interval[0]
    assert "0.750" in str(score)


def test_two_tones_count_neither_way():
    truth = law(6) | {"hair_tip_color": np.repeat("pink", 6)}
    truth["hair_color"][:] = ["pink", "pink", "blue", "blue", "blue", "blue"]
    images = painted(truth["hair_color"], truth["skin"])
    scores = attribute_agreement(Stripes(), images, truth)
    assert scores["hair_color"].n == 2
    assert scores["skin"].n == 6
    truth["hair_tip_color"][:] = "teal"
    assert "hair_color" not in attribute_agreement(Stripes(), images, truth)


def test_ideal_answers_score_near_one_and_are_the_ceiling(finder, drawn):
    _, twins, attributes = drawn
    scores = attribute_agreement(finder, twins, attributes, ideal=twins)
    assert scores["hair_color"].share > 0.9
    assert scores["skin"].share > 0.95
    assert scores["background"].share > 0.95
    assert all(score.ceiling == score.share for score in scores.values())
    assert scores["hair_color"].chance < 0.2
    assert scores["skin"].chance < 0.35


def test_pictures_handed_through_keep_their_colours(finder, drawn):
    """It asks what was kept, not which style it is; KID asks the other."""
    sources, _, attributes = drawn
    scores = attribute_agreement(finder, sources, attributes)
    assert all(score.share > 0.85 for score in scores.values())


def test_one_face_for_all_is_exactly_chance(finder, drawn):
    _, twins, attributes = drawn
    constant = np.repeat(twins[:1], len(twins), 0)
    for score in attribute_agreement(finder, constant, attributes).values():
        assert score.share == pytest.approx(score.chance)
        assert score.kappa == pytest.approx(0)


def test_shuffled_answers_are_near_chance(finder, drawn):
    _, twins, attributes = drawn
    shuffled = twins[np.random.default_rng(0).permutation(len(twins))]
    for score in attribute_agreement(finder, shuffled, attributes).values():
        assert abs(score.kappa) < 0.2


def test_faces_may_sit_elsewhere(finder, drawn):
    _, twins, attributes = drawn
    moved = np.roll(twins, (2, -2), axis=(1, 2))[:, :, ::-1]
    scores = attribute_agreement(finder, moved, attributes)
    assert scores["hair_color"].share > 0.75
    assert scores["skin"].share > 0.9


def test_what_is_no_face_is_not_found(finder, drawn):
    grey = np.full_like(drawn[1], 128)
    found = read_colours(finder, grey)
    assert set(found["skin"]) == {NOT_FOUND}
    score = attribute_agreement(finder, grey, drawn[2])["skin"]
    assert score.share == score.chance == score.kappa == 0


def test_kappa_is_cohens():
    score = AttributeAgreement("skin", 0.8, (0.7, 0.9), 0.95, 0.2, None, 10)
    assert score.kappa == pytest.approx(0.75)


def test_wrong_arguments_are_explained():
    truth = law(3)
    images = painted(truth["hair_color"], truth["skin"])
    with pytest.raises(ValueError, match="expected 3 values of hair_color"):
        attribute_agreement(Stripes(), images, law(4))
    with pytest.raises(ValueError, match="two_styles"):
        attribute_agreement(Stripes(), images, {"eye_color": truth["skin"]})
    with pytest.raises(ValueError, match="ideal answer for each of the 3"):
        attribute_agreement(Stripes(), images, truth, ideal=images[:2])
    with pytest.raises(ValueError, match="expected floats"):
        attribute_agreement(Stripes(), images.astype("float32"), truth)
