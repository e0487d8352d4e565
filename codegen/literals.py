"""Constants of a program as C++ constants, bit for bit.

>>> from tilevm.dtypes import BF16, F32, I32, U1, dtype
>>> literal(Literal(0.1, F32)), literal(Literal(float("inf"), F32)), literal(Literal(1.0, BF16))
('0.1f', 'tv::as_f32(0x7f800000u)', '0x3f80u')
>>> literal(Literal(-(2**31), I32)), literal(Literal(True, U1)), literal(Literal(-1, dtype("i4")))
('tv::s32(0x80000000u)', 'true', '0xfu')
"""

from __future__ import annotations

import math

import numpy as np

from tilevm.codegen.storage import storage
from tilevm.dtypes import DType
from tilevm.values import Literal

__all__ = ["code_of", "literal"]

LEAST_I32 = -(2**31)


def code_of(value: Literal) -> int:
    """The bits of a literal in its format, rounded to it as the interpreter does."""
    dtype = value.dtype
    if dtype.kind in ("int", "uint"):
        return int(value.value) & ((1 << dtype.bits) - 1)
    return int(dtype.encode(np.asarray([value.value], np.float64))[0])


def literal(value: Literal) -> str:
    """The literal as an expression of the type that holds a scalar of its format."""
    dtype, held = value.dtype, storage(value.dtype)
    if held.ctype == "bool":
        return "true" if value.value else "false"
    if held.packed or dtype.name == "tf32":
        return f"0x{code_of(value):x}u"
    return _number(value, dtype)


def _number(value: Literal, dtype: DType) -> str:
    if dtype.kind == "float":
        number = float(dtype.to_values(np.asarray([code_of(value)], dtype.storage))[0])
        if not math.isfinite(number) or (number == 0 and math.copysign(1, number) < 0):
            return f"tv::as_{dtype.name}(0x{code_of(value):x}{'u' if dtype.bits == 32 else 'ull'})"
        return f"{np.float32(number)!s}f" if dtype.bits == 32 else repr(number)
    number = int(value.value)
    if dtype.name == "i32":
        return str(number) if number != LEAST_I32 else "tv::s32(0x80000000u)"
    if dtype.name == "u32":
        return f"{number}u"
    return f"tv::{'s' if dtype.kind == 'int' else 'u'}64(0x{number & (2**64 - 1):x}ull)"
