"""How the elements of a tile along some dimensions are combined: in each thread, over lanes, over the rest.

A thread combines its own slots first. Lanes that hold other elements of the same lines meet by shuffles, two by two
along each bit of the lane, after which all of them have the result. What is left, warps and lanes that are not counted
by powers of two, meets through shared memory, where each thread combines all parts in the same order. So every thread
that holds an element of the result, replicas too, has the same bits.

>>> from tilevm.layout_constructors import local, spatial
>>> plan = reduction(spatial(2, 1) * spatial(8, 4) * local(1, 2), (1,), bytes=4)
>>> plan.slots, plan.lanes, plan.meeting
((0, 1), (1, 2), None)
>>> reduction(spatial(2, 1) * spatial(8, 4) * local(1, 2), (0, 1), bytes=4).scratch_bytes
8
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tilevm.digits import Digit
from tilevm.layout import Layout
from tilevm.plan import Plan
from tilevm.plans.meeting import Meeting, Term, meeting, thread_digits
from tilevm.plans.pieces import LANES, offsets

__all__ = ["Reduction", "lanes_of", "reduction"]


@dataclass(frozen=True, kw_only=True)
class Reduction(Plan):
    """Result slot ``r`` combines slots ``slots[r * count + k]`` of the operand, then, for each of ``lanes``, what the
    lane that differs in that bit has, then all parts of the meeting.

    The place of an element among those that it is combined with is the sum of the terms ``places`` and of
    ``steps[r * count + k]``, in row-major order of the dimensions that are reduced.
    """

    slots: tuple[int, ...]
    count: int
    lanes: tuple[int, ...]
    meeting: Meeting | None
    places: tuple[Term, ...]
    steps: tuple[int, ...]

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        """Where threads meet that are not lanes of one warp."""
        return () if self.meeting is None else (self.meeting,)

    @property
    def results(self) -> int:
        """Slots of the result."""
        return len(self.slots) // self.count


def reduction(layout: Layout, dims: Sequence[int], *, bytes: int, packed: bool = False) -> Reduction:
    """The reduction of a tile along dimensions; the result has the layout ``layout.reduce(…)``.

    ``bytes``: what one number takes in shared memory; with ``packed`` 32 results are the bits of one number.
    """
    others = [dim for dim in range(layout.rank) if dim not in dims]
    weights = _row_major(layout, dims)
    inner = [(each, weight) for each, weight in weights if each.axis == "R"]
    kept = _slots(digit for dim in others for digit in layout.dims[dim])
    starts = offsets((digit.size, digit.stride) for digit in kept)
    steps = offsets((digit.size, digit.stride) for digit, _ in inner)
    lanes, rest = lanes_of(thread_digits(layout, dims))
    numbers = -(-len(starts) // 32) if packed else len(starts)
    meets = None
    if rest:
        alike = [*(Digit(2, "T", lane) for lane in lanes), *layout.rep]
        meets = meeting(0, numbers, bytes, rest, thread_digits(layout, others), alike)
    return Reduction(
        slots=tuple(start + step for start in starts for step in steps),
        count=len(steps),
        lanes=lanes,
        meeting=meets,
        places=tuple((digit.stride, digit.size, weight) for digit, weight in weights if digit.axis == "T"),
        steps=tuple(offsets((digit.size, weight) for digit, weight in inner)) * len(starts),
        scratch_bytes=meets.cells * bytes if meets else 0,
    )


def _row_major(layout: Layout, dims: Sequence[int]) -> list[tuple[Digit, int]]:
    """The digits of some dimensions, outermost first, with their weights in row-major order."""
    found: list[tuple[Digit, int]] = []
    weight = 1
    for dim in reversed(dims):
        for digit in reversed(layout.dims[dim]):
            found.insert(0, (digit, weight))
            weight *= digit.size
    return found


def _slots(digits: Iterable[Digit]) -> list[Digit]:
    """Digits on slots, by falling stride."""
    return sorted((digit for digit in digits if digit.axis == "R"), key=lambda digit: -digit.stride)


def lanes_of(digits: Iterable[Digit]) -> tuple[tuple[int, ...], list[Digit]]:
    """The bits of the lane that digits on threads have, as distances of lanes, and what is left of the digits.

    >>> lanes_of([Digit(6, "T", 4), Digit(8, "T", 32)])
    ((4,), [Digit(size=3, axis='T', stride=8), Digit(size=8, axis='T', stride=32)])
    """
    lanes: list[int] = []
    rest: list[Digit] = []
    for size, axis, stride in digits:
        while size % 2 == 0 and stride < LANES and stride & (stride - 1) == 0:
            lanes.append(stride)
            size, stride = size // 2, stride * 2
        if size > 1:
            rest.append(Digit(size, axis, stride))
    return tuple(lanes), rest
