"""Outputs stay small and say nothing private; the page needs no network."""

from __future__ import annotations

import base64
import io
import re

import nbformat
import notebook_html
import notebook_outputs
import numpy as np
import pytest
from PIL import Image


def png(side: int = 400) -> str:
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), "uint8")
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def executed(*outputs, alt=None):
    """A notebook of one code cell with the given outputs."""
    cell = nbformat.v4.new_code_cell("x", metadata={"alt": alt} if alt else {})
    cell.outputs = list(outputs)
    return nbformat.v4.new_notebook(cells=[cell])


def image(data):
    return nbformat.v4.new_output("display_data", data={"image/png": data})


def test_images_are_pressed_and_keep_their_alt_text():
    notebook = executed(image(png()), alt="Noise")
    before = notebook_outputs.size(notebook)
    notebook_outputs.clean(notebook, {}, max_bytes=before // 2)
    output = notebook.cells[0].outputs[0]
    (kind,) = output.data
    assert output.metadata[kind].alt == "Noise"
    assert notebook_outputs.size(notebook) <= before // 2
    assert Image.open(io.BytesIO(base64.b64decode(output.data[kind]))).size == (
        400,
        400,
    )


def test_a_figure_that_cannot_fit_is_an_error():
    with pytest.raises(ValueError, match="fewer or smaller figures"):
        notebook_outputs.clean(executed(image(png())), {}, max_bytes=1000)


def test_outputs_say_nothing_about_the_machine():
    stream = nbformat.v4.new_output
    notebook = executed(
        stream(
            "stream", name="stdout", text="1/2\r2/2\nin /home/me/gan/x\n\x1b[31mred"
        ),
        stream("stream", name="stderr", text="a warning of TensorFlow"),
        stream("execute_result", data={"text/plain": "<f at 0x7f12ab>"}),
        stream("display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
    )
    notebook.cells[0].metadata["execution"] = {"iopub.status.busy": "2026"}
    notebook_outputs.clean(notebook, {"/home/me/gan": "."}, 10_000)
    (cell,) = notebook.cells
    assert cell.outputs[0].text == "2/2\nin ./x\nred"
    assert cell.outputs[1].data["text/plain"] == "<f at 0x...>"
    assert len(cell.outputs) == 2
    assert "execution" not in cell.metadata


def test_several_figures_take_several_alt_texts():
    html = nbformat.v4.new_output("display_data", data={"text/html": "<img src='x'>"})
    notebook = executed(image(png(8)), html, alt=["First", 'A "second" one'])
    notebook_outputs.add_alt_texts(notebook.cells[0])
    first, second = notebook.cells[0].outputs
    assert first.metadata["image/png"]["alt"] == "First"
    assert 'alt="A &quot;second&quot; one"' in second.data["text/html"]


def test_page_is_complete_without_a_network(tmp_path):
    notebook = executed(image(png(8)), alt="Noise & more")
    gif = nbformat.v4.new_output(
        "display_data", data={"image/gif": "R0lGODlhAQABAAAAACw="}
    )
    notebook.cells[0].outputs.append(gif)
    text = (
        "$\\frac{a}{b}$ and\n$$\\mathbb{E}[x]$$\n\\begin{align}a &= b\\end{align}\n\n"
        "[![Open in Colab](https://example.org/badge.svg)](https://example.org)"
    )
    notebook.cells.append(nbformat.v4.new_markdown_cell(text))
    notebook_html.export(notebook, tmp_path / "a" / "page.html", title="Page")
    page = (tmp_path / "a" / "page.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#|https://example.org")[^"]*"', page)
    assert "<script src" not in page
    assert "import(" not in page
    assert page.count("<math") == 3
    assert "<mfrac>" in page
    assert 'alt="Noise &amp; more"' in page
    assert "data:image/gif;base64," in page
    assert ">Open in Colab</a>" in page


def test_unreadable_equation_stays_visible():
    assert notebook_html.mathml(r"\left(a") == r"<code>\left(a</code>"


def test_aligned_equations_become_a_table():
    page = notebook_html.mathml(r"\begin{aligned}a &= b \\ c &= d\end{aligned}")
    assert page.count("<mtr>") == 2
    assert "&</mi>" not in page
