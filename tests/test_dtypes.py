"""Formats: which exist, what each number of them is, and what their names mean."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from oracle_formats import Float, narrow_formats, oracle

from tilevm.dtypes import BF16, F16, F32, F64, TF32, U1, DType, codebook, dtype
from tilevm.errors import DTypeError

NARROW = narrow_formats()


def finite(name: str) -> list[Fraction]:
    return [number for number in oracle(name).numbers() if isinstance(number, Fraction)]


@pytest.mark.parametrize("name", NARROW)
def test_every_code_of_every_narrow_format_decodes_to_the_number_of_its_definition(name: str) -> None:
    kind = dtype(name)
    codes = np.arange(1 << kind.bits, dtype=np.uint8)
    expected = np.array([float(number) for number in oracle(name).numbers()])
    for target in (np.float64, np.float32):
        found = kind.decode_to(codes, target)
        assert found.dtype == target
        np.testing.assert_array_equal(found, expected.astype(target))
    if name != "trit":
        np.testing.assert_array_equal(kind.decode(codes), expected)


@pytest.mark.parametrize("name", NARROW)
def test_the_sign_of_zero_survives_decoding(name: str) -> None:
    kind = dtype(name)
    codes = np.arange(1 << kind.bits, dtype=np.uint8)
    values = kind.decode_to(codes, np.float32)
    negative_zeros = codes[(values == 0) & np.signbit(values)]
    has_one = kind.kind == "float" and kind.signed and kind.specials != "fnuz"
    assert negative_zeros.tolist() == ([1 << (kind.bits - 1)] if has_one else [])


@pytest.mark.parametrize("name", NARROW)
def test_ranges_are_those_of_the_numbers(name: str) -> None:
    kind, numbers = dtype(name), finite(name)
    assert Fraction(kind.max) == max(numbers)
    assert Fraction(kind.min) == min(numbers)
    assert Fraction(kind.smallest) == min((number for number in numbers if number > 0), default=0)
    assert isinstance(kind.max, int) == (kind.kind in ("int", "uint"))
    every = oracle(name).numbers()
    assert kind.has_nan == (kind.kind == "float" and any(number != number for number in every))
    assert kind.has_infinity == any(number == math.inf for number in every)
    assert kind.signed == (min(numbers) < 0)


def test_the_largest_number_of_unsigned_types_has_no_sign_bit_to_lose() -> None:
    assert [dtype(f"u{bits}").max for bits in (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64)] == [
        2**bits - 1 for bits in (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64)
    ]
    assert [dtype(f"u{bits}").min for bits in (1, 8, 64)] == [0, 0, 0]
    assert (dtype("ue4m3").max, dtype("ue5m3").max, dtype("ue4m3").min) == (448.0, 114688.0, 0.0)
    assert (dtype("e8m0").min, dtype("e8m0").max) == (2.0**-127, 2.0**127)


@pytest.mark.parametrize(
    ("name", "bias", "smallest", "largest"),
    [
        ("f4e2m1", 1, 0.5, 6.0),
        ("f6e2m3", 1, 0.125, 7.5),
        ("f6e3m2", 3, 0.0625, 28.0),
        ("f8e4m3", 7, 2.0**-9, 448.0),
        ("f8e5m2", 15, 2.0**-16, 57344.0),
        ("f8e4m3fnuz", 8, 2.0**-10, 240.0),
        ("f8e5m2fnuz", 16, 2.0**-17, 57344.0),
        ("f8e3m4", 3, 2.0**-6, 15.5),
        ("f3e1m1", 0, 1.0, 3.0),
        ("f3e2m0", 1, 1.0, 4.0),
        ("f16", 15, 2.0**-24, 65504.0),
        ("bf16", 127, 2.0**-133, float.fromhex("0x1.fep127")),
        ("tf32", 127, 2.0**-136, float.fromhex("0x1.ffcp127")),
        ("f32", 127, 2.0**-149, float(np.finfo(np.float32).max)),
        ("f64", 1023, 5e-324, float(np.finfo(np.float64).max)),
        ("e8m0", 127, 2.0**-127, 2.0**127),
    ],
)
def test_published_ranges(name: str, bias: int, smallest: float, largest: float) -> None:
    kind = dtype(name)
    assert (kind.bias, kind.smallest, kind.max) == (bias, smallest, largest)


@pytest.mark.parametrize(
    ("bare", "suffix"), [("f8e4m3", "fn"), ("f8e5m2", "ieee"), ("ue4m3", "fn"), ("f8e7m0", "fn"), ("f12e5m6", "ieee")]
)
def test_a_suffix_that_says_what_the_bare_name_means_is_the_same_format(bare: str, suffix: str) -> None:
    assert dtype(bare + suffix) is dtype(bare)
    assert dtype(bare).name == bare


@pytest.mark.parametrize("name", ["f8e4m3ieee", "f8e5m2fn", "f4e2m1fn", "f4e2m1ieee", "ue4m3ieee", "f8e4m3fnuz"])
def test_a_suffix_that_says_something_else_is_another_format(name: str) -> None:
    kind, bare = dtype(name), dtype(name.rstrip("fnuzie"))
    assert kind is not bare
    assert kind.name == name
    assert kind.specials == Float(name).kind != bare.specials


def test_below_8_bits_every_code_of_a_bare_name_is_a_number() -> None:
    for name in NARROW:
        kind = dtype(name)
        if kind.kind == "float" and kind.signed and kind.bits < 8 and name[-1].isdigit():
            assert kind.specials == "finite"
            assert np.isfinite(kind.decode(np.arange(1 << kind.bits))).all()


def test_formats_without_an_exponent_have_no_bias() -> None:
    assert [dtype(name).bias for name in ("u4", "i1", "nf4", "trit", "i64")] == [0] * 5


def test_formats_are_interned_and_pickle_to_themselves() -> None:
    assert dtype("f16") is F16
    assert dtype(F16) is F16
    assert dtype("bool") is U1
    for name in [*NARROW, "f16", "bf16", "tf32", "f32", "f64", "i64", "u16", "f16e5m10", "f9e4m4"]:
        kind = dtype(name)
        assert dtype(name) is kind
        assert pickle.loads(pickle.dumps(kind)) is kind
        assert str(kind) == name
    own = codebook("pickled_book", [3, 1, 2])
    assert pickle.loads(pickle.dumps(own)) is own


def test_types_of_numpy_and_ml_dtypes_name_their_formats() -> None:
    for given, name in [
        (np.float16, "f16"),
        (np.dtype("<f8"), "f64"),
        (np.int8, "i8"),
        (np.uint64, "u64"),
        (np.bool_, "u1"),
        (ml_dtypes.bfloat16, "bf16"),
        (ml_dtypes.float4_e2m1fn, "f4e2m1"),
        (ml_dtypes.float8_e4m3fn, "f8e4m3"),
        (ml_dtypes.float8_e4m3, "f8e4m3ieee"),
        (ml_dtypes.float8_e8m0fnu, "e8m0"),
        (ml_dtypes.int4, "i4"),
        (ml_dtypes.uint2, "u2"),
    ]:
        assert dtype(given).name == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("u9", "1 to 8, 16, 32 or 64"),
        ("i12", "1 to 8, 16, 32 or 64"),
        ("u0", "1 to 8, 16, 32 or 64"),
        ("u08", "did you mean `u8`"),
        ("u1\N{ARABIC-INDIC DIGIT SIX}", "formats are written"),
        ("u8\n", "did you mean"),
        ("u" + "9" * 5000, "formats are written"),
        ("f08e4m3", "f8e4m3"),
        ("f8e4m03", "f8e4m3"),
        ("f4e2\N{SUPERSCRIPT ONE}m1", "f4e2m1"),
        ("f8e4m4", "f9e4m4"),
        ("f2e1m0", "3 to 16 bits"),
        ("f17e8m8", "3 to 16 bits"),
        ("f12e9m2", "1 to 8 of them exponent"),
        ("f4e0m3", "1 to 8 of them exponent"),
        ("f3e2m0ieee", "leave out"),
        ("f3e1m1ieee", "leave out"),
        ("ue3m5fnuz", "ue4m3"),
        ("f6e3m", "f6e3m2"),
        ("bf61", "bf16"),
        ("F16", "f16"),
        ("", "formats are written"),
    ],
)
def test_a_name_that_is_no_format_is_refused_with_a_hint_d001(name: str, hint: str) -> None:
    with pytest.raises(DTypeError, match=r"D001") as caught:
        dtype(name)
    assert caught.value.code == "D001"
    assert f"`{name}`" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize("given", [np.complex64, np.dtype("datetime64[s]"), 3, object(), None, 2.5])
def test_what_is_neither_a_name_nor_a_type_is_refused_d001(given: object) -> None:
    with pytest.raises(DTypeError) as caught:
        dtype(given)
    assert caught.value.code == "D001"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("one_value", [1.0]),
        ("twice", [1.0, 1.0]),
        ("zeros", [0.0, -0.0]),
        ("not_finite", [0.0, math.inf]),
        ("not_a_number", [0.0, math.nan]),
        ("too_many", range(257)),
        ("no_values", None),
        ("letters", ["a", "b"]),
        ("complex", [1j, 2.0]),
        ("rows", np.zeros((2, 2))),
        ("beyond_f64", [10**400, 1]),
        (3, [0, 1]),
        ("Capital", [0, 1]),
        ("with space", [0, 1]),
        ("u4", [0, 1]),
        ("f5e3m1", [0, 1]),
        ("nf4", [0, 1]),
        ("trit", [0, 1]),
    ],
)
def test_codebooks_that_cannot_be_are_refused_d002(name: Any, values: Any) -> None:
    with pytest.raises(DTypeError) as caught:
        codebook(name, values)
    assert caught.value.code == "D002"
    assert str(name) in str(caught.value)


def test_a_codebook_keeps_its_name_and_refuses_another_table_d002() -> None:
    first = codebook("kept_book", [0.0, 1.0, 4.0])
    assert codebook("kept_book", [0, 1, 4]) is first
    assert dtype("kept_book") is first
    assert (first.bits, first.max, first.min, first.smallest, first.signed) == (2, 4.0, 0.0, 1.0, False)
    with pytest.raises(DTypeError) as caught:
        codebook("kept_book", [0.0, 1.0, 5.0])
    assert caught.value.code == "D002"
    assert codebook("below_zero", [-2.0, -1.0]).smallest == 0.0
    assert codebook("full_book", range(256)).bits == 8


@pytest.mark.parametrize(
    ("name", "codes", "wrong"),
    [
        ("u4", [0, 16], "16"),
        ("i4", [-1], "-1"),
        ("trit", [2, 3], "3"),
        ("f6e3m2", [64], "64"),
        ("u8", [256], "256"),
        ("tf32", [1 << 19], "524288"),
        ("u4", [1.0], "float64"),
        ("u8", ["1"], "<U1"),
    ],
)
def test_what_is_not_a_code_is_refused_d003(name: str, codes: list[object], wrong: str) -> None:
    for method in (dtype(name).checked, dtype(name).decode):
        with pytest.raises(DTypeError) as caught:
            method(codes)
        assert caught.value.code == "D003"
        assert wrong in str(caught.value)


def test_codes_are_taken_in_any_integer_type_and_as_truth_values() -> None:
    assert dtype("u1").checked([True, False]).tolist() == [1, 0]
    assert dtype("i4").checked(np.array([15], np.int64)).dtype == np.uint8
    assert dtype("u4").checked([]).dtype == np.uint8
    assert dtype("trit").decode([0, 1, 2]).tolist() == [0.0, 1.0, -1.0]
    assert dtype("i1").decode([0, 1]).tolist() == [0.0, -1.0]


def test_storage_and_carriers() -> None:
    def forms(kind: DType) -> tuple[str, str | None, bool]:
        return str(kind.storage), None if kind.carrier is None else str(kind.carrier), kind.arithmetic

    assert forms(F16) == ("uint16", "float32", True)
    assert forms(BF16) == ("uint16", "float32", True)
    assert forms(TF32) == ("uint32", "float32", False)
    assert forms(F32) == ("uint32", "float32", True)
    assert forms(F64) == ("uint64", "float64", True)
    assert forms(U1) == ("uint8", "bool", True)
    assert forms(dtype("i32")) == ("uint32", "int32", True)
    assert forms(dtype("f6e3m2")) == ("uint8", None, False)
    assert forms(dtype("f12e5m6")) == ("uint16", None, False)
