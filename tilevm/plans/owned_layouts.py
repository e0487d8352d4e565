"""Register layouts for stores of elements narrower than a byte: each byte of memory is written by one thread.

Two threads that write into one byte would undo each other's work. So before such a store a tile is moved to a layout in
which all elements of a byte belong to one thread (or to threads that hold the same).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod

from tilevm.access import access, byte_clash
from tilevm.digits import Digit
from tilevm.errors import LayoutError
from tilevm.layout import Layout
from tilevm.layout_relation import Relation
from tilevm.plans.arrangements import coalesced, unspread
from tilevm.plans.window_terms import BYTE, memory_terms, memory_xor, window_digits
from tilevm.values import Window

__all__ = ["owned_layout", "owning", "window_layout"]

APART = 2**33
"""A stride that is not known, in bits: whole bytes, and farther than a tile reaches."""


def owned_layout(layout: Layout, memory: Layout) -> Layout:
    """A register layout of the same tile and threads in which each byte of memory has one owner; the same one if it
    does.

    Raises ``LayoutError`` L019 where the shapes differ.

    >>> from tilevm.layout_constructors import row_major, spatial
    >>> print(owned_layout(spatial(4, 8), row_major(4, 8, width=4)))
    [4,8]{4:T4 | 4:T1 2:R1; rep 2:T16}
    """
    nearest = [dim for dim, digits in enumerate(memory.dims) if digits and digits[-1].stride == memory.width]
    contiguous = nearest[0] if nearest else -1
    for each in (layout, *_others(layout.shape, memory.width, layout.threads, contiguous)):
        if _owns(each, memory):
            return each
    raise LayoutError("L019", f"{layout} and {memory} are of different shapes")


def _others(shape: tuple[int, ...], bits: int, threads: int, contiguous: int) -> Iterator[Layout]:
    if shape:
        yield coalesced(shape, bits, threads, contiguous)
    yield from unspread(shape, threads)


@lru_cache(maxsize=1024)
def _owns(layout: Layout, memory: Layout) -> bool:
    try:
        return byte_clash(access(layout, memory)) is None
    except LayoutError:
        # Without common digits nothing is known, but one thread that holds all of it owns it.
        return layout.slots == prod(layout.shape)


def owning(window: Window) -> Relation | None:
    """The layouts in which a tile can be stored to a window; None where every layout will do."""
    if window.dtype.bits % BYTE == 0:
        return None
    memory = window_layout(window)
    if memory is None:
        return None

    def owned(layout: Layout) -> Layout:
        return owned_layout(layout, memory)

    def kept(layout: Layout) -> Layout:
        if not _owns(layout, memory):
            raise LayoutError("L019", f"a byte of {memory} has two owners in {layout}")
        return layout

    return Relation(owned, kept, lambda needed, held: needed == held or _owns(held, memory))


def window_layout(window: Window) -> Layout | None:
    """A window in memory as it lies if it begins where a block does, with whole bytes for strides that are not known;
    None where its extents end inside of blocks."""
    terms = memory_terms(window.base.type)
    dims = []
    for dim, extent in enumerate(window.extents):
        if extent is None:
            continue
        digits = window_digits([term for term in terms if term.dim == dim], extent)
        if digits is None:
            return None
        dims.append([Digit(each.size, "B", each.stride if isinstance(each.stride, int) else APART) for each in digits])
    return Layout._of(dims, (), memory_xor(window.base.type), window.dtype.bits)
