"""Faces drawn by chance: many proportions, line widths and manners of drawing.

The sprites and the DiceBear styles each have one artist and one or two head shapes.
These faces are cruder but differ in what those keep fixed: the shape of the head, the
size and place of the eyes, how far the head is turned, line art or flat colour.
"""

from __future__ import annotations

import math

import numpy as np

from data_prep.detectors.training.colours import any_colour, hex_of, ink, skin_colour

SIDE = 400  # of the square canvas
CENTRE = 190  # of the head box on it, in both directions
TIGHT = 100  # width of the face from cheek to cheek
HEAD = 1.84 * TIGHT


class _Pen:
    """Collects shapes, with coordinates relative to the middle of the face."""

    def __init__(self, rng: np.random.Generator):
        self.parts: list[str] = []
        self.ink = hex_of(ink(rng))
        self.width = float(rng.choice([0, 1, 1.5, 2.5, 4]))
        self.is_line_art = rng.random() < 0.12

    def colour(self, colour) -> str:
        return "#ffffff" if self.is_line_art else hex_of(colour)

    def path(self, data: str, fill: str = "none", width: float | None = None) -> None:
        width = self.width if width is None else width
        if self.is_line_art:
            width = max(width, 1.5)
        self.parts.append(
            f'<path d="{data}" fill="{fill}" stroke="{self.ink}" '
            f'stroke-width="{width:.1f}" stroke-linejoin="round" '
            'stroke-linecap="round"/>'
        )

    def ellipse(self, x, y, rx, ry, fill: str, width: float | None = None) -> None:
        self.path(
            f"M{x - rx:.1f} {y:.1f}a{rx:.1f} {ry:.1f} 0 1 0 {2 * rx:.1f} 0"
            f"a{rx:.1f} {ry:.1f} 0 1 0 {-2 * rx:.1f} 0Z",
            fill,
            width,
        )

    def polygon(self, points, fill: str, width: float | None = None) -> None:
        self.path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z", fill)


def head_svg(rng: np.random.Generator, *, with_face: bool = True) -> str:
    """A head and shoulders as SVG text, `SIDE` pixels square.

    Args:
        with_face: without, the head has hair and skin but no eyes, nose or mouth, like
            one seen from behind: an example of what is not a face.
    """
    pen = _Pen(rng)
    hair, skin = pen.colour(any_colour(rng)), skin_colour(rng)
    chin = rng.uniform(38, 58)
    turn = rng.uniform(-14, 14) * (rng.random() < 0.6)
    _back_hair(pen, rng, hair)
    _body(pen, rng, skin, chin)
    _face_shape(pen, rng, skin, chin, turn)
    if with_face:
        _features(pen, rng, skin, chin, turn)
    elif rng.random() < 0.6:
        top = rng.uniform(60, 90)
        pen.ellipse(0, -10, rng.uniform(50, 62), top, hair)
    _front_hair(pen, rng, hair, turn)
    _ornaments(pen, rng, hair)
    shapes = "".join(pen.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">'
        f'<g transform="translate({CENTRE} {CENTRE})">{shapes}</g></svg>'
    )


def _back_hair(pen: _Pen, rng: np.random.Generator, hair: str) -> None:
    width, top = rng.uniform(52, 92), rng.uniform(75, 120)
    if rng.random() < 0.5:
        low = rng.uniform(20, 200)
        pen.path(
            f"M{-width} {low}C{-width * 1.2} {-top} {width * 1.2} {-top} "
            f"{width} {low}Z",
            hair,
        )
    else:
        pen.ellipse(0, -30, width, top - 20, hair)
    if rng.random() < 0.35:  # tails or buns
        out, y = width * rng.uniform(0.8, 1.1), rng.uniform(-90, 0)
        rx, ry = rng.uniform(14, 34), rng.uniform(15, 80)
        for side in (-1, 1):
            pen.ellipse(side * out, y + ry * 0.5, rx, ry, hair)


def _body(pen: _Pen, rng: np.random.Generator, skin, chin: float) -> None:
    if rng.random() < 0.1:
        return  # a head alone, like an emoji
    neck, broad = rng.uniform(12, 26), rng.uniform(50, 120)
    low = chin + rng.uniform(5, 40)
    neck_points = [(-neck, 0), (neck, 0), (neck, low + 20), (-neck, low + 20)]
    pen.polygon(neck_points, pen.colour(skin * rng.uniform(0.75, 1)))
    cloth = pen.colour(any_colour(rng))
    pen.path(
        f"M{-broad} 230C{-broad} {low + 20} {-neck} {low} {-neck} {low}L0 {low + 15}"
        f"L{neck} {low}C{neck} {low} {broad} {low + 20} {broad} 230Z",
        cloth,
    )
    if rng.random() < 0.3:  # a scarf or a collar that hides the chin
        y = chin + rng.uniform(-8, 20)
        fill = pen.colour(any_colour(rng))
        pen.ellipse(0, y + 12, rng.uniform(30, 60), rng.uniform(10, 22), fill)


