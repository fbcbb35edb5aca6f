"""The parts of a lesson notebook: its sections, its words, its figures."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from nbformat import NotebookNode

# Level-two headings in the order of the lesson: name, and what the heading contains.
SECTIONS = (
    ("What you will be able to do", r"able to"),
    ("Before you start", r"before you start"),
    ("What you should see", r"should see"),
    ("Setup", r"\bset ?up\b"),
    ("Train", r"\btrain"),
    ("Look", r"\blook"),
    ("Change one thing", r"change one thing"),
    ("Break it", r"break it"),
    ("Use your own images", r"your own images"),
    ("Resume", r"resum"),
    ("Summary", r"summary"),
)
FIGURE_CALLS = {"show", "imshow", "Image", "Video"}
# Functions of gan_lib.plot that show nothing, or take the alt text themselves.
NO_FIGURE = {"animate", "animation", "colour_labels", "save_grid", "table", "tile"}


class Block(NamedTuple):
    """A code cell, or a piece of Markdown that begins at a heading or a cell."""

    cell: int  # number in the notebook, from 1
    kind: str  # "code" or "markdown"
    level: int  # of the heading it begins with, 0 if there is none
    heading: str
    source: str


class Lesson:
    """A notebook cut at its headings, with the positions of its sections."""

    def __init__(self, cells: list[NotebookNode]) -> None:
        self.cells = cells
        self.blocks = [b for n, cell in enumerate(cells, 1) for b in _blocks(n, cell)]
        self.sections: dict[str, int] = {}  # section name -> index into blocks
        for name, pattern in SECTIONS:
            for i, block in enumerate(self.blocks):
                if block.level == 2 and re.search(pattern, block.heading, re.I):
                    self.sections.setdefault(name, i)

    def until_heading(self, start: int) -> list[Block]:
        """The blocks from `start` to before the next heading."""
        later = range(start + 1, len(self.blocks))
        stops = (i for i in later if self.blocks[i].level)
        return self.blocks[start : next(stops, None)]


def _blocks(number: int, cell: NotebookNode) -> list[Block]:
    if cell.cell_type != "markdown":
        return [Block(number, cell.cell_type, 0, "", cell.source)]
    found = []
    for piece in re.split(r"^(?=#{1,6} )", cell.source, flags=re.MULTILINE):
        heading = re.match(r"(#{1,6}) +(.+)", piece)
        level, text = (len(heading[1]), heading[2]) if heading else (0, "")
        if piece.strip():
            found.append(Block(number, "markdown", level, text, piece))
    return found


def count_words(markdown: str) -> int:
    """Words a reader reads: no code blocks, equations, links' targets or tags."""
    for pattern in (
        r"(?s)```.*?```",
        r"(?s)\$\$.*?\$\$",
        r"\$[^$\n]+\$",
        r"\]\([^)]*\)",
        r"<[^>]+>",
        r"https?://\S+",
    ):
        markdown = re.sub(pattern, " ", markdown)
    return len(re.findall(r"\w[\w'’.-]*", markdown))


def makes_figure(source: str) -> bool:
    """True if code that runs at the top of the cell draws (functions aside)."""
    plain = re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)
    try:
        nodes: list[ast.AST] = list(ast.parse(plain).body)
    except SyntaxError:
        return False
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            module, _, function = name.rpartition(".")
            if module == "plot" and function not in NO_FIGURE:
                return True
            if function in FIGURE_CALLS:
                return True
        nodes += ast.iter_child_nodes(node)
    return False
