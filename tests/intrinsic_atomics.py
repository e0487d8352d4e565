"""Atomics of every type: what they are launched with, and whether some order of the threads explains what they did."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType, dtype
from tilevm.instructions.elementwise import rounded
from tilevm.instructions.selection import maximum, minimum

__all__ = ["OPERATIONS", "THREADS", "TYPES", "atomic_arguments", "changed", "comparable", "explained"]

THREADS, BYTES, PLACES = 64, 256, 9
TYPES = {
    "u32": "u32",
    "s32": "i32",
    "u64": "u64",
    "s64": "i64",
    "f32": "f32",
    "f64": "f64",
    "f16": "f16",
    "bf16": "bf16",
    "u16": "u16",
    "s16": "i16",
    "u8": "u8",
    "s8": "i8",
}
"""Formats by the names that the intrinsics have for them."""
OPERATIONS = ("add", "min", "max", "exchange", "cas")


def _numbers(random: np.random.Generator, format: DType, count: int) -> NDArray[Any]:
    """Codes of numbers of a format, with NaN, infinities, zeros of both signs and the ends of the range among them.

    None is subnormal: PTX leaves it open whether ``atom.add.f32`` on global memory takes those for zero.
    """
    codes = random.integers(0, 1 << min(63, format.bits), count, np.uint64).astype(format.storage)
    if format.kind == "float":
        special = format.encode(np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -2.5]))
        sign = special.dtype.type(1 << (format.bits - 1))
        codes[: 2 * len(special)] = np.concatenate([special, special ^ sign])
        codes[2 * len(special) :] = format.encode(random.standard_normal(count - 2 * len(special)))
    return random.permutation(codes)


def atomic_arguments(random: np.random.Generator | None, kind: str, which: int, shared: int) -> list[Any]:
    """What kernel ``atomic_<kind>`` takes; the same numbers in every call."""
    own = np.random.default_rng(zlib.crc32(f"{kind} {which} {shared}".encode()))
    format = dtype(TYPES[kind])
    data = _numbers(own, format, BYTES // (format.bits // 8))
    values = _numbers(own, format, THREADS)
    # Of compare-and-swap half of the threads expect what lies there at first.
    expected = np.where(own.random(THREADS) < 0.5, data[np.arange(THREADS) % PLACES], values)
    arrays = [data.view(np.uint8).copy(), values.astype(np.uint64), expected.astype(np.uint64)]
    results = [np.zeros(THREADS, np.uint64), np.zeros(THREADS + 1, np.uint32)]
    return [*arrays, *results, np.int32(PLACES), np.int32(which), np.int32(shared)]


def changed(operation: str, format: DType, old: NDArray[Any], value: NDArray[Any], expected: int) -> NDArray[Any]:
    """The code that an operation leaves, as the interpreter has it; arrays of one element."""
    if operation == "exchange":
        return value
    if operation == "cas":
        return value if int(old[0]) == expected else old
    a, b = format.to_values(old), format.to_values(value)
    with np.errstate(all="ignore"):
        made = {"add": lambda: rounded(format, np.asarray(a + b)), "min": lambda: minimum(a, b)}.get(
            operation, lambda: maximum(a, b)
        )()
    return format.encode(made) if format.kind == "float" else made.astype(a.dtype).view(old.dtype)


def comparable(format: DType, codes: NDArray[Any]) -> list[Any]:
    """Codes, with one for every NaN."""
    if format.kind != "float":
        return list(codes.tolist())
    return [None if nan else code for code, nan in zip(codes.tolist(), np.isnan(format.decode(codes)), strict=True)]


def explained(wanted: list[Any], found: list[Any], kind: str, which: int, shared: int) -> None:
    """The elements ended, and the threads got what they got, as if one thread had come after the other, in some order.

    Raises ``AssertionError`` with the element that no order explains.
    """
    format, operation = dtype(TYPES[kind]), OPERATIONS[which]
    before = atomic_arguments(None, kind, which, shared)[0].view(format.storage)
    after = found[0].view(format.storage)
    values, expected, old = (each.astype(format.storage) for each in found[1:4])
    assert comparable(format, before[PLACES:]) == comparable(format, after[PLACES:])
    for place in range(PLACES):
        threads = list(range(place, THREADS, PLACES))
        taken = [(values[t : t + 1], int(expected[t]), comparable(format, old[t : t + 1])) for t in threads]
        ending = comparable(format, after[place : place + 1])
        assert _ordered(format, operation, before[place : place + 1], taken, ending), (
            f"element {place}: from {before[place]}, threads {threads} got {old[threads].tolist()}, left {after[place]}"
        )
    assert sorted(found[4][1:].tolist()) == list(range(THREADS))


def _ordered(format: DType, operation: str, now: NDArray[Any], left: list[Any], ending: list[Any]) -> bool:
    """Whether some order of the threads that are left leads from a code to the last one."""
    here = comparable(format, now)
    if not left:
        return here == ending
    tried: list[tuple[int, int]] = []
    for place, (value, expected, got) in enumerate(left):
        if got != here or (int(value[0]), expected) in tried:
            continue
        tried.append((int(value[0]), expected))
        following = changed(operation, format, now, value, expected)
        if _ordered(format, operation, following, left[:place] + left[place + 1 :], ending):
            return True
    return False
