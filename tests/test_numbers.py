"""Numbers in emitted code are those of the codec: every code, every rounding, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from casts import BOOKS, NARROW, Cast, compare, compiled
from kernels import needs_compiler
from numpy.typing import NDArray

from tilevm.dtypes import F16, F32, F64, ROUNDINGS, DType, dtype

pytestmark = needs_compiler

RANDOM = np.random.default_rng(5)
FEW = [
    dtype(name) for name in "f4e2m1 f6e2m3 f8e4m3 f8e5m2 f8e4m3fnuz ue4m3 ue3m2ieee e8m0 f8e7m0 nf4 u3 i4 u8".split()
]
WIDE = [dtype(name) for name in "f16 bf16 tf32 f32 f64 f12e5m6 f16e8m7fnuz f10e8m1fn i16 u16 i32 u32 i64 u64".split()]


def bits(count: int) -> NDArray[np.uint32]:
    """Random bits, now and then all zeros or all ones."""
    drawn = RANDOM.integers(0, 1 << 32, count, np.uint32)
    return np.where(np.arange(count) % 7 == 0, np.where(drawn & 1, 0, 0xFFFFFFFF), drawn).astype(np.uint32)


def patterns(each: DType, count: int = 1500) -> NDArray[Any]:
    """Codes of a wide format: any, near the ends of a range, and numbers of a middling size."""
    top = 1 << each.bits
    powers = [(1 << i) + step for i in range(each.bits) for step in (-1, 0, 1)]
    near = {code % top for power in powers for code in (power, -power)} | {0, top - 1, top // 2, top // 2 - 1}
    anything = RANDOM.integers(0, top - 1, count, np.uint64, endpoint=True)
    if each.kind != "float":
        return np.concatenate([anything, np.array(sorted(near), np.uint64), anything >> np.uint64(each.bits // 2)])
    with np.errstate(all="ignore"):
        scale = np.exp2(RANDOM.integers(-30, 30, count))
        middling = each.encode(RANDOM.standard_normal(count) * scale).astype(np.uint64)
        halves = each.encode(np.arange(-300, 300) / 2.0).astype(np.uint64)
    return np.concatenate([anything, np.array(sorted(near), np.uint64), middling, halves])


def test_every_code_of_every_narrow_format_is_decoded() -> None:
    casts: list[Cast] = [(each, F32, "nearest_even", False) for each in NARROW]
    module = compiled(casts)
    for number, cast in enumerate(casts):
        count = len(cast[0].table) or 1 << cast[0].bits
        compare(module, number, cast, np.arange(count), np.zeros(count, np.uint32))


def test_every_f16_number_is_encoded_in_every_narrow_format() -> None:
    casts: list[Cast] = [(F16, each, "nearest_even", each.saturates) for each in NARROW]
    module, codes = compiled(casts, optimisation="-O1"), np.arange(1 << 16)
    for number, cast in enumerate(casts):
        compare(module, number, cast, codes, np.zeros(len(codes), np.uint32))


def test_every_f16_number_under_every_rounding() -> None:
    formats = [dtype(name) for name in ("f8e4m3", "f4e2m1", "i4")]
    casts: list[Cast] = [
        (F16, each, rounding, (i + j) % 2 == 0)
        for i, each in enumerate(formats)
        for j, rounding in enumerate(ROUNDINGS)
        if rounding != "nearest_even"
    ]
    module, codes = compiled(casts, optimisation="-O1"), np.arange(1 << 16)
    for number, cast in enumerate(casts):
        compare(module, number, cast, codes, bits(len(codes)))


@pytest.mark.fuzz
@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_narrow_format_under_every_rounding(rounding: str, saturate: bool) -> None:
    casts: list[Cast] = [(source, each, rounding, saturate) for each in NARROW for source in (F16, F32)]
    module = compiled(casts)
    for number, cast in enumerate(casts):
        codes = patterns(cast[0])
        compare(module, number, cast, codes, bits(len(codes)))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_rounding_saturated_or_not(rounding: str) -> None:
    casts: list[Cast] = [
        (source, target, rounding, saturate)
        for saturate in (False, True)
        for target in (*FEW, BOOKS[3])
        for source in (F32, F64)
    ]
    module = compiled(casts)
    for number, cast in enumerate(casts):
        codes = patterns(cast[0])
        compare(module, number, cast, codes, bits(len(codes)))


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero", "stochastic", "up", "down", "nearest_away"])
def test_wide_formats_among_each_other(rounding: str) -> None:
    some = WIDE if rounding in ("nearest_even", "stochastic") else WIDE[::3]
    casts: list[Cast] = [
        (source, target, rounding, (i + j) % 2 == 0 if rounding != "nearest_even" else target.saturates)
        for i, source in enumerate(some)
        for j, target in enumerate(some)
        if source is not target
    ]
    module = compiled(casts)
    for number, cast in enumerate(casts):
        codes = patterns(cast[0], 300)
        compare(module, number, cast, codes, bits(len(codes)))


def test_narrow_formats_among_each_other() -> None:
    some = [*FEW[::2], *BOOKS[1::2], dtype("u1"), dtype("i1"), dtype("i64")]
    casts: list[Cast] = [(a, b, "nearest_even", b.saturates) for a in some for b in some if a is not b]
    module = compiled(casts)
    for number, cast in enumerate(casts):
        wide = cast[0].bits > 8
        codes = patterns(cast[0], 200) if wide else np.arange(len(cast[0].table) or 1 << cast[0].bits)
        compare(module, number, cast, codes, bits(len(codes)))
