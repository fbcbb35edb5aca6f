"""Which parts of lorelei and adventurer go together, and how often.

The styles number most of their parts, so the groups (long hair, angry brows ...)
were read off the drawings by eye. Numbers beside names are relative weights; a
list means equal weights.
"""

from __future__ import annotations

from typing import Any


def _numbered(prefix: str, numbers: str) -> list[str]:
    return [f"{prefix}{number}" for number in numbers.split()]


def _v(numbers: str) -> list[str]:
    return _numbered("variant", numbers)


LORELEI: dict[str, Any] = {
    "same_name": ("head", "eyes", "eyebrows", "nose", "mouth", "earrings"),
    "hairs": {
        "short": _v("01 02 03 04 06 07 08 11 12 43 47"),
        "short curly": _v("05 09 22 39"),
        "cornrows": _v("44"),
        "medium": _v("10 17 18 20 30 37"),
        "bob": _v("13 19 23 32"),
        "medium curly": _v("24"),
        "long": _v("15 16 21 40"),
        "long wavy": _v("35"),
        "ponytail": _v("29 31 33 36 41 42 48"),
        "bun": _v("14 38 45 46"),
        "two buns": _v("26"),
        "mohawk": _v("27"),
        "shaved": _v("25 28"),
        "bald": _v("34"),
    },
    "hair_weights": dict(zip(
        ("short", "short curly", "cornrows", "medium", "bob", "medium curly", "long",
         "long wavy", "ponytail", "bun", "two buns", "mohawk", "shaved", "bald"),
        (20, 5, 1, 16, 16, 2, 16, 4, 12, 6, 3, 1, 0.7, 0.3), strict=True)),
    "hair_lengths": {
        "short": "short", "short curly": "short", "cornrows": "short",
        "medium": "medium", "bob": "medium", "medium curly": "medium",
        "long": "long", "long wavy": "long", "ponytail": "tied", "bun": "tied",
        "two buns": "tied", "mohawk": "short", "shaved": "bald", "bald": "bald",
    },
    "moods": {
        "happy": {
            "weight": 36,
            "eyes": {"round": 5, "leftward": 2, "rightward": 2, "almond": 3,
                     "almondleft": 1, "sparkle": 3, "wink": 1.5},
            "mouth": {"smile": 4, "soft": 3, "grin": 2, "laugh": 2, "open": 2,
                      "cat": 1},
            "brows": _v("02 05 07 09 12"),
        },
        "laughing": {
            "weight": 8,
            "eyes": ["laughing"],
            "mouth": ["laugh", "grin", "open", "smile"],
            "brows": _v("05 07 09"),
        },
        "calm": {
            "weight": 24,
            "eyes": {"round": 3, "almond": 3, "almondleft": 1, "leftward": 1,
                     "rightward": 1, "sleepy": 1.5, "calm": 1.5},
            "mouth": {"soft": 4, "flat": 3, "cat": 1},
            "brows": _v("02 03 05 09 10 12"),
        },
        "sad": {
            "weight": 11,
            "eyes": ["round", "almond", "sleepy", "almondleft"],
            "mouth": ["frown", "wavy", "flat"],
            "brows": _v("01"),
        },
        "angry": {
            "weight": 11,
            "eyes": {"sharp": 3, "almond": 1},
            "mouth": ["frown", "shout", "flat", "wavy"],
            "brows": _v("13 11"),
        },
        "surprised": {
            "weight": 10,
            "eyes": ["wide", "round"],
            "mouth": ["oh", "open"],
            "brows": _v("05 07 09"),
        },
    },
    "open_mouths": ("grin", "laugh", "open", "oh", "shout"),
    "noses": _v("02 03 04 05 06"),
    "heads": _v("01 02 03 04"),
    "glasses": {"round": 4, "sunglasses": 1, "square": 2, "rectangular": 2,
                "half-rim": 1},
    "glasses_variants": dict(zip(
        ("round", "sunglasses", "square", "rectangular", "half-rim"),
        _v("01 02 03 04 05"), strict=True)),
    "glasses_colors": ["black", "black", "brown", "red", "navy"],
    "earrings": _v("01 02 03"),
}  # fmt: skip

ADVENTURER: dict[str, Any] = {
    "same_name": ("eyes", "eyebrows", "mouth", "earrings", "details"),
    "hairs": {
        "long": _numbered("long", "04 05 06 07 09 17 20"),
        "bob": _numbered("long", "01 02 21 25 26"),
        "curly": ["long22", "long24", "short03"],
        "flowers": _numbered("long", "03 08 18"),
        "bun": ["long10", "long11", "short05"],
        "two buns": _numbered("long", "13 23"),
        "pigtails": _numbered("long", "14 15"),
        "braid": ["long16"],
        "ponytail": _numbered("long", "12 19"),
        "short": _numbered("short", "01 02 04 06 07 08 09 10 11 14"),
        "short curly": _numbered("short", "17 18"),
        "spiky": ["short16"],
        "mohawk": _numbered("short", "12 15"),
        "bald": _numbered("short", "13 19"),
    },
    "hair_weights": dict(zip(
        ("long", "bob", "curly", "flowers", "bun", "two buns", "pigtails", "braid",
         "ponytail", "short", "short curly", "spiky", "mohawk", "bald"),
        (16, 11, 6, 6, 5, 4, 5, 3, 5, 25, 5, 4, 3, 2), strict=True)),
    "hair_lengths": {
        "long": "long", "bob": "medium", "curly": "medium", "flowers": "medium",
        "bun": "tied", "two buns": "tied", "pigtails": "tied", "braid": "tied",
        "ponytail": "tied", "short": "short", "short curly": "short",
        "spiky": "short", "mohawk": "short", "bald": "bald",
    },
    "moods": {
        "happy": {
            "weight": 40,
            "eyes": _v("01 02 03 05 12 21 22 23 24 25 26"),
            "mouth": _v("01 02 05 08 20 21 22 25 26 27 28 29 30"),
            "brows": _v("08 10 11 12 13 15"),
        },
        "laughing": {
            "weight": 8,
            "eyes": _v("19"),
            "mouth": _v("22 25 26 27 28 30"),
            "brows": _v("10 11 12 13"),
        },
        "calm": {
            "weight": 20,
            "eyes": _v("04 06 07 16 17 18 20"),
            "mouth": _v("02 06 09 10 17 29"),
            "brows": _v("05 08 10 11 13"),
        },
        "sad": {
            "weight": 11,
            "eyes": _v("10 15"),
            "mouth": _v("04 09 12 19"),
            "brows": _v("03 07 14"),
        },
        "angry": {
            "weight": 11,
            "eyes": _v("11 13 14"),
            "mouth": _v("04 11 14 15 23"),
            "brows": _v("01 02 04"),
        },
        "surprised": {
            "weight": 10,
            "eyes": _v("03 08 09 24"),
            "mouth": _v("03 07 15 18"),
            "brows": _v("06 09 12"),
        },
    },
    "open_mouths": _v("01 03 05 07 14 15 16 18 20 21 22 23 24 25 26 27 28 30"),
    "glasses": {"sunglasses": 1, "square": 2, "small": 1, "round": 3, "half-rim": 2},
    "glasses_variants": dict(zip(
        ("sunglasses", "square", "small", "round", "half-rim"),
        _v("01 02 03 04 05"), strict=True)),
    "details": {"none": 70, "blush": 15, "freckles": 10, "birthmark": 4,
                "mustache": 1},
    "earrings": _v("01 02 03 04 05 06"),
}  # fmt: skip
