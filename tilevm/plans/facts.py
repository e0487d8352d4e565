"""What a plan may take for granted, and what it could if more were known.

``Facts`` answers how sizes, offsets and addresses divide, as ``Planning`` knows it. To say what would help, a plan is
made again with *supposed* facts: "if K divided by 8". What is supposed is a number that divides a size, an offset or
the address of a tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd

from tilevm.multiples import Known, apply, exactly
from tilevm.plan import Planning
from tilevm.sizes import Size, Symbol
from tilevm.values import Operand, SharedType, TensorType, Value, Window

__all__ = ["Facts", "Supposed"]

Supposed = Mapping["Symbol | Value", int]
"""What is supposed to divide a size, an offset (a scalar value), or the address of a tensor in bytes."""

FAR = 2**33 + 1
"""A stride that is only known when the kernel runs is stood for by what surely divides it, this odd number of times:
far away, and dividing by nothing more."""


@dataclass(frozen=True)
class Facts:
    """What is known, and what is supposed besides."""

    planning: Planning
    supposed: Supposed = field(default_factory=dict)

    def size(self, size: Size) -> Known:
        """What is known of a size or an expression of sizes."""
        if isinstance(size, int):
            return exactly(size)
        known = self.planning.known_size(size)
        if isinstance(size, Symbol):
            return known.and_also(Known(self.supposed.get(size, 1)))
        return apply(size.operator, *map(self.size, size.operands)).and_also(known) if self.supposed else known

    def divisor(self, operand: Operand) -> int:
        """What surely divides an offset; 0 of what is surely 0."""
        known = self.planning.known(operand)
        if isinstance(operand, Value):
            known = known.and_also(Known(self.supposed.get(operand, 1)))
        return known.divisor

    def alignment(self, memory: Value) -> int:
        """Bytes that surely divide the address at which a tensor or a shared tile begins."""
        known = self.planning.alignment(memory)
        other = self.supposed.get(memory, 1)
        return known * other // gcd(known, other)

    def stride(self, stride: Size) -> int:
        """A stride as a number that divides as the stride surely does: the stride itself where it is known."""
        known = self.size(stride)
        return known.value if known.value is not None else known.divisor * FAR

    def checked(self, window: Window, dim: int) -> bool:
        """Whether elements along a dimension of a window must be compared with the extent of the tensor."""
        return isinstance(window.base.type, TensorType) and not self.planning.inside(window, dim)

    def guard(self, window: Window, dim: int) -> int:
        """What divides both the extent of the tensor and the offset of the window along a dimension."""
        kind = window.base.type
        assert isinstance(kind, TensorType | SharedType)
        return gcd(self.size(kind.shape[dim]).divisor, self.divisor(window.offsets[dim]))
