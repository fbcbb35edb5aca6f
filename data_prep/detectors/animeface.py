"""The detector `animeface`: nagadomi's network of 2009, from the package of that name.

It also knows eyes, nose, mouth and chin. With Pillow 12 and newer the package (2.0.3)
finds nothing and says nothing, which is why it is refused there.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import numpy as np
from PIL import Image

from data_prep.boxes import Found, suppressed

# Its face boxes are 1.31 times the tight width, head boxes 1.84 times.
_SIDE = 1.84 / 1.31


class AnimeFace:
    """`animeface` 2.0.3, Apache-2.0; the network is inside the package.

    Raises: ValueError when the package is missing or Pillow is too new for it.
    """

    def __init__(self) -> None:
        if int(version("pillow").split(".")[0]) >= 12:
            raise ValueError(
                "The detector 'animeface' finds nothing with Pillow 12 and newer, and "
                f"here is {version('pillow')}. Use 'default', or a Python of its own "
                'with: pip install animeface "pillow<12"'
            )
        try:
            version("animeface")
        except PackageNotFoundError:
            raise ValueError(
                "The detector 'animeface' needs its package: pip install animeface"
            ) from None
        import animeface

        self.package = animeface

    def __call__(self, image: np.ndarray) -> Found:
        faces = self.package.detect(Image.fromarray(image))
        boxes = np.array(
            [
                (f.face.pos.x, f.face.pos.y, f.face.pos.width, f.face.pos.height)
                for f in faces
            ],
            np.float64,
        ).reshape(-1, 4)
        side = _SIDE * boxes[:, 2:].mean(1)
        middle = boxes[:, :2] + boxes[:, 2:] / 2
        square = np.column_stack([middle - side[:, None] / 2, side, side])
        return suppressed(square, np.array([f.likelihood for f in faces]).clip(0, 1))
