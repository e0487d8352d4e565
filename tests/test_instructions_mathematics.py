"""Mathematical functions and selections against Python's ``math`` and rational numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from batches import Given, evaluate, oracle
from exact import FLOATS, assert_same, integer_edges, wrapped
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.dtypes import BF16, F16, F32, F64, I32, U1, DType, dtype
from tilevm.errors import ProgramError
from tilevm.instruction import Instruction
from tilevm.instructions.mathematics import (
    AbsoluteValue,
    BaseTwoExponential,
    BaseTwoLogarithm,
    Ceiling,
    Cosine,
    ErrorFunction,
    Exponential,
    Floor,
    FusedMultiplyAdd,
    HyperbolicTangent,
    Logarithm,
    ReciprocalSquareRoot,
    Round,
    Sine,
    SquareRoot,
)
from tilevm.instructions.selection import Clamp, Maximum, Minimum, Select, Where

each_float = pytest.mark.parametrize("format", [F16, BF16, F32, F64], ids=str)
U4 = dtype("u4")


def every(format: DType) -> list[float]:
    """Every number of a format of 16 bits; of a wider one its edges, and numbers over its whole range."""
    codes = np.arange(1 << 16, dtype=np.uint32)
    if format.bits == 16:
        numbers = (codes << 16).view(np.float32) if format is BF16 else codes.astype(np.uint16).view(np.float16)
        return [0.0 if number == 0 else number for number in numbers[~np.isnan(numbers)].tolist()] + [
            -0.0,
            math.nan,
        ]
    exponents = range(-60, 61, 3)
    spread = [
        sign * significand * 2.0**exponent
        for exponent in exponents
        for significand in (1, 1.3, 1.9)
        for sign in (1, -1)
    ]
    return FLOATS[format].edges() + np.array(spread, format.carrier).astype(float).tolist()  # type: ignore[no-any-return]


def total(function: Callable[[float], float]) -> Callable[[float], float]:
    """A function of ``math`` without its exceptions: NaN for an invalid argument, an infinity beyond the range."""

    def result(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return result


def rsqrt(x: float) -> float:
    return math.copysign(math.inf, x) if x == 0 else 0.0 if x == math.inf else 1 / math.sqrt(x)


FUNCTIONS: list[tuple[type[Instruction], Callable[[float], float], float]] = [
    (Exponential, math.exp, 4),
    (BaseTwoExponential, lambda x: 2.0**x, 4),
    (Logarithm, lambda x: math.log(x) if x else -math.inf, 4),
    (BaseTwoLogarithm, lambda x: math.log2(x) if x else -math.inf, 4),
    (SquareRoot, math.sqrt, 0.5),
    (ReciprocalSquareRoot, rsqrt, 2),
    (Sine, math.sin, 4),
    (Cosine, math.cos, 4),
    (HyperbolicTangent, math.tanh, 4),
    (ErrorFunction, math.erf, 1),
]


@oracle(*(cls for cls, _, _ in FUNCTIONS))
@each_float
@pytest.mark.parametrize(("cls", "function", "ulps"), FUNCTIONS, ids=lambda each: getattr(each, "name", ""))
def test_functions_are_those_of_math(
    cls: type[Instruction], function: Callable[[float], float], ulps: float, format: DType
) -> None:
    numbers = np.array(every(format))
    found = evaluate(cls, Given(format, numbers[None]))[0].astype(np.float64)
    expected = np.array([total(function)(x) for x in numbers.tolist()])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    rounding = FLOATS[format]
    largest = float(rounding.largest)
    # Units in the last place of the format that computes; rounding to a narrower one adds half of a unit of that.
    unit = 2.0 ** (np.clip(np.frexp(expected)[1] - 1, rounding.least, None) - rounding.precision + 1)
    allowed = unit * (ulps if format in (F32, F64) else 0.5 + ulps * 2.0 ** (rounding.precision - 24))
    finite = np.isfinite(expected) & (np.abs(expected) <= largest)
    with np.errstate(invalid="ignore"):
        wrong = finite & (np.abs(found - expected) > allowed) & np.isfinite(found)
    assert not wrong.any(), [(numbers[i], found[i], expected[i]) for i in np.flatnonzero(wrong)[:5]]
    # Beyond the largest number and half a unit the result is infinite; a little below that either is right.
    beyond = np.abs(expected) >= largest * (1 + 2.0**-rounding.precision) * (1 + 1e-6)
    np.testing.assert_array_equal(found[beyond], np.sign(expected[beyond]) * math.inf)
    assert np.isfinite(found[finite & (np.abs(expected) < largest * (1 - 1e-6))]).all()
    zeros = (numbers == 0) & (expected == 0)
    np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(expected[zeros]))


@oracle(SquareRoot)
@pytest.mark.parametrize("format", [F16, BF16], ids=str)
def test_a_square_root_is_the_nearest_number(format: DType) -> None:
    numbers = [x for x in every(format) if 0 < x < math.inf][::7]
    found = evaluate(SquareRoot, Given(format, [numbers]))[0].astype(float).tolist()
    for x, root in zip(numbers, found, strict=True):
        half_unit = Fraction(2) ** (math.frexp(root)[1] - 1 - FLOATS[format].precision)
        assert (Fraction(root) - half_unit) ** 2 <= Fraction(x) <= (Fraction(root) + half_unit) ** 2


def test_exp2_of_an_integer_is_exact() -> None:
    found = evaluate(BaseTwoExponential, Given(F32, [np.arange(-149, 128)]))
    assert_same(found, [2.0**exponent for exponent in range(-149, 128)])


@oracle(Floor, Ceiling, Round)
@each_float
def test_rounding_to_an_integer_is_python_s_and_keeps_the_sign_of_a_zero(format: DType) -> None:
    numbers = every(format)

    def kept(function: Callable[[float], int]) -> list[float]:
        return [math.copysign(float(function(x)), x) if math.isfinite(x) else x for x in numbers]

    for cls, function in ((Floor, math.floor), (Ceiling, math.ceil), (Round, round)):
        assert_same(evaluate(cls, Given(format, [numbers])), kept(function), lambda place: numbers[place])


@oracle(AbsoluteValue)
def test_magnitudes_have_no_sign_and_wrap() -> None:
    for format in (F16, BF16, F32, F64):
        numbers = every(format)
        found = evaluate(AbsoluteValue, Given(format, [numbers]))
        assert_same(found, [math.fabs(x) for x in numbers])
        assert not np.signbit(found).any()
    for format in (dtype("i8"), I32, dtype("u8"), dtype("i64")):
        integers = integer_edges(format)
        assert_same(evaluate(AbsoluteValue, Given(format, [integers])), [wrapped(abs(x), format) for x in integers])


def check_fma(format: DType, triples: list[tuple[float, float, float]]) -> None:
    a, b, c = (list(each) for each in zip(*triples, strict=True))
    found = evaluate(FusedMultiplyAdd, Given(format, [a]), Given(format, [b]), Given(format, [c]))

    def expected(a: float, b: float, c: float) -> float:
        if all(map(math.isfinite, (a, b, c))):
            exact = Fraction(a) * Fraction(b) + Fraction(c)
            if exact:
                return FLOATS[format].nearest(exact)
            # An exact zero is negative only where both terms are negative zeros.
            negative = math.copysign(1, a) * math.copysign(1, b) < 0 and math.copysign(1, c) < 0
            return -0.0 if negative and (a == 0 or b == 0) and c == 0 else 0.0
        return a * b + c if math.isinf(a) or math.isinf(b) or a != a or b != b else c

    assert_same(found, map(expected, a, b, c), lambda place: triples[place])


@oracle(FusedMultiplyAdd)
@each_float
def test_a_fused_multiply_add_of_edges_rounds_once(format: DType) -> None:
    check_fma(format, list(itertools.product(FLOATS[format].edges()[::2], repeat=3)))


@oracle(FusedMultiplyAdd)
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_fused_multiply_add_near_half_way_rounds_once(data: st.DataObject) -> None:
    """Products that lie half-way between two numbers, and a tiny addend that decides to which of them they round."""
    format = data.draw(st.sampled_from([F16, BF16, F32, F64]))
    rounding = FLOATS[format]

    def odd(bits: int) -> st.SearchStrategy[float]:
        # With both factors above three quarters of their range, an odd product of p + 1 bits is half-way.
        return st.integers(3 << (bits - 3), (1 << (bits - 1)) - 1).map(lambda n: float(2 * n + 1))

    half = (rounding.precision + 1) // 2
    factors = st.tuples(odd(half), odd(rounding.precision + 1 - half))
    tiny = st.integers(rounding.least, 0).map(lambda exponent: 2.0**exponent)
    sign = st.sampled_from([1.0, -1.0])
    drawn = data.draw(st.lists(st.tuples(factors, tiny, sign, sign), min_size=12, max_size=12))
    triples = [(s * a, b, t * c) for (a, b), c, s, t in drawn]
    triples += [(c, a, b) for a, b, c in triples]
    check_fma(format, triples)


def smaller(a: float, b: float) -> float:
    """minNum of IEEE 754-2008, with -0.0 below 0.0."""
    if a != a or b != b:
        return b if a != a else a
    return a if (a, math.copysign(1, a)) < (b, math.copysign(1, b)) else b


def larger(a: float, b: float) -> float:
    return -smaller(-a, -b)


@oracle(Minimum, Maximum)
@each_float
def test_minimum_and_maximum_leave_nan_aside_and_tell_the_zeros_apart(format: DType) -> None:
    a, b = (list(each) for each in zip(*itertools.product(FLOATS[format].edges(), repeat=2), strict=True))
    assert_same(evaluate(Minimum, Given(format, [a]), Given(format, [b])), map(smaller, a, b))
    assert_same(evaluate(Maximum, Given(format, [a]), Given(format, [b])), map(larger, a, b))


@oracle(Clamp)
@each_float
def test_clamp_is_the_minimum_of_a_maximum(format: DType) -> None:
    triples = list(itertools.product(FLOATS[format].edges()[::3], repeat=3))
    x, low, high = (list(each) for each in zip(*triples, strict=True))
    found = evaluate(Clamp, Given(format, [x]), Given(format, [low]), Given(format, [high]))
    assert_same(found, [smaller(larger(*each[:2]), each[2]) for each in triples], lambda place: triples[place])


@oracle(Minimum, Maximum, Clamp)
@pytest.mark.parametrize("format", [I32, dtype("u8"), dtype("i64"), dtype("u64")], ids=str)
def test_minimum_maximum_and_clamp_of_integers_are_python_s(format: DType) -> None:
    a, b = (list(each) for each in zip(*itertools.product(integer_edges(format), repeat=2), strict=True))
    given_a, given_b = Given(format, [a]), Given(format, [b])
    assert_same(evaluate(Minimum, given_a, given_b), map(min, a, b))
    assert_same(evaluate(Maximum, given_a, given_b), map(max, a, b))
    assert_same(
        evaluate(Clamp, given_a, Given(format, [1]), given_b),
        [min(max(x, 1), y) for x, y in zip(a, b, strict=True)],
    )


@oracle(Where)
@pytest.mark.parametrize("format", [F16, I32, U1, U4, dtype("f6e3m2"), dtype("nf4")], ids=str)
def test_where_chooses_element_by_element_in_any_format(format: DType) -> None:
    condition = np.array([[[True], [False]], [[False], [False]], [[True], [True]]])
    a, b = np.array([[0, 1, 1]]), np.array([[1, 0, 0]] * 3)
    found = evaluate(Where, Given(U1, condition), Given(format, a), Given(format, b))
    for block, row, column in np.ndindex(3, 2, 3):
        chosen = a[0] if condition[block, row, 0] else b[block]
        assert found[block, row, column] == chosen[column]


@oracle(Select)
@pytest.mark.parametrize("format", [F16, I32, U4], ids=str)
def test_select_takes_one_of_two_tiles_in_each_block(format: DType) -> None:
    a, b = np.array([[0, 1, 1]]), np.array([[1, 0, 0], [0, 0, 1]])
    for condition in ([True, False], [False, False], [True], [False]):
        found = evaluate(Select, Given(U1, condition), Given(format, a), Given(format, b))
        for block in range(2):
            chosen = a[0] if condition[block % len(condition)] else b[block]
            assert found[block % len(found)].tolist() == chosen.tolist()


def test_select_refuses_tiles_of_two_shapes() -> None:
    with pytest.raises(ProgramError) as caught:
        evaluate(Select, Given(U1, [True]), Given(F16, [[1, 2]]), Given(F16, [1]))
    assert caught.value.code == "T022"


@pytest.mark.parametrize("cls", [Exponential, SquareRoot, ErrorFunction, Floor])
def test_functions_keep_the_block_axis(cls: Any) -> None:
    numbers = np.linspace(0, 3, 12).reshape(3, 2, 2).astype(np.float32)
    found = evaluate(cls, Given(F32, numbers))
    for block in range(3):
        np.testing.assert_array_equal(found[block], evaluate(cls, Given(F32, numbers[block : block + 1]))[0])
