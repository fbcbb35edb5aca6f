"""The settings of a stage as options of a command, with the words of its docstring."""

from __future__ import annotations

import argparse
import dataclasses
import re
import textwrap
from typing import Any


def add_options(
    parser: argparse.ArgumentParser, settings: type, taken: set[str] | None = None
) -> None:
    """One option for each field of the dataclass `settings`.

    Args:
        parser: gets a group of options named after the stage.
        settings: a dataclass whose name ends in "Settings".
        taken: fields of earlier stages in the same command, added to. A field that two
            stages share is one option, and both get its value.

    `min_side_px: int = 64` becomes `--min-side-px N`, a flag becomes `--grey` and
    `--no-grey`, a tuple takes several words. Help comes from the "Attributes:" part of
    the docstring.
    """
    words = describe(settings)
    group = parser.add_argument_group(settings.__name__.removesuffix("Settings"))
    taken = set() if taken is None else taken
    for field in dataclasses.fields(settings):
        if field.name in taken:
            continue
        taken.add(field.name)
        name, default = "--" + field.name.replace("_", "-"), field.default
        text = words.get(field.name, "").replace("%", "%%")
        options: dict[str, Any] = {"default": default, "dest": field.name}
        if isinstance(default, bool):
            options["action"] = argparse.BooleanOptionalAction
        elif isinstance(default, tuple):
            options |= {"nargs": "*", "metavar": "WORD"}
            text += f" (default: {' '.join(filter(None, default)) or 'none'})"
        else:
            kind = str if default is None else type(default)
            options |= {"type": kind, "metavar": kind.__name__.upper()}
            text += "" if default in (None, "") else f" (default: {default})"
        group.add_argument(name, help=text, **options)


def describe(settings: type) -> dict[str, str]:
    """Field -> its description, from the "Attributes:" part of the docstring."""
    text = textwrap.dedent(" " * 4 + (settings.__doc__ or ""))
    found = re.search(r"Attributes:\n(.*?)(?=\n\S|\n\n|\Z)", text, re.DOTALL)
    if not found:
        return {}
    entries = re.findall(
        r"^    (\w+(?:, \w+)*): (.*?)(?=^    \w|\Z)", found[1] + "\n", re.M | re.S
    )
    return {
        name: " ".join(words.split())
        for names, words in entries
        for name in names.split(", ")
    }


def settings_of(arguments: argparse.Namespace, settings: type) -> Any:
    """The dataclass filled from parsed options; raises its ValueError."""
    values = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(settings)
    }
    lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    return settings(**(values | lists))
