"""Every intrinsic alone, by name: what it is launched with, and how its results on two machines compare.

    case = INTRINSICS["ldmatrix_x4_trans"]
    simulated, found = case.simulated(), case.arguments()
    …                                        # another machine runs case.kernel of case.source on `found`
    case.compare(simulated, found)

One table for the simulator, whose results the tests of intrinsics hold against NumPy, and for GPUs. Results are the same
to the bit; a NaN is any NaN. Approximations are within the errors that the PTX ISA states for them, functions within the
4 units in the last place that each machine may be off, and atomics are explained by some order of the threads.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.intrinsic_atomics import OPERATIONS, TYPES, atomic_arguments, explained
from tests.intrinsic_matrices import FORMATS, fragments, near_product
from tests.kernels import module

__all__ = ["INTRINSICS", "Intrinsic", "float_inputs", "integer_inputs"]

Random = np.random.Generator
Arguments = list[Any]
Check = Callable[[Arguments, Arguments], None]


def same(expected: Arguments, found: Arguments) -> None:
    """Every array holds the same bits; NaN is NaN."""
    for place, (wanted, given) in enumerate(zip(expected, found, strict=True)):
        if not isinstance(wanted, np.ndarray):
            continue
        x, y = (each.view(f"u{each.itemsize}") for each in (wanted, given))
        bad = x != y
        if wanted.dtype.kind == "f":
            bad &= ~(np.isnan(wanted) & np.isnan(given))
        if bad.any():
            at = tuple(np.argwhere(bad)[0].tolist())
            raise AssertionError(
                f"argument {place}, element {at}: {given[at]!r} for {wanted[at]!r}; so are {bad.sum()} of {bad.size}"
            )


def near(relative: float, absolute: float = 0.0) -> Check:
    """Elements of float arrays are within a distance; NaN is NaN, and infinity infinity."""

    def check(expected: Arguments, found: Arguments) -> None:
        for wanted, given in zip(expected, found, strict=True):
            if isinstance(wanted, np.ndarray) and wanted.dtype.kind == "f":
                np.testing.assert_allclose(given, wanted, rtol=relative, atol=absolute)

    return check


@dataclass(frozen=True)
class Intrinsic:
    """A launch of a kernel of ``tests/kernels`` that shows one intrinsic."""

    source: str
    kernel: str
    make: Callable[[Random], Arguments]
    check: Check = same
    grid: int = 1
    threads: int = 32
    since: int = 75
    """The first compute capability that has it, without the point."""

    def arguments(self) -> Arguments:
        """Arrays for pointers and ``np.int32`` for numbers; the same in every call."""
        return self.make(np.random.default_rng(zlib.crc32(repr((self.kernel, self.threads, self.grid)).encode())))

    def simulated(self) -> Arguments:
        """The arguments after a launch in the simulator."""
        arguments = self.arguments()
        module(self.source).launch(self.kernel, self.grid, arguments).check()
        return arguments

    def compare(self, expected: Arguments, found: Arguments) -> None:
        """Raises ``AssertionError`` where the arguments after another launch are not as they are to be."""
        self.check(expected, found)


# Numbers


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


def _words(random: Random) -> NDArray[np.uint32]:
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
    "s32_to_f32": (14, _words, SINGLE, same, 75),
    "u32_to_f32": (15, _words, SINGLE, same, 75),
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


def _numbers() -> dict[str, Intrinsic]:
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


# Registers, shared and global memory


def _trigonometry(random: Random) -> Arguments:
    x = np.concatenate([random.uniform(-10, 10, 200), random.uniform(-1e6, 1e6, 50)])
    return [x.astype(np.float32), np.zeros(500, np.float32), x, np.zeros(500), np.int32(250)]


def _trigonometric(expected: Arguments, found: Arguments) -> None:
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=4e-7)
    np.testing.assert_allclose(found[3], expected[3], rtol=0, atol=8e-16)


def _shuffled(random: Random, by: int) -> Arguments:
    return [_words(random)[:32], np.zeros(160, np.uint32), np.int32(by)]


def _bytes(random: Random, count: int = 1024) -> NDArray[np.uint8]:
    return random.integers(0, 256, count).astype(np.uint8)


def _moved(random: Random, *numbers: int) -> Arguments:
    return [_bytes(random), _bytes(random), *map(np.int32, numbers)]


def _grouped(random: Random) -> Arguments:
    return [_words(random)[:256], np.zeros(256, np.uint32)]


def _matrix_rows(random: Random, which: int, stores: bool) -> Arguments:
    if stores:
        offsets = (random.permutation(32) * 16).astype(np.uint32)
        return [_words(random)[:128], offsets, np.zeros(128, np.uint32), np.int32(which)]
    offsets = (random.permutation(128)[:32] * 16).astype(np.uint32)
    return [_bytes(random, 2048), offsets, np.zeros(128, np.uint32), np.int32(which)]


def _packed(random: Random, bits: int) -> Arguments:
    return [_words(random)[:13], np.zeros(26, np.uint32), np.int32(bits)]


def _chained(random: Random) -> Arguments:
    return [np.zeros(9, np.uint32), np.zeros(8, np.uint32), np.int32(0)]


def _pipelined(random: Random) -> Arguments:
    return [random.standard_normal(640).astype(np.float32), np.zeros(64, np.float32), np.int32(10), np.int32(0)]


def _contended(random: Random) -> Arguments:
    return [
        np.array([0, 99, 0, 0, 0], np.uint32),
        np.zeros(3, np.int32),
        np.zeros(3, np.float32),
        np.zeros(1, np.uint32),
    ]


def _all_done(expected: Arguments, found: Arguments) -> None:
    """Which thread was the first to find a zero is not decided: the element after it names that one."""
    first, last = (each[0][3:].copy() for each in (expected, found))
    assert last[0] == last[1] + 1
    assert first[0] == first[1] + 1
    same([expected[0][:3], *expected[1:]], [found[0][:3], *found[1:]])


def _alone_in_turn(expected: Arguments, found: Arguments) -> None:
    assert sorted(found[0].tolist()) == list(range(64))


def _memory() -> dict[str, Intrinsic]:
    table = {"trigonometry": Intrinsic("trigonometry", "trigonometry", _trigonometry, _trigonometric)}
    for by in (0, 1, 5, 16, 31):
        table[f"shuffles_and_ballot_by_{by}"] = Intrinsic("intrinsics", "shuffles", partial(_shuffled, by=by))
    for which, count in enumerate(("x1", "x2", "x4", "x1_trans", "x2_trans", "x4_trans")):
        table[f"ldmatrix_{count}"] = Intrinsic(
            "intrinsics", "load_matrices", partial(_matrix_rows, which=which, stores=False)
        )
        table[f"stmatrix_{count}"] = Intrinsic(
            "moves", "matrix_stores", partial(_matrix_rows, which=which, stores=True), since=90
        )
    widths = ("u8", "u16", "u32", "u32x2", "u32x4")
    for first, hint in enumerate(("plain", "read_only", "stream", "l2_only")):
        for which, width in enumerate(widths):
            make = partial(_moved_by, number=5 * first + which)
            table[f"global_{width}_{hint}"] = Intrinsic("moves", "global_moves", make, threads=64)
    for which, width in enumerate(widths):
        table[f"shared_{width}"] = Intrinsic("moves", "shared_moves", partial(_moved_by, number=which), threads=64)
    for size in (4, 8, 16):
        make = partial(_moved_by, number=size)
        table[f"cp_async_{size}_and_zeros"] = Intrinsic("moves", "filled_copies", make, threads=64, since=80)
    table["cp_async_groups"] = Intrinsic("moves", "copy_groups", _grouped, threads=64, since=80)
    table["cp_async_pipeline"] = Intrinsic("faults", "pipeline", _pipelined, threads=64, since=80)
    table["acquire_and_release"] = Intrinsic("intrinsics", "chain", _chained, grid=8)
    for bits in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16, 19, 24, 31):
        table[f"packed_{bits}"] = Intrinsic("numbers", "packed", partial(_packed, bits=bits))
    return table


def _moved_by(random: Random, number: int) -> Arguments:
    return _moved(random, number)


def _matrices() -> dict[str, Intrinsic]:
    table = {}
    for which, (shape, a, b, since) in FORMATS.items():
        name = f"mma_{shape}_{a}" + ("" if a == b else f"_{b}")
        table[name] = Intrinsic("intrinsics", "matrices", partial(fragments, which=which), since=since)
        if a not in ("i8", "u8"):
            make = partial(fragments, which=which, small=False)
            check = partial(near_product, which=which)
            table[f"{name}_rounded"] = Intrinsic("intrinsics", "matrices", make, check, since=since)
    table["mma_m8n8k4_f64"] = Intrinsic("intrinsics", "matrices_f64", _doubles, since=80)
    return table


def _doubles(random: Random) -> Arguments:
    return [random.integers(-99, 99, 128).astype(np.float64), np.zeros(64)]


def _atomics() -> dict[str, Intrinsic]:
    table = {
        "atomics_of_four_blocks": Intrinsic("intrinsics", "atomics", _contended, _all_done, grid=4, threads=64),
        "lock": Intrinsic("atomics", "lock", lambda random: [np.zeros(64, np.uint32)], _alone_in_turn, threads=64),
    }
    for kind in TYPES:
        for which, operation in enumerate(OPERATIONS):
            for shared in (0, 1):
                make = partial(atomic_arguments, kind=kind, which=which, shared=shared)
                check = partial(explained, kind=kind, which=which, shared=shared)
                name = f"atomic_{'shared_' if shared else ''}{operation}_{kind}"
                table[name] = Intrinsic("atomics", f"atomic_{kind}", make, check, threads=64)
    return table


def _table() -> dict[str, Intrinsic]:
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
    return {**unary, **ternary, **_numbers(), **_memory(), **_matrices(), **_atomics()}


INTRINSICS: dict[str, Intrinsic] = _table()
"""Every intrinsic, by name."""
