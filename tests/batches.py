"""One instruction run on arrays, and the mark that says which test is the oracle of which instruction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tilevm.batch import BlockBatch, Launch
from tilevm.dtypes import DType
from tilevm.instruction import Instruction
from tilevm.layout import Layout
from tilevm.machine import Array
from tilevm.report import Report
from tilevm.values import Operand, ScalarType, TileType, Value

_Test = TypeVar("_Test", bound=Callable[..., None])

ORACLES: set[type[Instruction]] = set()
"""The instructions whose oracle test has been imported."""


def oracle(*instructions: type[Instruction]) -> Callable[[_Test], _Test]:
    """Marks a test that compares instructions with results computed without tilevm."""
    ORACLES.update(instructions)
    return lambda test: test


@dataclass(frozen=True)
class Given:
    """An operand: numbers (codes, for a format in which nothing is computed) with the block axis first."""

    dtype: DType
    array: Any
    layout: Layout | None = None


def evaluate(make: Callable[..., Instruction], *given: Given, blocks: int = 1, report: Report | None = None) -> Array:
    """The result of the instruction that ``make`` builds from the operands, in the form in which they are given.

    It is computed with operands held as values, and again with operands held as codes: both must agree.
    """
    arrays = [np.asarray(each.array, each.dtype.carrier or each.dtype.storage) for each in given]
    count = max([blocks, *(len(array) for array in arrays)])
    results = []
    for form in (DType.to_values, DType.to_codes):
        batch = BlockBatch(Launch((count,), report=report), np.arange(count))
        operands: list[Operand] = []
        for each, array in zip(given, arrays, strict=True):
            shape = array.shape[1:]
            value = Value(TileType(each.dtype, shape, each.layout) if shape else ScalarType(each.dtype))
            batch.define(value, array if each.dtype.carrier is None else form(each.dtype, array))
            operands.append(value)
        instruction = make(*operands)
        kind = instruction.check()
        found = instruction.evaluate(batch)
        if kind is None:
            return np.empty(0)
        assert found is not None
        assert found.shape[0] in (1, count)
        assert found.shape[1:] == kind.shape
        results.append(kind.dtype.to_codes(found))
    np.testing.assert_array_equal(*results)
    return results[0] if kind.dtype.carrier is None else kind.dtype.to_values(found)
