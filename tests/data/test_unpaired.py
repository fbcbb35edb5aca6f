"""Two domains that cannot be translated into each other are refused at once."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.scan import Skipped
from gan_lib.data.unpaired import Unpaired


def pictures(count: int, seed: int = 0, side: int = 8, channels: int = 3) -> np.ndarray:
    shape = (count, side, side, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_lengths_may_differ_and_all_is_named():
    skipped = (Skipped("broken.png", "no picture: damaged"),)
    data = Unpaired(pictures(3), pictures(5, 1), ("selfie", "anime"), skipped=skipped)
    assert data.size == 8
    assert repr(data) == "Unpaired(3 selfie, 5 anime, 8 px)"
    assert "broken.png" in data.summary()


def test_swapped_exchanges_everything():
    data = Unpaired(
        pictures(2),
        pictures(3, 1),
        ("selfie", "anime"),
        ("1", "2"),
        ("x", "y", "z"),
        attributes_a={"skin": np.array(["tan", "dark"])},
    )
    other = data.swapped()
    assert other.domain_a is data.domain_b
    assert other.domain_b is data.domain_a
    assert other.names == ("anime", "selfie")
    assert (other.paths_a, other.paths_b) == (data.paths_b, data.paths_a)
    assert other.attributes_b is data.attributes_a
    assert other.attributes_a is None
    assert repr(other.swapped()) == repr(data)


@pytest.mark.parametrize(
    ("domain_a", "words"),
    [
        (pictures(0), "at least one picture in `domain_a`"),
        (pictures(3, side=16), "16 px in A and 8 px in B"),
        (pictures(3, channels=1), "Repeat the channel"),
        (pictures(3)[0], r"picture\[None\]"),
        (pictures(3)[:, :4], "squares"),
        (pictures(3, channels=4), "squares"),
        (pictures(4, seed=1), "same pictures"),
    ],
)
def test_wrong_domains_are_explained(domain_a, words):
    with pytest.raises(ValueError, match=words):
        Unpaired(domain_a, pictures(4, seed=1))


def test_types_and_names_are_checked():
    with pytest.raises(TypeError, match="to_uint8"):
        Unpaired(pictures(2).astype("float32"), pictures(3))
    with pytest.raises(TypeError, match="list"):
        Unpaired([1, 2], pictures(3))
    with pytest.raises(ValueError, match="two words"):
        Unpaired(pictures(2), pictures(3, 1), ("anime",))
    with pytest.raises(ValueError, match="2 names"):
        Unpaired(pictures(3), pictures(3, 1), paths_a=("1", "2"))
    nearly = pictures(4)
    nearly[3, 0, 0, 0] ^= 1
    Unpaired(pictures(4), nearly)  # one pixel of one picture makes two sets
