"""Colours drawn by chance, RGB in 0..255."""

from __future__ import annotations

import colorsys

import numpy as np

# From very dark to very pale; between two neighbours every mixture occurs.
_SKIN = np.array(
    [
        (38, 24, 20), (66, 40, 30), (96, 60, 42), (134, 88, 60), (172, 118, 84),
        (205, 152, 112), (232, 190, 152), (248, 218, 190), (255, 240, 226),
    ],
    np.float64,
)  # fmt: skip


def skin_colour(rng: np.random.Generator) -> np.ndarray:
    """A skin colour; one in twenty is of no human (blue, green).

    All tones are drawn, pale ones a little more often than a uniform law would: they
    are the ones that drawings hardly set apart from white hair and paper.
    """
    if rng.random() < 0.05:
        return any_colour(rng)
    at = rng.uniform(0, 1) ** 0.7 * (len(_SKIN) - 1)
    low = min(int(at), len(_SKIN) - 2)
    colour = _SKIN[low] + (at - low) * (_SKIN[low + 1] - _SKIN[low])
    return np.clip(colour * rng.uniform(0.93, 1.07, 3), 0, 255)


def any_colour(rng: np.random.Generator) -> np.ndarray:
    """Any colour, with blacks, greys and whites as often as drawings have them."""
    saturation = (
        rng.uniform(0, 1) ** 1.2 if rng.random() < 0.75 else rng.uniform(0, 0.1)
    )
    value = rng.uniform(0.08, 1)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, value)) * 255


def ink(rng: np.random.Generator) -> np.ndarray:
    """The colour of outlines: mostly black or a dark brown."""
    return any_colour(rng) * 0.3 * rng.random()


def hex_of(colour) -> str:
    return "#" + "".join(f"{int(round(float(c))):02x}" for c in colour)
