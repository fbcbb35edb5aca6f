"""Perceptual hashes and their neighbours."""

from __future__ import annotations

import itertools

import numpy as np

_PARTS = ((0, 22), (22, 21), (43, 21))  # first bit and number of bits


class NearHashes:
    """64-bit hashes, and quickly all those within a distance of a given one.

    Three tables by 21 or 22 bits each. Two hashes that differ in at most d bits differ
    in at most d // 3 bits of one of the three, so it is enough to look up each part of
    a hash with every such change: none is missed. Norouzi, Punjani and Fleet 2012,
    "Fast search in Hamming space with multi-index hashing", arXiv:1307.2982. The time
    for one hash hardly grows with their number up to about a million.

    Args:
        hashes: uint64 (n,).
        distance: most bits that may differ.
    """

    def __init__(self, hashes: np.ndarray, distance: int):
        self._hashes, self._distance = hashes, distance
        radius = distance // len(_PARTS)
        self._tables = [_Table(hashes, low, bits, radius) for low, bits in _PARTS]

    def within(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the hashes that are near one of `values`, and how near.

        Args:
            values: uint64 (k,).
        Returns: positions int (m,) and least distances int (m,), by rising distance,
            then position.
        """
        found = [table.candidates(values) for table in self._tables]
        value, position = (
            np.concatenate(column) for column in zip(*found, strict=True)
        )
        bits = np.bitwise_count(values[value] ^ self._hashes[position])
        near = bits <= self._distance
        order = np.lexsort((position[near], bits[near]))
        position, bits = position[near][order], bits[near][order]
        _, first = np.unique(position, return_index=True)
        first.sort()
        return position[first], bits[first]


class _Table:
    """Positions of hashes, sorted by `bits` of their bits, from bit `low` on."""

    def __init__(self, hashes: np.ndarray, low: int, bits: int, radius: int):
        self._low, self._mask = np.uint64(low), np.uint64((1 << bits) - 1)
        parts = self._part(hashes)
        self._positions = np.argsort(parts, kind="stable")
        self._counts = np.bincount(parts, minlength=1 << bits).astype(np.int32)
        self._starts = np.cumsum(self._counts, dtype=np.int64) - self._counts
        self._exists = self._counts > 0  # small enough for the processor's cache
        self._changes = np.array(
            [
                sum(1 << bit for bit in some)
                for count in range(radius + 1)
                for some in itertools.combinations(range(bits), count)
            ],
            np.int32,
        )

    def _part(self, values: np.ndarray) -> np.ndarray:
        return (values >> self._low & self._mask).astype(np.int32)

    def candidates(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """k and position of pairs: values[k] may be near the hash at that position."""
        parts = (self._part(values)[:, None] ^ self._changes).ravel()
        hits = np.flatnonzero(self._exists[parts])
        counts = self._counts[parts[hits]]
        # Runs start, start + 1, ... of these lengths, one after the other.
        runs = np.repeat(self._starts[parts[hits]] - np.cumsum(counts) + counts, counts)
        positions = self._positions[runs + np.arange(len(runs))]
        return np.repeat(hits // len(self._changes), counts), positions
