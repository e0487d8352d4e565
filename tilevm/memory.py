"""The memory of the interpreted machine: tensors in global memory, tiles in shared memory, and windows into them.

An element is held in its *memory form*: as a number where NumPy has the format bit for bit (``f32``, ``f64``, integers
of 8 to 64 bits, ``u1`` as ``bool``), else as its code. A region is given by *starts*, one integer array per dimension
of length 1 (all blocks alike) or of the number of blocks, and *extents*, of which None takes one element and drops the
dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from tilevm.dtypes import DType
from tilevm.errors import ExecutionError
from tilevm.machine import Array
from tilevm.packing import unpack

__all__ = ["Region", "Tensor", "in_memory_form", "memory_dtype"]

Extents = tuple[int | None, ...]


def memory_dtype(dtype: DType) -> np.dtype[Any]:
    """The NumPy type in which elements of a format lie in memory.

    >>> from tilevm.dtypes import F16, F32
    >>> memory_dtype(F32).name, memory_dtype(F16).name
    ('float32', 'uint16')
    """
    carrier = dtype.carrier
    if carrier is not None and (dtype.bits == 1 or np.dtype(carrier).itemsize * 8 == dtype.bits):
        return np.dtype(carrier)
    return np.dtype(dtype.storage)


def in_memory_form(dtype: DType, elements: Array) -> Array:
    """Elements in either form, as they lie in memory; no copy where they do already."""
    wanted = memory_dtype(dtype)
    if elements.dtype == wanted:
        return elements
    return dtype.to_values(elements) if wanted == dtype.carrier else dtype.to_codes(elements)


@dataclass(frozen=True)
class Region:
    """A window with the offsets of each block of a batch."""

    starts: tuple[NDArray[np.int64], ...]
    extents: Extents

    @property
    def blocks(self) -> int:
        """For how many blocks the starts are given: 1 where all blocks have the same."""
        return max((len(start) for start in self.starts), default=1)

    @property
    def full_extents(self) -> tuple[int, ...]:
        """The extents with 1 for a dropped dimension."""
        return tuple(1 if extent is None else extent for extent in self.extents)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tile that the region covers."""
        return tuple(extent for extent in self.extents if extent is not None)

    def inside(self, bounds: tuple[int, ...]) -> bool:
        """Whether the region lies within the bounds for every block."""
        return all(
            start.min() >= 0 and start.max() + extent <= bound
            for start, extent, bound in zip(self.starts, self.full_extents, bounds, strict=True)
        )

    def select(self, rows: Any) -> Region:
        """The region for some of the blocks."""
        return Region(tuple(start if len(start) == 1 else start[rows] for start in self.starts), self.extents)

    def boxes(self) -> Iterator[tuple[int, ...]]:
        """The starts of each block."""
        count = self.blocks
        columns = [start.tolist() if len(start) == count else start.tolist() * count for start in self.starts]
        return zip(*columns, strict=True) if columns else iter([()] * count)

    def clipped(self, starts: tuple[int, ...], bounds: tuple[int, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """For one block: what of the base lies within the region, and where in the region it lies."""
        base, own = [], []
        for start, extent, bound in zip(starts, self.full_extents, bounds, strict=True):
            first, last = max(start, 0), min(start + extent, bound)
            last = max(first, last)
            base.append(slice(first, last))
            own.append(slice(first - start, last - start))
        return tuple(base), tuple(own)

    def drop(self, elements: Array) -> Array:
        """Elements with one axis for each dimension, the dropped ones removed; the block axis stays first."""
        return elements.reshape(elements.shape[0], *self.shape)

    def keep(self, elements: Array) -> Array:
        """The inverse of ``drop``."""
        return elements.reshape(elements.shape[0], *self.full_extents)


def read(base: NDArray[Any], region: Region, fill: Any, *, lasting: bool) -> Array:
    """The region of an array that all blocks share, with the block axis first; outside it is ``fill``, one element or
    one for each block.

    The result is a view where that is possible and ``lasting`` says that the array will not change.
    """
    if region.inside(base.shape):
        window = _inside(base, region)
        return region.drop(window if lasting else window.copy())
    fill = np.reshape(fill, (-1, *(1,) * len(region.extents)))
    result = np.empty((max(region.blocks, len(fill)), *region.full_extents), base.dtype)
    result[...] = fill
    for block, starts in enumerate(_repeated(region, len(result))):
        source, target = region.clipped(starts, base.shape)
        result[(block, *target)] = base[source]
    return region.drop(result)


def _inside(base: NDArray[Any], region: Region) -> Array:
    extents = region.full_extents
    if region.blocks == 1:
        starts = next(region.boxes())
        return base[tuple(slice(start, start + extent) for start, extent in zip(starts, extents, strict=True))][None]
    # Blocks are numbered along the grid, so their windows often lie at equal distances: then one strided view serves.
    byte = np.zeros(region.blocks, np.int64)
    for start, stride in zip(region.starts, base.strides, strict=True):
        byte = byte + start * stride
    steps = np.diff(byte)
    if (steps == steps[0]).all():
        first = base[tuple(slice(int(start[0]), None) for start in region.starts)]
        return as_strided(first, (region.blocks, *extents), (int(steps[0]), *base.strides), writeable=False)
    result = np.empty((region.blocks, *extents), base.dtype)
    for block, starts in enumerate(region.boxes()):
        result[block] = base[tuple(slice(start, start + extent) for start, extent in zip(starts, extents, strict=True))]
    return result


def write(base: NDArray[Any], region: Region, elements: Array) -> None:
    """Writes each block's elements into an array that all blocks share, in order of block; outside, nothing."""
    elements = region.keep(elements)
    blocks = max(region.blocks, len(elements))
    for block, starts in enumerate(_repeated(region, blocks)):
        target, source = region.clipped(starts, base.shape)
        base[target] = elements[(block if len(elements) > 1 else 0, *source)]


def _repeated(region: Region, blocks: int) -> Iterator[tuple[int, ...]]:
    boxes = list(region.boxes())
    # Blocks that all write the same place leave the elements of the last one, as if they had run in order.
    return iter(boxes * blocks if len(boxes) == 1 else boxes)


def read_rows(base: Array, rows: Any, region: Region) -> Array:
    """A region of an array with the block axis first, for the given rows of it. Always a copy."""
    if region.blocks == 1:
        (starts,) = region.boxes()
        window = tuple(slice(start, start + extent) for start, extent in zip(starts, region.full_extents, strict=True))
        part = base[(slice(None), *window)]
        return region.drop(part.copy() if rows is None else part[rows])
    chosen = _numbers(base, rows)
    result = np.empty((len(chosen), *region.full_extents), base.dtype)
    for place, (row, starts) in enumerate(zip(chosen, region.boxes(), strict=True)):
        source, target = region.clipped(starts, base.shape[1:])
        result[(place, *target)] = base[(row, *source)]
    return region.drop(result)


def write_rows(base: Array, rows: Any, region: Region, elements: Any) -> None:
    """Writes a region of an array with the block axis first; ``elements`` has one leading row, or one for each row."""
    if isinstance(elements, np.ndarray):
        elements = region.keep(elements)
    if region.blocks == 1:
        (starts,) = region.boxes()
        window = tuple(slice(start, start + extent) for start, extent in zip(starts, region.full_extents, strict=True))
        chosen: Any = slice(None) if rows is None else rows
        base[(chosen, *window)] = elements
        return
    for place, (row, starts) in enumerate(zip(_numbers(base, rows), region.boxes(), strict=True)):
        target, source = region.clipped(starts, base.shape[1:])
        if isinstance(elements, np.ndarray):
            base[(row, *target)] = elements[(place if len(elements) > 1 else 0, *source)]
        else:
            base[(row, *target)] = elements


def _numbers(base: Array, rows: Any) -> list[int]:
    return list(range(len(base))) if rows is None else [int(row) for row in rows]


@dataclass(eq=False)
class Tensor:
    """A tensor in global memory.

    ``array`` has the logical shape, in memory form (``memory_dtype``). ``packed`` are the bytes as they lie in global
    memory, which only ``memory_view`` needs. ``written`` marks the elements that a launch in debug mode has written,
    for a tensor that starts without contents.
    """

    array: NDArray[Any]
    dtype: DType
    packed: NDArray[np.uint8] | None = None
    written: NDArray[np.bool_] | None = None

    def viewed(self, dtype: DType, shape: tuple[int, ...]) -> Tensor:
        """The packed bytes of this tensor as another format and shape.

        Raises ``ExecutionError`` R008 where the shape does not cover exactly the bytes of the tensor, or has a negative
        extent.
        """
        assert self.packed is not None, "a launch keeps the bytes of every tensor that is viewed"
        count = math.prod(shape)
        if min(shape, default=0) < 0 or (count * dtype.bits + 7) // 8 != self.packed.size:
            raise ExecutionError(
                "R008",
                f"`memory_view` asks for {dtype}{list(shape)}, {count * dtype.bits} bits, "
                f"of a tensor of {self.packed.size * 8} bits",
            )
        codes = unpack(self.packed, dtype.bits, count).astype(dtype.storage, copy=False).reshape(shape)
        return Tensor(in_memory_form(dtype, codes), dtype, self.packed)
