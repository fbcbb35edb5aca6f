"""`gan_lib info` tells what is there and survives what is not."""

from __future__ import annotations

import importlib.metadata
import json
import tomllib

import pytest
from badges import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gan_lib import environment
from gan_lib.environment import Window


def names(requirements):
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@pytest.fixture
def project():
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]


@pytest.fixture
def pins():
    """Name -> Requirement of every line of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    requirements = [Requirement(x) for x in lines if x and not x.startswith("#")]
    return {canonicalize_name(r.name): r for r in requirements}


def test_facts_are_json_and_complete():
    facts = json.loads(json.dumps(environment.info()))
    assert facts["versions"]["keras"] == importlib.metadata.version("keras")
    assert facts["versions"]["tensorflow"].startswith("2.")
    assert facts["cpu"]["cores"] >= 1
    assert facts["memory_gib"] > 0
    assert facts["free_disk_gib"] >= 0
    assert facts["profile"] in ("smoke", "cpu", "gpu")


def test_the_tested_set_has_no_problems(monkeypatch):
    monkeypatch.delenv("GAN_PROFILE", raising=False)
    assert environment.info()["problems"] == []


def test_report_shows_every_version():
    facts = environment.info()
    text = environment.report(facts)
    for name, found in facts["versions"].items():
        assert any(
            line.split() == [name, found or "-"] for line in text.splitlines()
        ), name


def test_a_missing_package_is_named_with_its_cure(monkeypatch):
    monkeypatch.setattr(
        environment,
        "version",
        lambda name: None if name in ("resvg-py", "tensorflow") else "999.0",
    )
    monkeypatch.setattr(environment, "_profile", lambda: (None, None))
    facts = environment.info()
    whats = [problem["what"] for problem in facts["problems"]]
    assert "resvg-py is missing (tested: 0.5 to 0.5)." in whats
    assert any("keras 999.0 is newer than tested" in what for what in whats)
    assert facts["gpus"] == []
    text = environment.report(facts)
    assert "make setup" in text
    assert "Profile: unknown" in text


def test_colab_is_never_told_to_upgrade(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(environment, "version", lambda name: None)
    fixes = {problem["fix"] for problem in environment.info()["problems"]}
    assert fixes
    assert not any("pip" in fix or "make" in fix for fix in fixes)


def test_a_wrong_profile_is_reported(monkeypatch):
    monkeypatch.setenv("GAN_PROFILE", "huge")
    facts = environment.info()
    assert facts["profile"] is None
    assert any("huge" in problem["what"] for problem in facts["problems"])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("3.12.9", "older"),
        ("3.13", None),
        ("3.13.2", None),
        ("3.15.1", None),
        ("3.16.0", "newer"),
        ("3.9", "older"),
        ("4.0", "newer"),
    ],
)
def test_window_counts_patch_releases_as_their_minor_version(found, expected):
    assert environment.outside(found, Window("3.13", "3.15")) == expected


def test_any_tensorflow_wheel_counts(monkeypatch):
    def only_nightly(name):
        if name == "tf-nightly":
            return "2.22.0"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", only_nightly)
    assert environment.version("tensorflow") == "2.22.0"
    assert environment.version("numpy") is None


def test_the_lists_of_what_is_needed_agree(project, pins):
    """pyproject.toml, requirements.txt and `TESTED` name the same packages."""
    needed = {canonicalize_name(name) for name in environment.TESTED}
    assert needed == names(project["dependencies"]) | {"tensorflow"}
    assert needed <= set(pins) | {"tensorflow"}
    for requirement in project["dependencies"]:
        wanted = Requirement(requirement)
        pin = next(iter(pins[canonicalize_name(wanted.name)].specifier)).version
        assert wanted.specifier.contains(pin), requirement
        window = environment.TESTED[wanted.name]
        assert environment.outside(pin, window) is None, requirement


def test_every_direct_requirement_is_pinned_exactly(pins):
    for name, requirement in pins.items():
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", name
