"""The ten drawing styles: definitions, crops and licences.

The drawings come from the DiceBear style collection on PyPI; `licence` names
the artist of each.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files

from gan_lib.data import face_parts


class Look:
    """How one style is shown: crop, colour names, label classes.

    Args:
        view: viewBox (x, y, width, height) of the crop in style units.
        hair, skin, eyes: the style's name for that colour, None if it has none.
        gradient: whether hair takes a two-tone gradient.
        labels: component names in label order (the first is the background);
            empty if the style gives no usable label map or line art.
        split_x: for each paired component, the x (style units) between its two.
    """

    def __init__(self, view, hair=None, skin=None, eyes=None, *, gradient=True,
                 labels=(), split_x=None) -> None:  # fmt: skip
        self.view, self.hair, self.skin, self.eyes = view, hair, skin, eyes
        self.gradient, self.labels = gradient, labels
        self.split_x = split_x or {}


STYLES = {
    "lorelei": Look(
        (105, 60, 760, 760), "hair", "skin", "eyes",
        labels=("background", "skin", "hair", "eyes", "eyebrows", "nose", "mouth",
                "glasses", "earrings", "freckles", "beard", "flowers"),
        split_x={"eyes": 570.0, "eyebrows": 575.0},
    ),
    "adventurer": Look(
        (48, 66, 690, 690), "hair", "skin", "eyes",
        labels=("background", "skin", "hair", "eyes", "eyebrows", "mouth", "glasses",
                "earrings", "details"),
        split_x={"eyes": 305.0, "eyebrows": 305.0},
    ),
    "notionists": Look((400, 180, 960, 960)),
    "open-peeps": Look((0, 0, 704, 704), None, "skin"),
    "pixel-art": Look((0, 0, 16, 16), "hair", "skin", "eyes", gradient=False),
    "voxel-art": Look((20, 4, 84, 84), "hair", "skin", gradient=False),
    "micah": Look((0, 0, 360, 360), "hair", "base"),
    "toon-head": Look((104, 50, 560, 560), "hair", "skin"),
    "big-smile": Look((0, 0, 480, 480), "hair", "skin"),
    "big-ears": Look((50, 50, 340, 340), "hair", "skin"),
}  # fmt: skip


INK, GOLD = "#1b1420", "#e0a526"
# colours that never vary; all others come from the attribute law
FIXED_COLORS = {
    "lorelei": {"outline": INK, "nose": INK, "mouth": "#8f2a3c", "earrings": GOLD,
                "hairAccessories": "#c2306e", "tongue": "#e98d8d"},
    "adventurer": {"earrings": GOLD},
}  # fmt: skip
INKED = {  # colours that stay black in line art, by style; the rest turns white
    "lorelei": {"outline", "nose", "eyebrows", "glasses", "freckles", "earrings",
                "hairAccessories"},
    "adventurer": {"ink", "eyes", "glasses"},
}  # fmt: skip


@functools.cache
def definition(style: str) -> dict:
    """The style's definition: components with variants, colours, meta."""
    source = files("dicebear_styles").joinpath(f"{style}.json")
    data = json.loads(source.read_text("utf-8"))
    if style == "lorelei":
        _add_manga_parts(data)
    data["components"].pop("animation", None)  # voxel-art: means nothing in a still
    for color, value in FIXED_COLORS.get(style, {}).items():
        data["colors"][color]["values"] = [value]
    return data


@functools.cache
def drawer(style: str):
    """The checked DiceBear style object, made once a process (0.1 s)."""
    from dicebear import Style

    return Style(definition(style))


def free_colors(style: str) -> dict[str, list[str]]:
    """Colours that neither the law nor we fix, with the artist's palette."""
    look = STYLES[style]
    taken = {look.hair, look.skin, look.eyes, "background"}
    taken |= set(FIXED_COLORS.get(style, {}))
    colors = definition(style)["colors"]
    return {k: v["values"] for k, v in colors.items() if k not in taken}


def _add_manga_parts(data: dict) -> None:
    components, colors = data["components"], data["colors"]
    components["eyes"]["variants"] = face_parts.manga_eyes()
    components["mouth"]["variants"] = face_parts.manga_mouths()
    components["blush"] = {
        "width": 360,
        "height": 60,
        "probability": 0,
        "variants": face_parts.blush(),
    }
    for name in ("blush", "tongue"):
        colors[name] = {"notEqualTo": [], "values": ["#f08c86"]}
    cheeks = {
        "name": "blush",
        "type": "component",
        "attributes": {"transform": "translate(159 354)"},
    }
    for head in components["head"]["variants"].values():
        names = [element["name"] for element in head["elements"]]
        head["elements"].insert(names.index("eyes"), cheeks)


def licence(style: str) -> dict[str, str]:
    """Artist, licence and source of a style, as its definition states them.

    Args:
        style: one of the names in `STYLES`.
    Returns: dict with the keys artist, licence, licence_url, source_url, text.
        The eyes, mouths and blush of lorelei are this project's own (MIT).
    Raises: ValueError for an unknown style.
    """
    check_style(style)
    meta = definition(style)["meta"]
    return {
        "artist": meta["creator"]["name"],
        "licence": meta["license"]["name"],
        "licence_url": meta["license"]["url"],
        "source_url": meta["source"]["url"],
        "text": meta["license"]["text"],
    }


def check_style(style: str) -> None:
    """Raise ValueError with the list of styles unless `style` is one."""
    if style not in STYLES:
        raise ValueError(
            f"style expects one of {', '.join(STYLES)}, but got {style!r}. "
            "Choose one of these names; 'lorelei' is the manga one."
        )
