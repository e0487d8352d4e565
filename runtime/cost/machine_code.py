"""What the machine code of a kernel says of a launch: instructions by pipe, of the loops as often as they run.

Each loop of the machine code is held against the loops of the program by the lines that its instructions are from, and
so has its number of iterations. Where the compiler unrolled it, that is seen from the matrix instructions, or else the
loads: an iteration of the machine code has several times as many as the program's. A loop of which nothing is known (a
wait, a slow path) counts once. Within a loop, what a branch may skip counts as often as its lines are executed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tilevm.devices import Device
from tilevm.ir import For, Let, Program, Statement, While, bodies
from tilevm.runtime.cost.work import Tensor, Traffic, Work
from tilevm.runtime.sass import SassInstruction, SassKernel, SassLoop

__all__ = ["Loop", "MachineCode", "reckon"]

SCHEDULERS = 4


@dataclass(frozen=True)
class Loop:
    """The main loop of the machine code, as a warp runs it."""

    line: int | None
    instructions: float
    """Of an iteration of the machine code; what is not executed in each of them counts in part."""
    by_pipe: Mapping[str, float]
    """Of an iteration; ``tensor`` are those of the tensor cores, ``other`` those of which nothing is known."""
    opcodes: Mapping[str, int]
    iterations: float
    """Of the machine code, of one block."""
    loads: Mapping[str, int]
    """Instructions that load, by what they are and the bits of a lane: ``LDG.128``, ``LDGSTS.128``, ``LDS.128``."""
    spills: int
    """Instructions of an iteration that access local memory."""
    cycles: Mapping[str, float]
    """Clocks of an iteration on a warp scheduler that runs one warp of it: ``issue``, and each pipe."""
    weights: str | None
    """The tensor whose elements are taken for weights."""
    instructions_per_weight: float | None
    """Of a lane, for each element of the weights that a thread gets; None where the loop reads none."""


@dataclass(frozen=True)
class MachineCode:
    """What the machine code of a kernel does in one launch."""

    instructions: Mapping[str, float]
    """Of a warp, by pipe, all loops as often as they run."""
    main_loop: Loop | None
    unmatched: int
    """Loops that were held against none of the program's."""


def reckon(kernel: SassKernel, work: Work, device: Device, weights: str | None = None) -> MachineCode:
    """Instructions and main loop of a kernel whose machine code has line information.

    ``weights`` names the tensor whose elements count as weights: by default, of those with formats of at most 8 bits,
    or else of all that are read, the one with the most bytes.
    """
    matched = _Matching(work)
    total: Counter[str] = Counter(each.pipe for each in kernel.outside())
    counts: dict[str, float] = {pipe: float(count) for pipe, count in total.items()}
    main, unmatched = kernel.main_loop(), 0
    made: Loop | None = None
    for loop in kernel.every_loop():
        iterations = matched.iterations(loop)
        unmatched += iterations is None
        for pipe, count in _by_pipe(matched.executed(loop)).items():
            counts[pipe] = counts.get(pipe, 0.0) + count * (1.0 if iterations is None else iterations)
        if loop is main:
            made = _main_loop(loop, iterations, matched, work, device, weights)
    return MachineCode(counts, made, unmatched)


