"""The parts of a lesson notebook: its sections, its words, its figures."""

from __future__ import annotations

import ast
import re

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
Cells = list[NotebookNode]


class Lesson:
    """A notebook with the positions of its sections."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.headings = [
            (i, len(m[1]), m[2])
            for i, cell in enumerate(cells)
            if cell.cell_type == "markdown"
            for m in re.finditer(r"^(#{1,6}) +(.+)$", cell.source, re.MULTILINE)
        ]
        self.sections: dict[str, int] = {}
        for name, pattern in SECTIONS:
            for i, level, text in self.headings:
                if level == 2 and re.search(pattern, text, re.I):
                    self.sections.setdefault(name, i)

    def text(self, first: int = 0, last: int | None = None) -> str:
        """Markdown of the cells `first` to before `last`."""
        chosen = self.cells[first:last]
        return "\n".join(c.source for c in chosen if c.cell_type == "markdown")


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
            draws = name.startswith("plot.") and not name.startswith("plot.save")
            if draws or name.split(".")[-1] in FIGURE_CALLS:
                return True
        nodes += ast.iter_child_nodes(node)
    return False
