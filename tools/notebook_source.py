"""Turn a percent-format source into the student and the solved notebook.

Short tags in a cell's header stand for nbgrader's metadata (schema 3):
`# %% solution="name"` is an answer cell, `# %% tests="name" points=2` a graded check.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
from pathlib import Path

import jupytext
import nbformat
from badges import Fork, rewrite
from nbformat import NotebookNode

KEPT_METADATA = ("alt", "nbgrader", "tags")
NOTEBOOK_METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": [], "toc_visible": True},
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
NEUTRAL = Fork("owner/name", "main")
MARKER = re.compile(r"^\s*### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\s*$")


class SourceError(ValueError):
    """A notebook source that cannot be built; the message names file and cell."""


def read(path: Path) -> NotebookNode:
    """The notebook in `path` (percent source or .ipynb).

    In a source short tags are expanded and pictures of `../figures` attached.
    """
    if path.suffix == ".ipynb":
        return nbformat.read(path, as_version=4)
    notebook = jupytext.read(path, fmt="py:percent")
    seen: set[str] = set()
    for number, cell in enumerate(notebook.cells, 1):
        try:
            _expand_tags(cell)
            if cell.cell_type == "markdown":
                _attach(cell, path.parent.parent / "figures")
            names = {name for _, name in _regions(cell.source)}
            grading = cell.metadata.get("nbgrader", {})
            if ("SOLUTION" in names) != bool(grading.get("solution")):
                raise SourceError(
                    "a cell with ### BEGIN SOLUTION needs the header "
                    '`# %% solution="name"`, and the reverse'
                )
            if "HIDDEN TESTS" in names and not grading.get("grade"):
                raise SourceError(
                    'hidden tests belong in a `# %% tests="name" points=1` cell'
                )
            if grading and grading["grade_id"] in seen:
                raise SourceError(f"grade_id {grading['grade_id']!r} is used twice")
            seen.add(grading.get("grade_id"))
        except SourceError as error:
            raise SourceError(f"{path.name}, cell {number}: {error}") from None
    return notebook


def student(notebook: NotebookNode) -> NotebookNode:
    """Copy for learners: solutions become stubs, hidden tests vanish."""
    return _finished(notebook, lambda source: _cut(source, stub=True))


def solved(notebook: NotebookNode) -> NotebookNode:
    """Copy for instructors: markers kept, as nbgrader's source notebooks want it."""
    notebook = _finished(notebook, lambda source: source)
    for cell in notebook.cells:
        cell.source = re.sub(
            r"(/blob/[\w.-]+/notebooks/)(\d)", r"\1solutions/\2", cell.source
        )
    return notebook


def cell_id(index: int, cell: NotebookNode) -> str:
    """Name of a cell: the same for the same place and text, whoever owns the fork."""
    text = f"{index}\n{cell.cell_type}\n{rewrite(cell.source, NEUTRAL)}"
    return hashlib.sha1(text.encode()).hexdigest()[:12]


def without_markers(source: str) -> str:
    """Solved code as a reader sees it: no marker lines, no hidden tests."""
    return _cut(source, stub=False)


def _finished(notebook: NotebookNode, change) -> NotebookNode:
    cells = []
    for index, original in enumerate(notebook.cells):
        metadata = {
            key: original.metadata[key]
            for key in KEPT_METADATA
            if key in original.metadata
        }
        make = getattr(nbformat.v4, f"new_{original.cell_type}_cell")
        cell = make(source=original.source, metadata=metadata)
        cell.id = cell_id(index, original)
        if cell.cell_type == "code":
            cell.source = change(original.source)
        if "attachments" in original:
            cell.attachments = original.attachments
        cells.append(cell)
    result = nbformat.v4.new_notebook(cells=cells, metadata=NOTEBOOK_METADATA)
    nbformat.validate(result)
    return result


def _attach(cell: NotebookNode, figures: Path) -> None:
    """Put pictures named `![alt text](attachment:NAME)` into their Markdown cell.

    A link would break where the notebook is opened without its folder, as in Colab.
    """
    for name in re.findall(r"\]\(attachment:([^)]+)\)", cell.source):
        path = figures / name
        if not path.exists():
            raise SourceError(f"{path} is missing; the cell wants it attached")
        kind = mimetypes.guess_type(name)[0]
        data = base64.b64encode(path.read_bytes()).decode()
        cell.setdefault("attachments", {})[name] = {kind: data}


def _expand_tags(cell: NotebookNode) -> None:
    short = {
        k: cell.metadata.pop(k) for k in ("solution", "tests") if k in cell.metadata
    }
    points = cell.metadata.pop("points", None)
    if not short:
        return
    if len(short) == 2:
        raise SourceError("a cell is either `solution=` or `tests=`, not both")
    if ("tests" in short) != (points is not None):
        raise SourceError("`tests=` needs `points=`, and only `tests=` has points")
    kind, name = next(iter(short.items()))
    cell.metadata["nbgrader"] = {
        "grade": kind == "tests",
        "grade_id": name,
        "locked": kind == "tests",
        "schema_version": 3,
        "solution": kind == "solution",
        "task": False,
    } | ({"points": points} if kind == "tests" else {})


def _regions(source: str) -> list[tuple[str, str]]:
    """Marker lines as (BEGIN or END, name); raises if they do not pair up."""
    found = [(m[1], m[2]) for m in map(MARKER.match, source.splitlines()) if m]
    for first, second in zip(found[::2], found[1::2] + [("", "")], strict=False):
        if (first[0], second[0], second[1]) != ("BEGIN", "END", first[1]):
            raise SourceError(
                f"### {' '.join(first)} is not closed by ### END {first[1]}"
            )
    return found


def _cut(source: str, *, stub: bool) -> str:
    """Drop hidden tests; replace each solution by a stub if `stub`."""
    lines: list[str] = []
    inside = ""
    for line in source.splitlines():
        marker = MARKER.match(line)
        if marker:
            inside = marker[2] if marker[1] == "BEGIN" else ""
            if stub and inside == "SOLUTION":
                lines += _stub(line[: len(line) - len(line.lstrip())])
        elif not inside or (inside == "SOLUTION" and not stub):
            lines.append(line)
    return "\n".join(lines).strip("\n")


def _stub(indent: str) -> list[str]:
    """What a learner finds: harmless at top level, a plain stop inside a function."""
    # A function that just returned None would fail later with a message about
    # something else; its check catches NotImplementedError and says what is open.
    body = 'raise NotImplementedError("your turn")' if indent else "..."
    return [f"{indent}# Your code here", f"{indent}{body}"]
