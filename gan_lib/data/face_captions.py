"""Captions: English sentences that say what the attributes say.

The words are chosen by a generator seeded with the same key as the face, so a
face always has the same caption. The vocabulary is small on purpose.
"""

from __future__ import annotations

from gan_lib.data import face_law

HAIR_NOUN = {
    "short": ("short {c} hair", "{c} short hair"),
    "short curly": ("short curly {c} hair", "{c} curls"),
    "cornrows": ("{c} cornrows",),
    "medium": ("medium {c} hair", "shoulder length {c} hair"),
    "bob": ("{a} bob", "{c} hair in a bob"),
    "medium curly": ("curly {c} hair",),
    "curly": ("curly {c} hair", "{c} curls"),
    "long": ("long {c} hair", "{c} long hair"),
    "long wavy": ("long wavy {c} hair",),
    "flowers": ("{c} hair with flowers",),
    "ponytail": ("{a} ponytail", "{c} hair in a ponytail"),
    "pigtails": ("{c} pigtails", "{c} hair in pigtails"),
    "braid": ("{a} braid", "{c} hair in a braid"),
    "bun": ("{a} bun", "{c} hair in a bun"),
    "two buns": ("two {c} buns", "{c} hair in two buns"),
    "spiky": ("spiky {c} hair",),
    "mohawk": ("{a} mohawk",),
    "shaved": ("very short {c} hair",),
    "bald": ("almost no hair",),
}
MOOD_WORDS = {
    "happy": ("happy", "cheerful", "smiling"),
    "laughing": ("laughing",),
    "calm": ("calm", "quiet"),
    "sad": ("sad", "unhappy"),
    "angry": ("angry", "cross"),
    "surprised": ("surprised", "astonished"),
}
EYES_SHUT = {
    "lorelei": ("laughing", "calm"),
    "adventurer": ("variant19", "variant20"),
}
GLASSES_WORDS = {
    "round": ("round glasses",),
    "square": ("square glasses", "glasses"),
    "rectangular": ("narrow glasses", "glasses"),
    "half-rim": ("half-rim glasses", "glasses"),
    "small": ("small glasses", "glasses"),
    "sunglasses": ("sunglasses", "dark glasses"),
}
PERSON = ("face", "character", "person")


def caption(style: str, split: str, seed: int, index: int) -> str:
    """One sentence about face `index` of lorelei or adventurer."""
    row = face_law.sample(style, split, seed, index)
    draws = face_law.Draws(face_law.key(style, split, seed, index) + "/caption")
    mood = draws.pick(MOOD_WORDS[row["expression"]])
    person = draws.pick(PERSON)
    clauses = [_hair(draws, row)]
    clauses += _eyes(draws, style, row)
    extras = _extras(draws, row)
    if draws.chance(0.5):
        clauses.reverse()
    text = f"{_article(mood)} {person} with {_join(clauses)}"
    if extras:
        text += f", wearing {_join(extras)}"
    if draws.chance(0.5):
        text += _background(row)
    return text


def _hair(draws: face_law.Draws, row: dict) -> str:
    words = draws.pick(HAIR_NOUN[row["hair_style"]])
    color = row["hair_color"]
    if row["hair_tip_color"] != color:
        color = f"{color} and {row['hair_tip_color']}"
    return words.format(c=color, a=_article(color))


def _eyes(draws: face_law.Draws, style: str, row: dict) -> list[str]:
    if row["glasses_kind"] == "sunglasses":
        return []  # behind dark glasses no eye colour can be seen
    if row["eyes"] in EYES_SHUT[style]:
        return [draws.pick(("closed eyes", "eyes closed"))]
    return [f"{row['eye_color']} eyes"]


def _extras(draws: face_law.Draws, row: dict) -> list[str]:
    extras = []
    if row["glasses"]:
        extras.append(draws.pick(GLASSES_WORDS[row["glasses_kind"]]))
    if row.get("flowers"):
        extras.append(draws.pick(("flowers", "flowers in the hair")))
    if row["earrings"] != "none":
        extras.append("earrings")
    return extras


def _background(row: dict) -> str:
    names = row["background"]
    if row["background"] != row["background_2"]:
        names += f" and {row['background_2']}"
    return f", on {_article(names)} background"


def _article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
