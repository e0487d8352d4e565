"""Mathematical functions of scalars and tiles, element by element, written as calls.

Unless a function says otherwise its operands are floats of one format (f16, bf16, f32 or f64), which is the format of
the result. f16 and bf16 are computed in f32, then rounded once. ``sqrt``, ``fma``, ``floor``, ``ceil``, ``round`` and
``abs`` are exact or correctly rounded; the others are within 4 units in the last place of f32 (of f64 for f64), which
is what the CUDA math library promises for most of them, so that backends agree to that and not to the bit. NaN gives
NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm import numerics
from tilevm.dtypes import F64
from tilevm.instruction import FLOAT, NUMBER, instruction, operand
from tilevm.instructions.elementwise import Elementwise, Rounded
from tilevm.machine import Array, Batch
from tilevm.values import Operand

__all__ = [
    "AbsoluteValue",
    "BaseTwoExponential",
    "BaseTwoLogarithm",
    "Ceiling",
    "Cosine",
    "ErrorFunction",
    "Exponential",
    "Floor",
    "FusedMultiplyAdd",
    "HyperbolicTangent",
    "Logarithm",
    "ReciprocalSquareRoot",
    "Round",
    "Sine",
    "SquareRoot",
]


@instruction("abs")
class AbsoluteValue(Elementwise):
    """``abs(x)``: the magnitude, in any number format with arithmetic. Exact; clears the sign of a float, also of NaN.

    Integers wrap: the least integer of a signed format is its own magnitude. Reference: PTX ``abs``.
    """

    x: Operand = operand(NUMBER)
    function: ClassVar[Callable[..., Array]] = np.absolute


@dataclass(frozen=True)
class _Function(Rounded):
    x: Operand = operand(FLOAT)


@instruction("exp")
class Exponential(_Function):
    """``exp(x)``: e to the power x. ``exp(-inf)`` is 0; too large a result is infinite. Reference: C ``exp``."""

    function: ClassVar[Callable[..., Array]] = np.exp


@instruction("exp2")
class BaseTwoExponential(_Function):
    """``exp2(x)``: 2 to the power x; in f16, bf16 and f32 exact where x is an integer. Reference: C ``exp2``."""

    @staticmethod
    def function(x: Array) -> Array:
        # NumPy's float32 exp2 misses some powers of two by a unit in the last place.
        return np.exp2(x, dtype=np.float64).astype(x.dtype, copy=False)


@instruction("log")
class Logarithm(_Function):
    """``log(x)``: the natural logarithm; minus infinity for 0 and -0.0, NaN for a negative x. Reference: C ``log``."""

    function: ClassVar[Callable[..., Array]] = np.log


@instruction("log2")
class BaseTwoLogarithm(_Function):
    """``log2(x)``: the logarithm to base 2; minus infinity for 0 and -0.0, NaN for a negative x.

    Reference: C ``log2``.
    """

    function: ClassVar[Callable[..., Array]] = np.log2


@instruction("sqrt")
class SquareRoot(_Function):
    """``sqrt(x)``: the square root, correctly rounded; -0.0 for -0.0, NaN for a negative x.

    Reference: PTX ``sqrt.rn``.
    """

    function: ClassVar[Callable[..., Array]] = np.sqrt


@instruction("rsqrt")
class ReciprocalSquareRoot(_Function):
    """``rsqrt(x)``: 1 / sqrt(x), within 2 units in the last place; infinite for 0, minus infinity for -0.0, NaN for a
    negative x. Reference: CUDA ``rsqrt``."""

    @staticmethod
    def function(x: Array) -> Array:
        root: Array = np.sqrt(x)
        return np.divide(1, root, out=root)


@instruction("sin")
class Sine(_Function):
    """``sin(x)``: the sine of x radians, reduced exactly for large x; NaN for an infinity. Reference: C ``sin``."""

    function: ClassVar[Callable[..., Array]] = np.sin


@instruction("cos")
class Cosine(_Function):
    """``cos(x)``: the cosine of x radians, reduced exactly for large x; NaN for an infinity. Reference: C ``cos``."""

    function: ClassVar[Callable[..., Array]] = np.cos


@instruction("tanh")
class HyperbolicTangent(_Function):
    """``tanh(x)``: the hyperbolic tangent; 1 or -1 for an infinity, -0.0 for -0.0. Reference: C ``tanh``."""

    function: ClassVar[Callable[..., Array]] = np.tanh


@instruction("erf")
class ErrorFunction(_Function):
    """``erf(x)``: the error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x, within 2 units in the
    last place; 1 or -1 for an infinity. GELU is ``0.5 * x * (1 + erf(x * 0.70710678))``. Reference: C ``erf``."""

    @staticmethod
    def function(x: Array) -> Array:
        if x.dtype == np.float64:
            return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), np.float64)
        return numerics.erf(x)


@dataclass(frozen=True)
class _ToInteger(Elementwise):
    x: Operand = operand(FLOAT)


@instruction("floor")
class Floor(_ToInteger):
    """``floor(x)``: the greatest integer that is not above x, as a float. Exact; keeps the sign of a zero, infinities
    and NaN. Reference: PTX ``cvt.rmi``."""

    function: ClassVar[Callable[..., Array]] = np.floor


@instruction("ceil")
class Ceiling(_ToInteger):
    """``ceil(x)``: the least integer that is not below x, as a float; ``ceil(-0.5)`` is -0.0. Exact. Reference: PTX
    ``cvt.rpi``."""

    function: ClassVar[Callable[..., Array]] = np.ceil


@instruction("round")
class Round(_ToInteger):
    """``round(x)``: the nearest integer as a float, the even one where two are as near: ``round(2.5)`` is 2. Exact;
    keeps the sign of a zero. Reference: PTX ``cvt.rni``, Python ``round``."""

    function: ClassVar[Callable[..., Array]] = np.rint


@instruction("fma")
class FusedMultiplyAdd(Elementwise):
    """``fma(a, b, c)``: ``a * b + c`` of floats of one format, rounded once, to nearest even.

    Shapes broadcast. ``inf * 0`` and ``inf - inf`` give NaN. An exact sum of zero is +0.0 unless both terms are -0.0.
    Reference: PTX ``fma.rn``, IEEE 754 fusedMultiplyAdd.
    """

    a: Operand = operand(FLOAT, group="numbers")
    b: Operand = operand(FLOAT, group="numbers")
    c: Operand = operand(FLOAT, group="numbers")

    def evaluate(self, batch: Batch) -> Array:
        a, b, c = batch.aligned(self.a, self.b, self.c)
        dtype = self.a.dtype
        with np.errstate(all="ignore"):
            if dtype is F64:
                return numerics.fused_multiply_add(a, b, c)
            return dtype.to_values(dtype.encode(numerics.multiply_add_for_rounding(a, b, c, dtype.mantissa + 1)))
