"""Layouts of shared tiles: each tile that has none gets one whose accesses collide in the banks as little as possible.

All accesses of a tile are collected first: what registers are loaded from it and stored to it, in their layouts;
what is copied to it asynchronously, row by row in pieces of 16 bytes; and, where a load is a matrix fragment, the rows
of ``ldmatrix``. Where these are linear over GF(2), ``tilevm.swizzle`` finds the best swizzle there is. Where they are
not, because a row is not a power of two long, the hardware's swizzles and padded rows are tried, and counted. Pieces
of 16 bytes stay together in any case.

A dimension along which no access takes more than one element, as the stages of a ring, is laid outermost, and each of
its steps begins at a multiple of 128 bytes, so that every stage has the same banks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

from tilevm.access import LARGEST_VECTOR, Wavefronts, access, wavefronts
from tilevm.arch import Arch
from tilevm.digits import Digit
from tilevm.errors import LayoutError
from tilevm.ir import Let, Program, Statement, map_children, walk
from tilevm.layout import Layout
from tilevm.layout_constructors import column_spatial, local, row_major, spatial
from tilevm.passes.remarks import Remark
from tilevm.swizzle import HARDWARE_SWIZZLES, chunk_rows, ldmatrix_rows, padded_row_bits, synthesise_swizzle
from tilevm.values import Operand, SharedType, TileType, Value, Window

__all__ = ["choose_shared_layouts", "is_fragment"]

BANKS_BITS = 1024
"""All banks once: what begins at a multiple of it, 128 bytes, begins in the first bank."""

REGISTER_BITS = 32


def choose_shared_layouts(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Gives every shared tile without a written layout one with as few bank conflicts as possible. Register layouts are
    chosen before."""
    uses: dict[Value, list[_Use]] = {}
    for each in walk(program.body):
        if isinstance(each, Let):
            if each.result is not None and _is_open(each.result):
                uses.setdefault(each.result, [])
            for use in _uses(each, arch):
                uses[use.window.base].append(use)
    placed: dict[Value, Value] = {}
    remarks: list[Remark] = []
    for tile, found in uses.items():
        layout, words = _choose(tile, found)
        assert isinstance(tile.type, SharedType)
        placed[tile] = Value(replace(tile.type, layout=layout), tile.name, tile.span)
        remarks.append(Remark(f"`{tile.name}` in shared memory {words}", tile.span))
    return replace(program, body=_with_tiles(program.body, placed)), tuple(remarks)


def _is_open(value: Value) -> bool:
    return isinstance(value.type, SharedType) and value.type.layout is None


