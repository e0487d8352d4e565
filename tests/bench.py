"""A machine with memory, on which single instructions run: tensors and shared tiles are made, filled and looked at.

Arrays hold numbers, or codes for a format in which nothing is computed. Values and shared tiles have the block axis
first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tilevm.batch import BlockBatch, Launch
from tilevm.dtypes import I32, DType
from tilevm.instruction import Instruction
from tilevm.instructions.memory import Shared
from tilevm.machine import Array
from tilevm.memory import Tensor, in_memory_form
from tilevm.report import Report
from tilevm.values import Literal, ScalarType, SharedType, TensorType, TileType, Value, Window


class Bench:
    """A batch of blocks; all of the grid's, whose extents are given."""

    def __init__(self, *grid: int, debug: bool = False) -> None:
        self.report = Report()
        self.lines: list[str] = []
        self.launch = Launch(grid or (1,), report=self.report if debug else None, write_line=self.lines.append)
        self.batch = BlockBatch(self.launch, np.arange(int(np.prod(self.launch.grid))))

    def tensor(self, dtype: DType, array: Any, access: str = "inout") -> Value:
        held = in_memory_form(dtype, np.array(array, dtype.carrier or dtype.storage))
        value = Value(TensorType(dtype, held.shape, access), "x")
        written = np.zeros(held.shape, np.bool_) if access == "out" and self.launch.report else None
        self.launch.tensors[value] = Tensor(held, dtype, written=written)
        return value

    def shared(self, dtype: DType, array: Any) -> Value:
        """A shared tile with contents for every block; an array with one leading row gives all blocks the same."""
        contents = np.array(array, dtype.carrier or dtype.storage)
        value = Value(SharedType(dtype, contents.shape[1:]), "s")
        self.batch.result = value
        Shared(dtype, contents.shape[1:]).evaluate(self.batch)
        self.batch.shared[value].array[...] = in_memory_form(dtype, contents)
        return value

    def value(self, dtype: DType, array: Any) -> Value:
        contents = np.asarray(array, dtype.carrier or dtype.storage)
        shape = contents.shape[1:]
        value = Value(TileType(dtype, shape) if shape else ScalarType(dtype))
        self.batch.define(value, contents)
        return value

    def window(self, base: Value, *places: Any) -> Window:
        """A window: for each dimension an offset, or (offset, extent); a list of offsets has one for each block."""
        offsets, extents = [], []
        for place in places:
            offset, extent = place if isinstance(place, tuple) else (place, None)
            offsets.append(self.value(I32, offset) if isinstance(offset, list) else Literal(offset, I32))
            extents.append(extent)
        return Window(base, tuple(offsets), tuple(extents))

    def run(self, instruction: Instruction) -> Array:
        """The result of an instruction, as numbers or, where nothing is computed in its format, as codes."""
        kind = instruction.check()
        result = None if kind is None else Value(kind)
        self.batch.result = result
        with np.errstate(all="ignore"):
            found = instruction.evaluate(self.batch)
        if kind is None or found is None:
            return np.empty(0)
        assert found.shape[0] in (1, self.batch.count)
        assert found.shape[1:] == kind.shape
        return kind.dtype.to_values(found) if kind.dtype.carrier is not None else kind.dtype.to_codes(found)

    def contents(self, base: Value) -> Array:
        held = self.batch.shared[base].array if isinstance(base.type, SharedType) else self.launch.tensors[base].array
        return base.dtype.to_values(held) if base.dtype.carrier is not None else held

    @property
    def codes(self) -> list[str]:
        return [finding.code for finding in self.report.findings]
