"""Order: between the threads of a block (``sync``), between accesses (``fence``), and between blocks (atomics, flags).

Between blocks nothing is ordered but by atomics and flags. Atomics of one instruction happen in order of block index. A
program that waits runs block by block in the interpreter, each until it ends or waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tilevm.arch import Arch
from tilevm.errors import ProgramError
from tilevm.instruction import NUMBER, DTypeClass, Instruction, attribute, instruction, operand, window
from tilevm.instructions.elementwise import elementwise_layouts, register_type, rounded
from tilevm.instructions.memory import same_shape
from tilevm.instructions.selection import maximum, minimum
from tilevm.layout_relation import Relation
from tilevm.machine import Array, Batch
from tilevm.memory import in_memory_form
from tilevm.plan import Plan, Planning
from tilevm.plans.accesses import plan_access
from tilevm.plans.elements import plan_atomic
from tilevm.plans.facts import Facts
from tilevm.values import Operand, Type, Value, Window

__all__ = [
    "Acquire",
    "AtomicAdd",
    "AtomicCompareAndSwap",
    "AtomicExchange",
    "AtomicMax",
    "AtomicMin",
    "Fence",
    "Release",
    "Sync",
]

FLAG = DTypeClass("i32 or u32", lambda dtype: dtype.name in ("i32", "u32"))
WORD = DTypeClass("an integer of 16, 32 or 64 bits", lambda dtype: dtype.kind in ("int", "uint") and dtype.bits >= 16)


@instruction("sync", pure=False)
class Sync(Instruction):
    """``sync()``: all threads of the block meet; what each wrote before, all see after.

    Reference: PTX ISA, bar.sync.
    """

    synchronises: ClassVar[bool] = True

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        batch.barrier()


@instruction("fence", pure=False)
class Fence(Instruction):
    """``fence(scope=device)``: what the block wrote before is seen by the scope (block, device, system) before what it
    writes after, and what it reads after is no older than what it read before.

    All threads of the block meet, so that it holds whichever of them wrote, and whichever changes a counter after.
    Reference: PTX ISA, fence, "Memory Consistency Model" (release and acquire patterns, causality order).
    """

    synchronises: ClassVar[bool] = True

    scope: str = attribute("choice", choices=("block", "device", "system"), default="device")

    def infer(self) -> None:
        return None

    def evaluate(self, batch: Batch) -> None:
        batch.barrier()


@dataclass(frozen=True)
class _Atomic(Instruction):
    """Replaces each element of a window, indivisibly, and gives the old ones; outside of a tensor they are 0."""

    target: Window = window(group="elements", writes=True)
    value: Operand = operand(NUMBER, group="elements")

    def infer(self) -> Type:
        same_shape(self.spelling, self.target, self.value)
        return register_type(self.target.dtype, self.target.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return elementwise_layouts(self, self.target.shape)

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        assert result is not None
        return plan_atomic(self.target, result.type, planning)

    def evaluate(self, batch: Batch) -> Array:
        values = batch.values(self.value)

        def change(old: Array, block: int) -> Array:
            return self.changed(old, values[block if len(values) > 1 else 0])

        return batch.update(self.target, change)

    def changed(self, old: Array, value: Array) -> Array:
        """What one block makes of the elements: numbers that the format holds."""
        raise AssertionError(f"{type(self).__name__} does not define changed")


@instruction("atomic_add", pure=False)
class AtomicAdd(_Atomic):
    """``atomic_add(window, value)``: adds a tile of the window's shape, or a scalar, to each element; gives the old
    ones.

    A sum is rounded to the format; integers wrap. Outside of a tensor the old element is 0 and nothing is written. So
    it is for all atomics. Raises ``ProgramError`` T040 for a tile of another shape.
    """

    def changed(self, old: Array, value: Array) -> Array:
        return rounded(self.target.dtype, np.asarray(old + value))


@instruction("atomic_min", pure=False)
class AtomicMin(_Atomic):
    """``atomic_min(window, value)``: leaves the smaller number, as ``minimum`` has it, in each element; gives
    the old ones.
    """

    def changed(self, old: Array, value: Array) -> Array:
        return minimum(old, value)


@instruction("atomic_max", pure=False)
class AtomicMax(_Atomic):
    """``atomic_max(window, value)``: leaves the larger number, as ``maximum`` has it, in each element; gives
    the old ones.
    """

    def changed(self, old: Array, value: Array) -> Array:
        return maximum(old, value)


@instruction("atomic_exchange", pure=False)
class AtomicExchange(_Atomic):
    """``atomic_exchange(window, value)``: writes the value to each element. Gives the old ones."""

    def changed(self, old: Array, value: Array) -> Array:
        return np.broadcast_to(value, old.shape)


@instruction("atomic_cas", pure=False)
class AtomicCompareAndSwap(Instruction):
    """``atomic_cas(window, compare, value)``: writes ``value`` to each element that equals ``compare``; gives the old
    ones.

    The elements are integers of 16, 32 or 64 bits. Raises ``ProgramError`` T040 for tiles of another shape than the
    window's. Reference: PTX ISA, atom.cas.
    """

    target: Window = window(group="elements", writes=True)
    compare: Operand = operand(WORD, group="elements")
    value: Operand = operand(WORD, group="elements")

    def infer(self) -> Type:
        same_shape("atomic_cas", self.target, self.compare, "compare")
        same_shape("atomic_cas", self.target, self.value)
        return register_type(self.target.dtype, self.target.shape)

    def layouts(self, arch: Arch) -> Iterator[tuple[str, int | None, Relation]]:
        return elementwise_layouts(self, self.target.shape)

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        assert result is not None
        return plan_atomic(self.target, result.type, planning)

    def evaluate(self, batch: Batch) -> Array:
        compare, value = batch.values(self.compare), batch.values(self.value)

        def change(old: Array, block: int) -> Array:
            expected, new = (each[block if len(each) > 1 else 0] for each in (compare, value))
            return np.where(old == expected, new, old)

        return batch.update(self.target, change)


@dataclass(frozen=True)
class _Flag(Instruction):
    """One element of type i32 or u32 in global memory, by which blocks wait for one another. One thread reads or writes
    it, after or before all have met."""

    synchronises: ClassVar[bool] = True

    target: Window = window(group="flag", writes=True, spaces=("tensor",))
    value: Operand = operand(FLAG, form="scalar", group="flag")

    def infer(self) -> None:
        if self.target.shape:
            raise ProgramError(
                "T054",
                f"`{self.spelling}` takes one element, not a window of shape {list(self.target.shape)}",
                argument="target",
                help="flags[i] is one element, flags[i :+ 1] a window",
            )

    def plan(self, result: Value | None, planning: Planning) -> Plan:
        return plan_access(self.target, None, Facts(planning))


@instruction("acquire", pure=False)
class Acquire(_Flag):
    """``acquire(flag, value)``: waits until an element has a value; what its writer wrote before ``release`` is seen
    after.

    If no block can go on, the launch ends with R009. Raises ``ProgramError`` T054 for a window of more than one
    element. Reference: PTX ISA, ld.acquire.
    """

    def ready(self, batch: Batch) -> bool:
        return bool((batch.read(self.target) == in_memory_form(self.target.dtype, batch.raw(self.value))).all())

    def evaluate(self, batch: Batch) -> None:
        return None


@instruction("release", pure=False)
class Release(_Flag):
    """``release(flag, value)``: writes a value to an element after all that the block wrote before.

    Raises ``ProgramError`` T054 for a window of more than one element. Reference: PTX ISA, st.release.
    """

    def evaluate(self, batch: Batch) -> None:
        batch.write(self.target, batch.raw(self.value))