class _Matching:
    """The loops of a program by the lines of their own statements."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.loop_of_line: dict[int, int] = {}
        self.loops: dict[int, For | While] = {}
        self._gather(work.program, work.program.body, None)

    def _gather(self, program: Program, statements: Sequence[Statement], loop: For | While | None) -> None:
        for each in statements:
            if isinstance(each, For | While):
                self.loops[id(each)] = each
                if each.span is not None:
                    self.loop_of_line[each.span.line] = id(each)
            inside = each if isinstance(each, For | While) else loop
            if isinstance(each, Let) and loop is not None and each.span is not None:
                self.loop_of_line[each.span.line] = id(loop)
            for body in bodies(each):
                self._gather(program, body, inside)

    def loop(self, loop: SassLoop) -> int | None:
        """The ``id`` of the program's loop that most instructions of a loop are from."""
        span = self.work.program.span
        file = None if span is None else span.source.name
        votes: Counter[int] = Counter()
        for each in loop.instructions:
            if each.place is not None and file is not None and each.place[0].endswith(file):
                found = self.loop_of_line.get(each.place[1])
                if found is not None:
                    votes[found] += 1
        return votes.most_common(1)[0][0] if votes else None

    def iterations(self, loop: SassLoop) -> float | None:
        """Iterations of the machine code's loop, of one block; None where it is none of the program's."""
        found = self.loop(loop)
        if found is None or found not in self.work.iterations or not self.work.blocks:
            return None
        return self.work.iterations[found] / self.work.blocks / self.unrolled(loop, found)

    def unrolled(self, loop: SassLoop, found: int) -> float:
        """How many iterations of the program one of the machine code is."""
        times = self.work.iterations[found] * self.work.warps
        if not times:
            return 1.0
        operations = sum(each.shape.operations for each in loop.instructions if each.shape is not None)
        products = sum(each.operations for each in self.work.products if each.loop == found and each.atom is not None)
        if operations and products:
            return max(1.0, operations / (products / times))
        copies = sum(each.name == "LDGSTS" or (each.name == "LDG" and not each.never) for each in loop.instructions)
        requests = sum(each.counts.requests for each in self._reads(found))
        return max(1.0, round(copies / (requests / times))) if copies and requests else 1.0

    def executed(self, loop: SassLoop) -> list[tuple[SassInstruction, float]]:
        """The loop's own instructions, with the part of its iterations in which each is executed."""
        shares = dict.fromkeys((each.address for each in loop.instructions), 1.0)
        found = self.loop(loop)
        for skipped in loop.skipped() if found is not None else ():
            known = [share for each in skipped if (share := self._share(each, found)) is not None]
            for each in skipped if known else ():
                shares[each.address] = min(shares[each.address], sum(known) / len(known))
        return [(each, shares[each.address]) for each in loop.instructions]

    def _share(self, instruction: SassInstruction, found: int | None) -> float | None:
        """In which part of the iterations of a loop the line of an instruction is executed."""
        if instruction.place is None or found is None or not self.work.iterations.get(found):
            return None
        count = self.work.lines.get((found, instruction.place[1]))
        return None if count is None else min(1.0, count / self.work.iterations[found])

    def _reads(self, found: int) -> Iterator[Traffic]:
        return (each for each in self.work.traffic if each.loop == found and each.reads and not each.shared)


def _main_loop(
    loop: SassLoop,
    iterations: float | None,
    matched: _Matching,
    work: Work,
    device: Device,
    weights: str | None,
) -> Loop:
    found = matched.loop(loop)
    executed = matched.executed(loop)
    count = sum(share for _, share in executed)
    tensor = _weights(work, weights)
    per_weight = None
    if tensor is not None and iterations and found is not None:
        elements = _elements(work, tensor, found) / work.blocks / iterations
        per_weight = count * work.threads / elements if elements else None
    span = matched.loops[found].span if found is not None else None
    return Loop(
        line=None if span is None else span.line,
        instructions=count,
        by_pipe=_by_pipe(executed),
        opcodes=loop.opcodes(),
        iterations=1.0 if iterations is None else iterations,
        loads=loop.loads(),
        spills=loop.spills(),
        cycles=_cycles(executed, device),
        weights=None if tensor is None else tensor.name,
        instructions_per_weight=per_weight,
    )


def _weights(work: Work, name: str | None) -> Tensor | None:
    read = [each for each in work.tensors if each.read and (name is None or each.name == name)]
    narrow = [each for each in read if each.bits <= 8]
    return max(narrow or read, key=lambda each: each.bytes, default=None)


def _elements(work: Work, tensor: Tensor, loop: int) -> float:
    """Elements of a tensor that come to a loop, all blocks together: what it loads, or what is copied for it, also in
    front of it."""
    reads = [each for each in work.traffic if each.reads and not each.shared and each.memory == tensor.name]
    if any(each.asynchronous and each.loop == loop for each in reads):
        return sum(each.counts.bytes for each in reads if each.asynchronous) * 8 / tensor.bits
    return sum(each.whole_bytes for each in reads if each.loop == loop) * 8 / tensor.bits


def _by_pipe(executed: Iterable[tuple[SassInstruction, float]]) -> dict[str, float]:
    pipes: dict[str, float] = {}
    for each, share in executed:
        pipes[each.pipe] = pipes.get(each.pipe, 0.0) + share
    return pipes


def _cycles(executed: Sequence[tuple[SassInstruction, float]], device: Device) -> dict[str, float]:
    """Clocks of an iteration of one warp on its scheduler: an instruction each, and 32 lanes through each pipe."""
    cycles = {"issue": sum(share for _, share in executed)}
    for pipe, count in _by_pipe(executed).items():
        if pipe in device.lanes:
            cycles[pipe] = count * 32 * SCHEDULERS / device.lanes[pipe]
    operations = sum(each.shape.operations * share for each, share in executed if each.shape is not None)
    if operations:
        rate = device.tensor_rate("f16", warp=True) or device.fma_tflops
        cycles["tensor"] = operations * SCHEDULERS * device.clock_ghz * device.multiprocessors / rate / 1e3
    return cycles
