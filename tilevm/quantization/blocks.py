"""Blocks: the elements that share a scale. A block has an extent along each dimension, the last one may be short.

    extent (128, 1) of w[K, N]    a group of 128 along K, the scales are [ceil(K / 128), N]
    extent (16, 16)               a square
    extent (K, 1), (K, N)         one scale for each column, one for the tensor

What each block has is an array in the shape of the *grid* of blocks. Work on blocks is done in *pieces* of the tensor,
in each of which all blocks have the same extent: their elements then are the last axis of an array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Piece", "grid_of", "group_block", "pieces", "spread"]

Extents = tuple[int, ...]

PIECE = 1 << 20
"""Elements of a piece, roughly: what is computed for each of them stays in the cache, and takes little memory."""


def grid_of(shape: Extents, block: Extents) -> Extents:
    """How many blocks there are along each dimension.

    >>> grid_of((100, 64), (32, 1))
    (4, 64)
    """
    return tuple(-(-length // extent) for length, extent in zip(shape, block, strict=True))


def group_block(shape: Extents, group: int, axis: int) -> Extents:
    """The block that is a run of ``group`` elements along one axis; no longer than the axis.

    >>> group_block((256, 64), 128, 0)
    (128, 1)
    """
    own = axis % max(1, len(shape))
    return tuple(max(1, min(group, length)) if place == own else 1 for place, length in enumerate(shape))


def spread(each: NDArray[Any], block: Extents, shape: Extents) -> NDArray[Any]:
    """What each block has, for every element in it. A view where blocks are single elements, or there is one only.

    >>> spread(np.float32([[1], [2]]), (2, 1), (3, 1)).ravel().tolist()
    [1.0, 1.0, 2.0]
    """
    for axis, (extent, length) in enumerate(zip(block, shape, strict=True)):
        if each.shape[axis] == 1:
            each = np.broadcast_to(each, (*each.shape[:axis], length, *each.shape[axis + 1 :]))
        elif extent > 1:
            each = np.repeat(each, extent, axis=axis)[(slice(None),) * axis + (slice(length),)]
    return each


@dataclass(frozen=True)
class Piece:
    """A part of a tensor whose blocks all have the same ``extent``: where it lies in the tensor, and in the grid."""

    elements: tuple[slice, ...]
    blocks: tuple[slice, ...]
    extent: Extents

    def gather(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """The elements of each block as the last axis, ``[*grid, elements]``, row-major within a block."""
        return self._blocked(tensor[self.elements])

    def places(self, shape: Extents) -> NDArray[np.uint64]:
        """The same of the numbers of all elements in row-major order."""
        found = np.zeros((1,) * len(shape), np.uint64)
        for axis, side in enumerate(self.elements):
            step = math.prod(shape[axis + 1 :])
            along = np.arange(side.start * step, side.stop * step, step, dtype=np.uint64)
            found = found + along.reshape([-1 if place == axis else 1 for place in range(len(shape))])
        return self._blocked(found)

    def _blocked(self, part: NDArray[Any]) -> NDArray[Any]:
        grid = grid_of(part.shape, self.extent)
        split = part.reshape([each for pair in zip(grid, self.extent, strict=True) for each in pair])
        ranks = range(len(grid))
        moved = split.transpose([2 * axis for axis in ranks] + [2 * axis + 1 for axis in ranks])
        return moved.reshape((*grid, -1))

    def scatter(self, blocked: NDArray[Any], tensor: NDArray[Any]) -> None:
        """The inverse of ``gather``: writes into the tensor."""
        grid, rank = blocked.shape[:-1], len(self.extent)
        split = blocked.reshape((*grid, *self.extent))
        moved = split.transpose([axis + half for axis in range(rank) for half in (0, rank)])
        tensor[self.elements] = moved.reshape([count * each for count, each in zip(grid, self.extent, strict=True)])


def pieces(shape: Extents, block: Extents) -> Iterator[Piece]:
    """The pieces of a tensor, which together are all of it.

    >>> [(piece.elements, piece.extent) for piece in pieces((10,), (4,))]
    [((slice(0, 8, None),), (4,)), ((slice(8, 10, None),), (2,))]
    """
    sides = [_sides(length, extent) for length, extent in zip(shape, block, strict=True)]
    for sizes in product(*sides):
        for whole in product(*_cut(sizes)):
            yield Piece(
                tuple(slice(first, last) for first, last, _ in whole),
                tuple(
                    slice(first // extent, -(-last // extent))
                    for (first, last, _), extent in zip(whole, block, strict=True)
                ),
                tuple(extent for _, _, extent in whole),
            )


def _sides(length: int, extent: int) -> list[tuple[int, int, int]]:
    """First and last element and the extent of the blocks that are whole, and of the one that is short."""
    whole = length // extent * extent
    found = [(0, whole, extent), (whole, length, length - whole)]
    return [each for each in found if each[0] < each[1]]


def _cut(sides: tuple[tuple[int, int, int], ...]) -> list[list[tuple[int, int, int]]]:
    """Parts of each side that hold whole blocks, as many of them as make a piece, along the last dimensions first."""
    size, parts = math.prod(extent for _, _, extent in sides), []
    for first, last, extent in reversed(sides):
        blocks = max(1, min(PIECE // size, (last - first) // extent))
        size *= blocks
        step = blocks * extent
        parts.append([(start, min(start + step, last), extent) for start in range(first, last, step)])
    return parts[::-1]
