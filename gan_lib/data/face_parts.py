"""Our own parts for the lorelei style: manga eyes, open mouths and a blush.

Lorelei (Lisa Wischofsky, CC0 1.0) draws eyes as one flat ink shape, which is
lost on dark skin at 64 px. These parts are drawn for this project in the same
3/4 view: eye white, iris, pupil, highlight and lashes. Coordinates are those
of the part's box in the style file (eyes 360 x 103, mouth 263 x 132 units).
A part is a list of DiceBear elements, which are SVG elements as dictionaries.
"""

from __future__ import annotations

INK = {"type": "color", "name": "outline"}
WHITE = "#ffffff"
# centre x, centre y, width, height of the near and of the far eye
NEAR_EYE = (98.0, 66.0, 132.0, 126.0)
FAR_EYE = (290.0, 58.0, 98.0, 120.0)
# name: height factor, upper lid (0 open .. 1 shut), iris size, gaze (-1 .. 1)
EYE_SHAPES = {
    "round": (1.0, 0.0, 1.0, 0.15),
    "leftward": (1.0, 0.0, 1.0, -0.7),
    "rightward": (1.0, 0.0, 1.0, 0.8),
    "almond": (0.82, 0.0, 1.0, 0.2),
    "almondleft": (0.82, 0.0, 1.0, -0.7),
    "wide": (1.12, 0.0, 0.72, 0.1),
    "sleepy": (1.0, 0.38, 1.0, 0.2),
    "sharp": (0.9, 0.2, 0.85, 0.5),
}


_GRIN = "M88 36Q150 56 208 30Q204 84 152 86Q100 88 88 36z"
_LAUGH = "M90 30Q150 50 206 24Q210 108 154 110Q100 112 90 30z"
_LAUGH_TONGUE = "M120 92Q154 66 186 88Q176 105 154 105Q132 105 120 92z"
_OPEN = "M118 40Q152 52 184 36Q184 86 152 88Q120 88 118 40z"
_CAT = "M100 48Q112 74 132 66Q148 60 150 46Q154 62 168 64Q188 66 198 42"
_SHOUT = "M108 78Q112 30 154 28Q194 28 196 72Q152 58 108 78z"


def path(d: str, fill: object = "none", **attributes: object) -> dict:
    """One SVG path as a DiceBear element."""
    named = {key.replace("_", "-"): value for key, value in attributes.items()}
    return {
        "type": "element",
        "name": "path",
        "attributes": {"d": d, "fill": fill, **named},
    }


def stroke(d: str, width: float, color: object = INK) -> dict:
    """An open line with round ends."""
    return path(d, stroke=color, stroke_width=str(width), stroke_linecap="round")


def ellipse(x: float, y: float, rx: float, ry: float) -> str:
    """Path data of an ellipse."""
    return (
        f"M{x - rx:.1f} {y:.1f}a{rx:.1f} {ry:.1f} 0 1 0 {2 * rx:.1f} 0"
        f"a{rx:.1f} {ry:.1f} 0 1 0 {-2 * rx:.1f} 0z"
    )


def _cut_ellipse(x: float, y: float, rx: float, ry: float, top: float) -> str:
    """Path data of the part of an ellipse below the line y = top."""
    if top <= y - ry:
        return ellipse(x, y, rx, ry)
    half = rx * (1 - ((top - y) / ry) ** 2) ** 0.5
    large = 1 if top < y else 0
    return (
        f"M{x - half:.1f} {top:.1f}A{rx:.1f} {ry:.1f} 0 {large} 0 "
        f"{x + half:.1f} {top:.1f}z"
    )


