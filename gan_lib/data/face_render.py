"""From one row of attributes to pixels.

A face is SVG, rasterised by resvg. Line art and label map are the same shapes
in other colours, hence aligned to the pixel.
This module must not import TensorFlow: worker processes load it.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from gan_lib.data import face_law, face_styles, face_svg, face_tables

CHANNELS = {"images": 3, "line": 1, "labels": 1}
GLASSES_COLORS = {
    "black": "#17131c",
    "brown": "#5d3218",
    "red": "#a3202c",
    "navy": "#1f2f6b",
}
GRADIENT_ANGLES = {"right": 0, "down": 90, "left": 180, "up": 270}


def draw(kind: str, style: str, row: dict[str, Any], size: int) -> np.ndarray:
    """Draw one face.

    Args:
        kind: "images" (RGB), "line" (grey, black on white) or "labels" (class).
        style: name of the style; all but "images" need lorelei or adventurer.
        row: attributes, as `face_law.sample` gives them.
        size: side in pixels.
    Returns: uint8 (size, size, channels of `kind`).
    """
    svg = _rich_svg(style, kind, row) if has_parts(style) else _plain_svg(style, row)
    if kind == "labels":
        return _rasterise(svg, size, "crisp_edges")[..., :1] // face_svg.LABEL_STEP
    factor = 2 if size < 64 else 1  # below 64 px resvg's own edges are too rough
    pixels = _shrink(_rasterise(svg, size * factor, "geometric_precision"), factor)
    return pixels[..., : CHANNELS[kind]]


def has_parts(style: str) -> bool:
    """Whether line art and label maps exist for a style."""
    return bool(face_styles.STYLES[style].labels)


def _rich_svg(style: str, kind: str, row: dict[str, Any]) -> str:
    parts = _parts(style, row)
    if kind != "images":
        background = "#ffffff" if kind == "line" else "#000000"
        return face_svg.compose(style, kind, parts, {}, background)
    colors = face_styles.definition(style)["colors"]
    paints = {name: spec["values"][0] for name, spec in colors.items()}
    skin, blush = face_law.SKINS[row["skin"]]
    paints |= {"hair": "url(#hair)", "skin": skin}
    paints["eyes"] = face_law.EYE_COLORS[row["eye_color"]]
    if style == "lorelei":
        shade = face_law.HAIR_COLORS[row["hair_color"]][0]
        paints |= {
            "eyebrows": _mix(shade, face_styles.INK, 0.55),
            "glasses": GLASSES_COLORS[row["glasses_color"]],
            "freckles": _mix(skin, "#7a2f1c", 0.6),
            "blush": blush,
        }
    definitions = face_svg.gradient("hair", *_hair(row))
    near, far = _background(row)
    if near == far:
        return face_svg.compose(style, kind, parts, paints, near, definitions)
    definitions += face_svg.gradient("back", (near, far), 90)
    return face_svg.compose(style, kind, parts, paints, "url(#back)", definitions)


def _parts(style: str, row: dict[str, Any]) -> dict[str, str]:
    """Variant of each component, "none" where it is absent."""
    rich = {"lorelei": face_tables.LORELEI, "adventurer": face_tables.ADVENTURER}[style]
    parts = {name: row[name] for name in rich["same_name"]}
    parts["hair"] = row["hair_variant"]
    parts["glasses"] = rich["glasses_variants"].get(row["glasses_kind"], "none")
    if style == "adventurer":
        return parts | {"head": "default"}
    return parts | {
        "beard": "variant01" if row["beard"] else "none",
        "freckles": "variant01" if row["freckles"] else "none",
        "hairAccessories": "flowers" if row["flowers"] else "none",
        "blush": "soft" if row["blush"] else "none",
    }


def _plain_svg(style: str, row: dict[str, Any]) -> str:
    from dicebear import Avatar

    look = face_styles.STYLES[style]
    options: dict[str, Any] = {"seed": "face"}
    for component in face_styles.definition(style)["components"]:
        shown = row[component] != "none"
        options[f"{component}Probability"] = 100 if shown else 0
        if shown:
            options[f"{component}Variant"] = row[component]
    for color in face_styles.free_colors(style):
        options[f"{color}Color"] = row[f"{color}_color"]
    if look.skin:
        options[f"{look.skin}Color"] = face_law.SKINS[row["skin"]][0]
    if look.eyes:
        options[f"{look.eyes}Color"] = face_law.EYE_COLORS[row["eye_color"]]
    if look.hair and look.gradient:
        options |= _linear(look.hair, *_hair(row))
    elif look.hair:
        options[f"{look.hair}Color"] = face_law.HAIR_COLORS[row["hair_color"]][1]
    options |= _linear("background", _background(row), 90)
    svg = str(Avatar(face_styles.drawer(style), options))
    view = " ".join(map(str, look.view))
    svg = re.sub(r'viewBox="[^"]*"', f'viewBox="{view}"', svg, count=1)
    return re.sub(r' clip-path="url\(#clip-[^"]*"', "", svg, count=1)  # saves half


def _linear(color: str, tones: tuple[str, str], angle: int) -> dict[str, Any]:
    return {
        f"{color}Color": list(tones),
        f"{color}ColorFill": "linear",
        f"{color}ColorOrder": "fixed",
        f"{color}ColorAngle": angle,
    }


def _hair(row: dict[str, Any]) -> tuple[tuple[str, str], int]:
    """The two tones of the hair and the direction from the first to the second."""
    shaded, lit = face_law.HAIR_COLORS[row["hair_color"]]
    if row["hair_tip_color"] != row["hair_color"]:
        shaded, lit = lit, face_law.HAIR_COLORS[row["hair_tip_color"]][1]
    return (shaded, lit), GRADIENT_ANGLES[row["hair_gradient"]]


def _background(row: dict[str, Any]) -> tuple[str, str]:
    names = row["background"], row["background_2"]
    return face_law.BACKGROUNDS[names[0]], face_law.BACKGROUNDS[names[1]]


def _rasterise(svg: str, side: int, edges: str) -> np.ndarray:
    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=side,
        height=side,
        skip_system_fonts=True,
        shape_rendering=edges,
    )
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))


def _shrink(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Mean over factor x factor blocks, rounded to the nearest level."""
    if factor == 1:
        return pixels
    side, channels = pixels.shape[0] // factor, pixels.shape[2]
    blocks = pixels.reshape(side, factor, side, factor, channels).astype(np.uint16)
    half = factor * factor // 2
    return ((blocks.sum((1, 3)) + half) // (factor * factor)).astype(np.uint8)


def _mix(first: str, second: str, share: float) -> str:
    """Colour between two hex colours; share 0 gives the first, 1 the second."""
    pairs = zip(bytes.fromhex(first[1:]), bytes.fromhex(second[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * share) for a, b in pairs).hex()
