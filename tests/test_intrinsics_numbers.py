"""Numbers in emitted code are those of the interpreter: integers to the bit, also where C++ leaves them undefined."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from kernels import module, needs_compiler
from numpy.typing import NDArray

from tilevm.dtypes import I32, I64, U32, U64
from tilevm.instructions.arithmetic import CeilingDivide
from tilevm.instructions.selection import maximum, minimum
from tilevm.philox import philox

pytestmark = needs_compiler

RANDOM = np.random.default_rng(2)


def given(kernel: str, which: int, result: Any, *operands: NDArray[Any]) -> NDArray[Any]:
    """What a kernel of ``numbers.cu`` makes of up to three operands."""
    first = operands[0]
    x = np.concatenate([*operands, *[np.ones_like(first)] * (3 - len(operands))])
    y = np.zeros(len(first), result)
    module("numbers").launch(kernel, 1, [x, y, len(first), which]).check()
    return y


def integers(kind: Any) -> NDArray[Any]:
    """Numbers around the ends of the range and around zero, powers of two, and any."""
    least, most = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    bits = 8 * np.dtype(kind).itemsize
    powers = [sign * (1 << i) + off for i in range(bits) for sign in (-1, 1) for off in (-1, 0, 1)]
    near = [*range(-3, 4), *range(least, least + 3), *range(most - 2, most + 1), *powers, bits - 1, bits, bits + 1]
    kept = [each for each in near if least <= each <= most]
    return np.array(kept + RANDOM.integers(least, most, 100, kind, endpoint=True).tolist(), kind)


def pairs(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every element beside many others."""
    return np.repeat(x, 40), RANDOM.choice(x, 40 * len(x))


INTEGERS: list[Callable[..., Any]] = [
    np.add,
    np.subtract,
    np.multiply,
    np.floor_divide,
    np.remainder,
    CeilingDivide.function,
    np.minimum,
    np.maximum,
    np.left_shift,
    np.right_shift,
    lambda a, b: np.negative(a),
    lambda a, b: np.absolute(a),
]


@pytest.mark.parametrize("which", range(len(INTEGERS)))
@pytest.mark.parametrize("format", [I32, U32, I64, U64], ids=str)
def test_integers_are_those_of_the_interpreter(format: Any, which: int) -> None:
    kind = {I32: np.int32, U32: np.uint32, I64: np.int64, U64: np.uint64}[format]
    a, b = pairs(integers(kind))
    with np.errstate(all="ignore"):
        expected = INTEGERS[which](a, b)
    name = f"integers_{'s' if format.kind == 'int' else 'u'}{format.bits}"
    assert np.array_equal(given(name, which, kind, a, b), expected)


def floats(kind: Any) -> NDArray[Any]:
    """Zeros, ends, subnormal numbers, halves, infinities, NaN, and any."""
    limits = np.finfo(kind)
    special = [0, 0.5, 1, 1.5, 2.5, 3, 1e-3, 7e6, limits.tiny, limits.smallest_subnormal, limits.max, np.inf]
    plain = np.array([*special, np.nan], kind)
    bits = RANDOM.integers(0, 256, 200 * plain.itemsize).astype(np.uint8).view(kind)
    return np.concatenate([plain, -plain, bits, RANDOM.standard_normal(100).astype(kind) * 10])


