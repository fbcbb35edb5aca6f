"""Each rule of the template: a lesson that keeps it and one that breaks it."""

from __future__ import annotations

import nb_lint
import nbformat
import pytest
from badges import ROOT, Fork
from lesson import count_words, makes_figure

FORK = Fork("owner/name", "main")
BADGE = (
    "https://colab.research.google.com/github/owner/name/blob/main/"
    "notebooks/01_try.ipynb"
)
LESSON = f"""# %% [markdown]
# # Faces from noise
# Two networks learn from each other. [![Open in Colab](x.svg)]({BADGE})
#
# **Time**: CPU 8 minutes and 2 GB, T4 5 minutes.
#
# ## What you will be able to do
# - build it
# - train it
# - read its curves
#
# ## Before you start
# You know a convolution.
#
# ## What you should see
# A grid of faces.

# %% [markdown]
# ## Setup

# %% tags=["parameters"]
PROFILE = "auto"

# %% [markdown]
# ## The generator
# **Predict**: what is the shape?

# %% alt="A grid of grey squares"
plot.image_grid(images)

# %% [markdown]
# ### Your turn 1: the loss
# <details><summary>Hint</summary>softplus</details>

# %% solution="loss"
def loss(x):
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION

# %%
loss = checks.generator_loss(loss)

# %% [markdown]
# ### Your turn 2: the average
# Hint: a half-life.

# %%
ema = checks.ema_update(ema)

# %% [markdown]
# ## Train
# **Predict**: who wins?

# %% [markdown]
# ## Look
# **Predict**: will they repeat?
#
# ## Change one thing
#
# ## Break it
#
# ## Use your own images
#
# ## Resume after a cut session
#
# ## Summary
# Where we differ from the paper: nothing. Next: colour.
#
# ### References
# arXiv:1511.06434
"""


@pytest.fixture
def lint(tmp_path):
    """Lints a source text as notebooks/src/01_try.py; returns the problems."""

    def run(text: str = LESSON) -> list[str]:
        path = tmp_path / "notebooks" / "src" / "01_try.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return nb_lint.lint(path, FORK)

    return run


@pytest.fixture
def lint_built(tmp_path):
    """Lints one code cell with outputs as notebooks/solutions/01_try.ipynb."""

    def run(source: str = "x", outputs=(), folder: str = "solutions") -> list[str]:
        cell = nbformat.v4.new_code_cell(source)
        cell.outputs = list(outputs)
        title = nbformat.v4.new_markdown_cell(BADGE.replace("/01", f"/{folder}/01"))
        path = tmp_path / "notebooks" / folder / "01_try.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[title, cell]), path)
        return nb_lint.lint(path, FORK)

    return run


def test_a_good_lesson_passes(lint):
    assert lint() == []


def test_a_good_solution_passes(lint_built):
    assert lint_built() == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("## Break it", "## Nothing", "whole file: no section '## Break it'"),
        ("## Look", "### Look", "whole file: no section '## Look'"),
        ("## The generator", "### The generator", "no building section"),
        ("# # Faces from noise", "# Faces", "must begin with the title"),
        ("**Time**: CPU", "**Time**: T4", "names no device"),
        ("8 minutes and 2 GB, T4 5 minutes", "2 GB", "names no minutes"),
        ("and 2 GB", "", "names no memory"),
        (
            "# - read its curves\n",
            "",
            "3 or 4 things a reader will be able to do, not 2",
        ),
        (' tags=["parameters"]', "", "one cell tagged `parameters`, found 0"),
        ('"auto"', '"gpu"', 'must contain PROFILE = "auto"'),
        ("**Predict**: who", "Who", "at least 3 '**Predict**' questions, found 2"),
        (
            "### Your turn 2: the",
            "### The",
            "at least 2 'Your turn' exercises, found 1",
        ),
        ("Hint: a half-life.", "", "cell 9: this exercise has no hint"),
        ("checks.ema_update(ema)", "1", "cell 9: this exercise has no check"),
        ("differ", "do the same", "where we differ from the paper"),
        ("arXiv:1511.06434", "none", "references with a link"),
        ("Next: colour", "The end", "the next notebook"),
        ("will they repeat?", "![](a.png)", "an image without alt text"),
        (' alt="A grid of grey squares"', "", "cell 5: it draws a figure"),
        ("what is the shape?", "word " * 125, "words, at most 120 while"),
        ("    return x\n", "    x = 1\n" * 25, "cell 7: 26 lines of code, at most 25"),
        ('PROFILE = "auto"', 'PROFILE = "auto"\nx = "/home/me/x"', "'/home/me'"),
        (
            "01_try.ipynb",
            "02_try.ipynb",
            "cell 1: the badge in the first cell must open",
        ),
        ("owner/name", "some/fork", "is not in owner/name@main: make badges"),
        ("### END SOLUTION", "", "not closed by ### END SOLUTION"),
    ],
)
def test_each_rule_is_enforced(lint, old, new, message):
    assert old in LESSON
    problems = lint(LESSON.replace(old, new))
    assert any(message in problem for problem in problems), problems
    assert len(problems) <= 2
    assert all(
        problem.startswith(("src/01_try.py", "01_try.py")) for problem in problems
    )


