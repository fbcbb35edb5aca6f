"""Appending what a benchmark found to `results.csv`."""

from __future__ import annotations

import csv
import datetime
import os
import platform
import sys
from pathlib import Path

RESULTS = Path(__file__).with_name("results.csv")
COLUMNS = (
    "date", "benchmark", "what", "value", "unit", "note", "device", "versions",
    "command",
)  # fmt: skip


def rows(path: Path = RESULTS) -> list[dict[str, str]]:
    """All that was ever recorded, oldest first."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def record(
    benchmark: str, what: str, value: float, unit: str, note: str = "", keep=True
) -> None:
    """Print one result and add it to the table, with device, versions, command.

    keep: False: only print.
    """
    print(f"{what}: {value:.5g} {unit} {note}".rstrip(), flush=True)
    if not keep:
        return
    import keras
    import tensorflow as tf

    row = {
        "date": datetime.date.today().isoformat(),
        "benchmark": benchmark,
        "what": what,
        "value": f"{value:.5g}",
        "unit": unit,
        "note": note,
        "device": device(),
        "versions": f"Python {platform.python_version()}, TF {tf.__version__}, "
        f"Keras {keras.__version__}",
        "command": "python benchmarks/"
        + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def device() -> str:
    """The processor or graphics card TensorFlow computes on."""
    import tensorflow as tf

    from gan_lib import cpu

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0])["device_name"]
    amx = ", AMX" if "amx_bf16" in cpu.flags() else ""
    return f"{os.cpu_count()} cores {cpu.name()}{amx}"
