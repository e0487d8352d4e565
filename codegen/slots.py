"""Which slot of an operand holds what a slot of the result needs, in the same thread.

After layout inference each thread holds the elements that its own part of a result is made of, so that an elementwise
instruction is a loop over slots and a movement (reshape, permute, slice, …) only renames them. The map is found by the
elements themselves: row-major numbers of the operand's elements, moved as the instruction moves elements.
"""

from __future__ import annotations

from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tilevm.instruction import Instruction
from tilevm.layout import Layout
from tilevm.layout_constructors import rep
from tilevm.machine import Array, Batch
from tilevm.values import Literal, Operand, TileType, Type, Value

__all__ = ["block_slots", "broadcast_slots", "moved_slots", "slots_of"]

Flat = NDArray[np.int64]


def slots_of(result: Layout, operand: Layout, elements: Flat) -> tuple[int, ...]:
    """For each slot of the result the slot of the operand that holds element ``elements[…]`` of it, -1 for element -1.

    ``elements`` has the shape of the result and holds row-major numbers of the operand's elements. It is an error of a
    pass, and asserted, that every thread holds what it needs, each in the same slot.
    """
    wanted = elements.reshape(-1)[result.thread_slot_to_flat()]
    held = operand.thread_slot_to_flat()
    # One column more, which stays -1, for elements that come from elsewhere.
    where = np.full((operand.threads, prod(operand.shape) + 1), -1, np.int64)
    np.put_along_axis(where, held, np.broadcast_to(np.arange(operand.slots), held.shape), axis=1)
    found = np.take_along_axis(where, wanted, axis=1)
    assert (found == found[0]).all(), f"threads differ in their slots: {result} of {operand}"
    assert ((found[0] >= 0) == (wanted[0] >= 0)).all(), f"a thread lacks an element: {result} needs {operand}"
    return tuple(found[0].tolist())


def broadcast_slots(result: TileType, operand: Value) -> tuple[int, ...]:
    """The map for an operand that broadcasts to the shape of the result, as NumPy's do."""
    elements = np.broadcast_to(_numbers(operand.shape), result.shape)
    return slots_of(_layout(result), _layout(operand.type), elements)


def block_slots(result: TileType, operand: Type) -> tuple[int, ...]:
    """The map for an operand each of whose elements serves a block of the result; zeros for a scalar."""
    if not isinstance(operand, TileType):
        return (0,) * _layout(result).slots
    elements = _numbers(operand.shape)
    for axis, (extent, count) in enumerate(zip(result.shape, operand.shape, strict=True)):
        elements = np.repeat(elements, extent // count, axis=axis)
    return slots_of(_layout(result), _layout(operand), elements)


def moved_slots(instruction: Instruction, result: TileType) -> list[tuple[Value, int]]:
    """For each slot of the result of an instruction that only moves elements, the operand and the slot in it."""
    tiles = [each for each in instruction.operands() if isinstance(each, Value)]
    starts = np.cumsum([0, *(prod(each.shape) for each in tiles)]).tolist()
    batch = _Numbers({each: _numbers(each.shape) + start for each, start in zip(tiles, starts, strict=False)})
    moved = np.asarray(instruction.evaluate(cast(Batch, batch)))[0]
    found: dict[int, tuple[Value, int]] = {}
    for tile, start in zip(tiles, starts, strict=False):
        inside = (moved >= start) & (moved < start + prod(tile.shape))
        layout = _layout(tile.type) if isinstance(tile.type, TileType) else rep(_layout(result).threads)
        slots = slots_of(_layout(result), layout, np.where(inside, moved - start, -1))
        found |= {slot: (tile, number) for slot, number in enumerate(slots) if number >= 0}
    return [found[slot] for slot in range(_layout(result).slots)]


def _numbers(shape: tuple[int, ...]) -> Flat:
    return np.arange(prod(shape), dtype=np.int64).reshape(shape)


def _layout(kind: Any) -> Layout:
    assert isinstance(kind, TileType)
    assert kind.layout is not None, "a tile has no layout: run the passes first"
    return kind.layout


class _Numbers:
    """A batch of one block whose tiles hold the numbers of their own elements."""

    count = 1

    def __init__(self, arrays: dict[Value, Flat]) -> None:
        self.arrays = arrays

    def raw(self, operand: Operand) -> Array:
        assert not isinstance(operand, Literal)
        return self.arrays[operand][None]

    values = codes = raw
