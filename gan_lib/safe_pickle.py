"""Pickles from strangers, read as data.

A pickle is a program: loading one can run anything. The unpickler here knows the few
names that a format needs and refuses every other one before it is imported.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any


class UnsafePickleError(pickle.UnpicklingError):
    """The file names something that its format does not need."""


# The one written in Python: with the one in C a file of nine bytes can fill the memory.
class Unpickler(pickle._Unpickler):
    """Reads what is made of plain values and of `ALLOWED`, (module, name) -> stand-in.

    What stands in for a class is a class of Python or one that checks the state that
    the file gives it, for the file may call it with anything.
    """

    ALLOWED: Mapping[tuple[str, str], Any]
    EXPECTED: str  # what the file should have been
    ADVICE: str  # what to do if it is not

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise UnsafePickleError(
                f"Expected {self.EXPECTED}, got one that asks for '{module}.{name}'. "
                f"Nothing was run. {self.ADVICE}"
            ) from None

    def load_or(self, unreadable: Callable[[str], ValueError]) -> Any:
        """The object; `unreadable` makes the error out of the reason why not."""
        try:
            return self.load()
        except UnsafePickleError:
            raise
        except Exception as error:  # a damaged pickle fails in many ways
            raise unreadable(f"{type(error).__name__}: {error}") from error
