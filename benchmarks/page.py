"""The page of training speeds, from the newest rows of `results.csv`.

    python benchmarks/page.py

Writes `speed.md` and `speed.png` beside the table: for each model the newest steps that
`bench.py` recorded, on the device it ran on last.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from record import rows

HERE = Path(__file__).parent
COLOURS = {"ours": "#2166ac", "PyTorch": "#d6604d", "": "#999999"}


def newest(table: list[dict[str, str]], benchmark: str) -> dict[str, dict[str, str]]:
    """{what: its last row} of one benchmark on the device that it ran on last."""
    found = [row for row in table if row["benchmark"] == benchmark]
    return {row["what"]: row for row in found if row["device"] == found[-1]["device"]}


def by_case(steps: dict[str, dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    """{case: {way: row}} from rows called "case: way"."""
    cases: dict[str, dict[str, dict[str, str]]] = {}
    for what, row in steps.items():
        case, way = what.split(": ")
        cases.setdefault(case, {})[way] = row
    return cases


def draw(cases: dict[str, dict[str, dict[str, str]]], path: Path) -> None:
    """One panel a case: a bar for the images a second of each way."""
    figure, panels = plt.subplots(
        len(cases), figsize=(8, 0.25 * sum(map(len, cases.values())) + len(cases)),
        height_ratios=[len(ways) + 1 for ways in cases.values()],
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for panel, (case, ways) in zip(panels[:, 0], cases.items(), strict=True):
        ordered = sorted(ways, key=lambda way: -float(ways[way]["value"]))
        speeds = [1000 / float(ways[way]["value"]) for way in ordered]
        colours = [
            next(c for start, c in COLOURS.items() if way.startswith(start))
            for way in ordered
        ]
        panel.barh(ordered, speeds, color=colours)
        panel.set_title(case, loc="left", fontsize=10)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel("steps a second")
    figure.savefig(path, dpi=110)


def write(cases, ratios, path: Path) -> None:
    """Tables of steps and ratios, in Markdown."""
    first = next(iter(next(iter(cases.values())).values()))
    lines = [
        "# How fast a training step is",
        "",
        "Written by `python benchmarks/page.py` from `results.csv`. "
        f"`{first['command']}` "
        f"measured it on {first['device']} ({first['versions']}, {first['date']}). The "
        "head of `bench.py` says how.",
        "",
        "![Steps a second of each way of training, one panel a model.](speed.png)",
        "",
        "| model | way | ms a step | middle half, images/s, GFLOP/s, memory, ... |",
        "|---|---|---|---|",
    ]
    for case, ways in cases.items():
        for way, row in sorted(ways.items(), key=lambda item: float(item[1]["value"])):
            lines.append(f"| {case} | {way} | {row['value']} | {row['note']} |")
    lines += [
        "",
        "Ratios of times inside a round; below 1 ours is the faster one.",
        "",
        "| ratio | median | middle half |",
        "|---|---|---|",
    ]
    for what, row in ratios.items():
        lines.append(f"| {what} | {row['value']} | {row['note']} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    table = rows()
    steps, ratios = newest(table, "bench"), newest(table, "bench ratio")
    cases = by_case(steps)
    draw(cases, HERE / "speed.png")
    write(cases, ratios, HERE / "speed.md")


if __name__ == "__main__":
    main()
