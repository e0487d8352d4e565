"""Shared tiles of a batch of blocks, and the asynchronous copies in flight to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import Span
from tilevm.machine import Array
from tilevm.memory import Region, memory_dtype, write_rows
from tilevm.report import Report
from tilevm.values import SharedType, Value
from tilevm.watch import Box, Watch

__all__ = ["Copies", "SharedTile"]


class SharedTile:
    """A shared tile of every block of a batch, ``array[blocks, *shape]`` in memory form; watched for a report."""

    def __init__(self, value: Value, blocks: int, report: Report | None) -> None:
        assert isinstance(value.type, SharedType)
        self.name = value.name
        self.array: Array = np.zeros((blocks, *value.type.shape), memory_dtype(value.type.dtype))
        self.watch = None if report is None else Watch(self.array.shape, value, report)


@dataclass
class _Copy:
    """A copy in flight for some blocks: ``group`` is the number of the commit that closes it, block by block."""

    rows: NDArray[np.int64]
    group: NDArray[np.int64]
    target: SharedTile
    region: Region
    elements: Array
    span: Span | None


class Copies:
    """The asynchronous copies of a batch. A block's groups are numbered by its commits."""

    def __init__(self, blocks: int) -> None:
        self.committed = np.zeros(blocks, np.int64)
        self._flying: list[_Copy] = []

    def start(
        self, rows: NDArray[np.int64], target: SharedTile, region: Region, elements: Array, span: Span | None
    ) -> None:
        """Adds a copy to the open group of the given blocks."""
        self._flying.append(_Copy(rows, self.committed[rows], target, region, elements, span))

    def commit(self, rows: NDArray[np.int64]) -> None:
        """Closes the open group of the given blocks."""
        self.committed[rows] += 1

    def wait(self, rows: NDArray[np.int64], pending: int) -> None:
        """Lands, for the given blocks, every group but the newest ``pending``, in the order of their start."""
        waiting = np.zeros(len(self.committed), np.bool_)
        waiting[rows] = True
        still: list[_Copy] = []
        for copy in self._flying:
            lands = waiting[copy.rows] & (copy.group < self.committed[copy.rows] - pending)
            if lands.all():
                _land(copy)
                continue
            if lands.any():
                _land(_part(copy, np.flatnonzero(lands)))
                copy = _part(copy, np.flatnonzero(~lands))
            still.append(copy)
        self._flying = still


def _part(copy: _Copy, chosen: NDArray[Any]) -> _Copy:
    elements = copy.elements if len(copy.elements) == 1 else copy.elements[chosen]
    return _Copy(copy.rows[chosen], copy.group[chosen], copy.target, copy.region.select(chosen), elements, copy.span)


def _land(copy: _Copy) -> None:
    write_rows(copy.target.array, copy.rows, copy.region, copy.elements)
    if copy.target.watch is not None:
        copy.target.watch.landed(Box(copy.rows, copy.region), copy.span)
