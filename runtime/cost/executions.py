"""How often each statement of a program runs, and where its windows lie: a launch without its tiles.

The scalars of a program (block indices, trip counts, offsets of windows) do not depend on the contents of tensors, but
for those that are loaded. So they can be computed alone, for many blocks at once and for all iterations of a loop at
once: an iteration is a copy of the block in which the index has another value. What comes out is, for each instruction
that touches memory or multiplies, an array of *executions*: the offsets of its windows in each, and how many executions
of the launch each stands for. In a small launch every execution is there and the counts are exact; of a large one a
sample is taken: the first and the last of everything, where edges are, and evenly spread ones between them.

What depends on loaded values is not known; then loops count as one iteration and a branch as half of each side, and a
note says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tilevm.batch import BlockBatch, Launch
from tilevm.dtypes import I32
from tilevm.instruction import Instruction
from tilevm.ir import Carry, For, If, Let, Program, Statement, While
from tilevm.sizes import evaluate
from tilevm.values import Literal, Operand, ScalarType, Value, Window

__all__ = ["Executions", "Found", "find_executions"]

BLOCKS, ITERATIONS = 128, 1 << 16
"""So many blocks of a launch are looked at, and so many executions of a loop's body."""

EDGE = 8
"""Of a sample so many from either end are taken as they are: a pipeline copies nothing more in its last iterations."""

ROUNDS = 256
"""Iterations of a ``while`` that are followed."""

Numbers = NDArray[np.int64]
Weights = NDArray[np.float64]


@dataclass
class Executions:
    """The executions of one instruction that were looked at."""

    let: Let
    loops: tuple[For | While, ...]
    """The loops around it, outermost first."""
    weights: list[Weights] = field(default_factory=list)
    offsets: dict[str, list[tuple[Numbers | None, ...]]] = field(default_factory=dict)
    """Of each window, by the field that holds it: for each dimension the offset in every execution, None where it is
    not known."""

    @property
    def count(self) -> float:
        """How often the launch executes it, all blocks together."""
        return float(sum(each.sum() for each in self.weights))

    def windows(self, name: str) -> tuple[tuple[Numbers | None, ...], Weights]:
        """The offsets of a window in all executions that were looked at, dimension by dimension, and their weights."""
        columns = []
        for column in zip(*self.offsets[name], strict=True):
            known = [each for each in column if each is not None]
            columns.append(np.concatenate(known) if len(known) == len(column) else None)
        return tuple(columns), np.concatenate(self.weights)


@dataclass(frozen=True)
class Found:
    """All executions of a launch, in order of the text, and what could not be known."""

    executions: tuple[Executions, ...]
    iterations: Mapping[int, float]
    """Of each loop, by its ``id``, how many iterations the launch makes, all blocks together."""
    complete: bool
    """Whether every execution was looked at, and none stands for others."""
    notes: tuple[str, ...]


def find_executions(
    program: Program,
    sizes: Mapping[str, int],
    *,
    blocks: Numbers | None = None,
    most_blocks: int = BLOCKS,
    iterations: int = ITERATIONS,
) -> Found:
    """The executions of every instruction that has a window, a plan or a tile.

    ``blocks``: numbers of blocks, in row-major order of the grid, that are taken in place of the launch's; else at most
    ``most_blocks`` of these are looked at, and ``iterations`` of a loop's body. ``sizes`` may hold integer scalars too.
    Raises ``KeyError`` for a size that is missing: check them before.
    """
    grid = tuple(evaluate(extent, sizes) for extent in program.grid)
    total = math.prod(grid)
    taken, weights = (blocks, np.ones(len(blocks))) if blocks is not None else _spread(total, most_blocks)
    walk = _Walk(iterations)
    if len(taken):
        launch = Launch(grid, sizes=sizes)
        for value in (*program.sizes, *program.parameters):
            if isinstance(value.type, ScalarType):
                if value.name in sizes and value.dtype.carrier is not None:
                    launch.scalars[value] = np.array([sizes[value.name]], value.dtype.carrier)
                else:
                    walk.unknown.add(value)
        with np.errstate(all="ignore"):
            walk.body(program.body, BlockBatch(launch, taken), weights)
    complete = len(taken) == total and not walk.sampled
    return Found(tuple(walk.found.values()), walk.iterations, complete, tuple(walk.notes))


