"""The blocks that run together: their values, their shared memory, and what debug mode knows about it.

``BlockBatch`` is the machine that ``tilevm.machine`` describes to instructions. Where scalar control flow differs
between blocks, the interpreter goes on with a *part* of the batch: a batch of its own that sees the values and the
shared memory of the blocks it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm.dtypes import DType
from tilevm.errors import ExecutionError, Related, Span
from tilevm.instructions.elementwise import aligned
from tilevm.machine import Array
from tilevm.memory import Region, Tensor, in_memory_form, memory_dtype, read, read_rows, write, write_rows
from tilevm.report import Report, finding
from tilevm.shared_memory import Copies, SharedTile
from tilevm.sizes import evaluate
from tilevm.values import Literal, Operand, SharedType, TensorType, Value, Window
from tilevm.watch import Box, Points

__all__ = ["BlockBatch", "Launch"]


@dataclass(eq=False)
class Launch:
    """What all blocks of a launch share: the grid and global memory. ``report`` is set in debug mode."""

    grid: tuple[int, ...]
    tensors: dict[Value, Tensor] = field(default_factory=dict)
    scalars: dict[Value, Array] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    report: Report | None = None
    write_line: Callable[[str], None] = print


class BlockBatch:
    """A batch of blocks, given by their numbers in row-major order of the grid; implements ``tilevm.machine.Batch``."""

    def __init__(self, launch: Launch, blocks: NDArray[np.int64]) -> None:
        self.launch = launch
        self.blocks = blocks
        self.count = self.total = len(blocks)
        self.grid = launch.grid
        self.span: Span | None = None
        self.result: Value | None = None
        self.steps = 0
        self.rows: NDArray[np.int64] | None = None
        self.shared: dict[Value, SharedTile] = {}
        self.copies = Copies(self.count)
        self._parent: BlockBatch | None = None
        self._selection: NDArray[np.int64] | None = None
        self._arrays: dict[Value, Array] = dict(launch.scalars)

    def part(self, selection: NDArray[np.int64]) -> BlockBatch:
        """The blocks at some places of this batch, as a batch that shares their memory."""
        part = BlockBatch.__new__(BlockBatch)
        part.launch, part.grid, part.span, part.total = self.launch, self.grid, self.span, self.total
        part.blocks, part.count = self.blocks[selection], len(selection)
        part.steps, part.result = 0, None
        part.rows = selection if self.rows is None else self.rows[selection]
        part.shared, part.copies = self.shared, self.copies
        part._parent, part._selection, part._arrays = self, selection, {}
        return part

    # Values

    def define(self, value: Value, array: Array) -> None:
        """Sets a value: an array with the block axis first, in either form."""
        self._arrays[value] = array

    def raw(self, operand: Operand) -> Array:
        if isinstance(operand, Literal):
            return _literal(operand)
        held = self._arrays.get(operand)
        if held is None:
            assert self._parent is not None, f"{operand} has no value"
            whole = self._parent.raw(operand)
            held = whole if len(whole) == 1 else whole[self._selection]
            self._arrays[operand] = held
        return held

    def values(self, operand: Operand) -> Array:
        held = self.raw(operand)
        carrier = operand.dtype.carrier
        assert carrier is not None, f"nothing is computed in {operand.dtype}"
        if held.dtype == carrier:
            return held
        numbers = operand.dtype.to_values(held)
        if isinstance(operand, Value):
            self._arrays[operand] = numbers
        return numbers

    def codes(self, operand: Operand) -> Array:
        return operand.dtype.to_codes(self.raw(operand))

    def aligned(self, *operands: Operand) -> tuple[Array, ...]:
        return aligned(
            tuple(self.values(operand) for operand in operands), tuple(len(operand.shape) for operand in operands)
        )

    def block_index(self, axis: int) -> Array:
        place = np.unravel_index(self.blocks, self.grid)[axis].astype(np.int32)
        return place[:1] if (place == place[0]).all() else place

    # Memory

    def region(self, window: Window) -> Region:
        """The window with the offsets of each block."""
        starts = tuple(self.values(offset).astype(np.int64) for offset in window.offsets)
        return Region(tuple(start[:1] if (start == start[0]).all() else start for start in starts), window.extents)

    def tensor(self, base: Value) -> Tensor:
        """The tensor that a parameter, or a ``memory_view`` of one, stands for."""
        return self.launch.tensors[base]

    def read(self, window: Window, fill: Operand | None = None) -> Array:
        region = self.region(window)
        if isinstance(window.base.type, SharedType):
            tile = self.shared[window.base]
            self._check_bounds(window, region)
            if tile.watch is not None:
                tile.watch.read(Box(self.rows, region), self.span)
            return read_rows(tile.array, self.rows, region)
        tensor = self.tensor(window.base)
        self._watch_tensor_read(window, region, tensor, fill)
        return read(tensor.array, region, self._filling(window.dtype, fill), lasting=_lasting(window.base))

    def _filling(self, dtype: DType, fill: Operand | None) -> Array:
        """What is read outside of a tensor, in memory form: one element, or one for each block."""
        return in_memory_form(dtype, dtype.encode(np.zeros(1)) if fill is None else self.raw(fill))

    def write(self, window: Window, elements: Array) -> None:
        region = self.region(window)
        elements = in_memory_form(window.dtype, elements)
        if isinstance(window.base.type, SharedType):
            tile = self.shared[window.base]
            self._check_bounds(window, region)
            if tile.watch is not None:
                tile.watch.write(Box(self.rows, region), self.span)
            write_rows(tile.array, self.rows, region, elements)
            return
        tensor = self.tensor(window.base)
        if tensor.written is not None:
            write(tensor.written, region, np.ones((1, *region.shape), np.bool_))
        write(tensor.array, region, elements)

    def update(self, window: Window, change: Callable[[Array, int], Array]) -> Array:
        region = self.region(window)
        old = np.zeros((self.count, *region.shape), memory_dtype(window.dtype))
        self._watch_update(window, region)
        boxes = list(region.boxes()) * (self.count if region.blocks == 1 else 1)
        for place, starts in enumerate(boxes):
            one = Region(tuple(np.array([start]) for start in starts), region.extents)
            base, rows = self._storage(window.base, place)
            before = read_rows(base, rows, one) if rows is not None else read(base, one, 0, lasting=False)
            old[place] = before[0]
            after = change(window.dtype.to_values(before)[0], place)
            elements = in_memory_form(window.dtype, np.asarray(after))[None]
            if rows is not None:
                write_rows(base, rows, one, elements)
            else:
                write(base, one, elements)
        return old

    def _watch_update(self, window: Window, region: Region) -> None:
        if isinstance(window.base.type, SharedType):
            self._check_bounds(window, region)
            tile = self.shared[window.base]
            if tile.watch is not None:
                tile.watch.update(Box(self.rows, region), self.span)
            return
        tensor = self.tensor(window.base)
        if tensor.written is not None:
            self._find_unwritten(window.base, ~read(tensor.written, region, True, lasting=True))
            write(tensor.written, region, np.ones((1, *region.shape), np.bool_))

    def _storage(self, base: Value, place: int) -> tuple[Array, NDArray[np.int64] | None]:
        """The array that holds a base, and for a shared tile the row of one block of the batch."""
        if isinstance(base.type, SharedType):
            return self.shared[base].array, np.array([place if self.rows is None else self.rows[place]])
        return self.tensor(base).array, None

    def gather(self, base: Value, indices: tuple[Array, ...], fill: Operand | None = None) -> Array:
        array, places, inside = self._indexed(base, indices)
        self._watch_gather(base, places, inside, fill)
        if inside.all():
            return array[places]
        filling = self._filling(base.dtype, fill)
        found = array[places] if array.size else filling[:1].reshape((1,) * inside.ndim)
        return np.where(inside, found, filling.reshape(-1, *(1,) * (inside.ndim - 1)))

    def _watch_gather(self, base: Value, places: tuple[Array, ...], inside: Array, fill: Operand | None) -> None:
        if self.launch.report is None:
            return
        if fill is None:
            words = f"reads outside of `{base.name}`: the elements outside are zero"
            self._find("R003", words, ~inside, note=True, earlier=base.span)
        if isinstance(base.type, SharedType):
            watch = self.shared[base].watch
            assert watch is not None
            watch.read(Points(_chosen(places, inside)), self.span)
        elif (written := self.tensor(base).written) is not None and written.size:
            self._find_unwritten(base, inside & ~written[places])

    def scatter(self, base: Value, indices: tuple[Array, ...], elements: Array) -> None:
        array, places, inside = self._indexed(base, indices)
        elements = in_memory_form(base.dtype, elements)
        shape = np.broadcast_shapes(elements.shape, inside.shape)
        inside = np.broadcast_to(inside, shape)
        chosen = _chosen(places, inside)
        if isinstance(base.type, SharedType):
            watch = self.shared[base].watch
            if watch is not None:
                watch.write(Points(chosen), self.span)
        elif (written := self.tensor(base).written) is not None:
            written[chosen] = True
        array[chosen] = np.broadcast_to(elements, shape)[inside]

    def _indexed(self, base: Value, indices: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...], Array]:
        """The array of a base, index arrays that are safe to use on it, and where the indices were inside."""
        shared = isinstance(base.type, SharedType)
        array = self.shared[base].array if shared else self.tensor(base).array
        if shared:
            indices = (self._all_rows().reshape(-1, *(1,) * (indices[0].ndim - 1)), *indices)
        indices = tuple(np.broadcast_arrays(*indices))
        inside = np.ones(indices[0].shape, np.bool_)
        for index, bound in zip(indices, array.shape, strict=True):
            inside &= (index >= 0) & (index < bound)
        return array, tuple(np.where(inside, index, 0) for index in indices), inside

    def reinterpret(self, base: Value) -> None:
        result = self._result()
        assert isinstance(result.type, TensorType)
        if result not in self.launch.tensors:
            shape = tuple(evaluate(size, self.launch.sizes) for size in result.type.shape)
            self.launch.tensors[result] = self.tensor(base).viewed(result.dtype, shape)

    def allocate_shared(self) -> None:
        result = self._result()
        self.shared[result] = SharedTile(result, self.total, self.launch.report)

    def _result(self) -> Value:
        assert self.result is not None, "the machine says whose result an instruction defines"
        return self.result

    def copy_async(self, target: Window, source: Window) -> None:
        tile = self.shared[target.base]
        region = self.region(target)
        self._check_bounds(target, region)
        if tile.watch is not None:
            tile.watch.write(Box(self.rows, region), self.span, starts_copy=True)
        self.copies.start(self._all_rows(), tile, region, self.read(source), self.span)

    def commit(self) -> None:
        self.copies.commit(self._all_rows())

    def wait(self, pending: int) -> None:
        self.copies.wait(self._all_rows(), pending)

    def barrier(self) -> None:
        for tile in self.shared.values():
            if tile.watch is not None:
                tile.watch.interval[self._all_rows()] += 1

    def _all_rows(self) -> NDArray[np.int64]:
        return np.arange(self.count) if self.rows is None else self.rows

    # What goes wrong

    def fail(self, code: str, message: str, where: Array) -> None:
        if where.any():
            raise ExecutionError(code, f"{message}, in {self._named(where)}", span=self.span)

    def note(self, code: str, message: str, where: Array) -> None:
        self._find(code, message, where)

    def print(self, text: str, arrays: tuple[Array, ...]) -> None:
        for place in range(self.count):
            shown = [_shown(array[place if len(array) > 1 else 0]) for array in arrays]
            coordinates = self.coordinates(place)
            self.launch.write_line(" ".join([f"block {coordinates}:", text, *shown]))

    def _find(self, code: str, message: str, where: Array, *, note: bool = False, **more: Any) -> None:
        report = self.launch.report
        if report is not None and where.any():
            blocks = self.count if len(where) == 1 else int(where.reshape(len(where), -1).any(axis=1).sum())
            report.add(finding(code, message, self.span, note=note, **more), blocks)

    def coordinates(self, place: int) -> str:
        """The index of a block of the batch in the grid, as it is shown."""
        indices = np.unravel_index(int(self.blocks[place]), self.grid)
        return f"({', '.join(str(int(index)) for index in indices)})"

    def _named(self, where: Array) -> str:
        """The blocks of a mask, by their indices."""
        places = range(self.count) if len(where) == 1 else np.flatnonzero(where)
        shown = ", ".join(self.coordinates(int(place)) for place in places[:3])
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        return f"block {shown}{more}"

    def _check_bounds(self, window: Window, region: Region) -> None:
        assert isinstance(window.base.type, SharedType)
        shape = window.base.type.shape
        if region.inside(shape):
            return
        for place, starts in enumerate(region.boxes()):
            for axis, (start, extent) in enumerate(zip(starts, region.full_extents, strict=True)):
                if start < 0 or start + extent > shape[axis]:
                    raise ExecutionError(
                        "R002",
                        f"elements {start} to {start + extent} lie outside dimension {axis} of the shared tile "
                        f"`{window.base.name}`, which has {shape[axis]}, in block {self.coordinates(place)}",
                        span=self.span,
                        related=() if window.base.span is None else (Related(window.base.span, "the tile"),),
                    )

    def _watch_tensor_read(self, window: Window, region: Region, tensor: Tensor, fill: Operand | None) -> None:
        if self.launch.report is None:
            return
        name = window.base.name
        if fill is None and not region.inside(tensor.array.shape):
            outside = np.array(
                [not region.select([place]).inside(tensor.array.shape) for place in range(region.blocks)]
            )
            self._find("R003", f"reads over the edge of `{name}`: the elements outside are zero", outside, note=True)
        if tensor.written is not None:
            self._find_unwritten(window.base, ~read(tensor.written, region, True, lasting=True))

    def _find_unwritten(self, base: Value, missing: Array) -> None:
        self._find(
            "R004",
            f"reads elements of `{base.name}` that were never written",
            missing,
            earlier=base.span,
            help=f"an `out` parameter starts without contents: write it first, or declare it `inout {base.name}`",
        )


def _chosen(places: tuple[Array, ...], inside: Array) -> tuple[Array, ...]:
    """The index arrays of the elements inside, in row-major order."""
    return tuple(np.broadcast_to(place, inside.shape)[inside] for place in places)


def _lasting(base: Value) -> bool:
    return isinstance(base.type, TensorType) and base.type.access == "in"


@lru_cache(maxsize=4096)
def _literal(operand: Literal) -> Array:
    dtype = operand.dtype
    if dtype.carrier is None:
        return dtype.encode(np.array([operand.value], np.float64))
    if dtype.kind != "float":
        return np.array([operand.value], dtype.carrier)
    return dtype.to_values(dtype.encode(np.array([operand.value], np.float64)))


def _shown(element: Array) -> str:
    return str(element[()]) if element.ndim == 0 else np.array2string(element, threshold=64, separator=", ")
