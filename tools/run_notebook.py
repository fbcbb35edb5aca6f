"""Run a notebook from top to bottom, with a progress bar, and keep it as a web page.

    python tools/run_notebook.py notebooks/src/01_dcgan_anime_faces.py --profile cpu

leaves runs/01_dcgan_anime_faces/notebook.html, beside what the notebook itself saves.
The exit code is 0 only if every cell ran.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbformat import NotebookNode
from notebook_html import export
from notebook_outputs import ANSI
from notebook_source import read, solved, student
from tqdm.auto import tqdm

ROOT = Path(__file__).resolve().parents[1]
# Longest time for one cell in seconds; None waits for ever (a GPU run takes hours).
CELL_TIMEOUT = {"smoke": 300, "cpu": 1800, "gpu": None}


class Progress:
    """Cells done, the section we are in and the last line the notebook printed.

    On a terminal a bar; elsewhere (CI logs) one line for each section and, at most
    every 20 seconds, the latest line of output.
    """

    def __init__(self, notebook: NotebookNode) -> None:
        cells = [
            c for c in notebook.cells if c.cell_type == "code" and c.source.strip()
        ]
        self.section, self.cell_number, self._spoke = "", 0, time.monotonic()
        self.is_terminal = sys.stderr.isatty()
        self.bar = tqdm(
            total=len(cells),
            unit="cell",
            dynamic_ncols=True,
            disable=not self.is_terminal,
            bar_format="{n_fmt}/{total_fmt} cells |{bar:20}| {elapsed}{postfix}",
        )

    def start_cell(self, cell: NotebookNode, cell_index: int) -> None:
        """A cell begins: remember its number and, in Markdown, the heading."""
        self.cell_number = cell_index + 1
        heading = re.search(r"^#{1,3} (.+)$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and heading:
            self.section = heading[1].strip()
            self._show("")
            if not self.is_terminal:
                print(f"cell {self.cell_number}: {self.section}", flush=True)

    def finish_cell(self, **_) -> None:
        """A code cell has run."""
        self.bar.update()

    def hear(self, text: str) -> None:
        """The notebook printed `text`: show its last line."""
        lines = [
            line for line in re.split(r"[\r\n]+", ANSI.sub("", text)) if line.strip()
        ]
        if lines:
            self._show(lines[-1].strip())

    def _show(self, line: str) -> None:
        self.bar.set_postfix_str(" | ".join(filter(None, (self.section, line))))
        if line and not self.is_terminal and time.monotonic() - self._spoke > 20:
            self._spoke = time.monotonic()
            print(f"    {line}", flush=True)


class Client(NotebookClient):
    """nbclient that lets a Progress hear what the cells print."""

    def __init__(self, notebook: NotebookNode, progress: Progress, **options) -> None:
        super().__init__(
            notebook,
            on_notebook_start=self._stop_on_interrupt,
            on_cell_start=progress.start_cell,
            on_cell_executed=progress.finish_cell,
            **options,
        )
        self.progress = progress

    def create_kernel_manager(self) -> AsyncKernelManager:
        """A kernel of this very interpreter, whatever is registered on the machine."""
        # Without kernel directories only the native kernel remains.
        specs = KernelSpecManager(kernel_dirs=[])
        self.km = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
        return self.km

    def _stop_on_interrupt(self, **_) -> None:
        """Ctrl-C interrupts the running cell; nbclient's own handler would hang."""

        def interrupt() -> None:
            self.interrupting = asyncio.ensure_future(self.km.interrupt_kernel())

        with contextlib.suppress(NotImplementedError):  # Windows
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, interrupt)

    def process_message(self, msg, cell, cell_index):
        """Handle a message of the kernel, listening to its text."""
        if msg["msg_type"] == "stream":
            self.progress.hear(msg["content"]["text"])
        return super().process_message(msg, cell, cell_index)


def execute(
    notebook: NotebookNode,
    profile: str,
    runs: Path,
    *,
    cwd: Path = ROOT,
    timeout: int | None = None,
) -> str | None:
    """Run all cells in place; return None, or in plain words what stopped it.

    Args:
        notebook: changed in place: outputs are filled up to where it stopped.
        profile: "smoke", "cpu" or "gpu"; the kernel sees it as GAN_PROFILE.
        runs: where the notebook leaves its results; the kernel sees it as GAN_RUNS.
        cwd: working directory of the kernel.
        timeout: seconds for one cell; by default what suits the profile.
    """
    environment = os.environ | {
        "GAN_PROFILE": profile,
        "GAN_RUNS": str(runs.resolve()),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }
    progress = Progress(notebook)
    client = Client(
        notebook,
        progress,
        timeout=timeout or CELL_TIMEOUT[profile],
        resources={"metadata": {"path": str(cwd)}},
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        reason = f"{error.ename}: {error.evalue}"
        trace = ANSI.sub("", error.traceback)
    except CellTimeoutError:
        reason = f"it ran for more than {client.timeout} seconds"
        trace = "Raise the limit with --timeout, or choose a smaller --profile."
    except DeadKernelError:
        reason = "the Python process behind the notebook died"
        trace = "Most often the machine ran out of memory: try --profile smoke."
    else:
        return None
    finally:
        progress.bar.close()
    cell = notebook.cells[progress.cell_number - 1]
    lines = cell.source.splitlines()
    listing = "\n".join(f"{n:4} | {line}" for n, line in enumerate(lines, 1))
    return (
        f"Cell {progress.cell_number} (section {progress.section!r}) stopped: "
        f"{reason}\n{listing}\n\n{trace}"
    )


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path, help="a .py source or an .ipynb")
    parser.add_argument("--profile", choices=CELL_TIMEOUT, default="cpu")
    parser.add_argument(
        "--solved", action="store_true", help="run a source with its solutions"
    )
    parser.add_argument(
        "--runs", type=Path, help="folder for results (default: $GAN_RUNS or runs)"
    )
    parser.add_argument("--timeout", type=int, help="seconds for one cell")
    args = parser.parse_args(argv)
    # A smoke run must not leave checkpoints that a real run would continue from.
    default = ROOT / "runs" / ("smoke" if args.profile == "smoke" else "")
    runs = args.runs or Path(os.environ.get("GAN_RUNS") or default)
    notebook = read(args.notebook)
    if args.notebook.suffix == ".py":
        notebook = solved(notebook) if args.solved else student(notebook)
    start = time.monotonic()
    stopped = execute(notebook, args.profile, runs, timeout=args.timeout)
    page = runs / args.notebook.stem / "notebook.html"
    export(notebook, page, title=args.notebook.stem)
    if stopped:
        print(f"\n{stopped}\n\nWhat ran until then: {page}", file=sys.stderr)
        return 1
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    print(f"All cells ran in {minutes} min {seconds} s. Open {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
