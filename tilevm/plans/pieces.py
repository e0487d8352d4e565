"""Two register layouts of one shape, cut into pieces: the smallest digits that are digits of both.

Every element of a tile is one value of each piece, and a piece says where one step of it leads in either layout, to
other slots or to other threads. What it takes to bring elements from one layout to the other can be read off: a piece
that stays in the slots of a thread costs nothing, one that stays in the same threads neither, all others must travel.

>>> from tilevm.layout_constructors import local, spatial
>>> for piece in pieces(local(4, 1) * spatial(1, 32), spatial(2, 16) * local(2, 2)) or ():
...     print(piece)
2: R2 -> T16
2: R1 -> R2
2: T16 -> T8
2: T8 -> T4
2: T4 -> T2
2: T2 -> T1
2: T1 -> R1
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from tilevm import digits as radix
from tilevm.digits import Digit
from tilevm.layout import Layout

__all__ = ["LANES", "LANE_BITS", "Piece", "Place", "lane_bit", "offsets", "pieces", "stays_in_warps"]

LANES = 32
LANE_BITS = 5


class Place(NamedTuple):
    """Where a step leads: ``stride`` threads (``T``) or slots (``R``) further."""

    axis: str
    stride: int

    def __str__(self) -> str:
        return f"{self.axis}{self.stride}"


class Piece(NamedTuple):
    """A digit of two layouts: of size 2 or of odd size."""

    size: int
    source: Place
    target: Place

    def __str__(self) -> str:
        return f"{self.size}: {self.source} -> {self.target}"


def pieces(source: Layout, target: Layout) -> list[Piece] | None:
    """The pieces of two layouts of one shape, outermost first; None where digits of one cut those of the other."""
    found: list[Piece] = []
    for first, second in zip(source.dims, target.dims, strict=True):
        pairs = radix.refined(first, second)
        if pairs is None:
            return None
        for a, b in pairs:
            found += _divided(a, b)
    return found


def _divided(a: Digit, b: Digit) -> list[Piece]:
    """Two digits of one size as pieces, the odd one outermost."""
    inner: list[Piece] = []
    size, stride, other = a.size, a.stride, b.stride
    while size % 2 == 0:
        inner.append(Piece(2, Place(a.axis, stride), Place(b.axis, other)))
        size, stride, other = size // 2, stride * 2, other * 2
    outer = [Piece(size, Place(a.axis, stride), Place(b.axis, other))] if size > 1 else []
    return [*outer, *reversed(inner)]


def lane_bit(place: Place) -> int | None:
    """Which bit of the number of a lane a step of a piece of size 2 flips, None where it flips no single one.

    >>> lane_bit(Place("T", 8)), lane_bit(Place("T", 32)), lane_bit(Place("T", 6)), lane_bit(Place("R", 1))
    (3, None, None, None)
    """
    bit = place.stride.bit_length() - 1
    return bit if place.axis == "T" and bit < LANE_BITS and place.stride == 1 << bit else None


def stays_in_warps(piece: Piece, place: Place) -> bool:
    """Whether a step on threads flips a bit of the lane, or leads to the same lane of another warp."""
    return place.axis == "R" or place.stride % LANES == 0 or (piece.size == 2 and lane_bit(place) is not None)


def offsets(digits: Iterable[tuple[int, int]]) -> list[int]:
    """All sums of digits ``(size, stride)``, the last digit changing fastest.

    >>> offsets([(2, 8), (3, 1)])
    [0, 1, 2, 8, 9, 10]
    """
    return [sum(steps) for steps in product(*([step * stride for step in range(size)] for size, stride in digits))]
