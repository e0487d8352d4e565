"""What instructions work on: typed values, literals, and windows into memory.

    ScalarType(dtype)                          one number, the same for every thread of the block
    TileType(dtype, shape, layout)             a tile in registers; layout None: left to the compiler
    SharedType(dtype, shape, layout)           a tile in shared memory
    TensorType(dtype, shape, access, layout)   a parameter in global memory; the shape may hold symbols

Shapes count elements. Dimensions of tiles are integers of at least 1; those of tensors are sizes (``tilevm.sizes``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tilevm.dtypes import I32, DType
from tilevm.errors import Span
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern
from tilevm.sizes import Size, text

__all__ = [
    "Literal",
    "Operand",
    "ScalarType",
    "SharedType",
    "TensorType",
    "TileType",
    "Type",
    "Value",
    "Window",
]


@dataclass(frozen=True)
class ScalarType:
    """One number, uniform over the block."""

    dtype: DType

    @property
    def shape(self) -> tuple[int, ...]:
        """Always ``()``: a scalar broadcasts with every tile."""
        return ()

    def __str__(self) -> str:
        return self.dtype.name


@dataclass(frozen=True)
class TileType:
    """A tile in registers. Two types with different layouts are different types."""

    dtype: DType
    shape: tuple[int, ...]
    layout: Layout | None = None

    @property
    def elements(self) -> int:
        """How many elements the tile has."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return _shaped(self.dtype, self.shape, self.layout)


@dataclass(frozen=True)
class SharedType:
    """A tile in shared memory; ``layout`` None means row-major and dense."""

    dtype: DType
    shape: tuple[int, ...]
    layout: Layout | None = None

    @property
    def elements(self) -> int:
        """How many elements the tile has."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"shared {_shaped(self.dtype, self.shape, self.layout)}"


@dataclass(frozen=True)
class TensorType:
    """A tensor in global memory. ``access`` is ``in``, ``out`` or ``inout``; ``layout`` None means row-major."""

    dtype: DType
    shape: tuple[Size, ...]
    access: str = "in"
    layout: Layout | MemoryPattern | None = None

    def __str__(self) -> str:
        return _shaped(self.dtype, self.shape, self.layout)


Type = ScalarType | TileType | SharedType | TensorType


def _shaped(dtype: DType, shape: tuple[Size, ...], layout: object) -> str:
    suffix = "" if layout is None else f" @ {layout}"
    return f"{dtype.name}[{', '.join(text(size) for size in shape)}]{suffix}"


@dataclass(frozen=True, eq=False)
class Value:
    """A value defined once. Compares by identity; the name is only for people."""

    type: Type
    name: str = ""
    span: Span | None = field(default=None, repr=False)

    @property
    def dtype(self) -> DType:
        """The number format of the elements."""
        return self.type.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a scalar or a tile, in elements. A tensor's may hold symbols: ask its type."""
        assert not isinstance(self.type, TensorType)
        return self.type.shape


@dataclass(frozen=True)
class Literal:
    """A scalar known when the program is compiled."""

    value: int | float | bool
    dtype: DType

    @property
    def type(self) -> ScalarType:
        """The type of the literal."""
        return ScalarType(self.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Always ``()``."""
        return ()

    def __eq__(self, other: object) -> bool:
        # 0.0 and -0.0 are different numbers, and a NaN is itself.
        return isinstance(other, Literal) and self.dtype == other.dtype and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash((repr(self.value), self.dtype))


Operand = Value | Literal


@dataclass(frozen=True)
class Window:
    """Part of a tensor or of a shared tile: along each dimension of the base, ``extent`` elements from ``offset``.

    ``offsets`` are scalars of type ``i32``. An extent of None takes one element and drops the dimension.
    """

    base: Value
    offsets: tuple[Operand, ...]
    extents: tuple[int | None, ...]

    @property
    def dtype(self) -> DType:
        """The number format of the elements."""
        return self.base.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tile that the window covers."""
        return tuple(extent for extent in self.extents if extent is not None)

    @classmethod
    def whole(cls, base: Value) -> Window:
        """All of a shared tile."""
        assert isinstance(base.type, SharedType)
        return cls(base, tuple(Literal(0, I32) for _ in base.type.shape), base.type.shape)
