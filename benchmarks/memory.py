"""What a training step needs: model x resolution x batch -> memory, and two cures.

    python benchmarks/memory.py
    python benchmarks/memory.py --models DCGAN CycleGAN     (some of them)
    python benchmarks/memory.py --models          (none: the page of what is recorded)
    python benchmarks/memory.py --no-record                 (prints, keeps nothing)

The networks at their published width, in float32, each case in a process of its own:
as it is, in 4 slices (`accumulate=4`), with maps computed again (`rematerialize=True`),
and both. Measured is the most memory the process ever held minus what it held before
its first step, which has every penalty in it; with what a checkpoint holds (weights,
moments, averages) it is what a device must have. Cases above a limit are cut off.

Writes the table, `memory.md`, and a figure with the 16 GB of a T4. This is the memory
of a CPU. On a GPU maps in float16 take half, but convolutions ask for workspaces, the
allocator keeps what it once had, and the system takes some of the 16 GB for itself.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import peak_memory

T4 = 16.0  # GB
FIGURE = Path(__file__).with_name("memory.png")

# Name -> module of gan_lib.models, settings.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "DCGAN": ("dcgan", {"recipe": "radford2015"}),
    "pix2pix": ("pix2pix", {}),
    "CycleGAN": ("cyclegan", {}),
    "U-GAT-IT light": ("ugatit", {}),
    "StyleGAN2": ("stylegan2", {}),
    "BigGAN": ("biggan", {"width": 64, "attention": None}),
}
# Model, side in px, images in a batch.
CASES = (
    *(("DCGAN", 64, batch) for batch in (64, 256)),
    *(("pix2pix", size, batch) for size, batch in ((64, 16), (128, 16))),
    *(("pix2pix", 256, batch) for batch in (1, 4, 16)),
    *(("CycleGAN", size, batch) for size, batch in ((64, 4), (128, 4), (256, 1))),
    *(("U-GAT-IT light", size, batch) for size, batch in ((64, 4), (128, 4), (256, 1))),
    *(("StyleGAN2", size, 16) for size in (64, 128)),
    *(("BigGAN", size, batch) for size, batch in ((32, 256), (64, 64))),
)
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "4 slices": {"accumulate": 4},
    "rematerialized": {"rematerialize": True},
    "both": {"accumulate": 4, "rematerialize": True},
}


def measure(model: str, size: int, batch: int, way: str, limit: float):
    """In this process, which may not hold more than `limit` GB."""
    import tensorflow as tf

    most = int(limit * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    module, settings = MODELS[model]
    build = getattr(importlib.import_module(f"gan_lib.models.{module}"), module)
    gan = build(image_size=size, dtype="float32", **settings, **WAYS[way])
    random = np.random.default_rng(0)

    def fill(name):
        if name == "labels":
            return tf.constant(random.integers(0, gan.num_classes, batch))
        images = random.uniform(-1, 1, (batch, size, size, 3))
        return tf.constant(images.astype("float32"))

    batches = tuple(map(fill, gan.batch_names))
    return peak_memory.of_steps(gan, batches if batches[1:] else batches[0], 0)


def title(case: tuple, way: str) -> str:
    """Under which a result stands in the table of all benchmarks."""
    return "{} {} px, batch {}, {}".format(*case, way)


def measure_all(cases, limit: float, keep: bool) -> dict[tuple, dict[str, float]]:
    """{(model, size, batch): {way: MB}}; "state" is a way too, infinite the cut off."""
    from record import record

    table: dict[tuple, dict[str, float]] = {case: {} for case in cases}
    for case, row in table.items():
        for way, settings in WAYS.items():
            if case[2] % settings.get("accumulate", 1):
                continue
            what = title(case, way)
            try:
                found = peak_memory.in_own_process(__file__, (*case, way, limit))
            except MemoryError:
                print(f"{what}: above {limit:g} GB", flush=True)
                row[way] = np.inf
                continue
            row["state"], row[way] = found["state"], found["memory"]
            note = f"float32; a checkpoint holds {found['state']:.0f} MB"
            record("memory", what, found["memory"], "MB", note, keep)
    return table


def recorded() -> dict[tuple, dict[str, float]]:
    """As `measure_all`, of the newest results in the table of all benchmarks."""
    from record import rows

    found = {row["what"]: row for row in rows() if row["benchmark"] == "memory"}
    table: dict[tuple, dict[str, float]] = {}
    for case in CASES:
        for way in WAYS:
            row = found.get(title(case, way))
            if row:
                state = float(row["note"].split()[-2])
                table.setdefault(case, {}).update(
                    {"state": state, way: float(row["value"])}
                )
    return table


def total(row: dict[str, float], way: str) -> float:
    """GB that a device must have, NaN where nothing was measured."""
    return (row.get(way, np.nan) + row.get("state", np.nan)) / 1000


def lines(table, limit: float):
    """Of a table in Markdown, GB in all."""
    yield f"| model | px | batch | weights, moments | {' | '.join(WAYS)} |"
    yield "|---|--:|--:|--:|" + "--:|" * len(WAYS)
    for (model, size, batch), row in table.items():
        cells = [f"{row.get('state', np.nan) / 1000:.2f}"]
        for way in WAYS:
            if row.get(way) == np.inf:
                cells.append(f"above {limit:g}")
            else:
                value = total(row, way)
                cells.append("" if np.isnan(value) else f"{value:.2f}")
        yield f"| {model} | {size} | {batch} | {' | '.join(cells)} |"


def write(text: str) -> None:
    """The page, beside the figure."""
    from record import rows

    newest = [row for row in rows() if row["benchmark"] == "memory"][-1]
    FIGURE.with_suffix(".md").write_text(
        "# What a training step needs\n\n"
        "Written by `benchmarks/memory.py` from `results.csv`; its newest row is of "
        f"`{newest['command']}` on {newest['device']} ({newest['versions']}, "
        f"{newest['date']}). An empty cell was not measured, or its batch does not "
        "fall into slices. GB: weights, moments, averages "
        "and the most that a step holds beside them, float32, networks at their "
        "published width. On a GPU maps in 16 bits take half, and convolutions want "
        "room to work in; none was tried."
        "\n\n![GB of each case on a logarithmic axis, a mark for each way, and a "
        f"dashed line at a T4's 16 GB.]({FIGURE.name})\n\n{text}\n",
        encoding="utf-8",
    )


def draw(table) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        figsize=(8, 1.5 + 0.24 * len(table)), layout="constrained"
    )
    rows = np.arange(len(table))
    markers = dict(zip(WAYS, "os^D", strict=True))
    for way, marker in markers.items():
        values = [total(row, way) for row in table.values()]
        values = [x if np.isfinite(x) else np.nan for x in values]
        axes.plot(values, rows, marker, label=way, alpha=0.8)
    axes.axvline(T4, color="black", linestyle="--")
    place = {"xytext": (-3, -4), "textcoords": "offset points"}
    top = axes.get_xaxis_transform()
    axes.annotate("T4, 16 GB", (T4, 1), xycoords=top, ha="right", va="top", **place)
    axes.set_yticks(rows, [f"{m}, {s} px, batch {b}" for m, s, b in table])
    axes.set(xscale="log", xlabel="GB: weights, moments and a step, float32, on a CPU")
    axes.invert_yaxis()
    axes.grid(axis="both", alpha=0.3)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=len(WAYS))
    figure.savefig(FIGURE, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", choices=MODELS, default=[*MODELS])
    parser.add_argument("--limit", type=float, default=20.0, help="GB a case may take")
    parser.add_argument("--no-record", action="store_true", help="only print")
    parser.add_argument("--only", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        model, size, batch, way, limit = arguments.only
        print(json.dumps(measure(model, int(size), int(batch), way, float(limit))))
        return
    cases = [case for case in CASES if case[0] in arguments.models]
    table = measure_all(cases, arguments.limit, not arguments.no_record)
    print("\n".join(lines(table, arguments.limit)))
    if not arguments.no_record:
        table = recorded() | {case: row for case, row in table.items() if row}
        draw(table)
        write("\n".join(lines(table, arguments.limit)))


if __name__ == "__main__":
    main()
