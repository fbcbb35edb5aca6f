"""Pictures in, a set of faces for a GAN out: `python -m data_prep --help`."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from data_prep import detectors, inputs, pipeline, purge, report
from data_prep.index import Index
from data_prep.options import add_options, settings_of
from data_prep.packing import packed

SUMMARIES = {
    "fetch": "download what INPUT lists, or check that its pictures can be read",
    "detect": "find the faces in every picture",
    "crop": "cut them out as squares",
    "filter": "leave out what is too small, blurred, grey, empty or text",
    "dedupe": "leave out copies and near copies, keeping the best one",
    "pack": "write images/, shards, manifest.csv, dataset.json and report.html",
}
STOPPED = "Stopped. The same command goes on from here."


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 on an error, 130 after Ctrl-C."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.call(arguments)
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130
    except sqlite3.Error as error:
        print(
            f"error: the index cannot be written: {error}. {STOPPED}", file=sys.stderr
        )
        return 1
    except (OSError, ValueError, RuntimeError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="data_prep", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    every = commands.add_parser("faces", help="all stages, from INPUT to OUTPUT")
    every.add_argument("input", help=(inputs.__doc__ or "").splitlines()[0])
    every.add_argument("output", type=Path, help="work folder, made if need be")
    taken: set[str] = set()
    for _, settings in pipeline.STAGES.values():
        add_options(every, settings, taken)
    _add_common(every, _faces)
    for name, (_, settings) in pipeline.STAGES.items():
        command = commands.add_parser(name, help=SUMMARIES[name])
        if name == "fetch":
            command.add_argument("input", nargs="?", help="more pictures to add")
        command.add_argument("output", type=Path, help="work folder")
        add_options(command, settings)
        _add_common(command, _stage, name=name)
    _add_purge(commands)
    for name, call, text in (
        ("report", _report, "write report.html and manifest.csv anew"),
        ("verify", _verify, "check every packed file against its SHA-256"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("output", type=Path, help="work folder")
        command.set_defaults(call=call)
    command = commands.add_parser("detectors", help="which detectors work here")
    command.set_defaults(call=_detectors)
    return parser


def _add_common(command: argparse.ArgumentParser, call, **defaults) -> None:
    command.add_argument(
        "--workers",
        default="0",
        help="processes, 0: one for each core; or tcp://... of a Dask scheduler",
    )
    command.add_argument("--dry-run", action="store_true", help="change nothing")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(call=call, **defaults)


def _common(arguments: argparse.Namespace) -> dict:
    workers = arguments.workers
    return {
        "workers": int(workers) if workers.isdecimal() else workers,
        "progress": not arguments.quiet,
        "dry_run": arguments.dry_run,
    }


def _faces(arguments: argparse.Namespace) -> int:
    settings = {
        name: settings_of(arguments, kind)
        for name, (_, kind) in pipeline.STAGES.items()
    }
    counts = pipeline.faces(
        arguments.input, arguments.output, **_common(arguments), **settings
    )
    for name, outcomes in counts.items():
        _say(name, outcomes)
    if not arguments.dry_run:
        print(f"Look at {arguments.output / 'report.html'}")
    return 0


def _stage(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments, pipeline.STAGES[arguments.name][1])
    if arguments.name == "fetch" and arguments.input and not arguments.dry_run:
        with Index(arguments.output) as index:
            index.add(inputs.read(arguments.input))
    counts = pipeline.stage(
        arguments.name, arguments.output, settings, **_common(arguments)
    )
    _say(arguments.name, counts)
    return 0


def _say(name: str, outcomes: dict[str, int]) -> None:
    text = ", ".join(f"{count:,} {what}" for what, count in outcomes.items() if count)
    print(f"{name:8s} {text or 'nothing to do'}")


def _add_purge(commands) -> None:
    command = commands.add_parser(
        "purge", help="take pictures out for good, for people who ask for it"
    )
    command.add_argument("output", type=Path, help="work folder")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--url", help="address of a picture, or its path in INPUT")
    which.add_argument("--host", help="all pictures of a host and those below it")
    which.add_argument("--sha256", help="of a picture as it came, or of a crop")
    which.add_argument("--source-id", help="as in the names of images/")
    command.add_argument("--dry-run", action="store_true", help="change nothing")
    command.set_defaults(call=_purge)


def _purge(arguments: argparse.Namespace) -> int:
    which = {
        name: getattr(arguments, name)
        for name in ("url", "host", "sha256", "source_id")
    }
    result = purge.purge(arguments.output, dry_run=arguments.dry_run, **which)
    print(result.message)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    with Index(arguments.output) as index:
        print(index.export(), report.write_report(index), sep="\n")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    problems = packed.verify(arguments.output)
    print(*problems or ["Every file is as it was packed."], sep="\n")
    return 1 if problems else 0


def _detectors(arguments: argparse.Namespace) -> int:
    print(*detectors.available(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
