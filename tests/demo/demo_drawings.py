"""Drawings, and a generator whose answer anyone can work out."""

from __future__ import annotations

import io

import keras
import numpy as np
from PIL import Image, ImageDraw

SIZE = 16
RED = (255, 0, 0)


def overlay(size: int = SIZE, channels: int = 5) -> keras.Model:
    """A generator that anyone can check: tanh(3 line + 6 hint colour)."""
    source = keras.Input((size, size, channels), name="source")
    paint = keras.layers.Conv2D(3, 1, activation="tanh", name="paint")
    model = keras.Model(source, paint(source), name="generator")
    kernel = np.zeros((1, 1, channels, 3), np.float32)
    kernel[0, 0, 0] = 3
    if channels > 3:
        kernel[0, 0, -4:-1] = 6 * np.eye(3)
    paint.set_weights([kernel, np.zeros(3, np.float32)])
    return model


def square(side: int = 128, ink: int = 0, paper: int = 255, width: int = 6):
    """The outline of a square, uint8 (side, side)."""
    image = Image.new("L", (side, side), paper)
    box = (side // 4, side // 4, 3 * side // 4, 3 * side // 4)
    ImageDraw.Draw(image).rectangle(box, outline=ink, width=width)
    return np.asarray(image)


def with_stroke(colour, side: int = 128, at=(64, 64), reach: int = 12) -> np.ndarray:
    """The square with a coloured patch in it, uint8 (side, side, 3)."""
    sheet = np.repeat(square(side)[..., None], 3, -1)
    x, y = at
    sheet[y - reach : y + reach, x - reach : x + reach] = colour
    return sheet


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()
