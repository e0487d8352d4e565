"""Memory layouts that are written without a shape: what may stand after ``@`` at a parameter or a shared tile.

    row_major  column_major    elements one after another, the last or the first dimension fastest
    strides(ld, 1)             a distance in elements for each dimension
    swizzle(3, 4, 3)           row-major, with bits of the byte address flipped by higher ones
    blocks(64, 32) * tile      blocks of 64 by 32, one after another, each in the order of a register layout
    packed(tile)               the same as blocks(*tile.shape) * tile
    fragments(tile)            blocks as the threads of the register layout hold them, 16 bytes at a time

The shape and the width of an element are known where the pattern is used: ``bind(shape, bits)`` makes a memory
``Layout``. Patterns compare by what they say, and print as they are written.

>>> print(blocks(4, 4).bind((8, 8), 6))
[8,8]{2:B192 4:B24 | 2:B96 4:B6; 6 bits}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tilevm import fragment_order
from tilevm import layout_checks as checks
from tilevm.digits import Digit
from tilevm.errors import LayoutError
from tilevm.fragment_order import FragmentOrder
from tilevm.layout import Layout
from tilevm.layout_constructors import column_major, local, row_major
from tilevm.layout_expression import expression
from tilevm.memory_terms import Term, dense, grid_of, of_layout
from tilevm.sizes import Size
from tilevm.xor_map import Xor

__all__ = [
    "COLUMN_MAJOR",
    "ROW_MAJOR",
    "MemoryPattern",
    "Placement",
    "blocks",
    "fragments",
    "packed",
    "strides",
    "swizzle",
]

Placement: TypeAlias = Layout | FragmentOrder
"""Where each element of a tensor lies, or each bit of it."""


class MemoryPattern(ABC):
    """A rule that gives a memory layout for any shape that it fits."""

    @abstractmethod
    def bind(self, shape: Sequence[int], bits: int) -> Layout:
        """The memory layout of a tensor of ``shape`` whose elements have ``bits`` bits; strides are in bits.

        Raises ``LayoutError`` L016 where the pattern does not fit the shape, L018 where a swizzle would tear an
        element.
        """

    def placed(self, shape: Sequence[int], bits: int) -> Placement:
        """Where the elements of a tensor lie: the memory layout that ``bind`` gives, or an order that gives elements no
        address. Raises what ``bind`` raises.
        """
        return self.bind(shape, bits)

    @abstractmethod
    def terms(self, shape: Sequence[Size], bits: int) -> tuple[Term, ...]:
        """Where an element lies in a tensor of ``shape``, which may hold symbols and fits the pattern, before the
        swizzle."""

    @property
    def xor(self) -> Xor | None:
        """The swizzle, of offsets in bits; None where there is none."""
        return None

    @property
    def addressable(self) -> bool:
        """Whether the bits of an element lie side by side, so that it has an address; if not, ``memory_view`` alone
        reads the tensor."""
        return True

    def __repr__(self) -> str:
        return f"memory_pattern({str(self)!r})"


@dataclass(frozen=True, repr=False)
class _Dense(MemoryPattern):
    """Elements one after another."""

    first_fastest: bool

    def bind(self, shape: Sequence[int], bits: int) -> Layout:
        return (column_major if self.first_fastest else row_major)(*shape, width=bits)

    def terms(self, shape: Sequence[Size], bits: int) -> tuple[Term, ...]:
        return dense(shape, bits, first_fastest=self.first_fastest)

    def __str__(self) -> str:
        return "column_major" if self.first_fastest else "row_major"


ROW_MAJOR: MemoryPattern = _Dense(False)
"""Elements one after another, the last dimension fastest."""

COLUMN_MAJOR: MemoryPattern = _Dense(True)
"""Elements one after another, the first dimension fastest."""


@dataclass(frozen=True, repr=False)
class _Strided(MemoryPattern):
    """A stride in elements for each dimension."""

    steps: tuple[int, ...]

    def bind(self, shape: Sequence[int], bits: int) -> Layout:
        if len(shape) != len(self.steps):
            raise checks.no_fit(str(self), shape, bits, "it needs one stride for each dimension")
        (bits,) = checks.sizes("bind", [bits])
        extents = checks.sizes("bind", shape)
        return Layout._of(
            [(Digit(extent, "B", step * bits),) for extent, step in zip(extents, self.steps, strict=True)],
            (),
            None,
            bits,
        )

    def terms(self, shape: Sequence[Size], bits: int) -> tuple[Term, ...]:
        return tuple(Term(dim, 1, None, step * bits) for dim, step in enumerate(self.steps))

    def __str__(self) -> str:
        return f"strides({', '.join(map(str, self.steps))})"


def strides(*steps: int) -> MemoryPattern:
    """A distance in elements between neighbours along each dimension; 0 repeats one element.

    Raises ``LayoutError`` L015 for a negative stride.

    >>> print(strides(40, 1).bind((4, 32), 6))
    [4,32]{4:B240 | 32:B6; 6 bits}
    """
    return _Strided(tuple(step - 1 for step in checks.sizes("strides", [step + 1 for step in steps])))


@dataclass(frozen=True, repr=False)
class _Blocks(MemoryPattern):
    """Blocks one after another, row-major, and within each the order of a register layout; row-major for None."""

    extents: tuple[int, ...]
    order: Layout | None = None

    def __mul__(self, inner: Layout) -> MemoryPattern:
        if not isinstance(inner, Layout):
            return NotImplemented
        checks.registers(inner, "blocks")
        order = inner if self.order is None else self.order * inner
        checks.orders_a_block(order)
        # A block may be written as a product of several factors, so that on the way its shape is a divisor.
        if not _divides(order.shape or (1,) * len(self.extents), self.extents):
            raise LayoutError(
                "L016",
                f"{order} does not fit into a block of shape {list(self.extents)}",
                help="write blocks(*shape) * L with the shape of L, or packed(L)",
            )
        return _Blocks(self.extents, None if order == local(*self.extents) else order)

    def bind(self, shape: Sequence[int], bits: int) -> Layout:
        extents = checks.sizes("bind", shape)
        order = self.order or local(*self.extents)
        if order.shape != self.extents:
            raise checks.no_fit(
                str(self), shape, bits, f"its order has the shape {list(order.shape)}, not that of a block"
            )
        leading = len(extents) - len(self.extents)
        if leading < 0:
            raise checks.no_fit(str(self), shape, bits, f"it needs at least {len(self.extents)} dimensions")
        block = (1,) * leading + self.extents
        if not _divides(block, extents):
            raise checks.no_fit(
                str(self), shape, bits, "the shape is not whole blocks", help="pad the tensor, or choose smaller blocks"
            )
        grid = row_major(*(extent // side for extent, side in zip(extents, block, strict=True)))
        return grid * self._block(leading, bits)

    def terms(self, shape: Sequence[Size], bits: int) -> tuple[Term, ...]:
        block = self._block(len(shape) - len(self.extents), bits)
        inside = tuple(
            replace(term, modulo=term.modulo or block.shape[term.dim] // term.divide) for term in of_layout(block)
        )
        return (*grid_of(shape, block.shape, block.size_bits), *inside)

    def _block(self, leading: int, bits: int) -> Layout:
        """One block, of a tensor that has ``leading`` dimensions before those of the block."""
        order = self.order or local(*self.extents)
        step = {"T": order.slots * bits, "R": bits}
        inside = [[Digit(size, "B", stride * step[axis]) for size, axis, stride in dim] for dim in order.dims]
        return Layout._of([*([()] * leading), *inside], (), None, bits)

    def __str__(self) -> str:
        alone = f"blocks({', '.join(map(str, self.extents))})"
        return f"{alone} * {expression(self.order) or self.order}" if self.order else alone


def _divides(parts: Sequence[int], wholes: Sequence[int]) -> bool:
    return len(parts) == len(wholes) and all(whole % part == 0 for part, whole in zip(parts, wholes, strict=True))


def blocks(*extents: int) -> _Blocks:
    """The tensor cut into blocks that are stored one after another, row-major, each of them row-major.

    ``blocks(64, 32) * L`` orders each block by the register layout ``L`` of shape ``[64, 32]`` instead: first all slots
    of thread 0, then those of thread 1, and so on, so that an element begins at bit ``block * 64*32*bits +
    (thread * slots + slot) * bits``. Dimensions of a tensor in front of those of the block are counted row-major.

    Raises ``LayoutError`` L015 for a size below 1; the product raises L003 for a memory layout, L016 for a shape that
    is no part of a block and for a layout with replicas or broadcasts.

    >>> from tilevm.layout_constructors import spatial
    >>> pattern = blocks(2, 4) * (spatial(2, 2) * local(1, 2))
    >>> print(pattern, pattern.bind((4, 4), 3))
    blocks(2, 4) * spatial(2, 2) * local(1, 2) [4,4]{4:B12 | 4:B3; 3 bits}
    """
    return _Blocks(checks.sizes("blocks", extents))


def packed(order: Layout) -> MemoryPattern:
    """The tensor in blocks of the shape of a register layout, each in the order in which its threads hold it.

    Raises ``LayoutError`` L003 for a memory layout, L016 for replicas or broadcasts.

    >>> from tilevm.layout_constructors import spatial
    >>> packed(spatial(4, 1)) == blocks(4, 1) * spatial(4, 1)
    True
    """
    checks.registers(order, "packed")
    return blocks(*order.shape) * order


@dataclass(frozen=True, repr=False)
class _Fragments(MemoryPattern):
    """Blocks of the shape of ``order``, each as its threads hold it."""

    order: Layout
    piece: int = fragment_order.PIECE

    @property
    def addressable(self) -> bool:
        return False

    def bind(self, shape: Sequence[int], bits: int) -> Layout:
        raise LayoutError(
            "L047",
            f"elements have no address of their own in `{self}`",
            help="a kernel reads such a tensor through memory_view; a shared tile has another layout",
        )

    def placed(self, shape: Sequence[int], bits: int) -> FragmentOrder:
        extents = tuple(int(extent) for extent in shape)
        if len(extents) < self.order.rank:
            raise checks.no_fit(str(self), shape, bits, f"it needs at least {self.order.rank} dimensions")
        if self.order.slots * bits % 8:
            raise checks.no_fit(
                str(self), shape, bits, f"a thread holds {self.order.slots} x {bits} bits, which are no whole bytes"
            )
        return FragmentOrder(self.order, extents, bits, self.piece)

    def terms(self, shape: Sequence[Size], bits: int) -> tuple[Term, ...]:
        raise AssertionError("elements of fragments have no address: windows of them are refused")

    def __str__(self) -> str:
        return fragment_order.text(self.order, self.piece)


def fragments(order: Layout, piece: int = fragment_order.PIECE) -> MemoryPattern:
    """The tensor in blocks of the shape of a register layout, each as its threads hold it, ``piece`` bytes of every
    thread at a time; blocks that reach beyond the tensor are padded. ``FragmentOrder`` has the details.

    Raises ``LayoutError`` L003 for a memory layout, L015 for a piece below 1, L016 for replicas or broadcasts.
    ``placed`` raises L016 where a thread's codes are no whole bytes, or the tensor has too few dimensions; ``bind``
    raises L047.

    >>> from tilevm.layout_constructors import spatial
    >>> fragments(spatial(8, 4) * local(1, 2))
    memory_pattern('fragments(spatial(8, 4) * local(1, 2))')
    """
    checks.registers(order, "fragments")
    checks.orders_a_block(order)
    return _Fragments(order, *checks.sizes("fragments", [piece]))


@dataclass(frozen=True, repr=False)
class _Swizzled(MemoryPattern):
    """Row-major, with some bits of the byte address flipped by higher ones."""

    bits: int
    base: int
    shift: int

    def bind(self, shape: Sequence[int], bits: int) -> Layout:
        xor = self.xor
        plain = row_major(*shape, width=bits)
        if plain.size_bits % xor.block:
            raise checks.no_fit(
                str(self),
                shape,
                bits,
                f"it moves elements within blocks of {xor.block // 8} bytes, and the tile has {plain.size_bits / 8:g}",
                help="make the tile a multiple of that size, or use a swizzle of fewer bits",
            )
        return plain.swizzled(xor)

    @property
    def xor(self) -> Xor:
        first = self.base + 3
        return Xor.between((first + bit, first + self.shift + bit) for bit in range(self.bits))

    def terms(self, shape: Sequence[Size], bits: int) -> tuple[Term, ...]:
        return dense(shape, bits)

    def __str__(self) -> str:
        return f"swizzle({self.bits}, {self.base}, {self.shift})"


def swizzle(bits: int, base: int, shift: int) -> MemoryPattern:
    """A row-major tile in which bits of the *byte address* are flipped, so that columns spread over the banks.

    Of the byte address of an element in the row-major tile, the ``bits`` bits from bit ``base`` up are XORed with the
    ``bits`` bits from bit ``base + shift`` up. Pieces of ``2**base`` bytes stay together. So ``swizzle(3, 4, 3)``
    permutes the eight 16-byte chunks of each 128-byte row by XOR with the row's number modulo 8; ``swizzle(2, 4, 3)``
    and ``swizzle(1, 4, 3)`` are for rows of 64 and of 32 bytes. These are the numbers of CUTLASS's ``Swizzle<B, M, S>``
    on byte addresses, and the hardware's modes of 128, 64 and 32 bytes.

    Raises ``LayoutError`` L017 for a negative number or a ``shift`` smaller than ``bits``; ``bind`` raises L016 where
    the tile is not whole blocks of ``2**(base + bits)`` bytes, L018 where an element would be torn.

    >>> tile = swizzle(3, 4, 3).bind((64, 64), 16)
    >>> print(tile)
    [64,64]{64:B1024 | 64:B16; xor 7^10 8^11 9^12; 16 bits}
    >>> tile.offset((0, 0)), tile.offset((1, 0)), tile.offset((2, 0))
    (0, 1152, 2304)
    """
    if min(bits, base, shift) < 0 or shift < bits:
        raise LayoutError(
            "L017",
            f"there is no swizzle({bits}, {base}, {shift}): the bits that are flipped must lie below those that decide",
            help="swizzle(bits, base, shift) needs bits >= 0, base >= 0 and shift >= bits, such as swizzle(3, 4, 3)",
        )
    return _Swizzled(bits, base, shift)
