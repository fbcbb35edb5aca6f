"""Two domains without pairs: pictures of one kind, and pictures of another.

From two arrays here, from folders by `gan_lib.data.unpaired_folders`, from the drawn
faces in two styles by `gan_lib.data.two_styles`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_prep.scan import Skipped, table

__all__ = ["Unpaired"]


@dataclass(frozen=True, eq=False)
class Unpaired:
    """Pictures of a domain A and of a domain B; none belongs to any of the others.

    Attributes:
        domain_a: uint8 (Na, S, S, 3); may be an np.memmap.
        domain_b: uint8 (Nb, S, S, 3), of another length as a rule.
        names: what the two show, for figures and messages.
        paths_a, paths_b: Na and Nb names, or none.
        skipped: what was left out while reading, each with `.path` and `.reason`.
        attributes_a, attributes_b: one array of length Na and Nb a column, where the
            pictures were drawn and all is known of them.

    Raises: TypeError, ValueError when one is empty, is no picture, has another size or
        other channels than the other, or when both hold the same pictures.
    """

    domain_a: np.ndarray
    domain_b: np.ndarray
    names: tuple[str, str] = ("A", "B")
    paths_a: tuple[str, ...] = ()
    paths_b: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    attributes_a: Mapping[str, np.ndarray] | None = None
    attributes_b: Mapping[str, np.ndarray] | None = None

    def __post_init__(self) -> None:
        if len(self.names) != 2:
            raise ValueError(
                "Expected `names` as two words, for A and for B, but got "
                f'{self.names!r}. Write for example ("selfie", "anime").'
            )
        _check_domain("domain_a", self.domain_a, self.paths_a)
        _check_domain("domain_b", self.domain_b, self.paths_b)
        if self.domain_a.shape[1:] != self.domain_b.shape[1:]:
            raise ValueError(
                "Expected both domains at one size, but got pictures of "
                f"{self.domain_a.shape[2]} px in A and {self.domain_b.shape[2]} px in "
                "B. Load or draw both with the same size."
            )
        if _same_pictures(self.domain_a, self.domain_b):
            raise ValueError(
                "Both domains hold the same pictures, so there is nothing to "
                "translate. Expected two kinds, such as photographs and drawings: "
                "check whether one folder or array was given twice."
            )

    def __repr__(self) -> str:
        counts = [len(self.domain_a), len(self.domain_b)]
        sides = ", ".join(
            f"{count} {name}" for count, name in zip(counts, self.names, strict=True)
        )
        return f"Unpaired({sides}, {self.size} px)"

    @property
    def size(self) -> int:
        """S, the side of all pictures in pixels."""
        return int(self.domain_a.shape[1])

    def swapped(self) -> Unpaired:
        """A and B exchanged, so that the trainer's `a_to_b` goes the other way."""
        return Unpaired(
            self.domain_b,
            self.domain_a,
            (self.names[1], self.names[0]),
            self.paths_b,
            self.paths_a,
            self.skipped,
            self.attributes_b,
            self.attributes_a,
        )

    def summary(self) -> str:
        """What there is and what was left out, printed and returned."""
        text = "\n".join([repr(self), *table(self.skipped)])
        print(text)
        return text


def _check_domain(name: str, images: np.ndarray, paths: tuple[str, ...]) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = getattr(images, "dtype", type(images).__name__)
        raise TypeError(
            f"Expected `{name}` as a NumPy array of uint8 pictures (0 to 255), but got "
            f"{kind}. Float pictures in [-1, 1] are converted by `to_uint8`."
        )
    if images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 1):
        raise ValueError(
            f"Expected `{name}` in colour, (n, size, size, 3), but got the grey shape "
            f"{images.shape}. Repeat the channel: `grey.reshape(*grey.shape[:3], 1)"
            ".repeat(3, -1)`; a single picture needs `picture[None]`."
        )
    if images.ndim != 4 or images.shape[-1] != 3 or images.shape[1] != images.shape[2]:
        raise ValueError(
            f"Expected `{name}` as squares (n, size, size, 3), but got {images.shape}. "
            "`load_folder` and `two_domains` cut squares from any picture."
        )
    if not images.size:
        raise ValueError(
            f"Expected at least one picture in `{name}`, but it is empty: "
            f"{images.shape}. Check what was loaded: a wrong folder or an empty "
            "selection is the usual cause."
        )
    if paths and len(paths) != len(images):
        raise ValueError(
            f"Expected a name for each of the {len(images)} pictures of `{name}` or "
            f"none, but got {len(paths)} names."
        )


def _same_pictures(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are equal, without reading all of two large ones."""
    if one.shape != other.shape or not np.array_equal(one[0], other[0]):
        return False
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
