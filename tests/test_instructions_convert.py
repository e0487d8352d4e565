"""Casts, views and dequantisation against rational numbers, Python integers as strings of bits, and ml_dtypes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from batches import Given, evaluate, oracle
from exact import FLOATS, assert_same, integer_edges, wrapped
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.dtypes import BF16, F16, F32, F64, I32, U1, U8, U32, DType, dtype
from tilevm.errors import TilevmError
from tilevm.instructions.convert import Cast, Dequantize, View
from tilevm.layout import Layout
from tilevm.layout_constructors import column_local, column_spatial, local, rep, row_major, spatial
from tilevm.machine import Array
from tilevm.values import TileType

I4, U4, I8 = dtype("i4"), dtype("u4"), dtype("i8")
SMALL = {
    "f4e2m1": ml_dtypes.float4_e2m1fn,
    "f6e3m2": ml_dtypes.float6_e3m2fn,
    "f6e2m3": ml_dtypes.float6_e2m3fn,
    "f8e4m3": ml_dtypes.float8_e4m3fn,
    "f8e5m2": ml_dtypes.float8_e5m2,
}


def refused(code: str, make: Any, *operands: Given) -> TilevmError:
    with pytest.raises(TilevmError) as caught:
        evaluate(make, *operands)
    assert caught.value.code == code
    return caught.value


def every_half() -> Array:
    """Every number of f16 and one NaN."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return np.append(numbers[~np.isnan(numbers)], np.float16(np.nan))


# cast


@oracle(Cast)
@pytest.mark.parametrize("name", SMALL)
def test_a_cast_of_every_half_to_a_small_float_is_that_of_ml_dtypes(name: str) -> None:
    numbers = every_half()
    numbers = numbers[np.abs(numbers) <= float(ml_dtypes.finfo(SMALL[name]).max)]
    found = evaluate(lambda x: Cast(x, dtype(name)), Given(F16, numbers[None].astype(np.float32)))
    np.testing.assert_array_equal(found[0], numbers.astype(SMALL[name]).view(np.uint8))


@oracle(Cast)
@pytest.mark.parametrize("name", SMALL)
def test_a_cast_of_every_small_code_to_f16_and_bf16_is_that_of_ml_dtypes(name: str) -> None:
    codes = np.arange(1 << dtype(name).bits, dtype=np.uint8)
    expected = codes.view(SMALL[name]).astype(np.float64)
    for format in (F16, BF16, F32, F64):
        assert_same(evaluate(lambda x, to=format: Cast(x, to), Given(dtype(name), [codes])), expected)


@oracle(Cast)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=8, max_size=8), st.sampled_from([F16, BF16, F32]))
def test_a_cast_to_a_narrower_float_rounds_once(numbers: list[float], target: DType) -> None:
    for source in (F64, F32):
        given_numbers = (
            np.array(numbers, source.carrier) if source is F64 else np.float32(np.clip(numbers, -1e38, 1e38))
        )
        exact = given_numbers.astype(np.float64).tolist()
        nearest = FLOATS[target].nearest
        expected = [nearest(Fraction(x), x) if math.isfinite(x) else x for x in exact]
        assert_same(evaluate(lambda x: Cast(x, target), Given(source, [given_numbers])), expected)


ROUNDED: dict[str, Any] = {
    "nearest_even": round,
    "nearest_away": lambda x: math.floor(abs(x) + Fraction(1, 2)) * (1 if x > 0 else -1),
    "toward_zero": math.trunc,
    "up": math.ceil,
    "down": math.floor,
}


@oracle(Cast)
@pytest.mark.parametrize("rounding", ROUNDED)
@pytest.mark.parametrize("saturate", [None, True, False])
@pytest.mark.parametrize("name", ["i8", "u8", "i4", "u3", "i32"])
def test_a_cast_to_integers_rounds_as_asked_then_saturates_or_wraps(
    name: str, saturate: bool | None, rounding: str
) -> None:
    target = dtype(name)
    numbers = [
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        0.49,
        2.0,
        -3.75,
        7.5,
        -8.5,
        126.5,
        127.5,
        -128.5,
        200.0,
        255.5,
        -300.25,
        1e4,
    ]
    found = evaluate(lambda x: Cast(x, target, rounding, saturate), Given(F32, [numbers]))

    def expected(x: float) -> int:
        whole = ROUNDED[rounding](Fraction(x))
        kept = wrapped(whole, target) if saturate is False else min(max(whole, int(target.min)), int(target.max))
        return kept if target.carrier is not None else kept % (1 << target.bits)

    assert_same(found, map(expected, np.float32(numbers).tolist()), lambda place: numbers[place])


@oracle(Cast)
def test_a_cast_between_integers_saturates_or_wraps() -> None:
    for source in (I8, U8, I32, U32, dtype("i64"), dtype("u64")):
        numbers = integer_edges(source)
        for target in (I8, U8, I32, U32, dtype("i64"), dtype("u64")):
            held = Given(source, [numbers])
            low, high = int(target.min), int(target.max)
            assert_same(evaluate(lambda x, to=target: Cast(x, to), held), [min(max(x, low), high) for x in numbers])
            found = evaluate(lambda x, to=target: Cast(x, to, saturate=False), held)
            assert_same(found, [wrapped(x, target) for x in numbers])


