"""Digits of a mixed radix, and what can be done with a list of them without knowing what it describes.

A *digit* takes ``size`` values, and each step of it moves ``stride`` along one axis: ``T`` threads, ``R`` register
slots, ``B`` bits of memory. A digit on the axis ``-`` moves nowhere: all its values share one place. A dimension of a
layout is a list of digits, outermost first; the digits of an index are taken from the inner end, as the decimal digits
of a number are.

Every function keeps lists canonical: no digit of size 1, and no two neighbours that are one digit. Two canonical lists
describe the same map exactly when they are equal.

>>> text(merged([Digit(2, "R", 4), Digit(4, "R", 1)]))
'8:R1'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, TypeVar

from numpy.typing import NDArray

__all__ = ["AXES", "Digit", "Digits", "Mismatch"]

Index = TypeVar("Index", int, NDArray[Any])

AXES = ("T", "R", "B", "-")


class Digit(NamedTuple):
    """One digit: ``size`` values, each ``stride`` further on ``axis`` (``T`` ``R`` ``B`` or ``-``).

    >>> str(Digit(8, "T", 4)), str(Digit(2, "-", 0))
    ('8:T4', '2:-')
    """

    size: int
    axis: str
    stride: int

    def __str__(self) -> str:
        return f"{self.size}:{self.axis}{self.stride or ''}"


Digits = tuple[Digit, ...]


class Mismatch(Exception):
    """A list of digits does not end as another does; ``position`` is the first digit of the other that differs."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def text(digits: Iterable[Digit]) -> str:
    """The digits as they are written; ``1`` for none."""
    return " ".join(map(str, digits)) or "1"


def size(digits: Iterable[Digit]) -> int:
    """How many indices the digits count."""
    return prod(digit.size for digit in digits)


def merged(digits: Iterable[Digit]) -> Digits:
    """The canonical list: digits of size 1 dropped, neighbours that continue each other merged."""
    result: list[Digit] = []
    for count, axis, stride in digits:
        if count == 1:
            continue
        axis = axis if stride else "-"
        if result and result[-1].axis == axis and result[-1].stride == count * stride:
            result[-1] = Digit(result[-1].size * count, axis, stride)
        else:
            result.append(Digit(count, axis, stride))
    return tuple(result)


def merged_set(digits: Iterable[Digit]) -> Digits:
    """The canonical list of digits whose order carries no meaning: by falling stride, merged."""
    return merged(sorted(digits, key=lambda digit: -digit.stride))


def is_perfect(digits: Iterable[Digit]) -> bool:
    """Whether the digits, in some order, count every number below the product of their sizes exactly once."""
    reached = 1
    for digit in sorted(digits, key=lambda digit: digit.stride):
        if digit.size > 1:
            if digit.stride != reached:
                return False
            reached *= digit.size
    return True


def scaled(digits: Iterable[Digit], factors: Mapping[str, int]) -> list[Digit]:
    """The digits with each stride multiplied by the factor of its axis."""
    return [Digit(digit.size, digit.axis, digit.stride * factors[digit.axis]) for digit in digits]


