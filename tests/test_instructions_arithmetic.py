"""Operators against rational numbers and Python's integers."""

from __future__ import annotations

import itertools
import math
import operator
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
from tilevm.instruction import Instruction
from tilevm.instructions.arithmetic import (
    Add,
    CeilingDivide,
    Divide,
    FloorDivide,
    Multiply,
    Negative,
    Power,
    Remainder,
    Subtract,
)
from tilevm.instructions.comparison import Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual
from tilevm.instructions.logic import And, ExclusiveOr, Invert, Not, Or, ShiftLeft, ShiftRight
from tilevm.report import Report

INTEGERS = [dtype(f"{sign}{bits}") for bits in (8, 16, 32, 64) for sign in "iu"]
each_float = pytest.mark.parametrize("format", [F16, BF16, F32, F64], ids=str)
each_integer = pytest.mark.parametrize("format", INTEGERS, ids=str)


def pairs(numbers: list[Any]) -> tuple[list[Any], list[Any]]:
    """Every pair of the numbers, as two lists."""
    left, right = zip(*itertools.product(numbers, repeat=2), strict=True)
    return list(left), list(right)


def check_pairs(
    cls: Callable[..., Instruction], format: DType, numbers: list[Any], expected: Callable[[Any, Any], Any]
) -> None:
    """Compares an instruction with an oracle on every pair of numbers."""
    a, b = pairs(numbers)
    found = evaluate(cls, Given(format, [a]), Given(format, [b]))
    assert_same(found, map(expected, a, b), lambda place: (a[place], b[place]))


def quotient(a: float, b: float) -> float:
    """IEEE 754 division where an operand is zero, infinite or NaN."""
    if b != 0:
        return a / b
    sign = math.copysign(1, a) * math.copysign(1, b)
    return math.nan if a == 0 or math.isnan(a) else sign * math.inf


def float_oracle(
    format: DType, exactly: Callable[[Fraction, Fraction], Fraction], special: Callable[[float, float], float]
) -> Callable[[float, float], float]:
    """The operation on rationals, rounded; Python's own where the result is not a rational number other than zero."""

    def result(a: float, b: float) -> float:
        if math.isfinite(a) and math.isfinite(b) and (b != 0 or special is not quotient):
            exact = exactly(Fraction(a), Fraction(b))
            if exact != 0:
                return FLOATS[format].nearest(exact)
        return special(a, b)

    return result


FLOAT_OPERATORS: list[tuple[Callable[..., Instruction], Any, Any]] = [
    (Add, operator.add, operator.add),
    (Subtract, operator.sub, operator.sub),
    (Multiply, operator.mul, operator.mul),
    (Divide, operator.truediv, quotient),
]


@oracle(Add, Subtract, Multiply, Divide)
@each_float
@pytest.mark.parametrize(("cls", "exactly", "special"), FLOAT_OPERATORS, ids=lambda each: getattr(each, "__name__", ""))
def test_float_arithmetic_rounds_the_exact_result_once(
    cls: Callable[..., Instruction], exactly: Any, special: Any, format: DType
) -> None:
    check_pairs(cls, format, FLOATS[format].edges(), float_oracle(format, exactly, special))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_half_precision_arithmetic_of_any_two_numbers_rounds_once(data: st.DataObject) -> None:
    cls, exactly, special = data.draw(st.sampled_from(FLOAT_OPERATORS))
    format = data.draw(st.sampled_from([F16, BF16, F32]))
    numbers = data.draw(st.lists(st.floats(width=16 if format is F16 else 32), min_size=8, max_size=8))
    if format is BF16:
        codes = np.array(numbers, np.float32).view(np.uint32)
        numbers = (codes & 0xFFFF0000).view(np.float32).tolist()
    check_pairs(cls, format, numbers, float_oracle(format, exactly, special))


@oracle(Add, Subtract, Multiply)
@each_integer
@pytest.mark.parametrize(("cls", "exactly"), [(Add, operator.add), (Subtract, operator.sub), (Multiply, operator.mul)])
def test_integer_arithmetic_wraps(cls: Callable[..., Instruction], exactly: Any, format: DType) -> None:
    check_pairs(cls, format, integer_edges(format), lambda a, b: wrapped(exactly(a, b), format))


@oracle(FloorDivide, Remainder, CeilingDivide)
@each_integer
@pytest.mark.parametrize(
    ("cls", "exactly"),
    [
        (FloorDivide, lambda a, b: math.floor(Fraction(a, b))),
        (Remainder, lambda a, b: a - b * math.floor(Fraction(a, b))),
        (CeilingDivide, lambda a, b: math.ceil(Fraction(a, b))),
    ],
    ids=["//", "%", "cdiv"],
)
def test_integer_division_rounds_down_or_up_and_by_zero_gives_zero(
    cls: Callable[..., Instruction], exactly: Any, format: DType
) -> None:
    check_pairs(cls, format, integer_edges(format), lambda a, b: wrapped(exactly(a, b), format) if b else 0)


@pytest.mark.parametrize("cls", [FloorDivide, Remainder, CeilingDivide])
def test_an_integer_division_by_zero_is_a_finding_of_debug_mode(cls: Callable[..., Instruction]) -> None:
    report = Report()
    evaluate(cls, Given(I32, [7]), Given(I32, [[2, 3], [1, 5]]), report=report)
    assert not report.findings
    evaluate(cls, Given(I32, [7]), Given(I32, [[2, 0], [1, 5]]), report=report)
    assert [finding.code for finding in report.findings] == ["R010"]
    evaluate(FloorDivide, Given(F32, [7.0]), Given(F32, [0.0]), report=report)
    assert len(report.findings) == 1


