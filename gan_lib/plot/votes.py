"""Preference studies: the share of each model with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gan_lib.plot.style import COLOURS, TEXT, Picture, legend, new_figure, tidy

if TYPE_CHECKING:
    from gan_lib.study.results import Results


def preferences(results: Results, title: str | None = None) -> Picture:
    """Shares of a preference study with 95 % intervals, most preferred on top.

    Args:
        results: from `gan_lib.study.results`.
        title: one line above; default names voters and pictures.
    """
    if title is None:
        title = (
            f"Best translation into {results.target}: {results.voters} voters, "
            f"{results.questions} pictures"
        )
    names, places = list(results.shares), np.arange(len(results.shares))
    share = 100 * np.array([results.shares[name].share for name in names])
    ends = 100 * np.array([results.shares[name].interval for name in names]).T
    # The percentiles of a bootstrap need not enclose the share itself.
    spread = np.maximum([share - ends[0], ends[1] - share], 0)
    figure = new_figure(0.95 + 0.36 * len(names))
    ax = figure.subplots()
    tidy(ax, title=title, xlabel="preferred, % of votes", grid="x")
    ax.barh(
        places, share, xerr=spread, color=COLOURS["generator"], height=0.62,
        error_kw={"ecolor": COLOURS["ink"], "capsize": 3, "elinewidth": 1},
    )  # fmt: skip
    ax.set_yticks(places, names, fontsize=TEXT["label"])
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.axvline(100 / len(names), color=COLOURS["ink"], ls="--", lw=1, label="by chance")
    legend(ax, loc="lower right")
    return figure
