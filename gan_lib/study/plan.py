"""Which questions a voter is asked, in which order: given by the voter's number."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gan_lib.study.pictures import SOURCE, Pictures

VOTE, CHECK, REPEAT = KINDS = ("vote", "check", "repeat")
CHECK_KINDS = (SOURCE, "noise")
FALSE_FRIEND = -1  # stands for the picture of a check among the models' numbers
_VOTER = re.compile("[0-9a-f]{16}")


class Item(NamedTuple):
    """One question to one voter.

    Attributes:
        kind: "vote", "check" or "repeat".
        question: number of the source.
        order: models' numbers from left to right; in a check one is `FALSE_FRIEND`.
    """

    kind: str
    question: int
    order: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Study:
    """Pictures, and how they are asked about.

    Args:
        pictures: from `from_arrays` or `read_folder`.
        target: name of the target domain, the only thing voters are told, as in the
            study of Kim et al. 2020 (U-GAT-IT, arXiv:1907.10830).
        questions: how many each voter gets, drawn for each anew; default all.
        checks: attention checks mixed in. Those who fail one are left out of the
            results. They show a source of their own, which is not asked about again.
        check: "source": voters are asked to choose the copy of the source, so a voter
            who clicks blindly passes all with probability n^-checks, n models.
            "noise": the usual question, noise is the wrong answer, and a blind click
            passes with (1 - 1/n)^checks, which lets many through.
        repeats: questions of the first half asked once more at the end, in a new
            order, to see how consistent voters are. They do not count as votes.
        seed: with the voter's number it decides every order.
    Raises: ValueError for what does not fit together.
    """

    pictures: Pictures
    target: str = "the other domain"
    questions: int | None = None
    checks: int = 0
    check: str = SOURCE
    repeats: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.check not in CHECK_KINDS:
            raise ValueError(
                f"check: expected one of {CHECK_KINDS}, got {self.check!r}."
            )
        if self.checks < 0 or self.repeats < 0 or self.seed < 0:
            raise ValueError(
                "checks, repeats, seed: expected 0 or more, got "
                f"{self.checks}, {self.repeats}, {self.seed}."
            )
        available = len(self.pictures.names) - self.checks
        if available < 1:
            raise ValueError(
                f"checks: each uses up a source, and {self.checks} of "
                f"{len(self.pictures.names)} leave none to ask about. Expected fewer."
            )
        if self.questions is not None and not 1 <= self.questions <= available:
            raise ValueError(
                f"questions: expected 1 to {available} ({len(self.pictures.names)} "
                f"sources less {self.checks} for checks), got {self.questions}."
            )
        if self.repeats > self.count // 2:
            raise ValueError(
                f"repeats: expected at most {self.count // 2}, half of the "
                f"{self.count} questions, so that others lie between, got "
                f"{self.repeats}."
            )

    @property
    def count(self) -> int:
        """Questions for each voter, without checks and repeats."""
        if self.questions is not None:
            return self.questions
        return len(self.pictures.names) - self.checks

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits; votes of one are never mixed with another's."""
        rules = (self.target, self.count, self.checks, self.check, self.repeats)
        text = repr((self.pictures.fingerprint, rules, self.seed))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def plan(self, voter: str) -> tuple[Item, ...]:
        """All questions to one voter, in order.

        Args:
            voter: 16 hexadecimal digits.
        Raises: ValueError for anything else.
        """
        rng = np.random.default_rng([self.seed, _number(voter), len(KINDS)])
        # The sources of the checks are the same for all, so that each of the others
        # is asked about equally often.
        shared = np.random.default_rng(self.seed).permutation(len(self.pictures.names))
        for_checks, others = shared[: self.checks], shared[self.checks :]
        votes = rng.permutation(others)[: self.count]
        items = [self._item(VOTE, question, voter) for question in votes]
        for question in for_checks:  # never the first
            place = rng.integers(1, len(items), endpoint=True)
            items.insert(place, self._item(CHECK, question, voter))
        early = votes[: len(votes) - len(votes) // 2]
        again = rng.permutation(early)[: self.repeats]
        items += [self._item(REPEAT, question, voter) for question in again]
        return tuple(items)

    def words(self, item: Item) -> str:
        """What the page asks."""
        if item.kind == CHECK and self.check == SOURCE:
            return (
                "Attention check: choose the picture that is the same as the original"
            )
        return f"Which picture is the best translation into {self.target}?"

    def passed(self, item: Item, slot: int) -> bool:
        """Whether the answer `slot` to a check is the right one."""
        return (item.order[slot] == FALSE_FRIEND) == (self.check == SOURCE)

    def picture(self, question: int, number: int | None) -> np.ndarray:
        """What a model made of a source, uint8 (H, W, 3).

        Args:
            question: number of the source.
            number: of the model; `FALSE_FRIEND`, the picture of a check; None, the
                source itself.
        """
        candidates = self.pictures.candidates
        if number is None or (number == FALSE_FRIEND and self.check == SOURCE):
            return self.pictures.sources[question]
        if number != FALSE_FRIEND:
            return candidates[self.pictures.models[number]][question]
        shape = candidates[self.pictures.models[0]][question].shape
        rng = np.random.default_rng([self.seed, question])
        return rng.integers(0, 256, shape, np.uint8)

    def _item(self, kind: str, question: int, voter: str) -> Item:
        seed = [self.seed, _number(voter), KINDS.index(kind), int(question)]
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self.pictures.models))
        if kind == CHECK:
            order[rng.integers(len(order))] = FALSE_FRIEND
        return Item(kind, int(question), tuple(map(int, order)))


def _number(voter: str) -> int:
    if not isinstance(voter, str) or not _VOTER.fullmatch(voter):
        raise ValueError(f"voter: expected 16 hexadecimal digits, got {voter!r}.")
    return int(voter, 16)
