"""Where an element of a tensor lies, as a sum of terms whose strides may be symbols.

The offset of an element in memory is the sum of ``index[dim] // divide % modulo * stride`` over the *terms* of its
memory layout, in bits. A row-major tensor has one term for each dimension, with the product of the later extents as the
stride; blocks, and layouts that are written out, have several. So an address can be computed in a kernel that is
compiled before its shapes are known.

>>> from tilevm.sizes import Symbol
>>> for term in dense((Symbol("M"), Symbol("K")), 16):
...     print(term)
i0 * (K * 16)
i1 * 16
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tilevm.layout import Layout
from tilevm.sizes import Operation, Size, operation, text

__all__ = ["Term", "dense", "grid_of", "of_layout", "product_of"]


@dataclass(frozen=True)
class Term:
    """``index[dim] // divide % modulo * stride``, in bits; ``modulo`` None takes no remainder."""

    dim: int
    divide: int
    modulo: int | None
    stride: Size

    def __str__(self) -> str:
        taken = f"i{self.dim}" + f" // {self.divide}" * (self.divide > 1)
        taken += "" if self.modulo is None else f" % {self.modulo}"
        return f"{taken} * {text(self.stride, 11)}"


def product_of(*factors: Size) -> Size:
    """The product, its constant factors gathered at the end and left out where they are 1.

    >>> from tilevm.sizes import Symbol
    >>> print(product_of(2, Symbol("N"), 4), product_of(1, Symbol("N")), product_of(2, 3))
    N * 8 N 6
    """
    constant = 1
    found: Size | None = None
    for factor in factors:
        if isinstance(factor, Operation) and factor.operator == "*" and isinstance(factor.operands[1], int):
            constant *= factor.operands[1]
            factor = factor.operands[0]
        if isinstance(factor, int):
            constant *= factor
        else:
            found = factor if found is None else operation("*", found, factor)
    if found is None or constant == 0:
        return constant
    return found if constant == 1 else operation("*", found, constant)


def dense(shape: Sequence[Size], bits: int, *, first_fastest: bool = False) -> tuple[Term, ...]:
    """Elements one after another, the last dimension fastest, or the first."""
    return grid_of(shape, (1,) * len(shape), bits, first_fastest=first_fastest)


def grid_of(shape: Sequence[Size], block: Sequence[int], bits: int, *, first_fastest: bool = False) -> tuple[Term, ...]:
    """Whole blocks of ``bits`` bits one after another: the terms that say where the block of an element begins."""
    counts = [extent if side == 1 else operation("//", extent, side) for extent, side in zip(shape, block, strict=True)]
    strides = [product_of(*(counts[:dim] if first_fastest else counts[dim + 1 :]), bits) for dim in range(len(counts))]
    return tuple(Term(dim, side, None, stride) for dim, (side, stride) in enumerate(zip(block, strides, strict=True)))


def of_layout(layout: Layout) -> tuple[Term, ...]:
    """The terms of a memory layout, one for each digit; its swizzle comes on top.

    >>> from tilevm.layout_text import parse
    >>> print(*of_layout(parse("[8,4]{2:B128 4:B16 | 4:B4; 4 bits}")), sep="; ")
    i0 // 4 * 128; i0 % 4 * 16; i1 * 4
    """
    found = []
    for dim, digits in enumerate(layout.dims):
        weight = 1
        for place, digit in reversed(list(enumerate(digits))):
            found.append(Term(dim, weight, digit.size if place else None, digit.stride))
            weight *= digit.size
    return tuple(sorted(found, key=lambda term: (term.dim, -term.divide)))
