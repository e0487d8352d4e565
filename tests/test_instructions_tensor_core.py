"""Matrix products, against sums of rational numbers and integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from batches import Given, evaluate, oracle
from exact import FLOATS, wrapped

from tilevm.dtypes import BF16, F16, F32, F64, I8, I32, TF32, U8, DType, dtype
from tilevm.errors import ProgramError
from tilevm.instruction import Instruction
from tilevm.instructions.tensor_core import Dot, DotScaled
from tilevm.machine import Array
from tilevm.values import TileType, Value

E4M3, E5M2, E2M1, E3M2, E2M3 = (dtype(name) for name in ("f8e4m3", "f8e5m2", "f4e2m1", "f6e3m2", "f6e2m3"))


def tile(format: DType, *shape: int) -> Value:
    return Value(TileType(format, shape))


def refused(code: str, instruction: Instruction, argument: str | None = None) -> None:
    with pytest.raises(ProgramError) as caught:
        instruction.check()
    assert caught.value.code == code
    assert argument is None or caught.value.diagnostics[0].argument == argument


def number(format: DType, code: int) -> Fraction:
    """The number of a code of a small float, from its bits."""
    sign = -1 if format.signed and code >> (format.bits - 1) else 1
    field, fraction = (code >> format.mantissa) & ((1 << format.exponent) - 1), code & ((1 << format.mantissa) - 1)
    bias = (1 << (format.exponent - 1)) - 1
    if format.name == "e8m0":
        return Fraction(2) ** (code - 127)
    whole = fraction + ((1 << format.mantissa) if field else 0)
    return sign * Fraction(whole) * Fraction(2) ** (max(field, 1) - bias - format.mantissa)


def product(a: Any, b: Any, acc: Any) -> list[list[Any]]:
    """acc + a @ b in exact numbers."""
    return [
        [acc[i][j] + sum(a[i][k] * b[k][j] for k in range(len(b))) for j in range(len(b[0]))] for i in range(len(a))
    ]


def fractions(x: Any) -> list[list[Fraction]]:
    return [[Fraction(float(each)) for each in row] for row in x]


BLOCKS = [(1, 1, 1), (3, 1, 1), (1, 3, 1), (1, 1, 3), (3, 3, 3)]


def check_dot(a: Given, b: Given, acc: Given, exact: Callable[[DType, Any], Any], finish: Callable[[Any], Any]) -> None:
    found = evaluate(Dot, a, b, acc)
    count = max(len(each.array) for each in (a, b, acc))
    assert len(found) == count
    for block in range(count):
        parts = [exact(each.dtype, each.array[block if len(each.array) > 1 else 0]) for each in (a, b, acc)]
        expected = [[finish(each) for each in row] for row in product(*parts)]
        assert found[block].tolist() == expected


@oracle(Dot)
@pytest.mark.parametrize("format", [F16, BF16, TF32, F32, F64], ids=str)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_float_products_are_exact_where_every_sum_is(format: DType, blocks: tuple[int, int, int]) -> None:
    random = np.random.default_rng(1)
    a, b, acc = (
        random.integers(-16, 17, (count, *shape)) / 8
        for count, shape in zip(blocks, ((4, 7), (7, 5), (4, 5)), strict=True)
    )
    sums = F64 if format is F64 else F32
    check_dot(Given(format, a), Given(format, b), Given(sums, acc), lambda _, x: fractions(x), FLOATS[sums].nearest)


@pytest.mark.parametrize(("format", "digits"), [(F16, 11), (BF16, 8), (TF32, 11)], ids=str)
def test_products_of_narrow_floats_are_not_rounded(format: DType, digits: int) -> None:
    last = 1 + 2.0 ** (1 - digits)
    found = evaluate(Dot, Given(format, [[[last]]]), Given(format, [[[last]]]), Given(F32, [[[0.0]]]))
    assert found.tolist() == [[[last * last]]]


@pytest.mark.parametrize("format", [F16, F32], ids=str)
def test_long_products_stay_within_the_bound_of_their_additions(format: DType) -> None:
    random = np.random.default_rng(2)
    a, b = (random.standard_normal(shape).astype(np.float16).astype(np.float32) for shape in ((1, 3, 512), (1, 512, 3)))
    found = evaluate(Dot, Given(format, a), Given(format, b), Given(F32, np.zeros((1, 3, 3))))
    for i, j in np.ndindex(3, 3):
        terms = [float(x) * float(y) for x, y in zip(a[0, i], b[0, :, j], strict=True)]
        assert abs(math.fsum(terms) - float(found[0, i, j])) <= 512 * 2.0**-24 * math.fsum(map(abs, terms))


def test_f64_is_added_in_f64() -> None:
    tiny = 2.0**-40
    found = evaluate(Dot, Given(F64, [[[1.0, tiny]]]), Given(F64, [[[1.0], [1.0]]]), Given(F64, [[[1.0]]]))
    assert found.tolist() == [[[2.0 + tiny]]]


@pytest.mark.parametrize("a_format", [I8, U8], ids=str)
@pytest.mark.parametrize("b_format", [I8, U8], ids=str)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_integers_are_exact_and_wrap(a_format: DType, b_format: DType, blocks: tuple[int, int, int]) -> None:
    random = np.random.default_rng(3)

    def any_of(format: DType, count: int, *shape: int) -> Array:
        return random.integers(int(format.min), int(format.max) + 1, (count, *shape))

    a, b = any_of(a_format, blocks[0], 3, 70), any_of(b_format, blocks[1], 70, 4)
    a[0, 0], b[0, :, 0] = a_format.max, b_format.max
    a[0, 1], b[0, :, 1] = a_format.min, b_format.min
    acc = random.choice([I32.min, I32.max, 0, 5], (blocks[2], 3, 4))
    check_dot(
        Given(a_format, a),
        Given(b_format, b),
        Given(I32, acc),
        lambda _, x: np.asarray(x).tolist(),
        lambda each: wrapped(each, I32),
    )


@pytest.mark.parametrize("k", [255, 256, 257, 258, 259, 260, 4096])
@pytest.mark.parametrize(("format", "most"), [(U8, 255), (I8, -128)], ids=str)
def test_integers_are_exact_on_both_sides_of_what_f32_holds(format: DType, most: int, k: int) -> None:
    a, b = np.full((1, 2, k), most), np.full((1, k, 2), most)
    a[0, 1, :], b[0, :, 1] = most + 1 if most < 0 else most - 1, 1
    b[0, 0, 0] = 4 + k % 2  # an odd sum of u8, which f32 does not hold beyond 2^24
    found = evaluate(Dot, Given(format, a), Given(format, b), Given(I32, np.ones((1, 2, 2))))
    rows = a[0].tolist()
    expected = [[1 + sum(x * y for x, y in zip(row, b[0, :, j].tolist(), strict=True)) for j in (0, 1)] for row in rows]
    assert found.tolist() == [expected]


FINITE = {E4M3: 0x77, E5M2: 0x7B, E2M1: 0x7, E3M2: 0x1F, E2M3: 0x1F, dtype("ue4m3"): 0x7D, dtype("e8m0"): 0xFE}
"""The largest finite code of each format, without its sign."""


def codes(format: DType, *shape: int, seed: int = 4) -> Array:
    random = np.random.default_rng(seed)
    found = random.integers(0, FINITE[format] + 1, shape)
    return found | (random.integers(0, 2, shape) << (format.bits - 1)) if format.signed else found


@pytest.mark.parametrize(
    ("a_format", "b_format"), [(E4M3, E5M2), (E5M2, E4M3), (E4M3, E4M3), (E2M1, E4M3), (E3M2, E2M3), (E2M1, E2M1)]
)
@pytest.mark.parametrize("blocks", [(1, 1, 1), (3, 1, 3), (1, 3, 1)])
def test_floats_of_8_bits_and_less_in_any_pairing(
    a_format: DType, b_format: DType, blocks: tuple[int, int, int]
) -> None:
    a, b = codes(a_format, blocks[0], 3, 8), codes(b_format, blocks[1], 8, 4, seed=5)
    acc = np.zeros((blocks[2], 3, 4))
    found = evaluate(Dot, Given(a_format, a), Given(b_format, b), Given(F32, acc))
    for block in range(max(blocks)):
        left, right = (
            [[number(format, int(code)) for code in row] for row in x[block if len(x) > 1 else 0]]
            for format, x in ((a_format, a), (b_format, b))
        )
        for i, j in np.ndindex(3, 4):
            terms = [left[i][k] * right[k][j] for k in range(8)]
            error = abs(Fraction(float(found[block, i, j])) - sum(terms))
            assert error <= 8 * Fraction(1, 2**24) * sum(map(abs, terms))


def test_nans_and_infinities_of_8_bit_floats_reach_the_product() -> None:
    one, infinity, nan = 0x3C, 0x7C, 0x7F
    found = evaluate(
        Dot,
        Given(E5M2, [[[one, infinity], [one, nan], [one, one]]]),
        Given(E4M3, [[[0x38], [0x38]]]),
        Given(F32, np.zeros((1, 3, 1))),
    )
    assert found[0, 0, 0] == math.inf
    assert np.isnan(found[0, 1, 0])
    assert found[0, 2, 0] == 2


def test_precision_f32_takes_what_tensor_cores_take() -> None:
    a = Given(F16, [[[1.5, 2.0]]])
    found = evaluate(lambda a, b, c: Dot(a, b, c, "f32"), a, Given(F16, [[[2.0], [4.0]]]), Given(F32, [[[1.0]]]))
    assert found.tolist() == [[[12.0]]]


def test_dot_refuses_what_does_not_fit() -> None:
    a, b, acc = tile(F16, 4, 8), tile(F16, 8, 2), tile(F32, 4, 2)
    assert Dot(a, b, acc).check() == TileType(F32, (4, 2))
    refused("T050", Dot(a, tile(F16, 7, 2), acc), "b")
    refused("T050", Dot(a, tile(F16, 8), acc), "b")
    refused("T050", Dot(a, b, tile(F32, 2, 4)), "acc")
    refused("T050", Dot(tile(F16, 1, 4, 8), b, acc))
    refused("T051", Dot(a, b, tile(F16, 4, 2)), "acc")
    refused("T051", Dot(tile(F64, 4, 8), tile(F64, 8, 2), acc), "acc")
    refused("T051", Dot(tile(U8, 4, 8), tile(I8, 8, 2), acc), "acc")
    refused("T052", Dot(a, tile(BF16, 8, 2), acc), "b")
    refused("T052", Dot(a, tile(E4M3, 8, 2), acc), "b")
    refused("T052", Dot(a, tile(I8, 8, 2), acc), "b")
    refused("T052", Dot(tile(F32, 4, 8), tile(TF32, 8, 2), acc), "b")
    refused("T006", Dot(tile(dtype("u4"), 4, 8), b, acc), "a")
    refused("T006", Dot(tile(I32, 4, 8), tile(I32, 8, 2), acc), "a")
    refused("T006", Dot(tile(dtype("nf4"), 4, 8), b, acc), "a")


SCALED = [
    (E2M1, dtype("e8m0"), 32, 64),
    (E2M1, dtype("ue4m3"), 16, 64),
    (E4M3, dtype("e8m0"), 32, 64),
    (E3M2, dtype("e8m0"), 32, 32),
    (E5M2, dtype("ue4m3"), 8, 8),
]


@oracle(DotScaled)
@pytest.mark.parametrize(("format", "scale", "block", "k"), SCALED)
@pytest.mark.parametrize("blocks", [1, 3])
def test_scaled_products(format: DType, scale: DType, block: int, k: int, blocks: int) -> None:
    """Within half a unit of the f32 result, and what f64 additions may lose before it is rounded."""
    near = (118, 136) if scale.name == "e8m0" else (0x20, 0x50)
    random = np.random.default_rng(6)
    a, b = codes(format, blocks, 3, k), codes(format, 1, k, 4, seed=7)
    a_scale, b_scale = random.integers(*near, (1, 3, k // block)), random.integers(*near, (blocks, k // block, 4))
    acc = random.integers(-64, 64, (1, 3, 4)) / 8
    found = evaluate(
        DotScaled,
        *(Given(f, x) for f, x in ((format, a), (scale, a_scale), (format, b), (scale, b_scale), (F32, acc))),
    )
    assert len(found) == blocks
    for at, i, j in np.ndindex(blocks, 3, 4):
        terms = [
            number(format, int(a[at, i, p]))
            * number(scale, int(a_scale[0, i, p // block]))
            * number(format, int(b[0, p, j]))
            * number(scale, int(b_scale[at, p // block, j]))
            for p in range(k)
        ]
        expected = sum(terms, Fraction(float(acc[0, i, j])))
        slack = Fraction(k, 2**52) * (sum(map(abs, terms)) + abs(expected))
        assert abs(Fraction(float(found[at, i, j])) - expected) <= abs(expected) / 2**24 + slack


def test_scales_of_a_differ_from_those_of_b() -> None:
    ones = np.full((1, 1, 4), 0b010)
    found = evaluate(
        lambda *x: DotScaled(*x),
        Given(E2M1, ones),
        Given(F32, [[[10.0]]]),
        Given(E2M1, ones.reshape(1, 4, 1)),
        Given(F32, [[[1.0], [0.5], [2.0], [0.25]]]),
        Given(F32, [[[3.0]]]),
    )
    assert found.tolist() == [[[10 * 3.75 + 3]]]


def test_codes_of_integers_and_codebooks_are_scaled_too() -> None:
    found = evaluate(
        DotScaled,
        Given(dtype("i4"), [[[7, 8]]]),
        Given(F16, [[[2.0]]]),
        Given(dtype("nf4"), [[[15], [0]]]),
        Given(F16, [[[1.0]]]),
        Given(F32, [[[0.0]]]),
    )
    assert found.tolist() == [[[2 * (7 * 1 + -8 * -1)]]]


def test_dot_scaled_refuses_what_does_not_fit() -> None:
    a, b, acc = tile(E2M1, 4, 64), tile(E2M1, 64, 8), tile(F32, 4, 8)
    e8m0 = dtype("e8m0")
    left, right = tile(e8m0, 4, 2), tile(e8m0, 2, 8)
    assert DotScaled(a, left, b, right, acc).check() == TileType(F32, (4, 8))
    refused("T050", DotScaled(a, left, tile(E2M1, 32, 8), right, acc), "b")
    refused("T051", DotScaled(a, left, b, right, tile(F16, 4, 8)), "acc")
    refused("T053", DotScaled(a, tile(e8m0, 2, 2), b, right, acc), "a_scale")
    refused("T053", DotScaled(a, tile(e8m0, 4, 3), b, right, acc), "a_scale")
    refused("T053", DotScaled(a, tile(e8m0, 4), b, right, acc), "a_scale")
    refused("T053", DotScaled(a, left, b, tile(e8m0, 8, 2), acc), "b_scale")
    refused("T006", DotScaled(tile(dtype("u4"), 4, 64), left, b, right, acc), "a")
    refused("T006", DotScaled(a, tile(I8, 4, 2), b, right, acc), "a_scale")
