"""Comparisons of scalars and tiles, element by element: ``== != < <= > >=``.

The operands have one format, any in which arithmetic is done or ``u1``; their shapes broadcast as NumPy's do. The
result is ``u1``. A comparison with NaN is false, but ``!=`` is true; -0.0 equals 0.0. Integers compare by their
value, so that signed and unsigned ones of the same bits differ. Reference: PTX ``setp``, with ``neu`` for ``!=``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm.dtypes import U1
from tilevm.instruction import NUMBER, TRUTH, DTypeClass, instruction, operand
from tilevm.instructions.elementwise import Elementwise, broadcast_type
from tilevm.machine import Array
from tilevm.values import Operand, Type

__all__ = ["Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual"]

COMPARABLE = DTypeClass(
    "u1 or a number format with arithmetic", lambda dtype: TRUTH.accepts(dtype) or NUMBER.accepts(dtype)
)


@dataclass(frozen=True)
class _Comparison(Elementwise):
    a: Operand = operand(COMPARABLE, group="numbers")
    b: Operand = operand(COMPARABLE, group="numbers")

    def infer(self) -> Type:
        return broadcast_type(self.spelling, U1, a=self.a, b=self.b)


@instruction("equal", operator="==")
class Equal(_Comparison):
    """``a == b``: whether the two are the same number, as ``u1``. NaN equals nothing."""

    function: ClassVar[Callable[..., Array]] = np.equal


@instruction("not_equal", operator="!=")
class NotEqual(_Comparison):
    """``a != b``: the opposite of ``a == b``, as ``u1``; true where one of the two is NaN."""

    function: ClassVar[Callable[..., Array]] = np.not_equal


@instruction("less", operator="<")
class Less(_Comparison):
    """``a < b``, as ``u1``; false where one of the two is NaN."""

    function: ClassVar[Callable[..., Array]] = np.less


@instruction("less_equal", operator="<=")
class LessEqual(_Comparison):
    """``a <= b``, as ``u1``; false where one of the two is NaN."""

    function: ClassVar[Callable[..., Array]] = np.less_equal


@instruction("greater", operator=">")
class Greater(_Comparison):
    """``a > b``, as ``u1``; false where one of the two is NaN."""

    function: ClassVar[Callable[..., Array]] = np.greater


@instruction("greater_equal", operator=">=")
class GreaterEqual(_Comparison):
    """``a >= b``, as ``u1``; false where one of the two is NaN."""

    function: ClassVar[Callable[..., Array]] = np.greater_equal
