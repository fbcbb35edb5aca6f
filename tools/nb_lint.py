"""Check notebooks against the lesson template that STYLE.md describes.

    python tools/nb_lint.py                # all sources and all built notebooks
    python tools/nb_lint.py some.ipynb     # one file

One line for each problem: file, cell number, what was expected. Exit code 1 if any.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from badges import ROOT, Fork, read_setting
from lesson import SECTIONS, Block, Lesson, count_words, makes_figure
from nbformat import NotebookNode
from notebook_outputs import has_alt_text, is_figure
from notebook_source import SourceError, read, student, without_markers

MAX_BYTES = 1_000_000
MAX_CODE_LINES = 25
MAX_WORDS = 120
COLAB = "https://colab.research.google.com/github/"
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~}-])(/(?:root|home|work|tmp|Users|mnt|var|opt|private)/[\w.-]+"
    r"|[A-Z]:\\\\?[A-Za-z])"
)
Problem = tuple[int, str]  # cell number from 1 (0: the whole file), what is wrong


def check_sections(lesson: Lesson) -> Iterator[Problem]:
    """All sections of the template are there, in its order."""
    before, last = "", -1
    for name, _ in SECTIONS:
        if name not in lesson.sections:
            yield 0, f"no section '## {name}'"
        elif (here := lesson.sections[name]) < last:
            cell = lesson.blocks[here].cell
            yield cell, f"'## {name}' must come after '## {before}'"
        else:
            before, last = name, here
    setup, train = (lesson.sections.get(name) for name in ("Setup", "Train"))
    if setup is not None and train is not None:
        between = lesson.blocks[setup + 1 : train]
        if not any(block.level == 2 for block in between):
            cell = lesson.blocks[train].cell
            yield cell, "no building section ('## ...') between Setup and Train"


def check_opening(lesson: Lesson) -> Iterator[Problem]:
    """Title, a time box (device, minutes, memory) and three or four goals."""
    goals = lesson.sections.get("What you will be able to do", len(lesson.blocks))
    opening = text_of(lesson.blocks[:goals])
    if not re.match(r"# \S", opening):
        yield 1, "the first cell must begin with the title, '# ...'"
    wanted = {
        "device (CPU)": r"\bCPU\b",
        "minutes": r"\bmin(utes?)?\b",
        "memory (GB)": r"\b[GM]i?B\b",
    }
    for name, pattern in wanted.items():
        if not re.search(pattern, opening):
            yield 1, f"the time box before the first section names no {name}"
    if goals < len(lesson.blocks):
        text = text_of(lesson.until_heading(goals))
        count = len(re.findall(r"^ *(?:[-*]|\d+\.) ", text, re.MULTILINE))
        if not 3 <= count <= 4:
            cell = lesson.blocks[goals].cell
            yield cell, f"list 3 or 4 things a reader will be able to do, not {count}"


def check_parameters(lesson: Lesson) -> Iterator[Problem]:
    """One cell tagged `parameters` sets PROFILE = "auto"."""
    tagged = [
        (i, cell)
        for i, cell in enumerate(lesson.cells)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    if len(tagged) != 1:
        yield 0, f"expected one cell tagged `parameters`, found {len(tagged)}"
    for i, cell in tagged:
        if not re.search(r'^PROFILE = "auto"', cell.source, re.MULTILINE):
            yield i + 1, 'the parameters cell must contain PROFILE = "auto"'


def check_predictions(lesson: Lesson) -> Iterator[Problem]:
    """At least three questions to answer before the result is shown."""
    count = text_of(lesson.blocks).count("**Predict")
    if count < 3:
        yield 0, f"expected at least 3 '**Predict**' questions, found {count}"


def check_exercises(lesson: Lesson) -> Iterator[Problem]:
    """At least two 'Your turn' headings, each with a hint and a check."""
    starts = [
        i
        for i, block in enumerate(lesson.blocks)
        if re.search(r"your turn", block.heading, re.I)
    ]
    if len(starts) < 2:
        yield 0, f"expected at least 2 'Your turn' exercises, found {len(starts)}"
    for start in starts:
        cell, exercise = lesson.blocks[start].cell, lesson.until_heading(start)
        if not re.search(r"<details>|\bhint\b", text_of(exercise), re.I):
            yield cell, "this exercise has no hint (<details>)"
        if not any("checks." in b.source for b in exercise if b.kind == "code"):
            yield cell, "this exercise has no check (a cell that calls checks.…)"


def check_summary(lesson: Lesson) -> Iterator[Problem]:
    """The end says where we differ from the paper, gives references, leads on."""
    start = lesson.sections.get("Summary")
    if start is None:
        return
    text = text_of(lesson.blocks[start:])
    for name, pattern in {
        "where we differ from the paper": r"\bdiffer",
        "references with a link": r"(?s)reference.*(arxiv|https?://|doi)",
        "the next notebook": r"\bnext\b",
    }.items():
        if not re.search(pattern, text, re.I):
            yield lesson.blocks[start].cell, f"the summary does not give {name}"


def check_lengths(lesson: Lesson) -> Iterator[Problem]:
    """Code cells fit on a screen; texts of the building part are short."""
    first = lesson.sections.get("Setup", 0)
    build = lesson.blocks[first : lesson.sections.get("Train")]
    texts = {block.cell for block in build if block.kind == "markdown"}
    for number, cell in enumerate(lesson.cells, 1):
        if cell.cell_type == "code":
            lines = without_markers(cell.source).count("\n") + 1
            if lines > MAX_CODE_LINES:
                yield number, f"{lines} lines of code, at most {MAX_CODE_LINES}"
        elif number in texts:
            words = sum(count_words(b.source) for b in build if b.cell == number)
            if words > MAX_WORDS:
                yield number, f"{words} words, at most {MAX_WORDS} while building"


def check_alt_texts(lesson: Lesson) -> Iterator[Problem]:
    """Whoever cannot see a figure is told what it shows."""
    executed = any(c.get("outputs") for c in lesson.cells)
    for i, cell in enumerate(lesson.cells):
        if cell.cell_type == "markdown":
            if re.search(r"!\[\s*\]\(|<img(?![^>]*\balt=)", cell.source):
                yield i + 1, "an image without alt text"
            continue
        figures = filter(is_figure, cell.get("outputs", []))
        silent = any(not has_alt_text(output) for output in figures)
        if not executed:
            silent = makes_figure(cell.source) and not cell.metadata.get("alt")
        if silent:
            yield i + 1, 'it draws a figure: say what to see, `# %% alt="..."`'


def check_machine_paths(lesson: Lesson) -> Iterator[Problem]:
    """Nothing points into the file system of one machine."""
    for i, cell in enumerate(lesson.cells):
        texts = [cell.source]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts += [output.get("text", "")]
            texts += [str(v) for k, v in data.items() if k.startswith("text/")]
        for text in texts:
            # Embedded pictures are long and may look like anything.
            found = MACHINE_PATH.search(re.sub(r"base64,[\w+/=]+", "", text))
            if found:
                yield (
                    i + 1,
                    f"absolute path {found[1]!r}: use one relative to the project",
                )


def check_errors(lesson: Lesson) -> Iterator[Problem]:
    """No stored output is an error."""
    for i, cell in enumerate(lesson.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield i + 1, f"the output is an error: {output.ename}: {output.evalue}"


EVERYWHERE = (check_machine_paths, check_errors, check_lengths)
LESSON_ONLY: tuple[Callable[[Lesson], Iterator[Problem]], ...] = (
    check_sections,
    check_opening,
    check_parameters,
    check_predictions,
    check_exercises,
    check_summary,
    check_alt_texts,
)


def text_of(blocks: list[Block]) -> str:
    """The Markdown of some blocks as one text."""
    return "\n".join(block.source for block in blocks if block.kind == "markdown")


def check_badge(cells: list[NotebookNode], path: Path, fork: Fork) -> Iterator[Problem]:
    """The Colab badge opens this very file in this very fork."""
    parts = path.with_suffix(".ipynb").parts
    inside = "/".join(p for p in parts[parts.index("notebooks") :] if p != "src")
    wanted = f"{COLAB}{fork.repository}/blob/{fork.branch}/{inside}"
    links = [
        (i, link)
        for i, cell in enumerate(cells)
        if cell.cell_type == "markdown"
        for link in re.findall(re.escape(COLAB) + r"[^\s)\"']+", cell.source)
    ]
    start = f"{COLAB}{fork.repository}/blob/{fork.branch}/"
    for i, link in links:
        if not link.startswith(start):
            yield (
                i + 1,
                f"{link} is not in {fork.repository}@{fork.branch}: make badges",
            )
    if not any(i == 0 and link == wanted for i, link in links):
        yield 1, f"the badge in the first cell must open {wanted}"


def lint(path: Path, fork: Fork) -> list[str]:
    """Every problem of one source or notebook, as 'file, cell n: what'."""
    try:
        notebook = read(path)
        if path.suffix == ".py":
            student(notebook)
    except SourceError as error:
        return [str(error)]
    lesson = Lesson(notebook.cells)
    rules = EVERYWHERE if path.parent.name == "solutions" else EVERYWHERE + LESSON_ONLY
    problems = [problem for rule in rules for problem in rule(lesson)]
    problems += check_badge(notebook.cells, path.resolve(), fork)
    if path.suffix == ".ipynb" and path.stat().st_size > MAX_BYTES:
        size = path.stat().st_size
        problems.append((0, f"the file has {size:,} bytes, at most {MAX_BYTES:,}"))
    return [
        f"{path.parent.name}/{path.name}, {f'cell {n}' if n else 'whole file'}: {text}"
        for n, text in sorted(problems)
    ]


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path)
    args = parser.parse_args(argv)
    globs = ("src/[0-9]*.py", "*.ipynb", "solutions/*.ipynb")
    paths = args.paths or [
        p for g in globs for p in sorted((ROOT / "notebooks").glob(g))
    ]
    problems = [line for path in paths for line in lint(path, read_setting())]
    print(*problems, f"{len(paths)} file(s), {len(problems)} problem(s)", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