def _open_eye(box: tuple, shape: tuple, *, sparkle: bool = False) -> list[dict]:
    (x, y, width, height), (tall, lid, iris_size, gaze) = box, shape
    w, h = width / 2, height * tall / 2
    top, bottom = y - h + 2 * h * lid, y + h
    rx, ry = 0.56 * w * iris_size, 0.86 * h * iris_size
    ix, iy = x + gaze * 0.36 * w, y + 0.02 * h
    arch = 0.62 * h * (1 - lid) + 8  # how far the upper lid bows up
    lid_y = top + arch
    white = (
        f"M{x - w:.1f} {lid_y:.1f}Q{x:.1f} {2 * top - lid_y:.1f} {x + w:.1f} "
        f"{lid_y:.1f}C{x + w:.1f} {bottom:.1f} {x - w:.1f} {bottom:.1f} "
        f"{x - w:.1f} {lid_y:.1f}z"
    )
    lash = (
        f"M{x - w - 9:.1f} {lid_y + 9:.1f}Q{x - 0.5 * w:.1f} {top - 0.75 * arch:.1f} "
        f"{x:.1f} {top - 12:.1f}T{x + w + 7:.1f} {lid_y + 3:.1f}"
        f"Q{x + 0.45 * w:.1f} {top + 12:.1f} {x:.1f} {top + 10:.1f}"
        f"Q{x - 0.5 * w:.1f} {top + 12:.1f} {x - w - 9:.1f} {lid_y + 9:.1f}z"
    )
    shine = 0.21 if sparkle else 0.16
    return [
        path(white, WHITE),
        path(_cut_ellipse(ix, iy, rx + 7, ry + 7, top), INK),
        path(_cut_ellipse(ix, iy, rx, ry, top), {"type": "color", "name": "eyes"}),
        path(_cut_ellipse(ix, iy + 0.05 * ry, 0.46 * rx, 0.5 * ry, top), INK),
        path(ellipse(ix - 0.42 * rx, iy - 0.34 * ry + h * lid, shine * w, shine * h
                     * 1.25), WHITE),
        path(ellipse(ix + 0.45 * rx, iy + 0.5 * ry, 0.08 * w, 0.09 * h), WHITE),
        path(lash, INK),
        stroke(f"M{x - 0.45 * w:.1f} {bottom - 10:.1f}Q{x:.1f} {bottom + 2:.1f} "
               f"{x + 0.5 * w:.1f} {bottom - 11:.1f}", 6),
    ]  # fmt: skip


def _shut_eye(box: tuple, bow: float) -> list[dict]:
    """A closed eye; bow > 0 arches up (laughing), bow < 0 hangs down (calm)."""
    x, y, width, height = box
    w, rise = 0.5 * width, bow * height
    y = y + 0.25 * rise + 8
    return [
        stroke(f"M{x - w:.1f} {y + 0.3 * rise:.1f}Q{x:.1f} {y - 0.9 * rise:.1f} "
               f"{x + w:.1f} {y + 0.3 * rise:.1f}", 15)
    ]  # fmt: skip


def manga_eyes() -> dict[str, dict]:
    """Eye variants by name, as DiceBear variant dictionaries."""
    pairs = {
        name: _open_eye(NEAR_EYE, shape) + _open_eye(FAR_EYE, shape)
        for name, shape in EYE_SHAPES.items()
    }
    round_shape = EYE_SHAPES["round"]
    pairs["sparkle"] = _open_eye(NEAR_EYE, round_shape, sparkle=True)
    pairs["sparkle"] += _open_eye(FAR_EYE, round_shape, sparkle=True)
    pairs["laughing"] = _shut_eye(NEAR_EYE, 0.5) + _shut_eye(FAR_EYE, 0.5)
    pairs["calm"] = _shut_eye(NEAR_EYE, -0.4) + _shut_eye(FAR_EYE, -0.4)
    pairs["wink"] = _open_eye(NEAR_EYE, round_shape) + _shut_eye(FAR_EYE, 0.45)
    return {name: {"elements": elements} for name, elements in pairs.items()}


def manga_mouths() -> dict[str, dict]:
    """Mouth variants by name: closed lines and open mouths with a red inside."""
    inside, tongue = ({"type": "color", "name": name} for name in ("mouth", "tongue"))
    edge = {"stroke": INK, "stroke_width": "9", "stroke_linejoin": "round"}
    mouths = {
        "smile": [stroke("M95 44Q150 82 202 40", 11)],
        "soft": [stroke("M118 52Q152 70 182 50", 11)],
        "grin": [path(_GRIN, WHITE, **edge)],
        "laugh": [path(_LAUGH, inside, **edge), path(_LAUGH_TONGUE, tongue)],
        "open": [path(_OPEN, inside, **edge)],
        "cat": [stroke(_CAT, 10)],
        "oh": [path(ellipse(152, 60, 20, 27), inside, **edge)],
        "flat": [stroke("M116 58L184 54", 11)],
        "frown": [stroke("M110 72Q150 40 190 64", 11)],
        "wavy": [stroke("M100 60Q116 44 134 58T168 56T200 52", 10)],
        "shout": [path(_SHOUT, inside, **edge)],
    }
    return {name: {"elements": elements} for name, elements in mouths.items()}


def blush() -> dict[str, dict]:
    """Two soft cheeks, box 360 x 60."""
    color = {"type": "color", "name": "blush"}
    cheeks = [
        path(ellipse(62, 30, 46, 22), color, fill_opacity="0.55"),
        path(ellipse(312, 22, 30, 20), color, fill_opacity="0.55"),
    ]
    return {"soft": {"elements": cheeks}}
