"""Figures made of numbers: losses, logits, densities, scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gan_lib.plot.style import (
    COLOURS,
    CYCLE,
    TEXT,
    Picture,
    legend,
    new_figure,
    tidy,
)


class Moment(NamedTuple):
    """One moment of a duel in one dimension, all on the same points x.

    title: of the small picture.
    real, fake: densities, or samples which are shown as a histogram.
    discriminator: probability of "real" at each x.
    optimal: the best possible one, or None.
    """

    title: str
    real: np.ndarray
    fake: np.ndarray
    discriminator: np.ndarray
    optimal: np.ndarray | None = None


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    references: Mapping[str, float] | None = None,
    xlabel: str = "thousand real images seen (kimg)",
    ylabel: str = "",
    title: str = "",
    colours: Mapping[str, str] | None = None,
    height: float = 3.0,
) -> Picture:
    """Lines with named reference levels.

    Args:
        series: name -> (x, y).
        references: text -> y of a dashed line.
        colours: name -> colour, where the standard order should not be used.
    """
    figure = new_figure(height)
    ax = figure.subplots()
    tidy(ax, title=title, xlabel=xlabel, ylabel=ylabel)
    for (name, (x, y)), colour in zip(series.items(), _endless(CYCLE), strict=False):
        marker = "o" if len(x) < 15 else None
        ax.plot(
            x, y, label=name, color=(colours or {}).get(name, colour), linewidth=1.8,
            marker=marker, markersize=3,
        )  # fmt: skip
    _references(ax, references or {})
    legend(ax, loc="best", ncols=min(len(series), 3))
    return figure


def loss_curves(history, title: str = "Losses") -> Picture:
    """Both losses with the values of a game at rest: 2 ln 2 and ln 2.

    Args:
        history: what `GAN.fit` returns, or a mapping of columns with "kimg",
            "discriminator_loss" and "generator_loss".
    """
    columns = _columns(history)
    return curves(
        {
            "discriminator": (columns["kimg"], columns["discriminator_loss"]),
            "generator": (columns["kimg"], columns["generator_loss"]),
        },
        references={"2 ln 2": 2 * math.log(2), "ln 2": math.log(2)},
        colours=COLOURS,
        ylabel="loss",
        title=title,
    )


def logit_curves(history, title: str = "What the discriminator says") -> Picture:
    """Mean logits of real and generated images; 0 means "I cannot tell"."""
    columns = _columns(history)
    return curves(
        {
            "real images": (columns["kimg"], columns["real_logits"]),
            "generated images": (columns["kimg"], columns["fake_logits"]),
        },
        references={"cannot tell": 0.0},
        colours={"real images": COLOURS["real"], "generated images": COLOURS["fake"]},
        ylabel="mean logit",
        title=title,
    )


def logit_histogram(real_logits, fake_logits, title: str = "") -> Picture:
    """How the logits of single images are spread, real against generated."""
    real, fake = np.ravel(real_logits), np.ravel(fake_logits)
    figure = new_figure(2.8)
    ax = figure.subplots()
    tidy(ax, title=title, xlabel="logit (log-odds of being real)", ylabel="images")
    bins = np.linspace(min(real.min(), fake.min()), max(real.max(), fake.max()), 40)
    for values, name, colour in (
        (real, "real images", COLOURS["real"]),
        (fake, "generated images", COLOURS["fake"]),
    ):
        ax.hist(values, bins, alpha=0.6, color=colour, label=name)
    ax.axvline(0, color=COLOURS["reference"], linestyle="--", linewidth=1)
    legend(ax)
    return figure


def densities(x, moments: Sequence[Moment], columns: int = 3) -> Picture:
    """Real and generated density at several moments, with the discriminator's curve.

    Args:
        x: float (n,), where everything is drawn.
        moments: one small picture each.
        columns: small pictures in a row.
    """
    columns = min(columns, len(moments))
    lines = math.ceil(len(moments) / columns)
    figure = new_figure(2.3 * lines + 0.35)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    right = [ax.twinx() for ax in axes.ravel()]
    for number, (ax, twin) in enumerate(zip(axes.ravel(), right, strict=True)):
        if number >= len(moments):
            ax.set_axis_off()
            twin.set_axis_off()
            continue
        _moment(ax, twin, x, moments[number])
        if number % columns == columns - 1 or number == len(moments) - 1:
            twin.set_ylabel("D(x)", fontsize=TEXT["label"])
        else:
            twin.set_yticklabels([])
    for ax in axes[:, 0]:
        ax.set_ylabel("density", fontsize=TEXT["label"])
    handles, names = axes[0, 0].get_legend_handles_labels()
    more, more_names = right[0].get_legend_handles_labels()
    figure.legend(
        handles + more, names + more_names, loc="outside lower center", ncols=4,
        frameon=False, fontsize=TEXT["tick"],
    )  # fmt: skip
    return figure


def _moment(ax, twin, x, moment: Moment) -> None:
    tidy(ax, title=moment.title, grid=None)
    for values, name in ((moment.real, "real"), (moment.fake, "fake")):
        label = {"real": "real data", "fake": "generated"}[name]
        if len(values) == len(x):
            ax.fill_between(x, values, color=COLOURS[name], alpha=0.35, label=label)
        else:
            bins = np.linspace(np.min(x), np.max(x), 50)
            ax.hist(
                values, bins, density=True, color=COLOURS[name], alpha=0.35, label=label
            )
    twin.plot(
        x, moment.discriminator, color=COLOURS["discriminator"], linewidth=2,
        label="discriminator",
    )  # fmt: skip
    if moment.optimal is not None:
        twin.plot(
            x, moment.optimal, color=COLOURS["ink"], linewidth=1.5, linestyle=":",
            label="optimal discriminator",
        )  # fmt: skip
    twin.set_ylim(-0.03, 1.03)
    twin.set_yticks([0, 0.5, 1])
    twin.tick_params(labelsize=TEXT["tick"], length=3)
    twin.spines[["top", "left"]].set_visible(False)
    twin.spines["right"].set_color(COLOURS["reference"])


def duel(paths: Mapping[str, np.ndarray], target: float, title: str = "") -> Picture:
    """The path of a GAN of three numbers: over time, and in its own plane.

    Args:
        paths: name -> float (steps, 2): the generator's number theta, and the
            discriminator's slope, after each step.
        target: the theta at which data and generator agree; the slope is then 0.
    """
    figure = new_figure(3.2, title=title)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    tidy(left, xlabel="step", ylabel="generator: theta")
    tidy(right, xlabel="generator: theta", ylabel="discriminator: slope", grid="both")
    for (name, path), colour in zip(paths.items(), _endless(CYCLE), strict=False):
        path = np.asarray(path)
        left.plot(path[:, 0], color=colour, linewidth=1.6, label=name)
        right.plot(path[:, 0], path[:, 1], color=colour, linewidth=1.1, alpha=0.9)
        right.plot(path[0, 0], path[0, 1], "o", color=colour, markersize=5)
    left.axhline(target, color=COLOURS["reference"], linestyle="--", linewidth=1)
    right.plot(target, 0, "*", color=COLOURS["ink"], markersize=11)
    legend(left)
    return figure


def bars(
    values: Mapping[str, float],
    errors: Mapping[str, float] | None = None,
    *,
    references: Mapping[str, float] | None = None,
    xlabel: str = "",
    title: str = "",
) -> Picture:
    """Horizontal bars with error bars and named reference lines, first one on top.

    Args:
        values: name -> length of the bar.
        errors: name -> half the length of its error bar.
        references: text -> x of a dashed line, for instance the floor of a score.
    """
    figure = new_figure(0.95 + 0.36 * len(values))
    ax = figure.subplots()
    tidy(ax, title=title, xlabel=xlabel, grid="x")
    names, places = list(values), np.arange(len(values))
    widths = [values[name] for name in names]
    spread = None if errors is None else [errors[name] for name in names]
    colours = [c for c, _ in zip(_endless(CYCLE), names, strict=False)]
    ax.barh(
        places, widths, xerr=spread, color=colours, height=0.62,
        error_kw={"ecolor": COLOURS["ink"], "capsize": 3, "elinewidth": 1},
    )  # fmt: skip
    ax.set_yticks(places, names, fontsize=TEXT["label"])
    ax.invert_yaxis()
    for text, x in (references or {}).items():
        ax.axvline(x, color=COLOURS["ink"], linestyle="--", linewidth=1, label=text)
    if references:
        legend(ax)
    return figure


def _references(ax, levels: Mapping[str, float]) -> None:
    for text, y in levels.items():
        ax.axhline(y, color=COLOURS["reference"], linestyle="--", linewidth=1)
        ax.annotate(
            text, (1, y), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=TEXT["tick"],
            color=COLOURS["reference"],
        )  # fmt: skip


def _columns(history) -> Mapping[str, Sequence[float]]:
    columns = getattr(history, "history", history)
    if not isinstance(columns, Mapping) or "kimg" not in columns:
        raise ValueError(
            "Expected the History that GAN.fit returns, or a mapping of columns with "
            f"'kimg'. Received: {type(history).__name__}"
        )
    return columns


def _endless(items):
    while True:
        yield from items
