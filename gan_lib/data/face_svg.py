"""Put a face of lorelei or adventurer together as SVG, three times alike.

DiceBear draws the other styles. For these two we read its style definition
ourselves, because one walk then gives the picture, its line art and its label
map, and because it is ten times faster: the text of a part is kept with gaps
for the colours, and DiceBear's checks of every single face (2 ms) fall away.
"""

from __future__ import annotations

import functools

from gan_lib.data import face_styles

LABEL_STEP = 16  # grey levels between two labels in a coded drawing
# part in the style definition -> label name, where they differ
LABEL_OF = {"head": "skin", "blush": "skin", "hairAccessories": "flowers"}
HAIR_OUTLINE = {"stroke-width": "8", "stroke-linejoin": "round"}
_HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" fill="none">'
_GRADIENT = (
    '<linearGradient id="{name}" gradientTransform="rotate({angle}, 0.5, 0.5)">'
    '<stop offset="0" stop-color="{first}"/><stop offset="1" stop-color="{last}"/>'
    "</linearGradient>"
)


def gradient(name: str, colors: tuple[str, str], angle: int) -> str:
    """A linear gradient; angle 0 runs to the right, 90 down, in degrees."""
    return _GRADIENT.format(name=name, angle=angle, first=colors[0], last=colors[1])


def compose(
    style: str,
    kind: str,
    parts: dict[str, str],
    paints: dict[str, str],
    background: str,
    definitions: str = "",
) -> str:
    """The whole SVG.

    Args:
        style: "lorelei" or "adventurer".
        kind: "images" (in colour), "line" (ink on white) or "labels" (each part in
            the grey of its label, LABEL_STEP apart).
        parts: variant of each component, "none" for one that is absent.
        paints: what fills each named colour of the style; used for "images".
        background: what fills the background.
        definitions: gradients that `paints` and `background` refer to.
    Returns: SVG text whose viewBox is the style's crop.
    """
    x, y, width, height = face_styles.STYLES[style].view
    canvas, names = _template(style, kind, "", "")
    body = canvas.format_map(paints | _filled(names, style, kind, parts, paints))
    return (
        _HEAD.format(view=f"{x} {y} {width} {height}")
        + f"<defs>{definitions}</defs>"
        + f'<rect x="{x}" y="{y}" width="{width}" height="{height}" '
        + f'fill="{background}"/>{body}</svg>'
    )


def _filled(names, style: str, kind: str, parts: dict, paints: dict) -> dict[str, str]:
    """Text of the components called `names`, and of those inside them."""
    filled = {}
    for name in names:
        if parts[name] == "none":
            filled[f"part-{name}"] = ""
            continue
        text, inner = _template(style, kind, name, parts[name])
        below = _filled(inner, style, kind, parts, paints)
        filled[f"part-{name}"] = text.format_map(paints | below)
    return filled


@functools.cache
def _template(
    style: str, kind: str, component: str, variant: str
) -> tuple[str, tuple[str, ...]]:
    """A part's text with gaps {color} and {part-name}, and the parts inside it."""
    data = face_styles.definition(style)
    elements = data["canvas"]["elements"]
    if component:
        elements = data["components"][component]["variants"][variant]["elements"]
    names: list[str] = []
    text = "".join(_text(e, style, kind, component, names) for e in elements)
    return text, tuple(names)


def _text(element: dict, style: str, kind: str, component: str, names: list) -> str:
    attributes = dict(element.get("attributes") or {})
    if element["type"] == "component":
        names.append(element["name"])
        return _tag("g", attributes, f"{{part-{element['name']}}}")
    if element["name"] == "mask":  # its white means "show", whatever the picture
        kind = "images"
    fill = attributes.get("fill")
    if style == "lorelei" and isinstance(fill, dict) and fill["name"] == "hair":
        # lorelei's hair comes without an outline
        attributes |= HAIR_OUTLINE | {"stroke": {"type": "color", "name": "outline"}}
    faded = {"opacity", "fill-opacity"} & set(attributes)
    if faded and kind == "line":
        return ""  # a translucent tone is no line
    for name in faded if kind == "labels" else ():
        del attributes[name]
    for name in ("fill", "stroke"):
        if attributes.get(name, "none") != "none":
            attributes[name] = _paint(attributes[name], style, kind, component)
    children = element.get("children", [])
    inside = "".join(_text(e, style, kind, component, names) for e in children)
    return _tag(element["name"], attributes, inside)


def _paint(paint: object, style: str, kind: str, component: str) -> str:
    """Colour text or a gap for it, from a definition's paint."""
    if kind == "labels":
        labels = face_styles.STYLES[style].labels
        grey = labels.index(LABEL_OF.get(component, component)) * LABEL_STEP
        return f"#{grey:02x}{grey:02x}{grey:02x}"
    if kind == "line":
        inked = isinstance(paint, dict) and paint["name"] in face_styles.INKED[style]
        return "#000000" if inked else "#ffffff"
    return f"{{{paint['name']}}}" if isinstance(paint, dict) else str(paint)


def _tag(name: str, attributes: dict, inside: str) -> str:
    text = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{text}>{inside}</{name}>"
