"""The comparison of backends would find what is wrong: a result of zeros, a single code that was read as its neighbour,
an output that was not written or was written where it must not be."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.bounds import numbers
from tests.case import Arguments, Case
from tests.cases import CASES
from tests.lowering import PROGRAMS
from tilevm import PackedArray

BOUNDED = {name: case for name, case in CASES.items() if case.bound is not None}
CODED = {name: case for name, case in CASES.items() if case.name.startswith("matmul") or case.name == "attend"}


@cache
def expected(name: str) -> Arguments:
    """The arguments of a case after the interpreter."""
    arguments = CASES[name].arguments()
    CASES[name].run(arguments)
    return arguments


def copied(arguments: Arguments) -> Arguments:
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in arguments.items()}


def outputs(case: Case) -> list[str]:
    return [each.name for each in case.kernel().definition.parameters if each.access == "out"]


def test_every_kernel_is_launched_in_three_ways() -> None:
    launched = [f"{name.partition('.')[0]}.{case.name}" for name, case in CASES.items()]
    for program in PROGRAMS:
        assert launched.count(program) >= (3 if program != "header.nothing" else 1), program


@pytest.mark.parametrize("name", BOUNDED)
def test_a_result_of_zeros_is_found(name: str) -> None:
    case, wanted = CASES[name], expected(name)
    case.compare(wanted, wanted)
    zeros = copied(wanted) | {each: np.zeros_like(wanted[each]) for each in outputs(case)}
    with pytest.raises(AssertionError, match="expected"):
        case.compare(zeros, wanted)


def neighbours(array: Any, place: tuple[Any, ...]) -> Any:
    """The array with other codes at a place: off by one, or by 1/32 of the range where there are more codes than 32."""
    if not isinstance(array, PackedArray):  # f16, whose last 10 bits are the fraction
        changed = array.copy()
        changed[place] *= 1.0625
        return changed
    codes = array.codes()
    off = codes.dtype.type(1 << max(0, array.dtype.bits - 5))
    codes[place] = (codes[place] + off) % 3 if array.dtype.name == "trit" else codes[place] ^ off
    return PackedArray.from_codes(codes, array.dtype, array.layout)


@pytest.mark.parametrize("name", CODED)
def test_one_code_read_as_its_neighbour_is_found(name: str) -> None:
    """The weight that the largest factor meets; in attention one of each token, since most tokens hardly count."""
    case, wanted = CASES[name], expected(name)
    given = case.arguments()
    if case.name == "attend":
        given["v"] = neighbours(given["v"], (slice(None), 0, 0))
    else:
        given["w"] = neighbours(given["w"], (int(np.abs(given["x"][0]).argmax()), 3))
    case.run(given)
    found = copied(wanted) | {each: given[each] for each in outputs(case)}
    with pytest.raises(AssertionError, match="expected"):
        case.compare(found, wanted)


@pytest.mark.parametrize("name", [name for name in BOUNDED if name not in CODED])
def test_one_element_that_is_off_by_a_hundredth_is_found(name: str) -> None:
    case, wanted = CASES[name], expected(name)
    found = copied(wanted)
    place = np.unravel_index(np.abs(found["y"]).argmax(), found["y"].shape)
    found["y"][place] *= found["y"].dtype.type(1.01)
    with pytest.raises(AssertionError, match="so are 1 of"):
        case.compare(found, wanted)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.bound is None and outputs(case)])
def test_a_bit_of_an_exact_output_is_found(name: str) -> None:
    case, wanted = CASES[name], expected(name)
    for output in outputs(case):
        found = copied(wanted)
        found[output].view(np.uint8).reshape(-1)[-1] ^= 1
        with pytest.raises(AssertionError, match="so are 1 of"):
            case.compare(found, wanted)


@pytest.mark.parametrize("name", [name for name in CODED if CASES[name].bound is None])
def test_exact_products_are_exact(name: str) -> None:
    """Every partial sum is a whole multiple, below 2^24, of the last place of the smallest product."""
    wanted = expected(name)
    x, w = numbers(wanted["x"]), numbers(wanted["w"])
    for operation, tensor in ((np.subtract, "zero"), (np.multiply, "scale")):
        if tensor in wanted:
            w = operation(w, np.repeat(numbers(wanted[tensor]), 128, axis=0)[: len(w)])
    in_units = w * 2**10
    assert np.array_equal(x, np.rint(x))
    assert np.array_equal(in_units, np.rint(in_units))
    every = int(np.bitwise_or.reduce(np.abs(in_units).astype(np.int64), axis=None))
    assert (np.abs(x) @ np.abs(in_units)).max() / (every & -every) < 2**24
    assert np.array_equal(wanted["y"], (x @ w).astype(wanted["y"].dtype))
