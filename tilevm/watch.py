"""What debug mode knows about each element of a shared tile, and what it finds.

Time within a block is counted in *intervals* between barriers. Two accesses of one element in one interval, at least
one of them a write, are a conflict: nothing orders the threads that make them. Atomics do not conflict with one
another. A copy that was started counts as a write at its start and when it lands; in between, the element may not be
touched at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import Span
from tilevm.machine import Array
from tilevm.memory import Region, read_rows, write_rows
from tilevm.report import Report, finding
from tilevm.values import Value

__all__ = ["Accessed", "Box", "Points", "Rows", "Watch"]

Rows = NDArray[np.int64] | None
"""Which blocks of a batch: their rows in its arrays; None for all of them."""


class Accessed(Protocol):
    """The elements that an access touches, of arrays with one row for each block."""

    def of(self, array: Array) -> Array:
        """What an array holds for these elements."""

    def set(self, array: Array, value: Any) -> None:
        """Sets these elements of an array to one value, or to what ``of`` gives of another array."""

    def of_blocks(self, numbers: Array) -> Array:
        """For each of these elements the number of its block, in the shape that ``of`` gives."""

    def blocks(self, marked: Array) -> int:
        """How many blocks have a marked element."""


@dataclass(frozen=True)
class Box:
    """A window of the tile of some blocks."""

    rows: Rows
    region: Region

    def of(self, array: Array) -> Array:
        return read_rows(array, self.rows, self.region)

    def set(self, array: Array, value: Any) -> None:
        write_rows(array, self.rows, self.region, value)

    def of_blocks(self, numbers: Array) -> Array:
        chosen = numbers if self.rows is None else numbers[self.rows]
        shape = self.region.shape
        return np.broadcast_to(chosen.reshape(-1, *(1,) * len(shape)), (len(chosen), *shape))

    def blocks(self, marked: Array) -> int:
        return int(marked.reshape(len(marked), -1).any(axis=1).sum())


@dataclass(frozen=True)
class Points:
    """Single elements: an index array for the row, and one for each dimension of the tile."""

    places: tuple[NDArray[np.int64], ...]

    def of(self, array: Array) -> Array:
        return array[self.places]

    def set(self, array: Array, value: Any) -> None:
        array[self.places] = value

    def of_blocks(self, numbers: Array) -> Array:
        return numbers[self.places[0]]

    def blocks(self, marked: Array) -> int:
        return len(np.unique(self.places[0][marked]))


class Watch:
    """Follows the elements of one shared tile of every block of a batch; findings go to ``report``."""

    def __init__(self, shape: tuple[int, ...], value: Value, report: Report) -> None:
        self.name, self.span, self.report = value.name, value.span, report
        self.interval = np.zeros(shape[0], np.int32)
        self.initialised = np.zeros(shape, np.bool_)
        self.in_flight = np.zeros(shape, np.bool_)
        self.atomic = np.zeros(shape, np.bool_)
        """Whether the last write was an atomic."""
        self.written = np.full(shape, -1, np.int32)
        """The interval of the last write."""
        self.read_in = np.full(shape, -1, np.int32)
        """The interval of the last read."""
        self.writer = np.zeros(shape, np.int32)
        self.reader = np.zeros(shape, np.int32)
        self._places: list[Span | None] = []

    def read(self, accessed: Accessed, span: Span | None) -> None:
        """A read: of elements that are there, and that nobody wrote since the last barrier."""
        self._check_contents(accessed, span, self._recent(accessed, self.written))
        self._mark(accessed, self.read_in, self.reader, span)

    def update(self, accessed: Accessed, span: Span | None) -> None:
        """An atomic: of elements that are there, and that only atomics touched since the last barrier."""
        plain = self._recent(accessed, self.written) & ~accessed.of(self.atomic)
        if self._check_contents(accessed, span, plain):
            self._check_overwritten(accessed, span, "read", self._recent(accessed, self.read_in), self.reader)
        self._mark(accessed, self.written, self.writer, span)
        accessed.set(self.atomic, True)

    def write(self, accessed: Accessed, span: Span | None, *, starts_copy: bool = False) -> None:
        """A write, or the start of a copy: to elements that nobody touched since the last barrier."""
        flying = accessed.of(self.in_flight)
        if flying.any():
            self._find("R007", f"writes elements of `{self.name}` while a copy to them is under way", span,
                       accessed, flying, self.writer, "`wait(0)` and then `sync()` before the write")  # fmt: skip
        elif self._check_overwritten(accessed, span, "read", self._recent(accessed, self.read_in), self.reader):
            self._check_overwritten(accessed, span, "written", self._recent(accessed, self.written), self.writer)
        self._mark(accessed, self.written, self.writer, span)
        accessed.set(self.atomic, False)
        accessed.set(self.in_flight if starts_copy else self.initialised, True)

    def landed(self, accessed: Accessed, span: Span | None) -> None:
        """A copy has landed: its elements are there for the threads that waited, for others after a barrier."""
        accessed.set(self.in_flight, False)
        accessed.set(self.initialised, True)
        self._mark(accessed, self.written, self.writer, span)

    def _recent(self, accessed: Accessed, times: Array) -> Array:
        """Which elements were touched since the last barrier."""
        return np.equal(accessed.of(times), accessed.of_blocks(self.interval))

    def _check_contents(self, accessed: Accessed, span: Span | None, written: Array) -> bool:
        """Whether a read finds what was written; ``written`` marks what was written since the last barrier."""
        flying = accessed.of(self.in_flight)
        missing = ~accessed.of(self.initialised)
        if flying.any():
            self._find("R007", f"reads elements of `{self.name}` while a copy to them is under way", span,
                       accessed, flying, self.writer, "`wait(0)` and then `sync()` before the read")  # fmt: skip
        elif missing.any():
            self._find("R004", f"reads elements of `{self.name}` that were never written", span,
                       accessed, missing, None, "`store` or `copy_async` into all that is read")  # fmt: skip
        elif written.any():
            self._find("R005", f"reads elements of `{self.name}` that were written since the last barrier", span,
                       accessed, written, self.writer,
                       "`sync()` between the two, so that every thread sees what the others wrote")  # fmt: skip
        else:
            return True
        return False

    def _check_overwritten(self, accessed: Accessed, span: Span | None, words: str, touched: Array, who: Array) -> bool:
        """Whether a write finds elements that nobody touched since the last barrier."""
        if touched.any():
            self._find("R006", f"writes elements of `{self.name}` that were {words} since the last barrier", span,
                       accessed, touched, who,
                       "`sync()` between the two, so that no thread overtakes another")  # fmt: skip
        return not touched.any()

    def _find(
        self,
        code: str,
        message: str,
        span: Span | None,
        accessed: Accessed,
        marked: Array,
        who: Array | None,
        help: str,
    ) -> None:
        """Reports an access; ``who`` holds the places of the accesses that it clashes with."""
        earlier = self.span if who is None else self._places[int(accessed.of(who)[marked][0])]
        self.report.add(finding(code, message, span, earlier=earlier, help=help), accessed.blocks(marked))

    def _mark(self, accessed: Accessed, times: Array, who: Array, span: Span | None) -> None:
        if span not in self._places:
            self._places.append(span)
        accessed.set(times, accessed.of_blocks(self.interval))
        accessed.set(who, self._places.index(span))
