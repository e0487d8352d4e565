"""Across the elements of a tile, and so across threads: reductions, scans, shuffles and votes.

A reduction takes one axis away, or with ``axis=None`` all of them, which gives a scalar; so does an axis that is the
last one. Sums of ``f16`` and ``bf16`` are added in ``f32`` and rounded once; the order of additions is not specified. A
minimum or maximum leaves NaNs out unless all are NaN, as PTX ``min`` and ``max`` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm.arch import Arch
from tilevm.dtypes import I32, U32, DType
from tilevm.errors import ProgramError
from tilevm.instruction import ANY, LOGIC, NUMBER, TRUTH, DTypeClass, Instruction, attribute, instruction, operand
from tilevm.instructions.elementwise import any_in_block, register_type, rounded
from tilevm.instructions.tiles import normalised_axis, placed
from tilevm.layout_relation import SAME, Relation, coarser, one_way
from tilevm.machine import Array, Batch
from tilevm.numerics import quiet
from tilevm.plan import Plan, Planning
from tilevm.plans.meeting import Meeting
from tilevm.plans.reduction import reduction
from tilevm.plans.scan import scan
from tilevm.plans.taking import taking
from tilevm.values import Literal, Operand, TileType, Type, Value

__all__ = ["All", "Any", "ArgMax", "ArgMin", "CumulativeSum", "Max", "Min", "Scan", "Shuffle", "Sum", "Vote"]


@dataclass(frozen=True)
class _Reduction(Instruction):
    """What reductions share."""

    result: ClassVar[DType | None] = None
    """The format of the result where it is not that of the operand."""
    packed: ClassVar[bool] = False
    """Whether 32 results travel as the bits of one word."""
    place_bytes: ClassVar[int] = 0
    """What travels with each number, in bytes."""

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

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        if self.axis is not None and len(self.x.shape) > 1:
            axis = self.axis % len(self.x.shape)
            yield "x", None, one_way(lambda layout: layout.reduce(axis).squeeze(axis))

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        rank = len(self.x.shape)
        dims = tuple(range(rank)) if self.axis is None else (self.axis % rank,)
        size = number_bytes(self.x.dtype) + self.place_bytes
        plan = reduction(placed(self.x), dims, bytes=size, packed=self.packed)
        say_meetings(planning, plan.meetings, plan.scratch_bytes)
        return plan

    def evaluate(self, batch: Batch) -> Array:
        values = batch.values(self.x)
        if self.axis is None:
            return self.reduced(values.reshape(len(values), -1), 1)
        return self.reduced(values, 1 + self.axis % len(self.x.shape))

    def reduced(self, values: Array, axis: int) -> Array:
        """The values with one axis reduced, in the carrier of the result."""
        raise AssertionError(f"{type(self).__name__} does not define reduced")


def number_bytes(dtype: DType) -> int:
    """The bytes that a number takes while it is computed with: a word, or two."""
    return 8 if dtype.bits == 64 else 4


def say_meetings(planning: Planning, meetings: Sequence[Meeting], scratch_bytes: int) -> None:
    """Remarks what does not stay within warps."""
    if meetings:
        parts = " and then ".join(str(meeting.parts) for meeting in meetings)
        planning.remark(f"{parts} parts of each line meet in {scratch_bytes} bytes of shared memory")


@instruction("sum")
class Sum(_Reduction):
    """``sum(x, axis=None)``: the sum along an axis, or of all elements. Integers wrap."""

    def reduced(self, values: Array, axis: int) -> Array:
        return rounded(self.x.dtype, values.sum(axis=axis, dtype=values.dtype))


@instruction("max")
class Max(_Reduction):
    """``max(x, axis=None)``: the largest number; 0.0 is above -0.0. NaNs are left out unless all are NaN; exact."""

    def reduced(self, values: Array, axis: int) -> Array:
        return _extreme(values, axis, largest=True)


@instruction("min")
class Min(_Reduction):
    """``min(x, axis=None)``: the smallest number; -0.0 is below 0.0. NaNs are left out unless all are NaN; exact."""

    def reduced(self, values: Array, axis: int) -> Array:
        return _extreme(values, axis, largest=False)


def _extreme(values: Array, axis: int, *, largest: bool, running: bool = False) -> Array:
    """The largest or smallest of the numbers along an axis, or (``running``) of those up to each one."""
    # On integers fmax and fmin are maximum and minimum; of floats they leave NaNs out.
    function = np.fmax if largest else np.fmin
    values = quiet(values)
    result = np.asarray(function.accumulate(values, axis=axis) if running else function.reduce(values, axis=axis))
    zeros = result == 0
    if values.dtype.kind == "f" and zeros.any():
        # NumPy leaves open which of 0.0 and -0.0 is taken: it is the one that is sought if any zero has that sign.
        sought = (values == 0) & (np.signbit(values) != largest)
        found = np.logical_or.accumulate(sought, axis=axis) if running else sought.any(axis=axis)
        signed = np.where(found == largest, values.dtype.type(0.0), values.dtype.type(-0.0))
        result = np.where(zeros, signed, result)
    return result


@instruction("any")
class Any(_Reduction):
    """``any(x, axis=None)``: whether any of the truth values (u1) along an axis, or of all, is true."""

    packed = True

    x: Operand = operand(TRUTH, form="tile")
    axis: int | None = attribute("axis", default=None)

    def reduced(self, values: Array, axis: int) -> Array:
        return np.asarray(values.any(axis=axis))


@instruction("all")
class All(_Reduction):
    """``all(x, axis=None)``: whether each of the truth values (u1) along an axis, or of all, is true."""

    packed = True

    x: Operand = operand(TRUTH, form="tile")
    axis: int | None = attribute("axis", default=None)

    def reduced(self, values: Array, axis: int) -> Array:
        return np.asarray(values.all(axis=axis))


@instruction("argmax")
class ArgMax(_Reduction):
    """``argmax(x, axis=None)``: the index (i32) of the largest number, the first of equal ones, as 0.0 and -0.0 are;
    with ``axis=None`` in row-major order. NaNs are left out; where all are NaN it is 0.
    """

    result = I32
    place_bytes = 4

    def reduced(self, values: Array, axis: int) -> Array:
        return _first_of(values, np.fmax, axis)


@instruction("argmin")
class ArgMin(_Reduction):
    """``argmin(x, axis=None)``: the index (i32) of the smallest number; else as ``argmax``."""

    result = I32
    place_bytes = 4

    def reduced(self, values: Array, axis: int) -> Array:
        return _first_of(values, np.fmin, axis)


def _first_of(values: Array, better: np.ufunc, axis: int) -> Array:
    """The index of the first best value that is a number."""
    best = better.reduce(quiet(values), axis=axis, keepdims=True)
    return np.asarray(np.argmax(values == best, axis=axis).astype(np.int32))


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

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        yield "x", None, SAME

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        plan = scan(placed(self.x), self.axis % len(self.x.shape), bytes=number_bytes(self.x.dtype))
        say_meetings(planning, plan.meetings, plan.scratch_bytes)
        return plan

    def evaluate(self, batch: Batch) -> Array:
        values = batch.values(self.x)
        axis = 1 + self.axis % len(self.x.shape)
        return rounded(self.x.dtype, np.cumsum(values, axis=axis, dtype=values.dtype))


_NUMBER_OR_TRUTH = DTypeClass("u1 or a number format with arithmetic", lambda d: NUMBER.accepts(d) or TRUTH.accepts(d))


@dataclass(frozen=True)
class _Scanned:
    """An operation of ``scan``: what it takes, how it runs along the last axis, and what it starts with."""

    accepts: DTypeClass
    along: Callable[[Array], Array]
    neutral: Callable[[DType], int | float | bool]


def _accumulated(function: np.ufunc) -> Callable[[Array], Array]:
    return lambda values: np.asarray(function.accumulate(values, axis=-1, dtype=values.dtype))


def _lowest(dtype: DType) -> int | float:
    return -np.inf if dtype.kind == "float" else dtype.min


def _highest(dtype: DType) -> int | float:
    return np.inf if dtype.kind == "float" else dtype.max


_SCANS: dict[str, _Scanned] = {
    "add": _Scanned(NUMBER, _accumulated(np.add), lambda dtype: 0),
    "multiply": _Scanned(NUMBER, _accumulated(np.multiply), lambda dtype: 1),
    "maximum": _Scanned(NUMBER, lambda values: _extreme(values, -1, largest=True, running=True), _lowest),
    "minimum": _Scanned(NUMBER, lambda values: _extreme(values, -1, largest=False, running=True), _highest),
    "and": _Scanned(LOGIC, _accumulated(np.bitwise_and), lambda dtype: -1 if dtype.signed else dtype.max),
    "or": _Scanned(LOGIC, _accumulated(np.bitwise_or), lambda dtype: 0),
    "xor": _Scanned(LOGIC, _accumulated(np.bitwise_xor), lambda dtype: 0),
}


@instruction("scan")
class Scan(Instruction):
    """``scan(x, axis, operation=add, reverse=False, exclusive=False)``: combines all elements up to each one along an
    axis.

    Operations are ``add multiply maximum minimum`` on numbers, ``and or xor`` on integers and u1. ``reverse`` starts
    from the end. ``exclusive`` leaves each element itself out, and starts with what changes nothing: 0, 1, the lowest
    or the highest number (an infinity for floats), or all bits. f16 and bf16 combine in f32 and round each result once;
    integers wrap; ``maximum`` and ``minimum`` treat NaNs and zeros as ``max`` and ``min`` do. Raises ``ProgramError``
    T045 for an operation that the format does not have.
    """

    x: Operand = operand(_NUMBER_OR_TRUTH, form="tile")
    axis: int = attribute("axis")
    operation: str = attribute("choice", choices=tuple(_SCANS), default="add")
    reverse: bool = attribute("flag", keyword=True, default=False)
    exclusive: bool = attribute("flag", keyword=True, default=False)

    def infer(self) -> Type:
        normalised_axis("scan", self.axis, len(self.x.shape))
        accepted = _SCANS[self.operation].accepts
        if not accepted.accepts(self.x.dtype):
            raise ProgramError(
                "T045",
                f"`scan` with `{self.operation}` takes {accepted.name}, not {self.x.dtype}",
                argument="operation",
            )
        return TileType(self.x.dtype, self.x.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        yield "x", None, SAME

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        dtype, axis = self.x.dtype, self.axis % len(self.x.shape)
        start = Literal(_SCANS[self.operation].neutral(dtype), dtype)
        plan = scan(placed(self.x), axis, bytes=number_bytes(dtype), reverse=self.reverse, start=start)
        say_meetings(planning, plan.meetings, plan.scratch_bytes)
        return plan

    def evaluate(self, batch: Batch) -> Array:
        values = batch.values(self.x)
        along = np.moveaxis(values, 1 + self.axis % len(self.x.shape), -1)
        if self.reverse:
            along = along[..., ::-1]
        operation = _SCANS[self.operation]
        result = operation.along(along)
        if self.exclusive:
            first = np.full((*result.shape[:-1], 1), operation.neutral(self.x.dtype), values.dtype)
            result = np.concatenate([first, result[..., :-1]], axis=-1)
        if self.reverse:
            result = result[..., ::-1]
        return rounded(self.x.dtype, np.moveaxis(result, -1, 1 + self.axis % len(self.x.shape)))


@instruction("shuffle")
class Shuffle(Instruction):
    """``shuffle(x, index, axis)``: elements of any format taken along an axis, every bit kept.

    result[..., j, ...] is x[..., index[..., j, ...], ...], where j and the index stand at the axis.
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
                f"`shuffle` of {list(self.x.shape)} along axis {axis} takes no index of shape {list(self.index.shape)}",
                argument="index",
                help="but along that axis the index has the shape of the tile",
            )
        return TileType(self.x.dtype, self.index.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        yield "index", None, SAME

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        plan = taking(self.x.dtype, placed(self.x), placed(result), self.axis % len(self.x.shape))
        if plan.windows:
            times = f", {len(plan.windows)} times" if len(plan.windows) > 1 else ""
            planning.remark(f"elements are taken from {plan.scratch_bytes} bytes of shared memory{times}")
        return plan

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

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        words = (*self.x.shape[:-1], self.x.shape[-1] // 32)
        yield "x", None, one_way(lambda layout: coarser(layout, words))

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        *outer, last = self.x.shape
        words = placed(self.x).reshape(*outer, last // 32, 32)
        plan = reduction(words, (words.rank - 1,), bytes=4)
        say_meetings(planning, plan.meetings, plan.scratch_bytes)
        return plan

    def evaluate(self, batch: Batch) -> Array:
        packed = np.packbits(batch.values(self.x), axis=-1, bitorder="little")
        return np.ascontiguousarray(packed).view("<u4").astype(np.uint32, copy=False)