def same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Equal to the sign of zero; NaN is NaN."""
    known = ~np.isnan(b)
    return bool(
        np.array_equal(np.isnan(a), ~known) and np.array_equal(np.signbit(a[known]), np.signbit(b[known]))
    ) and (np.array_equal(a[known], b[known]))


FLOATS: list[Callable[..., Any]] = [
    np.add,
    np.subtract,
    np.multiply,
    np.divide,
    minimum,
    maximum,
    lambda a, b: a * 0 + b,
    lambda a, b: np.sqrt(a),
    lambda a, b: np.floor(a),
    lambda a, b: np.ceil(a),
    lambda a, b: np.rint(a),
    np.fmod,
]


@pytest.mark.parametrize("which", [each for each in range(len(FLOATS)) if each != 6])
@pytest.mark.parametrize(("kernel", "kind"), [("floats", np.float32), ("doubles", np.float64)])
def test_arithmetic_of_floats_is_rounded_once(kernel: str, kind: Any, which: int) -> None:
    a, b = pairs(floats(kind))
    with np.errstate(all="ignore"):
        assert same(given(kernel, which, kind, a, b), FLOATS[which](a, b))


def test_a_product_and_a_sum_of_f64_are_rounded_once() -> None:
    a, b, c = (RANDOM.integers(-(1 << 52), 1 << 52, 500).astype(np.float64) for _ in range(3))
    exact = [float(int(p) * int(q) + int(r)) for p, q, r in zip(a, b, c, strict=True)]
    assert given("doubles", 6, np.float64, a, b, c).tolist() == exact


FUNCTIONS: list[Callable[..., Any]] = [
    np.exp,
    np.exp2,
    np.log,
    np.log2,
    np.tanh,
    np.vectorize(math.erf, [np.float64]),
    lambda x: 1 / np.sqrt(x),
]


@pytest.mark.parametrize("which", range(len(FUNCTIONS)))
def test_functions_are_within_4_units_in_the_last_place(which: int) -> None:
    x = np.concatenate([RANDOM.uniform(0.01, 80, 300), RANDOM.uniform(-3, 3, 0 if which in (2, 3, 6) else 300)])
    for kernel, kind in (("functions_f32", np.float32), ("functions_f64", np.float64)):
        own = x.astype(kind)
        expected = FUNCTIONS[which](own.astype(np.float64))
        got = given(kernel, which, kind, own)
        assert (np.abs(got - expected) <= 4 * np.spacing(np.abs(expected).astype(kind))).all()
        assert np.isnan(given(kernel, which, kind, np.full(1, np.nan, kind))).all()


def test_powers_are_those_of_c() -> None:
    a, b = np.array([2, 3, -2, 0, np.nan, 4, -8]), np.array([10, 0.5, 3, -1, 0, -0.5, 0.5])
    expected = np.array([1024, 3**0.5, -8, np.inf, 1, 0.5, np.nan])
    for kernel, kind in (("functions_f32", np.float32), ("functions_f64", np.float64)):
        np.testing.assert_allclose(given(kernel, 7, kind, a.astype(kind), b.astype(kind)), expected, rtol=3e-7)


def test_angles_of_any_size() -> None:
    x = np.concatenate([RANDOM.uniform(-10, 10, 200), RANDOM.uniform(-1e6, 1e6, 50)])
    single, n = x.astype(np.float32), len(x)
    y, q = np.zeros(2 * n, np.float32), np.zeros(2 * n)
    module("trigonometry").launch("trigonometry", 1, [single, y, x, q, n]).check()
    wide = single.astype(np.float64)
    np.testing.assert_allclose(y, np.concatenate([np.sin(wide), np.cos(wide)]), rtol=0, atol=2e-7)
    np.testing.assert_allclose(q, np.concatenate([np.sin(x), np.cos(x)]), rtol=0, atol=4e-16)


WHOLE = (np.rint, np.trunc, np.floor, np.ceil)


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("source", ["f32", "f64"])
@pytest.mark.parametrize("target", ["s32", "u32", "s64", "u64"])
def test_floats_become_integers_saturated(source: str, target: str, which: int) -> None:
    kind = np.float32 if source == "f32" else np.float64
    result = np.dtype(f"{'i' if target[0] == 's' else 'u'}{int(target[1:]) // 8}")
    limits = np.iinfo(result)
    scaled = RANDOM.uniform(-2, 2, 300).astype(kind) * kind(2.0 ** (result.itemsize * 8 - 1))
    x = np.concatenate([floats(kind), scaled, np.array([limits.min, limits.max], kind)])
    expected = [
        0
        if math.isnan(v)
        else limits.max
        if v == math.inf
        else limits.min
        if v == -math.inf
        else min(max(int(WHOLE[which](v)), int(limits.min)), int(limits.max))
        for v in x.tolist()
    ]
    assert given(f"{source}_to_{target}", which, result, x).tolist() == expected


def exact_rounding(x: int, name: str, which: int) -> float:
    """An integer as the float that the rounding names, by exact comparisons."""
    kind = np.float32 if name == "f32" else np.float64
    near = kind(float(x)) if name == "f64" else kind(np.float64(x)) if abs(x) < 1 << 53 else _nearest_f32(x)
    toward = {1: -math.inf if x > 0 else math.inf, 2: -math.inf, 3: math.inf}.get(which)
    if toward is None or int(near) == x or (int(near) > x) != (toward < 0):
        return float(near)
    return float(np.nextafter(near, kind(toward)))


def _nearest_f32(x: int) -> np.float32:
    shift = max(0, abs(x).bit_length() - 30)
    # All bits but the last lie above: one that stands for what was cut keeps the rounding single.
    cut = (abs(x) >> shift) | (abs(x) & ((1 << shift) - 1) != 0)
    return np.float32(math.copysign(math.ldexp(np.float64(np.float32(np.float64(cut))), shift), x))


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("source", ["s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("target", ["f32", "f64"])
def test_integers_become_floats_by_each_rounding(source: str, target: str, which: int) -> None:
    if source[1:] == "32" and target == "f64":
        which = 0  # always exact
    kind = np.dtype(f"{'i' if source[0] == 's' else 'u'}{int(source[1:]) // 8}")
    x = integers(kind)
    got = given(f"{source}_to_{target}", which, np.float32 if target == "f32" else np.float64, x)
    assert got.tolist() == [exact_rounding(each, target, which) for each in x.tolist()]


@pytest.mark.parametrize("which", range(4))
def test_f64_becomes_f32_by_each_rounding(which: int) -> None:
    with np.errstate(all="ignore"):
        x = np.concatenate([floats(np.float64), floats(np.float32).astype(np.float64) * (1 + 2**-30)])
        x = np.concatenate([x, RANDOM.standard_normal(300) * 1e-41, RANDOM.uniform(3.4e38, 3.5e38, 50)])
        near = x.astype(np.float32)
        toward = {1: np.where(x > 0, -np.inf, np.inf), 2: -np.inf, 3: np.inf}.get(which)
        if toward is not None:
            away = (near > x) if which == 2 else (near < x) if which == 3 else np.abs(near) > np.abs(x)
            near = np.where(away, np.nextafter(near, np.float32(toward)), near)
    assert same(given("f64_to_f32", which, np.float32, x), near)
    single = floats(np.float32)
    with np.errstate(all="ignore"):
        assert same(given("f32_to_f64", 0, np.float64, single), single.astype(np.float64))


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16, 19, 24, 31])
def test_elements_of_packed_tiles_are_a_dense_stream(bits: int) -> None:
    x = RANDOM.integers(0, 1 << 32, 13, np.uint32)
    y = np.zeros(26, np.uint32)
    module("numbers").launch("packed", 1, [x, y, bits]).check()
    codes = [int(each) & ((1 << bits) - 1) for each in x]
    words = -(-13 * bits // 32)
    stream = sum(code << i * bits for i, code in enumerate(codes))
    filled = int.from_bytes(b"\x5a" * 4 * words, "little") >> 13 * bits << 13 * bits | stream
    assert y[13:].tolist() == codes
    assert y[:words].tolist() == [filled >> 32 * i & 0xFFFFFFFF for i in range(words)]


def test_products_have_all_their_bits() -> None:
    a, b = pairs(integers(np.uint32))
    wide = a.astype(np.uint64) * b.astype(np.uint64)
    assert np.array_equal(given("products", 0, np.uint64, a, b), wide)
    assert np.array_equal(given("products", 1, np.uint64, a, b), wide >> np.uint64(32))


def test_random_bits_are_those_of_the_interpreter() -> None:
    place, seed = pairs(integers(np.uint64))
    halves = [(each.astype(np.uint32), (each >> np.uint64(32)).astype(np.uint32)) for each in (place, seed)]
    expected = philox((*halves[0], 0, 0), halves[1])[0]
    assert np.array_equal(given("random_words", 0, np.uint32, place, seed), expected)
