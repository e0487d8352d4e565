"""The smaller, the larger, the one of two: ``minimum maximum clamp where select``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tilevm.arch import Arch
from tilevm.errors import ProgramError
from tilevm.instruction import ANY, NUMBER, TRUTH, Instruction, instruction, operand
from tilevm.instructions.elementwise import Elementwise, aligned, broadcast_shapes, broadcast_type, elementwise_layouts
from tilevm.layout_relation import Relation
from tilevm.machine import Array, Batch
from tilevm.numerics import quiet
from tilevm.values import Operand, Type

__all__ = ["Clamp", "Maximum", "Minimum", "Select", "Where", "in_one_form", "maximum", "minimum"]


def minimum(a: Array, b: Array) -> Array:
    """The smaller of two arrays of numbers in a carrier, NaN and zeros as the instruction ``minimum`` has them."""
    if a.dtype.kind != "f":
        return np.minimum(a, b)
    smaller: Array = np.fmin(quiet(a), quiet(b))
    # NumPy leaves open which of 0.0 and -0.0 is taken; a sum of zeros is -0.0 only where both are.
    zeros = (a == b) & (smaller == 0)
    if zeros.any():
        np.negative(np.negative(a) + np.negative(b), out=smaller, where=zeros)
    return smaller


def maximum(a: Array, b: Array) -> Array:
    """The larger of two arrays of numbers in a carrier, NaN and zeros as the instruction ``maximum`` has them."""
    if a.dtype.kind != "f":
        return np.maximum(a, b)
    larger: Array = np.fmax(quiet(a), quiet(b))
    zeros = (a == b) & (larger == 0)
    if zeros.any():
        np.add(a, b, out=larger, where=zeros)
    return larger


@dataclass(frozen=True)
class _Extremum(Elementwise):
    a: Operand = operand(NUMBER, group="numbers")
    b: Operand = operand(NUMBER, group="numbers")


@instruction("minimum")
class Minimum(_Extremum):
    """``minimum(a, b)``: the smaller of two numbers of one format; shapes broadcast. Exact.

    Where one of two floats is NaN the result is the other one, and NaN only where both are; -0.0 is below 0.0.
    Reference: PTX ``min``, IEEE 754-2008 minNum. (NumPy's ``minimum`` gives NaN where one is NaN.)
    """

    function = staticmethod(minimum)


@instruction("maximum")
class Maximum(_Extremum):
    """``maximum(a, b)``: the larger of two numbers of one format; shapes broadcast. Exact.

    Where one of two floats is NaN the result is the other one, and NaN only where both are; -0.0 is below 0.0.
    Reference: PTX ``max``, IEEE 754-2008 maxNum. (NumPy's ``maximum`` gives NaN where one is NaN.)
    """

    function = staticmethod(maximum)


@instruction("clamp")
class Clamp(Elementwise):
    """``clamp(x, low, high)``: ``minimum(maximum(x, low), high)``: x, or the bound that it is beyond; shapes
    broadcast. Exact.

    Where x is NaN the result is ``low``; a bound that is NaN does not bound; where ``low`` is above ``high`` the
    result is ``high``. Reference: PTX ``max`` and ``min``.
    """

    x: Operand = operand(NUMBER, group="numbers")
    low: Operand = operand(NUMBER, group="numbers")
    high: Operand = operand(NUMBER, group="numbers")

    @staticmethod
    def function(x: Array, low: Array, high: Array) -> Array:
        return minimum(maximum(x, low), high)


def in_one_form(batch: Batch, *operands: Operand) -> tuple[Array, ...]:
    """Operands of one format, all as values or all as codes: as they are held, where they are held alike."""
    held = tuple(batch.raw(each) for each in operands)
    if all(array.dtype == held[0].dtype for array in held):
        return held
    return tuple((batch.values if each.dtype.carrier is not None else batch.codes)(each) for each in operands)


@instruction("where")
class Where(Instruction):
    """``where(condition, a, b)``: element by element ``a`` where the ``u1`` condition is true, else ``b``.

    ``a`` and ``b`` have one format, any, also those in which nothing is computed; the three shapes broadcast. Both
    sides have been computed. Bits are kept as they are. Reference: PTX ``selp``.
    """

    condition: Operand = operand(TRUTH)
    a: Operand = operand(ANY, group="elements")
    b: Operand = operand(ANY, group="elements")

    def infer(self) -> Type:
        return broadcast_type(self.spelling, self.a.dtype, condition=self.condition, a=self.a, b=self.b)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        shape = broadcast_shapes(self.spelling, condition=self.condition.shape, a=self.a.shape, b=self.b.shape)
        return elementwise_layouts(self, shape)

    def evaluate(self, batch: Batch) -> Array:
        arrays = (batch.values(self.condition), *in_one_form(batch, self.a, self.b))
        ranks = tuple(len(each.shape) for each in (self.condition, self.a, self.b))
        return np.where(*aligned(arrays, ranks))


@instruction("select")
class Select(Instruction):
    """``select(condition, a, b)``: all of ``a`` where the ``u1`` scalar condition is true, else all of ``b``.

    ``a`` and ``b`` are of one format, any, and of one shape, which is the result's: nothing broadcasts. Both have been
    computed; ``if`` computes one only. Raises ``ProgramError`` T022 where the shapes differ.
    """

    condition: Operand = operand(TRUTH, form="scalar")
    a: Operand = operand(ANY, group="elements")
    b: Operand = operand(ANY, group="elements")

    def infer(self) -> Type:
        if self.a.shape != self.b.shape:
            raise ProgramError(
                "T022",
                f"`select` chooses between tiles of one shape, not {list(self.a.shape)} and {list(self.b.shape)}",
                argument="b",
                help="`where` broadcasts its operands",
            )
        return broadcast_type(self.spelling, self.a.dtype, a=self.a, b=self.b)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return elementwise_layouts(self, self.a.shape)

    def evaluate(self, batch: Batch) -> Array:
        condition = batch.values(self.condition)
        if (condition == condition[0]).all():
            return batch.raw(self.a if condition[0] else self.b)
        a, b = in_one_form(batch, self.a, self.b)
        return np.where(condition.reshape(-1, *(1,) * (a.ndim - 1)), a, b)
