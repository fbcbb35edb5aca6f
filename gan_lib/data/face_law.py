"""The attribute law: which face has which hair, skin, eyes, expression ...

A face is a pure function of (style, split, seed, index): its random numbers
come from one generator seeded with these four, so a face does not depend on
how many others are drawn, nor on the size of the picture.
Only ``random.Random.random`` is used, the one method whose sequence Python
promises to keep.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from gan_lib.data import face_styles, face_tables

SPLITS = {"train": 0, "validation": 1, "test": 2}
SPLIT_RANGE = 1_000_000_000  # sample numbers of a split: [k, k + 1) * SPLIT_RANGE

# name: (shaded tone, lit tone); a gradient runs from the first to the second
HAIR_COLORS = {
    "black": ("#191722", "#454360"),
    "brown": ("#4a2b1c", "#94603a"),
    "blonde": ("#cf9a3e", "#f9e08e"),
    "red": ("#8c1c20", "#dd4f3a"),
    "orange": ("#c0561c", "#f5a54a"),
    "pink": ("#d9588f", "#fcb6d2"),
    "purple": ("#57328f", "#ab80e2"),
    "blue": ("#234d9c", "#66a6ee"),
    "teal": ("#107675", "#5ad3c4"),
    "green": ("#2d7539", "#8bd06f"),
    "silver": ("#8b91a6", "#dde1ed"),
    "white": ("#d3d6e2", "#fbfbfd"),
}
HAIR_WEIGHTS = dict(
    zip(HAIR_COLORS, (14, 15, 13, 9, 7, 10, 8, 9, 6, 6, 6, 5), strict=True)
)
SKINS = {  # name: (skin, blush)
    "porcelain": ("#fdebe0", "#f59aa0"),
    "light": ("#fad9be", "#f08c86"),
    "peach": ("#f1c49d", "#e67f72"),
    "tan": ("#d9a06f", "#cf6a55"),
    "brown": ("#aa6c43", "#b04a3e"),
    "dark": ("#7b4b31", "#93392f"),
}
SKIN_WEIGHTS = dict(zip(SKINS, (22, 27, 20, 13, 10, 8), strict=True))
EYE_COLORS = {
    "blue": "#3d84ea",
    "green": "#2ea65c",
    "brown": "#93592b",
    "amber": "#e8a424",
    "red": "#d63c3c",
    "violet": "#8f55d8",
    "teal": "#1fa9a9",
    "grey": "#7f8ba3",
}
EYE_WEIGHTS = dict(zip(EYE_COLORS, (20, 16, 18, 12, 9, 12, 7, 6), strict=True))
BACKGROUNDS = {
    "sky": "#cbe2f8",
    "mint": "#cdeeda",
    "peach": "#fddcc4",
    "lilac": "#e2d5f5",
    "lemon": "#fbf0b8",
    "rose": "#fbd0da",
    "sand": "#ece0cc",
    "mist": "#dfe4ea",
    "aqua": "#8fd3dc",
    "coral": "#f4a08c",
    "azure": "#8db8ec",
    "navy": "#47557f",
    "ivory": "#fdfbf5",
}
BACKGROUND_WEIGHTS = dict(
    zip(BACKGROUNDS, (12, 10, 10, 10, 9, 10, 7, 7, 6, 5, 6, 4, 4), strict=True)
)


class Draws:
    """Named random choices from one seed string."""

    def __init__(self, key: str) -> None:
        self._random = random.Random(key).random

    def chance(self, probability: float) -> bool:
        """True with the given probability in [0, 1]."""
        return self._random() < probability

    def pick(self, weights: Mapping[str, float] | Sequence[str]) -> str:
        """One name, in proportion to its weight (a plain list: all equal)."""
        if not isinstance(weights, Mapping):
            return weights[int(self._random() * len(weights))]
        target = self._random() * sum(weights.values())
        for name, weight in weights.items():
            target -= weight
            if target < 0:
                return name
        return name


def key(style: str, split: str, seed: int, index: int) -> str:
    """The seed string of one face; splits are disjoint ranges of numbers."""
    return f"{style}/{seed}/{SPLITS[split] * SPLIT_RANGE + index}"


def sample(style: str, split: str, seed: int, index: int) -> dict[str, Any]:
    """Attributes of face `index`: one row of the table, as plain Python values."""
    draws = Draws(key(style, split, seed, index))
    row: dict[str, Any] = _shared_colors(draws, face_styles.STYLES[style])
    if style == "lorelei":
        row |= _lorelei(draws)
    elif style == "adventurer":
        row |= _adventurer(draws)
    else:
        row |= _any_style(draws, style)
    return row


def _shared_colors(draws: Draws, look: face_styles.Look) -> dict[str, Any]:
    """Colours drawn alike in every style, so that domains can be compared."""
    hair, tip = draws.pick(HAIR_WEIGHTS), draws.pick(HAIR_WEIGHTS)
    two_tone = draws.chance(0.10)
    flow = draws.pick({"down": 6, "right": 2, "left": 2, "up": 3})
    skin, eyes = draws.pick(SKIN_WEIGHTS), draws.pick(EYE_WEIGHTS)
    background = draws.pick(BACKGROUND_WEIGHTS)
    second = draws.pick(BACKGROUND_WEIGHTS) if draws.chance(0.35) else background
    row: dict[str, Any] = {}
    if look.hair:
        row["hair_color"] = hair
    if look.hair and look.gradient:
        row |= {"hair_tip_color": tip if two_tone else hair, "hair_gradient": flow}
    if look.skin:
        row["skin"] = skin
    if look.eyes:
        row["eye_color"] = eyes
    return row | {"background": background, "background_2": second}


def _lorelei(draws: Draws) -> dict[str, Any]:
    table = face_tables.LORELEI
    kind = draws.pick(table["hair_weights"])
    length = table["hair_lengths"][kind]
    mood = draws.pick({name: m["weight"] for name, m in table["moods"].items()})
    parts = {p: draws.pick(table["moods"][mood][p]) for p in ("eyes", "mouth", "brows")}
    glasses = draws.pick(table["glasses"]) if draws.chance(0.20) else "none"
    bearded, flowered, freckled, ringed, blushing = (
        draws.chance(p) for p in (0.05, 0.12, 0.07, 0.15, 0.45)
    )
    beard = bearded and length in ("short", "bald") and parts["mouth"] != "shout"
    return {
        "hair_style": kind,
        "hair_length": length,
        "hair_variant": draws.pick(table["hairs"][kind]),
        "expression": mood,
        "eyes": parts["eyes"],
        "mouth": parts["mouth"],
        "mouth_open": parts["mouth"] in table["open_mouths"],
        "eyebrows": parts["brows"],
        "nose": draws.pick(table["noses"]),
        "head": draws.pick(table["heads"]),
        "glasses": glasses != "none",
        "glasses_kind": glasses,
        "glasses_color": draws.pick(table["glasses_colors"]),
        "beard": beard,
        "flowers": flowered and length in ("medium", "long", "tied"),
        "freckles": freckled,
        "earrings": draws.pick(table["earrings"]) if ringed else "none",
        "blush": blushing,
    }


def _adventurer(draws: Draws) -> dict[str, Any]:
    table = face_tables.ADVENTURER
    kind = draws.pick(table["hair_weights"])
    mood = draws.pick({name: m["weight"] for name, m in table["moods"].items()})
    parts = {p: draws.pick(table["moods"][mood][p]) for p in ("eyes", "mouth", "brows")}
    glasses = draws.pick(table["glasses"]) if draws.chance(0.20) else "none"
    ringed = draws.chance(0.15)
    return {
        "hair_style": kind,
        "hair_length": table["hair_lengths"][kind],
        "hair_variant": draws.pick(table["hairs"][kind]),
        "expression": mood,
        "eyes": parts["eyes"],
        "mouth": parts["mouth"],
        "mouth_open": parts["mouth"] in table["open_mouths"],
        "eyebrows": parts["brows"],
        "glasses": glasses != "none",
        "glasses_kind": glasses,
        "details": draws.pick(table["details"]),
        "earrings": draws.pick(table["earrings"]) if ringed else "none",
    }


def _any_style(draws: Draws, style: str) -> dict[str, Any]:
    """One variant a component, drawn alike; the other colours from the artist."""
    row: dict[str, Any] = {}
    components = face_styles.definition(style)["components"]
    for component, spec in components.items():
        probability = spec.get("probability")
        shown = draws.chance((100 if probability is None else probability) / 100)
        variant = draws.pick(sorted(spec["variants"]))
        row[component] = variant if shown else "none"
    for color, values in face_styles.free_colors(style).items():
        row[f"{color}_color"] = draws.pick(values)
    return row
