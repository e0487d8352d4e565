"""Interpreter = simulator, on the same program and the same arguments: bit for bit for integers and movements of data,
within the stated bound for sums of floats. The simulator must find nothing wrong on the way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from kernels import needs_compiler

import tilevm
from tests.cases import CASES
from tests.random_tiles import RandomProgram, tile_programs

pytestmark = needs_compiler


@pytest.mark.parametrize("name", CASES)
def test_the_simulator_computes_what_the_interpreter_does(name: str) -> None:
    case = CASES[name]
    expected, found = case.arguments(seed=1), case.arguments(seed=1)
    case.run(expected)
    case.run(found, backend="simulator")
    case.compare(found, expected)


def agree(program: RandomProgram) -> None:
    """Runs a random program on both backends and compares every bit; NaNs are one number."""
    kernel = tilevm.kernel(program.text)
    for expected, found in zip(
        results(kernel(**program.arguments)), results(kernel(**program.arguments, backend="simulator")), strict=True
    ):
        wrong = (expected.codes != found.codes) & ~(np.isnan(expected.values) & np.isnan(found.values))
        assert not wrong.any(), f"{int(wrong.sum())} elements differ, first {np.argwhere(wrong)[0]}\n{program.text}"


class Result:
    """An output as codes and as numbers."""

    def __init__(self, array: Any) -> None:
        packed = array if isinstance(array, tilevm.PackedArray) else None
        kind = tilevm.dtype(array.dtype)
        self.codes = packed.codes() if packed is not None else np.asarray(array).view(kind.storage)
        self.values = kind.decode(self.codes)


def results(returned: Any) -> list[Result]:
    return [Result(each) for each in (returned if isinstance(returned, tuple) else (returned,))]


EXTREMES = """
kernel extremes(x: f16[4], y: f16[4], out greatest: f16[1], out least: f16[1], out first: i32[1], out last: i32[1],
                out running: f16[4], out larger: f16[4], out smaller: f16[4]):
    grid 1
    warps 1
    a = load(x[:])
    b = load(y[:])
    store(greatest[0], max(a))
    store(least[0], min(a))
    store(first[0], argmax(a))
    store(last[0], argmin(a))
    store(running[:], scan(a, 0, maximum))
    store(larger[:], maximum(a, b))
    store(smaller[:], minimum(b, a))
"""


def test_a_signalling_nan_is_left_out_of_extremes_as_any_nan_is() -> None:
    signalling = 0x7C01
    x = np.array([0x3C00, signalling, 0x4000, 0xBC00], np.uint16).view(np.float16)
    y = np.array([signalling, 0x3C00, 0xFC01, 0x0000], np.uint16).view(np.float16)
    expected = [2], [-1], [2], [3], [1, 1, 2, 2], [1, 1, 2, 0], [1, 1, 2, -1]
    kernel = tilevm.kernel(EXTREMES)
    for backend in ("interpreter", "simulator"):
        found = kernel(x, y, backend=backend)
        assert [each.tolist() for each in found] == [list(each) for each in expected], backend


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(tile_programs())
def test_random_programs_agree(program: RandomProgram) -> None:
    agree(program)


@pytest.mark.fuzz
@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(tile_programs())
def test_many_random_programs_agree(program: RandomProgram) -> None:
    agree(program)
