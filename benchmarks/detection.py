"""How well and how fast faces are found: a table of detectors, and a race.

python benchmarks/detection.py --opencv VENV/bin/python --animeface VENV/bin/python

Needs the folder ../shared/data with anime_scenes, anime_illustrations and models. A
face counts as found when a box overlaps its head box by IoU >= 0.5. `--opencv` is a
Python with an OpenCV that has CascadeClassifier (opencv-contrib-python-headless, or
opencv-python-headless<5), `--animeface` one with animeface and Pillow below 12; without
them those detectors are left out. The race is between our stage with two processes and
a plain loop of OpenCV's cascade in one process, in turns, reading the same JPEG files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from data_prep import detectors  # noqa: E402
from data_prep.boxes import iou  # noqa: E402
from data_prep.decode import decode_upright  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
SCENES = DATA / "anime_scenes"
EMPTY = sorted((DATA / "anime_illustrations").glob("snowyyang_BG-*.jpg"))
# From light to dark, as boxes.json names them.
SKINS = ("pale", "fair", "tan", "brown", "dark")


def truth() -> dict[str, list[dict]]:
    return json.loads((SCENES / "boxes.json").read_text())["images"]


def predict(name: str) -> dict:
    """Boxes by picture, and seconds per scene, of one detector."""
    detect = detectors.load(name, models=DATA / "models")
    found, seconds = {}, []
    for path in [*(SCENES / name for name in truth()), *EMPTY]:
        image = decode_upright(path.read_bytes())
        started = time.perf_counter()
        boxes, _ = detect(image)
        if path.parent == SCENES:
            seconds.append(time.perf_counter() - started)
        found[path.name] = boxes.tolist()
    return {"found": found, "seconds": float(np.median(seconds))}


def loop(folder: str, rounds: int) -> dict:
    """The plain loop: what a learner writes with OpenCV, in one process."""
    import cv2

    cascade = cv2.CascadeClassifier(str(DATA / "models/lbpcascade_animeface.xml"))
    found = {}
    started = time.perf_counter()
    for _ in range(rounds):
        for path in sorted(Path(folder).glob("*.jpg")):
            grey = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY)
            found[path.name] = np.reshape(
                cascade.detectMultiScale(
                    cv2.equalizeHist(grey), 1.05, 3, minSize=(48, 48)
                ),
                (-1, 4),
            ).tolist()
    return {"found": found, "seconds": time.perf_counter() - started}


def ours(rounds: int) -> dict:
    """The stage `detect` with two processes, from an index to its rows."""
    from data_prep import detect
    from data_prep.index import Index
    from data_prep.records import Source, source_id

    with tempfile.TemporaryDirectory() as folder, Index(folder) as index:
        index.add(
            Source(source_id(f"{k}/{name}"), f"{k}/{name}", str(SCENES), name)
            for k in range(rounds)
            for name in truth()
        )
        for source in index.sources():
            index.update(source.id, status="fetched")
        started = time.perf_counter()
        detect.run(index, workers=2, progress=False)
        seconds = time.perf_counter() - started
        found: dict[str, list] = {name: [] for name in truth()}
        names = {source.id: source.path for source in index.sources()}
        for face in index.faces():
            box = [face.x, face.y, face.w, face.h]
            if box not in found[names[face.source_id]]:
                found[names[face.source_id]].append(box)
    return {"found": found, "seconds": seconds}


def judged(found: dict[str, list]) -> dict:
    """Hits, precision, recall, F1, recall by skin, false faces on empty pictures."""
    hits, boxes = 0, 0
    by_skin = {skin: [0, 0] for skin in SKINS}
    for name, faces in truth().items():
        left = [np.array(box, float) for box in found[name]]
        boxes += len(left)
        for face in faces:
            x0, y0, x1, y1 = face["head"]
            head = np.array([x0, y0, x1 - x0, y1 - y0], float)
            overlaps = iou(head, np.array(left).reshape(-1, 4))
            by_skin[face["skin"]][1] += 1
            if len(left) and overlaps.max() >= 0.5:
                del left[int(overlaps.argmax())]
                hits += 1
                by_skin[face["skin"]][0] += 1
    count = sum(map(len, truth().values()))
    precision, recall = hits / max(1, boxes), hits / count
    return {
        "hits": hits,
        "precision": precision,
        "recall": recall,
        "F1": 2 * hits / (boxes + count),
        "skin": {skin: a / max(1, b) for skin, (a, b) in by_skin.items()},
        "false": sum(len(found.get(path.name, [])) for path in EMPTY),
    }


def held_out(layers: Path, scenes: int = 150) -> None:
    """Scenes of hair, eyes and mouths that training never drew, by head size."""
    from record import record

    from data_prep.detectors.training.scenes import Painter

    painter, detect = Painter(layers, stock=150, held_out=True), detectors.load()
    sizes, hits, boxes = [], [], 0
    for k in range(scenes):
        scene = painter.scene((101, k), 480)
        found, _ = detect(scene.pixels)
        sure = [box for box in found if not _covers(box, scene.unsure)]
        boxes += len(sure)
        for x, y, side in scene.heads:
            head = np.array([x - side / 2, y - side / 2, side, side])
            hits.append(bool(len(found)) and iou(head, found).max() >= 0.5)
            sizes.append(side)
    f1 = 2 * sum(hits) / (boxes + len(hits))
    bins = [(20, 48), (48, 96), (96, 192), (192, 500)]
    side, hit = np.array(sizes), np.array(hits)
    by_size = ", ".join(
        f"{low}-{high} px {hit[(side >= low) & (side < high)].mean():.2f}"
        for low, high in bins
    )
    note = f"{len(hits)} faces, recall {hit.mean():.3f} (of 480 px: {by_size})"
    record("detection", "F1 on held-out sprites", f1, "", note)


def _covers(box: np.ndarray, heads: np.ndarray) -> bool:
    """Whether a box is one of the faces too hidden to count either way."""
    squares = np.column_stack(
        [heads[:, :2] - heads[:, 2:] / 2, heads[:, 2:].repeat(2, 1)]
    )
    return bool(len(heads)) and iou(box, squares).max() >= 0.4


def in_python(python: str, *arguments: str) -> dict:
    """Another run of this file, maybe in another Python: its JSON answer."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [python, str(Path(__file__)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def table(pythons: dict[str, str]) -> None:
    from record import record

    for name, python in pythons.items():
        answer = in_python(python, "--predict", name)
        result = judged(answer["found"])
        skin = " ".join(f"{skin} {value:.2f}" for skin, value in result["skin"].items())
        note = (
            f"precision {result['precision']:.3f}, recall {result['recall']:.3f} "
            f"({skin}), {result['false']} false on {len(EMPTY)} empty pictures, "
            f"{answer['seconds']:.3f} s per picture"
        )
        record("detection", f"F1 of {name}", result["F1"], "", note)