@oracle(Cast)
def test_a_stochastic_cast_rounds_up_as_often_as_the_number_is_near() -> None:
    random = np.random.default_rng(7)
    numbers = np.repeat([[1.25, 1.5, 2.75, -2.75, 3.0]], 4000, axis=0).T[None]
    bits = random.integers(0, 1 << 32, numbers.shape, np.uint32)
    found = evaluate(
        lambda x, bits: Cast(x, I8, "stochastic", random=bits), Given(F32, numbers), Given(U32, bits)
    ).astype(float)
    assert (np.abs(found - numbers) < 1).all()
    np.testing.assert_allclose(found.mean(axis=-1)[0], [1.25, 1.5, 2.75, -2.75, 3.0], atol=0.03)


def test_a_stochastic_cast_of_shared_elements_differs_from_block_to_block() -> None:
    bits = np.array([[0], [(1 << 32) - 1]])
    found = evaluate(lambda x, b: Cast(x, I8, "stochastic", random=b), Given(F32, [[1.5]]), Given(U32, bits))
    assert sorted(found.ravel().tolist()) == [1, 2]


def test_random_bits_go_with_stochastic_rounding_and_have_the_shape() -> None:
    x, bits = Given(F32, [[1.0, 2.0]]), Given(U32, [[1, 2]])
    refused("T030", lambda x: Cast(x, I8, "stochastic"), x)
    refused("T030", lambda x, bits: Cast(x, I8, random=bits), x, bits)
    refused("T031", lambda x, bits: Cast(x, I8, "stochastic", random=bits), x, Given(U32, [[1]]))
    refused("T006", lambda x, bits: Cast(x, I8, "stochastic", random=bits), x, Given(I32, [[1, 2]]))


# view


def bit_string(code: int, bits: int) -> str:
    """The bits of a code, lowest first."""
    return f"{code:0{bits}b}"[::-1]


def viewed(codes: Array, source: Layout, bits: int, target: Layout, target_bits: int) -> dict[tuple[int, ...], int]:
    """The elements of the view, by loops over threads and slots, and strings of bits."""
    found = {}
    for thread in range(source.threads):
        string = "".join(bit_string(int(codes[source.at(thread, slot)]), bits) for slot in range(source.slots))
        for slot in range(target.slots):
            part = string[slot * target_bits : (slot + 1) * target_bits]
            found[target.at(thread, slot)] = int(part[::-1], 2)
    return found


VIEWS = [
    ("u8", spatial(8, 4) * local(1, 3), "f6e3m2", spatial(8, 4) * local(1, 4)),
    ("u8", local(2, 1) * spatial(4, 8) * local(1, 2), "u4", local(2, 2) * column_spatial(8, 4) * local(1, 2)),
    ("f16", spatial(8, 4) * local(1, 2), "u32", spatial(4, 8)),
    ("u1", spatial(2, 2) * local(2, 12), "u3", spatial(4) * local(8)),
    ("u8", spatial(4) * local(5), "f5e2m2", column_local(2, 2) * spatial(2, 2) * local(1, 2)),
    ("i32", spatial(4, 2), "f32", column_spatial(2, 4)),
    ("u8", rep(2) * spatial(4) * local(3), "u4", rep(2) * spatial(4) * local(6)),
    ("u8", rep(2) * spatial(4) * local(2), "f16", rep(2) * column_spatial(2, 2)),
]


@oracle(View)
@pytest.mark.parametrize(("name", "source", "other", "target"), VIEWS, ids=lambda each: str(each).partition("{")[0])
@pytest.mark.parametrize("blocks", [1, 3])
def test_a_view_keeps_the_bits_of_every_thread(
    name: str, source: Layout, other: str, target: Layout, blocks: int
) -> None:
    format, result = dtype(name), dtype(other)

    assert source.threads == target.threads
    random = np.random.default_rng(blocks)
    # Small codes, so that no float is a NaN whose bits a carrier may change.
    codes = random.integers(0, min(1 << format.bits, 1 << 14), (blocks, *source.shape))
    held = format.to_values(codes.astype(format.storage)) if format.carrier is not None else codes
    found = result.to_codes(evaluate(lambda x: View(x, result, target), Given(format, held, source)))
    assert found.shape == (blocks, *target.shape)
    for block in range(blocks):
        expected = viewed(codes[block], source, format.bits, target, result.bits)
        assert all(found[(block, *index)] == code for index, code in expected.items())


def test_a_view_and_its_inverse_are_the_identity() -> None:
    bytes_layout, codes_layout = spatial(8, 4) * local(1, 3), spatial(8, 4) * local(1, 4)
    codes = np.random.default_rng(0).integers(0, 256, (2, *bytes_layout.shape))
    there = evaluate(lambda x: View(x, dtype("u6"), codes_layout), Given(U8, codes, bytes_layout))
    back = evaluate(lambda x: View(x, U8, bytes_layout), Given(dtype("u6"), there, codes_layout))
    np.testing.assert_array_equal(back, codes)


