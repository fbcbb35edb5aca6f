"""A process that draws faces: ``python face_worker.py KIND STYLE SPLIT SEED SIZE``.

It reads lines "start stop" and answers with the raw bytes of those faces.
resvg holds the interpreter lock while it draws, so threads do not help, and
`multiprocessing` would import TensorFlow (through `gan_lib`) in every worker
and run an unguarded user script again.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path


def main(kind: str, style: str, split: str, seed: str, size: str) -> None:
    """Answer requests until standard input is closed, also by a parent's death."""
    from gan_lib.data.face_draw import draw_range

    for request in sys.stdin:
        start, stop = map(int, request.split())
        faces = draw_range(kind, style, split, int(seed), int(size), start, stop)
        sys.stdout.buffer.write(faces.tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    # stands for the package without running its __init__, which loads Keras
    package = types.ModuleType("gan_lib")
    package.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["gan_lib"] = package
    sys.path.pop(0)  # this folder, whose names could hide other modules
    main(*sys.argv[1:])
