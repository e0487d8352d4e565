"""Elements that change threads through shared memory: all write, all meet, all read.

Where in memory an element lies is free, and chosen so that neither the writes nor the reads collide in the banks.
Pieces that stay in the slots of a thread are put together to *packets* of up to 16 bytes, which one instruction moves.
Of what is left, let ``F`` be the pieces on which the lanes lie that write together, and ``G`` those of the lanes that
read together; there are as many bank bits as the larger of the two has pieces. A piece of both gets a bank bit. The
others are paired: piece ``f`` of ``F`` only gets a bank bit and ``g`` of ``G`` only a bit of the row, and the bank bit
is flipped by it. Then lanes that write together differ in ``f`` and lanes that read together in ``g``, so both in
their banks. This needs that lanes are counted by powers of two; where they are not, rows are padded instead.

A tile that is larger than ``LARGEST_SCRATCH`` goes in several *turns*, best by slots, else threads stand by; where
rows are padded, a turn is a *window* of the memory that the whole tile would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from tilevm.dtypes import DType
from tilevm.layout import Layout
from tilevm.plans import scratch
from tilevm.plans.packets import held_bits
from tilevm.plans.pieces import LANES, Piece, Place, lane_bit, offsets, stays_in_warps
from tilevm.plans.scratch import LARGEST_SCRATCH, ROW, WORD, Lying, ScratchExchange, Side, Turn, bytes_for, windows

__all__ = ["scratch_exchange"]

LARGEST_PACKET = 16


def scratch_exchange(parts: Sequence[Piece] | None, dtype: DType, source: Layout, target: Layout) -> ScratchExchange:
    """How elements come from one layout to another through shared memory; ``parts`` are the pieces of the two, if any.

    Where lanes are counted by powers of two there are no bank conflicts.
    """
    if parts is None or not all(stays_in_warps(each, place) for each in parts for place in each[1:]):
        return _by_rows(dtype, source, target)
    return _Plane(parts, dtype, source, target).exchange()


class _Plane:
    """Gives each piece its place in memory."""

    def __init__(self, parts: Sequence[Piece], dtype: DType, source: Layout, target: Layout) -> None:
        self.dtype, self.source, self.target = dtype, source, target
        bits = held_bits(dtype)
        kept = sorted(
            (each for each in parts if each.size == 2 and each.source.axis == each.target.axis == "R"),
            key=lambda each: each.source.stride + each.target.stride,
        )
        count = sum(bits << number + 1 <= 8 * LARGEST_PACKET for number in range(len(kept)))
        self.packet = kept[:count]
        self.cell = bytes_for(bits << count)
        self.turning = self._turning([each for each in parts if each not in self.packet])
        rest = [each for each in parts if each not in self.packet and each not in self.turning]
        self.wider: list[Piece] = []
        self.widened = "target"
        if self.cell * 8 == bits << count:
            self._widen(rest)
        self._lay([each for each in rest if each not in self.wider])

    def _turning(self, rest: list[Piece]) -> list[Piece]:
        """The pieces that are gone through in turns, so that what is left is small enough."""

        def preference(piece: Piece) -> tuple[int, int]:
            slots = sum(place.axis == "R" for place in piece[1:])
            lanes = sum(place.axis == "T" and place.stride < LANES for place in piece[1:])
            return lanes - slots, -piece.target.stride

        found: list[Piece] = []
        size = self.cell * prod(piece.size for piece in rest)
        for piece in sorted(rest, key=preference):
            if size <= LARGEST_SCRATCH:
                break
            found.append(piece)
            size //= piece.size
        return found

    def _widen(self, rest: Sequence[Piece]) -> None:
        """Packets below a word are put together to words on one side, where the other takes them one by one."""
        room = (WORD // self.cell).bit_length() - 1 if self.cell < WORD else 0
        for side in ("source", "target"):
            slots = [each for each in rest if each.size == 2 and getattr(each, side).axis == "R"]
            slots = sorted(slots, key=lambda each: getattr(each, side).stride)[:room]
            if len(slots) > len(self.wider):
                self.wider, self.widened = slots, side

    def _lay(self, rest: list[Piece]) -> None:
        """The strides of the pieces in bytes, and the swizzle."""
        single = [each for each in rest if each.size == 2]
        written = self._together(single, "source")
        read = self._together(single, "target")
        both = [each for each in written if each in read]
        reached = (self.cell << len(self.wider)).bit_length() - 1
        # Lanes that share a word do not collide.
        inside = [*both, *written, *read, *single]
        low = list(dict.fromkeys(inside))[: max(0, (WORD.bit_length() - 1) - reached)]
        both, written, read = ([each for each in some if each not in low] for some in (both, written, read))
        one = [each for each in written if each not in both]
        other = [each for each in read if each not in both]
        pairs = list(zip(one, other, strict=False))
        banks = [*both, *(first for first, _ in pairs), *one[len(pairs) :], *other[len(pairs) :]]
        rows = [second for _, second in pairs]
        free = [each for each in single if each not in (*low, *banks, *rows)]
        room = max(0, ROW.bit_length() - 1 - reached - len(low) - len(banks))
        order = [*self.wider, *low, *banks, *free[:room], *rows, *free[room:]]
        order += [each for each in rest if each.size != 2]
        self.weights: dict[Piece, int] = {}
        size = self.cell
        for piece in order:
            self.weights[piece] = size
            size *= piece.size
        self.size = size
        masks: dict[int, int] = {}
        for first, second in pairs:
            shift = (self.weights[second] // self.weights[first]).bit_length() - 1
            masks[shift] = masks.get(shift, 0) | self.weights[first]
        self.swizzle = tuple(sorted(masks.items()))
        self.flipped = sum(mask | mask << shift for shift, mask in self.swizzle)

    def _together(self, single: Sequence[Piece], side: str) -> list[Piece]:
        """The pieces on which the lanes of one request lie, lowest lane first."""
        lanes = min(LANES, ROW // self._bytes(side))
        found = [each for each in single if lane_bit(getattr(each, side)) is not None]
        return sorted(
            (each for each in found if getattr(each, side).stride < lanes), key=lambda each: getattr(each, side).stride
        )

    def _bytes(self, side: str) -> int:
        return self.cell << len(self.wider) if side == self.widened else self.cell

    def exchange(self) -> ScratchExchange:
        """The plan, turn by turn."""
        copies = tuple((digit.stride, digit.size, 0) for digit in self.source.rep)
        turns = [
            Turn(self._side("source", values, copies), self._side("target", values, ()))
            for values in product(*(range(piece.size) for piece in self.turning))
        ]
        return ScratchExchange(turns=tuple(turns), scratch_bytes=self.size)

    def _side(self, name: str, values: Sequence[int], only: tuple[tuple[int, int, int], ...]) -> Side:
        packet = [*(self.wider if name == self.widened else ()), *reversed(self.packet)]
        # The order of memory: what lies furthest apart first.
        packet.sort(key=lambda piece: -self.weights.get(piece, 0))
        lying = [
            Lying(piece.size, getattr(piece, name), weight)
            for piece, weight in self.weights.items()
            if piece not in packet
        ]
        start = 0
        for piece, value in zip(self.turning, values, strict=True):
            place = getattr(piece, name)
            if place.axis == "R":
                start += value * place.stride
            else:
                only = (*only, (place.stride, piece.size, value))
        inside = offsets((piece.size, getattr(piece, name).stride) for piece in packet)
        return scratch.side(self.dtype, lying, inside, start, self._bytes(name), only, self.swizzle, self.flipped)


def _by_rows(dtype: DType, source: Layout, target: Layout) -> ScratchExchange:
    """Each element by itself, in rows that are padded where that spares conflicts."""
    cell = bytes_for(held_bits(dtype))
    best: tuple[int, ScratchExchange] | None = None
    ranks = list(range(source.rank))
    for order in (ranks, ranks[::-1]):
        for padding in (0, max(WORD, cell)):
            exchange = _padded(dtype, source, target, order, cell, padding)
            turn = exchange.turns[0]
            passes = turn.write.passes(source.threads).actual + turn.read.passes(target.threads).actual
            if best is None or passes < best[0]:
                best = passes, exchange
    assert best is not None
    return best[1]


def _padded(
    dtype: DType, source: Layout, target: Layout, order: Sequence[int], cell: int, padding: int
) -> ScratchExchange:
    strides = [0] * source.rank
    size = cell
    for number, dim in enumerate(reversed(order)):
        strides[dim] = size
        size = size * source.shape[dim] + (padding if number == 0 else 0)
    sides = []
    for layout, copies in ((source, source.rep), (target, ())):
        lying = []
        for digits, unit in zip(layout.dims, strides, strict=True):
            for digit in reversed(digits):
                lying.append(Lying(digit.size, Place(digit.axis, digit.stride), unit))
                unit *= digit.size
        only = tuple((digit.stride, digit.size, 0) for digit in copies)
        sides.append(scratch.side(dtype, lying, (0,), 0, cell, only))
    write, read = sides
    spans = windows(size)
    if len(spans) == 1:
        return ScratchExchange(turns=(Turn(write, read),), scratch_bytes=size)
    return ScratchExchange(turns=tuple(Turn(write, read, span) for span in spans), scratch_bytes=LARGEST_SCRATCH)
