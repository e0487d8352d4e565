"""What blocks have, as files have it: scales and zeros of any float format, and groups brought to equal length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import dtype
from tilevm.packed_array import PackedArray

__all__ = ["Grouping", "Numbers", "even_groups", "flat_groups", "named_groups"]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Scales or zeros in the format of their file: an array that NumPy has, or codes of the format ``kind``."""

    array: NDArray[Any]
    kind: str | None = None

    def like(self, integers: NDArray[Any]) -> Numbers:
        """Small integers in the format of these numbers."""
        if self.kind is None:
            return Numbers(integers.astype(self.array.dtype))
        return Numbers(dtype(self.kind).encode(integers.astype(np.float32)), self.kind)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def size(self) -> int:
        return self.array.size

    def reshape(self, *shape: int) -> Numbers:
        return Numbers(np.ascontiguousarray(self.array).reshape(shape), self.kind)

    def take(self, which: NDArray[np.int64], axis: int = 0) -> Numbers:
        return Numbers(np.take(self.array, which, axis), self.kind)

    def held(self) -> NDArray[Any] | PackedArray:
        """As a part of a ``QuantizedTensor``."""
        if self.kind is None:
            return self.array
        data = np.ascontiguousarray(self.array).reshape(-1).view(np.uint8)
        return PackedArray(data, self.kind, self.array.shape)

    def floats(self) -> NDArray[np.float32]:
        """The numbers themselves."""
        return np.asarray(self.held(), np.float32)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Groups along one axis of a tensor, brought to equal length, but for the last.

    ``group`` elements share a scale; ``order`` says which element of the weights stands at a place, None where all are
    at their own; ``which`` is the group of the file for each group, None where they are the same.
    """

    group: int
    order: NDArray[np.int64] | None = None
    which: NDArray[np.int64] | None = None

    def of(self, each: Numbers, axis: int) -> Numbers:
        """What each group has, from what each group of the file has."""
        return each if self.which is None else each.take(self.which, axis)


def even_groups(length: int, groups: int, size: Any) -> Grouping | None:
    """``length`` elements in ``groups`` groups, of ``size`` if that is a number that fits; the last may be short then.
    None where they are not equal and nobody says how long they are.
    """
    if isinstance(size, int) and size > 0 and -(-length // size) == groups:
        return Grouping(size)
    return Grouping(length // groups) if length % groups == 0 else None


def named_groups(index: NDArray[np.int64], groups: int) -> Grouping:
    """``index`` names one of ``groups`` for each element; those of one group are put next to each other.

    Where groups other than the last differ in length, they are cut into parts of the greatest length that divides all.

    >>> named_groups(np.array([0, 1, 2, 2, 1, 0]), 3).order.tolist()
    [0, 5, 1, 4, 2, 3]
    """
    counts = np.bincount(index, minlength=groups)
    size = int(counts[0])
    order = None if (np.diff(index) >= 0).all() else np.argsort(index, kind="stable")
    if (counts[:-1] == size).all() and 0 < counts[-1] <= size:
        return Grouping(size, order)
    part = math.gcd(*counts.tolist())
    return Grouping(part, order, (index if order is None else index[order])[::part])


def flat_groups(group: int, shape: tuple[int, ...]) -> Grouping:
    """Groups that run on from row to row, as groups of the last axis; ``which`` is in the shape of the scales."""
    part = math.gcd(group, shape[-1])
    if part == group:
        return Grouping(group)
    starts = np.arange(0, math.prod(shape), part) // group
    return Grouping(part, None, starts.reshape(*shape[:-1], -1))