def _with_tiles(statements: tuple[Statement, ...], placed: dict[Value, Value]) -> tuple[Statement, ...]:
    """The statements with other values for some shared tiles."""

    def operand(held: Operand) -> Operand:
        return placed.get(held, held) if isinstance(held, Value) else held

    def body(held: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return _with_tiles(held, placed)

    def changed(statement: Statement) -> Statement:
        made: Statement = map_children(statement, body, operand)  # type: ignore[type-var]
        if isinstance(made, Let) and made.result in placed:
            return replace(made, result=placed[made.result])
        return made

    return tuple(map(changed, statements))


# What happens to a tile


@dataclass(frozen=True)
class _Use:
    """An access to a window of a shared tile: by registers in a layout, or (None) by pieces of 16 bytes, row by row.

    ``by_rows``: eight threads take 16 bytes each, one below the other, as ``ldmatrix`` does.
    """

    window: Window
    layout: Layout | None
    by_rows: bool = False

    def over(self, kept: Sequence[int]) -> Layout | None:
        """The access repeated over the whole extent of the dimensions that are kept; None where it does not repeat."""
        kind = self.window.base.type
        assert isinstance(kind, SharedType)
        extents = tuple(self.window.extents[dim] or 1 for dim in kept)
        counts = tuple(kind.shape[dim] // extent for dim, extent in zip(kept, extents, strict=True))
        if any(kind.shape[dim] % extent for dim, extent in zip(kept, extents, strict=True)):
            return None
        try:
            return local(*counts) * self._within(kept, extents)
        except LayoutError:
            return None

    def _within(self, kept: Sequence[int], extents: tuple[int, ...]) -> Layout:
        if self.layout is None or self.by_rows:
            rows = row_major(prod(extents[:-1]), extents[-1], width=self.window.dtype.bits)
            pieces = rows.size_bits // LARGEST_VECTOR
            return (ldmatrix_rows(rows) if self.by_rows else chunk_rows(rows, min(32, pieces))).reshape(*extents)
        layout = self.layout
        place = 0
        for dim, extent in enumerate(self.window.extents):
            if dim in kept and extent is None:
                layout = layout.unsqueeze(place)
            elif dim not in kept and extent is not None:
                layout = layout.squeeze(place)
                continue
            place += dim in kept
        return layout


def _uses(let: Let, arch: Arch) -> Iterator[_Use]:
    """The accesses of an instruction to shared tiles that have no layout yet."""
    tiles = [each for each in (let.result, *let.instruction.operands()) if isinstance(each, Value)]
    for name, role in let.instruction.roles().items():
        if role.kind != "window":
            continue
        window = getattr(let.instruction, name)
        if not _is_open(window.base):
            continue
        if let.instruction.asynchronous:
            yield _Use(window, None)
            continue
        layouts = [each.type.layout for each in tiles if isinstance(each.type, TileType) and each.shape == window.shape]
        for layout in layouts[:1]:
            if layout is not None:
                by_rows = not role.writes and arch.has("ldmatrix") and is_fragment(layout, window.dtype.bits)
                yield _Use(window, layout, by_rows)


def is_fragment(layout: Layout, bits: int) -> bool:
    """Whether a register layout of elements of ``bits`` bits is made of the 8 by 8 pieces that ``ldmatrix`` loads:
    rows of 16 bytes, four of whose threads hold 32 bits each, or, transposed, columns of 16-bit elements.

    >>> is_fragment(local(2, 2) * spatial(8, 4) * local(1, 2), 16), is_fragment(spatial(4, 8) * local(1, 2), 16)
    (True, False)
    """
    if layout.rank != 2 or REGISTER_BITS % bits:
        return False
    pieces = [spatial(8, 4) * local(1, REGISTER_BITS // bits)]
    if bits == 16:
        pieces.append(column_spatial(4, 8) * local(2, 1))
    return any(_divides(layout, piece) for piece in pieces)


def _divides(layout: Layout, piece: Layout) -> bool:
    try:
        layout / piece
    except LayoutError:
        return False
    return True


# What suits them


def _choose(tile: Value, uses: Sequence[_Use]) -> tuple[Layout, str]:
    """The layout of a tile, and in words what it is and what it is good for."""
    kind = tile.type
    assert isinstance(kind, SharedType)
    kept = [
        dim
        for dim, length in enumerate(kind.shape)
        if length > 1 and (not uses or any((use.window.extents[dim] or 1) > 1 for use in uses))
    ] or [len(kind.shape) - 1]
    plain = row_major(*(kind.shape[dim] for dim in kept), width=kind.dtype.bits)
    accesses = [found for use in uses if (found := _fitting(use, kept, plain)) is not None]
    best = min(_candidates(plain, accesses), key=lambda each: (_cost(each, accesses), each.size_bits))
    return _in_stages(best, kind.shape, kept), _described(plain, best, accesses)


def _fitting(use: _Use, kept: Sequence[int], plain: Layout) -> Layout | None:
    """The access over the tile, if it can be held against a layout of memory."""
    found = use.over(kept)
    if found is None:
        return None
    try:
        access(found, plain)
    except LayoutError:
        return None
    return found


@lru_cache(maxsize=1024)
def _counted(layout: Layout, memory: Layout) -> Wavefronts:
    return wavefronts(access(layout, memory))


def _cost(memory: Layout, accesses: Sequence[Layout]) -> int:
    """The passes through the banks of all accesses, counted."""
    return sum(_counted(layout, memory).actual for layout in accesses)


def _ideal(memory: Layout, accesses: Sequence[Layout]) -> int:
    """The passes that the accesses would take without conflicts."""
    return sum(_counted(layout, memory).ideal for layout in accesses)


def _candidates(plain: Layout, accesses: Sequence[Layout]) -> Iterator[Layout]:
    """Layouts to choose from; of equal ones the first is taken."""
    yield plain
    if _cost(plain, accesses) == _ideal(plain, accesses):
        return
    try:
        yield from _swizzled(plain, synthesise_swizzle(plain, accesses).xor)
        return
    except LayoutError:
        # A length is not a power of two, or an element not of 2^n bits: nothing is linear, so candidates are counted.
        pass
    for xor in HARDWARE_SWIZZLES:
        if plain.size_bits % xor.block == 0:
            yield from _swizzled(plain, xor)
    yield _padded(plain)


def _swizzled(plain: Layout, xor: object) -> Iterator[Layout]:
    """The layout with a swizzle, if there is one and it tears no element."""
    try:
        if xor is not None:
            yield plain.swizzled(xor)  # type: ignore[arg-type]
    except LayoutError:
        return


def _padded(plain: Layout) -> Layout:
    """Rows an odd number of 16-byte pieces apart."""
    stride = padded_row_bits(plain.shape[-1] * plain.width)
    dims: list[tuple[Digit, ...]] = [(Digit(plain.shape[-1], "B", plain.width),)]
    for extent in reversed(plain.shape[:-1]):
        dims.insert(0, (Digit(extent, "B", stride),))
        stride *= extent
    return Layout(tuple(dims), (), None, plain.width)


def _in_stages(stage: Layout, shape: tuple[int, ...], kept: Sequence[int]) -> Layout:
    """The layout of a whole tile from that of its kept dimensions; the others lie outermost, in their order."""
    step = max(BANKS_BITS, stage.xor.block if stage.xor else 1)
    stride = -(-stage.size_bits // step) * step
    dims: list[tuple[Digit, ...]] = [()] * len(shape)
    for dim, digits in zip(kept, stage.dims, strict=True):
        dims[dim] = digits
    for dim in reversed(range(len(shape))):
        if dim not in kept:
            dims[dim] = (Digit(shape[dim], "B", stride),)
            stride *= shape[dim]
    return Layout(tuple(dims), (), stage.xor, stage.width)


def _described(plain: Layout, best: Layout, accesses: Sequence[Layout]) -> str:
    ideal = _ideal(plain, accesses) or 1
    before, after = (_cost(memory, accesses) / ideal for memory in (plain, best))
    if best == plain:
        left = (
            f"; wavefronts {before:.3g} times the ideal, which no swizzle and no padding betters" if before > 1 else ""
        )
        return f"lies row by row{left}"
    how = f"is swizzled: {best.xor}"
    if best.xor is None:
        near, far = plain.shape[-1] * plain.width // 8, padded_row_bits(plain.shape[-1] * plain.width) // 8
        how = f"is padded: rows of {near} bytes lie {far} bytes apart"
    return f"{how}; wavefronts {before:.3g} -> {after:.3g} times the ideal"
