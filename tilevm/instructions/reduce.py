"""Across the elements of a tile, and so across threads: reductions, scans, shuffles and votes.

A reduction takes one axis away, or with ``axis=None`` all of them, which gives a scalar; so does an axis that is the
last one. Sums of ``f16`` and ``bf16`` are added in ``f32`` and rounded once; the order of additions is not specified. A
minimum or maximum leaves NaNs out unless all are NaN, as PTX ``min`` and ``max`` do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm.dtypes import I32, U32, DType
from tilevm.errors import ProgramError
from tilevm.instruction import ANY, LOGIC, NUMBER, TRUTH, DTypeClass, Instruction, attribute, instruction, operand
from tilevm.instructions.elementwise import any_in_block, register_type, rounded
from tilevm.instructions.selection import maximum, minimum
from tilevm.instructions.tiles import normalised_axis
from tilevm.machine import Array, Batch
from tilevm.values import Operand, TileType, Type

__all__ = ["All", "Any", "ArgMax", "ArgMin", "CumulativeSum", "Max", "Min", "Scan", "Shuffle", "Sum", "Vote"]


@dataclass(frozen=True)
class _Reduction(Instruction):
    """What reductions share; ``function`` reduces one axis of an array of values."""

    function: ClassVar[Callable[..., Array]]
    result: ClassVar[DType | None] = None
    """The format of the result where it is not that of the operand."""

    x: Operand = operand(NUMBER, form="tile")
    axis: int | None = attribute("axis", default=None)

    def infer(self) -> Type:
        shape = self.x.shape
        if self.axis is None:
            shape = ()
        else:
            axis = normalised_axis(self.spelling, self.axis, len(shape))
            shape = shape[:axis] + shape[axis + 1 :]
        return register_type(self.result or self.x.dtype, shape)

    def evaluate(self, batch: Batch) -> Array:
        values = batch.values(self.x)
        if self.axis is None:
            return self.reduced(values.reshape(len(values), -1), 1)
        return self.reduced(values, 1 + self.axis % len(self.x.shape))

    def reduced(self, values: Array, axis: int) -> Array:
        """The values with one axis reduced, in the carrier of the result."""
        return self.function(values, axis=axis)


@instruction("sum")
class Sum(_Reduction):
    """``sum(x, axis=None)``: the sum along an axis, or of all elements. Integers wrap."""

    def reduced(self, values: Array, axis: int) -> Array:
        return rounded(self.x.dtype, values.sum(axis=axis, dtype=values.dtype))


@instruction("max")
class Max(_Reduction):
    """``max(x, axis=None)``: the largest number. NaNs are left out unless all are NaN; exact."""

    def reduced(self, values: Array, axis: int) -> Array:
        return (np.fmax if values.dtype.kind == "f" else np.maximum).reduce(values, axis=axis)  # type: ignore[no-any-return]


@instruction("min")
class Min(_Reduction):
    """``min(x, axis=None)``: the smallest number. NaNs are left out unless all are NaN; exact."""

    def reduced(self, values: Array, axis: int) -> Array:
        return (np.fmin if values.dtype.kind == "f" else np.minimum).reduce(values, axis=axis)  # type: ignore[no-any-return]


@instruction("any")
class Any(_Reduction):
    """``any(x, axis=None)``: whether any of the truth values (u1) is true."""

    function = staticmethod(np.any)
    x: Operand = operand(TRUTH, form="tile")
    axis: int | None = attribute("axis", default=None)


@instruction("all")
class All(_Reduction):
    """``all(x, axis=None)``: whether all of the truth values (u1) are true."""

    function = staticmethod(np.all)
    x: Operand = operand(TRUTH, form="tile")
    axis: int | None = attribute("axis", default=None)


@instruction("argmax")
class ArgMax(_Reduction):
    """``argmax(x, axis=None)``: the index (i32) of the largest number, the first of equal ones; with ``axis=None`` in
    row-major order. NaNs are left out; where all are NaN it is 0.
    """

    result = I32

    def reduced(self, values: Array, axis: int) -> Array:
        lowest = -np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).min
        return _first_of(values, maximum, lowest, axis)


@instruction("argmin")
class ArgMin(_Reduction):
    """``argmin(x, axis=None)``: the index (i32) of the smallest number; else as ``argmax``."""

    result = I32

    def reduced(self, values: Array, axis: int) -> Array:
        highest = np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).max
        return _first_of(values, minimum, highest, axis)


def _first_of(values: Array, better: Callable[[Array, Array], Array], worst: float | int, axis: int) -> Array:
    """The index of the first best value that is a number."""
    best = (np.fmax if better is maximum else np.fmin) if values.dtype.kind == "f" else better
    extreme = (
        best.reduce(values, axis=axis, keepdims=True)
        if isinstance(best, np.ufunc)
        else ((np.maximum if better is maximum else np.minimum).reduce(values, axis=axis, keepdims=True))
    )
    return np.argmax(values == extreme, axis=axis).astype(np.int32)


@instruction("cumsum")
class CumulativeSum(Instruction):
    """``cumsum(x, axis)``: the sum of all elements up to and with each one along an axis; f16 and bf16 are added in
    f32, and each sum is rounded once. Integers wrap.
    """

    x: Operand = operand(NUMBER, form="tile")
    axis: int = attribute("axis")

    def infer(self) -> Type:
        normalised_axis("cumsum", self.axis, len(self.x.shape))
        return TileType(self.x.dtype, self.x.shape)

    def evaluate(self, batch: Batch) -> Array:
        values = batch.values(self.x)
        axis = 1 + self.axis % len(self.x.shape)
        return rounded(self.x.dtype, np.cumsum(values, axis=axis, dtype=values.dtype))


_NUMBER_OR_TRUTH = DTypeClass("u1 or a number format with arithmetic", lambda d: NUMBER.accepts(d) or TRUTH.accepts(d))

_SCANS: dict[str, tuple[DTypeClass, np.ufunc]] = {
    "add": (NUMBER, np.add),
    "multiply": (NUMBER, np.multiply),
    "maximum": (NUMBER, np.maximum),
    "minimum": (NUMBER, np.minimum),
    "and": (LOGIC, np.bitwise_and),
    "or": (LOGIC, np.bitwise_or),
    "xor": (LOGIC, np.bitwise_xor),
}


@instruction("scan")
class Scan(Instruction):
    """``scan(x, axis, operation=add, reverse=False, exclusive=False)``: combines all elements up to each one along an
    axis.

    Operations are ``add multiply maximum minimum`` on numbers, ``and or xor`` on integers and u1. ``reverse`` starts
    from the end. ``exclusive`` leaves each element itself out, and starts with what changes nothing: 0, 1, the lowest
    or the highest number, or all bits. f16 and bf16 combine in f32 and round each result once; integers wrap;
    ``maximum`` and ``minimum`` leave NaNs out. Raises ``ProgramError`` T045 for an operation that the format does not
    have.
    """

    x: Operand = operand(_NUMBER_OR_TRUTH, form="tile")
    axis: int = attribute("axis")
    operation: str = attribute("choice", choices=tuple(_SCANS), default="add")
    reverse: bool = attribute("flag", keyword=True, default=False)
    exclusive: bool = attribute("flag", keyword=True, default=False)

    def infer(self) -> Type:
        normalised_axis("scan", self.axis, len(self.x.shape))
        accepted, _ = _SCANS[self.operation]
        if not accepted.accepts(self.x.dtype):
            raise ProgramError(
                "T045",
                f"`scan` with `{self.operation}` takes {accepted.name}, not {self.x.dtype}",
                argument="operation",
            )
        return TileType(self.x.dtype, self.x.shape)

    def evaluate(self, batch: Batch) -> Array:
        values = batch.values(self.x)
        along = np.moveaxis(values, 1 + self.axis % len(self.x.shape), -1)
        if self.reverse:
            along = along[..., ::-1]
        function = _SCANS[self.operation][1]
        if values.dtype.kind == "f" and self.operation in ("maximum", "minimum"):
            function = np.fmax if self.operation == "maximum" else np.fmin
        result = function.accumulate(along, axis=-1, dtype=values.dtype)
        if self.exclusive:
            first = np.full((*result.shape[:-1], 1), self.neutral(values.dtype), values.dtype)
            result = np.concatenate([first, result[..., :-1]], axis=-1)
        if self.reverse:
            result = result[..., ::-1]
        return rounded(self.x.dtype, np.moveaxis(result, -1, 1 + self.axis % len(self.x.shape)))

    def neutral(self, kind: np.dtype[np.generic]) -> int | float | bool:
        """What the operation starts with."""
        if self.operation in ("add", "or", "xor"):
            return 0
        if self.operation == "multiply":
            return 1
        if self.operation == "and":
            return True if kind.kind == "b" else -1 if kind.kind == "i" else int(np.iinfo(kind).max)
        if kind.kind == "f":
            return -np.inf if self.operation == "maximum" else np.inf
        return int(np.iinfo(kind).min if self.operation == "maximum" else np.iinfo(kind).max)


@instruction("shuffle")
class Shuffle(Instruction):
    """``shuffle(x, index, axis)``: elements of any format taken along an axis: result[..., j, ...] = x[..., index[...,
    j, ...], ...].

    ``index`` is an i32 tile of x's shape but along the axis, where it may have any extent. An index out of range takes
    the nearest element, and is a finding in debug mode (R012). Raises ``ProgramError`` T046 for an index of another
    shape.
    """

    x: Operand = operand(ANY, form="tile")
    index: Operand = operand(form="tile", fixed=I32)
    axis: int = attribute("axis")

    def infer(self) -> Type:
        axis = normalised_axis("shuffle", self.axis, len(self.x.shape))
        others = [shape[:axis] + shape[axis + 1 :] for shape in (self.x.shape, self.index.shape)]
        if len(self.x.shape) != len(self.index.shape) or others[0] != others[1]:
            raise ProgramError(
                "T046",
                f"`shuffle` takes an index of shape {list(self.x.shape)} but along axis {axis}, not {list(self.index.shape)}",
                argument="index",
            )
        return TileType(self.x.dtype, self.index.shape)

    def evaluate(self, batch: Batch) -> Array:
        elements, index = batch.raw(self.x), batch.values(self.index)
        axis = 1 + self.axis % len(self.x.shape)
        last = self.x.shape[axis - 1] - 1
        outside = (index < 0) | (index > last)
        batch.note("R012", "an index of `shuffle` is out of range", any_in_block(outside))
        blocks = max(len(elements), len(index))
        elements = np.broadcast_to(elements, (blocks, *elements.shape[1:]))
        index = np.broadcast_to(np.clip(index, 0, last), (blocks, *index.shape[1:]))
        return np.take_along_axis(elements, index.astype(np.int64), axis)


@instruction("vote")
class Vote(Instruction):
    """``vote(x)``: truth values as bits: u1[..., 32·n] gives u32[..., n]; element i is bit i % 32 of word i // 32.

    Reference: PTX ISA, vote.sync.ballot. Raises ``ProgramError`` T047 where the last extent is not a multiple of 32.
    """

    x: Operand = operand(TRUTH, form="tile")

    def infer(self) -> Type:
        *outer, last = self.x.shape
        if last % 32:
            raise ProgramError("T047", f"`vote` takes a last extent that is a multiple of 32, not {last}", argument="x")
        return TileType(U32, (*outer, last // 32))

    def evaluate(self, batch: Batch) -> Array:
        packed = np.packbits(batch.values(self.x), axis=-1, bitorder="little")
        return np.ascontiguousarray(packed).view("<u4").astype(np.uint32, copy=False)
