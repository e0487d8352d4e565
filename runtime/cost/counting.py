"""The work of a launch, counted from the plans of a program: traffic, products, instructions. Nothing is compiled.

Each instruction that touches memory is counted in every way in which its executions differ: by where a window begins
within a sector, and by how much of it lies inside of its tensor. So an interior block is looked at once, however many
there are. The counts are those that the simulator gives for the same launch (``tests/test_cost_counting.py``), exact as
long as every execution was looked at and every address is known; else ``exact`` is false.

A program that was not lowered has no plans. Then windows and shapes are counted alone: bytes and products, but no
sectors and no passes through banks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tilevm.atoms import ATOMS
from tilevm.codegen.emit import SCRATCH_ALIGNMENT
from tilevm.ir import For, Let, Program, walk
from tilevm.passes import Lowered
from tilevm.plans.accesses import Access, ElementAddress
from tilevm.plans.copies import Copy
from tilevm.plans.elements import Atomic, Indexed
from tilevm.plans.matrix_access import Matrices
from tilevm.plans.meeting import Meeting
from tilevm.plans.product import MatrixProduct, ScalarProduct
from tilevm.plans.scratch import ScratchExchange
from tilevm.plans.window_terms import BYTE
from tilevm.runtime.cost.addresses import (
    LANES,
    Counts,
    access_requests,
    base_address,
    count_global,
    count_shared,
    matrix_requests,
)
from tilevm.runtime.cost.arithmetic import instructions_of, slots_of
from tilevm.runtime.cost.executions import Executions, Found, find_executions
from tilevm.runtime.cost.flights import flights
from tilevm.runtime.cost.work import Product, Tensor, Traffic, Work
from tilevm.runtime.memory_image import image_bytes
from tilevm.runtime.shapes import grid_of
from tilevm.sizes import evaluate
from tilevm.values import SharedType, TensorType, TileType, Value, Window

__all__ = ["work_of", "work_of_program"]

KINDS = 64
"""Ways in which executions of one instruction differ that are counted; what is beyond counts as the average."""

ROUGH_BLOCKS, ROUGH_ITERATIONS = 24, 1 << 11
"""Of a program that was not lowered so many blocks are looked at, and so many executions of a loop's body."""

SECTOR_BITS, BANK_BITS = 32 * 8, 128 * 8
"""After so many bits sectors of global memory, and banks of shared memory, begin anew."""
ATOMIC_BYTES = 4
Offsets = NDArray[np.int64]


