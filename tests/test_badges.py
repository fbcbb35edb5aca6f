"""Links of this project follow the setting; everybody else's stay."""

from __future__ import annotations

import json

import badges
import pytest
from badges import Fork

LINK = "https://colab.research.google.com/github/{}/blob/{}/notebooks/01_try.ipynb"


@pytest.fixture
def project(tmp_path):
    """A small project that names me/old in every kind of file."""
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\n\n[tool.gan_notebooks]\n'
        'repository = "me/old"\nbranch = "main"\n\n[tool.other]\nbranch = "keep"\n'
    )
    (tmp_path / "README.md").write_text(
        f"[badge]({LINK.format('me/old', 'main')})\n"
        "clone https://github.com/me/old.git or see https://github.com/me/old\n"
        "page https://github.com/me/old/blob/main/STYLE.md\n"
        "raw https://raw.githubusercontent.com/me/old/main/a.png\n"
        "other https://github.com/NVlabs/edm and https://github.com/me/older\n"
    )
    (tmp_path / "notebooks/src/01_try.py").write_text(
        "# %% [markdown]\n# # T\n# "
        + LINK.format("me/old", "main")
        + '\n\n# %%\n# %pip install "gan_lib @ git+https://github.com/me/old@main"\n'
    )
    (tmp_path / "notebooks/01_try.ipynb").write_text(
        json.dumps({"cells": [LINK.format("me/old", "main")]})
    )
    return tmp_path


def test_every_link_follows_the_fork(project):
    badges.apply(Fork("you/new", "v2"), project)
    readme = (project / "README.md").read_text()
    assert LINK.format("you/new", "v2") in readme
    assert (
        "https://github.com/you/new.git or see https://github.com/you/new\n" in readme
    )
    assert "https://github.com/you/new/blob/v2/STYLE.md" in readme
    assert "https://raw.githubusercontent.com/you/new/v2/a.png" in readme
    source = (project / "notebooks/src/01_try.py").read_text()
    assert "gan_lib @ git+https://github.com/you/new@v2" in source
    notebook = json.loads((project / "notebooks/01_try.ipynb").read_text())
    assert notebook["cells"] == [LINK.format("you/new", "v2")]
    assert badges.read_setting(project) == Fork("you/new", "v2")
    assert 'branch = "keep"' in (project / "pyproject.toml").read_text()


def test_links_to_others_stay(project):
    badges.apply(Fork("you/new", "v2"), project)
    readme = (project / "README.md").read_text()
    assert "https://github.com/NVlabs/edm and https://github.com/me/older" in readme


def test_twice_is_once(project):
    fork = Fork("you/new", "main")
    assert len(badges.apply(fork, project)) == 4
    assert badges.apply(fork, project) == []


def test_hand_edited_setting_is_enough(project):
    """Whoever edits pyproject.toml and runs `make badges` gets all links changed."""
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace("me/old", "you/new"))
    assert badges.main(["--root", str(project)]) == 0
    assert "me/old\n" not in (project / "README.md").read_text()


def test_check_only_reports(project, capsys):
    before = (project / "README.md").read_text()
    assert badges.main(["you/new", "--check", "--root", str(project)]) == 1
    assert (project / "README.md").read_text() == before
    assert "would change README.md" in capsys.readouterr().out


def test_a_wrong_name_is_refused(project, capsys):
    with pytest.raises(SystemExit):
        badges.main(["only-a-name", "--root", str(project)])
    assert "REPO=owner/name" in capsys.readouterr().err


def test_this_project_agrees_with_its_setting():
    assert badges.apply(badges.read_setting(), write=False) == []
