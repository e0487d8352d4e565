"""What a template has to know of a number format: the constants that its codec in C++ is made of.

Integers and floats are described by the fields of their ``DType``. A codebook is described by words: its values as f32
by code, its values as f64 in ascending order with their codes, and, for each rounding, the first number that goes to
the upper one of two neighbours.

>>> pairwise(F32, F16, "nearest_even", False), pairwise(F32, F16, "up", False)
(True, False)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tilevm.arch import Arch
from tilevm.codec_exact import first_numbers
from tilevm.codegen.emission import Held
from tilevm.dtypes import BF16, F16, F32, DType
from tilevm.synthesis.cast import Part, tile_parts
from tilevm.synthesis.conversions import HARDWARE
from tilevm.values import Literal, Operand

__all__ = ["CodebookWords", "codebook_words", "first_words", "held_parts", "largest_zero", "narrowing", "pairwise"]

ROUNDED_TO_INTEGERS = ("nearest_even", "toward_zero", "up", "down")
"""Roundings with which the hardware makes integers of floats."""


@dataclass(frozen=True)
class CodebookWords:
    """A codebook as the bits of numbers."""

    zero: int
    """The code of the value that is nearest to 0, which NaN goes to."""
    values: tuple[int, ...]
    """The values as f32, by code."""
    codes: tuple[int, ...]
    """The codes in ascending order of their values."""
    ordered: tuple[int, ...]
    """The values as f64, in that order."""


def codebook_words(dtype: DType) -> CodebookWords:
    """The words of a codebook.

    >>> from tilevm.dtypes import dtype
    >>> codebook_words(dtype("trit")).codes, [hex(word) for word in codebook_words(dtype("trit")).values]
    ((2, 0, 1), ['0x0', '0x3f800000', '0xbf800000'])
    """
    table = np.array(dtype.table)
    order = np.argsort(table)
    return CodebookWords(
        int(np.argmin(np.abs(table))), _words32(table), tuple(order.tolist()), _words64(np.sort(table))
    )


def first_words(target: DType, rounding: str, source: DType) -> tuple[int, ...]:
    """For each two neighbours of a codebook, ascending, the bits of the first number that goes to the upper one.

    The number is in f64 where the source is a 64-bit float or an integer of more than 16 bits, else in f32.

    >>> from tilevm.dtypes import F32, dtype
    >>> np.array(first_words(dtype("trit"), "nearest_even", F32), np.uint32).view(np.float32).tolist()
    [-0.4999999701976776, 0.5000000596046448]
    """
    firsts = first_numbers(target, rounding)
    if source.bits == 64 or (source.kind in ("int", "uint") and source.bits > 16):
        return _words64(firsts)
    near = firsts.astype(np.float32)
    return _words32(np.where(near < firsts, np.nextafter(near, np.float32(np.inf)), near))


def pairwise(source: DType, target: DType, rounding: str, saturate: bool) -> bool:
    """Whether one instruction rounds two elements of a tile into the two halves of a word: f32 to f16 and bf16."""
    return source is F32 and target in (F16, BF16) and rounding == "nearest_even" and not saturate


def held_parts(
    result: Held, codes: Held, slots: tuple[int, ...], rounding: str, saturate: bool, arch: Arch, zero: int = 0
) -> tuple[Part, ...]:
    """The steps that cast the tile of a thread as a whole, less integer zero points of at most ``zero``.

    None where it is cast one by one. ``slots`` are, for those of the result, the slots of the codes.
    """
    if result.scalar or codes.scalar or not codes.storage.packed or codes.slots != result.slots:
        return ()
    return tile_parts(codes.dtype, result.dtype, slots, rounding, saturate, arch, zero)


def largest_zero(zero: Operand | None) -> int:
    """The largest magnitude that an operand can have whose numbers are integers; 0 where there is none, or it may have
    others.

    >>> from tilevm.dtypes import dtype
    >>> largest_zero(Literal(8.0, F16)), largest_zero(Literal(0.5, F16)), largest_zero(None)
    (8, 0, 0)
    """
    if zero is None:
        return 0
    if isinstance(zero, Literal):
        return abs(int(zero.value)) if float(zero.value).is_integer() else 0
    kind = zero.dtype
    return {"uint": (1 << kind.bits) - 1, "int": 1 << kind.bits - 1}.get(kind.kind, 0)


def narrowing(source: DType, target: DType, rounding: str, saturate: bool, arch: Arch) -> str:
    """What of the library casts a tile two numbers at once: ``pairs`` (to f16 and bf16), ``integers``, ``floats``, or
    nothing, which is empty.

    >>> from tilevm.arch import arch
    >>> from tilevm.dtypes import dtype
    >>> [narrowing(F32, dtype("f8e4m3"), "nearest_even", True, arch(name)) for name in ("sm_80", "sm_89")]
    ['', 'floats']
    """
    if target in (F16, BF16) and source is not target and rounding == "nearest_even" and not saturate:
        return "pairs" if source is F32 or source.bits <= 16 else ""
    if source not in (F16, BF16, F32) or not saturate:
        return ""
    if target.kind in ("int", "uint") and target.bits in (2, 4, 8) and rounding in ROUNDED_TO_INTEGERS:
        return "integers"
    feature = HARDWARE[target.name][0] if target.kind == "float" and target.name in HARDWARE else None
    converted = feature is not None and target.specials != "scale" and arch.has(feature)
    return "floats" if converted and rounding == "nearest_even" else ""


def _words32(numbers: NDArray[np.floating]) -> tuple[int, ...]:
    return tuple(numbers.astype(np.float32).view(np.uint32).tolist())


def _words64(numbers: NDArray[np.floating]) -> tuple[int, ...]:
    return tuple(numbers.astype(np.float64).view(np.uint64).tolist())
