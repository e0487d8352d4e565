"""How the elements along a dimension are combined up to each one: digit by digit, the innermost first.

Where some inner digits have been done, the elements are in blocks: each thread knows, for each of its elements, what
comes before it in its block, and what the block amounts to. The next digit counts ``n`` such blocks that make a larger
one: what the earlier of them amount to comes in front of each element of the later. If the digit is one of slots, a
thread does that by itself; if it is a bit of the lane by a shuffle; else the blocks meet in shared memory.
So a scan works for every layout, and is as fast as the layout lets it be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tilevm.digits import Digit
from tilevm.layout import Layout
from tilevm.plan import Plan
from tilevm.plans.meeting import Meeting, meeting, thread_digits
from tilevm.plans.pieces import offsets
from tilevm.plans.reduction import lanes_of
from tilevm.values import Literal

__all__ = ["Scan", "SlotLevel", "ThreadLevel", "scan"]


@dataclass(frozen=True)
class SlotLevel:
    """Blocks ``stride`` slots apart, ``size`` of them from each slot of ``first``; a block has the slots ``inside``."""

    on_slots: ClassVar[bool] = True
    first: tuple[int, ...]
    inside: tuple[int, ...]
    size: int
    stride: int


@dataclass(frozen=True)
class ThreadLevel:
    """Blocks in other threads, for each slot of ``first``: over bits of the lane, as distances, and meetings."""

    on_slots: ClassVar[bool] = False
    first: tuple[int, ...]
    inside: tuple[int, ...]
    steps: tuple[int | Meeting, ...]


@dataclass(frozen=True, kw_only=True)
class Scan(Plan):
    """The levels, innermost first. The first element of a line is in the slots ``begins`` of the threads in which all
    digits ``(stride, size, value)`` of ``only`` have their values; there an exclusive scan has ``start``."""

    levels: tuple[SlotLevel | ThreadLevel, ...]
    begins: tuple[int, ...]
    only: tuple[tuple[int, int, int], ...]
    start: Literal | None = None

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        """Where threads meet that are not lanes of one warp, in order."""
        steps = [step for level in self.levels if isinstance(level, ThreadLevel) for step in level.steps]
        return tuple(step for step in steps if isinstance(step, Meeting))


def scan(layout: Layout, dim: int, *, bytes: int, reverse: bool = False, start: Literal | None = None) -> Scan:
    """The scan of a tile along a dimension; ``bytes`` is what one number takes in shared memory."""
    levels: list[SlotLevel | ThreadLevel] = []
    done: list[Digit] = []
    cells = 0
    for digit in reversed(layout.dims[dim]):
        slots = [each for each in done if each.axis == "R"]
        inside = tuple(offsets((each.size, each.stride) for each in slots))
        if digit.axis == "R":
            levels.append(SlotLevel(_zero(layout, [*slots, digit]), inside, digit.size, digit.stride))
            done.append(digit)
            continue
        first = _zero(layout, slots)
        steps: list[int | Meeting] = []
        lanes, rest = lanes_of([digit])
        for lane in lanes:
            steps.append(lane)
            done.append(Digit(2, "T", lane))
        for part in rest:
            met = _meeting(layout, cells, len(first), bytes, part, done)
            steps.append(met)
            cells += met.cells
            done.append(part)
        levels.append(ThreadLevel(first, inside, tuple(steps)))
    ends = [(each, each.size - 1 if reverse else 0) for each in layout.dims[dim]]
    in_slots = [(each, end) for each, end in ends if each.axis == "R"]
    return Scan(
        levels=tuple(levels),
        begins=tuple(
            slot
            for slot in range(layout.slots)
            if all(slot // each.stride % each.size == end for each, end in in_slots)
        ),
        only=tuple((each.stride, each.size, end) for each, end in ends if each.axis == "T"),
        start=start,
        scratch_bytes=cells * bytes,
    )


def _zero(layout: Layout, slots: list[Digit]) -> tuple[int, ...]:
    """The slots in which some digits are 0."""
    return tuple(slot for slot in range(layout.slots) if all(slot // each.stride % each.size == 0 for each in slots))


def _meeting(layout: Layout, first: int, numbers: int, bytes: int, part: Digit, done: list[Digit]) -> Meeting:
    """The cells of one digit of threads. Threads that differ in digits that are done have the same blocks."""
    alike = [*(each for each in done if each.axis == "T"), *layout.rep]
    left: list[Digit] = []
    for digit in thread_digits(layout, range(layout.rank)):
        size, axis, stride = digit
        # What is done of a digit, and the part itself, are its inner end.
        for each in (*done, part):
            if each.axis == "T" and each.stride == stride and size > 1:
                size, stride = size // each.size, stride * each.size
        if size > 1:
            left.append(Digit(size, axis, stride))
    return meeting(first, numbers, bytes, [part], left, alike)
