"""Draw in a notebook, and see the drawing coloured beside it.

The canvas is `wigglystuff.Paint`: pencil, marker and eraser with a width, colours,
undo and clear, made with anywidget, which also registers itself with Colab. It draws in
the browser and sends the sheet when the pen is lifted, so that drawing never waits for
Python, and a slow connection delays the colours, not the pen. (ipycanvas sends every
movement of the mouse to Python and back, and broke on Colab with several releases.)
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from data_prep.decode import Unusable
from gan_lib.demo.colouring import (
    colour_drawing,
    colour_sheet,
    enlarge,
    read_drawing,
    source_of,
)
from gan_lib.plot.images import rows
from gan_lib.plot.style import Picture

_WIDGET = "application/vnd.jupyter.widget-view+json"
_MOST_SHOWN = 6  # examples in the figure
_EMPTY = "an empty sheet"
INSTALL = (
    "To draw here yourself: run this notebook with Jupyter or Colab, with wigglystuff "
    "installed (pip install wigglystuff, then restart the kernel)."
)


def canvas(
    generate: Any,
    examples: np.ndarray | Sequence[np.ndarray] = (),
    *,
    side_px: int = 320,
    line_width: float = 1.0,
) -> Canvas | Picture:
    """A sheet to draw on, coloured at every stroke.

    Black draws lines; any other colour gives a hint, if the generator takes hints.
    Where nothing can be drawn (wigglystuff is not installed, or the notebook is only
    looked at), a figure of the examples and their colours stands in its place.

    Args:
        generate: a `Pix2Pix`, or a Keras generator as `load_generator` opens it.
        examples: line art to start from, uint8 (n, H, W, 1 or 3); also shown by the
            figure. Larger than the generator's pictures is better: about `side_px`.
        side_px: side of the sheet on the screen.
        line_width: see `colour_drawing`.
    Returns: something that a notebook shows when it is a cell's last line.
    Raises: see `source_of`; ValueError without examples where only they can be shown.
    """
    source_of(generate)
    try:
        # Both are for notebooks only, and the library works without.
        import ipywidgets  # noqa: F401
        import wigglystuff  # noqa: F401
    except ImportError:
        print(INSTALL)
        if not len(examples):
            raise ValueError(
                "Expected `examples`, line art (n, H, W, 1), to show instead of a "
                "canvas, because wigglystuff is not installed, but got none."
            ) from None
        return figure(generate, examples, line_width=line_width)
    return Canvas(generate, examples, side_px, line_width)


def figure(
    generate: Any, examples: np.ndarray | Sequence[np.ndarray], *, line_width: float = 1
) -> Picture:
    """Example sketches above their colours.

    Args: see `canvas`.
    """
    sketches = [np.asarray(enlarge(e, 128)) for e in examples[:_MOST_SHOWN]]
    colours = [
        colour_drawing(generate, example, line_width=line_width)
        for example in examples[:_MOST_SHOWN]
    ]
    return rows({"sketch": np.stack(sketches), "coloured": np.stack(colours)})


class Canvas:
    """The live sheet; made by `canvas`.

    Attributes:
        paint: the sheet, a `wigglystuff.Paint`.
        picture: the last coloured picture, uint8 (size, size, 3); None before it.
        message: what stands under the picture: nothing, or what to do.
    """

    def __init__(self, generate, examples, side_px: int, line_width: float):
        import ipywidgets as widgets
        from wigglystuff import Paint

        self._generate, self._examples = generate, examples
        self._line_width, self._side = line_width, side_px
        self._lines: np.ndarray | None = None
        self.picture: np.ndarray | None = None
        source = source_of(generate)
        self.paint = Paint(
            width=side_px, height=side_px, color_picker=source.takes_hints
        )
        self._shown = widgets.Image(format="png", width=side_px, height=side_px)
        self._text = widgets.Label()
        names = [_EMPTY, *(f"example {n}" for n in range(1, len(examples) + 1))]
        self._start = widgets.Dropdown(options=names, description="Start with")
        self._upload = widgets.FileUpload(accept="image/*", multiple=False)
        self.paint.observe(self._drawn, "base64")
        self._start.observe(self._started, "value")
        self._upload.observe(self._uploaded, "value")
        # Plain boxes: Colab's widgets are of an older version than JupyterLab's.
        self._view = widgets.VBox(
            [
                widgets.HBox([self._start, self._upload]),
                # The picture stands beside the sheet, not beside its tools.
                widgets.HBox(
                    [self.paint, self._shown],
                    layout=widgets.Layout(align_items="flex-end"),
                ),
                self._text,
            ]
        )
        self._show(None, "Draw a face, or start with an example.")
        if len(examples):
            self._start.value = names[1]

    @property
    def message(self) -> str:
        return self._text.value

    def _started(self, change) -> None:
        """Another example was chosen."""
        self._lines = None
        number = self._start.options.index(change["new"])
        if number:
            sheet = enlarge(self._examples[number - 1], self._side)
        else:
            sheet = Image.new("RGB", (self._side, self._side), "white")
        self.paint.replace_with_pil(sheet)

    def _uploaded(self, change) -> None:
        """A drawing was uploaded: it becomes the sheet, to go on from."""
        data = uploaded_bytes(change["new"])
        if data is None:
            return
        size = source_of(self._generate).size
        try:
            # Twice as fine as the generator, for the lines to stay smooth.
            drawing = read_drawing(data, 2 * size)
        except Unusable as reason:
            self._show(None, f"The file cannot be used: {reason}.")
            return
        self._lines = None
        self.paint.replace_with_pil(enlarge(drawing, self._side))

    def _drawn(self, change) -> None:
        """The pen was lifted, or the sheet replaced."""
        if not change["new"]:
            return
        sheet = Image.open(io.BytesIO(base64.b64decode(change["new"])))
        try:
            picture, self._lines, message = colour_sheet(
                self._generate,
                np.asarray(sheet.convert("RGBA")),
                self._lines,
                line_width=self._line_width,
            )
        except ValueError as error:
            self._lines = None
            self._show(None, str(error))
        else:
            self._show(picture, message)

    def _show(self, picture: np.ndarray | None, text: str = "") -> None:
        self.picture, self._text.value = picture, text
        blank = np.full((8, 8, 3), 240, np.uint8)
        image = enlarge(blank if picture is None else picture, self._side)
        self._shown.value = _png(image)

    def _ipython_display_(self) -> None:
        """Both forms at once: live where a kernel runs, the figure where it is read."""
        from IPython.display import display

        number = self._view.model_id
        view = {"version_major": 2, "version_minor": 0, "model_id": number}
        data: dict[str, Any] = {_WIDGET: view, "text/plain": INSTALL}
        if len(self._examples):
            still = figure(self._generate, self._examples, line_width=self._line_width)
            data["image/png"] = base64.b64encode(still._repr_png_()).decode()
        display(data, raw=True)


def uploaded_bytes(value: Any) -> bytes | None:
    """The bytes in `FileUpload.value`: a dict in ipywidgets 7, a tuple in 8."""
    files = list(value.values()) if isinstance(value, dict) else list(value)
    return bytes(files[-1]["content"]) if files else None


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png")
    return buffer.getvalue()
