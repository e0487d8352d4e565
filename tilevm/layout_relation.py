"""How the layouts of an instruction's operands go with the layout of its result.

Each instruction answers for itself (``Instruction.layouts``), so a pass that chooses layouts knows no instruction by
name. A *relation* holds between one operand and the result: given one layout it says what the other is, in both
directions where the instruction can be turned round, else in one.

>>> from tilevm.layout_constructors import local, spatial
>>> rows = spatial(8, 4) * local(1, 2)
>>> SAME.operand_of(rows) == rows
True
>>> print(serving((8, 1)).operand_of(rows))
[8,1]{8:T4 | 1; rep 4:T1}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import eq

import numpy as np

from tilevm.errors import LayoutError
from tilevm.layout import Layout

__all__ = ["ANY_SLOTS", "SAME", "Relation", "coarser", "one_way", "same_but_for_slots", "serving", "two_ways"]

Map = Callable[[Layout], Layout]


@dataclass(frozen=True)
class Relation:
    """Between one operand and the result (or, where there is none, the tile of elements that it works on).

    ``operand_from`` gives the operand's layout for the result's and ``result_from`` the result's for the operand's;
    one of them may be None. Both may raise ``LayoutError`` for a layout that the instruction cannot keep. ``accepts``
    compares the layout that the operand needs with the one it has. An ``eager`` relation would rather have the very
    layout, although it accepts others.
    """

    operand_from: Map | None
    result_from: Map | None
    accepts: Callable[[Layout, Layout], bool] = eq
    eager: bool = False

    def operand_of(self, result: Layout) -> Layout | None:
        """The layout of the operand that goes with a layout of the result, None where there is none."""
        return _tried(self.operand_from, result)

    def result_of(self, operand: Layout) -> Layout | None:
        """The layout of the result that goes with a layout of the operand, None where there is none."""
        return _tried(self.result_from, operand)


def _tried(function: Map | None, layout: Layout) -> Layout | None:
    try:
        return None if function is None else function(layout)
    except LayoutError:
        return None


SAME = Relation(lambda layout: layout, lambda layout: layout)
"""Element by element: one layout for both."""


def two_ways(operand_from: Map, result_from: Map) -> Relation:
    """The elements only get other indices, as in a transpose."""
    return Relation(operand_from, result_from)


def one_way(result_from: Map) -> Relation:
    """The operand decides, as in a reduction."""
    return Relation(None, result_from)


def serving(shape: tuple[int, ...]) -> Relation:
    """An operand of ``shape`` each of whose elements serves a block of the result's, as when it is broadcast."""
    return Relation(lambda layout: coarser(layout, shape), None)


def coarser(layout: Layout, shape: tuple[int, ...]) -> Layout:
    """The layout of a tile of ``shape`` each of whose elements is held where any element of its block is held.

    The extents of ``shape`` divide those of the layout; dimensions that it lacks are the first ones. The threads of a
    block become replicas. Raises ``LayoutError`` L007 where a block ends inside a digit.

    >>> from tilevm.layout_constructors import local, spatial
    >>> print(coarser(spatial(8, 4) * local(1, 2), (4, 2)))
    [4,2]{4:T8 | 2:T2; rep 2:T4 2:T1}
    """
    while layout.rank > len(shape):
        layout = layout.reduce(0).squeeze(0)
    for dim, count in enumerate(shape):
        whole = layout.shape[dim]
        if count != whole:
            split = layout.reshape(*layout.shape[:dim], count, whole // count, *layout.shape[dim + 1 :])
            layout = split.reduce(dim + 1).squeeze(dim + 1)
    return layout


def same_but_for_slots(register_slots: int) -> Callable[[Layout, Layout], bool]:
    """Whether two layouts differ only in the order of a thread's registers, each of ``register_slots`` slots.

    Slots of one thread cost nothing to rename, as long as all threads rename alike and a register stays whole.

    >>> from tilevm.layout_constructors import column_local, local, spatial
    >>> same_but_for_slots(1)(local(2, 2) * spatial(8, 4), column_local(2, 2) * spatial(8, 4))
    True
    >>> same_but_for_slots(2)(local(2, 2) * spatial(8, 4), column_local(2, 2) * spatial(8, 4))
    False
    """

    def alike(first: Layout, second: Layout) -> bool:
        if first == second:
            return True
        if (first.shape, first.threads, first.slots) != (second.shape, second.threads, second.slots):
            return False
        if first.slots % register_slots:
            return False
        tables = []
        for layout in (first, second):
            held = layout.thread_slot_to_flat().reshape(layout.threads, -1, register_slots)
            tables.append(held[:, np.argsort(held[0, :, 0])])
        return bool(np.array_equal(tables[0], tables[1]))

    return alike


ANY_SLOTS = Relation(SAME.operand_from, SAME.result_from, same_but_for_slots(1), eager=True)
"""Element by element, from any slot of the same thread."""
