"""A layout as a product of constructors, the way a person would write it.

Factors are taken from the inner end: whichever dimension ends in the digit that moves by the smallest distance not yet
used, on threads or on slots, gives the next one. Neighbouring factors on one axis are then joined into one constructor
where the dimensions run in row-major or in column-major order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tilevm.layout import Layout
from tilevm.layout_constructors import column_major, row_major

__all__ = ["expression"]

_NAMES = {"R": ("local", "column_local"), "T": ("spatial", "column_spatial")}

# An elementary factor: the axis ("R", "T", or "rep" for replicas), the dimension, and the size.
Factor = tuple[str, int, int]


def expression(layout: Layout) -> str | None:
    """The layout as a product of constructors; None for one that is no such product.

    >>> from tilevm.layout_constructors import column_local, local, rep, spatial
    >>> expression(column_local(2, 2) * spatial(8, 4) * local(1, 2))
    'column_local(2, 2) * spatial(8, 4) * local(1, 2)'
    >>> expression((spatial(8, 4) * local(1, 2)).reduce(1))
    'spatial(8, 1) * rep(4)'
    """
    if layout.is_memory:
        return _dense(layout)
    factors = _factors(layout)
    if factors is None:
        return None
    shown = [_constructor(group, layout.rank) for group in _groups(factors)]
    if all(axis == "rep" for axis, _, _ in factors) and (layout.rank or not factors):
        shown.append(_call("local", [1] * layout.rank))
    return " * ".join(shown)


def _dense(layout: Layout) -> str | None:
    for name, constructor in (("row_major", row_major), ("column_major", column_major)):
        if layout == constructor(*layout.shape, width=layout.width):
            width = f", width={layout.width}" if layout.width > 1 else ""
            return f"{name}({', '.join(map(str, layout.shape))}{width})"
    return None


def _factors(layout: Layout) -> list[Factor] | None:
    """The elementary factors of a register layout, outermost first."""
    left = [list(dim) for dim in layout.dims]
    copies = list(layout.rep)
    reached = {"R": 1, "T": 1}
    found: list[Factor] = []
    while copies or any(left):
        ready = {
            dim[-1].axis: number
            for number, dim in enumerate(left)
            if dim and reached.get(dim[-1].axis) == dim[-1].stride
        }
        if copies and copies[-1].stride == reached["T"]:
            ready["rep"] = -1
        if not ready:
            return None
        last = found[-1][0] if found else "R"
        axis = last if last in ready else min(ready)
        digit = copies.pop() if axis == "rep" else left[ready[axis]].pop()
        found.append((axis, ready[axis], digit.size))
        reached[digit.axis] *= digit.size
    found.reverse()
    return found


def _groups(factors: list[Factor]) -> Iterator[list[Factor]]:
    """Runs of factors that one constructor can write: one axis, dimensions rising or falling."""
    group: list[Factor] = []
    for factor in factors:
        if group:
            dims = [dim for _, dim, _ in (*group, factor)]
            steps = [b - a for a, b in pairwise(dims)]
            one_way = all(step > 0 for step in steps) or all(step < 0 for step in steps)
            if factor[0] != group[0][0] or factor[0] == "rep" or not one_way:
                yield group
                group = []
        group.append(factor)
    if group:
        yield group


def _constructor(group: list[Factor], rank: int) -> str:
    axis = group[0][0]
    if axis == "rep":
        return _call("rep", [group[0][2]])
    sizes = [1] * rank
    for _, dim, size in group:
        sizes[dim] = size
    falling = len(group) > 1 and group[0][1] > group[-1][1]
    return _call(_NAMES[axis][falling], sizes)


def _call(name: str, arguments: list[int]) -> str:
    return f"{name}({', '.join(map(str, arguments))})"
