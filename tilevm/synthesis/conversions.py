"""Casts by conversions of the hardware: of two narrow floats at once, between f16 and f32, and by a float between.

Numbers that f16 or bf16 has exactly come to f32 by one instruction each; the upper halves of two f32 numbers are two of
bf16, where it has them; and two f32 numbers are rounded to f16 by one instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from tilevm.dtypes import BF16, F16, DType
from tilevm.synthesis.source_words import Starts, Stream
from tilevm.synthesis.steps import Term

__all__ = ["converted_by_hardware", "exact", "in_f32", "rounded_halves", "upper_halves"]

Way = Callable[[Stream], tuple[Term, ...] | None]

HARDWARE = {
    "f8e4m3": ("cvt_fp8", F16, 8),
    "f8e5m2": ("cvt_fp8", F16, 8),
    "f6e2m3": ("cvt_fp6", F16, 8),
    "f6e3m2": ("cvt_fp6", F16, 8),
    "f4e2m1": ("cvt_fp4", F16, 4),
    "e8m0": ("cvt_ue8m0", BF16, 8),
}
"""For a format the feature that converts two at once, what to, and the bits that each lies in. PTX ISA, "cvt"."""


@lru_cache(maxsize=1024)
def exact(source: DType, target: DType) -> bool:
    """Whether the target has every number of the source, infinities and NaN, so that no rounding matters.

    >>> from tilevm.dtypes import dtype
    >>> exact(dtype("f8e4m3"), F16), exact(dtype("f8e6m1"), F16)
    (True, False)
    """
    numbers = source.decode(np.arange(len(source.table) or 1 << source.bits).astype(source.storage))
    with np.errstate(all="ignore"):
        back = target.decode(target.to_codes(target.encode(numbers, saturate=False)))
    return bool(np.array_equal(numbers, back, equal_nan=True))


def converted_by_hardware(source: DType, target: DType, starts: Starts, features: frozenset[str]) -> Iterator[Way]:
    """Two at once, at the foot of a word: neighbours, in as many bits each as the instruction takes."""
    if source.name not in HARDWARE:
        return
    feature, to, width = HARDWARE[source.name]
    if feature not in features or target is not to:
        return

    def way(stream: Stream) -> tuple[Term, ...] | None:
        words = [_neighbours(stream, source, width, codes) for codes in starts]
        if None in words:
            return None
        return tuple(stream.builder.step(f"cvt_{source.name}", each) for each in words if each is not None)

    yield way


def _neighbours(stream: Stream, source: DType, width: int, codes: tuple[int, ...]) -> Term | None:
    """A word with two codes at its foot, ``width`` bits for each; None where that takes many steps."""
    first, second = codes
    if second == first + source.bits and source.bits == width and first // 32 == second // 32:
        return stream.builder.shifted(stream.given(first // 32), first % 32)
    if source.bits == width == 8:
        origins = stream.given(first // 32), stream.given(second // 32)
        return stream.builder.step("prmt", *origins, first % 32 // 8 | (4 + second % 32 // 8) << 4)
    if width == 8 and all(code % 32 + source.bits <= 32 for code in codes):
        low = stream.builder.shifted(stream.given(first // 32), first % 32)
        high = stream.builder.shifted(stream.given(second // 32), second % 32)
        return stream.builder.masked(stream.builder.step("prmt", low, high, 0x40), ((1 << source.bits) - 1) * 0x0101)
    return None


def in_f32(pairs: Way, between: DType) -> Way:
    """f32 numbers of two numbers in a word, f16 or bf16."""

    def way(stream: Stream) -> tuple[Term, ...] | None:
        words = pairs(stream)
        if words is None:
            return None
        builder = stream.builder
        if between is F16:
            return tuple(builder.step(f"{half}_f16_to_f32", word) for word in words for half in ("low", "high"))
        return tuple(term for word in words for term in (builder.shifted(word, -16), builder.masked(word, 0xFFFF0000)))

    return way


def upper_halves(singles: Way) -> Way:
    """Two f32 numbers that bf16 has, as one word of bf16."""
    return _paired(singles, lambda stream, low, high: stream.builder.step("prmt", low, high, 0x7632))


def rounded_halves(singles: Way) -> Way:
    """Two f32 numbers, rounded to one word of f16."""
    return _paired(singles, lambda stream, low, high: stream.builder.step("f32_to_f16x2", low, high))


def _paired(singles: Way, joined: Callable[[Stream, Term, Term], Term]) -> Way:
    def way(stream: Stream) -> tuple[Term, ...] | None:
        numbers = singles(stream)
        if numbers is None:
            return None
        even, odd = numbers[::2], (*numbers[1::2], *numbers[: len(numbers) % 2])
        return tuple(joined(stream, *pair) for pair in zip(even, odd, strict=True))

    return way
