"""What a patch discriminator says, laid over the picture it speaks of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from gan_lib.plot.pixels import as_batch
from gan_lib.plot.style import COLOURS, TEXT, Picture, bare, new_figure

_VERDICT = LinearSegmentedColormap.from_list(
    "verdict", [COLOURS["fake"], "white", COLOURS["real"]]
)
_SIDE = 1.3  # inches of one picture


def patch_maps(
    images, logits: Mapping[str, np.ndarray], title: str | None = None
) -> Picture:
    """Pictures, and below them where a discriminator finds them real or not.

    D = sigmoid(logit) of each patch is laid over the grey picture: blue "real", white
    undecided, orange "generated".

    Args:
        images: (n, H, W, C).
        logits: name of the row -> (n, h, w, 1), one number a patch.
        title: one line above all.
    Raises: ValueError when a row has another number of maps.
    """
    images = as_batch(images)
    for name, maps in logits.items():
        if len(maps) != len(images):
            raise ValueError(
                f"Expected {len(images)} maps in the row {name!r}, one a picture. "
                f"Received: {len(maps)}"
            )
    lines, count = 1 + len(logits), len(images)
    height = lines * (_SIDE + 0.05) + (0.35 if title else 0)
    figure = new_figure(height, count * _SIDE + 2.2, title)
    axes = figure.subplots(lines, count, squeeze=False)
    grey = images.mean(-1)
    extent = (-0.5, images.shape[2] - 0.5, images.shape[1] - 0.5, -0.5)
    for column in range(count):
        axes[0, column].imshow(images[column], interpolation="antialiased")
        for line, maps in enumerate(logits.values(), 1):
            ax = axes[line, column]
            ax.imshow(grey[column], cmap="gray", vmin=0, vmax=255)
            opinion = 1 / (1 + np.exp(-np.asarray(maps[column, ..., 0], "float64")))
            drawn = ax.imshow(
                opinion, cmap=_VERDICT, vmin=0, vmax=1, alpha=0.6, extent=extent,
                interpolation="nearest",
            )  # fmt: skip
    for ax in axes.ravel():
        bare(ax)
    for ax, name in zip(axes[:, 0], ["picture", *logits], strict=True):
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=TEXT["label"])
    bar = figure.colorbar(drawn, ax=axes[1:], shrink=0.8, pad=0.02)
    bar.set_label('D, "real"', fontsize=TEXT["tick"])
    bar.ax.tick_params(labelsize=TEXT["tick"])
    return figure
