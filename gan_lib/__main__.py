"""`python -m gan_lib info` and `python -m gan_lib models`; `--json` for machines."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable


def published() -> dict[str, dict[str, dict[str, int]]]:
    """Parameter count of each network at every published configuration.

    Returns: configuration -> network -> {"parameters", "trainable"}. Keras counts the
        running averages of batch normalization as parameters, the papers and PyTorch
        do not: compare theirs with "trainable". The networks are built, not looked up,
        so this takes a few seconds a model.
    """
    import keras

    counts: dict[str, dict[str, dict[str, int]]] = {}
    for name, build in builders().items():
        counts[name] = {key: _count(network) for key, network in build().items()}
        keras.backend.clear_session()
    return counts


def builders() -> dict[str, Callable]:
    """What builds the networks of each published configuration, by name."""
    import importlib
    import pkgutil

    from gan_lib import models

    names = [found.name for found in pkgutil.iter_modules(models.__path__)]
    modules = [importlib.import_module(f"{models.__name__}.{name}") for name in names]
    tables = [getattr(module, "PUBLISHED", {}) for module in modules]
    return {name: build for table in tables for name, build in table.items()}


def _count(network) -> dict[str, int]:
    trainable = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    return {"parameters": network.count_params(), "trainable": trainable}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gan_lib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {
        "info": "versions, device and what is missing: for a bug report",
        "models": "every model with the parameter count of each network",
    }.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    if args.command == "info":
        from gan_lib import environment

        facts = environment.info()
        print(json.dumps(facts, indent=2) if args.json else environment.report(facts))
    else:
        counts = published()
        if args.json:
            print(json.dumps(counts, indent=2))
        for name, networks in counts.items() if not args.json else ():
            for network, count in networks.items():
                print(
                    f"{name:28}{network:16}{count['parameters']:>12,} parameters, "
                    f"{count['trainable']:,} trainable"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
