"""Between registers and memory: windows of tensors and shared tiles are loaded, stored and copied; no number is
computed.

A window may reach over the edge of a *tensor*: what lies outside is read as zero (or ``fill``) and not written. Outside
of a *shared* tile either is an error of the program, R002.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from tilevm.arch import Arch
from tilevm.dtypes import DType
from tilevm.errors import ProgramError
from tilevm.instruction import INTEGER, Instruction, attribute, instruction, operand, window
from tilevm.instructions.elementwise import broadcast_shapes, elementwise_layouts, register_type
from tilevm.layout_relation import Relation
from tilevm.machine import Array, Batch
from tilevm.plan import Plan, Planning
from tilevm.plans.copies import plan_copy
from tilevm.plans.elements import plan_gather, plan_scatter
from tilevm.plans.facts import Facts
from tilevm.plans.memory import plan_load, plan_prefetch, plan_store
from tilevm.plans.owned_layouts import owning
from tilevm.sizes import Size
from tilevm.values import Literal, Operand, ScalarType, SharedType, TensorType, Type, Value, Window

__all__ = [
    "Commit",
    "CopyAsync",
    "Gather",
    "Load",
    "MemoryView",
    "Prefetch",
    "Scatter",
    "Shared",
    "Store",
    "Wait",
]

CACHES = ("default", "evict_first", "evict_last", "no_allocate")


def _cache() -> Any:
    return attribute("choice", choices=CACHES, keyword=True, default="default")


def _check_cache(call: str, argument: str, base: Value, cache: str) -> None:
    """Raises T056 for a hint about shared memory, which no cache stands before."""
    if cache != "default" and isinstance(base.type, SharedType):
        raise ProgramError(
            "T056",
            f"`{call}` takes `cache` for a tensor, and `{base.name}` is a shared tile",
            argument=argument,
            help="leave `cache` out: shared memory has no cache",
        )


@instruction("shared", pure=False)
class Shared(Instruction):
    """``shared(dtype, shape)``: a tile in shared memory, one for each block, not initialised.

    Its layout is row-major and dense unless one is written after ``@``. It lives until the end of the body that makes
    it.
    """

    dtype: DType = attribute("dtype")
    shape: tuple[int, ...] = attribute("shape")

    def infer(self) -> Type:
        return SharedType(self.dtype, self.shape)

    def evaluate(self, batch: Batch) -> None:
        batch.allocate_shared()


@instruction("load")
class Load(Instruction):
    """``load(window, fill=0, cache=default)``: the elements of a window as a register tile, every bit kept; a scalar
    where the window drops every dimension. Outside of a tensor an element is ``fill``, a scalar of the window's format,
    else zero.

    Raises ``ProgramError`` T056 for a ``cache`` of a shared tile.
    """

    source: Window = window(group="elements")
    fill: Operand | None = operand(form="scalar", group="elements", keyword=True, default=None)
    cache: str = _cache()

    def infer(self) -> Type:
        _check_cache("load", "source", self.source.base, self.cache)
        return register_type(self.source.dtype, self.source.shape)

    def plainly_reads(self) -> Window | None:
        zero = self.fill is None or (isinstance(self.fill, Literal) and str(self.fill.value) in ("0", "0.0", "False"))
        return self.source if zero else None

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        assert result is not None
        return plan_load(self.source, result.type, planning)

    def evaluate(self, batch: Batch) -> Array:
        return batch.read(self.source, self.fill)


@instruction("store", pure=False)
class Store(Instruction):
    """``store(window, value, cache=default)``: writes a tile of exactly the window's shape, or a scalar to every
    element of it.

    What lies outside of a tensor is left out. Raises ``ProgramError`` T040 for a tile of another shape, T056 as
    ``load``.
    """

    target: Window = window(group="elements", writes=True, reads=False)
    value: Operand = operand(group="elements")
    cache: str = _cache()

    def infer(self) -> None:
        _check_cache("store", "target", self.target.base, self.cache)
        same_shape("store", self.target, self.value)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        relation = owning(self.target)
        if relation is not None:
            yield "value", None, relation

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        return plan_store(self.target, self.value, planning)

    def evaluate(self, batch: Batch) -> None:
        batch.write(self.target, _spread(batch.raw(self.value), self.target.shape))


def same_shape(call: str, target: Window, value: Operand, argument: str = "value") -> None:
    """Raises T040 where a value is neither a scalar nor of a window's shape."""
    if not isinstance(value.type, ScalarType) and value.shape != target.shape:
        raise ProgramError(
            "T040",
            f"`{call}` writes a tile of shape {list(value.shape)} to a window of shape {list(target.shape)}",
            argument=argument,
            help="they have the same shape: `reshape` or `broadcast` the tile, or change the window",
        )