def _face_shape(pen: _Pen, rng: np.random.Generator, skin, chin: float, turn: float):
    fill = pen.colour(skin)
    if rng.random() < 0.7:
        for side in (-1, 1):
            pen.ellipse(side * 50 - turn * 0.5, rng.uniform(-8, 8), 9, 14, fill)
    wide, round_ = rng.uniform(44, 52), rng.uniform(4, 32)
    top, cheek = rng.uniform(70, 95), rng.uniform(0, 25)
    pen.path(
        f"M{-wide} -20C{-wide} {-top} {wide} {-top} {wide} -20"
        f"L{wide - 2} {cheek}C{wide - 5} {chin * 0.75} {round_ + turn} {chin} "
        f"{turn} {chin}C{-round_ + turn} {chin} {-wide + 5} {chin * 0.75} "
        f"{-wide + 2} {cheek}Z",
        fill,
    )


def _features(pen: _Pen, rng: np.random.Generator, skin, chin: float, turn: float):
    apart, y = rng.uniform(19, 28), rng.uniform(-14, 10)
    wide, high = rng.uniform(7, 17), rng.uniform(6, 24)
    manner = rng.choice(5, p=[0.55, 0.12, 0.13, 0.1, 0.1])
    iris, white = pen.colour(any_colour(rng)), hex_of(np.array([255.0] * 3))
    hidden = rng.choice([-1, 1]) if rng.random() < 0.08 else 0
    tilt = rng.uniform(-5, 5)
    brow = y - high - rng.uniform(3, 12)
    for side in (-1, 1):
        x = side * apart + turn
        near = 1 - 0.02 * turn * side
        if side != hidden:
            # One eye winks now and then.
            own = 2 if rng.random() < 0.05 else manner
            _eye(pen, rng, x, y, wide * near, high, int(own), iris, white)
        if rng.random() < 0.9:
            pen.path(
                f"M{x - wide:.1f} {brow + side * tilt:.1f}Q{x:.1f} {brow - 4:.1f} "
                f"{x + wide:.1f} {brow - side * tilt:.1f}",
                width=rng.uniform(1.2, 4),
            )
    if rng.random() < 0.35:
        blush = hex_of(np.clip(skin * [1.05, 0.75, 0.75], 0, 255))
        for side in (-1, 1):
            pen.ellipse(side * (apart + 8) + turn, y + high + 6, 9, 5, blush, 0)
    _nose_and_mouth(pen, rng, y + high, chin, turn * 1.3)
    if rng.random() < 0.15:
        r = max(wide, high) * rng.uniform(1, 1.3)
        for side in (-1, 1):
            pen.ellipse(side * apart + turn, y, min(r, apart - 1), r, "none", 2.5)
        pen.path(f"M{turn - 3} {y}L{turn + 3} {y}", width=2)


def _eye(pen, rng, x, y, wide, high, manner: int, iris: str, white: str) -> None:
    if manner == 0:  # large, with iris, pupil and lights
        r = rng.uniform(0.55, 0.95)
        pen.ellipse(x, y, wide, high, white)
        pen.ellipse(x, y + 0.1 * high, wide * r, high * 0.88, iris, 0.8)
        if rng.random() < 0.8:
            pen.ellipse(x, y + 0.15 * high, wide * r * 0.5, high * 0.5, pen.ink, 0)
        pen.ellipse(x - wide * 0.25, y - high * 0.4, wide * 0.28, high * 0.22, white, 0)
        pen.path(
            f"M{x - wide:.1f} {y - high * 0.3:.1f}Q{x:.1f} {y - high * 1.5:.1f} "
            f"{x + wide:.1f} {y - high * 0.3:.1f}",
            width=rng.uniform(1.5, 5),
        )
    elif manner == 1:  # a dot
        pen.ellipse(x, y, wide * 0.4, min(high, wide) * 0.6, pen.ink, 0)
    elif manner in (2, 3):  # closed, as an arc upwards or downwards
        bend = high * (1 if manner == 2 else -1)
        pen.path(
            f"M{x - wide:.1f} {y:.1f}Q{x:.1f} {y - bend:.1f} {x + wide:.1f} {y:.1f}",
            width=rng.uniform(2, 5),
        )
    else:  # narrow
        pen.ellipse(x, y, wide, high * 0.45, white)
        pen.ellipse(x, y, wide * 0.45, high * 0.45, iris)


