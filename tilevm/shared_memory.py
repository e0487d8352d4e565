"""Shared tiles of a batch of blocks, the copies in flight to them, and the watch that debug mode keeps.

Time within a block is counted in *intervals* between barriers. Two accesses of one element in one interval, at least
one of them a write, are a conflict: nothing orders the threads that make them. A copy that was started counts as a
write at its start and when it lands; in between, the element may not be touched at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import Span
from tilevm.machine import Array
from tilevm.memory import Region, memory_dtype, read_rows, write_rows
from tilevm.report import Report, finding
from tilevm.values import SharedType, Value

__all__ = ["Copies", "SharedTile"]

Rows = NDArray[np.int64] | None


class SharedTile:
    """A shared tile of every block of a batch: ``array[blocks, *shape]`` in memory form."""

    def __init__(self, value: Value, blocks: int, *, watched: bool) -> None:
        assert isinstance(value.type, SharedType)
        self.name = value.name
        self.array: Array = np.zeros((blocks, *value.type.shape), memory_dtype(value.type.dtype))
        self.watch = Watch(self.array.shape, value) if watched else None


class Watch:
    """What debug mode knows about each element of a shared tile."""

    def __init__(self, shape: tuple[int, ...], value: Value) -> None:
        self.name, self.span = value.name, value.span
        self.initialised = np.zeros(shape, np.bool_)
        self.in_flight = np.zeros(shape, np.bool_)
        self.interval = np.zeros(shape[0], np.int32)
        self.write_interval = np.full(shape, -1, np.int32)
        self.read_interval = np.full(shape, -1, np.int32)
        self.places: list[Span | None] = []
        self.writer = np.zeros(shape, np.int32)
        self.reader = np.zeros(shape, np.int32)

    def place(self, span: Span | None) -> int:
        """The number of a place in the text."""
        if span not in self.places:
            self.places.append(span)
        return self.places.index(span)

    def _now(self, rows: Rows, dimensions: int) -> Array:
        now = self.interval if rows is None else self.interval[rows]
        return now.reshape(-1, *(1,) * dimensions)

    def _clash(self, rows: Rows, region: Region, kind: str) -> tuple[int, Span | None]:
        """How many blocks touched the region in the current interval, and where one of them did."""
        times = read_rows(self.write_interval if kind == "write" else self.read_interval, rows, region)
        clash = times == self._now(rows, times.ndim - 1)
        blocks = int(clash.reshape(len(clash), -1).any(axis=1).sum())
        if not blocks:
            return 0, None
        who = read_rows(self.writer if kind == "write" else self.reader, rows, region)
        return blocks, self.places[int(who[clash][0])]

    def read(self, rows: Rows, region: Region, span: Span | None, report: Report) -> None:
        """Records a read, and reports it if the elements are not there yet or were written without a barrier."""
        flying = read_rows(self.in_flight, rows, region)
        missing = ~read_rows(self.initialised, rows, region) & ~flying
        if flying.any():
            report.add(
                finding(
                    "R007",
                    f"reads elements of `{self.name}` while a copy to them is under way",
                    span,
                    earlier=self._clash(rows, region, "write")[1],
                    help="`wait(0)` and then `sync()` before the read",
                ),
                _blocks(flying),
            )
        elif missing.any():
            report.add(
                finding(
                    "R004",
                    f"reads elements of `{self.name}` that were never written",
                    span,
                    earlier=self.span,
                    help="`store` or `copy_async` into all that is read",
                ),
                _blocks(missing),
            )
        else:
            blocks, earlier = self._clash(rows, region, "write")
            if blocks:
                report.add(
                    finding(
                        "R005",
                        f"reads elements of `{self.name}` that were written since the last barrier",
                        span,
                        earlier=earlier,
                        help="`sync()` between the two, so that every thread sees what the others wrote",
                    ),
                    blocks,
                )
        self._mark(self.read_interval, self.reader, rows, region, span)

    def write(
        self, rows: Rows, region: Region, span: Span | None, report: Report, *, starts_copy: bool = False
    ) -> None:
        """Records a write, and reports it if the elements were read or written in the same interval."""
        for kind, words in (("read", "read"), ("write", "written")):
            blocks, earlier = self._clash(rows, region, kind)
            if blocks:
                report.add(
                    finding(
                        "R006",
                        f"writes elements of `{self.name}` that were {words} since the last barrier",
                        span,
                        earlier=earlier,
                        help="`sync()` between the two, so that no thread overtakes another",
                    ),
                    blocks,
                )
                break
        self._mark(self.write_interval, self.writer, rows, region, span)
        write_rows(self.in_flight, rows, region, starts_copy)
        if not starts_copy:
            write_rows(self.initialised, rows, region, True)

    def landed(self, rows: Rows, region: Region, span: Span | None) -> None:
        """Records that a copy has landed: its elements are there for this interval's writer, not yet for others."""
        write_rows(self.in_flight, rows, region, False)
        write_rows(self.initialised, rows, region, True)
        self._mark(self.write_interval, self.writer, rows, region, span)

    def _mark(self, times: Array, who: Array, rows: Rows, region: Region, span: Span | None) -> None:
        now = self._now(rows, len(region.shape))
        count = len(now)
        write_rows(times, rows, region, np.broadcast_to(now, (count, *region.shape)))
        write_rows(who, rows, region, self.place(span))


def _blocks(marked: Array) -> int:
    return int(marked.reshape(len(marked), -1).any(axis=1).sum())


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
        copy.target.watch.landed(copy.rows, copy.region, copy.span)
