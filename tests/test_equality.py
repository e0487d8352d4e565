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


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(tile_programs())
def test_random_programs_agree(program: RandomProgram) -> None:
    agree(program)


@pytest.mark.fuzz
@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(tile_programs())
def test_many_random_programs_agree(program: RandomProgram) -> None:
    agree(program)
