"""Where a block stands, random numbers, and what a program says or refuses while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tilevm.arch import Arch
from tilevm.dtypes import I32, U32
from tilevm.errors import ProgramError
from tilevm.instruction import ANY, INTEGER, TRUTH, Instruction, attribute, instruction, operand
from tilevm.instructions.elementwise import aligned, any_in_block, broadcast_shapes, elementwise_layouts, register_type
from tilevm.layout_relation import Relation
from tilevm.machine import Array, Batch
from tilevm.philox import random_words
from tilevm.values import Operand, ScalarType, Type

__all__ = ["Assert", "BlockIndex", "Depend", "GridSize", "LaunchDependents", "Print", "Random", "Trap"]


def _check_axis(call: str, axis: int) -> None:
    if not 0 <= axis <= 2:
        raise ProgramError("T055", f"`{call}` takes an axis of the grid, 0 to 2, not {axis}", argument="axis")


@instruction("block_index")
class BlockIndex(Instruction):
    """``block_index(axis)``: the index (i32 scalar) of the block along an axis of the grid, from 0; 0 along an axis
    that the grid lacks. Raises ``ProgramError`` T055 for another axis than 0, 1, 2.
    """

    axis: int = attribute("axis")

    def infer(self) -> Type:
        _check_axis("block_index", self.axis)
        return ScalarType(I32)

    @property
    def grid_axis(self) -> int:
        return self.axis

    def bounds(self) -> tuple[int | None, int | None]:
        return 0, None

    def evaluate(self, batch: Batch) -> Array:
        return batch.block_index(self.axis) if self.axis < len(batch.grid) else np.zeros(1, np.int32)


@instruction("grid_size")
class GridSize(Instruction):
    """``grid_size(axis)``: how many blocks (i32 scalar) the grid has along an axis; 1 along an axis that it lacks.

    Raises ``ProgramError`` T055 for another axis than 0, 1, 2.
    """

    axis: int = attribute("axis")

    def infer(self) -> Type:
        _check_axis("grid_size", self.axis)
        return ScalarType(I32)

    def bounds(self) -> tuple[int | None, int | None]:
        return 1, None

    def evaluate(self, batch: Batch) -> Array:
        return np.array([batch.grid[self.axis] if self.axis < len(batch.grid) else 1], np.int32)


@instruction("depend", pure=False)
class Depend(Instruction):
    """``depend()``: waits until the launches before this one have ended and what they wrote is seen.

    A kernel that has it may begin before they have ended, on architectures with ``programmatic_launch``. It stands
    where every block comes by, outside of branches and loops, and before it no tensor is written and only inputs are
    read (T057): such as no launch still under way writes. Reference: PTX ISA, griddepcontrol.wait.
    """

    awaits_launches: ClassVar[bool] = True

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        return None


@instruction("launch_dependents", pure=False)
class LaunchDependents(Instruction):
    """``launch_dependents()``: the launch after this one may begin when every block has come by, or has ended.

    It begins early only if its kernel has ``depend()``, which still waits for the end of this one. Reference: PTX ISA,
    griddepcontrol.launch_dependents.
    """

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        return None


@instruction("random")
class Random(Instruction):
    """``random(shape, seed, offset=0)``: a tile of u32, 32 random bits each, the same for the same numbers on every
    machine.

    Element i (in row-major order) is the first word of Philox4x32-10 for the counter (low, high, 0, 0) of offset + i
    and the key (low, high) of the seed: the halves of the numbers modulo 2^64, so that -1 is 2^64 - 1 in every format.
    An offset that is a tile broadcasts to the shape, and each element has its own. Blocks that want different numbers
    give different offsets or seeds. Raises ``ProgramError`` T012 for an offset that does not broadcast to the shape.
    Reference: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """

    shape: tuple[int, ...] = attribute("shape")
    seed: Operand = operand(INTEGER, form="scalar", group="seed")
    offset: Operand | None = operand(INTEGER, default=None)

    def infer(self) -> Type:
        own = () if self.offset is None else self.offset.shape
        if broadcast_shapes("random", shape=self.shape, offset=own) != self.shape:
            raise ProgramError(
                "T012",
                f"`random` of {list(self.shape)} takes an offset that broadcasts to it, not {list(own)}",
                argument="offset",
            )
        return register_type(U32, self.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return elementwise_layouts(self, self.shape, "offset")

    def evaluate(self, batch: Batch) -> Array:
        places = np.arange(int(np.prod(self.shape)), dtype=np.uint64).reshape(1, *self.shape)
        if self.offset is not None:
            offsets = batch.values(self.offset).astype(np.uint64)
            places = np.add(*aligned((places, offsets), (len(self.shape), len(self.offset.shape))))
        seeds = batch.values(self.seed).astype(np.uint64).reshape(-1, *(1,) * len(self.shape))
        return random_words(places, seeds)


@instruction("print", pure=False)
class Print(Instruction):
    """``print("text", values...)``: a line for each block, in order: its index, the text, and the values as numbers."""

    text: str = attribute("text")
    values: tuple[Operand, ...] = operand(ANY, variadic=True, default=())

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        batch.print(self.text, tuple(_readable(batch, value) for value in self.values))


def _readable(batch: Batch, value: Operand) -> Array:
    if value.dtype.carrier is not None:
        return batch.values(value)
    return value.dtype.decode_to(batch.codes(value), np.float32)


@instruction("assert", pure=False)
class Assert(Instruction):
    """``assert(condition, "message")``: ends the launch with R013 and the message if any element of a truth value is
    false.
    """

    condition: Operand = operand(TRUTH)
    message: str = attribute("text", default="")

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        failed = any_in_block(~batch.values(self.condition))
        batch.fail("R013", f"assertion failed{self.message and ': '}{self.message}", failed)


@instruction("trap", pure=False)
class Trap(Instruction):
    """``trap("message")``: ends the launch with R014 and the message."""

    message: str = attribute("text", default="")

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        batch.fail("R014", f"trap{self.message and ': '}{self.message}", np.ones(1, np.bool_))
