"""Atomics of every type, on global and shared memory: elements end as one thread after the other would leave them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernels import module, needs_compiler
from numpy.typing import NDArray

from tilevm.dtypes import DType, dtype
from tilevm.instructions.elementwise import rounded
from tilevm.instructions.selection import maximum, minimum

pytestmark = needs_compiler

THREADS, BYTES = 64, 256
RANDOM = np.random.default_rng(3)
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
OPERATIONS = ("add", "min", "max", "exchange", "cas")


def numbers(format: DType, count: int) -> NDArray[Any]:
    """Codes of numbers of a format, with NaN, infinities, zeros of both signs and the ends of the range among them."""
    codes = RANDOM.integers(0, 1 << min(63, format.bits), count, np.uint64).astype(format.storage)
    if format.kind == "float":
        special = format.encode(np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -2.5]))
        sign = special.dtype.type(1 << (format.bits - 1))
        # NumPy's fmin gives NaN for a signalling one.
        codes[np.isnan(format.decode(codes))] = special[2]
        codes[: 2 * len(special)] = np.concatenate([special, special ^ sign])
        codes[2 * len(special) : count // 2] = format.encode(RANDOM.standard_normal(count // 2 - 2 * len(special)))
    return RANDOM.permutation(codes)


def changed(operation: str, format: DType, old: NDArray[Any], value: NDArray[Any], expected: int) -> NDArray[Any]:
    """The code that an operation leaves, as the interpreter has it."""
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
        return codes.tolist()
    return [None if nan else code for code, nan in zip(codes.tolist(), np.isnan(format.decode(codes)), strict=True)]


@pytest.mark.parametrize("shared", [0, 1], ids=["global", "shared"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("type", TYPES)
def test_elements_end_as_one_thread_after_the_other_leaves_them(type: str, operation: str, shared: int) -> None:
    format = dtype(TYPES[type])
    size = format.bits // 8
    data = numbers(format, BYTES // size)
    values = numbers(format, THREADS)
    n = 9
    expected = np.where(RANDOM.random(THREADS) < 0.5, data[np.arange(THREADS) % n], values)
    memory, returned = data.view(np.uint8).copy(), np.zeros(THREADS, np.uint64)
    turns = np.zeros(THREADS + 1, np.uint32)
    arrays = [memory, values.astype(np.uint64), expected.astype(np.uint64), returned, turns]
    module("atomics").launch(f"atomic_{type}", 1, [*arrays, n, OPERATIONS.index(operation), shared]).check()
    held, old = data.copy(), np.zeros_like(values)
    for thread in np.argsort(turns[1:]).tolist():
        place = slice(thread % n, thread % n + 1)
        old[thread] = held[place][0]
        held[place] = changed(operation, format, held[place], values[thread : thread + 1], int(expected[thread]))
    assert comparable(format, memory.view(data.dtype)) == comparable(format, held)
    assert comparable(format, returned.astype(data.dtype)) == comparable(format, old)


def test_a_lock_in_shared_memory_lets_one_thread_in_at_a_time() -> None:
    y = np.zeros(THREADS, np.uint32)
    module("atomics").launch("lock", 1, [y]).check()
    assert sorted(y.tolist()) == list(range(THREADS))