def test_a_view_that_is_none_is_refused() -> None:
    layout = spatial(8, 4) * local(1, 3)
    x = Given(U8, np.zeros((1, *layout.shape), np.uint8), layout)
    refused("L012", lambda x: View(x, dtype("u6"), layout), x)
    refused("L012", lambda x: View(x, dtype("u6"), spatial(4, 4) * local(1, 8)), x)
    refused("T029", lambda x: View(x, U8, row_major(8, 12, width=8)), x)
    error = refused("L039", lambda x: View(x, U8, layout), Given(U8, x.array))
    assert "`@ layout` where the tile is defined" in str(error)
    shared_slot = spatial(4, 1).broadcast(1, 2)
    refused("L011", lambda x: View(x, U8, spatial(4, 1)), Given(U8, np.zeros((1, 4, 2), np.uint8), shared_slot))


def test_the_type_of_a_view_carries_its_layout() -> None:
    source, target = spatial(8, 4) * local(1, 3), spatial(8, 4) * local(1, 4)

    def checked(x: Any) -> View:
        made = View(x, dtype("u6"), target)
        assert made.infer() == TileType(dtype("u6"), (8, 16), target)
        return made

    evaluate(checked, Given(U8, np.zeros((1, 8, 12), np.uint8), source))


# dequantize


def nearest(format: DType, exact: Fraction) -> Fraction:
    return Fraction(FLOATS[format].nearest(exact))


@oracle(Dequantize)
@pytest.mark.parametrize("scale_format", [F16, BF16, F32, F64], ids=str)
@pytest.mark.parametrize(
    ("zero_format", "zero_shape"), [(None, ()), (U4, (2, 3)), (U4, ()), (F16, (1, 6)), (F32, (4, 1))]
)
@pytest.mark.parametrize("scale_shape", [(2, 6), (4, 1), ()])
def test_dequantize_scales_block_by_block_and_rounds_each_step(
    scale_shape: tuple[int, ...], zero_format: DType | None, zero_shape: tuple[int, ...], scale_format: DType
) -> None:
    random = np.random.default_rng(3)
    shape = (4, 6)
    codes = random.integers(0, 16, (2, *shape))
    scales = np.asarray(random.uniform(-0.3, 0.3, (1, *scale_shape)), np.float16).astype(np.float32)
    if scale_format is BF16:
        scales = scales.astype(ml_dtypes.bfloat16).astype(np.float32)
    operands = [Given(U4, codes), Given(scale_format, scales)]
    zeros: Array = np.zeros((1,))
    if zero_format is not None:
        zeros = (
            random.integers(0, 16, (2, *zero_shape)) if zero_format is U4 else random.uniform(0, 9, (1, *zero_shape))
        )
        zeros = zeros if zero_format is U4 else zeros.astype(np.float16).astype(np.float32)
        operands.append(Given(zero_format, zeros))
    found = evaluate(Dequantize, *operands)

    def of(parameter: Array, block: int, index: tuple[int, ...]) -> Fraction:
        own = parameter[block if len(parameter) > 1 else 0]
        place = tuple(i * part // n for i, part, n in zip(index, own.shape, shape, strict=False))
        return Fraction(float(own[place]))

    for block, *index in np.ndindex(2, *shape):
        code = Fraction(int(codes[(block, *index)]))
        difference = nearest(scale_format, code - nearest(scale_format, of(zeros, block, tuple(index))))
        expected = nearest(scale_format, difference * of(scales, block, tuple(index)))
        assert Fraction(float(found[(block, *index)])) == expected


@oracle(Dequantize)
@pytest.mark.parametrize("name", ["i4", "f4e2m1", "nf4", "trit", "f16"])
def test_dequantize_takes_codes_of_any_format(name: str) -> None:
    format = dtype(name)
    codes = np.arange(3 if name == "trit" else 16)[None]
    held = codes if format.carrier is None else codes / 8
    tables = {
        "i4": [*range(8), *range(-8, 0)],
        "f4e2m1": codes[0].astype(np.uint8).view(ml_dtypes.float4_e2m1fn).astype(float).tolist(),
        "trit": [0, 1, -1],
        "nf4": format.table,
        "f16": held[0],
    }
    found = evaluate(Dequantize, Given(format, held), Given(F32, [0.5]))
    np.testing.assert_array_equal(found[0], np.float32(tables[name]) * np.float32(0.5))


@pytest.mark.parametrize("shape", [(3, 6), (2,), (2, 4), (8, 6), (1, 2, 6)])
def test_scales_that_do_not_divide_the_codes_are_refused(shape: tuple[int, ...]) -> None:
    codes, scales = Given(U4, np.zeros((1, 4, 6), np.uint8)), Given(F16, np.ones((1, *shape)))
    assert "scale" in str(refused("T032", Dequantize, codes, scales))
    one = Given(F16, [1.0])
    assert "zero" in str(refused("T032", Dequantize, codes, one, scales))
    refused("T006", Dequantize, codes, Given(U1, [1]))
