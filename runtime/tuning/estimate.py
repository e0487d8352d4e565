"""What a candidate will take: the *cost model* that orders candidates, and that decides where nothing can be measured.

A cost model is asked up to three times, for fewer and fewer candidates: of the program, before anything is lowered;
when it is compiled; and *thoroughly*, when its machine code is to be read. It is sent to worker processes, so it is a
function of a module. What it says need not be right, but should put candidates in the right order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tilevm.arch import Arch
from tilevm.devices import device_for
from tilevm.errors import OutOfResources, UsageError
from tilevm.ir import For, Program, walk
from tilevm.passes.shared_memory_plan import check_shared_memory, plan_shared_memory
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.cost import Cost, predict, work_of, work_of_program
from tilevm.runtime.occupancy import check_fits
from tilevm.values import TileType

__all__ = ["CostModel", "Estimate", "check_resources", "predicted"]

NO_COMPILER = "F024"


@dataclass(frozen=True)
class Estimate:
    """Predicted seconds of one launch, and what bounds it, in a word or two.

    ``spent`` tells candidates apart that are bound alike: the seconds that all parts of the GPU need, added up.
    """

    seconds: float
    bound: str
    spent: float = 0.0


class CostModel(Protocol):
    """Predicts the time of a launch with these sizes: of a program, or of a compiled kernel, ``thorough`` or not."""

    def __call__(
        self, candidate: Program | CompiledKernel, sizes: Mapping[str, int], arch: Arch, *, thorough: bool
    ) -> Estimate: ...


def predicted(candidate: Program | CompiledKernel, sizes: Mapping[str, int], arch: Arch, *, thorough: bool) -> Estimate:
    """The estimate of ``tilevm.runtime.cost``, for the device of ``tilevm.devices`` that stands for an architecture."""
    cost = _cost(candidate, sizes, arch, thorough)
    spent = sum(each.microseconds for each in cost.bounds)
    return Estimate(1e-6 * cost.predicted_microseconds, cost.bound, 1e-6 * spent)


def _cost(candidate: Program | CompiledKernel, sizes: Mapping[str, int], arch: Arch, thorough: bool) -> Cost:
    if isinstance(candidate, Program):
        return predict(work_of_program(candidate, sizes), device_for(arch))
    if thorough:
        return candidate.cost(sizes)
    try:
        registers: int | None = candidate.resources.registers
    except UsageError as error:
        if error.code != NO_COMPILER:
            raise
        registers = None
    return predict(work_of(candidate.lowered, sizes), device_for(arch), registers=registers)


def check_resources(program: Program, arch: Arch) -> None:
    """Refuses a program of which not one block can run, before it is lowered.

    Raises ``OutOfResources`` F043 for threads, F040 for shared memory, F042 where the tiles that its loops carry, which
    are in registers all at once, take more registers than a thread has, or a block.
    """
    carried, most = _carried_registers(program), arch.maximum_registers_per_thread
    check_fits(program.name, arch, threads=program.threads, registers=min(carried, most))
    if carried > most:
        raise OutOfResources(
            "F042",
            f"a loop of kernel `{program.name}` carries tiles of {carried} registers a thread, and there are {most}",
            help="smaller tiles, or more warps",
        )
    check_shared_memory(program, plan_shared_memory(program), arch)


def _carried_registers(program: Program) -> int:
    most = 0
    for statement in walk(program.body):
        if isinstance(statement, For):
            tiles = [each.inner.type for each in statement.carried if isinstance(each.inner.type, TileType)]
            bits = sum(tile.elements * tile.dtype.bits for tile in tiles)
            most = max(most, math.ceil(bits / 32 / program.threads))
    return most
