"""Layouts for tiles whose layout nobody has chosen: so that loads and stores are coalesced, or where nothing matters.

Neighbouring threads hold neighbouring elements along the dimension that is contiguous in memory, each as many of them
as one instruction of 128 bits moves, as far as the tile has elements for all threads.

>>> print(coalesced((64, 64), 16, 128))
[64,64]{4:R8 16:T8 | 8:T1 8:R1}
>>> print(coalesced((128,), 6, 128), coalesced((4,), 32, 32))
[128]{32:T1 4:R1; rep 4:T32} [4]{4:T1; rep 8:T4}
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, prod

from tilevm.digits import Digit
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_constructors import local, rep
from tilevm.memory_pattern import ROW_MAJOR, MemoryPattern
from tilevm.values import SharedType, TensorType, Window

__all__ = ["coalesced", "contiguous_dimension", "spread", "unspread", "vector_elements"]

LARGEST_VECTOR = 128


def vector_elements(elements: int, bits: int, threads: int) -> int:
    """How many elements of ``bits`` bits a thread moves at once: a power of two, at most 128 bits of them.

    No more than there are for each thread, but whole bytes, since a byte has one owner.
    """
    share = max(1, elements // threads)
    bytewise = 8 // gcd(8, bits)
    count = bytewise
    while 2 * count * bits <= LARGEST_VECTOR and 2 * count <= share:
        count *= 2
    return count


def coalesced(shape: tuple[int, ...], bits: int, threads: int, contiguous: int = -1) -> Layout:
    """A register layout of a tile whose dimension ``contiguous`` is contiguous in memory. Never raises."""
    return spread(shape, gcd(shape[contiguous], vector_elements(prod(shape), bits, threads)), threads, contiguous)


def spread(shape: tuple[int, ...], vector: int, threads: int, contiguous: int = -1) -> Layout:
    """The register layout in which each thread holds runs of ``vector`` elements along a dimension that it divides,
    neighbouring threads neighbouring runs. Never raises.

    >>> print(spread((4, 64), 8, 32))
    [4,64]{4:T8 | 8:T1 8:R1}
    """
    rank = len(shape)
    order = [contiguous % rank, *(dim for dim in reversed(range(rank)) if dim != contiguous % rank)]
    dims: list[list[Digit]] = [[] for _ in shape]
    dims[order[0]] = [Digit(vector, "R", 1)]
    slots, used = vector, 1
    rest = list(shape)
    rest[order[0]] //= vector
    for dim in order:
        count = gcd(rest[dim], threads // used)
        dims[dim].insert(0, Digit(count, "T", used))
        used, rest[dim] = used * count, rest[dim] // count
    for dim in order:
        dims[dim].insert(0, Digit(rest[dim], "R", slots))
        slots *= rest[dim]
    return Layout(tuple(map(tuple, dims)), ((threads // used, "T", used),))  # type: ignore[arg-type]


def unspread(shape: tuple[int, ...], threads: int) -> Iterator[Layout]:
    """Layouts in which one dimension after another lies within each thread, at last all of them: what goes with
    instructions that cut a dimension where no spread layout can be cut.

    >>> for layout in unspread((3, 32), 32):
    ...     print(layout)
    [3,32]{3:R1 | 32:R3; rep 32:T1}
    [3,32]{3:R1 | 32:T1}
    [3,32]{3:R32 | 32:R1; rep 32:T1}
    """
    for dim in reversed(range(len(shape))):
        inside = [extent if axis == dim else 1 for axis, extent in enumerate(shape)]
        spread = tuple(1 if axis == dim else extent for axis, extent in enumerate(shape))
        yield local(*inside) * coalesced(spread, LARGEST_VECTOR, threads)
    yield rep(threads) * local(*shape)


def contiguous_dimension(window: Window) -> int | None:
    """The dimension of a window's tile along which memory is contiguous, None where there is none."""
    kind = window.base.type
    assert isinstance(kind, TensorType | SharedType)
    axis = _contiguous_axis(kind.layout, tuple(extent or 1 for extent in window.extents), kind.dtype.bits)
    if axis is None or window.extents[axis] is None:
        return None
    return sum(extent is not None for extent in window.extents[:axis])


def _contiguous_axis(layout: Layout | MemoryPattern | None, shape: tuple[int, ...], bits: int) -> int | None:
    """The dimension of memory along which neighbours touch."""
    if layout is None or layout == ROW_MAJOR:
        return len(shape) - 1
    if isinstance(layout, MemoryPattern):
        try:
            layout = layout.bind(shape, bits)
        except LayoutError:
            return None
    nearest = [dim for dim, digits in enumerate(layout.dims) if digits and digits[-1].stride == layout.width]
    return nearest[0] if nearest else None
