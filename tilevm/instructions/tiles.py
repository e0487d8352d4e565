"""Making tiles and changing their shape; no number is computed.

``zeros full iota`` make a tile; ``reshape permute broadcast squeeze unsqueeze slice concat`` give the elements of a
tile another place; ``convert_layout`` moves them between threads; ``assume`` states a fact.

They take any number format, also those in which nothing is computed, and keep every bit. A shape without dimensions
is that of a scalar, so that ``squeeze`` of a tile of one element gives a scalar and ``unsqueeze`` of a scalar a tile.
An axis may be counted from the end: -1 is the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from tilevm.arch import Arch
from tilevm.dtypes import I32, DType
from tilevm.errors import ProgramError
from tilevm.instruction import ANY, NUMBER, TRUTH, Instruction, attribute, instruction, operand
from tilevm.instructions.elementwise import register_type
from tilevm.instructions.selection import in_one_form
from tilevm.layout import Layout
from tilevm.layout_relation import SAME, Relation, one_way, serving, two_ways
from tilevm.machine import Array, Batch
from tilevm.memory_pattern import MemoryPattern
from tilevm.plan import Plan, Planning
from tilevm.plans.exchange import exchange, remark_on
from tilevm.values import Operand, TileType, Type, Value

__all__ = [
    "Assume",
    "Broadcast",
    "Concatenate",
    "ConvertLayout",
    "Full",
    "Iota",
    "Permute",
    "Reshape",
    "Slice",
    "Squeeze",
    "Unsqueeze",
    "Zeros",
    "check_register_layout",
    "normalised_axis",
    "placed",
]


def normalised_axis(call: str, axis: int, rank: int, argument: str = "axis") -> int:
    """An axis counted from the front. Raises ``ProgramError`` T020 where ``rank`` dimensions have it not.

    >>> normalised_axis("squeeze", -1, 3)
    2
    """
    if not -rank <= axis < rank:
        valid = f"it is one of {-rank} … {rank - 1}" if rank else "a scalar has no axis"
        raise ProgramError("T020", f"`{call}` has no axis {axis}: {valid}", argument=argument)
    return axis % rank


@instruction("zeros")
class Zeros(Instruction):
    """``zeros(dtype, shape)``: a tile of any format, every element zero.

    Raises ``ProgramError`` T021 for a format that has no zero, such as ``e8m0``.
    """

    dtype: DType = attribute("dtype")
    shape: tuple[int, ...] = attribute("shape")

    def infer(self) -> Type:
        if self.dtype.decode(self.dtype.encode(np.zeros(1)))[0] != 0:
            raise ProgramError(
                "T021",
                f"{self.dtype} has no zero",
                argument="dtype",
                help=f"full({self.dtype}, shape, value) makes a tile of a number that it has",
            )
        return register_type(self.dtype, self.shape)

    def evaluate(self, batch: Batch) -> Array:
        if self.dtype.carrier is not None:
            return np.zeros((1, *self.shape), self.dtype.carrier)
        return np.broadcast_to(self.dtype.encode(np.zeros(1)), (1, *self.shape))


@instruction("full")
class Full(Instruction):
    """``full(dtype, shape, value)``: a tile of any format, every element the scalar ``value``, which has that format.

    A number written in the program takes the format: ``full(f16, [4, 4], 1)``. Infinities are ``inf`` and ``-inf``.
    """

    dtype: DType = attribute("dtype", group="elements")
    shape: tuple[int, ...] = attribute("shape")
    value: Operand = operand(ANY, form="scalar", group="elements")

    def infer(self) -> Type:
        return register_type(self.dtype, self.shape)

    def evaluate(self, batch: Batch) -> Array:
        held = batch.raw(self.value)
        return np.broadcast_to(held.reshape(len(held), *(1,) * len(self.shape)), (len(held), *self.shape))


@instruction("iota")
class Iota(Instruction):
    """``iota(shape, dtype=i32)``: the number of each element in row-major order, from 0; ``iota(64)`` is 0 … 63.

    Raises ``ProgramError`` T021 where the format has no arithmetic or does not hold every one of the numbers exactly.
    """

    shape: tuple[int, ...] = attribute("shape")
    dtype: DType = attribute("dtype", default=I32)

    def infer(self) -> Type:
        last = math.prod(self.shape) - 1
        if not NUMBER.accepts(self.dtype):
            raise ProgramError(
                "T021",
                f"`iota` counts in {NUMBER.name}, not in {self.dtype}",
                argument="dtype",
                help=f"cast(iota({list(self.shape)}), {self.dtype}) converts the numbers",
            )
        # A format that holds an odd number and the even ones up to it holds every integer between.
        near = np.array([max(last - 1, 0), last], np.float64)
        if (self.dtype.decode(self.dtype.encode(near)) != near).any():
            raise ProgramError(
                "T021",
                f"{self.dtype} does not hold every number from 0 to {last}",
                argument="dtype",
                help="i32 does",
            )
        return register_type(self.dtype, self.shape)

    def evaluate(self, batch: Batch) -> Array:
        return np.arange(math.prod(self.shape), dtype=self.dtype.carrier).reshape(1, *self.shape)


@instruction("reshape")
class Reshape(Instruction):
    """``reshape(x, shape)``: the same elements in row-major order, in another shape of as many elements.

    Raises ``ProgramError`` T023 where the numbers of elements differ.
    """

    x: Operand = operand(ANY)
    shape: tuple[int, ...] = attribute("shape")

    def infer(self) -> Type:
        before, after = math.prod(self.x.shape), math.prod(self.shape)
        if before != after:
            raise ProgramError(
                "T023",
                f"`reshape` keeps the number of elements, but {list(self.x.shape)} has {before} "
                f"and {list(self.shape)} has {after}",
                argument="shape",
            )
        return register_type(self.x.dtype, self.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        before, after = self.x.shape, self.shape
        if before and after:
            yield "x", None, two_ways(lambda layout: layout.reshape(*before), lambda layout: layout.reshape(*after))

    def evaluate(self, batch: Batch) -> Array:
        held = batch.raw(self.x)
        return held.reshape(len(held), *self.shape)


@instruction("permute")
class Permute(Instruction):
    """``permute(x, *order)``: the dimensions in another order; dimension ``i`` of the result is ``order[i]`` of ``x``.

    ``permute(x, 1, 0)`` is the transpose. Raises ``ProgramError`` T020 for an axis that ``x`` has not, T024 where
    ``order`` does not name each axis once.
    """

    x: Operand = operand(ANY)
    order: tuple[int, ...] = attribute("integer", variadic=True)

    def _axes(self) -> tuple[int, ...]:
        rank = len(self.x.shape)
        axes = tuple(normalised_axis(self.spelling, axis, rank, "order") for axis in self.order)
        if sorted(axes) != list(range(rank)):
            raise ProgramError(
                "T024",
                f"`permute` names each of the {rank} axes of its tile once, not {list(self.order)}",
                argument="order",
            )
        return axes

    def infer(self) -> Type:
        return register_type(self.x.dtype, tuple(self.x.shape[axis] for axis in self._axes()))

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        axes = self._axes()
        back = tuple(axes.index(axis) for axis in range(len(axes)))
        if axes:
            yield "x", None, two_ways(lambda layout: layout.permute(*back), lambda layout: layout.permute(*axes))

    def evaluate(self, batch: Batch) -> Array:
        return batch.raw(self.x).transpose(0, *(axis + 1 for axis in self._axes()))


@instruction("broadcast")
class Broadcast(Instruction):
    """``broadcast(x, shape)``: ``x`` repeated along dimensions that it has not, or of which it has an extent of 1, as
    NumPy's ``broadcast_to``.

    Raises ``ProgramError`` T025 where an extent is neither 1 nor that of ``shape``, or ``shape`` has fewer dimensions.
    """

    x: Operand = operand(ANY)
    shape: tuple[int, ...] = attribute("shape")

    def infer(self) -> Type:
        own = self.x.shape
        fits = len(own) <= len(self.shape) and all(
            extent in (1, wanted) for extent, wanted in zip(reversed(own), reversed(self.shape), strict=False)
        )
        if not fits:
            raise ProgramError(
                "T025",
                f"`broadcast` cannot repeat {list(own)} to {list(self.shape)}",
                argument="shape",
                help="only a dimension of extent 1 is repeated; dimensions are matched from the last one on",
            )
        return register_type(self.x.dtype, self.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        if self.x.shape:
            yield "x", None, SAME if self.x.shape == self.shape else serving(self.x.shape)

    def evaluate(self, batch: Batch) -> Array:
        held = batch.raw(self.x)
        own = held.reshape(len(held), *(1,) * (len(self.shape) + 1 - held.ndim), *held.shape[1:])
        return np.broadcast_to(own, (len(held), *self.shape))


@instruction("squeeze")
class Squeeze(Instruction):
    """``squeeze(x, axis)``: without a dimension, of extent 1. A tile of one element and one dimension gives a scalar.

    Raises ``ProgramError`` T020 for an axis that ``x`` has not, T026 where its extent is not 1.
    """

    x: Operand = operand(ANY)
    axis: int = attribute("axis")

    def infer(self) -> Type:
        shape = self.x.shape
        axis = normalised_axis(self.spelling, self.axis, len(shape))
        if shape[axis] != 1:
            raise ProgramError(
                "T026",
                f"`squeeze` drops a dimension of extent 1; dimension {self.axis} of {list(shape)} has {shape[axis]}",
                argument="axis",
                help="`slice` takes a part of a dimension, `sum` and `max` reduce it",
            )
        return register_type(self.x.dtype, (*shape[:axis], *shape[axis + 1 :]))

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        axis = self.axis % len(self.x.shape)
        if len(self.x.shape) > 1:
            yield "x", None, two_ways(lambda layout: layout.unsqueeze(axis), lambda layout: layout.squeeze(axis))

    def evaluate(self, batch: Batch) -> Array:
        return batch.raw(self.x).squeeze(1 + self.axis % len(self.x.shape))


@instruction("unsqueeze")
class Unsqueeze(Instruction):
    """``unsqueeze(x, axis)``: with one more dimension, of extent 1, which becomes dimension ``axis`` of the result;
    ``x[:, None]`` is ``unsqueeze(x, 1)``. Raises ``ProgramError`` T020 for an axis that the result has not."""

    x: Operand = operand(ANY)
    axis: int = attribute("axis")

    def infer(self) -> Type:
        shape = self.x.shape
        axis = normalised_axis(self.spelling, self.axis, len(shape) + 1)
        return register_type(self.x.dtype, (*shape[:axis], 1, *shape[axis:]))

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        axis = self.axis % (len(self.x.shape) + 1)
        if self.x.shape:
            yield "x", None, two_ways(lambda layout: layout.squeeze(axis), lambda layout: layout.unsqueeze(axis))

    def evaluate(self, batch: Batch) -> Array:
        return np.expand_dims(batch.raw(self.x), 1 + self.axis % (len(self.x.shape) + 1))


@instruction("slice")
class Slice(Instruction):
    """``slice(x, axis, start, size)``: of one dimension the ``size`` elements from ``start``, both known when the
    program is compiled.

    A start below 0 counts from the end. Raises ``ProgramError`` T020 for an axis that ``x`` has not, T027 where the
    elements do not lie within the dimension or ``size`` is below 1.
    """

    x: Operand = operand(ANY, form="tile")
    axis: int = attribute("axis")
    start: int = attribute("integer")
    size: int = attribute("integer")

    def _start(self, axis: int) -> int:
        return self.start + self.x.shape[axis] if self.start < 0 else self.start

    def infer(self) -> Type:
        shape = self.x.shape
        axis = normalised_axis(self.spelling, self.axis, len(shape))
        start = self._start(axis)
        if self.size < 1 or start < 0 or start + self.size > shape[axis]:
            raise ProgramError(
                "T027",
                f"`slice` takes {self.size} elements from {self.start}, but dimension {self.axis} of {list(shape)} "
                f"has {shape[axis]}",
                argument="size" if self.size < 1 else "start",
                help="a slice lies within the tile and has at least one element",
            )
        return register_type(self.x.dtype, (*shape[:axis], self.size, *shape[axis + 1 :]))

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        axis = self.axis % len(self.x.shape)
        yield "x", None, one_way(lambda layout: layout.slice(axis, self._start(axis), self.size))

    def evaluate(self, batch: Batch) -> Array:
        axis = self.axis % len(self.x.shape)
        start = self._start(axis)
        return batch.raw(self.x)[(slice(None),) * (1 + axis) + (slice(start, start + self.size),)]


@instruction("concat")
class Concatenate(Instruction):
    """``concat(a, b, …, axis=0)``: tiles of one format one after another along an axis, on which alone their extents
    may differ.

    Raises ``ProgramError`` T020 for an axis that the tiles have not, T028 where another extent differs.
    """

    tiles: tuple[Operand, ...] = operand(ANY, form="tile", group="elements", variadic=True)
    axis: int = attribute("axis", keyword=True, default=0)

    def infer(self) -> Type:
        first = self.tiles[0].shape
        axis = normalised_axis(self.spelling, self.axis, len(first))
        for tile in self.tiles[1:]:
            shape = tile.shape
            if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != (
                *first[:axis],
                *first[axis + 1 :],
            ):
                raise ProgramError(
                    "T028",
                    f"`concat` along axis {self.axis} joins tiles that are alike in every other, not {list(first)} "
                    f"and {list(shape)}",
                    argument="tiles",
                )
        joined = sum(tile.shape[axis] for tile in self.tiles)
        return register_type(self.tiles[0].dtype, (*first[:axis], joined, *first[axis + 1 :]))

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        axis, start = self.axis % len(self.tiles[0].shape), 0
        for place, tile in enumerate(self.tiles):
            yield "tiles", place, Relation(partial(Layout.slice, dim=axis, start=start, size=tile.shape[axis]), None)
            start += tile.shape[axis]

    def evaluate(self, batch: Batch) -> Array:
        arrays = in_one_form(batch, *self.tiles)
        blocks = max(len(array) for array in arrays)
        alike = [np.broadcast_to(array, (blocks, *array.shape[1:])) for array in arrays]
        return np.concatenate(alike, axis=1 + self.axis % len(self.tiles[0].shape))


def placed(tile: Operand | None) -> Layout:
    """The register layout of a tile, once all are chosen."""
    assert tile is not None
    assert isinstance(tile.type, TileType)
    assert tile.type.layout is not None, "a tile has no layout: run the passes first"
    return tile.type.layout


def check_register_layout(call: str, layout: Layout | MemoryPattern, shape: tuple[int, ...]) -> Layout:
    """The layout, if it places a tile of the shape in registers. Raises ``ProgramError`` T029 if not."""
    if not isinstance(layout, Layout) or not layout.is_register:
        raise ProgramError(
            "T029",
            f"`{call}` takes a register layout, but {layout} places elements in memory",
            argument="layout",
            help="a register layout is built of local(…), spatial(…) and rep(…)",
        )
    if layout.shape != shape:
        raise ProgramError(
            "T029",
            f"the layout {layout} is for tiles of shape {list(layout.shape)}, but this one is {list(shape)}",
            argument="layout",
        )
    return layout


@instruction("convert_layout")
class ConvertLayout(Instruction):
    """``convert_layout(x, layout)``: the same elements, held by the threads as another register layout says; the type
    of the result carries the layout.

    What is computed does not change; what it costs does: nothing, moves within a thread, shuffles, or a way through
    shared memory. Raises ``ProgramError`` T029 where the layout is not a register layout or has another shape than
    the tile.
    """

    x: Operand = operand(ANY, form="tile")
    layout: Layout = attribute("layout")

    def infer(self) -> Type:
        layout = check_register_layout(self.spelling, self.layout, self.x.shape)
        return TileType(self.x.dtype, self.x.shape, layout)

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        plan = exchange(self.x.dtype, placed(self.x), self.layout)
        remark = remark_on(plan, planning.threads)
        if remark is not None:
            planning.remark(remark)
        return plan

    def evaluate(self, batch: Batch) -> Array:
        return batch.raw(self.x)


@instruction("assume", pure=False)
class Assume(Instruction):
    """``assume(condition)``: tells the compiler that a ``u1`` scalar is true, so that it may leave out what guards
    against the opposite. No result, and no effect on results while it is true.

    Where it is false the emitted program may do anything; the interpreter goes on, and debug mode has the finding R011.
    ``assert`` stops instead.
    """

    condition: Operand = operand(TRUTH, form="scalar")

    def infer(self) -> None:
        return None

    def assumed(self) -> Iterator[Operand]:
        yield self.condition

    def evaluate(self, batch: Batch) -> None:
        batch.note("R011", "what the program assumes is false", ~batch.values(self.condition))