def _nose_and_mouth(pen: _Pen, rng, low: float, chin: float, x: float) -> None:
    nose = rng.uniform(0.1, 0.45) * (chin - low) + low
    kind = rng.choice(4)
    if kind == 0:
        pen.ellipse(x, nose, 1.2, 1.2, pen.ink, 0)
    elif kind == 1:
        pen.path(f"M{x:.1f} {nose - 7:.1f}l3 8l-4 1", width=1.5)
    elif kind == 2:
        pen.path(f"M{x - 3:.1f} {nose:.1f}q3 3 6 0", width=1.5)
    y = nose + rng.uniform(0.3, 0.7) * (chin - nose)
    wide, kind = rng.uniform(3, 17), rng.choice(5)
    inside = pen.colour(np.array([rng.uniform(90, 220), 50, 60]))
    if kind == 0:
        bend = rng.uniform(-7, 9)
        data = f"M{x - wide:.1f} {y:.1f}q{wide:.1f} {bend:.1f} {2 * wide:.1f} 0"
        pen.path(data, width=rng.uniform(1, 3))
    elif kind == 1:
        deep = rng.uniform(6, 16)
        data = f"M{x - wide:.1f} {y:.1f}q{wide:.1f} {deep * 2:.1f} {2 * wide:.1f} 0Z"
        pen.path(data, inside)
    elif kind == 2:
        pen.ellipse(x, y, wide * 0.5, rng.uniform(2, 9), inside)
    elif kind == 3:  # like a cat's
        half = wide * 0.5
        pen.path(
            f"M{x - 2 * half:.1f} {y:.1f}q{half:.1f} 6 {2 * half:.1f} 0"
            f"q{half:.1f} 6 {2 * half:.1f} 0",
            width=1.8,
        )


def _front_hair(pen: _Pen, rng: np.random.Generator, hair: str, turn: float) -> None:
    if rng.random() < 0.06:
        return
    wide, top = rng.uniform(50, 62), rng.uniform(78, 112)
    count = int(rng.integers(2, 10))
    fringe = rng.uniform(-58, -22)
    deep = rng.uniform(3, 30)
    low = rng.uniform(-40, 60)  # of the locks at the sides
    points = [(wide - 4, low), (wide - 12, fringe)]
    for k in range(count):
        x = (wide - 12) * (1 - 2 * (k + 1) / (count + 1)) + turn * 0.5
        jag = deep if k % 2 else -deep * 0.3
        points.append((x, fringe + jag * rng.uniform(0.5, 1.2)))
    points += [(-wide + 12, fringe), (-wide + 4, low)]
    if rng.random() < 0.08:  # a strand over one eye
        points.insert(3, (rng.choice([-1, 1]) * 22, rng.uniform(10, 40)))
    outline = "".join(f"L{x:.1f} {y:.1f}" for x, y in points)
    pen.path(
        f"M{-wide} -20C{-wide} {-top - 15} {wide} {-top - 15} {wide} -20{outline}Z",
        hair,
    )
    for _ in range(int(rng.integers(0, 4))):  # strands, or a shine
        x = rng.uniform(-35, 35)
        pen.path(f"M{x * 0.6:.1f} {-top * 0.8:.1f}Q{x:.1f} -70 {x:.1f} -50", width=1)


def _ornaments(pen: _Pen, rng: np.random.Generator, hair: str) -> None:
    kind = rng.choice(7)
    fill = pen.colour(any_colour(rng))
    if kind == 0:  # animal ears
        for side in (-1, 1):
            tip = (side * rng.uniform(40, 70), rng.uniform(-150, -105))
            pen.polygon([(side * 15, -85), tip, (side * 58, -55)], hair)
    elif kind == 1:  # a hat
        y = rng.uniform(-75, -50)
        pen.path(f"M-58 {y}C-58 -150 58 -150 58 {y}Z", fill)
        pen.ellipse(0, y, rng.uniform(60, 85), 9, fill)
    elif kind == 2:  # a flower
        x, y = rng.choice([-1, 1]) * 42, rng.uniform(-70, -40)
        for k in range(5):
            angle = 2 * math.pi * k / 5
            pen.ellipse(x + 8 * math.cos(angle), y + 8 * math.sin(angle), 6, 6, fill)
    elif kind == 3:  # headphones
        pen.path("M-56 0C-70 -125 70 -125 56 0", width=rng.uniform(4, 10))
        for side in (-1, 1):
            pen.ellipse(side * 57, 0, 12, 22, fill)
