"""Drawn characters on transparent ground, each with its head box.

Three kinds: layered sprites (artwork by Sutemo, CC0 1.0), DiceBear styles (CC0 1.0 and
CC BY 4.0, see `DICEBEAR`) and the faces of `drawn`.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from data_prep.detectors.training import drawn
from data_prep.detectors.training.colours import any_colour, hex_of, skin_colour


@dataclass(frozen=True)
class Character:
    """A picture with transparency and the head in it.

    Attributes:
        image: RGBA.
        x, y: middle of the head box, in pixels of `image`.
        side: of the head box; 0 when no face is shown.
    """

    image: Image.Image
    x: float
    y: float
    side: float


# Never drawn for training, so that `held_out=True` shows what the network does with
# hair, eyes and mouths it has not seen.
HELD_OUT = frozenset(
    {
        "03_twin_tail", "06_shoulder-length", "05_side_bangs_2", "08_hime_cut",
        "02_surprised_small", "11_angry_big", "05_open_smile", "09_frown_2",
        "14_open_mouth_4", "02_circle_glasses",
    }
)  # fmt: skip
_LEFT_OUT = {"06_towel", "16_swim"}
_OFTEN = {  # how often a group is drawn that need not be
    "02_blushes": 0.25, "03_neck": 0.15, "05_headphones_base": 0.12,
    "09_glasses": 0.25, "10_eye_cover_hair": 0.15, "12_accessories": 0.25,
}  # fmt: skip
_HIGHLIGHT = 0.588
_SCALE = 0.5  # sprites are 1000x1200, more than a scene needs
_HEAD = {"female": (494.5, 595.0, 524.4), "male": (494.5, 472.0, 524.4)}


class Sprites:
    """Characters composed of layers.

    Args:
        folder: with `female/` and `male/` inside, a folder for each group and item.
    Raises: FileNotFoundError when it is not that folder.
    """

    def __init__(self, folder: Path):
        if not (folder / "female" / "07_eyes").is_dir():
            raise FileNotFoundError(
                f"Expected female/07_eyes and more in {folder}. The layers are the "
                "folder `sprites` of github.com/ShatReal/sutemo (CC0 1.0): download "
                "it and give its path."
            )
        self.layers: dict[str, dict[str, dict[str, dict[str, Image.Image]]]] = {}
        for path in sorted(folder.glob("*/*/*/*.png")):
            sex, group, item = path.relative_to(folder).parts[:3]
            if item not in _LEFT_OUT:
                with Image.open(path) as image:
                    size = [round(_SCALE * side) for side in image.size]
                    small = image.convert("RGBA").resize(size, Image.Resampling.BOX)
                groups = self.layers.setdefault(sex, {})
                groups.setdefault(group, {}).setdefault(item, {})[path.stem] = small

    def draw(
        self,
        rng: np.random.Generator,
        *,
        held_out: bool = False,
        with_face: bool = True,
    ) -> Character:
        """One character.

        Args:
            held_out: take the items of `HELD_OUT` where a group has some; without,
                never.
            with_face: without, eyes and mouth are left out.
        """
        sex = str(rng.choice(["female", "male"]))
        skin, hair, eye = skin_colour(rng), any_colour(rng), any_colour(rng)
        chosen = self._choose(rng, sex, held_out)
        canvas: Image.Image | None = None
        for group, item in chosen.items():
            if not with_face and group in ("07_eyes", "08_mouths", "09_glasses"):
                continue
            base = hair if "hair" in group else eye if "eyes" in group else None
            layers = self.layers[sex][group][item]
            for kind, colour in (("skin", skin), ("base", base), ("static", None)):
                canvas = _laid(canvas, layers.get(kind), colour)
                if kind == "base":
                    canvas = _laid(canvas, _faint(layers.get("highlights")), None)
        assert canvas is not None
        x, y, side = (_SCALE * value for value in _HEAD[sex])
        return Character(canvas, x, y, side if with_face else 0)

    def _choose(self, rng, sex: str, held_out: bool) -> dict[str, str]:
        chosen, with_headphones = {}, rng.random() < 0.12
        for group, items in self.layers[sex].items():
            kept = [name for name in items if (name in HELD_OUT) == held_out]
            names = kept or list(items)
            if "headphones" in group:
                is_drawn = with_headphones
            else:
                is_drawn = rng.random() < _OFTEN.get(group, 1)
            if is_drawn:
                chosen[group] = str(rng.choice(names))
        if rng.random() < 0.04:
            chosen.pop("06_front_hair", None)
        return chosen


def _laid(canvas, layer: Image.Image | None, colour) -> Image.Image | None:
    if layer is None:
        return canvas
    if colour is not None:
        tint = Image.new("RGBA", layer.size, (*(int(c) for c in colour), 255))
        layer = ImageChops.multiply(layer, tint)
    return layer if canvas is None else Image.alpha_composite(canvas, layer)


def _faint(layer: Image.Image | None) -> Image.Image | None:
    if layer is None:
        return None
    faint = layer.copy()
    faint.putalpha(layer.getchannel("A").point(lambda a: int(a * _HIGHLIGHT)))
    return faint


# Head box of each style as fractions of its picture: middle (x, y) and side. By eye.
# Lisa Wischofsky: lorelei, adventurer; Johan Melin: toon-head; Micah Lanier: micah;
# Pablo Stanley: open-peeps; The Visual Team: big-ears; Draftbit: personas; Zoish:
# notionists. lorelei, open-peeps and notionists are CC0 1.0, the others CC BY 4.0.
DICEBEAR = {
    "lorelei": (0.58, 0.57, 0.66), "adventurer": (0.48, 0.61, 0.82),
    "toon-head": (0.5, 0.6, 0.72), "micah": (0.54, 0.56, 0.76),
    "open-peeps": (0.62, 0.63, 0.68), "big-ears": (0.5, 0.75, 0.75),
    "personas": (0.5, 0.54, 0.76), "notionists": (0.53, 0.52, 0.54),
}  # fmt: skip
_SIDE = 320


def draw_dicebear(rng: np.random.Generator, styles: dict) -> Character:
    """A character of one of `dicebear_styles()`, in colours of our choice."""
    from dicebear import Avatar

    name = str(rng.choice(list(styles)))
    colours = {
        f"{part}Color": hex_of(skin_colour(rng) if part == "skin" else any_colour(rng))
        for part in ("skin", "hair", "clothing", "shirt", "clothes")
    }
    options = {"seed": str(rng.integers(1 << 31)), **colours}
    x, y, side = (_SIDE * value for value in DICEBEAR[name])
    return Character(_rasterised(str(Avatar(styles[name], options)), _SIDE), x, y, side)


def dicebear_styles() -> dict:
    from dicebear import Style

    folder = files("dicebear_styles")
    return {
        name: Style(json.loads(folder.joinpath(f"{name}.json").read_text("utf-8")))
        for name in DICEBEAR
    }


def draw_own(rng: np.random.Generator, *, with_face: bool = True) -> Character:
    """A character of `drawn`."""
    image = _rasterised(drawn.head_svg(rng, with_face=with_face), drawn.SIDE)
    side = drawn.HEAD if with_face else 0
    return Character(image, drawn.CENTRE, drawn.CENTRE, side)


def _rasterised(svg: str, side: int) -> Image.Image:
    import resvg_py

    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=side, height=side, skip_system_fonts=True
    )
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")
