"""What a candidate will take, before it is compiled: a *cost model*, and a first one that reads the program alone.

A cost model is a function of a compiled kernel and the sizes of a launch. It is sent to worker processes, so it is a
function of a module. What it says is only used to order candidates, so it need not be right, but monotonic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from tilevm.arch import Arch
from tilevm.ir import For, Let, Program, Statement, walk
from tilevm.passes.constant_folding import fold_constants
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.specialisation import bind_constants
from tilevm.sizes import evaluate
from tilevm.values import Literal, TensorType, TileType, Window

__all__ = ["CostModel", "Estimate", "estimate_program", "least_registers", "model_of_program"]


@dataclass(frozen=True)
class Estimate:
    """Predicted seconds of one launch, and what bounds it, in a word or two."""

    seconds: float
    bound: str


class CostModel(Protocol):
    """Predicts the time of a launch of a compiled kernel with these sizes."""

    def __call__(self, compiled: CompiledKernel, sizes: Mapping[str, int]) -> Estimate: ...


MULTIPROCESSORS = 132
BYTES_PER_SECOND = 4.0e12
CACHE_BYTES_PER_SECOND = 9.0e12
OPERATIONS_PER_SECOND = 8.0e14
LATENCY_SECONDS = 8e-7
TYPICAL_TRIPS = 16
"""Iterations of a loop whose number is known only on the device."""


def estimate_program(program: Program, sizes: Mapping[str, int], arch: Arch) -> Estimate:
    """A first estimate from the program as it was written, for a GPU of nominal rates: tiles that other blocks read
    again, blocks that do not fill the last wave, and products. It knows nothing of registers or instructions.
    """
    bound = bind_constants(program, sizes)
    folded, _ = fold_constants(bound, arch)
    moved = operations = steps = 0.0
    for statement, trips in _with_trips(folded.body, 1.0):
        read, done = _work(statement)
        moved, operations = moved + read * trips, operations + done * trips
        steps += trips if read else 0.0
    blocks = math.prod(evaluate(extent, sizes) for extent in program.grid)
    resident = max(1, arch.maximum_threads_per_multiprocessor // program.threads // 2)
    waves = math.ceil(blocks / MULTIPROCESSORS)
    busy = blocks / (waves * MULTIPROCESSORS) if blocks else 1.0
    unique = sum(_tensor_bytes(value.type, sizes) for value in program.tensors if isinstance(value.type, TensorType))
    times = {
        "memory": max(unique / BYTES_PER_SECOND, blocks * moved / CACHE_BYTES_PER_SECOND) / busy,
        "products": blocks * operations / OPERATIONS_PER_SECOND / busy,
        "latency": math.ceil(waves / resident) * steps * LATENCY_SECONDS / max(2, _stages(program)),
    }
    worst = max(times, key=lambda name: times[name])
    return Estimate(sum(times.values()), worst)


def model_of_program(compiled: CompiledKernel, sizes: Mapping[str, int]) -> Estimate:
    """The first estimate as a cost model."""
    return estimate_program(compiled.program, sizes, compiled.arch)


def _with_trips(statements: tuple[Statement, ...], trips: float) -> Iterator[tuple[Let, float]]:
    """Every instruction with how often a block carries it out."""
    for statement in statements:
        if isinstance(statement, Let):
            yield statement, trips
        elif isinstance(statement, For):
            yield from _with_trips(statement.body, trips * _trips(statement))
        else:
            yield from ((each, trips) for each in walk((statement,)) if isinstance(each, Let))


def _trips(loop: For) -> float:
    ends = (loop.start, loop.stop, loop.step)
    if not all(isinstance(each, Literal) for each in ends):
        return TYPICAL_TRIPS
    start, stop, step = (int(each.value) for each in ends if isinstance(each, Literal))
    return max(0, math.ceil((stop - start) / step)) if step else 0


def _work(statement: Let) -> tuple[float, float]:
    """Bytes of global memory that an instruction reads or writes, and the operations of a product."""
    instruction = statement.instruction
    held = (getattr(instruction, name) for name, role in instruction.roles().items() if role.kind == "window")
    moved = sum(
        math.prod(each.shape) * each.dtype.bits / 8
        for each in held
        if isinstance(each, Window) and isinstance(each.base.type, TensorType)
    )
    tiles = [each for each in instruction.operands() if isinstance(each.type, TileType)]
    if instruction.name.startswith("dot") and len(tiles) >= 2:
        return moved, 2.0 * math.prod(tiles[0].shape) * tiles[1].shape[-1]
    return moved, 0.0


def _tensor_bytes(kind: TensorType, sizes: Mapping[str, int]) -> float:
    return math.prod(evaluate(extent, sizes) for extent in kind.shape) * kind.dtype.bits / 8


def _stages(program: Program) -> int:
    return max((each.stages for each in walk(program.body) if isinstance(each, For)), default=1)


def least_registers(program: Program) -> int:
    """Registers of a thread that a program surely needs: those of the tiles that its loops carry, all at once."""
    most = 0
    for statement in walk(program.body):
        if isinstance(statement, For):
            tiles = [each.inner.type for each in statement.carried if isinstance(each.inner.type, TileType)]
            bits = sum(tile.elements * tile.dtype.bits for tile in tiles)
            most = max(most, math.ceil(bits / 32 / program.threads))
    return most
