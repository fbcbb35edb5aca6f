"""Write an executed notebook as one HTML file that needs no network.

nbconvert's pages load MathJax, require.js and mermaid from the web, so equations stay
raw TeX on an offline machine. Here TeX becomes MathML, which browsers draw themselves,
and no script is referenced.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from jinja2 import DictLoader, pass_context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from notebook_outputs import add_alt_texts

# nbconvert's own image block has no place for an alt text.
TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- macro picture(output, kind) -%}
<div class="jp-RenderedImage jp-OutputArea-output">
<img alt="{{ (output | get_metadata('alt', kind) or '') | escape_html }}"
{% set width = output | get_metadata('width', kind) %}
{%- if width %} width="{{ width }}"{% endif %}
src="data:{{ kind }};base64,{{ output.data[kind] | escape_html }}">
</div>
{%- endmacro -%}
{%- block data_png scoped -%}{{ picture(output, 'image/png') }}{%- endblock -%}
{%- block data_jpg scoped -%}{{ picture(output, 'image/jpeg') }}{%- endblock -%}
"""


def mathml(tex: str, display: str = "inline") -> str:
    """MathML of a TeX formula; the TeX itself as code if it cannot be read."""
    # The converter knows align* but not aligned; they differ only in what is around.
    tex = tex.strip().replace("{aligned}", "{align*}")
    try:
        return convert(tex, display=display)
    except Exception:  # the converter raises many kinds; a page must still appear
        return f"<code>{escape(tex)}</code>"


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return mathml(body)

    def block_math(self, body: str) -> str:
        return mathml(body, display="block")

    def image(self, text: str, url: str, title: str | None = None) -> str:
        # A badge from the web would be a broken picture offline: its text will do.
        return (
            escape(text) if url.startswith("http") else super().image(text, url, title)
        )

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display="block")


class OfflineHTML(HTMLExporter):
    """HTML exporter whose pages are complete in themselves."""

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        """Markdown with equations to HTML."""
        renderer = _Renderer(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def export(notebook: NotebookNode, path: Path, title: str) -> None:
    """Write `notebook` to `path`; figures and styles are inside the file."""
    page = NotebookNode(notebook)
    page.metadata = {k: v for k, v in notebook.metadata.items() if k != "widgets"}
    page.metadata = NotebookNode(page.metadata | {"title": title})
    for cell in page.cells:
        if cell.cell_type == "code":
            _show_animations(cell)
            add_alt_texts(cell)
    exporter = OfflineHTML(
        extra_loaders=[DictLoader({"offline.html.j2": TEMPLATE})],
        template_file="offline.html.j2",
        embed_images=True,
    )
    html, _ = exporter.from_notebook_node(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")


def _show_animations(cell: NotebookNode) -> None:
    """nbconvert shows no GIF or WebP outputs: give them as an HTML image instead."""
    for output in cell.outputs:
        data = output.get("data", {})
        for kind in ("image/gif", "image/webp"):
            if kind in data:
                source = f"data:{kind};base64,{data.pop(kind).strip()}"
                data["text/html"] = f'<img src="{source}">'
