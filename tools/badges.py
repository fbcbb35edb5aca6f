"""Point every badge and link at one fork: `make badges REPO=owner/name`.

The setting is `[tool.gan_notebooks]` in pyproject.toml. Links to other people's
repositories are left alone: only Colab links to our notebooks, the install line and
links to the repository that was set before are rewritten.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SLUG = r"[\w.-]+/[\w.-]+"
# Our notebooks opened in Colab, and the line that installs gan_lib there.
COLAB = re.compile(
    rf"(colab\.research\.google\.com/github/)({SLUG})/blob/[\w.-]+(/notebooks/)"
)
INSTALL = re.compile(rf"(gan_lib @ git\+https://github\.com/)({SLUG})@[\w.-]+")
SETTING = re.compile(
    r'(\[tool\.gan_notebooks\][^\[]*?repository = ")[^"]*("\s*branch = ")[^"]*(")'
)
TEXT_FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md", "STYLE.md")
NOTEBOOK_GLOBS = (
    "notebooks/src/*.py",
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
)


class Fork(NamedTuple):
    """Where the project lives: `repository` is "owner/name" on GitHub."""

    repository: str
    branch: str


def read_setting(root: Path = ROOT) -> Fork:
    """The fork named in pyproject.toml, `[tool.gan_notebooks]`."""
    with open(root / "pyproject.toml", "rb") as file:
        setting = tomllib.load(file)["tool"]["gan_notebooks"]
    return Fork(setting["repository"], setting["branch"])


def rewrite(text: str, fork: Fork, former: Iterable[str] = ()) -> str:
    """`text` with every link to this project pointing at `fork`.

    Args:
        text: Markdown, Python or notebook JSON.
        fork: the repository and branch the links should name.
        former: "owner/name" of repositories whose plain GitHub links are ours too.
    """
    text = COLAB.sub(rf"\g<1>{fork.repository}/blob/{fork.branch}\g<3>", text)
    text = INSTALL.sub(rf"\g<1>{fork.repository}@{fork.branch}", text)
    for old in former:
        page = rf"(github\.com/){re.escape(old)}(?![\w-])"
        text = re.sub(
            rf"{page}(/(?:blob|tree)/)[\w.-]+",
            rf"\g<1>{fork.repository}\g<2>{fork.branch}",
            text,
        )
        text = re.sub(page, rf"\g<1>{fork.repository}", text)
        text = re.sub(
            rf"(raw\.githubusercontent\.com/){re.escape(old)}/[\w.-]+/",
            rf"\g<1>{fork.repository}/{fork.branch}/",
            text,
        )
    return text


def linked_files(root: Path = ROOT) -> list[Path]:
    """Every file that may hold a badge or a link to this project."""
    files = [root / name for name in TEXT_FILES if (root / name).exists()]
    return files + [p for glob in NOTEBOOK_GLOBS for p in sorted(root.glob(glob))]


def apply(fork: Fork, root: Path = ROOT, *, write: bool = True) -> list[Path]:
    """Rewrite all links under `root`; return the files that change."""
    texts = {path: path.read_text(encoding="utf-8") for path in linked_files(root)}
    former = {read_setting(root).repository}
    for text in texts.values():
        former |= {m[2] for pattern in (COLAB, INSTALL) for m in pattern.finditer(text)}
    changed = []
    for path, text in texts.items():
        new = rewrite(text, fork, sorted(former, key=len, reverse=True))
        if path.name == "pyproject.toml":
            new = SETTING.sub(rf"\g<1>{fork.repository}\g<2>{fork.branch}\g<3>", new)
        if new != text:
            changed.append(path)
            if write:
                path.write_text(new, encoding="utf-8")
    return changed


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", nargs="?", help="owner/name; default: as set")
    parser.add_argument("--branch", help="branch or tag; default: as set")
    parser.add_argument("--check", action="store_true", help="only report, exit 1")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    setting = read_setting(args.root)
    fork = Fork(args.repository or setting.repository, args.branch or setting.branch)
    if not re.fullmatch(SLUG, fork.repository):
        parser.error(f"expected REPO=owner/name, got {fork.repository!r}")
    if not re.fullmatch(r"[\w.-]+", fork.branch):
        parser.error(f"expected a branch name without '/', got {fork.branch!r}")
    changed = apply(fork, args.root, write=not args.check)
    for path in changed:
        print(f"{'would change' if args.check else 'changed'} {path.name}")
    print(f"{len(changed)} file(s) differ from {fork.repository} on {fork.branch}")
    return 1 if args.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
