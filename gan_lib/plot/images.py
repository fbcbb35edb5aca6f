"""Figures made of pictures: grids, rows, pairs, sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Patch

from gan_lib.plot.pixels import LABEL_COLOURS, as_batch, colour_labels, tile
from gan_lib.plot.pixels import default_columns as _default_columns
from gan_lib.plot.style import COLOURS, TEXT, WIDTH_INCHES, Picture, bare, new_figure

_LARGEST_TILE = 1.3  # inches; a small grid is not blown up to the full width
_PADDING = 2  # pixels between tiles


def image_grid(
    images,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    title: str | None = None,
) -> Picture:
    """Pictures in a grid.

    Args:
        images: (n, H, W, C), uint8 or float in [-1, 1].
        columns: pictures in a row; None: as suits their number.
        titles: a short text above each picture.
        title: one line above all.
    """
    images = as_batch(images)
    if titles is not None:
        return _titled_grid(images, columns, titles, title)
    columns = min(columns or _default_columns(len(images)), len(images))
    canvas = tile(images, columns, _PADDING)
    width = min(WIDTH_INCHES, columns * _LARGEST_TILE)
    height = width * canvas.shape[0] / canvas.shape[1]
    figure = new_figure(height + (0.35 if title else 0.05), width, title)
    ax = figure.subplots()
    ax.imshow(canvas, interpolation="antialiased")
    bare(ax)
    return figure


def _titled_grid(images, columns, titles, title) -> Picture:
    if len(titles) != len(images):
        raise ValueError(
            f"Expected a title for each of the {len(images)} pictures. "
            f"Received: {len(titles)}"
        )
    columns = min(columns or _default_columns(len(images)), len(images))
    lines = -(-len(images) // columns)
    size = min(WIDTH_INCHES / columns, _LARGEST_TILE)
    height = lines * (size * images.shape[1] / images.shape[2] + 0.28)
    figure = new_figure(height + (0.35 if title else 0), columns * size, title)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax in axes:
        bare(ax)
    for ax, image, text in zip(axes, images, titles, strict=False):
        ax.imshow(image, interpolation="antialiased")
        ax.set_title(text, fontsize=TEXT["tick"], color=COLOURS["ink"], pad=3)
    return figure


def show(image, title: str | None = None, width: float = WIDTH_INCHES) -> Picture:
    """One picture (H, W, C), at most `width` inches wide."""
    image = as_batch(image)[0]
    height = width * image.shape[0] / image.shape[1]
    figure = new_figure(height + (0.35 if title else 0), width, title)
    ax = figure.subplots()
    ax.imshow(image, interpolation="antialiased")
    bare(ax)
    return figure


def rows(
    named: Mapping[str, object],
    column_titles: Sequence[str] | None = None,
    title: str | None = None,
) -> Picture:
    """One row of pictures for each name: comparisons, latent walks, steps in time.

    Args:
        named: name -> pictures (n, H, W, C); the sizes in pixels may differ.
        column_titles: a short text above each column of the first row.
        title: one line above all.
    Raises: ValueError without rows, or with more column titles than pictures.
    """
    strips = {name: as_batch(images) for name, images in named.items()}
    if not strips:
        raise ValueError("Expected at least one row of pictures, got none.")
    most = max(len(strip) for strip in strips.values())
    if column_titles is not None and len(column_titles) > most:
        raise ValueError(
            f"Expected at most {most} column titles. Received: {len(column_titles)}"
        )
    margin = 0.12 + 0.085 * max(len(n) for name in strips for n in name.split("\n"))
    size = min(_LARGEST_TILE, (WIDTH_INCHES - margin) / most)
    extra = (0.3 if title else 0) + (0.25 if column_titles is not None else 0)
    width = margin + most * size
    figure = new_figure(len(strips) * (size + 0.05) + extra, width, title)
    axes = figure.subplots(len(strips), squeeze=False).ravel()
    for ax, (name, strip) in zip(axes, strips.items(), strict=True):
        side = strip.shape[2] + _PADDING
        ax.imshow(tile(strip, len(strip), _PADDING), interpolation="antialiased")
        ax.set_xlim(-0.5, most * side - _PADDING - 0.5)
        bare(ax)
        ax.set_ylabel(
            name, rotation=0, ha="right", va="center", fontsize=TEXT["label"],
            color=COLOURS["ink"],
        )  # fmt: skip
    if column_titles is not None:
        first = next(iter(strips.values()))
        side = first.shape[2] + _PADDING
        for number, text in enumerate(column_titles):
            axes[0].text(
                number * side + side / 2, -0.04 * side, text, ha="center", va="bottom",
                fontsize=TEXT["tick"], color=COLOURS["ink"],
            )  # fmt: skip
    return figure


def neighbours(
    images, neighbours, distances, title: str | None = None, limit: int = 10
) -> Picture:
    """Each picture above the training pictures that are nearest to it.

    Args:
        images: (n, H, W, C), generated.
        neighbours: (n, k, H, W, C), the nearest first.
        distances: float (n, k), written under the nearest ones.
        limit: at most so many columns.
    """
    images, neighbours = as_batch(images)[:limit], np.asarray(neighbours)[:limit]
    distances = np.asarray(distances)[:limit]
    count, depth = distances.shape
    figure = new_figure(
        (1 + depth) * (WIDTH_INCHES - 1) / count * 1.2 + (0.3 if title else 0),
        title=title,
    )
    axes = figure.subplots(1 + depth, count, squeeze=False)
    for column in range(count):
        stack = [images[column], *as_batch(neighbours[column])]
        for line, (ax, image) in enumerate(zip(axes[:, column], stack, strict=True)):
            ax.imshow(image, interpolation="antialiased")
            bare(ax)
            if line:
                text = f"{distances[column, line - 1]:.2f}"
                ax.set_xlabel(text, fontsize=TEXT["tick"], labelpad=2)
    names = ["generated", "nearest\nin training"] + [""] * (depth - 1)
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=TEXT["label"])
    return figure


def arithmetic(
    terms: Sequence[tuple[str, str, object, object]], title: str | None = None
) -> Picture:
    """A sum in latent space: each mean in the top row, what it is a mean of below.

    Args:
        terms: (sign, name, picture of the mean, pictures it was made from); the last
            one is the result, with the sign "=", and its pictures may be None.
    """
    deepest = max(len(parts) for *_, parts in terms if parts is not None)
    figure = new_figure(2.3 + 0.62 * deepest / 3 + (0.3 if title else 0), title=title)
    axes = figure.subplots(
        2, len(terms), squeeze=False, gridspec_kw={"height_ratios": [3, 1]}
    )
    for column, (sign, name, mean, parts) in enumerate(terms):
        top, bottom = axes[:, column]
        bare(top)
        bare(bottom)
        top.imshow(as_batch(mean)[0], interpolation="antialiased")
        top.set_title(name, fontsize=TEXT["label"], color=COLOURS["ink"])
        top.text(
            -0.1, 0.5, sign, transform=top.transAxes, ha="center", va="center",
            fontsize=18, color=COLOURS["ink"],
        )  # fmt: skip
        if parts is None:
            bottom.set_axis_off()
        else:
            strip = tile(parts, len(parts), _PADDING)
            bottom.imshow(strip, interpolation="antialiased")
    return figure


def label_maps(
    images, labels, names: Sequence[str], title: str | None = None
) -> Picture:
    """Pictures above their label maps, with a legend.

    Args:
        images: (n, H, W, C).
        labels: whole numbers (n, H, W); label i is called `names[i]`.
    """
    pair = {"image": images, "labels": colour_labels(labels)}
    figure = rows(pair, title=title)
    colours = colour_labels(np.arange(len(names))[None])[0] / 255
    handles = [
        Patch(facecolor=colour, edgecolor=COLOURS["reference"], label=name)
        for colour, name in zip(colours, names, strict=True)
    ]
    figure.legend(
        handles=handles, loc="outside lower center", frameon=False,
        ncols=min(len(names), len(LABEL_COLOURS) // 2), fontsize=TEXT["tick"],
    )  # fmt: skip
    figure.set_figheight(figure.get_figheight() + 0.5)
    return figure
