"""The look that all figures share, and how they reach a notebook."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette: the three kinds of colour blindness can tell these apart.
COLOURS = {
    "real": "#0072B2",
    "fake": "#D55E00",
    "discriminator": "#009E73",
    "generator": "#D55E00",
    "accent": "#CC79A7",
    "reference": "#767676",
    "ink": "#222222",
    "grid": "#E3E3E3",
}
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#767676")
WIDTH_INCHES = 8.5  # fills the text column of a notebook
DPI = 100
TEXT = {"title": 11, "label": 10, "tick": 9}


class Picture(Figure):
    """A matplotlib figure that a notebook shows without `pyplot`.

    `pyplot` keeps every figure it makes and a notebook then draws it twice. A plain
    `Figure` avoids that, but is only shown once `pyplot` has set up a backend.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", bbox_inches="tight")
        return buffer.getvalue()


def new_figure(
    height: float = 3.0, width: float = WIDTH_INCHES, title: str | None = None
) -> Picture:
    """An empty white figure; `width` and `height` in inches."""
    figure = Picture(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.set_facecolor("white")
    if title:
        figure.suptitle(
            title, x=0.01, ha="left", fontsize=TEXT["title"], color=COLOURS["ink"]
        )
    return figure


def tidy(
    ax: Axes,
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    grid: str | None = "y",
) -> None:
    """Quiet axes: no box, light grid, title on the left."""
    ax.set_title(title, loc="left", fontsize=TEXT["title"], color=COLOURS["ink"])
    ax.set_xlabel(xlabel, fontsize=TEXT["label"], color=COLOURS["ink"])
    ax.set_ylabel(ylabel, fontsize=TEXT["label"], color=COLOURS["ink"])
    ax.tick_params(labelsize=TEXT["tick"], colors=COLOURS["ink"], length=3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(COLOURS["reference"])
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=COLOURS["grid"], linewidth=0.8)


def legend(ax: Axes, **options) -> None:
    """A legend without a frame."""
    ax.legend(frameon=False, fontsize=TEXT["tick"], **options)


def bare(ax: Axes) -> None:
    """Axes for a picture: no ticks, no box."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


class Table(str):
    """Markdown text of a table; a notebook shows it as one."""

    def _repr_markdown_(self) -> str:
        return str(self)


def table(lines: Sequence[Mapping[str, object]]) -> Table:
    """A table with one line per mapping; columns are the keys of the first.

    Args:
        lines: each {column: value}; numbers are right-aligned.
    Raises: ValueError if there is no line, or a line has other columns.
    """
    if not lines:
        raise ValueError("A table needs at least one line, got none.")
    columns = list(lines[0])
    if any(list(line) != columns for line in lines):
        raise ValueError(f"Every line of the table needs the columns {columns}.")
    numeric = [
        all(isinstance(line[column], int | float) for line in lines)
        for column in columns
    ]
    cells = [columns, ["---:" if n else ":---" for n in numeric]]
    cells += [[str(line[column]) for column in columns] for line in lines]
    return Table("\n".join(f"| {' | '.join(row)} |" for row in cells))
