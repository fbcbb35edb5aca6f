"""The stage `filter`: which crops are good enough to learn from."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from tqdm.auto import tqdm

from data_prep.dedupe import is_copy
from data_prep.index import Index
from data_prep.records import Face


@dataclass(frozen=True)
class FilterSettings:
    """Limits; a crop beyond one of them is dropped.

    Attributes:
        min_face_px: least side of the square in its picture; 0: what crop let through.
        max_blur_px: widest edges, in pixels of the crop. A Gaussian blur of radius r
            gives about r; a face that was enlarged twice has 0.5 to 1.1.
        min_contrast: least standard deviation of the colours, in levels of 0 to 255.
        min_colour: least part of the crop with a colour of its own, 0 to 1; less is
            grey or of one tint.
        allow_grey: keep grey pictures too.
        max_text: most of the ink that may lie in separate letters, 0 to 1.
        max_padding: most of the crop that may be mirrored picture, 0 to 1.
        max_aspect: longest box, as longer by shorter side.
    """

    min_face_px: int = 0
    max_blur_px: float = 1.3
    min_contrast: float = 10.0
    min_colour: float = 0.02
    allow_grey: bool = False
    max_text: float = 0.5
    max_padding: float = 0.3
    max_aspect: float = 1.5

    def __post_init__(self) -> None:
        for name, low in (
            ("min_face_px", 0), ("max_blur_px", 0), ("min_contrast", 0),
            ("min_colour", 0), ("max_text", 0), ("max_padding", 0), ("max_aspect", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if not value >= low:
                raise ValueError(f"Expected {name} of at least {low}, got {value}.")


def run(
    index: Index,
    settings: FilterSettings = FilterSettings(),
    *,
    workers: int | str = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> dict[str, int]:
    """Judge every crop by what was measured when it was made.

    No picture is opened, so that limits can be tried in seconds. All crops are judged
    anew, whatever an earlier run said of them; those that pass and were found to be
    copies stay so until dedupe looks again.

    Args:
        index: of the work folder; each crop becomes "kept" or "dropped".
        settings: the limits.
        workers: not used, there is too little to do.
        progress: show a bar.
        dry_run: write nothing.
    Returns: how many crops are "kept" (copies among them) and "dropped".
    """
    counts = Counter({"kept": 0, "dropped": 0})
    verdicts: list[tuple[Face, str]] = []
    faces = index.faces()
    for face in tqdm(faces, "filter", unit="face", disable=not progress):
        if not face.output:
            continue  # no crop was made of it, and its reason is crop's
        reason = verdict(json.loads(face.measures), settings)
        counts["dropped" if reason else "kept"] += 1
        if reason or not is_copy(face):
            verdicts.append((face, reason))
    if not dry_run:
        index.judge(verdicts)
    return dict(counts)


def verdict(measures: dict, settings: FilterSettings) -> str:
    """Why a crop is dropped, in words; "" when it is good.

    Args:
        measures: see `crop.measures`.
    """
    m, s = measures, settings
    checks = (
        (
            m["face_px"] < s.min_face_px,
            f"too small: {m['face_px']} px of the picture, "
            f"at least {s.min_face_px} are wanted",
        ),
        (
            m["aspect"] > s.max_aspect,
            f"not square: the box is {m['aspect']:.2f} times as long as wide, "
            f"at most {s.max_aspect:g} is wanted",
        ),
        (
            m["padding"] > s.max_padding,
            f"cut off: {m['padding']:.0%} lies outside the picture, "
            f"at most {s.max_padding:.0%} may",
        ),
        (
            m["contrast"] < s.min_contrast,
            f"near-uniform: contrast {m['contrast']:.1f}, "
            f"at least {s.min_contrast:g} is wanted",
        ),
        (
            m["text"] > s.max_text,
            f"text: {m['text']:.0%} of the ink lies in separate letters, "
            f"at most {s.max_text:.0%} may",
        ),
        (
            m["colour"] < s.min_colour and not s.allow_grey,
            f"grey or of one tint: {m['colour']:.1%} has a colour of its own, "
            f"at least {s.min_colour:.1%} is wanted",
        ),
        (
            m["blur_px"] > s.max_blur_px,
            f"blurry: edges are {m['blur_px']:.2f} px wide, "
            f"at most {s.max_blur_px:g} is wanted",
        ),
    )
    return next((reason for failed, reason in checks if failed), "")
