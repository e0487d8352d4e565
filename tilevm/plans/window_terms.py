"""A window over memory: what its offsets add to an address, and the digits along which its elements lie.

Each term of a memory layout takes ``(offset + index) // divide % modulo``. Where the offset surely begins a block, or
the window surely stays inside of one, that is the offset's part plus the index's part; then an address is a base, the
same for all threads, plus what each element adds, which the digits of the window say. Where some term does not come
apart like this, the address of each element is computed on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from tilevm.digits import Digit
from tilevm.layout import Layout
from tilevm.memory_terms import Term, dense, of_layout, product_of
from tilevm.plans.facts import Facts
from tilevm.sizes import Operation, Size, operation
from tilevm.values import SharedType, TensorType, Type, Window
from tilevm.xor_map import Xor

__all__ = ["WindowDigit", "WindowTerms", "in_bytes", "memory_terms", "memory_xor", "window_digits", "window_terms"]

BYTE = 8


def memory_terms(kind: Type) -> tuple[Term, ...]:
    """Where the elements of a tensor or a shared tile lie, in bits, before the swizzle.

    >>> from tilevm.dtypes import dtype
    >>> from tilevm.sizes import Symbol
    >>> print(*memory_terms(TensorType(dtype("u4"), (Symbol("M"), Symbol("K")))), sep="; ")
    i0 * (K * 4); i1 * 4
    """
    assert isinstance(kind, TensorType | SharedType)
    layout, bits = kind.layout, kind.dtype.bits
    if layout is None:
        return dense(kind.shape, bits)
    if not isinstance(layout, Layout):
        return layout.terms(kind.shape, bits)
    shape = tuple(extent if isinstance(extent, int) else 0 for extent in kind.shape)
    return of_layout(layout if 0 in shape else layout.bind(shape, bits))


def memory_xor(kind: Type) -> Xor | None:
    """The swizzle of a tensor or a shared tile, of offsets in bits."""
    assert isinstance(kind, TensorType | SharedType)
    xor = kind.layout.xor if kind.layout is not None else None
    return xor if xor is not None and xor.terms else None


def in_bytes(stride: Size) -> Size:
    """A stride in bits, known to divide by 8, as one in bytes.

    >>> from tilevm.sizes import Symbol
    >>> print(in_bytes(product_of(Symbol("K"), 32)), in_bytes(product_of(Symbol("K"), 4)), in_bytes(64))
    K * 4 K // 2 8
    """
    if isinstance(stride, int):
        return stride // BYTE
    if isinstance(stride, Operation) and stride.operator == "*" and isinstance(stride.operands[1], int):
        rest, constant = stride.operands[0], stride.operands[1]
        common = gcd(constant, BYTE)
        grown = product_of(rest, constant // common)
        return grown if common == BYTE else operation("//", grown, BYTE // common)
    return operation("//", stride, BYTE)


@dataclass(frozen=True)
class WindowDigit:
    """``size`` steps of an index along a dimension of a window's tile, each ``stride`` bits further on."""

    size: int
    stride: Size


@dataclass(frozen=True)
class WindowTerms:
    """A window whose addresses come apart.

    ``base``: terms whose index is the window's offset along a dimension of the memory. ``dims``: for each dimension of
    the tile its digits, outermost first. ``alignment``: bits that surely divide where the window begins.
    """

    base: tuple[Term, ...]
    dims: tuple[tuple[WindowDigit, ...], ...]
    xor: Xor | None
    alignment: int
    base_divisor: int
    """What surely divides the distance, in bits, of the window from where its memory begins; 0 where it is 0."""

    def layout(self, facts: Facts, bits: int) -> Layout:
        """The memory layout of the window, with numbers in the place of strides that are not known yet."""
        dims = [[Digit(each.size, "B", facts.stride(each.stride)) for each in dim] for dim in self.dims]
        return Layout._of(dims, (), self.xor, bits)


def window_terms(window: Window, facts: Facts) -> WindowTerms | None:
    """The window taken apart; None where its offset may begin inside of a block of the memory layout."""
    kind = window.base.type
    terms = memory_terms(kind)
    base: list[Term] = []
    divisor = 0
    dims: list[tuple[WindowDigit, ...]] = []
    for dim, (offset, extent) in enumerate(zip(window.offsets, window.extents, strict=True)):
        known = facts.divisor(offset)
        own = [term for term in terms if term.dim == dim]
        for term in own:
            part = _separated(term, known, extent or 1)
            if part is None:
                return None
            if part:
                base.append(term)
                divisor = gcd(divisor, part * facts.size(term.stride).divisor)
        if extent is not None:
            digits = window_digits(own, extent)
            if digits is None:
                return None
            dims.append(digits)
    alignment = gcd(divisor, facts.alignment(window.base) * BYTE)
    return WindowTerms(tuple(base), tuple(dims), memory_xor(kind), alignment, divisor)


def _separated(term: Term, divisor: int, extent: int) -> int | None:
    """What divides the offset's part of a term, 0 where there is none; None where the term does not come apart."""
    if divisor == 0:
        return 0
    if divisor % term.divide == 0:
        steps = divisor // term.divide
        if term.modulo is None:
            return steps
        if steps % term.modulo == 0:
            return 0
        return steps if term.modulo % steps == 0 and (extent - 1) // term.divide < steps else None
    return 1 if term.divide % divisor == 0 and extent <= divisor else None


def window_digits(terms: Sequence[Term], extent: int) -> tuple[WindowDigit, ...] | None:
    """The digits of a dimension of a window, from the terms of that dimension; None where the extent does not end at
    the end of a block."""
    if not terms:
        return ()
    found: list[WindowDigit] = []
    rising = sorted(terms, key=lambda term: term.divide)
    ends = [term.divide for term in rising[1:]]
    for term, end in zip(rising, [*ends, None], strict=True):
        if extent <= term.divide:
            break
        if extent % term.divide or (end is not None and extent > end and extent % end):
            return None
        size = extent // term.divide if end is None or extent <= end else end // term.divide
        last = found[-1] if found else None
        if (
            last is not None
            and isinstance(last.stride, int)
            and isinstance(term.stride, int)
            and term.stride == last.size * last.stride
        ):
            found[-1] = WindowDigit(last.size * size, last.stride)
        else:
            found.append(WindowDigit(size, term.stride))
    return tuple(reversed(found))