def work_of(lowered: Lowered, sizes: Mapping[str, int]) -> Work:
    """The work of a launch of a lowered program. ``sizes`` has every size, and may have integer scalars."""
    scratch = lowered.scratch_bytes
    total = lowered.shared.total_bytes
    shared = -(-total // SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT + scratch if scratch else total
    return _Counting(lowered.program, sizes, find_executions(lowered.program, sizes)).work(shared)


def work_of_program(program: Program, sizes: Mapping[str, int]) -> Work:
    """The work of a program that was not lowered, for a first choice among many: bytes and products of its windows
    and shapes, its shared tiles, and the copies that ``stages`` will ask for."""
    found = find_executions(program, sizes, most_blocks=ROUGH_BLOCKS, iterations=ROUGH_ITERATIONS)
    return _Counting(program, sizes, found).work(sum(_shared_bytes(program)))


def _shared_bytes(program: Program) -> Iterator[int]:
    """Bytes of shared memory that tiles and staged loads of a program take."""

    def staged(statements: Sequence[object], stages: int) -> Iterator[int]:
        for each in statements:
            if isinstance(each, For):
                yield from staged(each.body, max(stages, each.stages))
            elif isinstance(each, Let):
                kind = each.result.type if each.result is not None else None
                if isinstance(kind, SharedType):
                    yield -(-kind.elements * kind.dtype.bits // BYTE)
                elif stages > 1 and isinstance(kind, TileType) and each.instruction.plainly_reads() is not None:
                    yield -(-kind.elements * kind.dtype.bits // BYTE) * stages

    yield from staged(program.body, 1)


class _Counting:
    """One count of a program."""

    def __init__(self, program: Program, sizes: Mapping[str, int], found: Found) -> None:
        self.program = program
        self.sizes = sizes
        self.threads = program.threads
        self.found = found
        self.roots: dict[Value, Value] = {}
        for each in walk(program.body):
            if isinstance(each, Let) and each.result is not None and isinstance(each.result.type, TensorType):
                (viewed,) = each.instruction.memory(written=False)
                self.roots[each.result] = self.roots.get(viewed, viewed)

    def work(self, shared_bytes: int) -> Work:
        grid = grid_of(self.program, self.sizes)
        traffic = [each for executions in self.found.executions for each in self.traffic(executions)]
        products = [each for executions in self.found.executions for each in self.products(executions)]
        instructions: dict[str, float] = {}
        for executions in self.found.executions:
            for pipe, count in instructions_of(executions.let, self.threads).items():
                instructions[pipe] = instructions.get(pipe, 0.0) + count * executions.count * self.program.warps
        return Work(
            program=self.program,
            sizes=dict(self.sizes),
            grid=grid,
            warps=self.program.warps,
            shared_bytes=shared_bytes,
            traffic=tuple(traffic),
            products=tuple(products),
            tensors=tuple(self.tensors(traffic)),
            instructions=instructions,
            flights=tuple(flights(self.found, traffic, math.prod(grid))),
            iterations=self.found.iterations,
            roots=self.roots,
            lines=self.lines(),
            complete=self.found.complete,
            notes=self.found.notes,
        )

    def lines(self) -> dict[tuple[int | None, int], float]:
        most: dict[tuple[int | None, int], float] = {}
        for each in self.found.executions:
            if each.let.span is not None:
                key = id(each.loops[-1]) if each.loops else None, each.let.span.line
                most[key] = max(most.get(key, 0.0), each.count)
        return most

    def tensors(self, traffic: Sequence[Traffic]) -> Iterator[Tensor]:
        for value in self.program.tensors:
            assert isinstance(value.type, TensorType)
            own = [each for each in traffic if each.memory == value.name and not each.shared]
            yield Tensor(
                value.name,
                value.type.access,
                value.dtype.bits,
                image_bytes(value, self.sizes),
                sum(each.counts.bytes for each in own if each.reads),
                sum(each.counts.bytes for each in own if each.writes),
            )

    # Traffic

    def traffic(self, executions: Executions) -> Iterator[Traffic]:
        let, plan = executions.let, executions.let.plan
        windows = {name: getattr(let.instruction, name) for name in executions.offsets}
        if let.instruction.spelling == "prefetch":
            return
        if isinstance(plan, Copy):
            yield from self.copied(executions, plan)
        elif isinstance(plan, Atomic):
            ((name, window),) = windows.items()
            yield self.accessed(executions, name, window, plan.access, writes=True, narrowest=ATOMIC_BYTES)
            if plan.numbering is not None:
                yield self.handed_on(executions, plan)
        elif isinstance(plan, Access):
            ((name, window),) = windows.items()
            yield self.accessed(executions, name, window, plan, writes=let.instruction.roles()[name].writes)
        elif isinstance(plan, Matrices):
            ((name, window),) = windows.items()
            yield self.by_matrices(executions, name, window, plan)
        elif isinstance(plan, Indexed):
            yield self.indexed(executions, plan)
        elif isinstance(plan, ScratchExchange):
            yield self.exchanged(executions, plan)
        elif plan is None:
            for name, window in windows.items():
                yield self.unplanned(executions, name, window)
        for meeting in getattr(plan, "meetings", ()):
            yield self.met(executions, meeting)

    def one(
        self,
        executions: Executions,
        memory: str,
        counts: Counts,
        *,
        shared: bool,
        writes: bool,
        width: int,
        exact: bool,
        asynchronous: bool = False,
        window: Window | None = None,
    ) -> Traffic:
        let = executions.let
        whole = counts.bytes
        if window is not None:
            whole = executions.count * math.prod(window.shape) * window.dtype.bits / BYTE
        return Traffic(
            None if let.span is None else let.span.line,
            let.instruction.spelling,
            memory,
            shared,
            writes,
            asynchronous,
            width,
            executions.count,
            counts,
            whole,
            exact,
            id(executions.loops[-1]) if executions.loops else None,
        )

    def name_of(self, base: Value) -> str:
        return self.roots.get(base, base).name

    def copied(self, executions: Executions, plan: Copy) -> Iterator[Traffic]:
        source, target = executions.let.instruction.source, executions.let.instruction.target  # type: ignore[attr-defined]
        whole = plan.unit != 0
        yield self.accessed(executions, "source", source, plan.source, writes=False, asynchronous=whole, owned=whole)
        yield self.accessed(executions, "target", target, plan.target, writes=True, asynchronous=whole, owned=True)

    def accessed(
        self,
        executions: Executions,
        name: str,
        window: Window,
        access: Access,
        *,
        writes: bool,
        asynchronous: bool = False,
        owned: bool | None = None,
        narrowest: int = 1,
    ) -> Traffic:
        columns, weights = executions.windows(name)
        owned = writes if owned is None else owned
        shape = self.shape(window.base)
        known = [np.zeros(len(weights), np.int64) if each is None else each for each in columns]
        total, exact = Counts(), all(each is not None for each in columns)
        kinds, share, complete = self.kinds(access, window, known, weights, shape)
        width = 1
        for offsets, weight in kinds:
            requests, width = access_requests(access, offsets, shape, self.sizes, self.threads, owned=owned)
            width = max(width, narrowest)
            counted = count_shared(requests, width) if access.shared else count_global(requests, width)
            total = total + counted.times(weight * share)
        return self.one(
            executions,
            self.name_of(window.base),
            total,
            shared=access.shared,
            writes=writes,
            width=width,
            exact=exact and complete,
            asynchronous=asynchronous,
            window=window,
        )

    def kinds(
        self,
        access: Access,
        window: Window,
        columns: Sequence[Offsets],
        weights: NDArray[np.float64],
        shape: Sequence[int],
    ) -> tuple[list[tuple[list[int], float]], float, bool]:
        """One execution of each kind, with the weight of all; what to multiply by; whether no kind is left out."""
        base = base_address(access, columns, self.sizes) + np.zeros(len(weights), np.int64)
        if not isinstance(access.address, ElementAddress):
            swizzle = access.address.swizzle
            if swizzle is None or swizzle.base_outside:
                base = base % (BANK_BITS if access.shared else SECTOR_BITS)
        key = base
        for bound in access.bounds:
            extent = window.extents[bound.dim] or 1
            first = np.clip(-columns[bound.dim], 0, extent)
            last = np.clip(shape[bound.dim] - columns[bound.dim], 0, extent)
            key = (key * 4099 + first) * 4099 + last
        if (key == key[0]).all():
            return [([int(column[0]) for column in columns], float(weights.sum()))], 1.0, True
        _, first_of, kind_of = np.unique(key, return_index=True, return_inverse=True)
        sums = np.bincount(kind_of, weights)
        taken = np.argsort(-sums, kind="stable")[:KINDS]
        share = float(sums.sum() / sums[taken].sum())
        chosen = [([int(column[first_of[kind]]) for column in columns], float(sums[kind])) for kind in taken]
        return chosen, share, len(taken) == len(sums)

    def shape(self, base: Value) -> tuple[int, ...]:
        assert isinstance(base.type, TensorType | SharedType)
        return tuple(evaluate(extent, self.sizes) for extent in base.type.shape)

    def by_matrices(self, executions: Executions, name: str, window: Window, plan: Matrices) -> Traffic:
        columns, weights = executions.windows(name)
        exact = all(each is not None for each in columns)
        offsets = [0 if each is None else int(each[0]) for each in columns]
        writes = executions.let.instruction.roles()[name].writes
        requests, width = matrix_requests(plan, offsets, self.sizes, self.threads, owned=writes)
        counts = count_shared(requests, width).times(float(weights.sum()))
        memory = self.name_of(window.base)
        return self.one(executions, memory, counts, shared=True, writes=writes, width=width, exact=exact)

    def indexed(self, executions: Executions, plan: Indexed) -> Traffic:
        """Elements at indices that only the run knows: each is taken to lie in a sector, or in a bank, of its own."""
        instruction = executions.let.instruction
        writes = any(instruction.memory(written=True))
        (base,) = instruction.memory(written=writes)
        width = max(1, plan.unit // BYTE)
        requests = self.program.warps * plan.slots * max(1, -(-plan.bits // max(plan.unit, BYTE)))
        lanes = requests * LANES
        sectors = 0.0 if plan.shared else float(lanes)
        passes = float(requests) if plan.shared else 0.0
        counts = Counts(float(requests), float(lanes * width), float(lanes * width), sectors, passes, passes)
        return self.one(
            executions,
            self.name_of(base),
            counts.times(executions.count),
            shared=plan.shared,
            writes=writes,
            width=width,
            exact=False,
        )

    def exchanged(self, executions: Executions, plan: ScratchExchange) -> Traffic:
        """A tile that changes its layout through shared memory."""
        turns = plan.turns if plan.turns[0].window is None else plan.turns[:1]
        total = Counts()
        for side in (side for turn in turns for side in (turn.write, turn.read)):
            passes = side.passes(self.threads)
            requests = self.program.warps * side.packets.count
            moved = requests * LANES * side.bytes
            total = total + Counts(requests, moved, moved, 0.0, passes.actual, passes.least)
        width = plan.turns[0].write.bytes
        total = total.times(executions.count)
        return self.one(executions, "exchange", total, shared=True, writes=True, width=width, exact=False)

    def handed_on(self, executions: Executions, plan: Atomic) -> Traffic:
        """What one thread found by an atomic, for all others that want it."""
        requests = 2.0 * self.program.warps * plan.access.pieces
        counts = Counts(requests, requests * LANES * 4, requests * 4, 0.0, requests, requests).times(executions.count)
        return self.one(executions, "exchange", counts, shared=True, writes=True, width=4, exact=False)

    def met(self, executions: Executions, meeting: Meeting) -> Traffic:
        """Numbers that threads of several warps tell each other."""
        numbers = self.program.warps * meeting.at_once
        requests = numbers * (1 + meeting.parts)
        counts = Counts(requests, requests * LANES * 4, requests * 4, 0.0, requests, requests).times(executions.count)
        return self.one(executions, "exchange", counts, shared=True, writes=True, width=4, exact=False)

    def unplanned(self, executions: Executions, name: str, window: Window) -> Traffic:
        """A window of a program without plans: its bytes, in whole sectors."""
        columns, weights = executions.windows(name)
        shape = self.shape(window.base)
        inside = np.ones(len(weights))
        for column, extent, size in zip(columns, window.extents, shape, strict=True):
            if column is not None:
                length = extent or 1
                inside = inside * np.clip(np.minimum(size - column, length), 0, length) / length
        elements = math.prod(window.shape) * float((inside * weights).sum())
        moved = elements * window.dtype.bits / BYTE
        shared = isinstance(window.base.type, SharedType)
        result = executions.let.result
        lanes = moved
        if result is not None and isinstance(result.type, TileType):
            # Threads may hold the same elements; each warp loads its own.
            slots = slots_of(result.type, (), self.threads)
            lanes = moved * slots * self.threads / result.type.elements
        requests = lanes / (16 * LANES)
        passes = lanes * BYTE / BANK_BITS if shared else 0.0
        counts = Counts(requests, lanes, moved, 0.0 if shared else moved / 32, passes, passes)
        staged = any(isinstance(loop, For) and loop.stages > 1 for loop in executions.loops)
        asynchronous = executions.let.instruction.asynchronous or (staged and not shared)
        return self.one(
            executions,
            self.name_of(window.base),
            counts,
            shared=shared,
            writes=executions.let.instruction.roles()[name].writes,
            width=16,
            exact=False,
            asynchronous=asynchronous,
            window=window,
        )

    # Products

    def products(self, executions: Executions) -> Iterator[Product]:
        let, plan, times = executions.let, executions.let.plan, executions.count
        if isinstance(plan, MatrixProduct):
            atom = ATOMS[plan.atom]
            instructions = plan.instructions * self.program.warps * times
            name: str | None = atom.name
            operations = 2.0 * atom.m * atom.n * atom.k * instructions
        elif isinstance(plan, ScalarProduct):
            name, instructions = None, len(plan.a) * self.program.warps * times
            operations = 2.0 * LANES * instructions
        elif let.instruction.spelling in ("dot", "dot_scaled") and let.result is not None:
            a = next(iter(let.instruction.operands()))
            m, n = let.result.shape
            operations = 2.0 * m * n * a.shape[1] * times
            name, instructions = "any", operations / 4096
        else:
            return
        yield Product(
            None if let.span is None else let.span.line,
            next(iter(let.instruction.operands())).dtype.name,
            name,
            times,
            instructions,
            operations,
            id(executions.loops[-1]) if executions.loops else None,
        )
