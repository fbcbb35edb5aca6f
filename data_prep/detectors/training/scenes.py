"""Scenes with known head boxes, composed by chance."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from data_prep.detectors.training.backgrounds import draw_background
from data_prep.detectors.training.characters import (
    Character,
    Sprites,
    dicebear_styles,
    draw_dicebear,
    draw_own,
)

# Of the middle of a face, the part that must be seen for it to count; faces with less
# are neither asked for nor forbidden.
SEEN = 0.5
_HARDLY_SEEN = 0.15


@dataclass(frozen=True)
class Scene:
    """A picture and its heads.

    Attributes:
        pixels: uint8 (side, side, 3).
        heads: float32 (n, 3): x and y of the middle, side, in pixels.
        unsure: the same for faces too hidden to count either way.
    """

    pixels: np.ndarray
    heads: np.ndarray
    unsure: np.ndarray


class Painter:
    """Draws scenes from a stock of characters.

    Args:
        sprites: folder of the layered sprites.
        stock: characters drawn in advance; more cost memory (about 1 MB each).
        held_out: only sprites of the held-out items, and no other kind.
        seed: of the stock.
    """

    def __init__(
        self, sprites: Path, *, stock: int = 1000, held_out: bool = False, seed: int = 0
    ):
        rng = np.random.default_rng([seed, 17])
        layered = Sprites(sprites)
        styles = {} if held_out else dicebear_styles()
        self.stock = [
            self._character(rng, layered, styles, held_out) for _ in range(stock)
        ]

    @staticmethod
    def _character(rng, layered: Sprites, styles, held_out: bool) -> Character:
        if held_out:
            return layered.draw(rng, held_out=True)
        kind = rng.choice(5, p=[0.38, 0.04, 0.18, 0.35, 0.05])
        if kind == 0:
            return layered.draw(rng)
        if kind == 1:
            return layered.draw(rng, with_face=False)
        if kind == 2:
            return draw_dicebear(rng, styles)
        return draw_own(rng, with_face=kind == 3)

    def scene(self, seed: tuple[int, ...], side: int = 320) -> Scene:
        """The scene of these numbers; one in six has no face.

        Args:
            seed: any numbers; the same ones give the same scene.
            side: pixels of the square picture.
        """
        rng = np.random.default_rng(seed)
        image = draw_background(rng, side)
        faces: list[tuple[float, float, float, Image.Image]] = []
        empty = rng.random() < 1 / 6
        for _ in range(
            0 if empty else rng.choice([1, 2, 3, 4], p=[0.35, 0.3, 0.2, 0.15])
        ):
            character = self.stock[rng.integers(len(self.stock))]
            self._place(rng, image, character, faces)
        if empty and rng.random() < 0.5:
            self._place_body(rng, image)
        pixels = _spoilt(rng, image)
        return Scene(pixels, *_sorted_by_sight(faces, side))

    def _place(self, rng, image: Image.Image, character: Character, faces) -> None:
        side = image.width
        own = character.side or min(character.image.size) / 2
        head = float(np.exp(rng.uniform(np.log(0.07), np.log(1.0)))) * side
        x, y = rng.uniform(0.02, 0.98) * side, rng.uniform(0.05, 0.9) * side
        turned = _turned(rng, character, head / own, x, y, side)
        image.paste(turned, (0, 0), turned)
        seen = turned.getchannel("A")
        for k, (*box, alpha) in enumerate(faces):
            hidden = Image.new("L", alpha.size, 0)
            alpha.paste(hidden, (0, 0), seen)
            faces[k] = (*box, alpha)
        if character.side:
            faces.append((x, y, head, seen))

    def _place_body(self, rng, image: Image.Image) -> None:
        """Clothes and shoulders without a head."""
        character = self.stock[rng.integers(len(self.stock))]
        low = int(character.y + 0.35 * (character.side or character.image.height / 2))
        body = character.image.copy()
        body.paste((0, 0, 0, 0), (0, 0, body.width, min(low, body.height)))
        size = float(rng.uniform(0.5, 3))
        x, y = rng.uniform(0, 0.8, 2) * image.width
        whole = Character(body, character.x, low, 0)
        turned = _turned(rng, whole, size, x, y, image.width)
        image.paste(turned, (0, 0), turned)


def _turned(rng, character: Character, scale: float, x, y, side: int) -> Image.Image:
    """The character, scaled, tilted and mirrored, its head's middle at (x, y)."""
    image, cx, cy = character.image, character.x, character.y
    shrink = max(1, int(1 / scale))
    if shrink > 1:  # so that the turn below does not alias
        image = image.reduce(shrink)
        cx, cy, scale = cx / shrink, cy / shrink, scale * shrink
    tilt = rng.normal() * 0.1 if rng.random() < 0.7 else rng.uniform(-0.6, 0.6)
    mirror = rng.choice([-1, 1])
    stretch = np.exp(rng.normal() * 0.05)
    cos, sin = np.cos(tilt), np.sin(tilt)
    # From the scene back to the character, as Image.transform wants it.
    back = np.array([[cos, sin], [-sin, cos]]) / scale
    back *= np.array([[mirror * stretch], [1 / stretch]])
    cx_, cy_ = np.array([cx, cy]) - back @ [x, y]
    data = (back[0, 0], back[0, 1], cx_, back[1, 0], back[1, 1], cy_)
    # Premultiplied, or the colour of clear pixels would show at the edge.
    return (
        image.convert("RGBa")
        .transform(
            (side, side), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR
        )
        .convert("RGBA")
    )


def _sorted_by_sight(faces, side: int) -> tuple[np.ndarray, np.ndarray]:
    heads, unsure = [], []
    for x, y, head, alpha in faces:
        half = head / 3.68  # the tight box: brow to chin
        box = [round(v) for v in (x - half, y - half, x + half, y + half)]
        area = max(1, (box[2] - box[0]) * (box[3] - box[1]))
        inside = alpha.crop(
            (max(0, box[0]), max(0, box[1]), min(side, box[2]), min(side, box[3]))
        )
        seen = np.asarray(inside, np.float64).sum() / 255 / area
        if seen >= SEEN:
            heads.append((x, y, head))
        elif seen > _HARDLY_SEEN:
            unsure.append((x, y, head))
    return _array(heads), _array(unsure)


def _array(heads: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(heads, np.float32).reshape(-1, 3)


def _spoilt(rng, image: Image.Image) -> np.ndarray:
    """What happens to pictures: light, colour, blur, noise, JPEG."""
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2)))
    elif rng.random() < 0.15:
        small = image.reduce(int(rng.integers(2, 4)))
        image = small.resize(image.size, Image.Resampling.BILINEAR)
    x = np.asarray(image, np.float32) / 255
    if rng.random() < 0.7:
        x = x ** np.float32(np.exp(rng.normal() * 0.3))
        x = (x - 0.5) * np.exp(rng.normal() * 0.15) + 0.5 + rng.normal() * 0.05
        x = x * np.exp(rng.normal(size=3) * 0.06)
    if rng.random() < 0.3:
        grey = x.mean(-1, keepdims=True)
        x = grey + (x - grey) * (0 if rng.random() < 0.3 else rng.uniform(0.2, 1.6))
    if rng.random() < 0.25:
        x = x + rng.normal(size=x.shape) * rng.uniform(0.005, 0.06)
    pixels = (np.clip(x, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.4:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(25, 95)))
        pixels = np.asarray(Image.open(buffer))
    return pixels
