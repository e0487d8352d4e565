"""Where threads that are not lanes of one warp tell each other a few numbers: cells of shared memory.

Each of ``parts`` threads writes its numbers, all meet, and every thread reads those of all parts, in one order, so
that all compute the same from them. Threads that differ in nothing that matters write once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from tilevm import digits as radix
from tilevm.digits import Digit
from tilevm.layout import Layout
from tilevm.plans.scratch import LARGEST_SCRATCH

__all__ = ["Meeting", "Term", "compact", "meeting", "thread_digits"]

Term = tuple[int, int, int]
"""``thread / stride % size * weight``, as ``(stride, size, weight)``."""


@dataclass(frozen=True)
class Meeting:
    """Number ``i`` of part ``p`` lies in cell ``first + (p * at_once + i) * owners + owner``.

    ``part`` and ``owner`` are sums of terms; ``only`` are digits ``(stride, size)`` that are 0 in those that write.
    Where there are more than ``at_once`` numbers, so many follow each other, with a barrier in between.
    """

    first: int
    parts: int
    at_once: int
    owners: int
    part: tuple[Term, ...]
    owner: tuple[Term, ...]
    only: tuple[tuple[int, int], ...]

    @property
    def cells(self) -> int:
        """How many cells it takes."""
        return self.parts * self.at_once * self.owners


def thread_digits(layout: Layout, dims: Iterable[int]) -> list[Digit]:
    """The digits of some dimensions that lie on threads, by rising stride."""
    found = [digit for dim in dims for digit in layout.dims[dim] if digit.axis == "T"]
    return sorted(found, key=lambda digit: digit.stride)


def meeting(
    first: int, numbers: int, bytes: int, part: Iterable[Digit], owner: Iterable[Digit], alike: Iterable[Digit]
) -> Meeting:
    """The cells for parts that differ in some digits, of owners that differ in others; ``alike`` digits do not
    matter. A number takes ``bytes``."""
    parts, owners = list(part), list(owner)
    together = prod(digit.size for digit in (*parts, *owners))
    return Meeting(
        first,
        prod(digit.size for digit in parts),
        min(numbers, LARGEST_SCRATCH // (bytes * together)),
        prod(digit.size for digit in owners),
        compact(parts),
        compact(owners),
        tuple((digit.stride, digit.size) for digit in reversed(radix.merged_set(alike))),
    )


def compact(digits: Iterable[Digit]) -> tuple[Term, ...]:
    """Digits counted anew, without gaps, the first one fastest.

    >>> compact([Digit(4, "T", 1), Digit(2, "T", 32), Digit(2, "T", 64)])
    ((1, 4, 1), (32, 4, 4))
    """
    found = []
    weight = 1
    for digit in reversed(radix.merged(reversed(list(digits)))):
        found.append((digit.stride, digit.size, weight))
        weight *= digit.size
    return tuple(found)
