"""Layouts: which thread holds which element of a tile in which register slot, and at which bit of memory it lies.

A layout is, for each dimension of a tile, a mixed radix. The digits of an index are taken as the decimal digits of a
number are, and each digit says how far one step of it moves, and along what: ``T`` threads, ``R`` register slots of a
thread, ``B`` bits of memory. The place of an element is the sum of these moves. ``8:T4`` is a digit of eight values,
each four threads further on. The accumulator of a tensor-core product of 16 by 8 elements is

    [16,8]{2:R2 8:T4 | 4:T1 2:R1}

               row i = 8·i₁ + i₀               column j = 2·j₁ + j₀
    digit      i₁ (2 values)   i₀ (8 values)   j₁ (4 values)   j₀ (2 values)
    moves      2 slots         4 threads       1 thread        1 slot
    thread  =                    4·i₀        +   j₁
    slot    =    2·i₁                                        +   j₀

so that element (9, 5), with digits 1 1 | 2 1, is in slot 3 of thread 6:

>>> from tilevm.layout_constructors import local, spatial
>>> C = local(2, 1) * spatial(8, 4) * local(1, 2)
>>> print(C, C.place((9, 5)), C.at(6, 3))
[16,8]{2:R2 8:T4 | 4:T1 2:R1} (6, 3) (9, 5)

``A * B`` puts a whole ``B`` in the place of each element of ``A``: digits are concatenated, and the moves of ``A`` grow
by the size of ``B``. Besides its digits a layout may have *replicas* (other threads that hold the same elements), and a
memory layout has the ``width`` of an element in bits and maybe a *swizzle*.

Why this way round, from the element to its place? The inverse form, from (thread, slot) to the element, is the same
for registers, where both directions exist, because register layouts are *compact*: the digits count every thread and
every slot once. But memory has holes (padding), several threads may hold one element, and several elements may share
one place (a broadcast); only the direction from the element covers all of these with one rule. And it is canonical: two
layouts are the same map exactly when their digits, with neighbours merged, are the same, so layouts compare and
hash by their digits, and a product is undone by taking digits away. Strides are in bits, so that a six-bit element is
nothing special.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd, prod

from tilevm import digits as radix
from tilevm import layout_checks as checks
from tilevm.digits import Digit, Digits, Mismatch
from tilevm.errors import LayoutError
from tilevm.layout_map import LayoutMap
from tilevm.xor_map import Xor

__all__ = ["Digit", "Layout", "Xor"]


class Layout(LayoutMap):
    """A map from the elements of a tile to threads and slots, or to bits of memory. Immutable, canonical, hashable.

    ``Layout(dims, rep=(), xor=None, width=0)``. ``dims``: for each dimension its digits ``(size, axis, stride)``,
    outermost first. ``rep``: digits on ``T`` that lead to the other threads that hold the same elements. ``xor``: the
    swizzle of a memory layout. ``width``: for a memory layout, the bits of one element, padding that belongs to it
    included; 0 for a register layout. A layout with ``B`` digits and no width counts elements of one bit.

    Raises ``LayoutError`` L001 for a digit that makes no sense, L002 for a register layout that leaves out or repeats a
    thread or a slot, L003 for one that mixes registers and memory, L018 for a swizzle that would tear an element.

    >>> from tilevm.layout_constructors import local, spatial
    >>> Layout([[(8, "T", 4)], [(4, "T", 1), (2, "R", 1)]]) == spatial(8, 4) * local(1, 2)
    True
    """

    # Products and quotients

    def __mul__(self, inner: Layout) -> Layout:
        """``inner`` inside each element of this layout. A layout of rank 0 goes with any rank.

        In memory the right factor says how wide an element is, and the left one counts in its extent.
        Raises ``LayoutError`` L003 for a register and a memory layout, L004 for two ranks, L023 for a swizzle that a
        product cannot keep.

        >>> from tilevm.layout_constructors import local, row_major, spatial
        >>> print(local(4, 1) * spatial(8, 4), row_major(2) * row_major(3, width=6))
        [32,4]{4:R1 8:T4 | 4:T1} [6]{6:B6; 6 bits}
        """
        if not isinstance(inner, Layout):
            return NotImplemented
        checks.same_kind(self, inner, "hold")
        checks.unit_width(self)
        outer, inner = _same_rank(self, inner)
        grown = inner.sizes
        dims = [(*radix.scaled(a, grown), *b) for a, b in zip(outer.dims, inner.dims, strict=True)]
        copies = (*radix.scaled(outer.rep, grown), *inner.rep)
        xor = _product_swizzle(outer, inner) if outer.xor or inner.xor else None
        return Layout._of(dims, copies, xor, inner.width)

    def __truediv__(self, divisor: Layout) -> Layout:
        """The layout X with ``X * divisor == self``.

        Raises ``LayoutError`` L005 where there is none, showing the digits of both and where they first differ; L003,
        L004 and L023 as ``*`` does.

        >>> from tilevm.layout_constructors import local, spatial
        >>> (local(4, 4) * spatial(8, 4)) / spatial(8, 4) == local(4, 4)
        True
        """
        if not isinstance(divisor, Layout):
            return NotImplemented
        whole, part = self._division_operands(divisor)
        if part.width != whole.width:
            raise checks.no_size(self, divisor)
        left: list[Digits] = []
        for number, (dim, inner) in enumerate(zip(whole.dims, part.dims, strict=True)):
            try:
                left.append(radix.without_inner(dim, inner))
            except Mismatch as at:
                raise checks.no_quotient(self, divisor, number, dim, inner, at.position, "end") from None
        copies = radix.split_at(whole.rep, part.threads)
        if copies is None or copies[1] != part.rep:
            raise checks.no_replicas(self, divisor)
        # Of a compact layout what is left moves by whole divisors; in memory it need not.
        if any(digit.stride % part.sizes[digit.axis] for dim in left for digit in dim):
            raise checks.no_size(self, divisor)
        dims = [radix.shrunk(dim, part.sizes) for dim in left]
        return Layout._of(dims, radix.shrunk(copies[0], part.sizes), None, int(whole.is_memory))

    def ldiv(self, outer: Layout) -> Layout:
        """The layout X with ``outer * X == self``. Raises ``LayoutError`` as ``/`` does.

        >>> from tilevm.layout_constructors import local, spatial
        >>> (local(4, 4) * spatial(8, 4)).ldiv(local(4, 4)) == spatial(8, 4)
        True
        """
        whole, part = self._division_operands(outer)
        checks.unit_width(part)
        rest = {axis: max(1, whole.sizes[axis] // size) for axis, size in part.sizes.items()}
        dims: list[Digits] = []
        for number, (dim, factor) in enumerate(zip(whole.dims, part.dims, strict=True)):
            try:
                dims.append(radix.without_outer(dim, radix.scaled(factor, rest)))
            except Mismatch as at:
                raise checks.no_quotient(self, outer, number, dim, factor, at.position, "begin") from None
        copies = radix.split_at(whole.rep, rest["T"])
        if copies is None or copies[0] != tuple(radix.scaled(part.rep, rest)):
            raise checks.no_replicas(self, outer)
        quotient = Layout._of(dims, copies[1], None, self.width)
        if quotient.is_memory and quotient.size_bits != rest["B"]:
            raise checks.no_size(self, outer)
        return quotient

    def _division_operands(self, other: Layout) -> tuple[Layout, Layout]:
        checks.same_kind(self, other, "be divided by")
        checks.no_swizzle(self, other)
        return _same_rank(self, other)

    # Dimensions

    def reduce(self, dim: int) -> Layout:
        """The layout after a reduction along ``dim``: its threads all hold the result, in a slot for each element left.

        The dimension stays, with size 1. Raises ``LayoutError`` L003 for a memory layout, L006 for a dimension that
        the layout has not.

        >>> from tilevm.layout_constructors import local, spatial
        >>> print((spatial(8, 4) * local(1, 2)).reduce(1))
        [8,1]{8:T4 | 1; rep 4:T1}
        """
        checks.registers(self, "reduce")
        dim = checks.dimension(self, dim)
        copies = [digit for digit in self.dims[dim] if digit.axis == "T"]
        dims = radix.compacted([() if d == dim else digits for d, digits in enumerate(self.dims)], "R")
        return Layout._of(dims, (*self.rep, *copies), None, 0)

    def permute(self, *order: int) -> Layout:
        """The layout with its dimensions in another order: dimension ``i`` of the result is ``order[i]`` of this one.

        Raises ``LayoutError`` L006 where ``order`` is not a permutation of the dimensions.
        """
        if sorted(order) != list(range(self.rank)):
            raise LayoutError(
                "L006",
                f"{order} is not an order of the {self.rank} dimensions of {self}",
                help=f"name each of 0 to {self.rank - 1} once" if self.rank else None,
            )
        return self._with([self.dims[dim] for dim in order])

    def squeeze(self, dim: int) -> Layout:
        """The layout without a dimension of size 1. Raises ``LayoutError`` L006, and L021 for a larger dimension."""
        dim = checks.single(self, dim, "squeezed")
        return self._with([*self.dims[:dim], *self.dims[dim + 1 :]])

    def unsqueeze(self, dim: int) -> Layout:
        """The layout with a new dimension of size 1 at ``dim``. Raises ``LayoutError`` L006."""
        dim = checks.dimension(self, dim, self.rank + 1)
        return self._with([*self.dims[:dim], (), *self.dims[dim:]])

    def broadcast(self, dim: int, size: int) -> Layout:
        """The layout in which ``size`` elements share the place of the one along ``dim``.

        Raises ``LayoutError`` L006, and L021 for a dimension that is not of size 1.

        >>> from tilevm.layout_constructors import spatial
        >>> print(spatial(8, 1).broadcast(1, 4))
        [8,4]{8:T1 | 4:-}
        """
        dim = checks.single(self, dim, "broadcast")
        (size,) = checks.sizes("broadcast", [size])
        return self._with([*self.dims[:dim], (Digit(size, "-", 0),), *self.dims[dim + 1 :]])

    def reshape(self, *shape: int) -> Layout:
        """The layout of the same elements, in row-major order, under another shape.

        Raises ``LayoutError`` L007 where the number of elements differs or a digit would have to be cut unevenly.

        >>> from tilevm.layout_constructors import local, spatial
        >>> print(local(4, 6).reshape(2, 12), spatial(32).reshape(8, 4))
        [2,12]{2:R12 | 12:R1} [8,4]{8:T4 | 4:T1}
        """
        shape = checks.sizes("reshape", shape)
        dims = None
        if prod(shape) == prod(self.shape):
            dims = radix.regrouped([digit for dim in self.dims for digit in dim], shape)
        if dims is None:
            raise checks.no_reshape(self, shape)
        return self._with(dims)

    def slice(self, dim: int, start: int, size: int) -> Layout:
        """The layout of the elements ``start`` to ``start + size`` along ``dim``, each thread's slots numbered anew.

        Of a memory layout it is the layout relative to the first of these elements. Raises ``LayoutError`` L006, and
        L008 where a range is not a box of digits, would leave threads with nothing, or cuts a swizzled layout.

        >>> from tilevm.layout_constructors import local
        >>> print(local(4, 2).slice(0, 2, 2))
        [2,2]{2:R2 | 2:R1}
        """
        dim = checks.dimension(self, dim)
        if size < 1 or start < 0 or start + size > self.shape[dim]:
            raise checks.no_slice(self, dim, start, size, "the range is not inside the dimension")
        if self.xor is not None and size < self.shape[dim]:
            raise checks.no_slice(
                self, dim, start, size, "where a swizzle moves an element depends on the whole offset"
            )
        found = radix.cut(self.dims[dim], start, size)
        if found is None:
            raise checks.no_slice(self, dim, start, size, "the range begins or ends inside a digit")
        kept, lost = found
        if any(digit.axis == "T" for digit, _ in lost):
            raise checks.no_slice(self, dim, start, size, "the threads outside of the range would hold nothing")
        dims = [*self.dims[:dim], kept, *self.dims[dim + 1 :]]
        return self._with(radix.compacted(dims, "R") if self.is_register else dims)

    def concat(self, other: Layout, dim: int) -> Layout:
        """The layout of two register tiles side by side along ``dim``: this one's slots first, then the other's.

        Both must be whole numbers of one tile in a row. Raises ``LayoutError`` L003, L006, and L009 where they are not.

        >>> from tilevm.layout_constructors import local
        >>> print(local(2).concat(local(4), 0))
        [6]{6:R1}
        """
        checks.registers(self, "concat")
        dim = checks.dimension(self, dim)
        if isinstance(other, Layout) and other.is_register and other.rank == self.rank:
            mine, theirs = self.shape[dim], other.shape[dim]
            common = gcd(mine, theirs)
            for part in range(common, 0, -1):
                if common % part:
                    continue
                tile = self._repeated_part(dim, mine // part)
                if tile is not None and tile == other._repeated_part(dim, theirs // part):
                    return _along(dim, self.rank, (mine + theirs) // part) * tile
        raise checks.no_concat(self, other, dim)

    def _repeated_part(self, dim: int, times: int) -> Layout | None:
        try:
            return self.ldiv(_along(dim, self.rank, times))
        except LayoutError:
            return None

    def view(self, from_bits: int, to_bits: int) -> Layout:
        """The register layout of the same bits of each thread, read as elements of another width.

        The dimension along which neighbouring slots lie grows or shrinks; the last one where a thread has one slot.
        Viewing back gives this layout again, unless neighbouring slots became a single one.
        Raises ``LayoutError`` L003 for a memory layout, L012 where neighbouring slots are not whole new elements.
        Of two *given* layouts, ``tilevm.layout_view.check_view`` says whether one is a view of the other.

        >>> from tilevm.layout_constructors import local, spatial
        >>> print((spatial(8, 4) * local(1, 3)).view(8, 6))
        [8,16]{8:T4 | 4:T1 4:R1}
        """
        checks.registers(self, "view")
        from_bits, to_bits = checks.sizes("view", [from_bits, to_bits])
        dims = [list(dim) for dim in self.dims]
        if self.slots == 1 and dims:
            dims[-1].append(Digit(1, "R", 1))
        for dim in dims:
            for number, (size, axis, stride) in enumerate(dim):
                if axis == "R":
                    # The first slots become more or fewer; the others move further apart or closer.
                    bits = (size if stride == 1 else stride) * from_bits
                    if bits % to_bits:
                        raise checks.no_view(self, from_bits, to_bits)
                    new = bits // to_bits
                    dim[number] = Digit(new, axis, 1) if stride == 1 else Digit(size, axis, new)
        if not dims and from_bits != to_bits:
            raise checks.no_view(self, from_bits, to_bits)
        return self._with(dims)

    # The whole

    def swizzled(self, xor: Xor) -> Layout:
        """The memory layout with a swizzle on its offsets.

        Raises ``LayoutError`` L003 for a register layout, L018 where an element would be torn, L023 for a second
        swizzle.
        """
        checks.memory(self, "swizzled")
        checks.no_swizzle(self)
        return Layout(self.dims, (), xor, self.width)

    def scaled(self, width: int) -> Layout:
        """The memory layout, written in elements of one bit, for elements of ``width`` bits.

        Raises ``LayoutError`` L003 for a register layout or one that has a width already, L023 for a swizzle.

        >>> from tilevm.layout_constructors import column_major
        >>> print(column_major(4, 8).scaled(6))
        [4,8]{4:B6 | 8:B24; 6 bits}
        """
        checks.memory(self, "scaled")
        checks.unit_width(self)
        checks.no_swizzle(self)
        (width,) = checks.sizes("scaled", [width])
        return Layout._of([radix.scaled(dim, {"B": width, "-": 1}) for dim in self.dims], (), None, width)

    def bind(self, shape: tuple[int, ...], bits: int) -> Layout:
        """This memory layout for a tensor of ``shape`` with elements of ``bits`` bits, as of ``MemoryPattern.bind``.

        A layout in elements of one bit is scaled to ``bits``. Raises ``LayoutError`` L003 for a register layout, L016
        where the shape or the width is another.
        """
        checks.memory(self, "bind")
        if self.shape != tuple(shape) or self.width not in (1, bits):
            raise checks.no_fit(str(self), shape, bits, "it is for another shape or width")
        return self if self.width == bits else self.scaled(bits)

    placed = bind
    """As of ``MemoryPattern.placed``."""

    def _with(self, dims: Iterable[Iterable[Digit]]) -> Layout:
        return Layout._of(dims, self.rep, self.xor, self.width)

    def __str__(self) -> str:
        dims = " | ".join(map(radix.text, self.dims))
        rep = f"; rep {radix.text(self.rep)}" if self.rep else ""
        xor = f"; xor {self.xor}" if self.xor else ""
        width = f"; {self.width} bit{'s' * (self.width > 1)}" if self.width else ""
        return f"[{','.join(map(str, self.shape))}]{{{dims}{rep}{xor}{width}}}"

    def __repr__(self) -> str:
        return f"layout({str(self)!r})"

    def _repr_svg_(self) -> str | None:
        from tilevm.layout_drawing import LARGEST_DRAWING, svg

        return svg(self) if prod(self.shape) <= LARGEST_DRAWING else None


def _same_rank(first: Layout, second: Layout) -> tuple[Layout, Layout]:
    """Both with the rank of the larger; a layout of rank 0 is a layout of any rank with sizes of 1."""
    if first.rank == second.rank:
        return first, second
    rank = max(first.rank, second.rank)
    grown = [layout if layout.rank else layout._with([()] * rank) for layout in (first, second)]
    return grown[0], grown[1]


def _product_swizzle(outer: Layout, inner: Layout) -> Xor | None:
    """The swizzle of a product: that of the inner factor if its blocks stay whole, or the outer one's, moved up."""
    size = inner.size_bits
    if outer.xor is None and inner.xor is not None and size % max(inner.xor.block, _reach(inner.xor)) == 0:
        return inner.xor
    if inner.xor is None and outer.xor is not None and size & (size - 1) == 0:
        return outer.xor.shifted(size.bit_length() - 1)
    raise LayoutError(
        "L023",
        f"the product of {outer} and {inner} is not digits with one swizzle on top",
        help="swizzle the product instead of a factor: (A * B).swizzled(...)",
    )


def _reach(xor: Xor) -> int:
    return 1 << xor.sources.bit_length()


def _along(dim: int, rank: int, count: int) -> Layout:
    """``count`` slots along one dimension: ``local(1, ..., count, ..., 1)``."""
    return Layout._of([(Digit(count, "R", 1),) if axis == dim else () for axis in range(rank)], (), None, 0)
