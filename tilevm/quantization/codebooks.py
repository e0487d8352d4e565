"""Codebooks that are learned: the numbers that codes stand for, found by k-means in one dimension.

What is clustered are weights divided by the scale of their block, so in -1 … 1. One codebook for the tensor becomes a
number format; one for each block stays beside the codes. Numbers are ``f16``, all of a codebook different, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, codebook

__all__ = ["Bins", "Codebook", "k_means", "of_blocks", "of_tensor"]

ROUNDS = 50
"""Of k-means, at most; it ends where no number of the codebook moves any more."""


@dataclass(frozen=True, eq=False)
class Codebook:
    """The format of the codes, and where each block has its own the numbers they stand for, ``float16[*grid, 2^b]``."""

    kind: DType
    tables: NDArray[np.float16] | None = None

    def nearest(
        self, ratios: NDArray[np.float32], blocks: tuple[slice, ...]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """For numbers ``[*grid, elements]`` of some blocks the codes of the nearest ones, and these; a tie goes up."""
        assert self.tables is not None
        tables = self.tables[blocks].astype(np.float32)
        codes = np.zeros(ratios.shape, np.uint8)
        for below, above in zip(np.moveaxis(tables, -1, 0)[:-1], np.moveaxis(tables, -1, 0)[1:], strict=True):
            codes += ratios >= ((below + above) / 2)[..., None]
        return codes, np.take_along_axis(tables, codes.astype(np.intp), -1)


def of_tensor(bins: Bins, bits: int) -> Codebook:
    """One codebook of ``2^bits`` numbers, as a format named by its numbers."""
    full = bins.mass > 0
    mass, moment = bins.mass[full], bins.moment[full]
    table = _means(moment / mass, mass, moment, 1 << bits)
    name = f"learned_{blake2b(table.tobytes(), digest_size=8).hexdigest()}"
    return Codebook(codebook(name, table.tolist()))


def of_blocks(blocks: NDArray[np.float32], bits: int) -> NDArray[np.float16]:
    """A codebook for each block of ``float32[*grid, elements]``."""
    rows = blocks.reshape(-1, blocks.shape[-1])
    return k_means(rows, 1 << bits).reshape(*blocks.shape[:-1], 1 << bits)


def k_means(rows: NDArray[Any], count: int) -> NDArray[np.float16]:
    """For each row of ``[rows, numbers]``, ``count`` numbers to which its own are near, in order, as ``float16``.

    Lloyd's iteration from equal quantiles, in ``float64``.

    >>> k_means(np.array([[0, 0.1, 0.9, 1]]), 2).astype(float).round(3).tolist()
    [[0.05, 0.95]]
    """
    found = np.empty((len(rows), count), np.float16)
    for place, row in enumerate(np.sort(rows.astype(np.float64), axis=-1)):
        found[place] = _means(row, np.ones(row.shape), row, count)
    return found


@dataclass(frozen=True, eq=False)
class Bins:
    """The numbers of a tensor, from -1 to 1, in bins 2^-15 wide: what those of a bin weigh, and their weighted sum."""

    mass: NDArray[np.float64]
    moment: NDArray[np.float64]

    @classmethod
    def empty(cls) -> Bins:
        """No numbers."""
        return cls(np.zeros(1 + (1 << 16)), np.zeros(1 + (1 << 16)))

    def add(self, numbers: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
        """Adds numbers; what lies outside counts at the end."""
        place = np.clip((numbers.reshape(-1) + 1) * 32768, 0, 1 << 16).astype(np.intp)
        weight = np.broadcast_to(weights, numbers.shape).reshape(-1).astype(np.float64)
        np.add(self.mass, np.bincount(place, weight, self.mass.size), out=self.mass)
        np.add(self.moment, np.bincount(place, weight * numbers.reshape(-1), self.mass.size), out=self.moment)


def _means(
    numbers: NDArray[np.float64], mass: NDArray[np.float64], moment: NDArray[np.float64], count: int
) -> NDArray[np.float16]:
    """K-means of numbers in order, each of a mass, whose moment is that mass times the number."""
    if not numbers.size:
        return _different(numbers, count)
    masses, moments = (np.concatenate([[0.0], np.cumsum(each)]) for each in (mass, moment))
    quantiles = (np.arange(count) + 0.5) / count * masses[-1]
    table = numbers[np.clip(np.searchsorted(masses, quantiles, "right") - 1, 0, numbers.size - 1)]
    for _ in range(ROUNDS):
        ends = np.searchsorted(numbers, (table[:-1] + table[1:]) / 2)
        edges = np.concatenate([[0], ends, [numbers.size]])
        total = np.diff(masses[edges])
        # A cluster without members keeps its number.
        moved = np.where(total > 0, np.diff(moments[edges]) / np.where(total > 0, total, 1), table)
        if np.array_equal(moved, table):
            break
        table = np.sort(moved)
    return _different(table, count)


def _different(table: NDArray[np.float64], count: int) -> NDArray[np.float16]:
    """The numbers as ``float16``, and in place of those that are equal others of -1 … 1."""
    own = np.unique(table.astype(np.float16) + np.float16(0))
    spare = np.setdiff1d(np.linspace(-1, 1, 4 * count + 1).astype(np.float16), own)
    step = max(1, spare.size // max(1, count - own.size))
    return np.sort(np.concatenate([own, spare[::step][: count - own.size]]))
