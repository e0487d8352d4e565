"""Scalar arguments as a compiled kernel takes them.

f32 f64                       float, double
i32 u32 i64 u64               themselves
u1                            bool
any narrower format           its code, in the low bits of 32
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from tilevm.dtypes import DType
from tilevm.runtime.arguments import check_scalar

__all__ = ["packer", "scalar_code"]

OWN = {"f32": "f", "f64": "d", "i32": "i", "u32": "I", "i64": "q", "u64": "Q", "u1": "?", "f16": "e"}
"""The formats that ``struct`` packs, by its letters. It rounds a float to the nearest, a tie to even."""


def scalar_code(dtype: DType, number: int | float | bool) -> np.generic:
    """A number, already checked, as the C argument: a NumPy scalar of the type that the kernel declares.

    >>> from tilevm.dtypes import F16
    >>> scalar_code(F16, 1.0), scalar_code(F16, 1.0).dtype.name
    (np.uint32(15360), 'uint32')
    """
    letter = OWN.get(dtype.name)
    if letter is not None and letter != "e":
        made: np.generic = np.dtype(letter).type(number)
        return made
    code = int(np.asarray(dtype.encode(np.asarray([number])))[0])
    return np.uint32(code & (1 << dtype.bits) - 1)


def packer(dtype: DType) -> tuple[str, Callable[[int | float | bool], int | float | bool] | None]:
    """How ``struct`` writes a scalar into eight bytes, in little-endian order (``<``), and what makes its argument of a
    number, None where nothing needs to be made.

    A number that the format does not hold is ``OverflowError``, ``struct.error`` or ``ArgumentError``.

    >>> from tilevm.dtypes import F32, dtype
    >>> form, convert = packer(F32)
    >>> struct.pack("<" + form, 1.0).hex(), convert
    ('0000803f00000000', None)
    >>> form, convert = packer(dtype("bf16"))
    >>> struct.pack("<" + form, convert(1.0)).hex()
    '803f000000000000'
    """
    letter = OWN.get(dtype.name)
    if letter == "?":  # of which struct takes any number
        return "?7x", lambda number: check_scalar("", dtype, number)
    if letter is None:
        return "I4x", lambda number: int(scalar_code(dtype, check_scalar("", dtype, number)))
    return f"{letter}{8 - struct.calcsize('<' + letter)}x", None
