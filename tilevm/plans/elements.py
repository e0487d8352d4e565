"""Accesses to single elements: at indices that are computed (gather, scatter), or indivisibly (atomics).

Every thread works on its own elements, so addresses are computed for each. What several threads hold is done by one of
them; where all of them get a result, it goes through scratch memory, in which each element has its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tilevm import digits as radix
from tilevm.digits import Digit
from tilevm.layout import Layout
from tilevm.plan import Plan, Planning
from tilevm.plans.accesses import (
    Access,
    ElementAddress,
    ThreadStep,
    element_address,
    element_unit,
    owner_of,
    plan_access,
    thread_steps,
)
from tilevm.plans.facts import Facts
from tilevm.plans.memory import layout_of
from tilevm.values import Operand, SharedType, TileType, Type, Value, Window

__all__ = ["Atomic", "Indexed", "Numbering", "plan_atomic", "plan_gather", "plan_scatter"]

ADDRESS_BYTES = 8
WORD_BYTES = 4


@dataclass(frozen=True)
class Numbering:
    """The row-major numbers of a thread's elements: the thread's part, and what each slot adds."""

    count: int
    threads: tuple[ThreadStep, ...]
    table: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Indexed(Plan):
    """Elements at index tiles. ``slots``: elements of a thread; ``indices`` and ``value``: for each of them the slot of
    every index tile, and of the tile that is written (all 0 of a scalar). ``unit``: bits of one instruction, 0 where an
    element shares its bytes with others. ``numbering`` is None where no two elements can meet."""

    shared: bool
    bits: int
    unit: int
    address: ElementAddress
    slots: int
    indices: tuple[tuple[int, ...], ...]
    value: tuple[int, ...] = ()
    owner: tuple[tuple[int, int | None], ...] = ()
    numbering: Numbering | None = None

    @property
    def bits_moved(self) -> int:
        """Bits of what is moved to or from one place: of an element."""
        return self.bits


@dataclass(frozen=True, kw_only=True)
class Atomic(Plan):
    """``access`` has one piece for each element. ``numbering``: the places of results in scratch memory, where other
    threads than the one that does the work want them; else None."""

    access: Access
    numbering: Numbering | None = None


def numbering_of(layout: Layout | None) -> Numbering:
    """The row-major numbers of the elements of a tile; of a scalar 0."""
    if layout is None:
        return Numbering(1, (), (0,))
    weight, steps, table = 1, [], [0] * layout.slots
    for dim in reversed(layout.dims):
        for digit in reversed(dim):
            if digit.axis == "T":
                steps += thread_steps([digit], layout.threads, weight)
            else:
                table = [n + slot // digit.stride % digit.size * weight for slot, n in enumerate(table)]
            weight *= digit.size
    return Numbering(weight, tuple(steps), tuple(table))


def plan_gather(base: Value, indices: Sequence[Operand], result: Type, planning: Planning) -> Indexed:
    """How elements at index tiles are loaded."""
    return _indexed(base, indices, layout_of(result), Facts(planning))


def plan_scatter(base: Value, value: Operand, indices: Sequence[Operand], planning: Planning) -> Indexed:
    """How elements are stored at index tiles. Of equal indices the last element in row-major order stays, so each is
    compared with those after it."""
    layout = _common_layout([value, *indices])
    numbering = numbering_of(layout) if layout is not None and prod(layout.shape) > 1 else None
    if numbering is not None:
        planning.remark(
            f"each of {numbering.count} elements is compared with those after it, of which the last is kept at an index"
        )
    return replace(
        _indexed(base, indices, layout, Facts(planning)),
        value=_slots(layout, value),
        owner=owner_of(layout),
        numbering=numbering,
        scratch_bytes=numbering.count * ADDRESS_BYTES if numbering else 0,
    )


def plan_atomic(window: Window, result: Type, planning: Planning) -> Atomic:
    """How a window is changed indivisibly, element by element."""
    layout = layout_of(result)
    access = plan_access(window, layout, Facts(planning), single=True)
    shared_out = layout is None or layout.rep
    numbering = numbering_of(layout) if shared_out else None
    width = max(WORD_BYTES, window.dtype.bits // 8)
    return Atomic(access=access, numbering=numbering, scratch_bytes=numbering.count * width if numbering else 0)


def _indexed(base: Value, indices: Sequence[Operand], layout: Layout | None, facts: Facts) -> Indexed:
    return Indexed(
        shared=isinstance(base.type, SharedType),
        bits=base.dtype.bits,
        unit=element_unit(base, facts),
        address=element_address(base.type, facts),
        slots=layout.slots if layout else 1,
        indices=tuple(_slots(layout, index) for index in indices),
    )


def _slots(layout: Layout | None, operand: Operand) -> tuple[int, ...]:
    """For each slot of a tile the slot in which the thread holds the element of an operand that broadcasts to it."""
    if layout is None or not isinstance(operand.type, TileType):
        return (0,) * (layout.slots if layout else 1)
    held = layout_of(operand.type)
    assert held is not None
    numbers = np.broadcast_to(np.arange(prod(held.shape)).reshape(held.shape), layout.shape).reshape(-1)
    wanted = numbers[layout.thread_slot_to_flat()[0]]
    places = {int(number): slot for slot, number in enumerate(held.thread_slot_to_flat()[0])}
    return tuple(places[int(number)] for number in wanted)


def _common_layout(operands: Sequence[Operand]) -> Layout | None:
    """The layout of the tile that operands broadcast to, in which each thread holds what it needs of each; None where
    all are scalars."""
    tiles = [operand for operand in operands if isinstance(operand.type, TileType)]
    if not tiles:
        return None
    shape = np.broadcast_shapes(*(tile.shape for tile in tiles))
    layouts = [layout for tile in tiles if (layout := layout_of(tile.type))]
    whole = next((layout for layout in layouts if layout.shape == shape), None)
    return whole or _joined(layouts, shape)


def _joined(layouts: Sequence[Layout], shape: tuple[int, ...]) -> Layout:
    """A layout whose dimensions are those of several layouts, each of which lies along some dimensions only."""
    dims: list[tuple[Digit, ...]] = []
    reached = 1
    for dim, extent in reversed(list(enumerate(shape))):
        place = dim - len(shape)
        digits: tuple[Digit, ...] = ()
        if extent > 1:
            owner = next(each for each in layouts if -place <= each.rank and each.shape[place] == extent)
            digits = owner.dims[place]
        own = sorted(each.stride for each in digits if each.axis == "R")
        new = {}
        for stride in own:
            (size,) = (each.size for each in digits if each.axis == "R" and each.stride == stride)
            new[stride] = reached
            reached *= size
        dims.append(tuple(Digit(d.size, d.axis, new[d.stride] if d.axis == "R" else d.stride) for d in digits))
    dims.reverse()
    used = {digit.stride: digit.size for dim in dims for digit in dim if digit.axis == "T"}
    return Layout(tuple(dims), _unused(used, layouts[0].threads))


def _unused(used: dict[int, int], threads: int) -> tuple[Digit, ...]:
    """The digits of the thread that no element depends on."""
    free, reached = [], 1
    for stride in (*sorted(used), threads):
        free.append(Digit(stride // reached, "T", reached))
        reached = stride * used.get(stride, 1)
    return radix.merged_set(free)
