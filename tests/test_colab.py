"""The first cell of a notebook changes nothing that Colab has preinstalled."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
from badges import INSTALL, ROOT
from notebook_source import NEUTRAL, read, rewrite
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

COLAB_PYTHON = "3.13"
UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectTimeout|ProxyError|Name or service not known"
    r"|Temporary failure in name resolution|Network is unreachable"
)


def install_lines(text: str) -> list[str]:
    """The %pip lines of a text, the same for every fork."""
    lines = re.findall(r"^\s*(?:# )?%pip install (.+)$", text, re.MULTILINE)
    return [rewrite(line, NEUTRAL) for line in lines]


def requirements(lines: list[str]) -> dict[str, Requirement]:
    """Name -> Requirement of everything the install lines name."""
    words = [word for line in lines for word in shlex.split(line)]
    found = [Requirement(word) for word in words if not word.startswith("-")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def pins(name: str) -> dict[str, str]:
    """Name -> version of a requirements file of this project."""
    lines = (ROOT / name).read_text().splitlines()
    found = [Requirement(x) for x in lines if x and not x.startswith("#")]
    return {canonicalize_name(r.name): next(iter(r.specifier)).version for r in found}


def changed(report: dict, preinstalled: dict[str, str]) -> list[str]:
    """What of the preinstalled packages an installation would replace."""
    found = []
    for item in report["install"]:
        name = canonicalize_name(item["metadata"]["name"])
        version = item["metadata"]["version"]
        if preinstalled.get(name, version) != version:
            found.append(f"{name} {preinstalled[name]} -> {version}")
    return found


def dry_run(*arguments: str, tmp_path) -> dict:
    """pip's report of what it would install on Colab; skips without an index."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
    ]
    command += ["--retries", "1", "--timeout", "30", "--target", str(tmp_path / "t")]
    command += ["--report", str(tmp_path / "report.json"), "--only-binary", ":all:"]
    command += ["--python-version", COLAB_PYTHON, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and UNREACHABLE.search(done.stderr + done.stdout):
        pytest.skip("the package index cannot be reached, so pip cannot be asked")
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "report.json").read_text())


@pytest.fixture
def documented():
    """The install lines of STYLE.md, which every notebook has."""
    return install_lines((ROOT / "STYLE.md").read_text())


@pytest.fixture
def dependencies():
    """Name -> Requirement of what gan_lib declares in pyproject.toml."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        declared = tomllib.load(file)["project"]["dependencies"]
    return {canonicalize_name(r.name): r for r in map(Requirement, declared)}


@pytest.fixture
def preinstalled():
    return pins("constraints-colab.txt")


def test_every_notebook_has_the_documented_first_cell(documented):
    for source in sorted((ROOT / "notebooks" / "src").glob("[0-9]*.py")):
        code = [c.source for c in read(source).cells if c.cell_type == "code"]
        assert install_lines(code[0]) == documented, source.name


def test_nothing_is_installed_with_its_dependencies(documented):
    assert documented
    assert INSTALL.search(documented[0])
    assert all("--no-deps" in shlex.split(line) for line in documented)


def test_what_colab_lacks_is_exactly_what_is_installed(
    documented, dependencies, preinstalled
):
    missing = {name for name in dependencies if name not in preinstalled}
    assert set(requirements(documented)) == missing | {"gan-lib"}


def test_colab_gets_the_versions_of_the_tested_set(documented):
    tested = pins("requirements.txt")
    for name, requirement in requirements(documented).items():
        if name != "gan-lib":
            assert str(requirement.specifier) == f"=={tested[name]}"


def test_what_later_cells_install_is_as_careful(preinstalled):
    tested = pins("requirements.txt")
    for source in sorted((ROOT / "notebooks" / "src").glob("[0-9]*.py")):
        code = [c.source for c in read(source).cells if c.cell_type == "code"]
        lines = install_lines("\n".join(code[1:]))
        assert all("--no-deps" in shlex.split(line) for line in lines)
        for name, requirement in requirements(lines).items():
            assert str(requirement.specifier) == f"=={tested[name]}", source.name
            assert name not in preinstalled


def test_colab_meets_every_lower_bound(dependencies, preinstalled):
    for name, requirement in dependencies.items():
        if name in preinstalled:
            assert requirement.specifier.contains(preinstalled[name]), name


def test_a_change_would_be_noticed(preinstalled):
    item = {"metadata": {"name": "NumPy", "version": "9.0"}}
    assert changed({"install": [item]}, preinstalled) == ["numpy 2.1.3 -> 9.0"]


@pytest.mark.slow
def test_the_install_line_replaces_nothing(documented, preinstalled, tmp_path):
    """pip itself, asked for Colab's Python, names what it would install."""
    wanted = [str(r) for n, r in requirements(documented).items() if n != "gan-lib"]
    report = dry_run("--no-deps", *wanted, tmp_path=tmp_path)
    assert len(report["install"]) == len(wanted)
    names = {canonicalize_name(i["metadata"]["name"]) for i in report["install"]}
    assert not names & set(preinstalled)


@pytest.mark.slow
def test_dependencies_resolve_to_what_colab_has(dependencies, preinstalled, tmp_path):
    """--no-deps hides no conflict: with dependencies, pip picks Colab's versions."""
    constraints = str(ROOT / "constraints-colab.txt")
    declared = [str(requirement) for requirement in dependencies.values()]
    report = dry_run("-c", constraints, *declared, tmp_path=tmp_path)
    assert len(report["install"]) >= len(declared)
    assert changed(report, preinstalled) == []
