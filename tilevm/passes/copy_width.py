"""How wide the pieces are in which a window of a tensor can be copied as it lies: 16, 8 or 4 bytes, or not at all.

A piece must be contiguous, lie at a multiple of its size, and be inside of the tensor as a whole or outside as a whole.
Along the last dimension that follows from what divides the window's extent, its offset and the tensor's extent; from
row to row the tensor's extent decides again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from tilevm.memory_pattern import ROW_MAJOR
from tilevm.passes.divisibility import Divisibility
from tilevm.sizes import Size, text
from tilevm.values import Operand, TensorType, Value, Window

__all__ = ["ALIGNMENT", "CopyWidth", "copy_width"]

WIDEST = 128
NARROWEST = 32
"""In bits; cp.async copies 16, 8 or 4 bytes (PTX ISA, cp.async)."""

ALIGNMENT = 16
"""In bytes: where nothing else is known, tensors begin at a multiple of it."""


@dataclass(frozen=True)
class CopyWidth:
    """``bits`` of one piece, 0 where a window cannot be copied in pieces of at least 4 bytes. ``why`` says what keeps
    it from 16 bytes and what would help; empty where nothing does."""

    bits: int
    why: str = ""


def copy_width(window: Window, known: Divisibility, alignment: int = ALIGNMENT) -> CopyWidth:
    """The width of the copies of a window of a tensor whose address divides by ``alignment`` bytes."""
    kind, dtype = window.base.type, window.dtype
    assert isinstance(kind, TensorType)
    if kind.layout is not None and kind.layout != ROW_MAJOR:
        return CopyWidth(0, f"`{window.base.name}` lies in a layout of its own; `memory_view` copies it as plain bytes")
    offset, extent, length = window.offsets[-1], window.extents[-1] or 1, kind.shape[-1]
    run = gcd(extent, known.of(offset).divisor, known.of_size(length).divisor)
    stride, bits = dtype.bits, gcd(WIDEST, 8 * alignment, run * dtype.bits)
    for inner, place, rows in zip(kind.shape[:0:-1], window.offsets[-2::-1], window.extents[-2::-1], strict=True):
        stride *= known.of_size(inner).divisor
        bits = gcd(bits, stride if (rows or 1) > 1 else stride * known.of(place).divisor)
    if 8 * alignment % WIDEST and bits == 8 * alignment:
        why = f"`{window.base.name}` begins at a multiple of {alignment} bytes only"
    else:
        why = "" if bits == WIDEST else _limit(window, extent, offset, length, known)
    return CopyWidth(bits if bits >= NARROWEST else 0, why)


def _limit(window: Window, extent: int, offset: Operand, length: Size, known: Divisibility) -> str:
    """What keeps a window from being copied in pieces of 16 bytes."""
    bits = window.dtype.bits
    if extent * bits % WIDEST:
        return f"its rows have {extent} element{'s' * (extent > 1)}, {extent * bits / 8:g} bytes"
    wanted = WIDEST // gcd(WIDEST, bits)
    of_length, of_offset = known.of_size(length).divisor, known.of(offset).divisor
    if of_length % wanted:
        divides = f"`{text(length)}` is only known to divide by {of_length}"
        return f"{divides}: add `require {text(length, 11)} % {wanted} == 0`"
    name = f"`{offset.name}`" if isinstance(offset, Value) and offset.name else "its offset"
    return f"{name} is only known to divide by {of_offset}: add `assume(… % {wanted} == 0)`"
