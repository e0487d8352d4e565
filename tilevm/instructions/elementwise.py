"""What elementwise instructions share: shapes broadcast as NumPy's do, and results are rounded to their format once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tilevm.arch import Arch
from tilevm.dtypes import DType
from tilevm.errors import ProgramError
from tilevm.instruction import Instruction
from tilevm.layout_relation import SAME, Relation, serving
from tilevm.machine import Array, Batch
from tilevm.values import Operand, ScalarType, TileType, Type

__all__ = [
    "Elementwise",
    "Rounded",
    "aligned",
    "any_in_block",
    "broadcast_shapes",
    "broadcast_type",
    "elementwise_layouts",
    "register_type",
    "rounded",
]


def broadcast_shapes(call: str, **shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape of the operands, as NumPy broadcasts.

    Raises ``ProgramError`` T012 where there is none, naming the two that clash.

    >>> broadcast_shapes("+", a=(4, 1), b=(3,))
    (4, 3)
    """
    result: tuple[int, ...] = ()
    for name, shape in shapes.items():
        try:
            result = np.broadcast_shapes(result, shape)
        except ValueError:
            raise ProgramError(
                "T012",
                f"`{call}` cannot broadcast shapes {list(result)} and {list(shape)}",
                argument=name,
                help="two extents go together where they are equal or one of them is 1; x[:, None] adds an extent of 1",
            ) from None
    return result


def broadcast_type(call: str, dtype: DType, **operands: Operand) -> Type:
    """A scalar type where all operands are scalars, else the tile type of their common shape."""
    return register_type(dtype, broadcast_shapes(call, **{name: each.shape for name, each in operands.items()}))


def register_type(dtype: DType, shape: tuple[int, ...]) -> Type:
    """A tile in registers of a shape, or a scalar where the shape has no dimension: no tile is without dimensions.

    >>> from tilevm.dtypes import F16
    >>> str(register_type(F16, (4, 8))), str(register_type(F16, ()))
    ('f16[4, 8]', 'f16')
    """
    return TileType(dtype, shape) if shape else ScalarType(dtype)


def rounded(dtype: DType, values: Array) -> Array:
    """Values computed in the carrier, rounded to the format: f16 is computed in f32 and rounded once, which is exact
    for one operation since 24 >= 2 * 11 + 2 (Figueroa, "When is double rounding innocuous?", 1995)."""
    return dtype.round(values) if dtype.kind == "float" else values


def any_in_block(mask: Array) -> Array:
    """Which blocks have a true element: ``bool[blocks]`` of a mask with the block axis first."""
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def elementwise_layouts(
    owner: Instruction, shape: tuple[int, ...], *names: str
) -> Iterator[tuple[str, int | None, Relation]]:
    """``Instruction.layouts`` where each element of a tile of ``shape`` needs the one of every operand that stands at
    its place, or whose block it is in; of the operands of these names only, where names are given."""
    for name, role in owner.roles().items():
        held = getattr(owner, name)
        if role.kind != "operand" or role.form in ("memory", "tensor") or held is None or (names and name not in names):
            continue
        for place, each in enumerate(held if role.variadic else (held,)):
            if isinstance(each.type, TileType):
                relation = SAME if each.shape == shape else serving(each.shape)
                yield name, place if role.variadic else None, relation


@dataclass(frozen=True)
class Elementwise(Instruction):
    """Computes each element of the result from the same element of every operand, in the format of the operands.

    ``function`` takes the operands' values, aligned so that they broadcast, and gives numbers that the format holds.
    """

    function: ClassVar[Callable[..., Array]]

    def infer(self) -> Type:
        operands = {name: getattr(self, name) for name in self.roles()}
        return broadcast_type(self.spelling, next(self.operands()).dtype, **operands)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        operands = {name: getattr(self, name).shape for name in self.roles()}
        return elementwise_layouts(self, broadcast_shapes(self.spelling, **operands))

    def evaluate(self, batch: Batch) -> Array:
        with np.errstate(all="ignore"):
            return self.function(*batch.aligned(*self.operands()))


@dataclass(frozen=True)
class Rounded(Elementwise):
    """As ``Elementwise``, but what ``function`` gives is in the carrier, and is then rounded to the format."""

    def evaluate(self, batch: Batch) -> Array:
        with np.errstate(all="ignore"):
            return rounded(next(self.operands()).dtype, self.function(*batch.aligned(*self.operands())))


def aligned(arrays: tuple[Any, ...], ranks: tuple[int, ...]) -> tuple[Array, ...]:
    """The arrays with axes of length 1 after the block axis, so that all have the greatest rank."""
    rank = max(ranks)
    return tuple(
        array.reshape(array.shape[0], *(1,) * (rank - own), *array.shape[1:]) if own < rank else array
        for array, own in zip(arrays, ranks, strict=True)
    )
