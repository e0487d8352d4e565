"""Bounds checks that are not needed: windows that surely lie within their tensor.

A window of ``e`` elements from ``o`` is inside a dimension of ``S`` elements if 0 <= o and o + e <= S. Numbers show it
where both are known. Else it follows from an order and a divisor: a loop's index is below its stop, ``block_index(0) *
16`` is below ``M`` in a grid of ``cdiv(M, 16)`` blocks, and if o < S and ``g`` divides both, then o <= S - g. So a size
that is a multiple of the tile needs no check, and one that is not needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

from tilevm.instruction import Instruction
from tilevm.ir import For, Let, Program, walk
from tilevm.passes.divisibility import Divisibility
from tilevm.sizes import OPERATORS, Operation, Size, Symbol, operation
from tilevm.values import Literal, Operand, SharedType, TensorType, Value, Window

__all__ = ["Bounds"]

DEPTH = 8
"""How far the making of a scalar is followed."""


class Bounds:
    """What windows of one program lie inside."""

    def __init__(self, program: Program, known: Divisibility) -> None:
        self.program = program
        self.known = known
        self.made: dict[Value, Instruction] = {}
        self.loops: dict[Value, For] = {}
        self.symbols = {value: Symbol(value.name) for value in program.sizes}
        for statement in walk(program.body):
            if isinstance(statement, Let) and statement.result is not None:
                self.made[statement.result] = statement.instruction
            elif isinstance(statement, For):
                self.loops[statement.index] = statement

    def inside(self, window: Window, dim: int) -> bool:
        """Whether a window surely lies within its memory along a dimension; in shared memory it has to."""
        kind = window.base.type
        if isinstance(kind, SharedType):
            return True
        assert isinstance(kind, TensorType)
        offset, size, extent = window.offsets[dim], kind.shape[dim], window.extents[dim] or 1
        held, length = self.known.of(offset), self.known.of_size(size)
        if held.low is None or held.low < 0:
            return False
        if held.high is not None and length.low is not None and held.high + extent <= length.low:
            return True
        return extent <= gcd(held.divisor, length.divisor) and self._below(offset, size)

    def _below(self, operand: Operand, size: Size) -> bool:
        return any(self._same(bound, size) for bound in self._bounds(operand, DEPTH))

    def _same(self, bound: Size, size: Size) -> bool:
        if bound == size:
            return True
        rounded = [each for each in (bound, size) if isinstance(each, Operation) and each.operator in ("//", "cdiv")]
        if len(rounded) == 2 and rounded[0].operands == rounded[1].operands:
            whole, part = rounded[0].operands
            return isinstance(part, int) and part > 0 and self.known.of_size(whole).divides_by(part)
        return False

    def _bounds(self, operand: Operand, depth: int) -> Iterator[Size]:
        """Sizes that the operand is surely below."""
        if not isinstance(operand, Value) or depth == 0:
            return
        if operand in self.loops:
            loop = self.loops[operand]
            step = self.known.of(loop.step)
            stop = self._as_size(loop.stop, DEPTH)
            if stop is not None and step.low is not None and step.low > 0:
                yield stop
            return
        instruction = self.made.get(operand)
        if instruction is None:
            return
        if instruction.grid_axis is not None and instruction.grid_axis < len(self.program.grid):
            yield self.program.grid[instruction.grid_axis]
        operands = tuple(instruction.operands())
        if len(operands) != 2 or not isinstance(operands[1], Literal) or int(operands[1].value) <= 0:
            return
        factor = int(operands[1].value)
        for bound in self._bounds(operands[0], depth - 1):
            if instruction.spelling == "*":
                # x < ceil(S / f) or x < floor(S / f) gives x * f < S.
                if isinstance(bound, Operation) and bound.operator in ("cdiv", "//") and bound.operands[1] == factor:
                    yield bound.operands[0]
                yield operation("*", bound, factor)
            elif instruction.spelling == "//":
                yield operation("cdiv", bound, factor)

    def _as_size(self, operand: Operand, depth: int) -> Size | None:
        """An operand that is made of sizes and literals, as a size."""
        if isinstance(operand, Literal):
            return int(operand.value)
        if operand in self.symbols:
            return self.symbols[operand]
        instruction = self.made.get(operand)
        if instruction is None or instruction.spelling not in OPERATORS or depth == 0:
            return None
        parts = [self._as_size(each, depth - 1) for each in instruction.operands()]
        return None if None in parts else operation(instruction.spelling, *(each for each in parts if each is not None))
