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

__all__ = ["Codebook", "k_means", "of_blocks", "of_tensor"]

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


def of_tensor(numbers: NDArray[np.float32], weights: NDArray[np.float32], bits: int) -> Codebook:
    """One codebook of ``2^bits`` numbers, as a format named by its numbers; an error counts by its weight."""
    table = k_means(numbers.reshape(1, -1), weights.reshape(1, -1), 1 << bits)[0]
    name = f"learned_{blake2b(table.tobytes(), digest_size=8).hexdigest()}"
    return Codebook(codebook(name, table.tolist()))


def of_blocks(blocks: NDArray[np.float32], bits: int) -> NDArray[np.float16]:
    """A codebook for each block of ``float32[*grid, elements]``."""
    rows = blocks.reshape(-1, blocks.shape[-1])
    return k_means(rows, np.ones_like(rows), 1 << bits).reshape(*blocks.shape[:-1], 1 << bits)


def k_means(rows: NDArray[Any], weights: NDArray[Any], count: int) -> NDArray[np.float16]:
    """For each row of ``[rows, numbers]``, ``count`` numbers to which its own are near, in order, as ``float16``.

    Lloyd's iteration from equal quantiles, in ``float64``.

    >>> k_means(np.array([[0, 0.1, 0.9, 1]]), np.ones((1, 4)), 2).astype(float).round(3).tolist()
    [[0.05, 0.95]]
    """
    order = np.argsort(rows, axis=-1, kind="stable")
    found = np.empty((len(rows), count), np.float16)
    for place, (row, weight) in enumerate(
        zip(np.take_along_axis(rows, order, -1), np.take_along_axis(weights, order, -1), strict=True)
    ):
        found[place] = _row(row.astype(np.float64), weight.astype(np.float64), count)
    return found


def _row(numbers: NDArray[np.float64], weights: NDArray[np.float64], count: int) -> NDArray[np.float16]:
    if not numbers.size:
        return _different(np.zeros(0), count)
    mass, moment = (np.concatenate([[0.0], np.cumsum(each)]) for each in (weights, weights * numbers))
    table = numbers[((np.arange(count) + 0.5) * numbers.size / count).astype(np.intp)]
    for _ in range(ROUNDS):
        ends = np.searchsorted(numbers, (table[:-1] + table[1:]) / 2)
        edges = np.concatenate([[0], ends, [numbers.size]])
        total = mass[edges[1:]] - mass[edges[:-1]]
        # A cluster without members keeps its number.
        moved = np.where(total > 0, (moment[edges[1:]] - moment[edges[:-1]]) / np.where(total > 0, total, 1), table)
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
