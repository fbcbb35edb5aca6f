"""Backgrounds without faces, drawn by chance: what a detector must not fall for."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_prep.detectors.training.colours import any_colour


def draw_background(rng: np.random.Generator, side: int) -> Image.Image:
    """A square RGB picture of one of many kinds, with shapes on it."""
    kinds = (_plain, _gradient, _noise, _tiles, _landscape, _room, _scribble)
    chances = (0.14, 0.12, 0.2, 0.08, 0.2, 0.18, 0.08)
    image = kinds[rng.choice(len(kinds), p=chances)](rng, side)
    if rng.random() < 0.5:
        _shapes(rng, image, int(rng.integers(1, 25)))
    if rng.random() < 0.25:
        _sign(rng, image)
    if rng.random() < 0.12:
        _letters(rng, image)
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 6)))
    return image


def _rgb(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(c) for c in any_colour(rng))


def _plain(rng, side: int) -> Image.Image:
    white = rng.random() < 0.4
    return Image.new("RGB", (side, side), (255, 255, 255) if white else _rgb(rng))


def _gradient(rng, side: int) -> Image.Image:
    corners = np.array([[any_colour(rng) for _ in range(2)] for _ in range(2)])
    return Image.fromarray(corners.astype(np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )


def _noise(rng, side: int) -> Image.Image:
    """Clouds: noise of several sizes, stronger where it is coarser, like leaves."""
    total, weight = np.zeros((side, side, 3)), 0.0
    fall = rng.uniform(0.35, 1)
    for octave in range(1, 8):
        n = min(2**octave, side)
        grid = rng.normal(size=(n, n, 3)) + rng.normal(size=(n, n, 1)) * 1.5
        layers = [
            Image.fromarray(grid[..., c].astype(np.float32)).resize(
                (side, side), Image.Resampling.BICUBIC
            )
            for c in range(3)
        ]
        total += fall**octave * np.stack(layers, -1)
        weight += fall**octave
    spread = rng.uniform(25, 110)
    return _as_image(any_colour(rng) + spread * total / weight)


def _tiles(rng, side: int) -> Image.Image:
    n = rng.integers(2, 40)
    palette = np.array([any_colour(rng) for _ in range(rng.integers(2, 7))])
    grid = palette[rng.integers(0, len(palette), (n, n))]
    how = Image.Resampling.NEAREST if rng.random() < 0.6 else Image.Resampling.BILINEAR
    return _as_image(grid).resize((side, side), how)


def _landscape(rng, side: int) -> Image.Image:
    """Sky, clouds, hills and round trees."""
    image = _gradient(rng, side)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 6)):
        _clump(rng, draw, side, rng.uniform(0, 0.5), _rgb(rng))
    for k in range(rng.integers(1, 5)):
        y = side * (0.35 + 0.15 * k + rng.uniform(-0.1, 0.1))
        points = [(x, y + rng.normal() * side * 0.03) for x in range(0, side + 40, 40)]
        draw.polygon([*points, (side, side), (0, side)], fill=_rgb(rng))
        for _ in range(rng.integers(0, 8)):
            _clump(rng, draw, side, y / side, _rgb(rng))
    return _grained(rng, image)


def _clump(rng, draw, side: int, y: float, colour) -> None:
    x, size = rng.uniform(0, side), rng.uniform(0.02, 0.15) * side
    for _ in range(rng.integers(3, 30)):
        a, b = rng.normal(size=2) * size * [1, 0.6]
        r = rng.uniform(0.1, 0.6) * size
        shade = tuple(int(np.clip(c + rng.normal() * 18, 0, 255)) for c in colour)
        draw.ellipse(
            (x + a - r, y * side + b - r, x + a + r, y * side + b + r), fill=shade
        )


def _room(rng, side: int) -> Image.Image:
    """Walls, windows, shelves, rows of seats: many straight lines."""
    image = Image.new("RGB", (side, side), _rgb(rng))
    draw = ImageDraw.Draw(image)
    floor = side * rng.uniform(0.5, 0.95)
    draw.rectangle((0, floor, side, side), fill=_rgb(rng))
    for x in range(-side, 2 * side, int(rng.integers(15, 90))):
        if rng.random() < 0.6:
            draw.line((side / 2 + (x - side / 2) * 0.3, floor, x, side), _rgb(rng), 2)
    for _ in range(rng.integers(1, 5)):
        dark, light = _rgb(rng), _rgb(rng)
        x, y = rng.uniform(-0.2, 0.9, 2) * side
        w, h = rng.uniform(0.03, 0.25, 2) * side
        gap, line = rng.uniform(1.1, 1.8), int(rng.integers(0, 4))
        for i in range(rng.integers(1, 8)):
            for j in range(rng.integers(1, 6)):
                a, b = x + i * w * gap, y + j * h * gap
                draw.rectangle((a, b, a + w, b + h), light, dark, line)
    return _grained(rng, image)


def _scribble(rng, side: int) -> Image.Image:
    """Lines of a sketch on paper."""
    image = Image.new("RGB", (side, side), _rgb(rng) if rng.random() < 0.5 else "white")
    draw = ImageDraw.Draw(image)
    colour = _rgb(rng)
    for _ in range(rng.integers(5, 60)):
        start = rng.uniform(0, side, 2)
        steps = rng.normal(size=(rng.integers(3, 30), 2)) * rng.uniform(2, 25)
        walk = start + np.cumsum(steps, 0)
        draw.line([tuple(p) for p in walk], colour, int(rng.integers(1, 4)))
    return image


def _shapes(rng, image: Image.Image, count: int) -> None:
    """Balls, wheels, boxes and leaves, some with spots where eyes would be."""
    draw, side = ImageDraw.Draw(image), image.width
    for _ in range(count):
        x, y = rng.uniform(-0.1, 1, 2) * side
        w, h = np.exp(rng.uniform(np.log(0.01), np.log(0.4), 2)) * side
        fill = _rgb(rng) if rng.random() < 0.8 else None
        edge, line = _rgb(rng), int(rng.integers(1, 5))
        kind = rng.choice(4)
        if kind == 0:
            draw.ellipse((x, y, x + w, y + h), fill, edge, line)
        elif kind == 1:
            for r in np.linspace(1, 0.1, rng.integers(1, 6)):
                box = (x - r * w, y - r * w, x + r * w, y + r * w)
                draw.ellipse(box, _rgb(rng), edge, line)
        elif kind == 2:
            draw.rectangle((x, y, x + w, y + h), fill, edge, line)
        else:
            corners = rng.uniform(-0.5, 0.5, (rng.integers(3, 9), 2)) * [w, h]
            points = [(x + a, y + b) for a, b in corners]
            draw.polygon(points, fill, edge)


def _sign(rng, image: Image.Image) -> None:
    """A sheet with a few short lines or a grille: at a distance much like a face."""
    draw, side = ImageDraw.Draw(image), image.width
    for _ in range(rng.integers(1, 6)):
        x, y = rng.uniform(0, 0.9, 2) * side
        w, h = np.exp(rng.uniform(np.log(0.03), np.log(0.4), 2)) * side
        fill, dark = _rgb(rng), _rgb(rng)
        draw.rectangle((x, y, x + w, y + h), fill, dark, int(rng.integers(0, 4)))
        rows, columns = rng.integers(1, 6, 2)
        for i in range(rows):
            for j in range(columns):
                a, b = x + (j + 0.5) * w / columns, y + (i + 0.5) * h / rows
                p, q = w / columns * rng.uniform(0.1, 0.4), h / rows * 0.2
                box = (a - p, b - q, a + p, b + q)
                if rng.random() < 0.5:
                    draw.rectangle(box, dark)
                else:
                    draw.ellipse(box, dark)


def _letters(rng, image: Image.Image) -> None:
    """Lines of text, as on a page or a sign."""
    draw, side = ImageDraw.Draw(image), image.width
    colour, size = _rgb(rng), int(rng.integers(8, 60))
    x, top = rng.uniform(-0.1, 0.6) * side, rng.uniform(0, 0.6) * side
    for row in range(rng.integers(1, 14)):
        text = "".join(chr(rng.integers(33, 126)) for _ in range(rng.integers(3, 40)))
        draw.text((x, top + row * size * 1.3), text, fill=colour, font_size=size)


def _grained(rng, image: Image.Image) -> Image.Image:
    if rng.random() < 0.5:
        return image
    texture = _noise(rng, image.width)
    return Image.blend(image, texture, rng.uniform(0.05, 0.4))


def _as_image(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
