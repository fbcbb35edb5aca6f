"""Fetch: every picture of the index is here and is a picture, or it is known why not.

Pictures named by a URL are downloaded, politely and with suspicion, and written to
`sources/<id>.png` as pixels without any metadata. Pictures in a folder or zip stay
where they are; they are decoded once to see that they can be.

    with Index("work") as index:
        index.add(inputs.read("urls.csv"))
        print(fetch.run(index))

It may be stopped at any moment, by Ctrl-C, a kill or a full disk, and run again: it
goes on, even within a file that was cut, and ends with the files of an unbroken run.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from tqdm.auto import tqdm

from data_prep import atomic
from data_prep import workers as children
from data_prep.fetching import verify
from data_prep.fetching.answers import Outcome, is_full
from data_prep.fetching.downloads import Downloads
from data_prep.fetching.notes import Notes
from data_prep.fetching.partial import FOLDER as PARTS
from data_prep.fetching.partial import Partial
from data_prep.fetching.settings import DEFAULTS, FetchSettings
from data_prep.index import Index
from data_prep.purged import listed, remove_purged
from data_prep.records import Source

_RATING = "rating"  # how the reason of a picture begins that its rating leaves out


def run(
    index: Index,
    settings: FetchSettings = DEFAULTS,
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> dict[str, int]:
    """Fetch what is new, what failed before, and what the settings ask for anew.

    Args:
        index: its sources with status "new" or "failed" are worked on.
        settings: limits and manners.
        workers: child processes that decode; 0: one for each core. The address of a
            Dask scheduler is for local pictures; downloads are looked at here.
        progress: show a bar.
        dry_run: change nothing, only count.
    Returns: how many came to be "fetched", "unchanged" (after `refresh`), "failed",
        "dropped" and "purged"; with `dry_run` how many are "to download", "to check"
        (local files) and would be "dropped" for their rating.
    Raises: OSError when the disk is full; nothing is broken then, run it again.
    """
    if dry_run:
        gone = listed(index, index.purged())
        names = ("dropped", "to check", "to download")
        counts = Counter(
            dict(zip(names, map(len, _plan(index, settings, gone)), strict=True))
        )
        return dict(+counts)
    try:
        _tidy(index)
        gone = remove_purged(index)[0]
        plan = _plan(index, settings)
        total = sum(map(len, plan))
        with tqdm(
            total=total, desc="fetch", unit="picture", disable=not progress
        ) as bar:
            counts = _Run(index, settings, bar).all(*plan, workers)
        counts["purged"] += len(gone) + len(remove_purged(index)[0])
        return dict(+counts)
    except (sqlite3.OperationalError, OSError) as error:
        if is_full(error):
            raise OSError(errno.ENOSPC, _NO_ROOM.format(index.folder)) from error
        raise


_NO_ROOM = (
    "The disk has no room for more in {}. Nothing is lost: free some space and run "
    "the same command again; it goes on from here"
)


def _tidy(index: Index) -> None:
    """Remove what a killed run left: half-written files, and those of no more use."""
    folder = index.folder / verify.FOLDER
    atomic.sweep(folder)
    pictures = {path.stem for path in folder.glob("*.png")}
    for source in index.sources(origin=""):
        if source.status != "fetched" and source.id in pictures:
            (folder / f"{source.id}.png").unlink(missing_ok=True)
        if source.status in ("fetched", "dropped"):
            Partial(index.folder, source.id).remove()


def _plan(
    index: Index, settings: FetchSettings, gone: Collection[Source] = ()
) -> tuple[list[Source], list[Source], list[Source]]:
    """Pictures to leave out, local ones to look at, and those to download."""
    unwanted, local, remote = [], [], []
    left_out = {source.id for source in gone}
    for source in index.sources():
        if source.id in left_out:
            continue
        if source.status == "fetched" and _lost(index, source):
            source = replace(source, status="new", source_sha256="")
        if source.rating.lower() not in settings.ratings:
            if source.status != "dropped":
                unwanted.append(source)
        elif _pending(source, settings):
            (local if source.origin else remote).append(source)
    return unwanted, local, remote


def _lost(index: Index, source: Source) -> bool:
    return not source.origin and not (index.folder / source.path).is_file()


def _pending(source: Source, settings: FetchSettings) -> bool:
    if source.status == "dropped":
        # A picture that scanning skipped has no path to look at.
        usable = bool(source.path or not source.origin)
        return usable and (settings.again or source.reason.startswith(_RATING))
    if source.status == "fetched":
        return settings.refresh and not source.origin
    return True


class _Run:
    """One run: changes wait here until there are enough to be written at once."""

    def __init__(self, index: Index, settings: FetchSettings, bar: tqdm):
        self.index, self.settings, self.bar = index, settings, bar
        self.counts: Counter[str] = Counter()
        self.purged = index.purged()
        self._changes: list[tuple[Source, dict]] = []
        self._written = time.monotonic()

    def all(
        self,
        unwanted: Iterable[Source],
        local: Iterable[Source],
        remote: Sequence[Source],
        workers: int | str,
    ) -> Counter[str]:
        try:
            for source in unwanted:
                outcome = Outcome("dropped", f"{_RATING}: {source.rating}")
                self._record(source, outcome)
            self._look_at(local, workers)
            if remote:
                self._download(remote, workers)
        finally:
            self._write()
        with contextlib.suppress(OSError):
            # It stays when a later run has something in it to go on with.
            (self.index.folder / PARTS).rmdir()
        return self.counts

    def _look_at(self, local: Iterable[Source], workers: int | str) -> None:
        tasks = (self._task(source) for source in local)
        for task, result in children.run(verify.local, tasks, workers=workers):
            if isinstance(result, children.Failure):
                outcome = Outcome("dropped", result.reason)
            else:
                outcome = Outcome("fetched", picture=result)
            self._record(task.source, outcome)
            self._write(every_s=children.BATCH_S)

    def _task(self, source: Source) -> verify.Task:
        limits = (self.settings.min_side_px, self.settings.max_pixels)
        return verify.Task(self.index.folder, source, "", *limits)

    def _download(self, remote: Iterable[Source], workers: int | str) -> None:
        with Notes(self.index.folder) as notes:
            here = 0 if isinstance(workers, str) else workers
            downloads = Downloads(self.index.folder, self.settings, notes, here)
            with contextlib.closing(downloads.run(remote)) as results:
                for result in results:
                    if result is not None:
                        self._record(*result)
                        self._note(notes, *result)
                    self._write(every_s=children.BATCH_S)

    def _note(self, notes: Notes, source: Source, outcome: Outcome) -> None:
        origin = outcome.picture.origin if outcome.picture else None
        if origin and (origin.etag or origin.last_modified):
            notes.set_file(source.id, origin.etag, origin.last_modified)

    def _record(self, source: Source, outcome: Outcome) -> None:
        """Note what became of a picture; it is written with the next batch."""
        self.counts[outcome.status] += 1
        self.bar.update()
        self.bar.set_postfix(dict(self.counts), refresh=False)
        if source.status == "fetched" and outcome.status in ("unchanged", "failed"):
            return  # asked anew in vain: the picture of last time stays
        picture = outcome.picture
        values: dict[str, str | int] = {
            "status": outcome.status,
            "reason": outcome.reason,
            "attempts": source.attempts + outcome.tries,
        }
        if picture:
            values |= {
                "source_sha256": picture.sha256,
                "width": picture.width,
                "height": picture.height,
            }
            if picture.sha256 in self.purged:
                self.index.purge(source.id)  # the same bytes at another address
            if source.source_sha256 != picture.sha256:
                values["detect_key"] = ""
        if not source.origin:
            kept = outcome.status == "fetched"
            values["path"] = f"{verify.FOLDER}/{source.id}.png" if kept else ""
        self._changes.append((source, values))
        if len(self._changes) >= children.BATCH:
            self._write()

    def _write(self, every_s: float = 0.0) -> None:
        if time.monotonic() - self._written < every_s:
            return
        with self.index.transaction():
            for source, values in self._changes:
                self.index.update(source.id, **values)
        for source, values in self._changes:
            # Only now: a run that is killed before finds them and goes on with them.
            if not source.origin and values["status"] != "failed":
                Partial(self.index.folder, source.id).remove()
            if values.get("path") == "":
                path = self.index.folder / verify.FOLDER / f"{source.id}.png"
                path.unlink(missing_ok=True)
        self._changes.clear()
        self._written = time.monotonic()
