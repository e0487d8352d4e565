"""Tensors as the bytes that lie in global memory: packed, and in the layout that the parameter declares.

An element of 16 bits takes two bytes and one of 4 bits half of one; nothing lies between elements but what a declared
layout leaves free. That is what a compiled kernel reads and writes, and what ``memory_view`` shows to a program.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tilevm.errors import ExecutionError
from tilevm.ir import Let, Program, walk
from tilevm.memory import in_memory_form
from tilevm.memory_pattern import Placement
from tilevm.packed_array import PackedArray
from tilevm.packing import packed_bytes
from tilevm.runtime.arrays import ArrayArgument
from tilevm.runtime.launch import shape_of
from tilevm.values import TensorType, Value

__all__ = ["bring_back", "check_views", "declared_layout", "image", "image_bytes", "views"]


def declared_layout(value: Value, sizes: Mapping[str, int]) -> Placement | None:
    """The memory layout that a parameter declares, None where it is row-major and dense."""
    assert isinstance(value.type, TensorType)
    declared = value.type.layout
    if declared is None:
        return None
    return declared.placed(shape_of(value, sizes), value.dtype.bits)


def image_bytes(value: Value, sizes: Mapping[str, int]) -> int:
    """The bytes that a tensor takes in global memory."""
    layout = declared_layout(value, sizes)
    if layout is not None:
        return -(-layout.size_bits // 8)
    return packed_bytes(math.prod(shape_of(value, sizes)), value.dtype.bits)


def image(value: Value, array: ArrayArgument, sizes: Mapping[str, int]) -> NDArray[np.uint8]:
    """The bytes of an array: the caller's own memory where it lies there like that already, else a copy."""
    layout = declared_layout(value, sizes)
    if isinstance(array.given, PackedArray) and array.given.layout == layout:
        return array.given.data
    elements = array.elements
    if layout is None and 8 * elements.itemsize == array.dtype.bits:
        return np.ascontiguousarray(elements).reshape(-1).view(np.uint8)
    return PackedArray.from_codes(array.dtype.to_codes(elements), array.dtype, layout).data


def bring_back(value: Value, array: ArrayArgument, data: NDArray[np.uint8], sizes: Mapping[str, int]) -> None:
    """Brings the bytes of a tensor that was written to where the caller sees them."""
    if isinstance(array.given, PackedArray) and data is array.given.data:
        return
    if not np.may_share_memory(data, array.elements):
        codes = PackedArray(data, array.dtype, array.shape, declared_layout(value, sizes)).codes()
        array.elements[...] = in_memory_form(array.dtype, codes)
    array.finish()


def views(program: Program) -> Iterator[tuple[Value, TensorType]]:
    """Each tensor that a program looks at in another form, with that form."""
    for statement in walk(program.body):
        if isinstance(statement, Let) and statement.result is not None:
            seen = statement.result.type
            if isinstance(seen, TensorType):
                for operand in statement.instruction.operands():
                    if isinstance(operand, Value) and isinstance(operand.type, TensorType):
                        yield operand, seen


def check_views(program: Program, nbytes: Mapping[str, int], sizes: Mapping[str, int]) -> None:
    """Refuses views that do not cover their tensor, which a compiled kernel would not notice.

    ``nbytes`` are the bytes of each tensor parameter. Raises ``ExecutionError`` R008.
    """
    parameters = program.tensors
    for tensor, seen in views(program):
        if tensor not in parameters:
            continue  # a view of a view: it was compared with what it is made of
        count = math.prod(shape_of(Value(seen), sizes))
        if packed_bytes(count, seen.dtype.bits) != nbytes[tensor.name]:
            raise ExecutionError(
                "R008",
                f"`memory_view` of `{tensor.name}` asks for {count * seen.dtype.bits} bits "
                f"of a tensor of {8 * nbytes[tensor.name]} bits",
                span=tensor.span,
            )
