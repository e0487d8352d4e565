"""Reductions, scans, shuffles and votes, against loops over lists of rational numbers and integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pytest
from batches import Given, evaluate, oracle
from exact import FLOATS, assert_same, integer_edges, wrapped

from tilevm.dtypes import BF16, F16, F32, F64, I8, I16, I32, I64, U1, U8, U16, U32, U64, DType, dtype
from tilevm.errors import ProgramError
from tilevm.instruction import Instruction
from tilevm.instructions.reduce import (
    All,
    ArgMax,
    ArgMin,
    CumulativeSum,
    Max,
    Min,
    Scan,
    Shuffle,
    Sum,
    Vote,
)
from tilevm.instructions.reduce import (
    Any as AnyOf,
)
from tilevm.machine import Array
from tilevm.report import Report
from tilevm.values import ScalarType, TileType, Value

INTEGERS = [I8, U8, I16, U16, I32, U32, I64, U64]
NUMBERS = [*FLOATS, *INTEGERS]
NAN, INF = math.nan, math.inf
each_number = pytest.mark.parametrize("format", NUMBERS, ids=str)
each_float = pytest.mark.parametrize("format", FLOATS, ids=str)


@pytest.fixture(autouse=True)
def _numpy_is_silent_as_in_a_run() -> Any:
    with np.errstate(all="ignore"):
        yield


def refused(code: str, make: Callable[..., Instruction], *given: Given) -> None:
    with pytest.raises(ProgramError) as caught:
        evaluate(make, *given)
    assert caught.value.code == code


def sample(format: DType, *shape: int, seed: int = 0) -> Array:
    """Small multiples of 1/4, or integers from the whole range."""
    random = np.random.default_rng(seed)
    if format.kind == "float":
        return random.integers(-40, 40, shape) / 4
    return random.choice(np.array(integer_edges(format), format.carrier), shape)


def lines(x: Array, axis: int | None) -> list[list[Any]]:
    """The elements that each element of the result combines, in order of the result."""
    if axis is None:
        return [row.ravel().tolist() for row in x]
    return np.moveaxis(x, axis % (x.ndim - 1) + 1, -1).reshape(-1, x.shape[axis % (x.ndim - 1) + 1]).tolist()


AXES = [None, 0, 1, 2, -1, -3]


def check_reduction(
    cls: Callable[..., Instruction], format: DType, x: Array, expected: Callable[[list[Any]], Any]
) -> None:
    for axis in AXES:
        found = evaluate(lambda x, axis=axis: cls(x, axis), Given(format, x))
        assert_same(found, [expected(line) for line in lines(np.asarray(x, format.carrier), axis)])


def exact_sum(format: DType, line: list[Any]) -> Any:
    if format.kind != "float":
        return wrapped(sum(line), format)
    return FLOATS[format].nearest(sum((Fraction(each) for each in line), Fraction(0)))


@oracle(Sum)
@each_number
def test_sums_are_exact_where_every_partial_sum_is(format: DType) -> None:
    check_reduction(Sum, format, sample(format, 3, 2, 5, 4), lambda line: exact_sum(format, line))


@pytest.mark.parametrize("format", [F16, BF16], ids=str)
def test_narrow_floats_are_added_in_f32_and_rounded_once(format: DType) -> None:
    step = 2.0 ** -FLOATS[format].precision
    line = [1.0, *[step] * 64]
    assert evaluate(Sum, Given(format, [line])).tolist() == [FLOATS[format].nearest(1 + 64 * Fraction(step))]
    assert evaluate(Sum, Given(format, [[1.0, step]])).tolist() == [1.0]
    largest = float(FLOATS[format].largest)
    if format is F16:
        assert evaluate(Sum, Given(format, [[largest, largest, -largest]])).tolist() == [largest]
        assert evaluate(Sum, Given(format, [[largest, largest]])).tolist() == [INF]


def test_a_long_f32_sum_stays_within_the_bound_of_its_additions() -> None:
    x = np.random.default_rng(5).standard_normal((2, 4096)).astype(np.float32)
    for row, found in zip(x, evaluate(Sum, Given(F32, x)), strict=True):
        bound = math.log2(4096) * 2 * 2.0**-24 * math.fsum(map(abs, row.tolist()))
        assert abs(math.fsum(row.tolist()) - float(found)) <= bound


SPECIAL = [
    [1.0, NAN, 3.0, 2.0],
    [NAN, NAN, NAN, NAN],
    [-INF, NAN, -INF, -INF],
    [INF, 0.0, NAN, INF],
    [0.0, -0.0, 0.0, -0.0],
    [-0.0, 0.0, -0.0, -0.0],
    [-0.0, -0.0, -0.0, -0.0],
    [-0.0, NAN, -0.0, NAN],
    [-1.0, -0.0, 0.0, -2.0],
    [1.0, 0.0, -0.0, 2.0],
    [2.0, 2.0, -3.0, -3.0],
    [NAN, -1.0, NAN, -1.0],
]


def above(a: float, b: float) -> bool:
    """Whether a is above b, where 0.0 is above -0.0."""
    return a > b or (a == b and math.copysign(1, a) > math.copysign(1, b))


def largest(line: list[Any]) -> Any:
    numbers = [each for each in line if each == each]
    return reduce(lambda a, b: b if above(b, a) else a, numbers) if numbers else NAN


def smallest(line: list[Any]) -> Any:
    numbers = [each for each in line if each == each]
    return reduce(lambda a, b: b if above(a, b) else a, numbers) if numbers else NAN


def first_index(line: list[Any], best: Callable[[list[Any]], Any]) -> int:
    numbers = [each for each in line if each == each]
    return line.index(best(numbers)) if numbers else 0


@oracle(Max, Min)
@each_number
def test_extremes_take_one_of_the_elements(format: DType) -> None:
    for cls, best in ((Max, largest), (Min, smallest)):
        check_reduction(cls, format, sample(format, 3, 2, 5, 4), best)


@each_float
def test_extremes_leave_nans_out_and_order_the_zeros(format: DType) -> None:
    for cls, best in ((Max, largest), (Min, smallest)):
        found = evaluate(lambda x, cls=cls: cls(x, 0), Given(format, SPECIAL))
        assert_same(found, map(best, SPECIAL))
        assert_same(evaluate(cls, Given(format, np.reshape(SPECIAL, (12, 2, 2)))), map(best, SPECIAL))


@oracle(ArgMax, ArgMin)
@each_number
def test_arguments_are_the_first_of_equal_ones(format: DType) -> None:
    for cls, best in ((ArgMax, max), (ArgMin, min)):
        check_reduction(cls, format, sample(format, 3, 2, 5, 4), lambda line, best=best: first_index(line, best))
        assert cls(Value(TileType(format, (4,)))).check() == ScalarType(I32)
        assert cls(Value(TileType(format, (4, 2))), 0).check() == TileType(I32, (2,))


@each_float
def test_arguments_leave_nans_out(format: DType) -> None:
    for cls, best in ((ArgMax, max), (ArgMin, min)):
        expected = [first_index(line, best) for line in SPECIAL]
        assert evaluate(cls, Given(format, SPECIAL)).tolist() == expected


@oracle(AnyOf, All)
def test_any_and_all_of_truth_values() -> None:
    x = np.random.default_rng(3).random((3, 2, 5, 4)) < 0.5
    x[1] = True
    x[2] = False
    check_reduction(AnyOf, U1, x, any)
    check_reduction(All, U1, x, all)
    refused("T006", AnyOf, Given(I32, [[1, 2]]))
    refused("T006", All, Given(F16, [[1, 2]]))


def test_reductions_refuse_what_has_no_such_axis_or_no_arithmetic() -> None:
    x = Given(F16, np.zeros((1, 4, 2)))
    for cls in (Sum, Max, Min, ArgMax, ArgMin):
        refused("T020", lambda x, cls=cls: cls(x, 2), x)
        refused("T020", lambda x, cls=cls: cls(x, -3), x)
        refused("T006", cls, Given(dtype("u4"), np.zeros((1, 4))))
        refused("T006", cls, Given(U1, np.zeros((1, 4))))
        refused("T008", cls, Given(F16, [1.0]))


def running(line: list[Any], combine: Callable[[Any, Any], Any]) -> list[Any]:
    found = [line[0]]
    for each in line[1:]:
        found.append(combine(found[-1], each))
    return found


def along(x: Array, axis: int, function: Callable[[list[Any]], list[Any]]) -> Array:
    """A function of lists applied to each line along an axis of a tile."""
    moved = np.moveaxis(np.asarray(x), axis % (x.ndim - 1) + 1, -1)
    result = np.empty(moved.shape, object)
    for place in np.ndindex(moved.shape[:-1]):
        result[place] = function(moved[place].tolist())
    return np.moveaxis(result, -1, axis % (x.ndim - 1) + 1)


def add(format: DType) -> Callable[[Any, Any], Any]:
    return (lambda a, b: a + b) if format.kind == "float" else (lambda a, b: wrapped(a + b, format))


@oracle(CumulativeSum)
@each_number
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_cumulative_sums(format: DType, axis: int) -> None:
    x = sample(format, 3, 2, 5, 4)
    found = evaluate(lambda x: CumulativeSum(x, axis), Given(format, x))
    assert_same(found, along(x, axis, lambda line: running(line, add(format))).ravel())


@pytest.mark.parametrize("format", [F16, BF16], ids=str)
def test_running_sums_of_narrow_floats_round_each_result_once(format: DType) -> None:
    step = 2.0 ** -FLOATS[format].precision
    line = [1.0, *[step] * 8]
    expected = [FLOATS[format].nearest(1 + count * Fraction(step)) for count in range(9)]
    assert evaluate(lambda x: CumulativeSum(x, 0), Given(format, [line])).tolist() == [expected]
    assert evaluate(lambda x: Scan(x, 0), Given(format, [line])).tolist() == [expected]


OPERATIONS = {
    "add": (add, lambda format: 0),
    "multiply": (
        lambda format: (lambda a, b: a * b) if format.kind == "float" else (lambda a, b: wrapped(a * b, format)),
        lambda format: 1,
    ),
    "maximum": (lambda format: max, lambda format: -INF if format.kind == "float" else int(format.min)),
    "minimum": (lambda format: min, lambda format: INF if format.kind == "float" else int(format.max)),
    "and": (lambda format: lambda a, b: a & b, lambda format: wrapped(-1, format)),
    "or": (lambda format: lambda a, b: a | b, lambda format: 0),
    "xor": (lambda format: lambda a, b: a ^ b, lambda format: 0),
}


@oracle(Scan)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("format", [*NUMBERS, U1], ids=str)
def test_scans(format: DType, operation: str) -> None:
    combine, neutral = OPERATIONS[operation]
    logic = operation in ("and", "or", "xor")
    if (format.kind == "float") if logic else (format is U1):
        refused("T045", lambda x: Scan(x, 0, operation), Given(format, np.ones((1, 4))))
        return
    if operation == "multiply" and format.kind == "float":
        x = np.random.default_rng(1).choice([1.0, -1.0, 2.0, 0.5], (2, 3, 6))
    else:
        x = sample(format, 2, 3, 6) if format is not U1 else np.random.default_rng(2).random((2, 3, 6)) < 0.6
    for axis in (0, 1, -1):
        for reverse in (False, True):
            for exclusive in (False, True):

                def scanned(line: list[Any], reverse: bool = reverse, exclusive: bool = exclusive) -> list[Any]:
                    line = line[::-1] if reverse else line
                    found = running(line, combine(format))
                    found = [neutral(format), *found[:-1]] if exclusive else found
                    return found[::-1] if reverse else found

                found = evaluate(
                    lambda x, a=axis, r=reverse, e=exclusive: Scan(x, a, operation, reverse=r, exclusive=e),
                    Given(format, x),
                )
                assert_same(found, along(np.asarray(x, format.carrier), axis, scanned).ravel())


@each_float
def test_running_extremes_leave_nans_out_and_order_the_zeros(format: DType) -> None:
    for operation, best in (("maximum", largest), ("minimum", smallest)):
        found = evaluate(lambda x, o=operation: Scan(x, 0, o), Given(format, SPECIAL))
        assert_same(found, [best(line[: end + 1]) for line in SPECIAL for end in range(4)])


def test_scans_refuse_another_axis() -> None:
    refused("T020", lambda x: Scan(x, 1), Given(F16, np.zeros((1, 4))))
    refused("T020", lambda x: CumulativeSum(x, -2), Given(F16, np.zeros((1, 4))))


FORMATS = [F16, F32, F64, I8, U1, dtype("u4"), dtype("f6e3m2"), dtype("nf4")]


@oracle(Shuffle)
@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("blocks", [(3, 3), (1, 3), (3, 1)])
def test_shuffle_takes_elements_along_an_axis(format: DType, blocks: tuple[int, int]) -> None:
    random = np.random.default_rng(7)
    x = random.integers(0, 2 if format is U1 else 13, (blocks[0], 4, 5, 6))
    for axis in (0, 1, 2, -1):
        shape = [4, 5, 6]
        shape[axis] = 7
        index = random.integers(0, x.shape[1:][axis], (blocks[1], *shape))
        found = evaluate(lambda x, i, axis=axis: Shuffle(x, i, axis), Given(format, x), Given(I32, index))
        for block, *place in np.ndindex(3, *shape):
            source = list(place)
            source[axis] = index[(min(block, blocks[1] - 1), *place)]
            assert found[(block, *place)] == x[(min(block, blocks[0] - 1), *source)]


def test_shuffle_out_of_range_takes_the_nearest_and_is_a_finding() -> None:
    report = Report()
    x, good = Given(I32, [[10, 20, 30]]), Given(I32, [[2, 1, 0]])
    assert evaluate(lambda x, i: Shuffle(x, i, 0), x, good, report=report).tolist() == [[30, 20, 10]]
    assert report.findings == ()
    wrong = Given(I32, [[0, 1], [-1, 3], [-9, 2]])
    found = evaluate(lambda x, i: Shuffle(x, i, 0), x, wrong, report=report)
    assert found.tolist() == [[10, 20], [10, 30], [10, 30]]
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("R012", "error")
    assert "(4 times)" in finding.message  # two of the blocks, and operands in two forms


@pytest.mark.parametrize("index", [-1, 3, -(2**31), 2**31 - 1])
def test_shuffle_finds_each_end_of_the_range(index: int) -> None:
    report = Report()
    found = evaluate(lambda x, i: Shuffle(x, i, 0), Given(I32, [[10, 20, 30]]), Given(I32, [[index]]), report=report)
    assert found.tolist() == [[10 if index < 0 else 30]]
    assert [each.code for each in report.findings] == ["R012"]


def test_shuffle_refuses_an_index_of_another_shape_or_format() -> None:
    x = Given(F16, np.zeros((1, 4, 5)))
    refused("T046", lambda x, i: Shuffle(x, i, 0), x, Given(I32, np.zeros((1, 4, 6))))
    refused("T046", lambda x, i: Shuffle(x, i, 1), x, Given(I32, np.zeros((1, 3, 5))))
    refused("T046", lambda x, i: Shuffle(x, i, 0), x, Given(I32, np.zeros((1, 4))))
    refused("T006", lambda x, i: Shuffle(x, i, 0), x, Given(I64, np.zeros((1, 4, 5))))
    refused("T020", lambda x, i: Shuffle(x, i, 2), x, Given(I32, np.zeros((1, 4, 5))))


@oracle(Vote)
def test_vote_packs_truth_values_into_words() -> None:
    x = np.random.default_rng(11).random((2, 3, 64)) < 0.5
    x[0, 0, 31] = True
    found = evaluate(Vote, Given(U1, x))
    for block, row, word in np.ndindex(2, 3, 2):
        expected = sum(1 << bit for bit in range(32) if x[block, row, 32 * word + bit])
        assert found[block, row, word] == expected
    assert Vote(Value(TileType(U1, (96,)))).check() == TileType(U32, (3,))
    refused("T047", Vote, Given(U1, np.zeros((1, 33))))
    refused("T006", Vote, Given(I32, np.zeros((1, 32))))
