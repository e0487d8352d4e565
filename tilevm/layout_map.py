"""The map that a layout is: from the index of an element to its place, back where that exists, and when two are equal.

The operators on layouts are in ``tilevm.layout``, with the definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from operator import index as as_integer
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tilevm import digits as radix
from tilevm import layout_checks as checks
from tilevm.digits import Digit, Digits
from tilevm.errors import LayoutError
from tilevm.xor_map import Xor

__all__ = ["IndexArray", "LayoutMap"]

IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class LayoutMap:
    """The digits of a layout and what they say of each element. ``Layout`` adds the operators.

    ``dims``: for each dimension its digits, outermost first. ``rep``: digits on ``T`` that lead to the other threads
    that hold the same elements. ``xor``: the swizzle of a memory layout. ``width``: for a memory layout, the bits of
    one element, padding that belongs to it included; 0 for a register layout.
    """

    dims: tuple[Digits, ...]
    rep: Digits = ()
    xor: Xor | None = None
    width: int = 0

    def __post_init__(self) -> None:
        given = [[checks.digit(entry) for entry in dim] for dim in self.dims]
        copies = [checks.digit(entry) for entry in self.rep]
        in_memory = self.xor is not None or any(entry.axis == "B" for dim in given for entry in dim)
        self._fill(given, copies, self.xor, as_integer(self.width) or int(in_memory))
        checks.kind(self)
        (checks.whole_elements if self.width else checks.compact)(self)

    @classmethod
    def _of(cls, dims: Iterable[Iterable[Digit]], rep: Iterable[Digit], xor: Xor | None, width: int) -> Self:
        """A layout whose digits are known to be good."""
        self = object.__new__(cls)
        self._fill(dims, rep, xor, width)
        return self

    def _fill(self, dims: Iterable[Iterable[Digit]], rep: Iterable[Digit], xor: Xor | None, width: int) -> None:
        # The dataclass is frozen for others; this is where it is made.
        self.__dict__.update(
            dims=tuple(map(radix.merged, dims)),
            rep=radix.merged_set(rep) if rep else (),
            xor=xor if xor is not None and xor.terms else None,
            width=width,
        )

    # Sizes

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Elements along each dimension."""
        return tuple(map(radix.size, self.dims))

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.dims)

    @property
    def is_memory(self) -> bool:
        """Whether places are bits of memory."""
        return self.width > 0

    @property
    def is_register(self) -> bool:
        """Whether places are threads and slots."""
        return self.width == 0

    @cached_property
    def threads(self) -> int:
        """How many threads hold elements, replicas counted; 1 for a memory layout."""
        return self._count("T") * radix.size(self.rep)

    @cached_property
    def slots(self) -> int:
        """How many register slots each thread has; 1 for a memory layout."""
        return self._count("R")

    @cached_property
    def size_bits(self) -> int:
        """The extent of a memory layout in bits, from the first bit of the tile to its last, padding between included.

        Raises ``LayoutError`` L003 for a register layout.
        """
        checks.memory(self, "size_bits")
        block = self.xor.block if self.xor else 1
        return -(-(self._last_offset + self.width) // block) * block

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The size along each axis: by this much a step of an outer factor of a product grows."""
        return {"T": self.threads, "R": self.slots, "B": self.size_bits if self.width else 1, "-": 1}

    def _count(self, axis: str) -> int:
        return prod(digit.size for dim in self.dims for digit in dim if digit.axis == axis)

    @property
    def _last_offset(self) -> int:
        return sum((digit.size - 1) * digit.stride for dim in self.dims for digit in dim)

    # Places

    def place(self, index: Sequence[int]) -> tuple[int, int]:
        """The thread, the first of its replicas, and the slot that hold an element of a register layout.

        Raises ``LayoutError`` L003 for a memory layout, L010 for an index outside the shape.
        """
        checks.registers(self, "place")
        checks.inside(self, index)
        return self._sum(index, "T"), self._sum(index, "R")

    def owners(self, index: Sequence[int]) -> tuple[int, ...]:
        """Every thread that holds an element, in rising order. Raises as ``place`` does.

        >>> from tilevm.layout_constructors import rep, spatial
        >>> (rep(2) * spatial(4)).owners([1])
        (1, 5)
        """
        found = [self.place(index)[0]]
        for digit in reversed(self.rep):
            found = [thread + step * digit.stride for step in range(digit.size) for thread in found]
        return tuple(sorted(found))

    def offset(self, index: Sequence[int]) -> int:
        """The bit at which an element of a memory layout begins.

        Raises ``LayoutError`` L003 for a register layout, L010 for an index outside the shape.

        >>> from tilevm.layout_constructors import row_major
        >>> row_major(4, 4, width=6).offset((1, 1))
        30
        """
        checks.memory(self, "offset")
        checks.inside(self, index)
        offset = self._sum(index, "B")
        return self.xor(offset) if self.xor else offset

    def at(self, thread: int, slot: int) -> tuple[int, ...]:
        """The element that a thread holds in a slot.

        Raises ``LayoutError`` L003 for a memory layout, L010 for a thread or slot that the layout has not, L011 where
        several elements share one place.
        """
        checks.invertible(self, "at")
        checks.numbered(self, "thread", thread, self.threads)
        checks.numbered(self, "slot", slot, self.slots)
        return tuple(int(_index_of(dim, thread, slot)) for dim in self.dims)

    def thread_slot_to_index(self) -> IndexArray:
        """The element of every thread and slot: ``at`` as an array of shape ``[threads, slots, rank]``.

        Raises ``LayoutError`` L003 and L011 as ``at`` does. The array is made once and cannot be written.

        >>> from tilevm.layout_constructors import spatial
        >>> spatial(2, 1).thread_slot_to_index().tolist()
        [[[0, 0]], [[1, 0]]]
        """
        return self._index_table

    def thread_slot_to_flat(self) -> IndexArray:
        """The row-major number of the element of every thread and slot, of shape ``[threads, slots]``.

        Raises and may not be written as ``thread_slot_to_index``.
        """
        return self._flat_table

    def places(self) -> tuple[IndexArray, IndexArray]:
        """``place`` of every element: its thread and its slot, two arrays of the logical shape.

        Raises ``LayoutError`` L003 for a memory layout.
        """
        checks.registers(self, "places")
        return self._grid("T"), self._grid("R")

    def bit_offsets(self) -> IndexArray:
        """``offset`` of every element, an array of the logical shape. Raises ``LayoutError`` L003 for registers.

        >>> from tilevm.layout_constructors import row_major
        >>> row_major(2, 2, width=6).bit_offsets().tolist()
        [[0, 6], [12, 18]]
        """
        checks.memory(self, "bit_offsets")
        offsets = self._grid("B")
        return self.xor(offsets) if self.xor else offsets

    @cached_property
    def _index_table(self) -> IndexArray:
        checks.invertible(self, "thread_slot_to_index")
        thread, slot = np.ogrid[: self.threads, : self.slots]
        table = np.empty((self.threads, self.slots, self.rank), np.int64)
        for axis, dim in enumerate(self.dims):
            table[..., axis] = _index_of(dim, thread, slot)
        table.flags.writeable = False
        return table

    @cached_property
    def _flat_table(self) -> IndexArray:
        flat = np.zeros((self.threads, self.slots), np.int64)
        for axis, extent in enumerate(self.shape):
            flat = flat * extent + self._index_table[..., axis]
        flat.flags.writeable = False
        return flat

    def _sum(self, index: Sequence[int], axis: str) -> int:
        return sum(radix.place(dim, i, axis) for dim, i in zip(self.dims, index, strict=True))

    def _grid(self, axis: str) -> IndexArray:
        result = np.zeros(self.shape, np.int64)
        for number, (dim, extent) in enumerate(zip(self.dims, self.shape, strict=True)):
            along: IndexArray = np.arange(extent, dtype=np.int64).reshape([-1] + [1] * (self.rank - number - 1))
            result += radix.place(dim, along, axis)
        return result

    # The map over GF(2), and equality

    def f2(self) -> NDArray[np.uint8]:
        """The layout as a matrix over GF(2), of shape ``[bits of a place, bits of an index]``.

        Column ``j`` belongs to bit ``j`` of the row-major number of an element, lowest first. Row ``i`` belongs to bit
        ``i`` of the place: of the offset for a memory layout, of ``thread * slots + slot`` for a register layout,
        where the thread is that of the first replica. Raises ``LayoutError`` L020 where the map is not linear over
        GF(2): sizes that are not powers of two, or strides that carry into each other.

        >>> from tilevm.layout_constructors import column_local, local
        >>> local(2).f2().tolist(), column_local(2, 2).f2().tolist()
        ([[1]], [[0, 1], [1, 0]])
        """
        columns = self.columns
        if columns is None:
            raise LayoutError(
                "L020",
                f"{self} is not linear over GF(2)",
                help="every size must be a power of two, and strides must not carry into each other",
            )
        places = self.size_bits if self.is_memory else self.threads * self.slots
        rows = max((places - 1).bit_length(), *(column.bit_length() for column in columns), 0)
        matrix = [[column >> row & 1 for column in columns] for row in range(rows)]
        return np.array(matrix, np.uint8).reshape(rows, len(columns))

    @cached_property
    def columns(self) -> tuple[int, ...] | None:
        """The columns of ``f2`` as integers, or None where the map is not linear over GF(2)."""
        counts = (*self.shape, 1 if self.is_memory else self.threads * self.slots)
        if any(count & (count - 1) for count in counts):
            return None
        weight = {"B": 1, "R": 1, "T": self.slots, "-": 0}
        steps = [
            digit.stride * weight[digit.axis] << bit
            for dim in reversed(self.dims)
            for digit in reversed(dim)
            for bit in range(digit.size.bit_length() - 1)
        ]
        if sum(steps) != _union(steps):
            return None
        return tuple(self.xor(step) if self.xor else step for step in steps)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same map: by digits, with a swizzle by the matrix over GF(2)."""
        return self is other or (isinstance(other, LayoutMap) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    @cached_property
    def _key(self) -> tuple[object, ...]:
        if self.xor is None:
            return self.dims, self.rep, self.width
        columns = self.columns
        if columns is None:
            # Not linear: the digits, and as much of the swizzle as their offsets can reach.
            live = self.xor.reading((1 << self._last_offset.bit_length()) - 1)
            return (self.dims, live if live.terms else (), self.width)
        if sum(columns) != _union(columns):
            return self.shape, columns, self.width
        # No two columns share a bit, so the swizzle only renames bits, and plain digits say the same.
        bits = [Digit(2, "B", column) for column in reversed(columns)]
        return radix.regrouped(bits, self.shape), (), self.width


def _index_of(dim: Digits, thread: Any, slot: Any) -> Any:
    """The index along a dimension of what is in a place."""
    index: Any = 0
    for digit in dim:
        place = thread if digit.axis == "T" else slot
        index = index * digit.size + place // digit.stride % digit.size
    return index


def _union(masks: Iterable[int]) -> int:
    result = 0
    for mask in masks:
        result |= mask
    return result