def race(opencv: str, rounds: int, turns: int) -> None:
    from record import record

    ratios, rates = [], []
    for _ in range(turns):
        plain = in_python(opencv, "--loop", str(SCENES), "--rounds", str(rounds))
        stage = in_python(sys.executable, "--ours", "--rounds", str(rounds))
        speed = {
            key: judged(answer["found"])["hits"] * rounds / answer["seconds"]
            for key, answer in (("plain", plain), ("ours", stage))
        }
        print(speed)
        ratios.append(speed["ours"] / speed["plain"])
        rates.append(speed["ours"])
    note = f"median of {turns} turns, from {min(ratios):.2f} to {max(ratios):.2f}"
    record("detection", "faces per second, 2 processes", np.median(rates), "1/s")
    record("detection", "times the plain loop's", np.median(ratios), "", note)


def main() -> None:
    text = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=text)
    parser.add_argument("--opencv", default="", metavar="PYTHON")
    parser.add_argument("--animeface", default="", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=5, help="over the scenes")
    parser.add_argument("--turns", type=int, default=3, help="of the race")
    for name in ("predict", "loop"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.predict:
        print(json.dumps(predict(a.predict)))
    elif a.loop:
        print(json.dumps(loop(a.loop, a.rounds)))
    elif a.ours:
        print(json.dumps(ours(a.rounds)))
    elif not SCENES.is_dir():
        raise SystemExit(f"Needs the scenes in {SCENES}, which are not here.")
    else:
        pythons = {"default": sys.executable}
        if a.opencv:
            for name in ("lbp", "yunet", "lbp+yunet", "default+lbp+yunet"):
                pythons[name] = a.opencv
        if a.animeface:
            pythons["animeface"] = a.animeface
        table(pythons)
        held_out(DATA / "anime_layers")
        if a.opencv:
            race(a.opencv, a.rounds, a.turns)


if __name__ == "__main__":
    main()
