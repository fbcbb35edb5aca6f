"""Votes to shares: who counts, what was preferred, how sure that is."""

from __future__ import annotations

import collections
import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep import atomic
from gan_lib.plot.style import Table, table
from gan_lib.study.agreement import (
    Agreement,
    bootstrap_shares,
    fleiss_kappa,
    wilson_interval,
)
from gan_lib.study.plan import CHECK, REPEAT, VOTE
from gan_lib.study.votes import FAILED, Vote, read_votes


@dataclass(frozen=True)
class Share:
    """How often one model was preferred.

    Attributes:
        votes: for it.
        share: of all votes, 0 to 1.
        interval: 95 %, for voters and questions drawn at random; quote this one.
        wilson: 95 %, as if all votes were independent: mostly too narrow.
    """

    votes: int
    share: float
    interval: tuple[float, float]
    wilson: tuple[float, float]


@dataclass(frozen=True)
class Results:
    """What a study found.

    Attributes:
        target: name of the target domain, as voters were told.
        shares: model -> Share, most preferred first.
        voters: whose votes count.
        unfinished: how many of these have not answered everything (their votes count).
        excluded: voter's number -> why the votes do not count.
        questions: sources with at least one vote.
        agreement: between voters.
        consistency: share of repeated questions answered the same; None without any.
        repeated: how many answers `consistency` rests on.
    """

    target: str
    shares: Mapping[str, Share]
    voters: int
    unfinished: int
    excluded: Mapping[str, str]
    questions: int
    agreement: Agreement
    consistency: float | None
    repeated: int

    def table(self) -> Table:
        """A line for each model, in per cent; a notebook shows it as a table."""
        return table(
            [
                {
                    "model": model,
                    "preferred %": round(100 * found.share, 2),
                    "95 % interval": _percent(found.interval),
                    "Wilson interval": _percent(found.wilson),
                    "votes": found.votes,
                }
                for model, found in self.shares.items()
            ]
        )

    def __str__(self) -> str:
        kappa, observed, by_chance = self.agreement
        votes = sum(found.votes for found in self.shares.values())
        lines = [
            f"Best translation into {self.target}. Votes: {votes}; voters: "
            f"{self.voters}, of these unfinished: {self.unfinished}; pictures: "
            f"{self.questions}.",
            self.table(),
            "No picture has votes of two voters, so their agreement is not known."
            if np.isnan(observed)
            else f"Two voters agree on a picture in {observed:.0%} of cases, by chance "
            f"in {by_chance:.0%}: Fleiss' kappa {kappa:.2f}.",
        ]
        if self.consistency is not None:
            lines.append(
                f"Asked again, a voter chose the same in {self.consistency:.0%} of "
                f"{self.repeated} cases."
            )
        reasons = collections.Counter(self.excluded.values())
        lines += [f"Voters left out, {why}: {n}." for why, n in reasons.items()]
        return "\n".join(lines)


def results(
    votes: str | os.PathLike,
    *,
    allowed_failures: int = 0,
    resamples: int = 2000,
    seed: int = 0,
) -> Results:
    """Shares of preference with intervals, and how far the voters agree.

    share_m = votes for m / all votes, as in the study of Kim et al. 2020 (U-GAT-IT,
    arXiv:1907.10830); each question has one vote a voter. The interval reaches as far
    as `bootstrap_shares` or `wilson_interval`, whichever is farther: a bootstrap alone
    would claim 0 to 0 for a model without a vote. Agreement: `fleiss_kappa`.

    Left out are voters who failed more than `allowed_failures` attention checks, and
    those who answered nothing but checks. Repeated questions count only for
    `consistency`.

    Args:
        votes: the SQLite file, also while the page runs.
        allowed_failures: failed checks that are forgiven.
        resamples, seed: of the bootstrap.
    Returns: Results; print it.
    Raises: ValueError if no vote counts; FileNotFoundError, OSError, ValueError for a
        file that is not one of votes.
    """
    about, cast = read_votes(votes)
    excluded = _excluded(cast, allowed_failures)
    counted = [vote for vote in cast if vote.voter not in excluded]
    first = [vote for vote in counted if vote.kind == VOTE]
    if not first:
        reasons = ", ".join(sorted(set(excluded.values()))) or "nobody has voted"
        raise ValueError(
            f"{votes} has no vote that counts; {len(excluded)} voters are left out "
            f"({reasons}). Wait for votes, or raise allowed_failures."
        )
    chosen = _one_hot(first, about["models"])  # (voters, questions, models)
    intervals = bootstrap_shares(chosen, resamples=resamples, seed=seed)
    number = chosen.sum(axis=(0, 1)).astype(int)
    shares = {
        about["models"][m]: _share(int(number[m]), int(number.sum()), intervals[m])
        for m in np.argsort(-number, kind="stable")
    }
    answered = collections.Counter(vote.voter for vote in counted)
    same = _repeats(counted)
    return Results(
        target=about["target"],
        shares=shares,
        voters=chosen.shape[0],
        unfinished=sum(count < sum(about["asked"]) for count in answered.values()),
        excluded=excluded,
        questions=chosen.shape[1],
        agreement=fleiss_kappa(chosen.sum(axis=0)),
        consistency=float(np.mean(same)) if same else None,
        repeated=len(same),
    )


def export_csv(votes: str | os.PathLike, path: str | os.PathLike) -> Path:
    """Write every answer as a line: voter, kind, question, choice.

    Also those of voters who are left out of the results. The file appears complete or
    not at all, and replaces one of that name.

    Args:
        votes: the SQLite file, also while the page runs.
        path: of the CSV file.
    Returns: the file.
    Raises: as `results`.
    """
    _, cast = read_votes(votes)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["voter", "kind", "question", "choice"])
    writer.writerows([v.voter, v.kind, v.question, v.choice] for v in cast)
    path = Path(path).expanduser()
    with atomic.replacing(path) as file:
        file.write(text.getvalue().encode())
    return path


def _share(votes: int, total: int, interval: np.ndarray) -> Share:
    low, high = wilson_interval(votes, total)
    wide = (min(low, float(interval[0])), max(high, float(interval[1])))
    return Share(votes, votes / total, wide, (low, high))


def _excluded(cast: Sequence[Vote], allowed: int) -> dict[str, str]:
    failed = collections.Counter(
        vote.voter for vote in cast if vote.kind == CHECK and vote.choice == FAILED
    )
    voted = {vote.voter for vote in cast if vote.kind == VOTE}
    reasons = dict.fromkeys({v.voter for v in cast} - voted, "no vote yet")
    for voter, number in failed.items():
        if number > allowed:
            reasons[voter] = "failed an attention check"
    return dict(sorted(reasons.items()))


def _one_hot(votes: Sequence[Vote], models: Sequence[str]) -> np.ndarray:
    """0 or 1, float64 (voters, questions, models)."""
    voters = {name: n for n, name in enumerate(sorted({v.voter for v in votes}))}
    questions = {name: n for n, name in enumerate(sorted({v.question for v in votes}))}
    chosen = np.zeros((len(voters), len(questions), len(models)))
    for vote in votes:
        model = models.index(vote.choice)
        chosen[voters[vote.voter], questions[vote.question], model] = 1
    return chosen


def _repeats(counted: Sequence[Vote]) -> list[bool]:
    """For each repeated question whether the answer was the same."""
    first = {(v.voter, v.question): v.choice for v in counted if v.kind == VOTE}
    return [
        first[vote.voter, vote.question] == vote.choice
        for vote in counted
        if vote.kind == REPEAT and (vote.voter, vote.question) in first
    ]


def _percent(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
