"""Build the student and the solved notebook of each source in notebooks/src.

python tools/build_notebooks.py                # text and code; outputs are kept
python tools/build_notebooks.py --execute cpu  # run the student notebooks as well
python tools/build_notebooks.py --check        # exit 1 if they differ from source
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import nbformat
import notebook_outputs
from badges import ROOT
from nbformat import NotebookNode
from notebook_source import NOTEBOOK_METADATA, SourceError, read, solved, student

MAX_OUTPUT_BYTES = 900_000  # leaves room for the text in a file of at most 1 MB


def build(source: Path) -> dict[Path, NotebookNode]:
    """Both notebooks of one source, without outputs, by the path they belong to."""
    folder = source.parent.parent
    notebook = read(source)
    name = f"{source.stem}.ipynb"
    return {
        folder / name: student(notebook),
        folder / "solutions" / name: solved(notebook),
    }


def keep_outputs(new: NotebookNode, old: NotebookNode) -> bool:
    """Carry outputs over if no code cell has changed; say whether it was so."""

    def code(notebook: NotebookNode) -> list[NotebookNode]:
        return [cell for cell in notebook.cells if cell.cell_type == "code"]

    if [c.source for c in code(new)] != [c.source for c in code(old)]:
        return False
    for cell, former in zip(code(new), code(old), strict=True):
        cell.outputs = former.outputs
        cell.execution_count = former.execution_count
        notebook_outputs.add_alt_texts(cell)
    return True


def run(notebook: NotebookNode, profile: str, root: Path) -> None:
    """Execute in place in a fresh results folder; store small, neutral outputs."""
    # Imported here: building and checking must not need a Jupyter kernel.
    from run_notebook import execute

    with tempfile.TemporaryDirectory() as runs:
        stopped = execute(notebook, profile, Path(runs), cwd=root)
    if stopped:
        raise SourceError(stopped)
    notebook.metadata = NotebookNode(NOTEBOOK_METADATA)  # nbclient adds versions
    neutral = {
        str(Path(runs).resolve()): "runs",
        str(root): ".",
        sys.prefix: ".venv",
        str(Path.home()): "~",
    }
    notebook_outputs.clean(notebook, neutral, MAX_OUTPUT_BYTES)


def difference(path: Path, built: NotebookNode) -> str | None:
    """How the file differs from what the source says, outputs aside; None if not."""
    if not path.exists():
        return "is missing"
    stored = nbformat.read(path, as_version=4)
    for cell in stored.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    for number, (old, new) in enumerate(
        zip(stored.cells, built.cells, strict=False), 1
    ):
        if old != new:
            keys = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
            return f"differs in cell {number} ({', '.join(keys)})"
    if len(stored.cells) != len(built.cells):
        return f"has {len(stored.cells)} cells, the source has {len(built.cells)}"
    return None if stored == built else "differs in the notebook's metadata"


def check(sources: list[Path], folder: Path) -> list[str]:
    """Every way in which the notebooks have drifted from `sources`."""
    built = {p: nb for source in sources for p, nb in build(source).items()}
    problems = [(p, difference(p, nb)) for p, nb in built.items()]
    stray = {*folder.glob("*.ipynb"), *folder.glob("solutions/*.ipynb")} - {*built}
    problems += [(path, "has no source") for path in sorted(stray)]
    return [f"{path.relative_to(folder)} {text}" for path, text in problems if text]


def write(path: Path, notebook: NotebookNode) -> None:
    """Write with sorted keys, so that equal notebooks are equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(notebook, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="such as 01; default: all")
    parser.add_argument("--execute", metavar="PROFILE", choices=("smoke", "cpu", "gpu"))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path, default=ROOT / "notebooks")
    args = parser.parse_args(argv)
    folder = args.folder.resolve()
    sources = sorted((folder / "src").glob("[0-9]*.py"))
    try:
        if args.check:
            problems = check(sources, folder)
            for problem in problems:
                print(f"{problem}: run `make notebooks`", file=sys.stderr)
            print(f"{len(sources)} source(s), {len(problems)} notebook(s) out of date")
            return 1 if problems else 0
        for source in sources:
            if not args.names or source.stem.startswith(tuple(args.names)):
                _build_one(source, args.execute, folder.parent)
    except (SourceError, ValueError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return 0


def _build_one(source: Path, profile: str | None, root: Path) -> None:
    for path, notebook in build(source).items():
        note = ""
        if path.parent.name != "solutions":
            if profile:
                run(notebook, profile, root)
                note = f", executed at {profile}"
            elif path.exists():
                old = nbformat.read(path, as_version=4)
                if not keep_outputs(notebook, old):
                    note = ", outputs dropped (the code changed): use --execute cpu"
        write(path, notebook)
        print(f"{path.relative_to(root)}{note}")


if __name__ == "__main__":
    sys.exit(main())
