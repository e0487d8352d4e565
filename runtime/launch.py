"""A launch, checked: the arguments fit the program, outputs are made, and everything a backend needs is known.

Every backend runs what ``check`` gives. All that can be wrong with the arguments is found here, before anything runs,
so a launch that is refused has written nothing. Where arrays lie is the affair of a *place*: it makes outputs, and
tells whether two arrays share memory. ``HOST`` is the place of the interpreter and of the simulator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Generic, Protocol, TypeVar

from tilevm.dtypes import DType
from tilevm.errors import ArgumentError, Diagnostic, Related
from tilevm.ir import Program
from tilevm.packed_array import PackedArray
from tilevm.runtime.arguments import check_scalar
from tilevm.runtime.arrays import ArrayArgument, make, overlap
from tilevm.runtime.shapes import bind_sizes, check_launch, grid_of
from tilevm.sizes import evaluate
from tilevm.values import ScalarType, TensorType, Value

__all__ = ["HOST", "Argument", "Launch", "Place", "access", "check", "check_formats", "shape_of"]


class Argument(Protocol):
    """An array that was passed or made for a parameter, wherever it lies."""

    @property
    def given(self) -> Any:
        """What the caller passed, and gets back."""

    @property
    def dtype(self) -> DType:
        """The number format."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents in elements."""


Held = TypeVar("Held", bound=Argument)


@dataclass(frozen=True)
class Place(Generic[Held]):
    """Where the arrays of a launch lie."""

    make: Callable[[str, DType, tuple[int, ...]], Held]
    """A new array for an ``out`` parameter: name, format, shape."""
    overlap: Callable[[Held, Held], bool]
    """Whether two arrays have memory in common."""


HOST: Place[ArrayArgument] = Place(make, overlap)


@dataclass(frozen=True)
class Launch(Generic[Held]):
    """A program with arguments that fit it. ``grid`` counts blocks; one with none runs nothing."""

    program: Program
    arrays: Mapping[str, Held]
    """The array of every tensor parameter."""
    scalars: Mapping[str, int | float | bool]
    sizes: Mapping[str, int]
    grid: tuple[int, ...]

    @property
    def blocks(self) -> int:
        """How many blocks run."""
        return math.prod(self.grid)

    @property
    def returned(self) -> tuple[Any, ...]:
        """The ``out`` arrays, in order, as the caller sees them."""
        return tuple(self.arrays[value.name].given for value in self.program.tensors if access(value) == "out")


def check(
    program: Program,
    arrays: Mapping[str, Held],
    scalars: Mapping[str, Any],
    given_sizes: Mapping[str, int],
    place: Place[Held],
) -> Launch[Held]:
    """Checks the arguments of a launch, and makes the ``out`` arrays that were not passed.

    Raises ``ArgumentError`` A005 for another number format, A013 and A014 for scalars, A016 for arrays that overlap,
    A019 for outputs that an empty grid would not write, A020 for outputs that are too large, and what ``bind_sizes``
    and ``check_launch`` raise.
    """
    check_formats(program, arrays)
    sizes = bind_sizes(program, {name: array.shape for name, array in arrays.items()}, given_sizes)
    check_launch(program, sizes)
    numbers = {
        value.name: check_scalar(value.name, value.dtype, scalars[value.name])
        for value in program.parameters
        if isinstance(value.type, ScalarType)
    }
    grid = grid_of(program, sizes)
    everything = {**arrays, **_made(program, arrays, sizes, math.prod(grid), place)}
    _check_overlap(program, everything, place)
    return Launch(program, everything, numbers, sizes, grid)


def check_formats(program: Program, arrays: Mapping[str, Held]) -> None:
    """Raises ``ArgumentError`` A005 with every array of another number format."""
    mistakes = list(_wrong_formats(program, arrays))
    if mistakes:
        raise ArgumentError.of(mistakes)


def _wrong_formats(program: Program, arrays: Mapping[str, Held]) -> Iterator[Diagnostic]:
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


def _conversion(value: Value, array: Argument) -> str:
    name, wanted = value.name, value.dtype
    if access(value) != "in":
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


def _made(
    program: Program, arrays: Mapping[str, Held], sizes: Mapping[str, int], blocks: int, place: Place[Held]
) -> dict[str, Held]:
    """An array for each ``out`` parameter that was not given."""
    made = {}
    for value in program.tensors:
        if value.name in arrays:
            continue
        shape = shape_of(value, sizes)
        elements = math.prod(shape)
        if blocks == 0 and elements > 0:
            raise ArgumentError(
                "A019",
                f"the grid of kernel `{program.name}` is empty, so nothing writes `{value.name}`, "
                f"which has {elements} elements",
                argument=value.name,
                help=f"pass {value.name}=… to have it left as it is",
            )
        made[value.name] = place.make(value.name, value.dtype, shape)
    return made


def _check_overlap(program: Program, arrays: Mapping[str, Held], place: Place[Held]) -> None:
    for first, second in combinations(program.tensors, 2):
        if access(first) == access(second) == "in":
            continue
        if place.overlap(arrays[first.name], arrays[second.name]):
            written, other = (first, second) if access(first) != "in" else (second, first)
            raise ArgumentError(
                "A016",
                f"`{written.name}`, which the kernel writes, shares memory with `{other.name}`",
                argument=written.name,
                help=f"pass a copy of one of them, or leave `{written.name}` out"
                if access(written) == "out"
                else "pass a copy of one of them",
            )


def shape_of(value: Value, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a tensor under a binding of the sizes."""
    assert isinstance(value.type, TensorType)
    return tuple(evaluate(size, sizes) for size in value.type.shape)


def access(value: Value) -> str:
    """``in``, ``out`` or ``inout``."""
    assert isinstance(value.type, TensorType)
    return value.type.access
