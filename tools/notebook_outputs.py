"""Make the outputs stored in a notebook small, quiet and the same every time."""

from __future__ import annotations

import base64
import io
import re
from html import escape

from nbformat import NotebookNode
from PIL import Image

# What GitHub, Colab and nbconvert all show; the rest (widgets) is dropped.
KEPT_TYPES = (
    "text/html",
    "text/markdown",
    "text/latex",
    "text/plain",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/svg+xml",
)
RASTER = ("image/png", "image/jpeg")
# Rising pressure: (longest side in px, colours of a palette PNG, JPEG quality).
PRESSURE = (
    (1200, 256, 88),
    (1000, 128, 80),
    (800, 64, 70),
    (640, 48, 60),
    (560, 32, 45),
    (480, 24, 35),
)
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def clean(notebook: NotebookNode, paths: dict[str, str], max_bytes: int) -> None:
    """Tidy all outputs in place and press the images until they fit.

    Args:
        notebook: executed notebook; cells carry their figure texts in `alt`.
        paths: machine paths to replace, for instance {"/home/me/gan": "."}.
        max_bytes: limit for all output data together.
    Raises: ValueError if even the strongest compression does not fit.
    """
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.metadata.pop("execution", None)
        cell.outputs = [o for o in map(_quiet, cell.outputs) if o is not None]
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            _replace_text(output, paths)
        add_alt_texts(cell)
    originals = [(o, dict(o.data)) for o in _outputs(notebook) if "data" in o]
    for level in PRESSURE:
        for output, data in originals:
            output.data = _pressed(output, data, level)
        if size(notebook) <= max_bytes:
            return
    raise ValueError(
        f"outputs are {size(notebook):,} bytes after the strongest compression, "
        f"the limit is {max_bytes:,}: show fewer or smaller figures"
    )


def size(notebook: NotebookNode) -> int:
    """Bytes of all output data and text."""
    return sum(
        len(str(value))
        for output in _outputs(notebook)
        for value in [output.get("text", ""), *output.get("data", {}).values()]
    )


def add_alt_texts(cell: NotebookNode) -> None:
    """Write the cell's `alt` (a text, or a list in order) onto its figures."""
    alt = cell.metadata.get("alt")
    if not alt:
        return
    texts = [alt] if isinstance(alt, str) else list(alt)
    figures = [o for o in cell.outputs if is_figure(o)]
    for position, output in enumerate(figures):
        text = texts[min(position, len(texts) - 1)]
        for kind in output.data:
            if kind.startswith("image/"):
                output.metadata.setdefault(kind, {})["alt"] = text
            elif kind == "text/html":
                output.data[kind] = re.sub(
                    r"<img(?![^>]*\balt=)",
                    f'<img alt="{escape(text)}"',
                    output.data[kind],
                )


def is_figure(output: NotebookNode) -> bool:
    """True if the output shows a picture."""
    data = output.get("data", {})
    return any(k.startswith("image/") for k in data) or "<img" in data.get(
        "text/html", ""
    )


def has_alt_text(output: NotebookNode) -> bool:
    """True if whoever cannot see the figure in `output` is told what it shows."""
    data, metadata = output.data, output.get("metadata", {})
    raster = [k for k in data if k.startswith("image/")]
    if raster:
        return all(metadata.get(kind, {}).get("alt") for kind in raster)
    return not re.search(r"<img(?![^>]*\balt=)", data["text/html"])


def _outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]


def _quiet(output: NotebookNode) -> NotebookNode | None:
    if output.output_type == "stream":
        # stderr holds progress bars and TensorFlow's log: different on each machine.
        if output.name == "stderr":
            return None
        lines = (line.rsplit("\r", 1)[-1] for line in output.text.split("\n"))
        output.text = ANSI.sub("", "\n".join(lines))
    elif "data" in output:
        output.data = {k: v for k, v in output.data.items() if k in KEPT_TYPES}
        if not output.data:
            return None
        if is_figure(output):
            output.data.pop("text/plain", None)
    return output


def _replace_text(output: NotebookNode, paths: dict[str, str]) -> None:
    def neutral(text: str) -> str:
        for old, new in sorted(paths.items(), key=lambda p: -len(p[0])):
            text = text.replace(old, new)
        return re.sub(r"\bat 0x[0-9a-f]+", "at 0x...", text)

    if output.output_type == "stream":
        output.text = neutral(output.text)
    for kind in output.get("data", {}):
        if kind.startswith("text/"):
            output.data[kind] = neutral(output.data[kind])


def _pressed(output: NotebookNode, data: dict, level: tuple[int, int, int]) -> dict:
    data = dict(data)
    kind = next((k for k in RASTER if k in data), None)
    if kind is None:
        return data
    blob = base64.b64decode(data.pop(kind))
    best, new_kind = min(
        [(blob, kind), *_encodings(blob, *level)], key=lambda option: len(option[0])
    )
    if new_kind != kind and kind in output.metadata:
        output.metadata[new_kind] = output.metadata.pop(kind)
    data[new_kind] = base64.b64encode(best).decode()
    return data


def _encodings(blob: bytes, side: int, colours: int, quality: int):
    image = Image.open(io.BytesIO(blob)).convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(paper, image).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    for kind, picture, options in (
        ("image/png", image.quantize(colours), {"optimize": True}),
        ("image/jpeg", image, {"quality": quality, "optimize": True}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, kind.removeprefix("image/"), **options)
        yield buffer.getvalue(), kind