def test_sections_out_of_order_are_named(lint):
    swapped = LESSON.replace("## Break it", "## X").replace("## Look", "## Break it")
    assert lint(swapped.replace("## X", "## Look")) == [
        "src/01_try.py, cell 12: '## Break it' must come after '## Look'",
        "src/01_try.py, cell 12: '## Change one thing' must come after '## Look'",
    ]


def test_error_outputs_are_found(lint_built):
    output = nbformat.v4.new_output(
        "error", ename="NameError", evalue="x", traceback=[]
    )
    assert lint_built("x", [output]) == [
        "solutions/01_try.ipynb, cell 2: the output is an error: NameError: x"
    ]


def test_machine_paths_in_outputs_are_found(lint_built):
    output = nbformat.v4.new_output("stream", text="saved to /root/gan/runs\n")
    (problem,) = lint_built("x", [output])
    assert "absolute path '/root/gan'" in problem


def test_links_and_colab_paths_are_no_machine_paths(lint_built):
    text = "https://a.org/home/x, runs/tmp/x, /content/drive/MyDrive"
    assert lint_built("x", [nbformat.v4.new_output("stream", text=text)]) == []


def test_a_heavy_notebook_is_found(lint_built):
    output = nbformat.v4.new_output("stream", text="a" * 1_000_001)
    (problem,) = lint_built("x", [output])
    assert "at most 1,000,000" in problem


def test_an_executed_figure_needs_alt_text_however_it_was_drawn(lint_built):
    output = nbformat.v4.new_output("display_data", data={"image/png": "aaaa"})
    problems = lint_built("gan.fit()", [output], folder="lessons")
    assert any("cell 2: it draws a figure" in problem for problem in problems)


def test_a_picture_with_its_own_alt_text_is_enough(lint_built):
    data = {"text/html": '<img alt="faces" src="data:image/webp;base64,aa">'}
    output = nbformat.v4.new_output("display_data", data=data)
    problems = lint_built("plot.animation(path, 'faces')", [output], folder="lessons")
    assert not any("figure" in problem for problem in problems)


@pytest.mark.parametrize(
    ("source", "draws"),
    [
        ("plot.loss_curves(history)", True),
        ("for x in y:\n    plt.show()", True),
        ("%matplotlib inline\nax.imshow(x)", True),
        ("def draw():\n    plt.show()", False),
        ("plot.save_grid(images, path)", False),
        ("plot.animation(path, 'faces appear')", False),
        ("x = plotter(1)", False),
    ],
)
def test_drawing_cells_are_recognised(source, draws):
    assert makes_figure(source) is draws


def test_words_are_what_is_read():
    text = (
        "Two words.\n```python\nfour words of code\n```\n$x + y$ [link](http://a.b/c)"
    )
    assert count_words(text) == 3


def test_our_notebooks_keep_the_template(capsys):
    assert nb_lint.main([]) == 0, capsys.readouterr().out


def test_command_line_reports_and_fails(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "notebooks" / "src" / "01_try.py"
    path.parent.mkdir(parents=True)
    path.write_text("# %%\nx = 1\n")
    assert nb_lint.main([str(path)]) == 1
    assert "1 file(s)" in capsys.readouterr().out