@oracle(FloorDivide, Remainder)
@each_float
def test_float_floor_division_and_remainder_are_python_s(format: DType) -> None:
    numbers = [each for each in FLOATS[format].edges() if not 0 < abs(each) < 1e-3 and not 1e4 < abs(each) < math.inf]

    def floor_divide(a: float, b: float) -> float:
        return quotient(a, b) if b == 0 else a // b

    def remainder(a: float, b: float) -> float:
        return math.nan if b == 0 or math.isinf(a) else a % b

    nearest = FLOATS[format].nearest

    def to_format(number: float) -> float:
        return nearest(Fraction(number), number) if math.isfinite(number) else number

    check_pairs(FloorDivide, format, numbers, lambda a, b: to_format(floor_divide(a, b)))
    check_pairs(Remainder, format, numbers, lambda a, b: to_format(remainder(a, b)))


@oracle(Power)
@each_float
def test_powers_are_those_of_c(format: DType) -> None:
    bases = [0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 10.0, math.inf, -math.inf, math.nan]
    exponents = [0.0, 1.0, -1.0, 2.0, 3.0, -3.0, 0.5, 40.0, math.inf, -math.inf, math.nan]
    a, b = (list(each) for each in zip(*itertools.product(bases, exponents), strict=True))

    def expected(base: float, exponent: float) -> float:
        try:
            power = math.pow(base, exponent)
        except ValueError:
            odd = exponent == int(exponent) and exponent % 2 == 1
            return math.nan if base != 0 else math.copysign(math.inf, base) if odd else math.inf
        return FLOATS[format].nearest(Fraction(power), power) if math.isfinite(power) else power

    found = evaluate(Power, Given(format, [a]), Given(format, [b])).ravel().tolist()
    for base, exponent, number in zip(a, b, found, strict=True):
        wanted = expected(base, exponent)
        near = math.isfinite(wanted) and math.isclose(number, wanted, rel_tol=2.0 ** (2 - FLOATS[format].precision))
        assert near or repr(number) == repr(wanted), (base, exponent)


@oracle(Negative)
def test_negation_changes_the_sign_and_wraps() -> None:
    for format in (F16, BF16, F32, F64):
        numbers = FLOATS[format].edges()
        assert_same(evaluate(Negative, Given(format, [numbers])), [-each for each in numbers])
    for format in INTEGERS:
        integers = integer_edges(format)
        assert_same(evaluate(Negative, Given(format, [integers])), [wrapped(-each, format) for each in integers])


COMPARISONS: list[tuple[Callable[..., Instruction], Callable[[Any, Any], bool]]] = [
    (Equal, operator.eq),
    (NotEqual, operator.ne),
    (Less, operator.lt),
    (LessEqual, operator.le),
    (Greater, operator.gt),
    (GreaterEqual, operator.ge),
]


@oracle(Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual)
@pytest.mark.parametrize("format", [F16, BF16, F32, F64, *INTEGERS, U1], ids=str)
def test_comparisons_are_python_s(format: DType) -> None:
    numbers: list[Any] = FLOATS[format].edges() if format in FLOATS else integer_edges(format)
    numbers = [False, True] if format is U1 else numbers
    for cls, compared in COMPARISONS:
        check_pairs(cls, format, numbers, compared)
        a = Given(format, [numbers])
        assert evaluate(cls, a, a).dtype == np.bool_


@oracle(And, Or, ExclusiveOr, Invert, Not)
@pytest.mark.parametrize("format", [*INTEGERS, U1], ids=str)
def test_logic_works_on_every_bit(format: DType) -> None:
    numbers: list[Any] = [False, True] if format is U1 else integer_edges(format)

    def by_bit(table: Callable[[int, int], int]) -> Callable[[int, int], int]:
        def result(a: int, b: int) -> int:
            bits = (table(a >> place & 1, b >> place & 1) << place for place in range(format.bits))
            return wrapped(sum(bits), format)

        return result

    check_pairs(And, format, numbers, by_bit(lambda p, q: p * q))
    check_pairs(Or, format, numbers, by_bit(max))
    check_pairs(ExclusiveOr, format, numbers, by_bit(lambda p, q: (p + q) % 2))
    inverted = [by_bit(lambda p, _: 1 - p)(each, 0) for each in numbers]
    assert_same(evaluate(Invert, Given(format, [numbers])), inverted)
    if format is U1:
        assert_same(evaluate(Not, Given(format, [numbers])), [True, False])


@oracle(ShiftLeft, ShiftRight)
@each_integer
def test_shifts_clamp_their_count_to_the_width(format: DType) -> None:
    def count(b: int) -> int:
        return b if 0 <= b < format.bits else format.bits

    check_pairs(ShiftLeft, format, integer_edges(format), lambda a, b: wrapped(a * 2 ** count(b), format))
    check_pairs(ShiftRight, format, integer_edges(format), lambda a, b: a // 2 ** count(b))


def test_shapes_broadcast_apart_from_the_block_axis() -> None:
    random = np.random.default_rng(1)
    for left, right in [
        ((3, 4, 1), (1, 5)),
        ((1, 4), (3, 2, 4)),
        ((3,), (1, 2, 2)),
        ((3,), (3, 2)),
        ((1,), (1,)),
    ]:
        a, b = random.integers(-9, 9, left), random.integers(-9, 9, right)
        found = evaluate(Add, Given(I32, a), Given(I32, b), blocks=3)
        for block in range(3):
            one = a[block if len(a) > 1 else 0] + b[block if len(b) > 1 else 0]
            np.testing.assert_array_equal(found[block if len(found) > 1 else 0], one)
