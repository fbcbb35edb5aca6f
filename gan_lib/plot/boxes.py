"""Pictures with boxes drawn on them: what a detector found, and what is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle

from gan_lib.plot.pixels import as_batch
from gan_lib.plot.style import COLOURS, TEXT, WIDTH_INCHES, Picture, bare, new_figure


def boxes(
    images,
    found: Sequence | None = None,
    scores: Sequence | None = None,
    truth: Sequence | None = None,
    columns: int = 3,
    title: str | None = None,
) -> Picture:
    """Pictures with their boxes.

    Args:
        images: sequence of (H, W, C), of any sizes.
        found: for each picture boxes (n, 4): x, y, width, height in pixels; solid.
        scores: for each picture (n,), written at the boxes.
        truth: for each picture boxes (m, 4), dashed.
        columns: pictures in a row.
        title: one line above all.
    Raises: ValueError when a list has another length than `images`.
    """
    for name, value in (("found", found), ("scores", scores), ("truth", truth)):
        if value is not None and len(value) != len(images):
            raise ValueError(
                f"Expected `{name}` to have an entry for each of the {len(images)} "
                f"pictures. Received: {len(value)}"
            )
    columns = min(columns, len(images))
    lines = -(-len(images) // columns)
    tallest = max(image.shape[0] / image.shape[1] for image in images)
    height = lines * (WIDTH_INCHES / columns * tallest + 0.05)
    figure = new_figure(height + (0.35 if title else 0), WIDTH_INCHES, title)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for number, ax in enumerate(axes):
        bare(ax)
        if number >= len(images):
            ax.set_visible(False)
            continue
        ax.imshow(as_batch(images[number])[0], interpolation="antialiased")
        if truth is not None:
            _draw(ax, truth[number], None, COLOURS["real"], "--")
        if found is not None:
            _draw(ax, found[number], scores and scores[number], COLOURS["fake"], "-")
    return figure


def _draw(ax, boxes, scores, colour: str, line: str) -> None:
    for number, (x, y, width, height) in enumerate(np.reshape(boxes, (-1, 4))):
        ax.add_patch(
            Rectangle((x, y), width, height, fill=False, color=colour, ls=line, lw=2)
        )
        if scores is not None:
            ax.text(
                x + 4, y + 4, f"{scores[number]:.2f}", va="top", color="white",
                fontsize=TEXT["tick"], backgroundcolor=colour, clip_on=True,
            )  # fmt: skip
