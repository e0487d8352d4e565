"""Steps computed in NumPy, to the bit what the instructions of a GPU do.

>>> import numpy as np
>>> from tilevm.synthesis.steps import Builder, Given
>>> builder = Builder()
>>> swapped = builder.step("prmt", Given(0), 0, 0x0123)
>>> [hex(word) for word in evaluate(builder.finished(1, 4, (swapped,)), np.array([[0x44332211]], np.uint32))[:, 0]]
['0x11223344']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import BF16, F16, DType, cast_codes, dtype
from tilevm.synthesis.conversions import HARDWARE
from tilevm.synthesis.steps import Given, Made, Sequence, Step, Term, Zero

__all__ = ["OPERATIONS", "evaluate"]

Words: TypeAlias = NDArray[np.uint32]


def evaluate(sequence: Sequence, words: Words, zeros: Words | None = None) -> Words:
    """The output words ``uint32[count, outputs]`` for input words ``uint32[count, sequence.words]``.

    ``zeros`` has the zero points of the outputs as numbers of the target, where the steps take any.
    """
    results: list[Words] = []

    def value(term: Term) -> Words:
        if isinstance(term, Given):
            return words[:, term.index]
        if isinstance(term, Zero):
            assert zeros is not None
            return zeros[:, term.index]
        return results[term.index] if isinstance(term, Made) else np.full(len(words), term, np.uint32)

    for step in sequence.steps:
        results.append(_computed(step, [value(each) for each in step.operands]))
    return np.stack([value(each) for each in sequence.outputs], axis=1)


def _computed(step: Step, operands: list[Words]) -> Words:
    if step.operation == "lop3":
        return _lop3(step.table, *operands)
    return OPERATIONS[step.operation](*operands)


def _lop3(table: int, a: Words, b: Words, c: Words) -> Words:
    result = np.zeros_like(a)
    for row in range(8):
        if table >> row & 1:
            result |= (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
    return result


def _prmt(a: Words, b: Words, selector: Words) -> Words:
    both = a.astype(np.uint64) | b.astype(np.uint64) << np.uint64(32)
    result = np.zeros_like(a)
    for place in range(4):
        nibble = selector >> np.uint32(4 * place) & np.uint32(15)
        byte = (both >> (np.uint64(8) * (nibble & np.uint32(7)).astype(np.uint64))).astype(np.uint32) & np.uint32(255)
        spread = np.where(byte >> np.uint32(7) == 1, np.uint32(255), np.uint32(0))
        result |= np.where(nibble >> np.uint32(3) == 1, spread, byte) << np.uint32(8 * place)
    return result


def _funnel_right(low: Words, high: Words, shift: Words) -> Words:
    both = low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32)
    return (both >> shift.astype(np.uint64)).astype(np.uint32)


def _pair(kind: DType, function: Callable[..., NDArray[Any]]) -> Callable[..., Words]:
    """An operation on the halves of words, rounded once; exact results only are asked of it."""

    def computed(*operands: Words) -> Words:
        halves = [np.stack([each & np.uint32(0xFFFF), each >> np.uint32(16)]) for each in operands]
        with np.errstate(all="ignore"):
            numbers = function(*(kind.decode(each.astype(np.uint16)) for each in halves))
            codes = kind.to_codes(kind.encode(numbers, saturate=False)).astype(np.uint32)
        words: Words = codes[0] | codes[1] << np.uint32(16)
        return words

    return computed


def _single(function: Callable[..., NDArray[Any]]) -> Callable[..., Words]:
    def computed(*operands: Words) -> Words:
        with np.errstate(all="ignore"):
            numbers = function(*(each.view(np.float32).astype(np.float64) for each in operands))
            words: Words = numbers.astype(np.float32).view(np.uint32)
        return words

    return computed


def _fma(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[Any]:
    total: NDArray[Any] = a * b + c
    return total


def _reaches(a: Words, b: Words) -> Words:
    """All ones in the halves in which the magnitude of the first f16 is at least the second, or one of them is NaN."""
    result = np.zeros_like(a)
    for place in (np.uint32(0), np.uint32(16)):
        left, right = (
            F16.decode((each >> place & np.uint32(mask)).astype(np.uint16)) for each, mask in ((a, 0x7FFF), (b, 0xFFFF))
        )
        result |= np.where(~(left < right), np.uint32(0xFFFF), np.uint32(0)) << place
    return result


def _f32(kind: DType, codes: Words) -> Words:
    """Codes as the bits of f32 numbers."""
    words: Words = kind.decode(codes.astype(kind.storage)).astype(np.float32).view(np.uint32)
    return words


def _f32_to_f16x2(low: Words, high: Words) -> Words:
    with np.errstate(all="ignore"):
        codes = [
            F16.to_codes(F16.encode(each.view(np.float32), saturate=False)).astype(np.uint32) for each in (low, high)
        ]
    return codes[0] | codes[1] << np.uint32(16)


def _hardware(name: str) -> Callable[[Words], Words]:
    """Two codes at the foot of a word, as two numbers side by side. Above a code of six bits the byte is zero."""
    source = dtype(name)
    _, target, width = HARDWARE[name]
    mask = np.uint32((1 << width) - 1)

    def computed(word: Words) -> Words:
        pair = [(word >> np.uint32(place) & mask).astype(source.storage) for place in (0, width)]
        codes = [target.to_codes(cast_codes(source, target, each)).astype(np.uint32) for each in pair]
        return codes[0] | codes[1] << np.uint32(16)

    return computed


OPERATIONS: dict[str, Callable[..., Words]] = {
    "prmt": _prmt,
    "funnel_right": _funnel_right,
    "shift_right": lambda a, by: a >> by,
    "shift_left": lambda a, by: a << by,
    "add_u32": lambda a, b: a + b,
    "mad_u32": lambda a, b, c: a * b + c,
    "sub_u32": lambda a, b: a - b,
    "add_f16x2": _pair(F16, np.add),
    "add_bf16x2": _pair(BF16, np.add),
    "add_f32": _single(np.add),
    "sub_f16x2": _pair(F16, np.subtract),
    "mul_f16x2": _pair(F16, np.multiply),
    "fma_f16x2": _pair(F16, _fma),
    "sub_bf16x2": _pair(BF16, np.subtract),
    "mul_bf16x2": _pair(BF16, np.multiply),
    "fma_bf16x2": _pair(BF16, _fma),
    "reaches_f16x2": _reaches,
    "min_f16x2": _pair(F16, np.fmin),
    "max_bf16x2": _pair(BF16, np.fmax),
    "low_f16_to_f32": lambda a: _f32(F16, a & np.uint32(0xFFFF)),
    "high_f16_to_f32": lambda a: _f32(F16, a >> np.uint32(16)),
    "f32_to_f16x2": _f32_to_f16x2,
    "sub_f32": _single(np.subtract),
    "mul_f32": _single(np.multiply),
    "fma_f32": _single(_fma),
    **{f"cvt_{name}": _hardware(name) for name in HARDWARE},
}
"""What each operation does, ``lop3`` apart."""