def _spread(elements: Array, shape: tuple[int, ...]) -> Array:
    """A scalar as a tile; a tile as it is."""
    if elements.ndim > 1 or not shape:
        return elements
    return np.broadcast_to(elements.reshape(-1, *(1,) * len(shape)), (len(elements), *shape))


def _check_indices(call: str, base: Value, indices: tuple[Operand, ...]) -> tuple[int, ...]:
    """The common shape of index tiles, of which there is one for each dimension; raises T041, T042."""
    assert isinstance(base.type, TensorType | SharedType)
    rank = len(base.type.shape)
    if len(indices) != rank:
        raise ProgramError(
            "T041",
            f"`{call}` takes an index for each dimension of `{base.name}`: {rank}, not {len(indices)}",
            argument="indices",
        )
    for index in indices:
        if index.dtype.name not in ("i32", "i64"):
            raise ProgramError(
                "T042",
                f"an index of `{call}` is i32 or i64, not {index.dtype}",
                argument="indices",
                help="cast(…, i32)",
            )
    return broadcast_shapes(call, **{f"index {place}": index.shape for place, index in enumerate(indices)})


def _indices(batch: Batch, indices: tuple[Operand, ...]) -> tuple[Array, ...]:
    return tuple(array.astype(np.int64) for array in batch.aligned(*indices))


@instruction("gather")
class Gather(Instruction):
    """``gather(base, indices..., fill=0, cache=default)``: the elements of a tensor or a shared tile at index tiles of
    type ``i32`` or ``i64``, one for each dimension, which broadcast.

    An index outside gives ``fill``, a scalar of the elements' format; where none is given zero, and a note in debug
    mode (R003). Raises ``ProgramError`` T041 for another number of indices, T042 for another format of them, T056 as
    ``load``.
    """

    base: Value = operand(form="memory", group="elements")
    indices: tuple[Operand, ...] = operand(INTEGER, variadic=True)
    fill: Operand | None = operand(form="scalar", group="elements", keyword=True, default=None)
    cache: str = _cache()

    def infer(self) -> Type:
        _check_cache("gather", "base", self.base, self.cache)
        return register_type(self.base.dtype, _check_indices("gather", self.base, self.indices))

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return elementwise_layouts(self, _check_indices(self.spelling, self.base, self.indices), "indices")

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        assert result is not None
        return plan_gather(self.base, self.indices, result.type, planning)

    def evaluate(self, batch: Batch) -> Array:
        return batch.gather(self.base, _indices(batch, self.indices), self.fill)


@instruction("scatter", pure=False)
class Scatter(Instruction):
    """``scatter(base, value, indices..., cache=default)``: writes each element of a tile, or a scalar, to the place
    that index tiles give.

    The value has the indices' common shape. An index outside is left out. Of equal indices within a block the last in
    row-major order stays; between blocks the order is that of the block index. Raises ``ProgramError`` T013 for an
    input, T040 for a value of another shape, T041, T042 and T056 as ``gather``.
    """

    base: Value = operand(form="memory", group="elements", writes=True)
    value: Operand = operand(group="elements")
    indices: tuple[Operand, ...] = operand(INTEGER, variadic=True)
    cache: str = _cache()

    def infer(self) -> None:
        _check_cache("scatter", "base", self.base, self.cache)
        shape = _check_indices("scatter", self.base, self.indices)
        if not isinstance(self.value.type, ScalarType) and self.value.shape != shape:
            raise ProgramError(
                "T040",
                f"`scatter` writes a tile of shape {list(self.value.shape)} at indices of shape {list(shape)}",
                argument="value",
            )

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return elementwise_layouts(self, _check_indices(self.spelling, self.base, self.indices), "value", "indices")

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        return plan_scatter(self.base, self.value, self.indices, planning)

    def evaluate(self, batch: Batch) -> None:
        indices = _indices(batch, self.indices)
        shape = np.broadcast_shapes(*(index.shape for index in indices))[1:]
        batch.scatter(self.base, indices, _spread(batch.raw(self.value), shape))