def _spread(count: int, most: int) -> tuple[Numbers, Weights]:
    """The numbers below ``count``, or so many of them, and how many each stands for, in all ``count``: those at the
    ends for themselves."""
    if count <= most:
        return np.arange(count, dtype=np.int64), np.ones(count)
    edge = min(EDGE, most // 3)
    inner = most - 2 * edge
    starts = edge + np.arange(inner + 1) * (count - 2 * edge) // inner
    spans = np.diff(starts)
    # A step of an irrational length falls on every residue alike, as evenly spaced numbers would not.
    jumps = np.floor(np.arange(inner) * 0.6180339887498949 % 1 * spans).astype(np.int64)
    ends = np.ones(edge)
    places = np.concatenate([np.arange(edge), starts[:-1] + jumps, np.arange(count - edge, count)])
    return places, np.concatenate([ends, spans.astype(np.float64), ends])


class _Walk:
    """One way through a program, all executions of a statement at once."""

    def __init__(self, iterations: int) -> None:
        self.limit = iterations
        self.unknown: set[Value] = set()
        self.found: dict[int, Executions] = {}
        self.iterations: dict[int, float] = {}
        self.notes: dict[str, None] = {}
        self.loops: tuple[For | While, ...] = ()
        self.recording = True
        self.sampled = False

    def body(self, statements: Iterable[Statement], batch: BlockBatch, weights: Weights) -> None:
        for each in statements:
            if isinstance(each, Let):
                self.let(each, batch, weights)
            elif isinstance(each, For):
                self.counted(each, batch, weights)
            elif isinstance(each, If):
                self.branch(each, batch, weights)
            else:
                self.repeated(each, batch, weights)

    def is_known(self, operand: Operand) -> bool:
        return isinstance(operand, Literal) or (isinstance(operand.type, ScalarType) and operand not in self.unknown)

    # Instructions

    def let(self, let: Let, batch: BlockBatch, weights: Weights) -> None:
        if self.recording:
            self.record(let, batch, weights)
        result = let.result
        if result is None or not isinstance(result.type, ScalarType):
            return
        if not self.follows(let.instruction):
            self.unknown.add(result)
            return
        batch.span, batch.result = let.span, result
        batch.define(result, let.instruction.evaluate(batch))  # type: ignore[arg-type]

    def follows(self, instruction: Instruction) -> bool:
        """Whether an instruction computes a scalar from scalars that are known."""
        return instruction.pure and all(map(self.is_known, instruction.operands()))

    def record(self, let: Let, batch: BlockBatch, weights: Weights) -> None:
        made = self.found.get(id(let))
        if made is None:
            made = self.found[id(let)] = Executions(let, self.loops)
        made.weights.append(weights)
        for name, role in let.instruction.roles().items():
            if role.kind == "window":
                made.offsets.setdefault(name, []).append(self.offsets(getattr(let.instruction, name), batch))

    def offsets(self, window: Window, batch: BlockBatch) -> tuple[Numbers | None, ...]:
        return tuple(self.numbers(each, batch) if self.is_known(each) else None for each in window.offsets)

    def numbers(self, operand: Operand, batch: BlockBatch) -> Numbers:
        return np.broadcast_to(batch.values(operand).astype(np.int64), (batch.count,))

    # Loops and branches

    def counted(self, loop: For, batch: BlockBatch, weights: Weights) -> None:
        if not all(map(self.is_known, (loop.start, loop.stop, loop.step))):
            self.once(loop, batch, weights, loop.body, [loop.index])
            return
        start, stop, step = (self.numbers(each, batch) for each in (loop.start, loop.stop, loop.step))
        trips = np.maximum(-(-(stop - start) // np.where(step == 0, 1, step)), 0)
        if self.recording:
            self.iterations[id(loop)] = self.iterations.get(id(loop), 0.0) + float((trips * weights).sum())
        which, iteration, share = _taken(trips, self.limit)
        self.sampled |= len(which) < trips.sum()
        part = batch.part(which)
        part.define(loop.index, (start[which] + step[which] * iteration).astype(np.int32))
        if len(which):
            self.carry(loop, part, iteration)
            self.inside(loop, loop.body, part, weights[which] * share)
        for carry in loop.carried:
            self.leave(carry, batch, trips)

    def carry(self, loop: For, part: BlockBatch, iteration: Numbers) -> None:
        """Defines what the loop carries in each iteration: where it grows by the same in each, that much times the
        iteration; anything else is not known."""
        carried = [each for each in loop.carried if isinstance(each.inner.type, ScalarType)]
        followed = [each for each in carried if each.inner.dtype is I32 and self.is_known(each.initial)]
        self.unknown |= {each.inner for each in carried if each not in followed}
        if not followed:
            return
        steps = self.steps(loop, part, followed, [np.zeros_like(iteration)] * len(followed))
        grown = [None if step is None else step * iteration for step in steps]
        again = self.steps(loop, part, followed, [np.zeros_like(iteration) if g is None else g for g in grown])
        for each, step, other in zip(followed, steps, again, strict=True):
            if step is None or other is None or not np.array_equal(step, other):
                self.unknown.add(each.inner)

    def steps(self, loop: For, part: BlockBatch, carried: list[Carry], grown: list[Numbers]) -> list[Numbers | None]:
        """What each carried scalar grows by in an iteration that begins with its first value and so much more."""
        unknown, recording = set(self.unknown), self.recording
        self.recording = False
        begins = [self.numbers(each.initial, part) + more for each, more in zip(carried, grown, strict=True)]
        for each, begin in zip(carried, begins, strict=True):
            part.define(each.inner, begin.astype(np.int32))
        self.body(loop.body, part, np.ones(part.count))
        found = [
            self.numbers(each.update, part) - begin if self.is_known(each.update) else None
            for each, begin in zip(carried, begins, strict=True)
        ]
        self.unknown, self.recording = unknown, recording
        return found

    def leave(self, carry: Carry, batch: BlockBatch, trips: Numbers) -> None:
        """What is carried out of a loop is known where nothing was done, and else not."""
        if not isinstance(carry.result.type, ScalarType):
            return
        if trips.any() or not self.is_known(carry.initial):
            self.unknown.add(carry.result)
        else:
            batch.define(carry.result, batch.raw(carry.initial))

    def inside(self, loop: For | While, body: tuple[Statement, ...], part: BlockBatch, weights: Weights) -> None:
        outer = self.loops
        self.loops = (*outer, loop)
        self.body(body, part, weights)
        self.loops = outer

    def once(
        self,
        loop: For | While,
        batch: BlockBatch,
        weights: Weights,
        body: tuple[Statement, ...],
        more: Iterable[Value] = (),
    ) -> None:
        """A loop of which it is not known how often it runs."""
        self.note(loop, "its trips depend on loaded values: counted as one")
        self.iterations[id(loop)] = self.iterations.get(id(loop), 0.0) + float(weights.sum())
        self.unknown.update(more)
        self.unknown.update(value for carry in loop.carried for value in (carry.inner, carry.result))
        self.inside(loop, body, batch.part(np.arange(batch.count)), weights)

    def repeated(self, loop: While, batch: BlockBatch, weights: Weights) -> None:
        carried = [each for each in loop.carried if isinstance(each.inner.type, ScalarType)]
        if not all(self.is_known(each.initial) for each in carried):
            self.once(loop, batch, weights, (*loop.test, *loop.body))
            return
        going = batch.part(np.arange(batch.count))
        self.assign(going, [(each.inner, each.initial) for each in carried])
        for _ in range(ROUNDS):
            self.inside(loop, loop.test, going, weights)
            if not self.is_known(loop.condition):
                self.once(loop, going, weights, loop.body)
                return
            goes_on = np.flatnonzero(np.broadcast_to(going.values(loop.condition), (going.count,)))
            if not len(goes_on):
                break
            going, weights = going.part(goes_on), weights[goes_on]
            self.iterations[id(loop)] = self.iterations.get(id(loop), 0.0) + float(weights.sum())
            self.inside(loop, loop.body, going, weights)
            self.assign(going, [(each.inner, each.update) for each in carried])
        else:
            self.note(loop, f"it was followed for {ROUNDS} iterations only")
        self.unknown.update(each.result for each in carried)

    def assign(self, batch: BlockBatch, pairs: list[tuple[Value, Operand]]) -> None:
        held = [(value, batch.raw(operand) if self.is_known(operand) else None) for value, operand in pairs]
        for value, array in held:
            if array is None:
                self.unknown.add(value)
            else:
                batch.define(value, array)

    def branch(self, branch: If, batch: BlockBatch, weights: Weights) -> None:
        joins = [join for join in branch.joins if isinstance(join.result.type, ScalarType)]
        if not self.is_known(branch.condition):
            self.note(branch, "its condition depends on loaded values: each side counts half")
            for side in (branch.then, branch.otherwise):
                self.body(side, batch.part(np.arange(batch.count)), weights / 2)
            self.unknown.update(join.result for join in joins)
            return
        condition = np.broadcast_to(batch.values(branch.condition), (batch.count,))
        parts = []
        for chosen, side in ((condition, branch.then), (~condition, branch.otherwise)):
            selection = np.flatnonzero(chosen)
            part = batch.part(selection)
            if len(selection):
                self.body(side, part, weights[selection])
            parts.append((selection, part))
        for join in joins:
            sides = [
                (part, at, op) for (at, part), op in zip(parts, (join.then, join.otherwise), strict=True) if len(at)
            ]
            if not all(self.is_known(operand) for _, _, operand in sides):
                self.unknown.add(join.result)
                continue
            merged = np.empty(batch.count, sides[0][0].values(sides[0][2]).dtype)
            for part, selection, operand in sides:
                merged[selection] = part.values(operand)
            batch.define(join.result, merged)

    def note(self, statement: For | While | If, text: str) -> None:
        line = "" if statement.span is None else f"line {statement.span.line}: "
        self.notes[line + text] = None


def _taken(trips: Numbers, most: int) -> tuple[Numbers, Numbers, Weights]:
    """Iterations of each block that are looked at: the block's place, the iteration, how many it stands for."""
    if trips.sum() <= most:
        which = np.repeat(np.arange(len(trips)), trips)
        first = np.repeat(np.cumsum(trips) - trips, trips)
        return which, np.arange(len(which)) - first, np.ones(len(which))
    share = max(3, most // len(trips))
    kinds, kind_of = np.unique(trips, return_inverse=True)
    chosen = [_spread(int(count), share) for count in kinds]
    pieces = [(np.full(len(chosen[kind][0]), place), *chosen[kind]) for place, kind in enumerate(kind_of)]
    which, iteration, weights = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return which, iteration, weights
