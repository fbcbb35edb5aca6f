"""What every check of an exercise does with right answers, open and wrong ones."""

import numpy as np
import pytest


def hold_right_and_open(check, answer, ours, monkeypatch):
    """`answer` is right; `ours` is what the lesson goes on with if none is given."""
    assert check(answer) is answer
    assert check(lambda *arguments: ...) is ours
    assert check(ours) is ours
    monkeypatch.setenv("GAN_STRICT", "1")
    with pytest.raises(AssertionError, match="still open"):
        check(None)


def each_mistake(mistakes_of):
    """(check, function, text) of each usual mistake in {check: mistakes}."""
    return [
        (check, *mistake)
        for check, mistakes in mistakes_of.items()
        for mistake in mistakes
    ]


def hold_named(check, wrong, text, convert=np.asarray):
    """A mistake is refused with its own sentence; `convert` makes it an answer's."""
    with pytest.raises(AssertionError) as error:
        check(lambda *arguments: convert(wrong(*map(np.asarray, arguments))))
    assert text in str(error.value)
