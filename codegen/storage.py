"""How the elements of a tile lie in C++ variables: decided by the number format alone.

Formats of 32 and 64 bits have a variable of their own type for each slot, and truth values are ``bool``. All others
are *packed*: the slots of a thread are one dense little-endian stream of 32-bit words, as in memory, so that a vector
load fills words, a matrix instruction takes them, and ``view`` costs nothing.

>>> from tilevm.dtypes import F16, F32, dtype
>>> storage(F16).array_length(6), storage(dtype("u3")).array_length(11), storage(F32).array_length(6)
(3, 2, 6)
>>> storage(F32).ctype, storage(F16).ctype, storage(F16).number
('float', 'tv::u32', 'float')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tilevm.dtypes import DType

__all__ = ["Storage", "storage"]

WORD_BITS = 32


@dataclass(frozen=True)
class Storage:
    """How elements of one format are held by a thread."""

    dtype: DType
    ctype: str
    """The C++ type of a scalar, and of the elements of the array of a tile."""
    packed: bool
    """Whether the array holds words of a bit stream, and a scalar the code of the number."""
    number: str
    """The C++ type that numbers of the format are computed in; empty where nothing is computed in it."""

    def registers(self, slots: Sequence[int]) -> tuple[int, ...]:
        """The places in the array of the registers that begin at these slots."""
        return tuple(slot * self.dtype.bits // WORD_BITS for slot in slots) if self.packed else tuple(slots)

    def array_length(self, slots: int) -> int:
        """How long the array of a tile with so many slots is."""
        return -(-slots * self.dtype.bits // WORD_BITS) if self.packed else slots


def storage(dtype: DType) -> Storage:
    """How a thread holds elements of a format."""
    if dtype.kind == "uint" and dtype.bits == 1:
        return Storage(dtype, "bool", False, "bool")
    if dtype.name == "tf32":  # an f32 number whose last 13 bits are 0, each in a register of its own
        return Storage(dtype, "tv::u32", False, "float")
    named = {"f32": "float", "f64": "double", "i32": "tv::s32", "u32": "tv::u32", "i64": "tv::s64", "u64": "tv::u64"}
    if dtype.name in named:
        return Storage(dtype, named[dtype.name], False, named[dtype.name])
    computed = {"float": "float", "int": "tv::s32", "uint": "tv::u32"}.get(dtype.kind, "") if dtype.arithmetic else ""
    return Storage(dtype, "tv::u32", True, computed)
