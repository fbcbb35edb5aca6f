"""A preference study in class: show pictures of several models, count the votes.

`page` opens the page to vote on; `results` prints what was preferred, also meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from gan_lib.study.server import NotInstalled

    try:
        return arguments.run(arguments)
    except (OSError, ValueError, NotInstalled) as error:
        print(error, file=sys.stderr)
        return 1


def _page(arguments: argparse.Namespace) -> int:
    from gan_lib import study

    asked = study.Study(
        study.read_folder(arguments.folder),
        target=arguments.target,
        questions=arguments.questions,
        checks=arguments.checks,
        check=arguments.check,
        repeats=arguments.repeats,
        seed=arguments.seed,
    )
    server = study.serve(
        asked,
        arguments.votes,
        title=arguments.title,
        port=arguments.port,
        network=arguments.network,
        share=arguments.share,
    )
    print(f"Votes go to {arguments.votes}. Ctrl+C ends the page.", flush=True)
    server.wait()
    return 0


def _results(arguments: argparse.Namespace) -> int:
    from gan_lib import study
    from gan_lib.plot.votes import preferences

    found = study.results(arguments.votes, allowed_failures=arguments.allowed_failures)
    print(found)
    if arguments.csv:
        print(f"Every answer: {study.export_csv(arguments.votes, arguments.csv)}")
    if arguments.figure:
        preferences(found).savefig(arguments.figure)
        print(f"Figure: {arguments.figure}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gan_lib.study",
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="page | results")
    style = {"formatter_class": argparse.ArgumentDefaultsHelpFormatter}

    page = commands.add_parser("page", help="open the page to vote on", **style)
    page.set_defaults(run=_page)
    add = page.add_argument
    add("folder", help="holds source/ and a folder for each model, with equal names")
    add("--votes", default="votes.sqlite", help="file of the votes; continued if there")
    add("--target", default="the other domain", help="what voters are told, e.g. anime")
    add("--title", default="Which picture is best?", help="above the page")
    add("--questions", type=int, help="for each voter (default: all)")
    add("--checks", type=int, default=0, help="attention checks for each voter")
    add("--check", choices=("source", "noise"), default="source", help="kind of check")
    add("--repeats", type=int, default=0, help="questions asked twice")
    add("--seed", type=int, default=0, help="of all orders")
    add("--port", type=int, default=8000, help="of the page; 0: any")
    add("--network", action="store_true", help="open it to the devices of this network")
    add("--share", action="store_true", help="public link through Gradio's server")

    found = commands.add_parser("results", help="print what was preferred", **style)
    found.set_defaults(run=_results)
    found.add_argument("votes", help="the file of the votes")
    found.add_argument("--csv", help="write every answer to this file")
    found.add_argument("--figure", help="write the shares as a picture (png, svg, pdf)")
    found.add_argument(
        "--allowed-failures", type=int, default=0, help="failed checks to forgive"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