def shrunk(digits: Iterable[Digit], factors: Mapping[str, int]) -> list[Digit]:
    """The inverse of ``scaled``."""
    return [Digit(digit.size, digit.axis, digit.stride // factors[digit.axis]) for digit in digits]


def place(digits: Iterable[Digit], index: Index, axis: str) -> Index:
    """Where an index lies on one axis. Works on arrays of indices as well."""
    result = index * 0
    for digit in reversed(tuple(digits)):
        if digit.axis == axis:
            result = result + index % digit.size * digit.stride
        index = index // digit.size
    return result


def without_inner(digits: Digits, inner: Digits) -> Digits:
    """What is left when ``inner`` is taken from the inner end; raises ``Mismatch`` where it does not end so."""
    left = list(digits)
    for position in range(len(inner) - 1, -1, -1):
        wanted = inner[position]
        if not left or left[-1][1:] != wanted[1:] or left[-1].size % wanted.size:
            raise Mismatch(position)
        count, axis, stride = left.pop()
        if count != wanted.size:
            left.append(Digit(count // wanted.size, axis, stride * wanted.size))
    return tuple(left)


def without_outer(digits: Digits, outer: Sequence[Digit]) -> Digits:
    """What is left when ``outer`` is taken from the outer end; raises ``Mismatch`` where it does not begin so."""
    left = list(reversed(digits))
    for position, wanted in enumerate(outer):
        if not left or left[-1].axis != wanted.axis or left[-1].size % wanted.size:
            raise Mismatch(position)
        count, axis, stride = left.pop()
        rest = count // wanted.size
        if stride * rest != wanted.stride:
            raise Mismatch(position)
        if rest > 1:
            left.append(Digit(rest, axis, stride))
    return tuple(reversed(left))


def split_at(digits: Digits, boundary: int) -> tuple[Digits, Digits] | None:
    """An unordered list as the part that moves by multiples of ``boundary`` and the part that stays below it."""
    upper: list[Digit] = []
    lower: list[Digit] = []
    for digit in digits:
        count, axis, stride = digit
        if stride >= boundary:
            if stride % boundary:
                return None
            upper.append(digit)
        elif stride * count <= boundary:
            lower.append(digit)
        else:
            steps, rest = divmod(boundary, stride)
            if rest or count % steps:
                return None
            upper.append(Digit(count // steps, axis, boundary))
            lower.append(Digit(steps, axis, stride))
    return merged_set(upper), merged_set(lower)


def regrouped(digits: Iterable[Digit], shape: Sequence[int]) -> tuple[Digits, ...] | None:
    """One list cut into dimensions of the given sizes; None where a cut would go through an indivisible digit."""
    left = list(merged(digits))
    dims: list[Digits] = []
    for extent in reversed(shape):
        dim: list[Digit] = []
        while extent > 1:
            count, axis, stride = left.pop()
            if count > extent and count % extent == 0:
                left.append(Digit(count // extent, axis, stride * extent))
                count = extent
            if extent % count:
                return None
            dim.append(Digit(count, axis, stride))
            extent //= count
        dims.append(tuple(reversed(dim)))
    return tuple(reversed(dims))


def refined(first: Digits, second: Digits) -> list[tuple[Digit, Digit]] | None:
    """Two lists over one dimension as pairs of digits of equal size, outermost first; None where they do not align."""
    left, right = list(first), list(second)
    pairs: list[tuple[Digit, Digit]] = []
    while left and right:
        a, b = left.pop(), right.pop()
        count = min(a.size, b.size)
        if a.size % count or b.size % count:
            return None
        for digit, rest in ((a, left), (b, right)):
            if digit.size > count:
                rest.append(Digit(digit.size // count, digit.axis, digit.stride * count))
        pairs.append((Digit(count, a.axis, a.stride), Digit(count, b.axis, b.stride)))
    pairs.reverse()
    return None if left or right else pairs


def cut(digits: Digits, start: int, extent: int) -> tuple[list[Digit], list[tuple[Digit, int]]] | None:
    """The digits of the indices from ``start``, ``extent`` of them, and with each cut digit how many values it keeps.

    The second list holds the digits that lose values, with the number that stay. None where the range is not a box of
    digits.
    """
    kept: list[Digit] = []
    lost: list[tuple[Digit, int]] = []
    for digit in reversed(digits):
        first = start % digit.size
        start //= digit.size
        taken = digit.size if extent % digit.size == 0 else extent
        if taken > digit.size or first + taken > digit.size:
            return None
        extent //= taken
        kept.append(Digit(taken, digit.axis, digit.stride))
        if taken < digit.size:
            lost.append((digit, taken))
    kept.reverse()
    return (kept, lost) if extent == 1 else None


def compacted(dims: Iterable[Iterable[Digit]], axis: str) -> tuple[Digits, ...]:
    """The dims with the strides of one axis renumbered, in their order, so that no place is left out."""
    dims = tuple(tuple(dim) for dim in dims)
    reached = 1
    new: dict[int, int] = {}
    for digit in sorted((d for dim in dims for d in dim if d.axis == axis and d.size > 1), key=lambda d: d.stride):
        new[digit.stride] = reached
        reached *= digit.size
    return tuple(
        merged(Digit(d.size, d.axis, new[d.stride] if d.axis == axis and d.size > 1 else d.stride) for d in dim)
        for dim in dims
    )
