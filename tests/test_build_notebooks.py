"""One source gives the student and the solved notebook, the same every time."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import build_notebooks
import nbformat
import notebook_source
import pytest
import run_notebook
from badges import ROOT, Fork, rewrite
from notebook_html import export
from notebook_source import SourceError

SOURCE = '''# %% [markdown]
# # A lesson
# https://colab.research.google.com/github/a/b/blob/main/notebooks/01_try.ipynb
#
# Equation $x^2 \\ge 0$.

# %% tags=["parameters"]
# %pip install "gan_lib @ git+https://github.com/a/b@main"
PROFILE = "auto"

# %% solution="double"
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION

### BEGIN SOLUTION
answer = 42
### END SOLUTION

# %% tests="double_check" points=2
assert callable(double)
### BEGIN HIDDEN TESTS
assert double(2) == 4
### END HIDDEN TESTS

# %% alt="Three bars & a line"
print("text")
'''


@pytest.fixture
def project(tmp_path):
    """A folder of notebooks with one source."""
    folder = tmp_path / "notebooks"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "01_try.py").write_text(SOURCE)
    return folder


def read(tmp_path, text):
    path = tmp_path / "01_cell.py"
    path.write_text(text)
    return notebook_source.read(path)


def test_student_gets_a_stub_and_no_hidden_tests(project):
    built = build_notebooks.build(project / "src" / "01_try.py")
    code = [c.source for c in built[project / "01_try.ipynb"].cells]
    assert code[2] == (
        'def double(x):\n    """Twice x."""\n    # Your code here\n'
        '    raise NotImplementedError("your turn")\n\n# Your code here\n...'
    )
    assert code[3] == "assert callable(double)"
    assert not any("###" in text for text in code)


def test_instructor_gets_everything(project):
    built = build_notebooks.build(project / "src" / "01_try.py")
    cells = built[project / "solutions" / "01_try.ipynb"].cells
    assert "y = x + x" in cells[2].source
    assert "### BEGIN SOLUTION" in cells[2].source
    assert "assert double(2) == 4" in cells[3].source
    assert "/notebooks/solutions/01_try.ipynb" in cells[0].source


def test_nbgrader_metadata_is_schema_3(project):
    cells = build_notebooks.build(project / "src/01_try.py")[
        project / "01_try.ipynb"
    ].cells
    assert cells[2].metadata.nbgrader == {
        "grade": False,
        "grade_id": "double",
        "locked": False,
        "schema_version": 3,
        "solution": True,
        "task": False,
    }
    assert cells[3].metadata.nbgrader == {
        "grade": True,
        "grade_id": "double_check",
        "locked": True,
        "points": 2,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }


def test_both_are_valid_and_the_same_every_time(project):
    assert build_notebooks.main(["--folder", str(project)]) == 0
    paths = [project / "01_try.ipynb", project / "solutions" / "01_try.ipynb"]
    first = [path.read_bytes() for path in paths]
    for path in paths:
        nbformat.validate(nbformat.read(path, as_version=4))
        path.unlink()
    build_notebooks.main(["--folder", str(project)])
    assert [path.read_bytes() for path in paths] == first


def test_cell_names_do_not_depend_on_the_fork(project, tmp_path):
    source = project / "src" / "01_try.py"
    before = notebook_source.student(notebook_source.read(source))
    source.write_text(rewrite(SOURCE, Fork("you/new", "v2")))
    after = notebook_source.student(notebook_source.read(source))
    assert before.cells[0].source != after.cells[0].source
    assert [c.id for c in before.cells] == [c.id for c in after.cells]
    assert len({c.id for c in before.cells}) == len(before.cells)


def test_magics_become_commands(project):
    cells = build_notebooks.build(project / "src/01_try.py")[
        project / "01_try.ipynb"
    ].cells
    assert cells[1].source.startswith("%pip install")
    assert cells[1].metadata.tags == ["parameters"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('# %% solution="a"\n### BEGIN SOLUTION\nx = 1\n', "not closed"),
        ("# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n", 'solution="name"'),
        ('# %% solution="a"\nx = 1\n', "and the reverse"),
        ('# %% tests="a"\nassert True\n', "needs `points=`"),
        ("# %%\n### BEGIN HIDDEN TESTS\nx\n### END HIDDEN TESTS\n", "hidden tests"),
        (
            '# %% tests="a" points=1\nx\n\n# %% tests="a" points=1\ny\n',
            "cell 2: grade_id 'a' is used twice",
        ),
    ],
)
def test_mistakes_in_a_source_are_named(tmp_path, text, message):
    with pytest.raises(SourceError, match=re.escape(message)) as error:
        read(tmp_path, text)
    assert "01_cell.py, cell" in str(error.value)


def test_check_notices_every_drift(project, capsys):
    arguments = ["--folder", str(project), "--check"]
    assert build_notebooks.main(arguments) == 1
    assert "01_try.ipynb is missing" in capsys.readouterr().err
    build_notebooks.main(["--folder", str(project)])
    assert build_notebooks.main(arguments) == 0
    source = project / "src" / "01_try.py"
    source.write_text(SOURCE.replace('print("text")', 'print("other")'))
    assert build_notebooks.main(arguments) == 1
    assert "01_try.ipynb differs in cell 5 (id, source)" in capsys.readouterr().err
    source.write_text(SOURCE)
    (project / "99_stray.ipynb").write_text((project / "01_try.ipynb").read_text())
    assert build_notebooks.main(arguments) == 1
    assert "99_stray.ipynb has no source" in capsys.readouterr().err


def test_outputs_survive_a_change_of_text_only(project):
    path = project / "01_try.ipynb"
    build_notebooks.main(["--folder", str(project)])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[4].outputs = [nbformat.v4.new_output("stream", text="text\n")]
    build_notebooks.write(path, notebook)
    assert build_notebooks.main(["--folder", str(project), "--check"]) == 0

    source = project / "src" / "01_try.py"
    source.write_text(SOURCE.replace("A lesson", "The lesson"))
    build_notebooks.main(["--folder", str(project)])
    assert nbformat.read(path, as_version=4).cells[4].outputs[0].text == "text\n"
    source.write_text(SOURCE.replace('print("text")', 'print("other")'))
    build_notebooks.main(["--folder", str(project)])
    assert nbformat.read(path, as_version=4).cells[4].outputs == []


@pytest.mark.slow
def test_run_executes_and_reports(project, tmp_path, capsys):
    source = project / "src" / "01_try.py"
    runs = tmp_path / "runs"
    source.write_text(
        "# %% [markdown]\n# ## Sums\n\n# %%\nimport os, sys\n"
        'print(os.environ["GAN_PROFILE"], os.environ["GAN_RUNS"], sys.executable)\n\n'
        "# %%\nvalue = 1 / 0\n\n# %%\nprint('never')\n"
    )
    arguments = [str(source), "--profile", "smoke", "--runs", str(runs)]
    assert run_notebook.main(arguments) == 1
    message = capsys.readouterr().err
    assert "Cell 3 (section 'Sums') stopped: ZeroDivisionError" in message
    assert "1 | value = 1 / 0" in message
    assert "\x1b" not in message
    page = (runs / "01_try" / "notebook.html").read_text()
    assert f"smoke {runs}" in page
    source.write_text(source.read_text().replace("1 / 0", "1"))
    assert run_notebook.main(arguments) == 0
    assert "All cells ran" in capsys.readouterr().out


@pytest.mark.slow
def test_execute_stores_neutral_outputs(project, capfd):
    source = project / "src" / "01_try.py"
    source.write_text("# %%\nimport os\nprint(os.environ['GAN_RUNS'], os.getcwd())\n")
    arguments = ["--folder", str(project), "--execute", "smoke"]
    assert build_notebooks.main(arguments) == 0
    first = (project / "01_try.ipynb").read_bytes()
    notebook = nbformat.read(project / "01_try.ipynb", as_version=4)
    assert notebook.cells[0].outputs[0].text == "runs .\n"
    assert notebook.metadata.language_info == {"name": "python"}
    assert build_notebooks.main(arguments) == 0
    assert (project / "01_try.ipynb").read_bytes() == first
    assert build_notebooks.main(["--folder", str(project), "--check"]) == 0


@pytest.mark.slow
def test_a_cell_that_hangs_is_stopped(project, tmp_path, capsys):
    source = project / "src" / "01_try.py"
    source.write_text("# %%\nimport time\ntime.sleep(60)\n")
    arguments = [str(source), "--runs", str(tmp_path), "--timeout", "3"]
    assert run_notebook.main(arguments) == 1
    assert "more than 3 seconds" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_stops_the_cell_and_keeps_the_page(project, tmp_path):
    source = project / "src" / "01_try.py"
    mark = tmp_path / "mark"
    source.write_text(
        "# %%\nimport pathlib, time\nprint('this far', flush=True)\n"
        f"pathlib.Path({str(mark)!r}).touch()\ntime.sleep(60)\n"
    )
    command = [sys.executable, str(ROOT / "tools" / "run_notebook.py"), str(source)]
    command += ["--runs", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if mark.exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "stopped: KeyboardInterrupt" in message
    assert "this far" in (tmp_path / "01_try" / "notebook.html").read_text()


def test_notebooks_agree_with_their_sources():
    folder = ROOT / "notebooks"
    sources = sorted((folder / "src").glob("[0-9]*.py"))
    assert build_notebooks.check(sources, folder) == []


def test_pictures_are_attached_to_their_cells(project):
    source = project / "src" / "01_try.py"
    cell = "\n# %% [markdown]\n# ![Three bars](attachment:bars.png)\n"
    source.write_text(SOURCE + cell)
    with pytest.raises(SourceError, match=r"bars\.png is missing"):
        build_notebooks.build(source)
    (project / "figures").mkdir()
    (project / "figures" / "bars.png").write_bytes(b"picture")
    for path, notebook in build_notebooks.build(source).items():
        found = notebook.cells[-1].attachments["bars.png"]["image/png"]
        assert found == "cGljdHVyZQ=="
        build_notebooks.write(path, notebook)
    assert build_notebooks.check([source], project) == []
    page = project / "page.html"
    notebook = notebook_source.student(notebook_source.read(source))
    export(notebook, page, title="try")
    assert "data:image/png;base64,cGljdHVyZQ==" in page.read_text()
