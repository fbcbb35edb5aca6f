"""Colour drawings with a generator that the pix2pix notebook trained.

Without --folder: a page to draw on, at an address that only this computer can open.
"""

from __future__ import annotations

import argparse
import os
import sys

from data_prep.scan import printable, table


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from gan_lib.demo.colouring import load_generator
    from gan_lib.demo.page import NotInstalled

    try:
        generate = load_generator(arguments.generator)
        if arguments.folder:
            return _folder(generate, arguments)
        from gan_lib.demo.page import serve

        serve(generate, port=arguments.port, line_width=arguments.line_width)
    except (OSError, ValueError, NotInstalled) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _folder(generate, arguments: argparse.Namespace) -> int:
    from gan_lib.demo.folder import colour_folder

    done = colour_folder(
        generate,
        *arguments.folder,
        force=arguments.force,
        line_width=arguments.line_width,
        trim=arguments.trim,
        progress=not arguments.quiet,
    )
    print(f"{len(done.written)} drawings coloured")
    print(*table(done.skipped), sep="\n", end="\n" if done.skipped else "")
    return 0 if done.written else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gan_lib.demo", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "generator", help="folder that `model.export` wrote, or its generator.keras"
    )
    parser.add_argument(
        "--port", type=_port, default=7860, help="of the page; 0: any (7860)"
    )
    parser.add_argument(
        "--line-width",
        type=_width,
        default=1.0,
        help="1 for generators trained on lorelei, 0.65 for adventurer",
    )
    parser.add_argument(
        "--folder",
        nargs=2,
        metavar=("IN", "OUT"),
        help="no page: colour every drawing in IN into OUT",
    )
    parser.add_argument("--force", action="store_true", help="replace files in OUT")
    parser.add_argument(
        "--trim", action="store_true", help="cut each drawing in IN to its ink first"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(
            f"expected a port from 0 to 65535, but got {printable(text)}"
        )
    return int(text)


def _width(text: str) -> float:
    try:
        width = float(text)
    except ValueError:
        width = -1.0
    if width and not 0.5 <= width <= 4:
        raise argparse.ArgumentTypeError(
            "expected 0.5 (fine) to 4 (broad), or 0 to leave lines as they are, but "
            f"got {printable(text)}"
        )
    return width


if __name__ == "__main__":
    sys.exit(main())
