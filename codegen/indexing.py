"""Tables of integers as C++ expressions of the number of an unrolled iteration.

Which slot of an operand belongs to a slot of the result, or which word a piece of a tile begins at, is computed here
as a table. Nearly every table is a mixed radix: a sum of terms ``i / weight % size * stride``. Written like this a
loop stays readable, and the compiler, which unrolls it, folds every term to a constant.

>>> closed_form((0, 1, 4, 5, 8, 9), "i")
'i % 2 + i / 2 * 4'
>>> closed_form((3, 3, 3), "i"), closed_form((0, 2, 1), "i")
('3', 'tv::Table<0, 2, 1>::at(i)')
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["closed_form", "digits_of"]

Digit = tuple[int, int, int]


def digits_of(table: Sequence[int]) -> list[Digit] | None:
    """The digits (size, weight, stride), least significant first, of ``table[i] - table[0]``; None if there are none.

    >>> digits_of((0, 1, 4, 5, 8, 9))
    [(2, 1, 1), (3, 2, 4)]
    """
    rest = [value - table[0] for value in table]
    found: list[Digit] = []
    weight = 1
    while len(rest) > 1:
        size = _first_digit(rest)
        if size is None:
            return None
        found.append((size, weight, rest[1]))
        rest, weight = rest[::size], weight * size
    return found


def _first_digit(table: Sequence[int]) -> int | None:
    """The largest size that the least significant digit can have."""
    stride = table[1]
    for size in sorted((each for each in range(2, len(table) + 1) if len(table) % each == 0), reverse=True):
        if all(table[i] == table[i - i % size] + i % size * stride for i in range(len(table))):
            return size
    return None


def closed_form(table: Sequence[int], variable: str) -> str:
    """A C++ expression that gives ``table[variable]``, for a variable that is constant once loops are unrolled."""
    if len(set(table)) == 1:
        return str(table[0])
    digits = digits_of(table)
    if digits is None:
        return f"tv::Table<{', '.join(map(str, table))}>::at({variable})"
    terms = [] if table[0] == 0 else [str(table[0])]
    for size, weight, stride in digits:
        term = variable if weight == 1 else f"{variable} / {weight}"
        if size * weight < len(table):
            term += f" % {size}"
        if stride:
            terms.append(term if stride == 1 else f"{term} * {stride}")
    return " + ".join(terms).replace("+ -", "- ")
