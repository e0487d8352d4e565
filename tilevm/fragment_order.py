"""Fragments: a tensor in memory as the threads of a warp hold it in registers, so that nothing moves after a load.

A tensor is cut into blocks of the shape of a register layout. In a block every thread owns the codes of its slots, one
dense stream of bits, and the stream is cut into *pieces*, of 16 bytes if nothing else is said. First comes piece 0 of
every thread, then piece 1 of every thread, and so on, so that each load of 16 bytes a thread takes neighbouring bytes
of memory. Blocks that reach beyond the tensor are padded with code 0, in memory only: the tensor keeps its shape.

A code may straddle two pieces, which lie far apart. So an element has no address, and a kernel reads such a tensor
through ``memory_view``, as bytes ``[block rows, block columns, pieces, threads, 16]``, of which ``view`` makes codes.

>>> from tilevm.layout_constructors import local, spatial
>>> order = FragmentOrder(spatial(8, 4) * local(8, 16), (100, 10), 3)
>>> order.blocks, order.pieces, order.piece_bytes, order.size_bits // 8
((2, 1), 3, 16, 3072)
>>> codes = np.arange(1000, dtype=np.uint8).reshape(100, 10) % 8
>>> bool((order.codes(order.arranged(codes)) == codes).all())
True
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.layout import Layout
from tilevm.layout_expression import expression
from tilevm.packing import pack, unpack

__all__ = ["PIECE", "FragmentOrder", "text"]

PIECE = 16
"""Bytes of a piece where nothing else is said: the widest load of a thread."""


@dataclass(frozen=True)
class FragmentOrder:
    """Where the bits of a tensor of ``shape`` lie, whose elements have ``width`` bits, in the fragments of ``order``.

    What a memory ``Layout`` is to tensors whose elements have an address: ``PackedArray`` takes either.
    """

    order: Layout
    shape: tuple[int, ...]
    width: int
    piece: int = PIECE

    is_memory = True

    @property
    def block(self) -> tuple[int, ...]:
        """Extents of a block; dimensions of the tensor in front of those of the order have 1."""
        return (1,) * (len(self.shape) - self.order.rank) + self.order.shape

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many blocks there are along each dimension."""
        return tuple(-(-extent // side) for extent, side in zip(self.shape, self.block, strict=True))

    @property
    def piece_bytes(self) -> int:
        """Bytes of a piece: ``piece``, or the largest divisor of it that divides what a thread holds of a block."""
        return gcd(self.piece, self.order.slots * self.width // 8)

    @property
    def pieces(self) -> int:
        """Pieces that each thread holds of a block."""
        return self.order.slots * self.width // 8 // self.piece_bytes

    @property
    def size_bits(self) -> int:
        """Bits of all blocks, padding included."""
        return prod(self.blocks) * self.order.threads * self.order.slots * self.width

    def arranged(self, codes: NDArray[Any]) -> NDArray[np.uint8]:
        """The bytes for codes in the tensor's shape."""
        padded = np.zeros([count * side for count, side in zip(self.blocks, self.block, strict=True)], codes.dtype)
        padded[tuple(slice(extent) for extent in self.shape)] = codes
        held = self._blocked(padded)[:, self._elements]
        streams = pack(held, self.width).reshape(-1, self.order.threads, self.pieces, self.piece_bytes)
        return np.ascontiguousarray(streams.swapaxes(1, 2)).reshape(-1)

    def codes(self, data: NDArray[np.uint8]) -> NDArray[Any]:
        """The codes that lie in bytes, in the tensor's shape."""
        pieces = data.reshape(-1, self.pieces, self.order.threads, self.piece_bytes)
        streams = np.ascontiguousarray(pieces.swapaxes(1, 2)).reshape(-1)
        held = unpack(streams, self.width, prod(self.blocks) * self._elements.size).reshape(-1, self._elements.size)
        blocks = np.empty_like(held)
        blocks[:, self._elements] = held
        sides = self._sides
        padded = blocks.reshape(*self.blocks, *self.block).transpose(np.argsort(sides))
        whole = padded.reshape([count * side for count, side in zip(self.blocks, self.block, strict=True)])
        return np.ascontiguousarray(whole[tuple(slice(extent) for extent in self.shape)])

    def _blocked(self, padded: NDArray[Any]) -> NDArray[Any]:
        """A row for each block, its elements row-major."""
        split = [part for pair in zip(self.blocks, self.block, strict=True) for part in pair]
        return np.ascontiguousarray(padded.reshape(split).transpose(self._sides)).reshape(prod(self.blocks), -1)

    @property
    def _sides(self) -> tuple[int, ...]:
        """From pairs (block, element within it) of all dimensions to all blocks, then all elements."""
        return tuple(range(0, 2 * len(self.shape), 2)) + tuple(range(1, 2 * len(self.shape), 2))

    @property
    def _elements(self) -> NDArray[np.int64]:
        """Of each slot, thread after thread, its element in the row-major block."""
        return _elements_of(self.order)

    def __str__(self) -> str:
        return text(self.order, self.piece)


def text(order: Layout, piece: int) -> str:
    """The pattern as it is written."""
    return f"fragments({expression(order) or order}{'' if piece == PIECE else f', {piece}'})"


@lru_cache(maxsize=64)
def _elements_of(order: Layout) -> NDArray[np.int64]:
    return order.thread_slot_to_flat().reshape(-1).astype(np.int64)
