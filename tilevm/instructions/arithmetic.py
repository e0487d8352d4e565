"""Arithmetic on scalars and tiles, element by element, written as operators.

The operands of an operator have one number format, which is the format of the result; their shapes broadcast as
NumPy's do. Integers wrap modulo 2^bits, as the machine's registers do. A float result is the exact one rounded once
to the format, to nearest even, as IEEE 754 has it: f16 and bf16 keep their subnormal numbers, too large a result is
an infinity, and an invalid operation gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm.instruction import FLOAT, INTEGER, NUMBER, instruction, operand
from tilevm.instructions.elementwise import Elementwise, Rounded, any_in_block
from tilevm.machine import Array, Batch
from tilevm.values import Operand

__all__ = [
    "Add",
    "CeilingDivide",
    "Divide",
    "FloorDivide",
    "Multiply",
    "Negative",
    "Power",
    "Remainder",
    "Subtract",
]


@dataclass(frozen=True)
class _Binary(Rounded):
    a: Operand = operand(NUMBER, group="numbers")
    b: Operand = operand(NUMBER, group="numbers")


@instruction("add", operator="+")
class Add(_Binary):
    """``a + b``: the sum, in any number format with arithmetic. Integers wrap. Reference: PTX ``add``."""

    function: ClassVar[Callable[..., Array]] = np.add


@instruction("subtract", operator="-")
class Subtract(_Binary):
    """``a - b``: the difference, in any number format with arithmetic. Integers wrap. Reference: PTX ``sub``."""

    function: ClassVar[Callable[..., Array]] = np.subtract


@instruction("multiply", operator="*")
class Multiply(_Binary):
    """``a * b``: the product, in any number format with arithmetic. Integers wrap. Reference: PTX ``mul``, for integers
    ``mul.lo``."""

    function: ClassVar[Callable[..., Array]] = np.multiply


@instruction("divide", operator="/")
class Divide(Rounded):
    """``a / b``: the quotient of floats, rounded once. ``x / 0`` is an infinity with the sign of both, ``0 / 0`` NaN.

    Integers are divided by ``//``. Reference: PTX ``div.rn``.
    """

    a: Operand = operand(FLOAT, group="numbers")
    b: Operand = operand(FLOAT, group="numbers")
    function: ClassVar[Callable[..., Array]] = np.divide


@dataclass(frozen=True)
class _IntegerDivision(Rounded):
    """Notes integer divisions by zero in debug mode."""

    a: Operand = operand(NUMBER, group="numbers")
    b: Operand = operand(NUMBER, group="numbers")

    def evaluate(self, batch: Batch) -> Array:
        if self.b.dtype.kind != "float":
            divides_by_zero = any_in_block(batch.values(self.b) == 0)
            batch.note("R010", f"`{self.spelling}` divides an integer by zero, which gives 0", divides_by_zero)
        return super().evaluate(batch)


@instruction("floor_divide", operator="//")
class FloorDivide(_IntegerDivision):
    """``a // b``: the quotient rounded down, toward minus infinity, as Python's: ``-7 // 2`` is -4.

    An integer divided by zero gives 0 and the finding R010 in debug mode; the least integer divided by -1 wraps to
    itself. Floats follow Python's ``//`` in the carrier and are rounded to the format; division by zero gives what
    ``/`` gives, and NaN where the dividend is infinite. C's ``/`` rounds toward zero instead.
    """

    function: ClassVar[Callable[..., Array]] = np.floor_divide


@instruction("remainder", operator="%")
class Remainder(_IntegerDivision):
    """``a % b``: what the division ``//`` leaves, with the sign of ``b``, as Python's: ``-7 % 2`` is 1.

    For integers ``a == b * (a // b) + a % b`` unless ``b`` is 0, which gives 0 and the finding R010 in debug mode.
    For floats ``x % 0`` is NaN, and ``x % inf`` is ``x`` where the signs agree, else the infinity. C's ``%`` and
    ``fmod`` have the sign of ``a`` instead.
    """

    function: ClassVar[Callable[..., Array]] = np.remainder


@instruction("cdiv")
class CeilingDivide(_IntegerDivision):
    """``cdiv(a, b)``: the quotient of integers rounded up, toward plus infinity: how many pieces of ``b`` cover ``a``.

    A division by zero gives 0 and the finding R010 in debug mode; the least integer divided by -1 wraps to itself.
    """

    a: Operand = operand(INTEGER, group="numbers")
    b: Operand = operand(INTEGER, group="numbers")

    @staticmethod
    def function(a: Array, b: Array) -> Array:
        quotient, rest = np.divmod(a, b)
        return quotient + (rest != 0)  # type: ignore[no-any-return]


@instruction("power", operator="**")
class Power(Rounded):
    """``a ** b``: powers of floats, as C's ``pow``: ``x ** 0`` is 1 even for NaN, a negative base with a fractional
    exponent gives NaN, ``0 ** -1`` is infinite.

    Computed in f32 (f64 for f64) within 4 units in the last place, then rounded to the format.
    """

    a: Operand = operand(FLOAT, group="numbers")
    b: Operand = operand(FLOAT, group="numbers")
    function: ClassVar[Callable[..., Array]] = np.power


@instruction("negative", operator="-")
class Negative(Elementwise):
    """``-x``: the number with the other sign, in any number format with arithmetic. Exact; -0.0 and NaN change their
    sign too. Integers wrap: the least integer is its own negative, and ``-x`` of an unsigned one is 2^bits - x.
    Reference: PTX ``neg``."""

    x: Operand = operand(NUMBER)
    function: ClassVar[Callable[..., Array]] = np.negative