@instruction("copy_async", pure=False)
class CopyAsync(Instruction):
    """``copy_async(target, source, cache=default)``: starts a copy from a tensor to a shared tile, of one format and
    shape; zeros from outside.

    The copy belongs to the group that the next ``commit`` closes, and has landed after a ``wait`` that covers the
    group; other threads see it after a ``sync``. Until then its target may not be touched. Reference: PTX ISA,
    cp.async. Raises ``ProgramError`` T040 for windows of different shapes.
    """

    asynchronous: ClassVar[bool] = True

    target: Window = window(group="elements", writes=True, reads=False, spaces=("shared",))
    source: Window = window(group="elements", spaces=("tensor",))
    cache: str = _cache()

    def infer(self) -> None:
        if self.target.shape != self.source.shape:
            raise ProgramError(
                "T040",
                f"`copy_async` copies a window of shape {list(self.source.shape)} to one of {list(self.target.shape)}",
                argument="source",
            )

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        return plan_copy(self.target, self.source, Facts(planning))

    def evaluate(self, batch: Batch) -> None:
        batch.copy_async(self.target, self.source)


@instruction("commit", pure=False)
class Commit(Instruction):
    """``commit()``: closes the group of the copies started since the last commit. Reference: PTX ISA,
    cp.async.commit_group.
    """

    closes_group: ClassVar[bool] = True

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        batch.commit()


@instruction("wait", pure=False)
class Wait(Instruction):
    """``wait(pending)``: waits until at most ``pending`` of the newest groups are under way; 0 waits for every group.

    Raises ``ProgramError`` T043 for a negative number. Reference: PTX ISA, cp.async.wait_group.
    """

    pending: int = attribute("integer")

    def infer(self) -> None:
        if self.pending < 0:
            raise ProgramError("T043", f"`wait` takes a number of groups, not {self.pending}", argument="pending")

    def groups_left(self) -> int | None:
        return self.pending

    def evaluate(self, batch: Batch) -> None:
        batch.wait(self.pending)


@instruction("prefetch", pure=False)
class Prefetch(Instruction):
    """``prefetch(window)``: a hint that a window of a tensor will be read. It changes no result."""

    source: Window = window(spaces=("tensor",))

    def infer(self) -> None:
        return None

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        return plan_prefetch(self.source, planning)

    def evaluate(self, batch: Batch) -> None:
        return None


@instruction("memory_view", pure=False)
class MemoryView(Instruction):
    """``memory_view(x, dtype, shape)``: the packed bits of an input tensor as a dense tensor of another format and
    shape.

    ``shape`` is a list of sizes, which may hold the kernel's symbols. It covers exactly the bytes of ``x`` (R008 at the
    launch). With it a kernel copies weights that lie in a layout of their own as plain bytes, and takes them apart in
    registers with ``view``. Raises ``ProgramError`` T044 for a tensor that is written.
    """

    x: Value = operand(form="tensor")
    dtype: DType = attribute("dtype")
    shape: tuple[Size, ...] = attribute("sizes")

    def infer(self) -> Type:
        assert isinstance(self.x.type, TensorType)
        if self.x.type.access != "in":
            raise ProgramError("T044", f"`memory_view` reads an input, but `{self.x.name}` is written", argument="x")
        return TensorType(self.dtype, self.shape)

    def evaluate(self, batch: Batch) -> None:
        batch.reinterpret(self.x)
