"""A launch: arguments checked against the program, outputs made, the program run, results brought back.

Everything about the arguments is checked before anything runs, so a launch that is refused has written nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from tilevm.errors import ArgumentError, Diagnostic, Related
from tilevm.interpreter import run
from tilevm.ir import Let, Program, walk
from tilevm.layout import Layout
from tilevm.memory import Tensor
from tilevm.packed_array import PackedArray
from tilevm.report import Report
from tilevm.runtime.arguments import check_scalar
from tilevm.runtime.arrays import ArrayArgument, make, overlap
from tilevm.runtime.shapes import bind_sizes, check_launch, grid_of
from tilevm.sizes import evaluate
from tilevm.values import ScalarType, TensorType, Value

__all__ = ["launch"]


def launch(
    program: Program,
    arrays: Mapping[str, ArrayArgument],
    scalars: Mapping[str, Any],
    given_sizes: Mapping[str, int],
    report: Report | None,
) -> tuple[Any, ...]:
    """Runs a program in the interpreter and returns its ``out`` arrays, in order.

    Raises ``ArgumentError`` A005 for another number format, A013 and A014 for scalars, A016 for arrays that overlap,
    A019 for outputs that an empty grid would not write, A020 for outputs that are too large, and what ``bind_sizes``
    and ``check_launch`` raise; ``ExecutionError`` where the program goes wrong.
    """
    mistakes = list(_wrong_formats(program, arrays))
    if mistakes:
        raise ArgumentError.of(mistakes)
    sizes = bind_sizes(program, {name: array.shape for name, array in arrays.items()}, given_sizes)
    check_launch(program, sizes)
    numbers = {
        value.name: check_scalar(value.name, value.dtype, scalars[value.name])
        for value in program.parameters
        if isinstance(value.type, ScalarType)
    }
    everything = {**arrays, **_made(program, arrays, sizes)}
    _check_overlap(program, everything)
    if math.prod(grid_of(program, sizes)):
        tensors = _tensors(program, everything, sizes, report)
        run(program, tensors, {**sizes, **numbers}, report=report)
        for value in program.tensors:
            if _access(value) != "in":
                everything[value.name].finish()
    return tuple(everything[value.name].given for value in program.tensors if _access(value) == "out")


def _wrong_formats(program: Program, arrays: Mapping[str, ArrayArgument]) -> Iterator[Diagnostic]:
    for value in program.tensors:
        array = arrays.get(value.name)
        if array is None or array.dtype == value.dtype:
            continue
        related = () if value.span is None else (Related(value.span, "declared here"),)
        yield Diagnostic(
            "A005",
            f"`{value.name}` holds {array.dtype}, the kernel takes {value.dtype}",
            argument=value.name,
            related=related,
            help=_conversion(value, array),
        )


def _conversion(value: Value, array: ArrayArgument) -> str:
    name, wanted = value.name, value.dtype
    if _access(value) != "in":
        return f"leave `{name}` out, and the kernel makes it"
    if isinstance(array.given, PackedArray):
        return f'tilevm.PackedArray.from_values({name}, "{wanted}") converts the numbers'
    if wanted.carrier is not None and wanted.name not in ("bf16", "tf32"):
        return f"{name}.astype({'bool' if wanted.bits == 1 else f'numpy.{_numpy_name(wanted.name)}'}) converts it"
    if array.dtype.kind == "uint" and array.dtype.bits == 8 * wanted.storage.itemsize:
        return f'if these are codes: tilevm.PackedArray.from_codes({name}, "{wanted}"); if numbers: from_values'
    return f'tilevm.PackedArray.from_values({name}, "{wanted}") converts the numbers'


def _numpy_name(name: str) -> str:
    return {"f": "float", "i": "int", "u": "uint"}[name[0]] + name[1:]


def _made(program: Program, arrays: Mapping[str, ArrayArgument], sizes: Mapping[str, int]) -> dict[str, ArrayArgument]:
    """An array for each ``out`` parameter that was not given."""
    made = {}
    blocks = math.prod(grid_of(program, sizes))
    for value in program.tensors:
        if value.name in arrays:
            continue
        shape = _shape(value, sizes)
        elements = math.prod(shape)
        if blocks == 0 and elements > 0:
            raise ArgumentError(
                "A019",
                f"the grid of kernel `{program.name}` is empty, so nothing writes `{value.name}`, "
                f"which has {elements} elements",
                argument=value.name,
                help=f"pass {value.name}=… to have it left as it is",
            )
        made[value.name] = make(value.name, value.dtype, shape)
    return made


def _check_overlap(program: Program, arrays: Mapping[str, ArrayArgument]) -> None:
    for first, second in combinations(program.tensors, 2):
        if _access(first) == _access(second) == "in":
            continue
        if overlap(arrays[first.name], arrays[second.name]):
            written, other = (first, second) if _access(first) != "in" else (second, first)
            raise ArgumentError(
                "A016",
                f"`{written.name}`, which the kernel writes, shares memory with `{other.name}`",
                argument=written.name,
                help=f"pass a copy of one of them, or leave `{written.name}` out"
                if _access(written) == "out"
                else "pass a copy of one of them",
            )


def _tensors(
    program: Program, arrays: Mapping[str, ArrayArgument], sizes: Mapping[str, int], report: Report | None
) -> dict[str, Tensor]:
    viewed = _viewed(program)
    tensors = {}
    for value in program.tensors:
        array = arrays[value.name]
        packed = _bytes(value, array, sizes) if value in viewed else None
        follow = report is not None and _access(value) == "out"
        written = np.zeros(array.shape, np.bool_) if follow else None
        tensors[value.name] = Tensor(array.elements, array.dtype, packed, written)
    return tensors


def _viewed(program: Program) -> set[Value]:
    """The parameters whose bytes the program looks at: the tensors from which an instruction makes a tensor."""
    return {
        operand
        for statement in walk(program.body)
        if isinstance(statement, Let) and statement.result is not None and isinstance(statement.result.type, TensorType)
        for operand in statement.instruction.operands()
        if isinstance(operand, Value) and isinstance(operand.type, TensorType)
    }


def _bytes(value: Value, array: ArrayArgument, sizes: Mapping[str, int]) -> Any:
    """The bytes of an array as they lie in global memory, in the layout that the parameter declares."""
    layout: Layout | None = None
    declared = _tensor(value).layout
    if declared is not None:
        layout = declared.bind(_shape(value, sizes), value.dtype.bits)
    if isinstance(array.given, PackedArray) and array.given.layout == layout:
        return array.given.data
    return PackedArray.from_codes(array.dtype.to_codes(array.elements), array.dtype, layout).data


def _shape(value: Value, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(size, sizes) for size in _tensor(value).shape)


def _tensor(value: Value) -> TensorType:
    assert isinstance(value.type, TensorType)
    return value.type


def _access(value: Value) -> str:
    return _tensor(value).access
