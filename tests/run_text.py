"""Programs written as text, run by the interpreter on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tilevm.frontend import load_text
from tilevm.interpreter import run
from tilevm.ir import Program
from tilevm.memory import Tensor, in_memory_form
from tilevm.report import Report
from tilevm.values import TensorType


def program(text: str, **compile_time: Any) -> Program:
    """The one kernel of a text."""
    (kernel,) = load_text(text).kernels.values()
    return kernel.specialise(compile_time)


def execute(
    made: Program | str, report: Report | None = None, lines: list[str] | None = None, **given: Any
) -> dict[str, Any]:
    """Runs a program on arrays of numbers and on scalars; sizes are among these. Gives every tensor afterwards.

    A tensor that is not given is made of zeros; its shape has no symbols then, or symbols that are given.
    """
    made = program(made) if isinstance(made, str) else made
    tensors = {}
    for value in made.tensors:
        kind = value.type
        assert isinstance(kind, TensorType)
        carrier = kind.dtype.carrier or kind.dtype.storage
        shape = tuple(size if isinstance(size, int) else given[str(size)] for size in kind.shape)
        held = in_memory_form(kind.dtype, np.array(given.get(value.name, np.zeros(shape)), carrier))
        packed = np.ascontiguousarray(held).view(np.uint8).reshape(-1) if kind.access == "in" else None
        written = np.zeros(held.shape, np.bool_) if kind.access == "out" and report is not None else None
        tensors[value.name] = Tensor(held, kind.dtype, packed, written)
    scalars = {name: number for name, number in given.items() if name not in tensors}
    run(made, tensors, scalars, report=report, write_line=(lines if lines is not None else []).append)
    return {
        name: tensor.dtype.to_values(tensor.array) if tensor.dtype.carrier is not None else tensor.array
        for name, tensor in tensors.items()
    }
