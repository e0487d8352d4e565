"""How elements are taken along a dimension by an index that is known only when the program runs.

Where each thread has whole lines and needs no others, it chooses among its slots. Else the tile lies in shared memory
while it is taken from: lines next to each other, so that lanes that take from different lines do not collide, and the
elements of a line an odd number of words apart, so that lanes that write one line do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm.dtypes import DType
from tilevm.layout import Layout
from tilevm.plan import Plan
from tilevm.plans.meeting import Term
from tilevm.plans.packets import held_bits
from tilevm.plans.pieces import offsets
from tilevm.plans.scratch import LARGEST_SCRATCH, WORD, bytes_for, windows

__all__ = ["LONGEST_CHOICE", "OwnTaking", "SharedTaking", "taking"]

LONGEST_CHOICE = 16
"""Elements of a line among which a thread still chooses by itself: as many selects as reading takes cycles."""


@dataclass(frozen=True, kw_only=True)
class OwnTaking(Plan):
    """Element ``k`` of the line of slot ``s`` of the result is slot ``slots[s * extent + k]`` of the tile."""

    kind: ClassVar[str] = "own"
    windows: ClassVar[tuple[tuple[int, int], ...]] = ()
    extent: int
    slots: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SharedTaking(Plan):
    """Slot ``s`` of the tile is written at ``written + write_steps[s]`` in threads where the digits ``only`` are 0; a
    line of the result's slot ``s`` begins at ``read + read_steps[s]``, and its elements are ``stride`` bytes apart.
    Of that, one window ``(start, size)`` after another is in shared memory, ``start`` bytes nearer."""

    kind: ClassVar[str] = "shared"
    extent: int
    bytes: int
    stride: int
    only: tuple[tuple[int, int], ...]
    written: tuple[Term, ...]
    write_steps: tuple[int, ...]
    read: tuple[Term, ...]
    read_steps: tuple[int, ...]
    windows: tuple[tuple[int, int], ...]


def taking(dtype: DType, source: Layout, result: Layout, dim: int) -> OwnTaking | SharedTaking:
    """How elements of a tile are taken along a dimension into a result whose extent there may be another."""
    extent = source.shape[dim]
    own = _own_slots(source, result, dim) if extent <= LONGEST_CHOICE else None
    if own is not None:
        return OwnTaking(extent=extent, slots=own)
    cell = bytes_for(held_bits(dtype))
    strides = [0] * source.rank
    size = cell
    for other in reversed([each for each in range(source.rank) if each != dim]):
        strides[other] = size
        size *= source.shape[other]
    strides[dim] = size if extent == 1 else (-(-size // WORD) | 1) * WORD if cell <= WORD else (size // cell | 1) * cell
    written, write_steps = _places(source, strides)
    read, read_steps = _places(result, [0 if each == dim else stride for each, stride in enumerate(strides)])
    return SharedTaking(
        extent=extent,
        bytes=cell,
        stride=strides[dim],
        only=tuple((digit.stride, digit.size) for digit in source.rep),
        written=written,
        write_steps=write_steps,
        read=read,
        read_steps=read_steps,
        windows=windows(strides[dim] * extent),
        scratch_bytes=min(LARGEST_SCRATCH, strides[dim] * extent),
    )


def _places(layout: Layout, strides: Iterable[int]) -> tuple[tuple[Term, ...], tuple[int, ...]]:
    """Where elements lie, from the thread and from the slot, for a stride of each dimension."""
    terms: list[Term] = []
    slots = []
    for dim, stride in zip(layout.dims, strides, strict=True):
        weight = stride
        for digit in reversed(dim):
            if digit.axis == "R":
                slots.append((digit.stride, digit.size, weight))
            elif weight:
                terms.append((digit.stride, digit.size, weight))
            weight *= digit.size
    slots.sort(reverse=True)
    return tuple(terms), tuple(offsets((size, weight) for _, size, weight in slots))


def _own_slots(source: Layout, result: Layout, dim: int) -> tuple[int, ...] | None:
    """The slots of each line that a result is taken from, where every thread has it, in the same slots."""
    held = source.thread_slot_to_flat()
    where = np.full((source.threads, held.max() + 1), -1, np.int64)
    np.put_along_axis(where, held, np.broadcast_to(np.arange(source.slots), held.shape), axis=1)
    index = result.thread_slot_to_index()
    found = []
    for element in range(source.shape[dim]):
        line = [
            np.full_like(index[..., each], element) if each == dim else index[..., each] for each in range(result.rank)
        ]
        slots = np.take_along_axis(where, np.ravel_multi_index(line, source.shape), axis=1)
        if (slots < 0).any() or (slots != slots[0]).any():
            return None
        found.append(slots[0])
    return tuple(int(slot) for slot in np.stack(found, axis=1).ravel())
