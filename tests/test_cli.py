"""`python -m gan_lib` as people call it."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import keras
import pytest
from badges import ROOT

from gan_lib import __main__ as cli

# Runs `python -m gan_lib info` as on a machine without the packages.
WITHOUT_PACKAGES = """
import runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"tensorflow", "keras", "numpy", "matplotlib", "PIL"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["gan_lib", "info"]
runpy.run_module("gan_lib", run_name="__main__")
"""


@pytest.fixture
def fake_paper(monkeypatch):
    """A model file, as one a paper would add."""
    module = types.ModuleType("gan_lib.models.paper")

    def small():
        inputs = keras.Input((3,))
        outputs = keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs))
        return {"generator": keras.Model(inputs, outputs)}

    module.PUBLISHED = {"paper/small": small}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = [types.SimpleNamespace(name="paper")]
    monkeypatch.setattr("pkgutil.iter_modules", lambda path: found)


def test_models_counts_the_parameters_of_built_networks(fake_paper, capsys):
    assert cli.main(["models", "--json"]) == 0
    # Dense: 3 x 4 + 4; batch norm: gain and offset, and two running averages.
    counts = {"parameters": 32, "trainable": 24}
    assert json.loads(capsys.readouterr().out) == {"paper/small": {"generator": counts}}


def test_models_prints_a_table(fake_paper, capsys):
    cli.main(["models"])
    words = capsys.readouterr().out.split()
    assert words == ["paper/small", "generator", "32", "parameters,", "24", "trainable"]


def test_a_file_without_published_models_is_no_error(fake_paper, monkeypatch):
    monkeypatch.delattr(sys.modules["gan_lib.models.paper"], "PUBLISHED")
    assert cli.published() == {}


@pytest.mark.slow
def test_every_model_file_is_listed():
    files = {p.stem for p in (ROOT / "gan_lib" / "models").glob("[a-z]*.py")}
    assert {name.split("/")[0] for name in cli.builders()} == files


def test_info_as_text_and_as_json(capsys):
    assert cli.main(["info"]) == 0
    assert "Python 3." in capsys.readouterr().out
    assert cli.main(["info", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"python", "versions", "gpus"}


def test_without_a_command_the_commands_are_shown(capsys):
    with pytest.raises(SystemExit):
        cli.main([])
    assert "{info,models}" in capsys.readouterr().err


@pytest.mark.slow
def test_info_json_is_all_that_stands_on_stdout():
    command = [sys.executable, "-m", "gan_lib", "info", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["python"]


@pytest.mark.slow
def test_info_survives_missing_packages():
    command = [sys.executable, "-c", WITHOUT_PACKAGES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "GPU: none" in done.stdout
