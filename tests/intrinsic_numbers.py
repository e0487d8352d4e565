"""Intrinsics that compute: conversions with every rounding, arithmetic of pairs, integers and floats, functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.intrinsic import Arguments, Check, Intrinsic, Random, near, same

__all__ = ["conversions_and_arithmetic", "numbers", "words"]


def float_inputs(random: Random) -> NDArray[np.float32]:
    """Every fifth f16 and its neighbours in f32, the middles between them, and numbers of any bits; no NaN."""
    with np.errstate(invalid="ignore"):
        halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32).view(np.uint32)
    close = [halves[::5] + offset for offset in (0, 1, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000)]
    x = np.concatenate([*close, random.integers(0, 1 << 32, 20000, np.uint32)]).astype(np.uint32).view(np.float32)
    return x[~np.isnan(x)]


def integer_inputs(random: Random, kind: Any) -> NDArray[Any]:
    """Numbers around the ends of the range and around zero, powers of two, and any."""
    least, most = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    powers = [sign * (1 << i) + off for i in range(64) for sign in (-1, 1) for off in (-1, 0, 1)]
    kept = [each for each in (*powers, 0, least, most, 31, 32, 33, 63, 64, 65) if least <= each <= most]
    return np.array(kept + random.integers(least, most, 100, kind, endpoint=True).tolist(), kind)


def special_floats(random: Random, kind: Any) -> NDArray[Any]:
    """Zeros, ends, subnormal numbers, halves, infinities, NaN, and numbers of any bits."""
    limits = np.finfo(kind)
    numbers = [0, 0.5, 1, 1.5, 2.5, 3, 1e-3, 7e6, limits.tiny, limits.smallest_subnormal, limits.max, np.inf, np.nan]
    plain = np.array(numbers, kind)
    bits = random.integers(0, 256, 200 * plain.itemsize).astype(np.uint8).view(kind)
    return np.concatenate([plain, -plain, bits, 10 * random.standard_normal(100).astype(kind)])


def _unary(random: Random, which: int, make: Callable[[Random], NDArray[Any]], result: Any) -> Arguments:
    x = make(random)
    return [x, np.zeros(len(x), result), np.int32(len(x)), np.int32(which)]


def _f16_codes(random: Random) -> NDArray[np.uint32]:
    return np.arange(1 << 16, dtype=np.uint32)


def words(random: Random) -> NDArray[np.uint32]:
    """4096 words of any bits."""
    return random.integers(0, 1 << 32, 4096, np.uint32)


def _tame(random: Random) -> NDArray[np.float32]:
    return random.uniform(0.01, 20, 500).astype(np.float32)


HALF, SINGLE = np.uint32, np.float32
APPROXIMATE = near(2.0**-21, 2.0**-21)
UNARY: dict[str, tuple[int, Any, Any, Check, int]] = {
    "f16_to_f32": (0, _f16_codes, SINGLE, same, 75),
    "f32_to_f16": (1, float_inputs, HALF, same, 75),
    "f32_to_f16_toward_zero": (2, float_inputs, HALF, same, 75),
    "f32_to_f16_down": (3, float_inputs, HALF, same, 75),
    "f32_to_f16_up": (4, float_inputs, HALF, same, 75),
    "bf16_to_f32": (5, _f16_codes, SINGLE, same, 75),
    "f32_to_bf16": (6, float_inputs, HALF, same, 80),
    "f32_to_bf16_toward_zero": (7, float_inputs, HALF, same, 80),
    "f32_to_tf32": (8, float_inputs, HALF, same, 80),
    "f32_to_f16x2": (24, float_inputs, HALF, same, 75),
    "f32_to_bf16x2": (25, float_inputs, HALF, same, 80),
    "f32_to_s32": (9, float_inputs, np.int32, same, 75),
    "f32_to_s32_toward_zero": (10, float_inputs, np.int32, same, 75),
    "f32_to_s32_down": (11, float_inputs, np.int32, same, 75),
    "f32_to_s32_up": (12, float_inputs, np.int32, same, 75),
    "f32_to_u32": (13, float_inputs, np.uint32, same, 75),
    "s32_to_f32": (14, words, SINGLE, same, 75),
    "u32_to_f32": (15, words, SINGLE, same, 75),
    "exp2_approx": (16, _tame, SINGLE, APPROXIMATE, 75),
    "log2_approx": (17, _tame, SINGLE, APPROXIMATE, 75),
    "rcp_approx": (18, _tame, SINGLE, APPROXIMATE, 75),
    "rsqrt_approx": (19, _tame, SINGLE, APPROXIMATE, 75),
    "sqrt": (20, _tame, SINGLE, same, 75),
    "sin_approx": (21, _tame, SINGLE, near(0, 2.0**-14), 75),  # the error grows past 2 pi
    "cos_approx": (22, _tame, SINGLE, near(0, 2.0**-14), 75),
    "tanh_approx": (23, _tame, SINGLE, near(2.0**-10), 75),
    "sqrt_approx": (26, _tame, SINGLE, APPROXIMATE, 75),
}
"""Number in ``unary``, inputs, type of the results, comparison, first capability."""

TERNARY = (
    ("lop3_EA", "lop3_1D", "prmt", "funnel_right"),
    ("add_f16x2", "sub_f16x2", "mul_f16x2", "fma_f16x2"),
    ("add_bf16x2", "sub_bf16x2", "mul_bf16x2", "fma_bf16x2"),
    ("add", "sub", "mul", "div", "fma", "min", "max"),
)


def _ternary(random: Random, which: int, family: int) -> Arguments:
    if family == 1:
        x = random.standard_normal(12000).astype(np.float16).view(np.uint32)
    elif family == 2:
        x = (random.standard_normal(12000).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint32)
    else:
        x = random.integers(0, 1 << 32, 6000, np.uint32)
    n = len(x) // 3
    x[2 * n :] &= np.uint32(0xFFFFFFFF if which != 3 else 31)
    return [x, np.zeros(n, np.float32 if family == 3 else np.uint32), np.int32(n), np.int32(which)]


def _operands(random: Random, kernel: str, which: int, source: Any, result: Any) -> Arguments:
    """Three operands of n numbers each for a kernel of ``numbers.cu``."""
    make = special_floats if np.dtype(source).kind == "f" else integer_inputs
    x = np.repeat(make(random, source), 10)
    x = np.concatenate([x, random.permutation(x), random.permutation(x)])
    return [x, np.zeros(len(x) // 3, result), np.int32(len(x) // 3), np.int32(which)]


def _positive(random: Random, which: int, kind: Any) -> Arguments:
    x = np.concatenate([random.uniform(0.01, 80, 300), random.uniform(0.01, 3, 300), random.uniform(-3, 3, 600)])
    return [x.astype(kind), np.zeros(400, kind), np.int32(400), np.int32(which)]


FLOAT_NAMES = "add sub mul div min max fma sqrt floor ceil round_even fmod".split()
INTEGER_NAMES = "add sub mul floor_div rem cdiv min max shl shr neg abs".split()
FUNCTION_NAMES = "exp exp2 log log2 tanh erf rsqrt pow".split()
ROUNDINGS = ("", "_toward_zero", "_down", "_up")
TYPES_OF_C = {
    "s32": np.int32,
    "u32": np.uint32,
    "s64": np.int64,
    "u64": np.uint64,
    "f32": np.float32,
    "f64": np.float64,
}


def numbers() -> dict[str, Intrinsic]:
    """Arithmetic, functions and conversions of 32 and 64 bits, on special numbers and on random ones."""
    table: dict[str, Intrinsic] = {}

    def row(name: str, kernel: str, which: int, source: Any, result: Any) -> None:
        make = partial(_operands, kernel=kernel, which=which, source=source, result=result)
        table[name] = Intrinsic("numbers", kernel, make)

    for kernel, kind in (("floats", np.float32), ("doubles", np.float64)):
        for which, name in enumerate(FLOAT_NAMES):
            row(f"{name}_{kernel}", kernel, which, kind, kind)
    for short in ("s32", "u32", "s64", "u64"):
        for which, name in enumerate(INTEGER_NAMES):
            row(f"{name}_{short}", f"integers_{short}", which, TYPES_OF_C[short], TYPES_OF_C[short])
    for which, name in enumerate(("mul_wide_u32", "mul_hi_u32")):
        row(name, "products", which, np.uint32, np.uint64)
    row("philox", "random_words", 0, np.uint64, np.uint32)
    integers, floats = ("s32", "u32", "s64", "u64"), ("f32", "f64")
    pairs = [*((a, b) for a in floats for b in integers), *((a, b) for a in integers for b in floats), ("f64", "f32")]
    for source, result in (*pairs, ("f32", "f64")):
        exact = result == "f64" and source in ("s32", "u32", "f32")
        for which, rounding in enumerate(ROUNDINGS[: 1 if exact else 4]):
            kernel = f"{source}_to_{result}"
            row(f"{kernel}{rounding}_wide", kernel, which, TYPES_OF_C[source], TYPES_OF_C[result])
    for which, name in enumerate(FUNCTION_NAMES):
        for short, bits in (("f32", 23), ("f64", 52)):
            make = partial(_positive, which=which, kind=TYPES_OF_C[short])
            table[f"{name}_{short}"] = Intrinsic("numbers", f"functions_{short}", make, near(8 * 2.0**-bits, 1e-300))
    return table


def conversions_and_arithmetic() -> dict[str, Intrinsic]:
    """What takes one word, and what takes three: conversions, approximations, bits, pairs of 16 bits, f32."""
    unary = {
        name: Intrinsic(
            "intrinsics", "unary", partial(_unary, which=which, make=make, result=result), check, grid=112, since=since
        )
        for name, (which, make, result, check, since) in UNARY.items()
    }
    names = [(name, family) for family, row in enumerate(TERNARY) for name in row]
    ternary = {
        name: Intrinsic(
            "intrinsics", "ternary", partial(_ternary, which=which, family=family), since=80 if family == 2 else 75
        )
        for which, (name, family) in enumerate(names)
    }
    return {**unary, **ternary}
