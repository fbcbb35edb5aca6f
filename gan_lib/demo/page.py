"""A page to draw on, made with Gradio: for those who do not want a notebook."""

# No postponed annotations here: Gradio looks at the types of a handler's arguments.
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.decode import Unusable
from gan_lib.data.faces import faces
from gan_lib.demo.colouring import EMPTY, colour_sheet, enlarge, read_drawing, source_of

SIDE_PX = 448  # of the sheet and of the picture
_FINER = 2  # an uploaded drawing is this much finer than the generator's pictures
_EXAMPLES = 6
_EXAMPLES_SEED = 7
PALETTE = ("#000000", "#d6453d", "#f08c2e", "#f6d84c", "#4caf50", "#3f7fd6", "#8e5bd0",
           "#f2c9a8", "#8a5a34")  # fmt: skip
_WELCOME = "Draw a face on the left. The picture on the right follows every stroke."
_WITH_HINTS = " Black draws lines; any other colour is a hint for the place it is put."
_INSTALL = (
    "The page needs Gradio, which is not installed. In an environment of its own, "
    'because it asks for an older Pillow: pip install "gan_lib[demo]". Without it: '
    "gan_lib.demo.canvas draws in a notebook, and --folder colours a folder."
)


class NotInstalled(Exception):
    """Gradio is missing; the text says how to install it."""


def serve(generate: Any, *, port: int = 7860, line_width: float = 1.0) -> None:
    """Show the page until Ctrl+C, on this computer only.

    Args:
        generate: a `Pix2Pix`, or a Keras generator as `load_generator` opens it.
        port: 0 for any that is free.
        line_width: see `colour_drawing`.
    Raises: NotInstalled without Gradio; OSError when the port is taken.
    """
    page, look = build(generate, line_width=line_width)
    with socket.socket() as probe:  # Gradio's own words do not say what to do
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(
                f"Port {port} is taken by another program or not allowed. Choose "
                "another one: --port 7861, or --port 0 for any that is free."
            ) from error
        port = probe.getsockname()[1]
    print(f"Draw at http://127.0.0.1:{port} (Ctrl+C ends it)", flush=True)
    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        quiet=True,
        footer_links=[],
        max_file_size="40mb",
        **look,
    )


def build(generate: Any, *, line_width: float = 1.0) -> tuple[Any, dict[str, Any]]:
    """The page as `gradio.Blocks`, and how `launch` is to dress it.

    Args: see `serve`.
    """
    # Read when Gradio is imported: no reports home.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "0"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio as gr
    except ImportError as error:
        raise NotInstalled(_INSTALL) from error
    source = source_of(generate)
    examples = example_sketches(source.size)

    def coloured(value, before):
        return follow(generate, value, before, line_width)

    def replaced(image):  # a change from here does not count as one in the browser
        image = enlarge(image, SIDE_PX)
        value = {"background": image, "layers": [], "composite": image}
        return value, *coloured({"composite": np.asarray(image)}, None)

    def started(event: gr.SelectData):
        return replaced(examples[event.index])

    def uploaded(path):
        try:
            return replaced(read_drawing(Path(path).read_bytes(), _FINER * source.size))
        except Unusable as reason:
            words = f"The file cannot be used: {reason}."
            return gr.skip(), gr.skip(), words, gr.skip()

    with gr.Blocks(title="Colour a sketch", delete_cache=(3600, 3600)) as page:
        gr.Markdown(f"# Colour a sketch\n{_WELCOME}{_WITH_HINTS * source.takes_hints}")
        with gr.Row(equal_height=True):
            sheet = _editor(gr, source.takes_hints)
            picture = _picture(gr)
        message = gr.Markdown(elem_id="message")
        lines = gr.State(None)
        gr.Markdown("Start from one of these, or from a file of your own:")
        with gr.Row():
            gallery = _gallery(gr, examples)
            upload = gr.UploadButton("Upload a drawing", file_types=["image"], scale=1)
        shown = [picture, message, lines]
        live = {"show_progress": "hidden", "trigger_mode": "always_last"}
        sheet.change(coloured, [sheet, lines], shown, **live)
        gallery.select(started, None, [sheet, *shown], **live)
        upload.upload(uploaded, upload, [sheet, *shown])
        page.load(None, js=_TAKE_PENCIL)
    return page, {"theme": _theme(gr), "css": _CSS}


def follow(generate: Any, value: dict | None, before: np.ndarray | None, line_width):
    """What the page shows for the editor's `value`: picture, words, lines."""
    if not value or value["composite"] is None:  # just cleared
        return None, EMPTY, None
    try:
        picture, lines, message = colour_sheet(
            generate, value["composite"], before, line_width=line_width
        )
    except ValueError as error:
        return None, str(error), None
    return np.asarray(enlarge(picture, SIDE_PX)), message, lines


def example_sketches(size: int) -> np.ndarray:
    """Line art of a few faces that no training has seen, uint8 (n, S, S, 1)."""
    side = min(4 * size, SIDE_PX)
    drawn = faces(
        side, _EXAMPLES, seed=_EXAMPLES_SEED, split="test", include="line", workers=1,
        progress=False,
    )  # fmt: skip
    return np.asarray(drawn.line)


def _editor(gr, takes_hints: bool):
    return gr.ImageEditor(
        label="Your drawing", type="numpy", image_mode="RGBA", format="png",
        canvas_size=(SIDE_PX, SIDE_PX), fixed_canvas=True, layers=False, sources=(),
        transforms=(), height=SIDE_PX + 60, buttons=[], eraser=gr.Eraser(16),
        brush=gr.Brush(
            3, list(PALETTE) if takes_hints else ["#000000"], "#000000",
            "defaults" if takes_hints else "fixed",
        ),
    )  # fmt: skip


def _picture(gr):
    return gr.Image(
        label="In colour", height=SIDE_PX + 60, format="png", interactive=False,
        buttons=["download"], elem_id="picture",
    )  # fmt: skip


def _gallery(gr, examples: np.ndarray):
    return gr.Gallery(
        [enlarge(example, 128) for example in examples],
        show_label=False, columns=_EXAMPLES, height=140, format="png", scale=4,
        allow_preview=False, interactive=False, buttons=[],
    )  # fmt: skip


def _theme(gr):
    # Fonts of the computer: Gradio's own come from another host.
    sans = ["ui-sans-serif", "system-ui", "sans-serif"]
    return gr.themes.Default(font=sans, font_mono=["ui-monospace", "monospace"])


# Without it the sheet only asks to choose a tool first.
_TAKE_PENCIL = """() => {
    let tries = 0;
    const timer = setInterval(() => {
        const pencil = document.querySelector('button[aria-label="Brush"]');
        if (pencil) pencil.click();
        if (pencil || ++tries > 100) clearInterval(timer);
    }, 200);
}"""
_CSS = "#message { min-height: 1.5em; } footer { display: none !important; }"
